"""Train the book's own classifiers: ``python -m companion classifier digits mnist``.

A snapshot in the build folder lets an interrupted run continue, with bitwise the same result.
"""

import argparse
import hashlib
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from companion import checkpoints, rehearsal
from companion.classifiers import LARGE, RECIPES, Recipe, build, dataset, folder_of, images_of, predict
from companion.folders import build_folder
from companion.machine import pick_device, say
from companion.options import natural_int
from companion.seeds import generator
from companion.snapshots import Resumable
from paperlib.data.images import Images
from paperlib.nets.classifier import classification_loss
from paperlib.training import Training

__all__ = ["confusion", "make", "train_named", "training"]


def shifted(x: Tensor, largest: int, generator: torch.Generator, *, each: bool = False) -> Tensor:
    """Shift a batch of images [B, C, H, W] by a random number of whole pixels, repeating the edges.

    All images have the same shift; with ``each``, every image has its own.
    """
    if not largest:
        return x
    B, _, H, W = x.shape
    shape = (2, B) if each else (2,)
    top, left = torch.randint(2 * largest + 1, shape, generator=generator)
    padded = nn.functional.pad(x, [largest] * 4, mode="replicate")
    if each:
        windows = padded.unfold(2, H, 1).unfold(3, W, 1)  # [B, C, 2 largest + 1, 2 largest + 1, H, W]
        return windows[torch.arange(B), :, top, left]
    return padded[:, :, top : top + H, left : left + W]


def drawn(data: Images, recipe: Recipe, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return a random batch, shifted and mirrored as the recipe says."""
    x, y = data.batch(recipe.batch_size, generator, flip=recipe.flip)
    x = shifted(x, recipe.shift, generator, each=recipe.each).contiguous(memory_format=torch.channels_last)
    return x, y.float() if y.dtype == torch.bool else y


def objective(model: nn.Module, generator: torch.Generator, index: int, *, data: Images, recipe: Recipe) -> dict:
    """Return the cross-entropy on a random batch."""
    x, target = drawn(data, recipe, generator)
    return {"loss": classification_loss(model(x), target).mean()}


def rehearsed(name: str) -> Recipe:
    """Return a set's recipe; in a rehearsal, a smaller one for classifiers that are not committed."""
    recipe, least = RECIPES[name], {"steps": 2, "batch_size": 8, "statistics": 1}
    changes = rehearsal.scaled({key: getattr(recipe, key) for key in least}, least) if name in LARGE else {}
    return recipe.model_copy(update=changes)


def training(name: str, *, seed: int = 0, device: torch.device | str = "cpu") -> Training:
    """Return the training run of a set's classifier by its recipe, before its first update."""
    recipe, data = rehearsed(name), images_of(name, "train").to(device)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(generator(seed, f"classifier/{name}", "init").initial_seed())
        model = build(name)
    run = Training(
        model.to(device),
        partial(objective, data=data, recipe=recipe),
        steps=recipe.steps,
        lr=recipe.lr,
        clip=recipe.clip,
        warmup=100,
        decay=True,
        generator=generator(seed, f"classifier/{name}", "data"),
    )
    if recipe.optimizer == "SGD":
        weights, decay = run.network.parameters(), recipe.weight_decay
        run.optimizer = torch.optim.SGD(weights, lr=recipe.lr, momentum=0.9, nesterov=True, weight_decay=decay)
    return run


@torch.no_grad()
def take_statistics(model: nn.Module, data: Images, recipe: Recipe, generator: torch.Generator) -> nn.Module:
    """Recompute BatchNorm's statistics over random batches: those of averaged weights differ from the last weights'."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
    model.train()
    for _ in range(recipe.statistics):
        model(drawn(data, recipe, generator)[0])
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum
    return model.eval()


def snapshot_file(name: str, seed: int) -> Path:
    """Return the path of a run's snapshot; every recipe and seed has its own file."""
    key = hashlib.sha256(f"{rehearsed(name).model_dump_json()} {seed}".encode()).hexdigest()[:12]
    return build_folder() / "classifiers" / f"{name}-{key}.pt"


def confusion(model: nn.Module, data: Images) -> Tensor:
    """Count true (rows) against predicted classes (columns), [K, K]; for attributes one table each, [A, 2, 2]."""
    logits = predict(model, data.images)
    if data.labels is not None:
        K = len(data.classes)
        return torch.bincount(data.labels * K + logits.argmax(1), minlength=K * K).reshape(K, K)
    cells = 2 * data.values.long() + (logits > 0).long()
    return torch.stack([torch.bincount(column, minlength=4).reshape(2, 2) for column in cells.T])


def make(name: str, *, seed: int = 0, folder: Path | None = None) -> Path:
    """Train, round to fp16, evaluate the rounded weights, and write the checkpoint and its card."""
    recipe, device = rehearsed(name), pick_device()
    run, snapshot = training(name, seed=seed, device=device), snapshot_file(name, seed)
    for step in Resumable(run, snapshot):
        if step.index % 500 == 0:
            say(f"{name}: update {step.index} of {run.steps}, loss {step.losses['loss']:.3f}, {step.seconds:.0f} s")
    model = run.model.eval()
    if recipe.statistics:
        draws = generator(seed, f"classifier/{name}/statistics", "data")
        take_statistics(model, images_of(name, "train").to(device), recipe, draws)
    model.load_state_dict({key: value.float() for key, value in checkpoints.rounded(model).items()})
    data = images_of(name, "test")
    table = confusion(model, data)
    right = table.diagonal(dim1=-2, dim2=-1).sum(-1) / table.sum((-2, -1))
    say(f"{name}: accuracy on {data.name} {right.numpy().round(4)}")
    card = {
        "data": f"{dataset(name)}-train",
        "network": f"{recipe.network}, width {recipe.width}",
        "recipe": recipe.model_dump(),
        "seed": seed,
        "seconds": round(run.seconds, 1),
        "samples_seen": recipe.steps * recipe.batch_size,
        "test": data.name,
        "accuracy": right.tolist(),
        "names": list(data.classes or data.attributes),
        "confusion": table.tolist(),
    }
    file = checkpoints.save(model, f"classifier-{name}", card, folder or folder_of(name))
    snapshot.unlink(missing_ok=True)
    return file


def train_named(make: Callable[..., Path], recipes: Iterable[str], what: str) -> None:
    """Run a command that makes the classifiers of the data sets named on the command line."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("sets", nargs="+", choices=list(recipes))
    parser.add_argument("--seed", type=natural_int, default=0)
    arguments = parser.parse_args()
    for name in arguments.sets:
        make(name, seed=arguments.seed)


def main() -> None:
    """Train the classifiers of the named data sets."""
    train_named(make, RECIPES, main.__doc__)


if __name__ == "__main__":
    main()
