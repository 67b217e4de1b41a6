"""Short training runs of equal processor time, to find a base model's recipe before spending hours on it.

``python -m companion trials cifar10 --minutes 10 --only wide lognormal``

Each trial trains on all but the last ``HELD_OUT`` training images for the same seconds of one core, in bf16. It is then
evaluated on the held-out images by the denoising error, with labels and without, at a grid of noise levels. No data
that a page reports on are used. Results of all trials go to ``results/search/<set>-recipes.json``.
"""

import argparse
import copy
import json
import math
import time
from typing import Any

import torch
from filelock import FileLock
from torch import Tensor

from companion import bases
from companion.options import non_negative
from companion.provenance import CHECKOUT, device
from companion.seeds import generator
from paperlib.data.images import Examples, model_input
from paperlib.denoiser import Denoiser, reinitialise
from paperlib.files import write_whole
from paperlib.losses import batch_loss
from paperlib.nets.unet import UNet
from paperlib.processes import VP, normal
from paperlib.training import Training

__all__ = ["TRIALS", "error", "main", "trial"]

HELD_OUT, JUDGED = 5000, 400  # images kept from training, and how many of them are used for evaluation
LEVELS = tuple(-4.5 + k for k in range(9))  # log(sigma / alpha), 0.011 to 33

_ALL = dict(channels=64, multipliers=(1, 2, 2, 2), blocks=1, per_group=8, attention=())
_NET = dict(channels=32, multipliers=(1, 2, 4, 4), blocks=1, per_group=8, attention=())
_RUN = dict(batch_size=64, lr=1e-3, ema=0.999, levels="uniform", weighting="simple", dropout=0.4)
_LOGNORMAL = dict(levels="lognormal", weighting="unit")
# Per data set, the trials by name: (network, run).
TRIALS: dict[str, dict[str, tuple[dict, dict]]] = {
    "cifar10": {
        "64 wide": (_ALL, _RUN),
        "32 wide, deep below": (_NET, _RUN),
        "32 wide, deep below, two blocks": ({**_NET, "blocks": 2}, _RUN),
        "lognormal": (_NET, {**_RUN, **_LOGNORMAL}),
        "patches of 2": ({**_NET, "multipliers": (1, 2, 4), "patch": 2}, {**_RUN, **_LOGNORMAL}),
        "lr 2e-3": (_NET, {**_RUN, "lr": 2e-3}),
        "batch 128": (_NET, {**_RUN, "batch_size": 128, "lr": 1.4e-3}),
    },
    "mnist": {
        "32 wide": ({**_NET, "multipliers": (1, 2, 2)}, _RUN),
        "32 wide, deep below": ({**_NET, "multipliers": (1, 2, 4)}, _RUN),
        "24 wide, deep below": ({**_NET, "channels": 24, "multipliers": (1, 2, 4)}, _RUN),
        "lognormal": ({**_NET, "multipliers": (1, 2, 2)}, {**_RUN, **_LOGNORMAL}),
        "lr 2e-3": ({**_NET, "multipliers": (1, 2, 2)}, {**_RUN, "lr": 2e-3}),
    },
}


@torch.no_grad()
def error(model: Denoiser, x0: Tensor, cond: Tensor | None) -> list[float]:
    """Return the mean squared error of eps per pixel at each of ``LEVELS``, with the same noise for every model."""
    draws, found = generator(0, "trials", "evaluation"), []
    for level in LEVELS:
        t = model.process.time_of(torch.full((len(x0),), level, dtype=torch.float64)).float()
        z = normal(x0.shape, draws)
        found.append((z - model(model.process.perturb(x0, t, z), t, cond).eps).square().mean().item())
    return found


def trial(dataset: str, name: str, seconds: float) -> dict[str, Any]:
    """Train for ``seconds`` of processor time, then evaluate."""
    shape, run = TRIALS[dataset][name]
    train = bases.images(dataset, "train")
    seen, held = (
        train.only(torch.arange(len(train) - HELD_OUT)),
        train.only(torch.arange(len(train) - JUDGED, len(train))),
    )
    channels, size, _ = train.shape
    data_std = bases.DATA_STD.get(dataset, 0.5)
    net = UNet(size=size, image_channels=channels, classes=10, frequency=16.0, **shape)
    model = Denoiser(net, VP(), predicts="preconditioned", data_std=data_std)
    reinitialise(model, generator(0, f"trials/{dataset}/{name}", "init"))
    examples = Examples(seen, flip=dataset == "cifar10", dequantise=True)
    told = {key: run[key] for key in ("levels", "weighting", "dropout")}

    def objective(model, draws, index):
        return {"loss": batch_loss(model, examples, run["batch_size"], draws, **told).mean() / math.prod(train.shape)}

    training = Training(
        model,
        objective,
        steps=10**9,
        lr=run["lr"],
        ema=run["ema"],
        warmup=200,
        generator=generator(0, f"trials/{dataset}", "noise"),
        precision="bf16",
    )
    start = time.process_time()
    for step in training:
        if time.process_time() - start > seconds:
            break
    x0 = model_input(held.images, generator(0, "trials", "data"), dequantise=True)
    trained = copy.deepcopy(training.model).eval()
    found = {"labels": error(trained, x0, held.labels), "none": error(trained, x0, None)}
    images = step.index * run["batch_size"]
    return {
        "network": shape | {"parameters": sum(p.numel() for p in net.parameters())},
        "run": run,
        "seconds": seconds,
        "images": images,
        "device": device(),
        "error": {face: [round(v, 5) for v in values] for face, values in found.items()},
        "mean": {face: round(sum(values) / len(values), 5) for face, values in found.items()},
    }


def main(arguments: list[str] | None = None) -> None:
    """Run trials and save their results."""
    parser = argparse.ArgumentParser(prog="python -m companion trials", description=main.__doc__)
    parser.add_argument("dataset", choices=TRIALS)
    parser.add_argument(
        "--minutes", type=non_negative, default=10.0, help="processor time per trial, in minutes (default: 10)"
    )
    parser.add_argument("--only", nargs="+", metavar="TRIAL")
    options = parser.parse_args(arguments)
    for name in options.only or ():
        if name not in TRIALS[options.dataset]:
            parser.error(f"--only {name!r} is not one of {', '.join(TRIALS[options.dataset])}")
    torch.set_num_threads(1)
    file = CHECKOUT / "results" / "search" / f"{options.dataset}-recipes.json"
    for name in options.only or TRIALS[options.dataset]:
        found = trial(options.dataset, name, 60 * options.minutes)
        print(name, found["images"], "images", found["mean"], flush=True)
        with FileLock(f"{file}.lock"):
            kept = json.loads(file.read_text()) if file.is_file() else {"levels": LEVELS, "trials": {}}
            kept["trials"][name] = found
            write_whole(file, json.dumps(kept, indent=1))


if __name__ == "__main__":
    main()
