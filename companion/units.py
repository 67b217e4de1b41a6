"""Where the quantity of a unit lives, and the interval over seeds that stays there and holds the images' part too."""

from collections.abc import Sequence

from paperlib.intervals import Interval, added, positive_interval, share_interval, t_interval

__all__ = ["POSITIVE", "SHARES", "WITHOUT", "seed_interval", "sources"]

#: Units of what lies between 0 and so many, of what cannot be negative, and of what has no interval. Updates are read
#: at a few looks, and where the last of them has not seen the class back they are a bound. All others are any number.
SHARES = {"%": 100.0, "percent": 100.0, "share": 1.0, "fraction": 1.0, "probability": 1.0}
POSITIVE = {"squared distance", "FID", "u-FID", "ratio", "minutes", "MiB"}
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
    """The 95 % interval of a mean over seeds; None with a single one.

    Args:
        values: one for each seed.
        unit, metric: say where the quantity lives.
        n: images behind each value.
        images: each seed's own interval, over its images, where it is known.
        shared: all seeds look at the same images, so that the seeds' spread does not hold the images' part.
    """
    if len(values) < 2 or unit in WITHOUT:
        return None
    mean = sum(values) / len(values)
    ends = images and tuple(sum(end) / len(images) for end in zip(*images))
    if metric.lower() == "pul":  # 100 - 100 ratio: the ratio is positive, the percentage may be anything below 100
        low, high = positive_interval([100 - value for value in values])
        low, high = 100 - high, 100 - low
        if ends and min(values) == 100:  # no seed saw the class: what each knows is what its images say
            low, high = ends
        return low, high
    if unit in SHARES and all(0 <= value <= SHARES[unit] for value in values):
        whole = SHARES[unit]
        low, high = share_interval([value / whole for value in values], n, shared=shared)
        return whole * low, whole * high
    positive = unit in POSITIVE or metric.lower() == "entropy"  # in nats, as likelihoods are, which may be negative
    found = (positive_interval if positive else t_interval)(values)
    return added(mean, found, ends) if ends and shared else found


def sources(values: Sequence[object]) -> str:
    """In words, what the intervals of a record's ``values`` hold, as a table's caption says it."""
    found = [value for value in values if getattr(value, "interval", None)]
    several = [value for value in found if len(value.seeds) > 1]
    said = ["its images" if len(found) > len(several) else ""]
    for shared, words in ((False, "seeds, each with images of its own"), (True, "seeds and the images they share")):
        if any(bool(value.protocol.get("shared")) is shared for value in several):
            said.append(words)
    said = [words for words in said if words]
    return f"In brackets: 95 %, over {'; or over '.join(said)}." if said else ""
