"""The choice of the weights of a text-to-image network to train, by ESD's names.

ESD trains the cross-attention layers to erase what is prompted by name (ESD-x), and all layers except these and those
of the time and the output to erase what appears unprompted (ESD-u). EraseDiff uses the latter for nudity: "only
fine-tuned the unconditional (non-cross-attention) layers".
"""

from collections.abc import Callable

from torch import nn

from paperlib.nets.cross_attention import cross_attentions

__all__ = ["CHOICES", "train_only"]

#: A function of a parameter's name and of whether it belongs to a cross-attention layer.
Chosen = Callable[[str, bool], bool]

OUTSIDE = ("embed_time", "time_embedding", "last", "conv_out", "conv_norm_out")  # layers of the time and the output


def _outside(name: str) -> bool:
    return any(part in OUTSIDE or part == "last_norm" for part in name.split("."))


CHOICES: dict[str, Chosen] = {
    "full": lambda name, cross: True,
    "xattn": lambda name, cross: cross,  # ESD-x
    "noxattn": lambda name, cross: not cross and not _outside(name),  # ESD-u, and EraseDiff for nudity
    "selfattn": lambda name, cross: "attn1" in name.split("."),
    "notime": lambda name, cross: not _outside(name),
}


def train_only(model: nn.Module, which: str) -> int:
    """Let training change only the weights that ``which``, a key of ``CHOICES``, selects, in place; return how many
    there are."""
    if which not in CHOICES:
        raise ValueError(f"which={which!r} is not one of {', '.join(CHOICES)}")
    inside = tuple(f"{name}." for name in cross_attentions(model))
    chosen = {name: CHOICES[which](name, name.startswith(inside)) for name, _ in model.named_parameters()}
    if not any(chosen.values()):
        raise ValueError(f"which={which!r}: this network has no such weights")
    for name, p in model.named_parameters():
        p.requires_grad_(chosen[name])
    return sum(p.numel() for name, p in model.named_parameters() if chosen[name])
