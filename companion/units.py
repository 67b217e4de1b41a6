"""Where the quantity of a unit lives, and the interval over seeds that stays there."""

from collections.abc import Sequence

from paperlib.intervals import positive_interval, share_interval, t_interval

__all__ = ["POSITIVE", "SHARES", "seed_interval"]

#: Units of what lies between 0 and so many, and of what cannot be negative; all others are any number.
SHARES = {"%": 100.0, "percent": 100.0, "share": 1.0, "fraction": 1.0, "probability": 1.0}
POSITIVE = {"squared distance", "FID", "u-FID", "ratio", "updates", "minutes", "MiB"}


def seed_interval(values: Sequence[float], *, unit: str, metric: str, n: int) -> tuple[float, float] | None:
    """The 95 % interval of a mean over seeds, which stays where the quantity lives; None with a single one."""
    if metric.lower() == "pul":  # 100 - 100 ratio: the ratio is positive, the percentage may be anything below 100
        ratio = positive_interval([100 - value for value in values])
        return ratio and (100 - ratio[1], 100 - ratio[0])
    if unit in SHARES and all(0 <= value <= SHARES[unit] for value in values):
        whole = SHARES[unit]
        found = share_interval([value / whole for value in values], n)
        return found and (whole * found[0], whole * found[1])
    return positive_interval(values) if unit in POSITIVE else t_interval(values)
