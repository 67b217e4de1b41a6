"""Rehearse pages at ``paper``: ``python -m companion rehearse [PAGE ...] [-p NAME VALUE ...]``.

The page's own cells run in this process with every amount divided (:mod:`companion.rehearsal`), on small made-up files
in the layout of the real sets' caches, from base models trained on them for a few updates. The numbers are meaningless;
the rehearsal shows that everything from the data to the record works, and that the page measures every printed cell
that ``results/reach.json`` promises. FID's network and CLIP are small random ones, so no weights are needed. The
classifiers' outputs are a function of the pixels under which the samples of untrained models show every class about as
often.
"""

import argparse
import contextlib
import io
import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from filelock import FileLock

from companion import bases, classifier_training, classifiers, rehearsal
from companion.campaign.pretraining import Pretraining
from companion.code import CHECKOUT
from companion.evaluation import features, report
from companion.options import positive_int
from companion.page import Page
from companion.parameters import defaults, normalised
from companion.reach import promised
from companion.records import Record
from paperlib.data import cache, sources
from paperlib.metrics import clip
from paperlib.metrics.features import INCEPTION, Network, rgb
from paperlib.nets.classifier import CifarResNet, SmallCNN
from paperlib.nets.noisy_classifier import NoisyClassifier

__all__ = ["DIVISOR", "ROWS", "cells", "made_up", "main", "rehearse", "rehearsing"]

DIVISOR = 100_000
IMAGES = {"train": 120, "test": 60}  # per part of a set, with every class and attribute
MORE = {("mnist", "train"): 1500}  # from which known cases are made
SIZES = {"mnist": (28, 1), "cifar10": (32, 3), "stl10": (96, 3), "celeba": (64, 3)}
#: The rehearsals of each page that has rows to choose; other pages have one, with their default parameters.
ROWS: dict[str, list[dict[str, Any]]] = {
    "sgu_tab2_unlearning_and_nll": [{"dataset": name} for name in ("mnist", "cifar10", "stl10", "celeba")],
    "sgu_tab3_inpainting": [
        *({"dataset": name} for name in ("mnist", "celeba")),
        *({"dataset": name, "clip_weights": "openai"} for name in ("cifar10", "stl10")),
    ],
    "sgu_tab4_reconstruction": [{"dataset": "cifar10", "clip_weights": "openai"}],
    "sgu_tab5_finetuning": [{"dataset": name} for name in ("cifar10-vp", "cifar10-ddpm", "celeba-vp")],
    "vdu_tab2_gamma_sweep": [
        *({"dataset": name} for name in ("mnist", "cifar10")),
    ],
    "erasediff_tab2_nudity": [{"methods": "all", "reference": "coco.npz"}],
    "erasediff_tab3_imagenette": [{"forget": "all", "methods": "all", "table": table} for table in (3, 5)],
    "vdu_tab1_against_selective_amnesia": [{"dataset": name} for name in ("mnist", "cifar10")],
    "compare_relearning": [{"images": "1,4,0"}],  # fewer to learn again from
    "erasediff_tab1_cifar10": [{}],
    "erasediff_tab4_cost": [{}],
    "erasediff_fig5_ablation": [{}],
}


def made_up(folder: Path) -> None:
    """Write small files as ``python -m paperlib.data`` does: a pattern for each class, with noise."""
    draws = np.random.default_rng(0)
    for name, (size, channels) in SIZES.items():
        patterns = draws.integers(0, 256, (10, size, size, channels))
        for part in sources.SOURCES[name].parts:
            count = MORE.get((name, part)) or IMAGES.get(part, 20)
            labels = draws.permutation(count) % 10
            images = 0.7 * patterns[labels] + draws.integers(0, 77, (count, size, size, channels))
            arrays = {"images": images.astype(np.uint8)}
            if name == "celeba":
                named = np.array(["Bangs", *(f"Attribute_{k}" for k in range(1, 40))])
                values = np.where(labels[:, None] < np.arange(40) % 9 + 1, 1, -1).astype(np.int8)
                arrays |= {"attributes": values, "names": named, "ids": np.arange(count)}
            else:
                arrays["labels"] = labels.astype(np.int64)
            cache.write(folder, sources.file_stem(name, part), arrays)


@contextlib.contextmanager
def rehearsing(folder: Path, divisor: int = DIVISOR) -> Iterator[None]:
    """Provide an environment in which ``paper`` is small, its data are made up, and no real run is touched."""
    variables = {rehearsal.VARIABLE: str(divisor), "PAPERLIB_DATA": str(folder / "data"), "PAPERLIB_BUILD": str(folder)}
    with contextlib.ExitStack() as changed:
        changed.enter_context(patch.dict(os.environ, variables))
        changed.enter_context(patch.dict(cache.KNOWN_SHA256, clear=True))
        changed.enter_context(patch.object(clip, "load", _small_clip))
        for network, stub in ((SmallCNN, _seen), (CifarResNet, _seen), (NoisyClassifier, _seen_in_noise)):
            changed.enter_context(patch.object(network, "forward", stub))
        for user in (features, report):
            changed.enter_context(patch.object(user, "inception", _projection))
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            if not (folder / "data").is_dir():
                made_up(folder / "draft")
                (folder / "draft").rename(folder / "data")
        yield


def _projection(device: torch.device | str = "cpu") -> Network:
    """Stand in for FID's network: 32 random features of 8 x 8 pixels."""
    W = torch.randn(3 * 8 * 8, 32, generator=torch.Generator().manual_seed(0))

    def extract(images: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.adaptive_avg_pool2d(rgb(images).float() / 255, 8).flatten(1) @ W

    return Network(INCEPTION, extract)


def _seen(self: SmallCNN | CifarResNet, x: torch.Tensor) -> torch.Tensor:
    """Stand in for a classifier's logits."""
    return _logits(x, self.head) + 0 * self.head(self.features(x))  # training needs a gradient


def _seen_in_noise(self: NoisyClassifier, y: torch.Tensor, log_s: torch.Tensor) -> torch.Tensor:
    """Stand in for a noisy classifier's logits: the more noise, the less confident."""
    logits = _logits(y, self.head) / (1 + log_s.exp()).expand(len(y))[:, None]
    return logits + 0 * self.head.weight.sum()


def _logits(x: torch.Tensor, head: torch.nn.Linear) -> torch.Tensor:
    """Return logits that change so fast with the image that every class is about as frequent."""
    z = torch.nn.functional.adaptive_avg_pool2d(x, 4).flatten(1)
    z = (z - z.mean(1, keepdim=True)) / (z.std(1, keepdim=True) + 1e-6)
    W = torch.randn(z.shape[1], head.out_features, generator=torch.Generator().manual_seed(0)).to(x)
    return 12 * (3 * z @ W).sin()


def _small_clip(*_: Any, **__: Any) -> clip.Clip:
    """Stand in for CLIP: a small network of its class with random weights."""
    import open_clip

    vision = {"image_size": 32, "layers": 1, "width": 32, "patch_size": 8, "head_width": 16}
    text = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
    model = open_clip.CLIP(embed_dim=16, vision_cfg=vision, text_cfg=text)
    return clip.Clip(model.eval(), open_clip.get_tokenizer("ViT-B-32"), "CLIP, small and random")


def rehearse(page: str, **parameters: Any) -> Record:
    """Return the record of a rehearsal. Call it inside :func:`rehearsing`."""
    own = normalised(defaults(page), {"profile": "paper", **parameters})
    for name in _needed(page, own):
        _model(name)
    names: dict[str, Any] = {"__name__": "__main__"}
    for source, tags in cells(page):
        if "parameters" in tags:
            names |= own
        elif "solution" not in tags:
            exec(compile(source, page, "exec"), names)
    return next(value for value in names.values() if isinstance(value, Page)).run


def cells(page: str) -> Iterator[tuple[str, set[str]]]:
    """Yield the source and tags of a page's code cells."""
    import jupytext

    for cell in jupytext.read(CHECKOUT / "notebooks" / f"{page}.py").cells:
        if cell.cell_type == "code":
            yield cell.source, set(cell.metadata.get("tags", []))


def _needed(page: str, parameters: Mapping[str, Any]) -> list[str]:
    """Return the papers' base models that a page may start from: those of its own paper, for the requested sets.

    A row's name may be its set's, or begin with it and go on with the process.
    """
    paper, asked = page.partition("_")[0], str(parameters.get("dataset") or "all")
    every = [base for base in bases.BASES.values() if base.paper == paper and not base.of]
    sets = {row.strip().partition("-")[0] for row in asked.split(",")}
    return [base.name for base in every if asked == "all" or base.dataset in sets]


def _model(name: str) -> None:
    """Train a base model and its set's classifier for a few updates, if they do not exist yet."""
    base = bases.BASES[name]
    dataset = base.dataset
    if dataset in classifiers.LARGE and not (classifiers.folder_of(dataset) / f"classifier-{dataset}.json").is_file():
        classifier_training.make(dataset)
    run = Pretraining(base, torch.device("cpu"), base.folder)
    if run.left():
        run.go_on(None)


def _rehearsed(page: str, row: Mapping[str, Any]) -> str:
    """Rehearse a row and say what it took; raise if a printed cell that it should measure is not there."""
    start, spent = time.monotonic(), time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        reached = {value.claim for value in rehearse(page, **row).values if hasattr(value, "value")}
    if lacking := sorted(promised(page, row) - reached):
        raise ValueError(f"{len(lacking)} printed cells were not measured: {', '.join(lacking[:3])} ...")
    printed = sum(not claim.startswith("ours.") for claim in reached)
    seconds = time.monotonic() - start, time.process_time() - spent
    return f"{seconds[0]:.0f} s ({seconds[1]:.0f} of a core), {printed} printed cells"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    from papermill.cli import _resolve_type as resolve_type  # as `make page` reads parameters

    from companion.folders import build_folder

    pages = sorted(path.stem for path in (CHECKOUT / "notebooks").glob("*.py"))
    parser = argparse.ArgumentParser(prog="python -m companion rehearse", description=__doc__.partition("\n")[0])
    parser.add_argument("pages", nargs="*", metavar="PAGE", help="default: all of them")
    parser.add_argument("-p", "--parameter", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"))
    parser.add_argument(
        "--divisor", type=positive_int, default=DIVISOR, help=f"number to divide all amounts by (default: {DIVISOR})"
    )
    options = parser.parse_args(arguments)
    if unknown := [page for page in options.pages if page not in pages]:
        parser.error(f"{unknown[0]} is not one of {', '.join(pages)}")
    given, failed = {name: resolve_type(value) for name, value in options.parameter}, 0
    with rehearsing(build_folder() / "rehearsal", options.divisor):
        for page in options.pages or pages:
            for row in [given] if given else ROWS.get(page, [{}]):
                said = " ".join([page, *(f"{name}={value}" for name, value in row.items())])
                try:
                    print(f"{said}: {_rehearsed(page, row)}", flush=True)
                except Exception as error:  # however a page fails, the others are still rehearsed
                    failed += 1
                    print(f"{said}: FAILED, {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
