"""Fine-tuning by SGU, update by update, and the likelihood that Table 5 does not print of a DDPM."""

from collections.abc import Iterable, Iterator
from typing import Any

from companion.measures import distance, measured, nll, ur
from companion.models import Model
from companion.rows import Row, row

__all__ = ["bound", "courses"]


def bound(model: Model, forget: str, *, images: int, strata: int, seed: int) -> Iterator[Row]:
    """Bits a dimension by the variational bound (Ho et al., 2020, Eq. 5) of ``images`` test images of each side; of a
    DDPM, where Table 5 prints a backslash. Of other models nothing."""
    if not model.kind.process.startswith("ddpm"):
        return
    found = measured(model, ("bound",), forget, images=images, strata=strata, seed=seed)
    for side in ("D_g", "D_f"):
        one = found[f"bound {side}"]
        facts = model.facts | {
            "forget": forget,
            "test": side,
            "split": "test",
            "shared": "test images",
            "strata": strata,
        }
        told = {"n": one.n, "seed": seed, "interval": one.interval, "unit": "bits/dim"}
        yield row(one.value, metric="bound", **told, **facts, recipe="bound")


def courses(models: Iterable[tuple[Model, int]], forget: str, draw: dict[str, Any], solve: dict[str, Any]) -> dict:
    """By method: UR, distance and the likelihoods of both sides after so many updates, ``(model, updates)`` each."""
    found: dict[str, list[dict[str, float]]] = {}
    for model, updates in models:
        bits = {one.facts["test"]: one.value for one in nll(model, forget, **solve)}
        seen = {"ur": ur(model, forget, **draw).value, "distance": distance(model, forget, **draw).value}
        found.setdefault(model.method, []).append({"updates": updates} | seen | bits)
    return found
