"""EraseDiff's Figure 2: the direction of every update relative to the gradients of the run's own two terms.

Each run is a stored step. Adam's move differs from the vector delta that it is given, so both are kept. To show what
the inner loop does, a run can also use plain gradient descent, and its final weights are stored.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator

from companion import bases
from companion.classifiers import pinned
from companion.evaluation.observer import SameNoise
from companion.machine import pick_device
from companion.seeds import generator
from companion.settings import Settings
from companion.store import Entry, Store
from paperlib.data.splits import split
from paperlib.denoiser import Denoiser
from paperlib.guidance import Guided
from paperlib.unlearning.methods import METHODS

__all__ = ["Run", "apart", "conflict", "follow", "look", "updates"]

# The settings that each method reads.
READS = {"unscrubbed": (), "multi_objective": ("lam",)}
READS |= {"paper": ("variant", "K", "eta"), "code": ("variant", "K", "lam"), "corrected": ("variant", "K", "eta")}


class Run(Settings):
    """A run of EraseDiff or of the plain sum of losses on a conditional base model, or that model itself,
    "unscrubbed"."""

    base: str
    method: Literal["erasediff", "multi_objective", "unscrubbed"]
    forget: str
    steps: int = Field(gt=0)
    batch_size: int = Field(gt=0)
    lr: float = Field(gt=0)
    n: int = Field(gt=19)  # images conditioned on the forgotten class, and as many on the other classes
    evaluations: int = Field(gt=0)  # steps of iPNDM for each of them
    guidance: float = Field(0.0, ge=0)  # of these images; doubles a step's network evaluations
    variant: Literal["paper", "code", "corrected"] = "paper"
    K: int = Field(2, ge=0)  # inner steps
    lam: float = Field(0.1, ge=0)  # of the plain sum and of "code"
    eta: float = Field(0.1, gt=0)  # of "paper" and "corrected"
    optimizer: Literal["adam", "sgd"] = "adam"
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.base not in bases.BASES:
            raise ValueError(f"there is no base model {self.base!r}; there are: {', '.join(bases.BASES)}")
        if not self.kind.labels:
            raise ValueError(f"base={self.base!r} is unconditional; EraseDiff's Figure 2 needs a conditional model")
        if bases.card(self.base) is None:
            name = self.kind.network.name
            raise ValueError(f"{name} has not been trained: python -m companion campaign --only {name}")
        if self.method == "erasediff" and self.K < (self.variant == "corrected"):
            raise ValueError(f"K={self.K} inner steps are too few for variant={self.variant!r}")
        return self

    @property
    def kind(self) -> bases.Base:
        """The description of the base model."""
        return bases.BASES[self.base]

    def at(self, seed: int) -> "Run":
        """Return the same run with another seed."""
        return self.model_copy(update={"seed": seed})

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that its method reads."""
        return {
            name: getattr(self, name) for name in READS[self.variant if self.method == "erasediff" else self.method]
        }

    @property
    def facts(self) -> dict[str, Any]:
        """The run's facts for a record, without the seed."""
        found = {"dataset": self.kind.dataset, "process": self.kind.process, "base": self.base, "forget": self.forget}
        found |= {"method": self.method} | self.settings
        if self.method == "unscrubbed":
            return found
        return found | {
            "optimizer": self.optimizer,
            "updates": self.steps,
            "batch_size": self.batch_size,
            "lr": self.lr,
        }


def follow(store: Store, run: Run) -> Entry:
    """Return the run's entry, from the store or computed now."""
    return store.step("directions", run, _follow, inputs=[bases.card(run.base)["sha256"], pinned(run.kind.dataset)])


def updates(entry: Entry) -> list[dict[str, float]]:
    """Return for every update: ``delta_r`` and ``delta_f``, the cosines of delta with grad L_r and grad L_f; ``move_r``
    and ``move_f``, those of the optimiser's move; the losses ``L_r`` and ``L_f``; and ``by``, the multiplier of grad
    L_f."""
    return json.loads((entry.path / "updates.json").read_text(encoding="utf-8"))["updates"]


def conflict(found: list[dict[str, float]], vector: str, gradient: str) -> float:
    """Return the percentage of updates whose ``vector``, "delta" or "move", is at an obtuse angle to a ``gradient``,
    "L_r", "L_f" or "either"."""
    sides = {"L_r": "r", "L_f": "f", "either": "rf"}[gradient]
    return 100 * sum(any(one[f"{vector}_{side}"] < 0 for side in sides) for one in found) / len(found)


def apart(entry: Entry, other: Entry) -> float:
    """Return the distance between the final weights of two runs from one base model, relative to the first run's
    distance from that model."""
    (start, end), (_, other_end) = (_weights(one) for one in (entry, other))
    return float(np.linalg.norm(end - other_end) / np.linalg.norm(end - start))


def look(entry: Entry) -> dict[str, Any]:
    """Return a run's outcome: ``asked``, the percentage of images conditioned on the class that show it, the
    ``distance`` of images of the other classes from real ones, ``asked_interval`` and ``distance_interval``."""
    return json.loads((entry.path / "updates.json").read_text(encoding="utf-8"))["seen"]


def _weights(entry: Entry) -> tuple[np.ndarray, np.ndarray]:
    with np.load(entry.path / "weights.npz") as stored:
        return stored["start"].astype(np.float64), stored["end"].astype(np.float64)


def _follow(folder: Path, run: Run) -> None:
    model, found = bases.load(run.base), []
    start, end = _flat(model), model
    if run.method != "unscrubbed":
        training = _training(run, model.to(pick_device()))
        for step in training:
            cosines = {"delta": step.cosines, "move": step.move_cosines}
            one = {f"{name}_{term[-1]}": of[term] for name, of in cosines.items() for term in ("L_r", "L_f")}
            one |= {term: step.losses[term] for term in ("L_r", "L_f")}
            found.append(one | {"by": step.multipliers.get("L_f", run.lam)})
        end = training.model
    text = json.dumps({"updates": found, "seen": _look(run, end.to(pick_device()))})
    (folder / "updates.json").write_text(text, encoding="utf-8")
    np.savez(folder / "weights.npz", start=start, end=_flat(end))


def _training(run: Run, model: Denoiser) -> Any:
    device = next(model.parameters()).device
    sides = split(bases.images(run.kind.dataset, "train").to(device), run.forget)
    retain, forget = (bases.examples(run.kind, side) for side in sides)
    training = METHODS[run.method].call(
        model,
        forget,
        retain,
        generator=generator(run.seed, f"directions/{run.base}", "data", device),  # the same batches for every variant
        steps=run.steps,
        batch_size=run.batch_size,
        lr=run.lr,
        ema=0.0,
        cosines=True,
        **run.settings,
    )
    if run.optimizer == "sgd":
        training.optimizer = torch.optim.SGD(training.network.parameters(), lr=run.lr)
    return training


@lru_cache(maxsize=2)
def _observer(name: str, forget: str, **settings: Any) -> SameNoise:
    return SameNoise(bases.load(name), bases.BASES[name], forget, stream="directions", **settings)


def _look(run: Run, model: Denoiser) -> dict[str, Any]:
    observer = _observer(run.base, run.forget, n=run.n, evaluations=run.evaluations, seed=run.seed)
    guided = Guided(model.eval(), run.guidance) if run.guidance else model.eval()
    classes = torch.tensor(observer.classes)
    asked = observer.ratio(observer.shown(observer.draw(guided, classes[torch.arange(run.n) % len(classes)])))
    others = torch.tensor([k for k in range(len(observer.real.classes)) if k not in observer.classes])
    distance = observer.distance(observer.draw(guided, others[torch.arange(run.n) % len(others)]))
    found = {"asked": asked.value, "asked_interval": list(asked.interval)}
    return found | {"distance": distance.value, "distance_interval": list(distance.interval)}


def _flat(network: torch.nn.Module) -> np.ndarray:
    return torch.cat([p.detach().flatten() for p in network.parameters()]).cpu().numpy().copy()
