"""The range of each unit, and the interval over seeds that stays within it and includes the images' uncertainty."""

from collections.abc import Sequence

from paperlib.intervals import Interval, added, positive_interval, share_interval, t_interval

__all__ = ["POSITIVE", "SHARES", "WITHOUT", "seed_interval", "sources"]

#: Units between 0 and a maximum, units and metrics that cannot be negative, and units without an interval. Updates are
#: read at a few looks, and are only a bound if the class is not back at the last one. All other units are unbounded:
#: nats, too, in which a likelihood may be negative and an entropy may not.
SHARES = {"%": 100.0, "percent": 100.0, "share": 1.0, "fraction": 1.0, "probability": 1.0}
POSITIVE = {"squared distance", "FID", "u-FID", "ratio", "minutes", "MiB", "entropy"}
WITHOUT = {"updates"}


def seed_interval(
    values: Sequence[float],
    *,
    unit: str,
    metric: str,
    n: int,
    images: Sequence[Interval] = (),
    shared: bool = False,
) -> Interval | None:
    """Return the 95 % interval of a mean over seeds; None with a single seed.

    Args:
        values: one for each seed.
        unit, metric: determine the range of the quantity.
        n: the number of images behind each value.
        images: each seed's own interval over its images, if known.
        shared: all seeds use the same images, so the spread of the seeds does not include the images' uncertainty.
    """
    if len(values) < 2 or unit in WITHOUT:
        return None
    mean = sum(values) / len(values)
    ends = images and tuple(sum(end) / len(images) for end in zip(*images))
    if metric.lower() == "pul":  # 100 - 100 ratio: the ratio is positive, so the percentage can be any number below 100
        low, high = positive_interval([100 - value for value in values])
        low, high = 100 - high, 100 - low
        if ends and min(values) == 100:  # no seed saw the class: only the images' intervals are informative
            low, high = ends
        return low, high
    if unit in SHARES and all(0 <= value <= SHARES[unit] for value in values):
        whole = SHARES[unit]
        low, high = share_interval([value / whole for value in values], n, shared=shared)
        return whole * low, whole * high
    found = (t_interval if POSITIVE.isdisjoint((unit, metric.lower())) else positive_interval)(values)
    return added(mean, found, ends) if ends and shared else found


def sources(values: Sequence[object]) -> str:
    """Say, for a table's caption, what the intervals of a record's ``values`` are taken over."""
    found = [value for value in values if getattr(value, "interval", None)]
    several = [value for value in found if len(value.seeds) > 1]
    said = ["images" if len(found) > len(several) else ""]
    for shared, words in ((False, "seeds with different images"), (True, "seeds and the images that they share")):
        if any(bool(value.protocol.get("shared")) is shared for value in several):
            said.append(words)
    said = [words for words in said if words]
    return f"In brackets: 95 % intervals over {', or over '.join(said)}." if said else ""
