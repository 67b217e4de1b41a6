"""Stored likelihoods of test images under a checkpoint, by the three recipes of :mod:`paperlib.likelihood.recipes`."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from companion import bases
from companion.bases import Base
from companion.evaluation.samples import Checkpoint, loaded
from companion.seeds import generator
from companion.settings import Settings
from companion.store import Store
from paperlib.data.images import Images
from paperlib.data.splits import evenly, split
from paperlib.likelihood.images import image_bound, image_nll

__all__ = ["Likelihood", "likelihood", "test_images"]


class Likelihood(Settings):
    """Bits per dimension of ``n`` test images, of all classes, or only of D_g or D_f."""

    kind: Literal["nll", "noised nll", "bound"]
    n: int = Field(gt=1)
    seed: int = Field(ge=0)
    tolerance: float = Field(1e-3, gt=0)  # of the ODE's solver
    strata: int = Field(0, ge=0)  # of the bound, one step from each; 0: every step
    device: str
    base: Base
    forget: str = ""
    side: Literal["all", "retain", "forget"] = "all"
    name: str = Field(exclude=True)  # not part of the key: the weights are an input of the step, by their sha256
    folder: Path = Field(exclude=True)
    sha256: str = Field(exclude=True)


def test_images(wanted: Likelihood) -> Images:
    """Return the test images to evaluate."""
    data = bases.images(wanted.base.dataset, "test")
    return evenly(data if wanted.side == "all" else getattr(split(data, wanted.forget), wanted.side), wanted.n)


def likelihood(store: Store, checkpoint: Checkpoint, device: torch.device, **wanted: Any) -> Tensor:
    """Return bits per dimension of every image, [n]. A conditional model is given each image's class."""
    facts = {"base": checkpoint.base, "name": checkpoint.name, "folder": checkpoint.folder, "device": device.type}
    facts["sha256"] = checkpoint.sha256
    setting = Likelihood.checked(**wanted, **facts)
    entry = store.step("likelihood", setting, _measure, inputs=[checkpoint.sha256])
    return torch.from_numpy(np.load(entry.path / "bits.npy"))


def _measure(folder: Path, wanted: Likelihood) -> None:
    model = loaded(wanted.base, wanted.name, wanted.folder, wanted.sha256, wanted.device)
    data, draws = test_images(wanted), generator(wanted.seed, f"likelihood/{wanted.kind}", "evaluation")
    settings = {"generator": draws, "cond": data.labels.to(wanted.device) if wanted.base.labels else None}
    images = data.images.to(wanted.device)
    if recipe := {"nll": "flow", "noised nll": "noised flow"}.get(wanted.kind):
        found = image_nll(model, images, recipe=recipe, tolerance=wanted.tolerance, **settings)
    else:
        found = image_bound(model, images, strata=wanted.strata or None, **settings)
    np.save(folder / "bits.npy", found.per_image.cpu().numpy())
