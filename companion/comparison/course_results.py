"""What the course of a run saw on its way: its entry in the store, read."""

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
    """What each look saw, the first one before any update. (A record has :func:`without_gaps`.)

    Keys: ``update``; ``ur`` and its ``ur_interval``, in percent; ``floor``; ``distance`` of the images that do not show
    what was to be forgotten from real retained ones, and its ``distance_interval``; ``L_g`` and ``L_f`` on test images,
    a pixel; ``gradient_evaluations`` and ``seconds`` of the run until then. What is no number any more is None. They
    end where the run does (:func:`stopped`).
    """
    return _read(entry)["looks"]


def without_gaps(seen: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Looks for a record, where nothing is null: what is no number any more is left out."""
    return [{name: value for name, value in one.items() if value is not None} for one in seen]


def cost(entry: Entry) -> dict[str, float]:
    """What the whole run took: ``updates``, ``gradient_evaluations``, ``seconds``."""
    last = looks(entry)[-1]
    return {"updates": last["update"]} | {name: last[name] for name in ("gradient_evaluations", "seconds")}


def probes(entry: Entry) -> list[dict[str, float]]:
    """What :class:`companion.comparison.probes.Probe` found at each probed update."""
    return _read(entry)["probes"]


def stopped(entry: Entry) -> str:
    """Why the run ended early, since its loss was no number any more; empty where it did not."""
    return _read(entry)["stopped"]


def model_file(entry: Entry) -> Path:
    """The model at the end, with its card beside it."""
    return entry.path / "model.safetensors"


def _read(entry: Entry) -> dict[str, Any]:
    return json.loads((entry.path / "looks.json").read_text(encoding="utf-8"))


def images(entry: Entry) -> Tensor:
    """The first images of every look, from the same noise, uint8 [looks, 10, C, H, W]."""
    with np.load(entry.path / "images.npz") as stored:
        return torch.from_numpy(stored["images"])


def window(seen: list[dict[str, Any]]) -> list[int]:
    """The updates at which the class was forgotten and the rest kept."""
    first = seen[0]
    return [one["update"] for one in seen[1:] if verdict(one["ur"], one["distance"], first) == "forgotten and kept"]
