"""Reading the entry of a run in the store: its looks, probes, cost and model."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from companion.store import Entry
from paperlib.metrics.rule import verdict

__all__ = ["cost", "images", "looks", "model_file", "probes", "stopped", "window", "without_gaps"]


def looks(entry: Entry) -> list[dict[str, Any]]:
    """Return the results of all looks; the first is before any update. (A record has :func:`without_gaps`.)

    Keys: ``update``; ``ur`` and its ``ur_interval``, in percent; ``floor``; ``distance`` between the images that do not
    show D_f and real retained ones, and its ``distance_interval``; ``L_g`` and ``L_f`` on test images, per pixel;
    ``gradient_evaluations`` and ``seconds`` of the run so far. Non-finite values are None. The looks end where the run
    does (:func:`stopped`).
    """
    return _read(entry)["looks"]


def without_gaps(seen: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return looks for a record, which has no nulls: non-finite values are left out."""
    return [{name: value for name, value in one.items() if value is not None} for one in seen]


def cost(entry: Entry) -> dict[str, float]:
    """Return the cost of the whole run: ``updates``, ``gradient_evaluations``, ``seconds``."""
    last = looks(entry)[-1]
    return {"updates": last["update"]} | {name: last[name] for name in ("gradient_evaluations", "seconds")}


def probes(entry: Entry) -> list[dict[str, float]]:
    """Return what :class:`companion.comparison.probes.Probe` found at each probed update."""
    return _read(entry)["probes"]


def stopped(entry: Entry) -> str:
    """Return why the run ended early, because its loss was not finite; empty if it did not."""
    return _read(entry)["stopped"]


def model_file(entry: Entry) -> Path:
    """Return the file of the final model, with its card beside it."""
    return entry.path / "model.safetensors"


def _read(entry: Entry) -> dict[str, Any]:
    return json.loads((entry.path / "looks.json").read_text(encoding="utf-8"))


def images(entry: Entry) -> Tensor:
    """Return the first images of every look, from the same noise, uint8 [looks, 10, C, H, W]."""
    with np.load(entry.path / "images.npz") as stored:
        return torch.from_numpy(stored["images"])


def window(seen: list[dict[str, Any]]) -> list[int]:
    """Return the updates at which the class was forgotten and the rest kept."""
    first = seen[0]
    return [one["update"] for one in seen[1:] if verdict(one["ur"], one["distance"], first) == "forgotten and kept"]
