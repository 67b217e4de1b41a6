"""The course of an unlearning run: the samples and losses of its model along the way, and the final model.

Each run is a stored step, so that all pages share it; :mod:`companion.comparison.course_results` reads it. The entry
contains the weights as a checkpoint with a card, which ``python -m companion.evaluate`` measures.
"""

import json
import math
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field, field_validator
from torch import Tensor

from companion import bases, checkpoints
from companion.classifiers import pinned
from companion.comparison import held_out
from companion.comparison.probes import Probe
from companion.comparison.schedule import Looks
from companion.evaluation.observer import SameNoise
from companion.machine import pick_device
from companion.noisy_classifiers import noisy_classifier
from companion.seeds import generator
from companion.store import Entry, Store
from paperlib.data.images import Examples
from paperlib.data.splits import forgotten_parts, split
from paperlib.denoiser import Denoiser
from paperlib.losses import batch_loss
from paperlib.training import Training
from paperlib.unlearning.finetune import finetune
from paperlib.unlearning.methods import METHODS
from paperlib.unlearning.posterior import Posterior, posterior, snapshots

__all__ = ["Course", "begin", "course", "done", "fitted"]

KEPT = 10  # images stored per look, from the same noise
LOSS_ROWS = 500  # largest number of test images per side for a loss, with the same noise and times at every look
PROBE_ROWS = 4  # batches for each gradient of a probe
SNAPSHOTS, SNAPSHOT_RATE = 5, 2e-4  # VDU's posterior: number of models (the paper's), and Adam's rate in between


class Course(Looks):
    """An unlearning run of an unconditional base model, and when to look at it.

    All methods use the same optimiser: Adam without weight averaging.
    """

    base: str
    method: str
    settings: dict[str, int | float | str] = {}  # the method's own; VDU's posterior is fitted to snapshots by default
    unit: Literal["updates", "evaluations"] = "updates"  # of looks; evaluations include those before the first update
    probes: int = Field(0, ge=0)  # largest number of updates, evenly spread, compared with both gradients
    apart: int = Field(0, ge=0)  # updates between the snapshots for VDU's posterior; 0: a sixtieth of the run
    held_out: bool = False  # look as a search for settings does (:mod:`companion.comparison.held_out`)

    @field_validator("method")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in METHODS:
            raise ValueError(f"method={name!r} is not one of {', '.join(METHODS)}")
        return name


def course(store: Store, wanted: Course) -> Entry:
    """Return the run's entry, from the store or computed now."""
    return store.step("course", wanted, _run, inputs=_inputs(wanted))


def done(store: Store, wanted: Course) -> bool:
    """Return whether the run is in the store."""
    return store.has("course", wanted, _run, inputs=_inputs(wanted))


def _inputs(wanted: Course) -> list[str]:
    """Return the step's inputs: the initial weights, those of the classifier that judges and of the one that negation
    uses, and the device if it is a GPU, which rounds differently from a CPU."""
    used = [bases.card(wanted.base)]
    if wanted.method == "negate":
        used.append(checkpoints.card(f"noisy-classifier-{bases.BASES[wanted.base].dataset}"))
    kind, judge = pick_device().type, pinned(bases.BASES[wanted.base].dataset)
    return [*(card["sha256"] for card in used if card), judge, *([] if kind == "cpu" else [kind])]


def _run(folder: Path, wanted: Course) -> None:
    kind = bases.BASES[wanted.base]
    if kind.labels:
        raise ValueError(f"base={wanted.base!r} is conditional; a course is of an unconditional model")
    device = pick_device()
    images = held_out.parts(wanted.base)[0] if wanted.held_out else bases.images(kind.dataset, "train")
    model, train = bases.load(wanted.base).to(device), images.to(device)
    retain, forget = (bases.examples(kind, side) for side in split(train, wanted.forget))
    observer, (first, drawn) = _before(
        wanted.base, wanted.forget, wanted.n, wanted.evaluations, wanted.seed, wanted.held_out
    )
    seen = [{"update": 0, "gradient_evaluations": 0, "seconds": 0.0} | first]
    pictures, stopped = [drawn[:KEPT]], ""
    run, spent, seconds = begin(wanted, model, forget, retain, bases.examples(kind, train))
    draws = generator(wanted.seed, "course/probe", "evaluation", device)
    probe = Probe(run, retain, forget, PROBE_ROWS * wanted.batch_size, draws, spent=spent)
    each, left, ended = METHODS[wanted.method].passes, list(wanted.looks), False
    marks = [wanted.looks[-1] * k / wanted.probes for k in range(wanted.probes)]
    steps, now = iter(run), spent if wanted.unit == "evaluations" else 0
    try:
        while left and not ended:
            with probe if marks and now >= marks[0] else probe.idle:
                step = next(steps)
            marks = [mark for mark in marks if mark > now]
            evaluations = spent + step.gradient_evaluations
            now = step.index if wanted.unit == "updates" else evaluations
            ended = now >= left[-1] or (wanted.unit == "evaluations" and now + each > left[-1])
            if now >= left[0] or ended:
                cost = {"gradient_evaluations": evaluations, "seconds": seconds + step.seconds}
                found, drawn = _look(observer, run.model.eval(), wanted.n, wanted.seed)
                seen.append({"update": step.index, **cost, **found})
                pictures.append(drawn[:KEPT])
                left = [mark for mark in left if mark > now]
    except FloatingPointError as error:
        stopped = str(error)
    found = {"looks": seen, "probes": probe.found, "stopped": stopped}
    (folder / "looks.json").write_text(json.dumps(found), encoding="utf-8")
    np.savez(folder / "images.npz", images=torch.stack(pictures).numpy())
    facts = {"base": kind.model_dump(), "unlearning": wanted.model_dump(mode="json"), "updates": run.index}
    checkpoints.save(run.model, "model", facts, folder, precise=True)


@lru_cache(maxsize=2)
def _before(
    base: str, forget: str, n: int, evaluations: int, seed: int, aside: bool
) -> tuple[SameNoise, tuple[dict[str, Any], Tensor]]:
    """Return the observer that runs with the same looks share, and its look at the base model, taken only once;
    ``aside`` for the runs of a search."""
    model, settings = bases.load(base).to(pick_device()), {"n": n, "evaluations": evaluations, "seed": seed}
    if not aside:
        observer = SameNoise(model, bases.BASES[base], forget, stream="course", **settings)
        return observer, _look(observer, model, n, seed)
    observer = held_out.observer(model, base, forget, **settings)
    found, images = _look(observer, model, n, seed)
    if found["distance"] is not None:
        found["distance"], found["distance_interval"] = held_out.from_real(observer, images)
    return observer, (found, images)


def _preparation(wanted: Course) -> dict[str, int]:
    """Return what a method's preparation may cost if it counts in the budget: half of it for BlindSpot's teacher, a
    twelfth for the Fisher information or the mask."""
    if wanted.unit == "updates":
        return {}
    whole = wanted.looks[-1]
    part = max(1, whole // 12)
    shares = {
        "blindspot": {"teacher_steps": whole // 2},
        "selective_amnesia": {"fisher_samples": part, "fisher_times": max(2, wanted.batch_size)},
        "salun": {"mask_rows": part * wanted.batch_size},
    }
    return shares.get(wanted.method, {})


def begin(
    wanted: Course, model: Denoiser, forget: Examples, retain: Examples, everything: Examples
) -> tuple[Training, int, float]:
    """Return the run before its first update, and the cost of its external preparation in evaluations and seconds."""
    stream = f"course/{wanted.base}/{wanted.method}"
    common, device = {"batch_size": wanted.batch_size, "ema": 0.0}, next(model.parameters()).device
    settings, spent, seconds = _preparation(wanted) | wanted.settings, 0, 0.0
    if wanted.method == "vdu" and "posterior" not in settings:
        apart = wanted.apart or max(1, wanted.looks[-1] // 12 // SNAPSHOTS)
        asked = (wanted.base, wanted.held_out, wanted.seed, apart, wanted.batch_size)
        settings["posterior"], spent, seconds = fitted(*asked)
    if (
        wanted.method == "negate"
    ):  # the classifier is trained once for all models and choices, so it is not part of the run's cost
        settings["classifier"] = noisy_classifier(bases.BASES[wanted.base].dataset).to(device)
        settings["classes"] = forgotten_parts(everything.images, wanted.forget)
    draws, whole = generator(wanted.seed, stream, "data", device), wanted.looks[-1]
    settings = {"steps": whole, "lr": wanted.lr, **common} | settings
    run = METHODS[wanted.method].call(model, forget, retain, generator=draws, **settings)
    return run, spent, seconds


@lru_cache(maxsize=2)
def fitted(base: str, aside: bool, seed: int, apart: int, batch_size: int) -> tuple[Posterior, int, float]:
    """Return VDU's posterior, and its cost in evaluations and seconds. It does not depend on what is forgotten, nor on
    gamma and rate, so runs that differ in these share it; ``aside`` for the runs of a search."""
    kind, device = bases.BASES[base], pick_device()
    images = held_out.parts(base)[0] if aside else bases.images(kind.dataset, "train")
    draws = generator(seed, f"course/{base}/vdu/posterior", "data", device)
    settings = {"steps": SNAPSHOTS * apart, "lr": SNAPSHOT_RATE, "batch_size": batch_size, "ema": 0.0}
    model, data = bases.load(base).to(device), bases.examples(kind, images.to(device))
    way = finetune(model, None, data, generator=draws, **settings)
    return posterior(snapshots(way, every=apart)), way.gradient_evaluations, way.seconds


def _look(observer: SameNoise, model: Denoiser, n: int, seed: int) -> tuple[dict[str, Any], Tensor]:
    """Return the results of a look at the model, and its samples."""
    images = observer.draw(model)
    shown = observer.shown(images)
    ur = observer.ratio(shown)
    found = {"ur": ur.value, "ur_interval": list(ur.interval), "floor": ur.floor.value}
    distance = observer.distance(images[~shown]) if int((~shown).sum()) > 3 else None
    found |= {"distance": distance and distance.value, "distance_interval": distance and list(distance.interval)}
    for name, side in {"L_g": observer.retained, "L_f": observer.forgotten}.items():
        data = bases.examples(observer.kind, side.to(next(model.parameters()).device))
        draws = generator(seed, "course/loss", "evaluation")
        found[name] = _loss(model, data, min(n, LOSS_ROWS), draws)
    return found, images


@torch.no_grad()
def _loss(model: Denoiser, data: Examples, rows: int, draws: torch.Generator) -> float | None:
    loss = batch_loss(model, data, rows, draws).mean().item()
    return loss / math.prod(model.net.shape) if math.isfinite(loss) else None
