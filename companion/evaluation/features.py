"""Stored Inception features for FID: of real images once for all models, of samples once for each drawing.

This module imports little, so that its entries, which take minutes, survive changes elsewhere.
"""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from companion.bases import images
from companion.settings import Settings
from companion.store import Entry, Store
from paperlib.data.images import Images
from paperlib.files import whole
from paperlib.metrics.features import features, inception

__all__ = ["Real", "real_features", "real_images", "sample_features"]

CHUNK = 500  # images between two points where a stopped run can resume: half a minute on two CPU cores


class Real(Settings):
    """The first ``n`` images of a part of a set; all if there are fewer, or with ``n = 0``."""

    dataset: str
    part: str
    n: int = Field(ge=0)


def real_images(real: Real) -> Images:
    """Return the images themselves."""
    data = images(real.dataset, real.part)
    return data.only(torch.arange(real.n)) if 0 < real.n < len(data) else data


def real_features(store: Store, real: Real, device: torch.device) -> Tensor:
    """Return features [n, 2048] of real images."""
    return _read(store.step("inception-real", real, partial(_of_real, device=device.type)))


def sample_features(store: Store, samples: Entry, device: torch.device) -> Tensor:
    """Return features [n, 2048] of stored images, the array ``images`` of the entry's ``images.npz``."""
    compute = partial(_of_samples, file=samples.path / "images.npz", device=device.type)
    return _read(store.step("inception-samples", {}, compute, inputs=[samples]))


def _of_real(folder: Path, real: Real, *, device: str) -> None:
    _write(folder, real_images(real).images, device)


def _of_samples(folder: Path, config: dict, *, file: Path, device: str) -> None:
    with np.load(file) as stored:
        _write(folder, torch.from_numpy(stored["images"]), device)


def _write(folder: Path, images: Tensor, device: str) -> None:
    network, files = inception(device), []
    for k, part in enumerate(images.split(CHUNK)):
        files.append(folder / f"resume-{k}.npy")
        if not files[-1].is_file():
            with whole(files[-1]) as draft:
                np.save(draft, features(part, network).numpy())
    np.save(folder / "features.npy", np.concatenate([np.load(file) for file in files]))


def _read(entry: Entry) -> Tensor:
    return torch.from_numpy(np.load(entry.path / "features.npy"))
