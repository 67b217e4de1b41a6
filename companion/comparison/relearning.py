"""Does it stay forgotten? Fine-tune an unlearned model on a few forgotten images, or on retained ones alone, and look
when the class is back. A stored step for each model and number of images.

What the model before unlearning knew can be hidden or gone. A retrained model has never known it, so the updates that
*it* takes to learn the class are the yardstick: a model that is faster had kept something.
"""

import json
from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from companion import bases, checkpoints
from companion.bases import Base
from companion.comparison.schedule import Looks
from companion.evaluation.observer import SameNoise
from companion.evaluation.samples import find
from companion.machine import pick_device
from companion.seeds import generator
from companion.store import Store
from paperlib.data.splits import split
from paperlib.unlearning.finetune import finetune

__all__ = ["AT_THE_END", "BACK", "COMPLETED", "Relearning", "back", "relearn"]

#: What a record calls the two numbers of a model and a number of images, and how often half an image is a prompt.
BACK = "updates until half of the UR before; twice the last look: not by it"
AT_THE_END = "UR at the last look, which the return of the class ends"
COMPLETED = "share of inpainted images that show the class"


class Relearning(Looks):
    """How a model is taught again: until the last look, or the first that sees the class back."""

    images: int = Field(ge=0)  # forgotten ones that it sees, nothing else; 0: retained ones, all of them
    enough: float = Field(gt=0, le=100)  # the UR in percent at which the class is back


class _Relearning(Relearning):
    base: Base
    name: str = Field(exclude=True)  # of the weights, which are an input of the step
    folder: Path = Field(exclude=True)


def relearn(store: Store, checkpoint: str, wanted: Relearning) -> list[dict[str, Any]]:
    """What each look saw, the first one before any update: ``update``, ``ur`` and ``ur_interval`` in percent,
    ``distance`` of the other images from real retained ones (None where there are too few)."""
    found = find(checkpoint)
    setting = _Relearning(**wanted.model_dump(), base=found.base, name=found.name, folder=found.folder)
    entry = store.step("relearning", setting, _run, inputs=[found.sha256])
    return json.loads((entry.path / "looks.json").read_text(encoding="utf-8"))


def back(seen: list[dict[str, Any]], enough: float) -> int | None:
    """The first update at which the class is back, 0 where it had not left; None where it is not by the last look."""
    return next((one["update"] for one in seen if one["ur"] >= enough), None)


def _run(folder: Path, wanted: _Relearning) -> None:
    device = pick_device()
    model = checkpoints.load(bases.architecture(wanted.base), wanted.name, wanted.folder).to(device)
    settings = {"n": wanted.n, "evaluations": wanted.evaluations, "seed": wanted.seed, "stream": "relearning"}
    observer = SameNoise(model, wanted.base, wanted.forget, **settings)
    retain, forget = split(bases.images(wanted.base.dataset, "train").to(device), wanted.forget)
    if wanted.images > len(forget):
        raise ValueError(f"images={wanted.images}: there are {len(forget)} images to forget")
    order = torch.randperm(len(forget), generator=generator(wanted.seed, "relearning/images", "data"))
    data = bases.examples(wanted.base, forget.only(order[: wanted.images]) if wanted.images else retain)
    seen = [_look(observer, model, 0)]
    if back(seen, wanted.enough) is None:
        draws = generator(wanted.seed, "relearning", "data", device)
        common = {"steps": wanted.looks[-1], "batch_size": wanted.batch_size, "lr": wanted.lr, "ema": 0.0}
        run = finetune(model, None, data, generator=draws, **common)
        for step in run:
            if step.index in wanted.looks:
                seen.append(_look(observer, run.model, step.index))
                if back(seen, wanted.enough) is not None:
                    break
    (folder / "looks.json").write_text(json.dumps(seen), encoding="utf-8")


def _look(observer: SameNoise, model: torch.nn.Module, update: int) -> dict[str, Any]:
    images = observer.draw(model.eval())
    shown = observer.shown(images)
    ur = observer.ratio(shown)
    distance = observer.distance(images[~shown]).value if int((~shown).sum()) > 3 else None
    return {"update": update, "ur": ur.value, "ur_interval": list(ur.interval), "distance": distance}
