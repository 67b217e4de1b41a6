"""The cost of SA, SalUn and EraseDiff: until each has forgotten as much, and by their published counts."""

import json
import time
from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from companion import bases
from companion.classifiers import pinned
from companion.comparison.courses import Course, begin
from companion.evaluation.observer import SameNoise
from companion.machine import pick_device
from companion.settings import Settings
from companion.store import Store
from paperlib.data.splits import split
from paperlib.guidance import Guided
from paperlib.metrics.rule import FEWER

__all__ = ["COUNTS", "Until", "passes", "until"]

#: Images that pass through the network on CIFAR-10, by stage, with and without a gradient.
COUNTS: dict[str, dict[str, tuple[int, int]]] = {
    "selective_amnesia": {  # Heng and Soh's code
        "Fisher information": (5000 * 1000, 0),  # a gradient of each of 1,000 steps of 5,000 samples
        "replay": (0, 5000 * 1000 * 2),  # 5,000 samples of 1,000 steps with guidance
        "updates": (20_000 * 2 * 128, 0),
    },
    "salun": {  # Fan et al.'s code
        "mask": (5000, 5000),  # one pass over D_f, of the guided output
        "updates": (1000 * 2 * 128, 1000 * 128),
    },
    "erasediff": {  # its code: 4 x 2 x 36 updates, and 640 inner steps
        "inner loop": (640 * 128, 640 * 128),
        "updates": (288 * 2 * 128, 288 * 128),
    },
}


def passes(stage: tuple[int, int]) -> float:
    """Return a stage's cost in images passed forward and back; a pass without a gradient counts as a third."""
    return stage[0] + stage[1] / 3


class Until(Settings):
    """A run on a conditional model that ends when the images showing the requested class are down to a third."""

    run: Course  # its last look is the limit
    each: int = Field(gt=0)  # updates between looks
    n: int = Field(gt=19)  # images per look, conditioned on the forgotten class
    steps: int = Field(gt=0)  # of iPNDM
    guidance: float = Field(0.0, ge=0)  # of these images


def until(store: Store, wanted: Until) -> dict[str, Any]:
    """Return whether the end was ``reached``; ``updates``, gradient ``evaluations`` and ``seconds`` until then, not
    counting the looks; ``preparation`` and ``inner``, the evaluations before the first update and in the inner loop;
    and ``left``, the percentage of images that still show the requested class."""
    base = wanted.run.base
    inputs = [bases.card(base)["sha256"], pinned(bases.BASES[base].dataset), pick_device().type]
    entry = store.step("until", wanted, _run, inputs=inputs)
    return json.loads((entry.path / "until.json").read_text(encoding="utf-8"))


def _run(folder: Path, wanted: Until) -> None:
    asked, device = wanted.run, pick_device()
    kind, model = bases.BASES[asked.base], bases.load(asked.base).to(device)
    train = bases.images(kind.dataset, "train").to(device)
    retain, forget = (bases.examples(kind, side) for side in split(train, asked.forget))
    settings = {"n": wanted.n, "evaluations": wanted.steps, "seed": asked.seed, "stream": "until"}
    observer = SameNoise(model, kind, asked.forget, **settings)
    labels = torch.tensor(observer.classes)[torch.arange(wanted.n) % len(observer.classes)]

    def share(model: Any) -> float:
        guided = Guided(model.eval(), wanted.guidance) if wanted.guidance else model.eval()
        return observer.ratio(observer.shown(observer.draw(guided, labels))).value

    clock = time.process_time if device.type == "cpu" else time.perf_counter
    before, mark = share(model), clock()
    run, spent, _ = begin(asked, model, forget, retain, bases.examples(kind, train))
    seconds, found = 0.0, {}
    for step in run:
        seconds += clock() - mark
        evaluations = spent + step.gradient_evaluations
        if step.index % wanted.each == 0 or step.index == asked.looks[-1]:
            found = {"updates": step.index, "evaluations": evaluations, "seconds": seconds, "left": share(run.model)}
            found["reached"] = FEWER * found["left"] <= before
        if found.get("reached") or step.index == asked.looks[-1]:
            break
        run.model.train()
        mark = clock()
    K = int(asked.settings.get("K", 2)) if asked.method == "erasediff" else 0
    found |= {"inner": run.index * K, "preparation": found["evaluations"] - run.index * (2 + K)}  # one batch per side
    (folder / "until.json").write_text(json.dumps(found | {"before": before}), encoding="utf-8")
