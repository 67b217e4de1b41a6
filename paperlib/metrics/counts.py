"""What a printed percentage reveals about the number of images behind it.

A share of n images is a multiple of 1 / n. 99.9 % cannot be a share of 100 images, and the simplest explanation for a
column of percentages that are all multiples of 0.2 is 500 images.
"""

from collections.abc import Sequence

from paperlib.checks import need_positive

__all__ = ["fewest_images", "is_count_of"]


def is_count_of(percent: float, n: int, decimals: int = 2) -> bool:
    """Return whether ``percent`` is some count of ``n`` images in percent, rounded to ``decimals``."""
    need_positive(n=n)
    if not 0 <= percent <= 100:
        raise ValueError(f"percent={percent} is not between 0 and 100")
    return round(100 * round(percent * n / 100) / n, decimals) == round(percent, decimals)


def fewest_images(percents: Sequence[float], decimals: int = 2, step: int = 100, most: int = 10_000) -> int:
    """Return the smallest multiple of ``step`` images of which all of ``percents`` can be counts.

    Raises:
        ValueError: if there is none up to ``most``.
    """
    for n in range(step, most + 1, step):
        if all(is_count_of(percent, n, decimals) for percent in percents):
            return n
    raise ValueError(f"no multiple of {step} up to {most} images has all of {', '.join(map(str, percents))}")
