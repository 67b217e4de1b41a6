"""SGU fine-tuning, update by update."""

from collections.abc import Iterable
from typing import Any

from companion.measures import distance, nll, ur
from companion.models import Model

__all__ = ["courses"]


def courses(models: Iterable[tuple[Model, int]], forget: str, draw: dict[str, Any], solve: dict[str, Any]) -> dict:
    """Return, by method, UR, distance and the likelihoods of both sides after so many updates, from
    ``(model, updates)`` pairs."""
    found: dict[str, list[dict[str, float]]] = {}
    for model, updates in models:
        bits = {one.facts["test"]: one.value for one in nll(model, forget, **solve)}
        seen = {"ur": ur(model, forget, **draw).value, "distance": distance(model, forget, **draw).value}
        found.setdefault(model.method, []).append({"updates": updates} | seen | bits)
    return found
