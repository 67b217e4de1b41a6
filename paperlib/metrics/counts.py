"""What a printed percentage says about how many images are behind it.

A share of n images is a whole number of n-ths. 99.9 % cannot be of 100 images, and a column of percentages that are
all multiples of 0.2 is most simply one of 500.
"""

from collections.abc import Sequence

from paperlib.checks import need_positive

__all__ = ["fewest_images", "is_count_of"]


def is_count_of(percent: float, n: int, decimals: int = 2) -> bool:
    """Whether some count of ``n`` images, in percent and rounded to ``decimals``, is ``percent``."""
    need_positive(n=n)
    if not 0 <= percent <= 100:
        raise ValueError(f"percent={percent} is not between 0 and 100")
    return round(100 * round(percent * n / 100) / n, decimals) == round(percent, decimals)


def fewest_images(percents: Sequence[float], decimals: int = 2, step: int = 100, most: int = 10_000) -> int:
    """The smallest multiple of ``step`` images that all of ``percents`` can be counts of."""
    for n in range(step, most + 1, step):
        if all(is_count_of(percent, n, decimals) for percent in percents):
            return n
    raise ValueError(f"no multiple of {step} up to {most} images has all of {', '.join(map(str, percents))}")
