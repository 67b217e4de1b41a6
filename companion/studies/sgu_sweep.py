"""Results for every alpha: the search's own runs, with the likelihoods of test images."""

from collections.abc import Sequence
from typing import Any

from companion.comparison.search import Budget, candidate, search
from companion.measures import nll
from companion.models import Model, base
from companion.studies.sgu_search import BUDGET, KNOWN, LOSSES, PULLS, dims, entrants, searched
from paperlib.metrics.rule import score
from paperlib.unlearning.shrinkage import shrinkage

__all__ = ["sweep"]


def sweep(
    name: str, forget: str, answers: Sequence[float], *, budget: Budget = BUDGET, images: int, tolerance: float
) -> dict[str, Any]:
    """Return the results of each reading in the committed search at each c: alpha, UR and distance with held-out
    images, and bits per dimension of ``images`` test images per side. A base model without a search uses MNIST's
    readings.

    Returns {"dataset", "process", "forget", "before": {...}, "budget": {...}, "runs": [{"entrant", "alpha" and "c" or
    "w", "ur", "distance", "score", "D_g", "D_f"}]}. Non-finite values are left out.
    """
    among, known = entrants(name, answers, PULLS[: len(answers)]), searched(name, forget) or searched(*KNOWN)
    names = [one for one in [*LOSSES, "control", "negate"] if not known or one in known.entrants]
    standard, runs = base(name), []
    solve = dict(images=images, tolerance=tolerance, seed=0)
    found = search(standard.store, name, forget, budget, names, lambda text: None, among)
    for one in found.candidates:
        run = candidate(name, forget, budget, among[one.entrant], one.settings, held_out=True)
        model, weight = Model(name, one.entrant, forget, run), {k: v for k, v in one.settings.items() if k != "lr"}
        if one.entrant in LOSSES:
            weight["c"] = shrinkage(weight["alpha"], dims=dims(name), **LOSSES[one.entrant])
        seen = {"ur": one.ur, "distance": one.distance, "score": one.score} | _bits(model, forget, **solve)
        told = {key: value for key, value in seen.items() if value is not None}
        runs.append({"entrant": one.entrant} | weight | told)
    before = {"ur": found.ur, "distance": found.distance} | _bits(standard, forget, **solve)
    before["score"] = score(before["ur"], before["distance"], before)
    told = {"dataset": standard.kind.dataset, "process": standard.kind.process, "forget": forget}
    return told | {"before": before, "budget": budget.model_dump(), "runs": runs}


def _bits(model: Model, forget: str, **solve: Any) -> dict[str, float]:
    return {one.facts["test"]: one.value for one in nll(model, forget, **solve)}
