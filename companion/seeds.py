"""Named streams of random numbers: one generator for each seed, step and purpose, and no global generator."""

import hashlib

import torch

__all__ = ["STREAMS", "generator"]

STREAMS = ("data", "noise", "dropout", "evaluation", "init")


def generator(seed: int, step: str, stream: str, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a fresh generator that depends on nothing but its arguments.

    Args:
        seed: the page's seed, not negative.
        step: the name of the step that uses it, such as ``"pretrain"``.
        stream: what the numbers are for, one of ``STREAMS``. Streams are independent: drawing more noise does not
            change the order of the data.
        device: where the numbers are generated. A GPU's differ from a CPU's.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seed={seed!r} is not allowed: an integer of at least 0 expected")
    if stream not in STREAMS:
        raise ValueError(f"stream={stream!r} is not one of {', '.join(STREAMS)}")
    digest = hashlib.sha256(f"{seed}\0{step}\0{stream}".encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "big") >> 1)  # 63 bits
