"""The cost of training Stable Diffusion, from its architecture alone: nothing is downloaded and nothing is trained.

The U-Net is built on torch's *meta* device, where tensors have shapes but no values. There its weights are counted by
name, and so are the operations of a pass and the bytes that autograd keeps for the backward pass. The rest is
arithmetic, in copies of the weights: two of all weights, for the base model and the one that is trained, and for the
trained weights their gradient, Adam's two moments, and what the method keeps beside them.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from paperlib.extras import need
from paperlib.nets.parameters import CHOICES, train_only

__all__ = ["Cost", "architecture", "cost", "counts", "operations", "saved_bytes"]

#: The U-Net of Stable Diffusion 1.x, after the configuration in its public folder ``unet``.
SETTINGS = dict(
    sample_size=64,
    block_out_channels=(320, 640, 1280, 1280),
    layers_per_block=2,
    cross_attention_dim=768,
    attention_head_dim=8,
)
GIB = 2**30


def architecture() -> nn.Module:
    """Return the U-Net on the meta device: 859,520,964 weights without values."""
    need("latent", "diffusers")
    from diffusers import UNet2DConditionModel

    with torch.device("meta"):
        return UNet2DConditionModel(**SETTINGS)


def counts(unet: nn.Module) -> dict[str, int]:
    """Return how many weights each choice of :mod:`paperlib.nets.parameters` trains."""
    found = {which: train_only(unet, which) for which in CHOICES}
    train_only(unet, "full")
    return found


def _pass(unet: nn.Module, batch: int) -> torch.Tensor:
    size = unet.config.sample_size
    x = torch.empty(batch, unet.config.in_channels, size, size, device="meta")
    context = torch.empty(batch, 77, unet.config.cross_attention_dim, device="meta")
    return unet(x, torch.empty(batch, device="meta"), encoder_hidden_states=context).sample


def operations(unet: nn.Module) -> float:
    """Return the floating-point operations of a forward pass of one latent; the backward pass has twice as many."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        _pass(unet, 1)
    return float(counter.get_total_flops())


def saved_bytes(unet: nn.Module, batch: int, *, checkpointing: bool) -> int:
    """Return the bytes that autograd keeps for a pass of ``batch`` latents in 16-bit arithmetic, without the weights.

    With ``checkpointing`` these are the activations between the blocks, and all that is kept for the one block that is
    being recomputed in the backward pass, taken to be the largest.
    """
    if checkpointing:
        largest = _largest_block(unet, batch)
        unet.enable_gradient_checkpointing()
        try:
            return saved_bytes(unet, batch, checkpointing=False) + largest
        finally:
            unet.disable_gradient_checkpointing()
    return sum(_kept(unet, batch)[0].values())


def _largest_block(unet: nn.Module, batch: int) -> int:
    """Return the most bytes that a single residual block or transformer keeps."""
    blocks = [one for name, one in unet.named_modules() if name.split(".")[-2:-1] in (["resnets"], ["attentions"])]
    kept, taken = _kept(unet, batch, blocks)
    return max(sum(kept[one] for one in inside) for inside in taken)


def _kept(unet: nn.Module, batch: int, blocks: Sequence[nn.Module] = ()) -> tuple[dict[int, int], list[set[int]]]:
    """Return the bytes that a pass keeps, by storage, and the storages that each of ``blocks`` added."""
    half, kept, held, taken, before = unet.train().to(torch.bfloat16), {}, [], [], []
    weights = {p.untyped_storage()._cdata for p in half.parameters()}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            kept[storage._cdata] = storage.nbytes()
            held.append(tensor)  # so that its storage's pointer is not reused
        return tensor

    hooks = [one.register_forward_pre_hook(lambda *_: before.append(set(kept))) for one in blocks]
    hooks += [one.register_forward_hook(lambda *_: taken.append(set(kept) - before.pop())) for one in blocks]
    try:
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), _default(torch.bfloat16):
            held.append(_pass(half, batch))
    finally:
        for hook in hooks:
            hook.remove()
    return kept, taken


@contextlib.contextmanager
def _default(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@dataclass(frozen=True)
class Cost:
    """The cost of a run: gibibytes of GPU memory, and hours.

    Args:
        weights: memory of the base model and the one that is trained.
        training: memory of the gradient, Adam's moments, and what the method keeps.
        activations: memory of what a pass keeps for the backward pass.
        hours: time of all updates.
    """

    weights: float
    training: float
    activations: float
    hours: float

    @property
    def memory(self) -> float:
        """The total memory."""
        return self.weights + self.training + self.activations


def cost(
    *,
    total: int,
    trained: int,
    held: float,
    passes: int,
    batch: int,
    updates: int,
    activations: int,
    forward: float,
    rate: float,
    half: bool = False,
) -> Cost:
    """Return the cost of a run.

    Args:
        total, trained: number of weights of the network, and of those (or of its adapters') that training changes.
        held: copies of the trained weights that the method keeps beside gradient and moments
            (:class:`paperlib.unlearning.methods.Method`).
        passes: gradient evaluations per update, each of ``batch`` latents.
        updates: number of updates.
        activations: bytes that one evaluation keeps (:func:`saved_bytes`). The cost counts two of them, for a method
            that takes two terms' gradients from one graph.
        forward: operations of a forward pass (:func:`operations`). An evaluation takes four times as many: forward, the
            backward pass with twice that, and forward again for recomputed activations.
        rate: operations per second that the device reaches: some 40 % of its 16-bit peak in our experience of U-Nets.
        half: whether frozen weights have 16 bits.
    """
    frozen = (2 if half else 4) * (total - min(trained, total)) * 2
    return Cost(
        weights=(frozen + 4 * trained * 2) / GIB,
        training=4 * trained * (3 + held) / GIB,
        activations=2 * activations / GIB,
        hours=updates * passes * batch * 4 * forward / rate / 3600,
    )
