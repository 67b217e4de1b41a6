"""What is left of a test image after noising and denoising; a stored step for each model, side of the data and time.

The time is that of VP, the paper's process; a model of another process uses the same ratio sigma / alpha.
"""

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from companion import bases
from companion.bases import Base
from companion.classifiers import classifier, predict
from companion.evaluation.judge import right
from companion.evaluation.samples import find, loaded
from companion.machine import pick_device
from companion.models import Model
from companion.rows import Row, row
from companion.seeds import generator
from companion.settings import Settings
from paperlib.data.images import Images, model_input, to_uint8
from paperlib.data.splits import evenly, split
from paperlib.editing import reconstruct
from paperlib.metrics import clip
from paperlib.metrics.features import features, penultimate
from paperlib.metrics.intervals import Measured, bootstrap_mean, share
from paperlib.processes import VP

__all__ = [
    "Reconstruction",
    "accuracy",
    "apart",
    "by_model",
    "clip_distance",
    "feature_distance",
    "kept",
    "level",
    "originals",
    "returned",
]

SIDES = {"D_g": "retain", "D_f": "forget"}
BATCH = 250  # images per batch


class Reconstruction(Settings):
    """How far an image is noised, and how it is reconstructed."""

    forget: str
    side: Literal["retain", "forget"]
    n: int = Field(gt=1)  # test images, from all classes of the side in turn
    t: float = Field(0.02, gt=1e-3, le=1)  # of VP
    way: Literal["image", "latent"] = "image"
    steps: int = Field(gt=1)  # from t_max; a reconstruction from t joins them at t
    seed: int = Field(0, ge=0)


class _Of(Reconstruction):
    base: Base
    name: str = Field(exclude=True)  # not part of the key: the weights are an input of the step
    folder: Path = Field(exclude=True)
    sha256: str = Field(exclude=True)


def level(t: float) -> float:
    """Return sigma / alpha of VP at time t."""
    return VP().log_ratio(torch.tensor(t, dtype=torch.float64)).exp().item()


def originals(dataset: str, wanted: Reconstruction) -> Images:
    """Return the test images."""
    return evenly(getattr(split(bases.images(dataset, "test"), wanted.forget), wanted.side), wanted.n)


def returned(model: Model, wanted: Reconstruction) -> Tensor:
    """Return the reconstructed images, uint8 [n, C, H, W]."""
    found = find(model.checkpoint())
    facts = {"base": found.base, "name": found.name, "folder": found.folder, "sha256": found.sha256}
    entry = model.store.step("reconstruction", _Of(**wanted.model_dump(), **facts), _run, inputs=[found.sha256])
    with np.load(entry.path / "images.npz") as stored:
        return torch.from_numpy(stored["images"])


def _run(folder: Path, wanted: _Of) -> None:
    device = pick_device()
    model = loaded(wanted.base, wanted.name, wanted.folder, wanted.sha256, str(device))
    data, process = originals(wanted.base.dataset, wanted), model.process
    draws, parts = generator(wanted.seed, f"reconstruction/{wanted.side}/{wanted.t:g}", "noise"), []
    t = process.time_of(torch.tensor(level(wanted.t), dtype=torch.float64).log()).item()
    for rows in torch.arange(len(data)).split(BATCH):
        x0 = model_input(data.images[rows].to(device), draws, dequantise=wanted.base.dequantised)
        last = reconstruct(model, x0, t, generator=draws, way=wanted.way, steps=wanted.steps)
        parts.append(to_uint8(torch.nan_to_num(last.x), dequantised=wanted.base.dequantised).cpu())
    np.savez(folder / "images.npz", images=torch.cat(parts).numpy())
    (folder / "facts.json").write_text(json.dumps({"evaluations": last.evaluations, "t": t}), encoding="utf-8")


def _asked(forget: str, side: str, settings: dict[str, Any]) -> Reconstruction:
    return Reconstruction.checked(forget=forget, side=SIDES[side], **settings)


def accuracy(model: Model, forget: str, side: str, **settings: Any) -> Row:
    """The percentage of a side's images that keep their class when reconstructed, according to the classifier.

    The papers' cells are for t = 0.02 and the perturbed image, as in the text; for other settings the metric's name
    says so. ``settings`` are those of :class:`Reconstruction`.
    """
    wanted = _asked(forget, side, settings)
    return _row(model, wanted, side, kept(model, wanted), "accuracy", unit="percent")


def feature_distance(model: Model, forget: str, side: str, **settings: Any) -> Row:
    """The mean distance between reconstruction and original, in the features of the set's classifier."""
    wanted = _asked(forget, side, settings)
    told = {"unit": "distance of features", "features": f"the {model.kind.dataset} classifier"}
    return _row(model, wanted, side, apart(model, wanted), "feature distance", **told)


def clip_distance(judge: clip.Clip, model: Model, forget: str, side: str, **settings: Any) -> Row:
    """The same with CLIP, 100 (1 - cosine)."""
    wanted = _asked(forget, side, settings)
    before, after = originals(model.kind.dataset, wanted).images, returned(model, wanted)
    found = clip.clip_distance(judge, after, before, generator(wanted.seed, "clip", "evaluation"))
    return _row(model, wanted, side, found, "clip_distance", features=judge.name)


def kept(model: Model, wanted: Reconstruction) -> Measured:
    """Return the percentage of images that keep their class."""
    name = model.kind.dataset
    data = originals(name, wanted)
    found = share(right(predict(classifier(name), returned(model, wanted)), data, wanted.forget))
    low, high = found.interval
    return Measured(100 * found.value, (100 * low, 100 * high), found.n)


def apart(model: Model, wanted: Reconstruction) -> Measured:
    """Return the mean Euclidean distance in the classifier's last features."""
    name = model.kind.dataset
    network = penultimate(classifier(name), f"the {name} classifier")
    after, before = (features(x, network, 500) for x in (returned(model, wanted), originals(name, wanted).images))
    distances = torch.linalg.vector_norm(after - before, dim=1).double()
    return bootstrap_mean(distances, generator(wanted.seed, "reconstruction", "evaluation"))


def _row(model: Model, wanted: Reconstruction, side: str, found: Measured, metric: str, **told: Any) -> Row:
    facts = {"forget": wanted.forget, "test": side, "split": "test", "shared": "test images"}
    facts |= {"t": wanted.t, "sigma_over_alpha": level(wanted.t), "way": wanted.way}
    facts |= {"reconstruction_steps": wanted.steps} | told
    seen = {"n": found.n, "seed": wanted.seed, "interval": found.interval}
    return row(found.value, metric=_named(metric, wanted), **seen, **(model.facts | facts))


def _named(metric: str, wanted: Reconstruction) -> str:
    printed = wanted.way == "image" and wanted.t == 0.02
    return metric if printed else f"{metric}, {wanted.way} at {wanted.t:g}"


def by_model(record: Any, metric: str, t: float, way: str = "image", dataset: str = "") -> dict[tuple[str, str], float]:
    """Return a record's values of a metric at t for a data set, by default its first: (method, side) -> value."""
    unit = {"accuracy": "percent", "feature distance": "distance of features"}[metric]
    found = record.all(unit=unit, t=t, way=way)
    asked = dataset or (found[0].dataset if found else "")
    return {(one.method, one.protocol["test"]): one.value for one in found if one.dataset == asked}
