"""Relearning: fine-tune an unlearned model on a few forgotten images, or on retained ones alone, until the class is
back. Each model and number of images is a stored step.

The knowledge of the model before unlearning can be hidden or gone. A retrained model never had it, so the number of
updates that *it* needs to learn the class is the reference: a model that is faster had kept something.
"""

import json
from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from companion import bases, checkpoints
from companion.bases import Base
from companion.classifiers import pinned
from companion.comparison.schedule import Looks
from companion.evaluation.observer import SameNoise
from companion.evaluation.samples import find
from companion.machine import pick_device
from companion.seeds import generator
from companion.store import Store
from paperlib.data.splits import split
from paperlib.unlearning.finetune import finetune

__all__ = ["AT_THE_END", "BACK", "COMPLETED", "Relearning", "back", "relearn"]

#: A record's names for the two numbers of a model and number of images, and for the inpainting test.
BACK = "updates until half of the UR before; twice the last look: not by it"
AT_THE_END = "UR at the last look, which the return of the class ends"
COMPLETED = "share of inpainted images that show the class"


class Relearning(Looks):
    """How a model relearns: until the last look, or the first one at which the class is back."""

    images: int = Field(ge=0)  # the number of forgotten images, the only ones it sees; 0: all retained ones instead
    enough: float = Field(gt=0, le=100)  # the UR in percent at which the class is back


class _Relearning(Relearning):
    base: Base
    name: str = Field(exclude=True)  # not part of the key: the weights are an input of the step
    folder: Path = Field(exclude=True)


def relearn(store: Store, checkpoint: str, wanted: Relearning) -> list[dict[str, Any]]:
    """Return the results of all looks, the first before any update: ``update``, ``ur`` and ``ur_interval`` in percent,
    ``distance`` of the other images from real retained ones (None if there are too few)."""
    found = find(checkpoint)
    setting = _Relearning(**wanted.model_dump(), base=found.base, name=found.name, folder=found.folder)
    entry = store.step("relearning", setting, _run, inputs=[found.sha256, pinned(found.base.dataset)])
    return json.loads((entry.path / "looks.json").read_text(encoding="utf-8"))


def back(seen: list[dict[str, Any]], enough: float) -> int | None:
    """Return the first update at which the class is back: 0 if it was never gone, None if it does not come back."""
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
