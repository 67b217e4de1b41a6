"""Low-rank adapters (Hu et al., 2022) in place of full weights, through peft::

    W x + (scale / rank) B A x,    A [rank, in], B [out, rank], B = 0 at the start

Only A and B are trained: less than one percent of the weights, with correspondingly smaller gradients and Adam moments.
"""

from torch import nn

from paperlib.denoiser import Denoiser, trainable
from paperlib.extras import need

__all__ = ["add_lora", "merged"]

TARGETS = ("to_q", "to_k", "to_v", "to_out.0")  # in diffusers' attention, self and cross


def add_lora(model: Denoiser, rank: int, *, scale: float | None = None, cross_only: bool = False) -> int:
    """Add adapters to the attention layers of a Stable Diffusion denoiser, in place, and let training change only them;
    return their number of weights.

    Args:
        rank: rank of A and B.
        scale: numerator of the factor; None is ``rank``, a factor of 1.
        cross_only: add adapters to cross-attention layers only.
    """
    need("latent", "peft")
    from peft import LoraConfig

    if rank < 1:
        raise ValueError(f"rank={rank} is below 1")
    unet = model.net.net.unet
    names = [name for name, _ in unet.named_modules() if name.endswith(TARGETS)]
    targets = [name for name in names if not cross_only or ".attn2." in name]
    model.requires_grad_(False)
    unet.add_adapter(LoraConfig(r=rank, lora_alpha=scale or rank, target_modules=targets))
    for p in trainable(model):
        p.data = p.data.float()  # the adapters of a half-precision network stay in float32
    return sum(p.numel() for p in trainable(model))


def merged(unet: nn.Module) -> nn.Module:
    """Merge a U-Net's adapters into its weights and remove them, in place; return the U-Net."""
    from diffusers.utils.peft_utils import recurse_remove_peft_layers

    unet.fuse_lora()
    recurse_remove_peft_layers(unet)
    if hasattr(unet, "peft_config"):
        del unet.peft_config
    unet._hf_peft_config_loaded = False
    return unet
