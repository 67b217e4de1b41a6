"""What EraseDiff on Stable Diffusion costs, as rows of a record (:mod:`paperlib.latent.cost`)."""

from collections.abc import Iterator
from functools import cache

from companion.rows import Row, row
from paperlib.latent import cost
from paperlib.latent.lora import TARGETS

__all__ = ["costs"]

RATE = 0.4 * 165e12  # operations a second of an RTX 4090, 24 GB: 40 % of its 16-bit peak
HELD = 4  # both terms' gradients beside the one that Adam sees, theta during the inner loop, and their sum
LORA = 16


@cache
def counted(batch: int) -> tuple[dict[str, int], float, int]:
    """Weights by choice and of adapters, operations of a pass, and bytes that a checkpointed one keeps."""
    unet = cost.architecture()
    layers = [one for name, one in unet.named_modules() if name.endswith(TARGETS)]
    counts = cost.counts(unet) | {f"lora {LORA}": sum(LORA * (one.in_features + one.out_features) for one in layers)}
    return counts, cost.operations(unet), cost.saved_bytes(unet, batch, checkpointing=True)


def costs(*, updates: int, batch: int, passes: int) -> Iterator[Row]:
    """Weights, memory and hours of full weights, of either kind of layers, and of adapters."""
    counts, forward, activations = counted(batch)
    ways = {name: counts[name] for name in ("full", "noxattn", "xattn", f"lora {LORA}")}
    words = {"full": "full weights", "noxattn": "all but cross-attention", "xattn": "cross-attention alone"}
    for trains, trained in ways.items():
        at = dict(total=counts["full"], trained=trained, held=HELD, passes=passes, batch=batch, updates=updates)
        found = cost.cost(**at, activations=activations, forward=forward, rate=RATE)
        facts = dict(dataset="sd14", method="erasediff", trains=trains, batch_size=batch, updates=updates)
        facts["what"] = words.get(trains, f"adapters of rank {LORA}")
        yield row(trained, metric="weights", unit="weights", n=1, **facts)
        yield row(found.memory, metric="memory", unit="GiB", n=1, **facts)
        yield row(found.hours, metric="hours", unit="hours", n=1, **facts)
