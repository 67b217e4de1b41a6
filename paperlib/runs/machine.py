"""What this machine can do, measured: the yardstick for how well a run uses it."""

import time

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

__all__ = ["matmul_rate", "operations", "pick_device"]


def pick_device(name: str = "") -> torch.device:
    """The device of that name; without one, a GPU where there is one, else the CPU."""
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device='cuda', but torch sees no GPU here")
    if name not in ("", "cpu", "cuda"):
        raise ValueError(f"device={name!r} is not one of cpu, cuda")
    return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))


def matmul_rate(device: torch.device, precision: str = "float32", seconds: float = 0.5) -> float:
    """Operations per second of large matrix products: what the device reaches where nothing stands in its way."""
    size = 8192 if device.type == "cuda" else 1024
    a = torch.randn(size, size, device=device, dtype=torch.bfloat16 if precision == "bf16" else torch.float32)

    def wait() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter()

    a @ a
    start, products = wait(), 0
    while wait() - start < seconds or products < 2:
        a @ a
        products += 1
    return 2 * size**3 * products / (wait() - start)


def operations(net: nn.Module, x: Tensor, time: Tensor) -> float:
    """Floating-point operations of a forward and backward pass of a U-Net, an image; counted, not computed."""
    copy = type_on_meta(net)
    with FlopCounterMode(display=False) as counter, torch.device("meta"):
        copy(x.to("meta"), time.to("meta")).square().mean().backward()
    return counter.get_total_flops() / len(x)


def type_on_meta(net: nn.Module) -> nn.Module:
    """The same network without numbers."""
    import copy

    return copy.deepcopy(net).to("meta")
