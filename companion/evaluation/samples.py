"""A checkpoint to be measured, and its samples, which are stored so that none is generated twice."""

import json
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from companion import bases, checkpoints
from companion.bases import BASES, Base
from companion.evaluation.samplers import SAMPLERS, steps
from companion.seeds import generator
from companion.settings import Settings
from companion.store import Entry, Store
from paperlib.data.images import to_uint8
from paperlib.denoiser import Denoiser
from paperlib.files import whole
from paperlib.guidance import Guided
from paperlib.sampling import prior, sample

__all__ = ["Checkpoint", "Drawing", "check_drawing", "draw", "drawn", "find", "timing"]

BATCH = 250  # batch size; each batch has its own random stream


@dataclass(frozen=True)
class Checkpoint:
    """A file of weights with a card beside it, which says what kind of base model it is."""

    name: str
    folder: Path
    base: Base
    card: dict[str, Any]

    @property
    def sha256(self) -> str:
        """The sha256 of the file."""
        return self.card["sha256"]

    def load(self, device: torch.device | str = "cpu") -> Denoiser:
        """Load the model, checked against its card."""
        return loaded(self.base, self.name, self.folder, self.sha256, str(device))


@lru_cache(maxsize=4)
def loaded(base: Base, name: str, folder: Path, sha256: str, device: str) -> Denoiser:
    """Return a checkpoint's model, cached for the next measure; copy it before training it."""
    return checkpoints.load(bases.architecture(base), name, folder).to(device)


def find(checkpoint: str, folder: Path | None = None) -> Checkpoint:
    """Find a base model by name, or a ``.safetensors`` file by path, with its card beside it."""
    if checkpoint in BASES:
        folder = folder or BASES[checkpoint].folder
        weights, card = BASES[checkpoint].network.name, bases.card(checkpoint, folder)
        if card is None:
            raise FileNotFoundError(
                f"{checkpoint} has no checkpoint in {folder}. To train it: "
                f"python -m companion campaign --only {weights}"
            )
        return Checkpoint(weights, folder, BASES[checkpoint], card)
    file = Path(checkpoint)
    if file.suffix != ".safetensors" or not file.is_file():
        raise ValueError(
            f"checkpoint={checkpoint!r} is neither a base model nor a .safetensors file that is there; "
            f"base models: {', '.join(BASES)}"
        )
    card = checkpoints.card(file.stem, file.parent)
    if card is None:
        raise FileNotFoundError(f"{file} has no card beside it: {file.stem}.json, as checkpoints.save writes it")
    if "base" not in card or "sha256" not in card:
        raise ValueError(f"{file.with_suffix('.json')} does not say both 'sha256' and 'base', the kind of model it is")
    return Checkpoint(file.stem, file.parent, Base.checked(**card["base"]), card)


class Drawing(Settings):
    """What to sample: ``n`` images, by a sampler with ``evaluations`` of the network per image, guidance included."""

    sampler: str
    evaluations: int = Field(gt=0)
    guidance: float
    n: int = Field(gt=0)
    classes: tuple[int, ...]  # image k is conditioned on classes[k modulo their number]; empty: unconditional
    seed: int = Field(ge=0)
    device: str  # the kind of device, because rounding differs between kinds
    base: Base
    # The weights are an input of the step, by their sha256; their path is not part of its key.
    name: str = Field(exclude=True)
    folder: Path = Field(exclude=True)
    sha256: str = Field(exclude=True)


def check_drawing(model: Denoiser, sampler: str, evaluations: int, guidance: float) -> None:
    """Refuse impossible settings: meaningless ones, and those that the sampler refuses at its first step, which is
    tried on one image."""
    labels = bool(model.net.classes)
    if sampler not in SAMPLERS:
        raise ValueError(f"sampler={sampler!r} is not one of {', '.join(SAMPLERS)}")
    if guidance and not labels:
        raise ValueError(f"guidance={guidance:g} needs a model with labels")
    if evaluations < (least := SAMPLERS[sampler][1](1) * (2 if guidance else 1)):
        raise ValueError(f"evaluations={evaluations} is below the {least} that one step of {sampler} costs")
    guided, cost = (Guided(model, guidance), 2) if guidance else (model, 1)
    draws, cond = generator(0, "evaluation/check", "noise"), torch.zeros(1, dtype=torch.long) if labels else None
    x, count = prior(model, (1, *model.net.shape), draws), steps(sampler, evaluations // cost)
    try:
        next(iter(SAMPLERS[sampler][0](guided, x, steps=count, generator=draws, cond=cond)))
    except ValueError as error:
        raise ValueError(f"sampler={sampler!r} with evaluations={evaluations}: {error}") from error


def draw(store: Store, checkpoint: Checkpoint, device: torch.device, **drawing: Any) -> Entry:
    """Return the samples of a :class:`Drawing`, from the store or generated now. An interrupted run resumes after its
    last complete batch."""
    facts = {"base": checkpoint.base, "name": checkpoint.name, "folder": checkpoint.folder, "device": device.type}
    facts["sha256"] = checkpoint.sha256
    return store.step("drawn", Drawing.checked(**drawing, **facts), _draw, inputs=[checkpoint.sha256])


def _draw(folder: Path, drawing: Drawing) -> None:
    model = loaded(drawing.base, drawing.name, drawing.folder, drawing.sha256, drawing.device)
    starts = range(0, drawing.n, BATCH)
    files = [folder / f"resume-{start}.npz" for start in starts]
    for start, file in zip(starts, files):
        if not file.is_file():
            _batch(model, drawing, start, file)
    parts = [dict(np.load(file)) for file in files]
    np.savez_compressed(folder / "images.npz", images=np.concatenate([part["images"] for part in parts]))
    facts = {"seconds": sum(float(p["seconds"]) for p in parts), "evaluations": int(parts[0]["evaluations"])}
    (folder / "facts.json").write_text(json.dumps(facts), encoding="utf-8")


def _batch(model: Denoiser, drawing: Drawing, start: int, file: Path) -> None:
    begun, rows = time.perf_counter(), torch.arange(start, min(start + BATCH, drawing.n))
    chosen = torch.tensor(drawing.classes)[rows % len(drawing.classes)].to(drawing.device) if drawing.classes else None
    guided = Guided(model, drawing.guidance) if drawing.guidance else model
    cost = 2 if drawing.guidance else 1
    stream = generator(drawing.seed, f"evaluation/{start}", "noise")  # the same noise for every model and sampler
    x = model.process.prior_std() * torch.randn(len(rows), *model.net.shape, generator=stream)
    settings = {
        "sampler": SAMPLERS[drawing.sampler][0],
        "steps": steps(drawing.sampler, drawing.evaluations // cost),
        "generator": generator(drawing.seed, f"evaluation/{drawing.sampler}/{start}", "noise"),
        "cond": chosen,
    }
    state = sample(guided, x.shape, noise=x, **settings)
    x = torch.nan_to_num(state.x)  # pixels that are not finite become grey
    images = to_uint8(x, dequantised=drawing.base.dequantised).cpu().numpy()
    facts = {"seconds": time.perf_counter() - begun, "evaluations": state.evaluations}
    with whole(file) as draft:
        np.savez(draft, images=images, **facts)


def drawn(entry: Entry) -> Tensor:
    """Return the stored samples, uint8 [n, C, H, W]."""
    with np.load(entry.path / "images.npz") as stored:
        return torch.from_numpy(stored["images"])


def timing(entry: Entry) -> dict[str, float]:
    """Return the ``seconds`` that all samples took, and the ``evaluations`` per image."""
    return json.loads((entry.path / "facts.json").read_text(encoding="utf-8"))
