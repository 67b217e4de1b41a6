"""What this machine can do, measured, to judge how well a run uses it."""

import copy
import time

import torch
from accelerate import PartialState

from paperlib.nets.unet import UNet

__all__ = ["matmul_rate", "operations", "pick_device", "say", "use_of_machine"]


def pick_device(name: str | None = None) -> torch.device:
    """Return the device of that name; without a name, a GPU if there is one, else the CPU."""
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device='cuda', but torch sees no GPU here")
    return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))


def matmul_rate(device: torch.device, precision: str = "float32", seconds: float = 0.2, rounds: int = 5) -> float:
    """Return the operations per second of large matrix products: the best that the device reaches.

    Takes the best of ``rounds``, since other programs can only slow one down.
    """
    size = 8192 if device.type == "cuda" else 1024
    a = torch.randn(size, size, device=device, dtype=torch.bfloat16 if precision == "bf16" else torch.float32)
    product = torch.empty_like(a)

    def wait() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter()

    torch.mm(a, a, out=product)
    rates = []
    for _ in range(rounds):
        start, products = wait(), 0
        while wait() - start < seconds or products < 2:
            torch.mm(a, a, out=product)
            products += 1
        rates.append(2 * size**3 * products / (wait() - start))
    return max(rates)


def operations(net: UNet, batch: int = 2) -> float:
    """Count the floating-point operations per image of a forward and backward pass, without computing it."""
    from torch.utils.flop_counter import FlopCounterMode  # imported late: it imports Triton, which takes a second

    meta = copy.deepcopy(net).to("meta")
    with FlopCounterMode(display=False) as counter, torch.device("meta"):
        meta(torch.zeros(batch, *net.shape), torch.zeros(batch)).square().mean().backward()
    return counter.get_total_flops() / batch


def use_of_machine(net: UNet, images_per_second: float, device: torch.device, precision: str) -> str:
    """Say what share of the device training ``net`` at this speed uses: of its arithmetic and a GPU's memory."""
    reached, most = images_per_second * operations(net), matmul_rate(device, precision)
    text = f"{images_per_second:.0f} images/s, {reached / 1e9:.0f} GFLOP/s: "
    text += f"{reached / most:.0%} of what large matrix products reach here ({precision})"
    if device.type == "cuda":
        share = torch.cuda.max_memory_allocated(device) / torch.cuda.get_device_properties(device).total_memory
        text += f"; {share:.0%} of the card's memory"
    return text


def say(text: str) -> None:
    """Print a line once, in one of all processes."""
    PartialState().print(text, flush=True)
