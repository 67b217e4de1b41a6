"""The course of an unlearning run: what its model draws and loses after chosen updates. A stored step for each run."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field, field_validator
from torch import Tensor

from paperlib.data import sets
from paperlib.data.images import Examples
from paperlib.data.splits import split
from paperlib.denoiser import Denoiser
from paperlib.losses import batch_loss
from paperlib.runs import bases, checkpoints
from paperlib.runs.eye import Eye
from paperlib.runs.seeds import generator
from paperlib.runs.settings import Settings
from paperlib.runs.store import Entry, Store
from paperlib.unlearning.methods import METHODS

__all__ = ["Course", "course", "images", "looks", "stopped", "window"]

KEPT = 10  # images of every look, of the same noise
LOSS_ROWS = 500  # test images of each side behind a loss, of the same noise and times at every look


class Course(Settings):
    """An unlearning run of an unconditional base model, and when it is looked at.

    The optimiser's settings are one for all methods: Adam without averaging.
    """

    base: str
    method: str
    settings: dict[str, float | str] = {}  # the method's own
    forget: str
    looks: tuple[int, ...] = Field(min_length=1)  # updates; the last look ends the run
    batch_size: int = Field(gt=0)
    lr: float = Field(gt=0)
    n: int = Field(gt=19)  # images of a look
    evaluations: int = Field(gt=0)  # of iPNDM, an image
    seed: int = Field(0, ge=0)

    @field_validator("method")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in METHODS:
            raise ValueError(f"method={name!r} is not one of {', '.join(METHODS)}")
        return name

    @field_validator("looks")
    @classmethod
    def _ascending(cls, updates: tuple[int, ...]) -> tuple[int, ...]:
        if updates[0] < 1 or any(a >= b for a, b in zip(updates, updates[1:])):
            raise ValueError(f"looks={updates} are not ascending numbers of updates from 1 on")
        return updates


def course(store: Store, wanted: Course) -> Entry:
    """Run it, or find it in the store."""
    card = checkpoints.card(wanted.base)
    return store.step("course", wanted, _run, inputs=[card["sha256"]] if card else [])


def looks(entry: Entry) -> list[dict[str, Any]]:
    """What each look saw, the first one before any update.

    Keys: ``update``; ``ur`` and its ``ur_interval``, in percent; ``floor``; ``distance`` of the images that do not show
    what was to be forgotten from real retained ones, and its ``distance_interval``; ``L_g`` and ``L_f`` on test images,
    a pixel; ``gradient_evaluations`` and ``seconds`` of the run until then. What is no number any more is None. They
    end where the run does (:func:`stopped`).
    """
    return _read(entry)["looks"]


def stopped(entry: Entry) -> str:
    """Why the run ended early, since its loss was no number any more; empty where it did not."""
    return _read(entry)["stopped"]


def _read(entry: Entry) -> dict[str, Any]:
    return json.loads((entry.path / "looks.json").read_text(encoding="utf-8"))


def images(entry: Entry) -> Tensor:
    """The first images of every look, from the same noise, uint8 [looks, 10, C, H, W]."""
    with np.load(entry.path / "images.npz") as stored:
        return torch.from_numpy(stored["images"])


def window(seen: list[dict[str, Any]]) -> list[int]:
    """The updates at which the class was forgotten and the rest kept.

    Forgotten: UR at most a third of what it was before. Kept: the distance at most 1.5 times what it was.
    """
    first = seen[0]
    return [
        one["update"]
        for one in seen[1:]
        if one["ur"] <= first["ur"] / 3 and one["distance"] is not None and one["distance"] <= 1.5 * first["distance"]
    ]


def _run(folder: Path, wanted: Course) -> None:
    kind = bases.BASES[wanted.base]
    if kind.labels:
        raise ValueError(f"base={wanted.base!r} is conditional; a course is of an unconditional model")
    model = bases.load(wanted.base)
    retain, forget = split(sets.load(kind.dataset, "train"), wanted.forget)
    eye = Eye(model, kind, wanted.forget, n=wanted.n, evaluations=wanted.evaluations, seed=wanted.seed, stream="course")
    seen, pictures, stopped = [], [], ""

    def look(model: Denoiser, **facts) -> None:
        found, drawn = _look(eye, model.eval(), wanted.seed)
        seen.append(facts | found)
        pictures.append(drawn[:KEPT])

    look(model, update=0, gradient_evaluations=0, seconds=0.0)
    run = METHODS[wanted.method].call(
        model,
        bases.examples(kind, forget),
        bases.examples(kind, retain),
        generator=generator(wanted.seed, f"course/{wanted.base}/{wanted.method}", "data"),
        steps=wanted.looks[-1],
        batch_size=wanted.batch_size,
        lr=wanted.lr,
        ema=0.0,
        **wanted.settings,
    )
    try:
        for step in run:
            if step.index in wanted.looks:
                cost = {"gradient_evaluations": step.gradient_evaluations, "seconds": step.seconds}
                look(run.model, update=step.index, **cost)
    except FloatingPointError as error:
        stopped = str(error)
    (folder / "looks.json").write_text(json.dumps({"looks": seen, "stopped": stopped}), encoding="utf-8")
    np.savez(folder / "images.npz", images=torch.stack(pictures).numpy())


def _look(eye: Eye, model: Denoiser, seed: int) -> tuple[dict[str, Any], Tensor]:
    """What is seen of the model, and the images that it drew."""
    images = eye.draw(model)
    shown = eye.shown(images)
    ur = eye.ratio(shown)
    found = {"ur": ur.value, "ur_interval": list(ur.interval), "floor": ur.floor.value}
    distance = eye.distance(images[~shown]) if int((~shown).sum()) > 3 else None
    found |= {"distance": distance and distance.value, "distance_interval": distance and list(distance.interval)}
    for name, side in {"L_g": eye.retained, "L_f": eye.forgotten}.items():
        found[name] = _loss(model, bases.examples(eye.kind, side), generator(seed, "course/loss", "evaluation"))
    return found, images


@torch.no_grad()
def _loss(model: Denoiser, data: Examples, draws: torch.Generator) -> float | None:
    loss = batch_loss(model, data, LOSS_ROWS, draws).mean().item()
    return loss / math.prod(model.net.shape) if math.isfinite(loss) else None
