"""EraseDiff's Figure 2: how every update lies to the gradients of the run's own two terms. A stored step for each run.

Adam's move is not the vector delta that it is handed, so that both are kept. For the question of what the inner loop
does, a run can also follow plain gradient descent, and ends with its weights.
"""

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field

from companion import bases, checkpoints
from companion.evaluation.eye import Eye
from companion.seeds import generator
from companion.settings import Settings
from companion.store import Entry, Store
from paperlib.data.splits import split
from paperlib.unlearning.methods import METHODS

__all__ = ["Directions", "apart", "direct", "seen", "shares", "updates"]


class Directions(Settings):
    """A run of EraseDiff or of the plain sum on a conditional base model."""

    base: str
    method: Literal["erasediff", "multi_objective"]
    settings: dict[str, int | float | str] = {}
    forget: str
    steps: int = Field(gt=0)
    batch_size: int = Field(gt=0)
    lr: float = Field(gt=0)
    optimizer: Literal["adam", "sgd"] = "adam"
    n: int = Field(gt=19)  # images that are asked to show the forgotten class, and as many of all classes
    sampler: int = Field(gt=0)  # evaluations of iPNDM for each
    seed: int = Field(0, ge=0)


def direct(store: Store, wanted: Directions) -> Entry:
    """Run it, or find it in the store."""
    card = checkpoints.card(wanted.base)
    return store.step("directions", wanted, _run, inputs=[card["sha256"]] if card else [])


def updates(entry: Entry) -> list[dict[str, float]]:
    """Of every update: ``delta_r`` and ``delta_f``, the cosines of delta with grad L_r and grad L_f, ``move_r`` and
    ``move_f``, those of the optimiser's move; the losses ``L_r`` and ``L_f``, and ``by``, the multiplier of grad
    L_f."""
    return json.loads((entry.path / "updates.json").read_text(encoding="utf-8"))["updates"]


def seen(entry: Entry) -> dict[str, Any]:
    """``asked``, the share in percent of the images asked to show the class that do, and its interval; ``distance`` of
    images of the other classes from real ones; ``seconds`` of the run; each also ``before``."""
    return json.loads((entry.path / "updates.json").read_text(encoding="utf-8"))["seen"]


def shares(found: list[dict[str, float]], which: str = "delta") -> dict[str, float]:
    """In percent of all updates: those against grad L_r, those against grad L_f, and those against either."""
    r, f = ([one[f"{which}_{side}"] < 0 for one in found] for side in "rf")
    either = [a or b for a, b in zip(r, f)]
    return {name: 100 * sum(hits) / len(found) for name, hits in (("r", r), ("f", f), ("either", either))}


def apart(entry: Entry, other: Entry) -> float:
    """How far the weights of two runs from one base model ended from each other, in the first one's way from it."""
    (start, end), (_, other_end) = (_weights(one) for one in (entry, other))
    return float(np.linalg.norm(end - other_end) / np.linalg.norm(end - start))


def _weights(entry: Entry) -> tuple[np.ndarray, np.ndarray]:
    with np.load(entry.path / "weights.npz") as stored:
        return stored["start"].astype(np.float64), stored["end"].astype(np.float64)


def _run(folder: Path, wanted: Directions) -> None:
    kind = bases.BASES[wanted.base]
    if not kind.labels:
        raise ValueError(f"base={wanted.base!r} is unconditional; EraseDiff's figure is of a conditional model")
    model = bases.load(wanted.base)
    retain, forget = (bases.examples(kind, side) for side in split(bases.images(kind.dataset, "train"), wanted.forget))
    run = METHODS[wanted.method].call(
        model,
        forget,
        retain,
        generator=generator(wanted.seed, f"directions/{wanted.base}", "data"),  # the same batches for every variant
        steps=wanted.steps,
        batch_size=wanted.batch_size,
        lr=wanted.lr,
        ema=0.0,
        cosines=True,
        **wanted.settings,
    )
    if wanted.optimizer == "sgd":
        run.optimizer = torch.optim.SGD(run.network.parameters(), lr=wanted.lr)
    start, found = _flat(run.network), []
    for step in run:
        cosines = {"delta": step.cosines, "move": step.move_cosines}
        one = {f"{name}_{term[-1]}": of[term] for name, of in cosines.items() for term in ("L_r", "L_f")}
        by = step.multipliers.get("L_f", wanted.settings.get("lam", 0.1))
        found.append(one | {term: step.losses[term] for term in ("L_r", "L_f")} | {"by": by})
    before, after = (_look(wanted, kind, one) for one in (model, run.model))
    facts = after | {"seconds": run.seconds, "before": before}
    (folder / "updates.json").write_text(json.dumps({"updates": found, "seen": facts}), encoding="utf-8")
    np.savez(folder / "weights.npz", start=start, end=_flat(run.network))


def _look(wanted: Directions, kind: bases.Base, model: torch.nn.Module) -> dict[str, Any]:
    settings = {"n": wanted.n, "evaluations": wanted.sampler, "seed": wanted.seed, "stream": "directions"}
    eye = Eye(model, kind, wanted.forget, **settings)
    classes = torch.tensor(eye.classes)
    asked = eye.ratio(eye.shown(eye.draw(model.eval(), classes[torch.arange(wanted.n) % len(classes)])))
    others = torch.tensor([k for k in range(len(eye.test.classes)) if k not in eye.classes])
    distance = eye.distance(eye.draw(model, others[torch.arange(wanted.n) % len(others)]))
    found = {"asked": asked.value, "asked_interval": list(asked.interval), "floor": asked.floor.value}
    return found | {"distance": distance.value, "distance_interval": list(distance.interval)}


def _flat(network: torch.nn.Module) -> np.ndarray:
    return torch.cat([p.detach().flatten() for p in network.parameters()]).numpy().copy()
