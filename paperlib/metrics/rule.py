"""The book's rule: is the class forgotten, and are the others kept?

Forgotten: UR is at most a third of its value before unlearning. Kept: the distance of the other images from real
retained ones is at most 1.5 times its value before. We chose both numbers; the search, the pages and their figures use
them.
"""

from collections.abc import Mapping
from typing import Any

from paperlib.checks import need_finite

__all__ = ["FARTHER", "FEWER", "score", "verdict"]

FEWER = 3  # the factor by which samples that show the class must at least decrease
FARTHER = 1.5  # the largest distance, as a multiple of that before


def score(ur: float | None, distance: float | None, before: Mapping[str, Any]) -> float | None:
    """Return the larger of the rule's two ratios, max(3 UR / UR before, distance / (1.5 distance before)).

    It is at most 1 if both halves of the rule hold, and smaller is better. ``before`` has the base model's ``ur`` and
    ``distance``. None if UR or the distance could not be measured.

    Raises:
        ValueError: if the base model's UR is 0.
    """
    if not before["ur"]:
        raise ValueError("no sample of the base model shows what is to be forgotten: there is nothing to score")
    if ur is None or distance is None:
        return None
    need_finite(ur=[ur], distance=[distance], before=[before["ur"], before["distance"]])
    return max(FEWER * ur / before["ur"], distance / (FARTHER * before["distance"]))


def verdict(ur: float, distance: float | None, before: Mapping[str, Any]) -> str:
    """Return both halves of the rule in words. A model with too few other samples for a distance counts as damaged."""
    forgotten = FEWER * ur <= before["ur"]
    kept = distance is not None and distance <= FARTHER * before["distance"]
    if forgotten:
        return "forgotten and kept" if kept else "forgotten and damaged"
    return "kept and not forgotten" if kept else "neither"
