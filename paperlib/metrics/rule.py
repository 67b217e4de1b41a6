"""The book's rule: is the class forgotten, and are the others kept?

Forgotten: UR is at most a third of what it was before. Kept: the distance of the other images from real retained ones
is at most 1.5 times what it was. Both numbers are ours; the search, the pages and their figures go by them.
"""

from collections.abc import Mapping
from typing import Any

from paperlib.checks import need_finite

__all__ = ["FARTHER", "FEWER", "score", "verdict"]

FEWER = 3  # times fewer samples that show the class, at least
FARTHER = 1.5  # times the distance before, at most


def score(ur: float | None, distance: float | None, before: Mapping[str, Any]) -> float | None:
    """The worse of both misses, max(3 UR / UR before, distance / (1.5 distance before)): at most 1 where both halves
    of the rule hold, and the smallest is the best.

    ``before`` has the base model's ``ur`` and ``distance``. None where nothing was drawn whose distance can be taken.
    """
    if not before["ur"]:
        raise ValueError("no sample of the base model shows what is to be forgotten: there is nothing to score")
    if ur is None or distance is None:
        return None
    need_finite(ur=[ur], distance=[distance], before=[before["ur"], before["distance"]])
    return max(FEWER * ur / before["ur"], distance / (FARTHER * before["distance"]))


def verdict(ur: float, distance: float | None, before: Mapping[str, Any]) -> str:
    """Both halves in words. A model that draws too little for a distance has damaged the others."""
    forgotten = FEWER * ur <= before["ur"]
    kept = distance is not None and distance <= FARTHER * before["distance"]
    if forgotten:
        return "forgotten and kept" if kept else "forgotten and damaged"
    return "kept and not forgotten" if kept else "neither"
