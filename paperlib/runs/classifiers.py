"""The book's own classifiers: trained once, committed, and loaded by every page that asks what a sample shows.

``python -m paperlib.runs.classifiers digits mnist`` trains them anew and writes their checkpoints and cards.
"""

import argparse
from functools import partial

import torch
from pydantic import Field
from torch import Tensor, nn

from paperlib.data import sets
from paperlib.data.images import Images, model_input
from paperlib.nets.classifier import SmallCNN, classification_loss
from paperlib.runs import checkpoints
from paperlib.runs.seeds import generator
from paperlib.runs.settings import Settings
from paperlib.training import Training

__all__ = ["RECIPES", "Recipe", "build", "classifier", "confusion", "predict", "train"]


class Recipe(Settings):
    """How a classifier is trained."""

    size: int = Field(gt=0)  # pixels
    steps: int = Field(gt=0)  # updates of Adam
    batch_size: int = Field(128, gt=0)
    width: int = Field(16, gt=0)  # a quarter of the work of 32, and enough for the goals
    lr: float = Field(3e-3, gt=0)  # falling along half a cosine
    shift: int = Field(0, ge=0)  # pixels: the largest random displacement, where the class does not depend on it


RECIPES = {
    "digits": Recipe(size=8, steps=1500, shift=1),
    "shapes": Recipe(size=32, steps=1200, shift=2),
    "avatars": Recipe(size=32, steps=1000),
    "mnist": Recipe(size=28, steps=4500, shift=2),
}


def build(name: str) -> SmallCNN:
    """A fresh classifier for a set: one output a class, or one an attribute."""
    if name not in RECIPES:
        raise ValueError(f"there is no classifier of {name!r}; there are: {', '.join(RECIPES)}")
    example = sets.load(name, "test", **_drawn(name))
    return SmallCNN(example.shape[0], len(example.classes or example.attributes), width=RECIPES[name].width)


def classifier(name: str) -> SmallCNN:
    """The committed classifier of a set."""
    return checkpoints.load(build(name), f"classifier-{name}")


def _drawn(name: str) -> dict[str, int]:
    return {"size": RECIPES[name].size} if name in ("shapes", "avatars") else {}


def shifted(x: Tensor, largest: int, generator: torch.Generator) -> Tensor:
    """Every image of a batch [B, C, H, W] displaced by the same random whole pixels, its edge repeated."""
    if not largest:
        return x
    size = x.shape[2:]
    top, left = torch.randint(2 * largest + 1, (2,), generator=generator).tolist()
    padded = nn.functional.pad(x, [largest] * 4, mode="replicate")
    return padded[:, :, top : top + size[0], left : left + size[1]]


def objective(model: nn.Module, generator: torch.Generator, index: int, *, data: Images, recipe: Recipe) -> dict:
    """Cross-entropy on a random batch."""
    x, y = data.batch(recipe.batch_size, generator)
    target = y.float() if y.dtype == torch.bool else y
    return {"loss": classification_loss(model(shifted(x, recipe.shift, generator)), target).mean()}


def train(name: str, *, seed: int = 0) -> SmallCNN:
    """Train a set's classifier by its recipe."""
    recipe, data = RECIPES[name], sets.load(name, "train", **_drawn(name))
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(generator(seed, f"classifier/{name}", "init").initial_seed())
        model = build(name)
    return Training(
        model,
        partial(objective, data=data, recipe=recipe),
        steps=recipe.steps,
        lr=recipe.lr,
        warmup=100,
        decay=True,
        generator=generator(seed, f"classifier/{name}", "data"),
    ).run()


@torch.no_grad()
def predict(model: SmallCNN, images: Tensor, batch_size: int = 500) -> Tensor:
    """Logits [N, outputs] of uint8 images [N, C, H, W]."""
    return torch.cat([model(model_input(part)) for part in images.split(batch_size)])


def confusion(model: SmallCNN, data: Images) -> Tensor:
    """Counts [K, K] of true class (row) and predicted class (column); for attributes [A, 2, 2], one table each."""
    logits = predict(model, data.images)
    if data.labels is not None:
        K = len(data.classes)
        return torch.bincount(data.labels * K + logits.argmax(1), minlength=K * K).reshape(K, K)
    cells = 2 * data.values.long() + (logits > 0).long()
    return torch.stack([torch.bincount(column, minlength=4).reshape(2, 2) for column in cells.T])


def main() -> None:
    """Train, round, evaluate as rounded, and write the checkpoints."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("sets", nargs="+", choices=RECIPES)
    for name in parser.parse_args().sets:
        model = train(name)
        model.load_state_dict({key: value.float() for key, value in checkpoints.rounded(model).items()})
        data = sets.load(name, "test", **_drawn(name))
        table = confusion(model.eval(), data)
        right = table.diagonal(dim1=-2, dim2=-1).sum(-1) / table.sum((-2, -1))
        recipe = RECIPES[name]
        card = {
            "data": f"{name}-train",
            "network": f"SmallCNN, width {recipe.width}",
            "recipe": recipe.model_dump(),
            "samples_seen": recipe.steps * recipe.batch_size,
            "test": data.name,
            "accuracy": right.tolist(),
            "names": list(data.classes or data.attributes),
            "confusion": table.tolist(),
        }
        file = checkpoints.save(model, f"classifier-{name}", card)
        print(f"{file.name}: accuracy on {data.name} {right.numpy().round(4)}")


if __name__ == "__main__":
    main()
