"""The cost of EraseDiff on Stable Diffusion, as rows of a record (:mod:`paperlib.latent.cost`)."""

from collections.abc import Iterator
from functools import cache

from companion.rows import Row, row
from paperlib.latent import cost
from paperlib.latent.lora import TARGETS

__all__ = ["costs"]

RATE = 0.4 * 165e12  # operations per second of an RTX 4090 (24 GB): 40 % of its 16-bit peak
HELD = 4  # copies beside the gradient that Adam sees: both terms' gradients, their sum, and theta during the inner loop
LORA = 16
WORDS = {
    "full": "full weights",
    "noxattn": "all but cross-attention",
    "xattn": "cross-attention alone",
    "lora": f"adapters of rank {LORA}",
}


@cache
def counted() -> tuple[dict[str, int], float, int]:
    """Return the number of weights by choice, adapters included; the operations of a forward pass; and the bytes per
    latent that a checkpointed pass keeps."""
    unet = cost.architecture()
    layers = [one for name, one in unet.named_modules() if name.endswith(TARGETS)]
    counts = cost.counts(unet) | {"lora": sum(LORA * (one.in_features + one.out_features) for one in layers)}
    return counts, cost.operations(unet), cost.saved_bytes(unet, 1, checkpointing=True)


def costs(*, updates: int, batch: int, passes: int, images: int, evaluations: int) -> Iterator[Row]:
    """Yield weights, memory (GiB) and hours of runs that train all weights, either kind of layers, or adapters.

    The hours include drawing ``images`` under guidance afterwards, with ``evaluations`` steps each.
    """
    counts, forward, kept = counted()
    for trains, size in (("full", batch), ("noxattn", batch), ("xattn", batch), ("lora", batch), ("lora", batch // 4)):
        at = dict(total=counts["full"], trained=counts[trains], held=HELD, passes=passes, batch=size)
        found = cost.cost(**at, updates=updates * batch // size, activations=size * kept, forward=forward, rate=RATE)
        hours = found.hours + images * evaluations * 2 * forward / RATE / 3600
        facts = dict(dataset="sd14", method="erasediff", trains=trains, batch_size=size, what=WORDS[trains])
        yield row(counts[trains], metric="weights", unit="weights", n=1, **facts)
        yield row(found.memory, metric="memory", unit="GiB", n=1, **facts)
        yield row(hours, metric="hours", unit="hours", n=1, **facts)
