"""Half an image as a prompt: the class that a model completes it to, a stored step for each model and side."""

import json
import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from companion import bases, checkpoints
from companion.bases import Base
from companion.classifiers import classifier, pinned, predict
from companion.evaluation.judge import right
from companion.evaluation.samples import find
from companion.machine import pick_device
from companion.seeds import generator
from companion.settings import Settings
from companion.store import Entry, Store
from paperlib.data.images import Images, model_input, to_uint8
from paperlib.data.splits import evenly, split
from paperlib.denoiser import Denoiser
from paperlib.editing import half, repaint, replacement
from paperlib.metrics.intervals import share
from paperlib.sampling.walk import State

__all__ = ["Inpainting", "inpaint", "originals", "restored", "results"]

BATCH = 250  # images per batch


class Inpainting(Settings):
    """What is hidden in which test images, and how it is inpainted."""

    forget: str
    side: Literal["retain", "forget"]
    n: int = Field(gt=1)  # test images, from all classes of the side in turn
    known: Literal["upper", "lower", "left", "right"] = "lower"  # SGU hides the upper half
    way: Literal["replacement", "repaint"] = "replacement"
    steps: int = Field(50, gt=0)
    corrections: int = Field(1, ge=0)  # for replacement: Langevin steps at each stop
    predictor: Literal["reverse diffusion", "ancestral sampling"] = "reverse diffusion"  # for replacement
    resamples: int = Field(5, gt=0)  # for repaint: how often each stretch of ten steps is run
    seed: int = Field(0, ge=0)

    @property
    def facts(self) -> dict[str, Any]:
        """The facts for a record, without the seed and the side."""
        own = {"corrections": self.corrections, "predictor": self.predictor}
        own = own if self.way == "replacement" else {"resamples": self.resamples}
        return {"split": "test", "known": self.known, "way": self.way, "inpainting_steps": self.steps} | own


class _Inpainting(Inpainting):
    base: Base
    name: str = Field(exclude=True)  # not part of the key: the weights are an input of the step
    folder: Path = Field(exclude=True)


def originals(dataset: str, wanted: Inpainting) -> Any:
    """Return the test images whose half is hidden."""
    return evenly(getattr(split(bases.images(dataset, "test"), wanted.forget), wanted.side), wanted.n)


def inpaint(store: Store, checkpoint: str, wanted: Inpainting) -> Entry:
    """Inpaint the hidden halves, or find them in the store."""
    found = find(checkpoint)
    setting = _Inpainting(**wanted.model_dump(), base=found.base, name=found.name, folder=found.folder)
    return store.step("inpainting", setting, _run, inputs=[found.sha256, pinned(found.base.dataset)])


def restored(entry: Entry) -> Tensor:
    """Return the completed images, uint8 [n, C, H, W]."""
    with np.load(entry.path / "images.npz") as stored:
        return torch.from_numpy(stored["images"])


def results(entry: Entry) -> dict[str, Any]:
    """Return ``accuracy``, the percentage of images that the classifier takes for the original's class, and its
    ``interval``; ``clean``, the same for the originals; ``n``; ``evaluations`` per image, and ``seconds``."""
    return json.loads((entry.path / "results.json").read_text(encoding="utf-8"))


def _run(folder: Path, wanted: _Inpainting) -> None:
    device = pick_device()
    model = checkpoints.load(bases.architecture(wanted.base), wanted.name, wanted.folder).to(device)
    data, begun = originals(wanted.base.dataset, wanted), time.perf_counter()
    draws, parts = generator(wanted.seed, f"inpainting/{wanted.side}", "noise"), []
    mask = half(data.shape, wanted.known)
    for rows in torch.arange(len(data)).split(BATCH):
        state = _chain(model, data.only(rows).to(device), mask.to(device), draws, wanted)
        parts.append(to_uint8(torch.nan_to_num(state.x), dequantised=wanted.base.dequantised).cpu())
    images = torch.where(mask, data.images, torch.cat(parts))
    judge = classifier(wanted.base.dataset).to(device)
    restored, clean = (share(right(predict(judge, x), data, wanted.forget)) for x in (images, data.images))
    facts = {
        "accuracy": 100 * restored.value,
        "interval": [100 * end for end in restored.interval],
        "clean": 100 * clean.value,
        "n": len(data),
        "evaluations": state.evaluations,
        "seconds": time.perf_counter() - begun,
    }
    np.savez(folder / "images.npz", images=images.numpy())
    (folder / "results.json").write_text(json.dumps(facts), encoding="utf-8")


def _chain(model: Denoiser, data: Images, mask: Tensor, draws: torch.Generator, wanted: _Inpainting) -> State:
    """Run the chain of a batch and return its last state."""
    known = model_input(data.images, draws, dequantise=wanted.base.dequantised)
    settings = {"generator": draws, "steps": wanted.steps, "cond": data.labels if wanted.base.labels else None}
    if wanted.way == "replacement":
        own = {"corrections": wanted.corrections, "predictor": wanted.predictor}
        chain = replacement(model, known, mask, **own, **settings)
    else:
        chain = repaint(model, known, mask, resamples=wanted.resamples, **settings)
    for state in chain:
        pass
    return state
