"""Where an unlearning run starts: from the model's own weights, or from fresh ones."""

import copy

import torch

from paperlib.denoiser import Denoiser, reinitialise

__all__ = ["STARTS", "starting_point"]

STARTS = ("retrain", "finetune")


def starting_point(model: Denoiser, start: str, generator: torch.Generator) -> Denoiser:
    """The model itself to "finetune", a copy with every weight drawn anew to "retrain"."""
    if start not in STARTS:
        raise ValueError(f"start={start!r} is not one of {', '.join(STARTS)}")
    if start == "finetune":
        return model
    model = copy.deepcopy(model)
    reinitialise(model, generator)
    return model
