"""The starting point of an unlearning run: the model's own weights or fresh ones."""

import copy

import torch

from paperlib.denoiser import Denoiser, reinitialise

__all__ = ["STARTS", "starting_point"]

STARTS = ("retrain", "finetune")


def starting_point(model: Denoiser, start: str, generator: torch.Generator) -> Denoiser:
    """Return the model itself for "finetune", or a copy with freshly initialised weights for "retrain"."""
    if start not in STARTS:
        raise ValueError(f"start={start!r} is not one of {', '.join(STARTS)}")
    if start == "finetune":
        return model
    model = copy.deepcopy(model)
    reinitialise(model, generator)
    return model
