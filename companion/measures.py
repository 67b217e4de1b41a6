"""Measures of models as rows for a record: the value, its interval over images, n, and all facts.

::

    yield ur(model, "3,7", n=2000, evaluations=10, seed=0)
    yield from nll(model, "3,7", images=128, seed=0)          # on test images of each side

Samples, features and likelihoods are stored steps: measures that need the same ones share them.
"""

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from companion import bases, claims
from companion.evaluation.likelihoods import likelihood
from companion.evaluation.measures import METRICS, Result
from companion.evaluation.report import prepare
from companion.evaluation.samples import find
from companion.evaluation.subject import Protocol, Subject
from companion.machine import pick_device
from companion.models import Model
from companion.rows import Row, row
from paperlib.data.splits import forgotten
from paperlib.likelihood.recipes import needs_recipe

__all__ = [
    "distance",
    "fid",
    "measured",
    "nll",
    "nll_per_image",
    "perfect",
    "pul",
    "share_of_training",
    "subject_of",
    "ufid",
    "ur",
]

SIDES = {"D_g": "retain", "D_f": "forget"}
FEWER = 20  # resamples in Inception's 2048 dimensions, where each takes half a second: half-widths accurate to 16 %


def subject_of(model: Model, metrics: tuple[str, ...], forget: str, **protocol: Any) -> Subject:
    """Return a model under a protocol, with what its samples and their observer provide."""
    asked = Protocol.checked(metrics=metrics, forget=forget, **protocol)
    return prepare(model.checkpoint(), asked, device=pick_device(), store=model.store)


def measured(model: Model, metrics: tuple[str, ...], forget: str, **protocol: Any) -> dict[str, Result]:
    """Return the results of ``companion.evaluate``'s metrics by name; every measure here uses them."""
    found = subject_of(model, metrics, forget, **protocol)
    return {one.name: one for name in metrics for one in METRICS[name][0](found)}


def _row(model: Model, found: Result, metric: str, forget: str, seed: int, unit: str = "", **facts: Any) -> Row:
    facts = model.facts | {"forget": forget} | facts
    return row(found.value, metric=metric, n=found.n, seed=seed, interval=found.interval, unit=unit, **facts)


def _drawing(n: int, evaluations: int, seed: int, sampler: str) -> dict[str, Any]:
    return {"n": n, "evaluations": evaluations, "seed": seed, "sampler": sampler}


def ur(model: Model, forget: str, *, n: int, evaluations: int, seed: int, sampler: str = "iPNDM") -> Row:
    """Return UR, the percentage of ``n`` samples that show ``forget`` according to the classifier. ``floor`` is the
    share of real retained test images that it takes for ``forget``."""
    found = measured(model, ("ur",), forget, **_drawing(n, evaluations, seed, sampler))["UR"]
    told = {"sampler": sampler, "sampler_evaluations": evaluations, "floor": found.details["floor"]}
    return _row(model, found, "ur", forget, seed, **told)


def pul(
    model: Model, before: Model, forget: str, *, n: int, evaluations: int, seed: int, sampler: str = "iPNDM"
) -> Row:
    """Return PUL, 100 - 100 UR / (UR of the model ``before``), in percent."""
    told = _drawing(n, evaluations, seed, sampler) | {"before": before.checkpoint()}
    found = measured(model, ("pul",), forget, **told)["PUL"]
    return _row(model, found, "pul", forget, seed, sampler=sampler, sampler_evaluations=evaluations)


def distance(model: Model, forget: str, *, n: int, evaluations: int, seed: int, sampler: str = "iPNDM") -> Row:
    """Return the Frechet distance, in the classifier's features, between the samples that do not show ``forget`` and
    real images without it: what became of the rest. Not an FID, which uses Inception's features."""
    results = measured(model, ("rest-frechet",), forget, **_drawing(n, evaluations, seed, sampler))
    found = next(one for name, one in results.items() if name.startswith("rest-Frechet distance"))
    told = {"sampler": sampler, "sampler_evaluations": evaluations, "unit": "squared distance"}
    return _row(model, found, "rest-frechet", forget, seed, **told)


def ufid(
    model: Model,
    forget: str,
    *,
    features: str = "inception",
    n: int,
    evaluations: int,
    seed: int,
    sampler: str = "iPNDM",
    real: int = 10_000,
) -> Row:
    """Return VDU's u-FID, the Frechet distance of all samples, including those that show ``forget``, from those of the
    first ``real`` training images that do not. In "classifier" features it is not an FID, and its metric is
    "u-frechet"."""
    seen = {"inception": ("u-fid", "ufid", ""), "classifier": ("u-frechet", "u-frechet", "squared distance")}
    asked, metric, unit = seen[features]
    drawing = _drawing(n, evaluations, seed, sampler)
    drawing |= {"resamples": FEWER, "reference_n": real} if features == "inception" else {}
    (found,) = measured(model, (asked,), forget, **drawing).values()
    told = {"sampler": sampler, "sampler_evaluations": evaluations, "reference": found.details["reference"]}
    return _row(model, found, metric, forget, seed, unit, **told)


def fid(model: Model, *, n: int, evaluations: int, seed: int, sampler: str = "iPNDM", real: int = 10_000) -> Row:
    """Return FID of ``n`` samples against the first ``real`` training images, with nothing to forget."""
    drawing = _drawing(n, evaluations, seed, sampler) | {"resamples": FEWER, "reference_n": real}
    (found,) = measured(model, ("fid",), "", **drawing).values()
    told = {"sampler": sampler, "sampler_evaluations": evaluations, "reference": found.details["reference"]}
    return _row(model, found, "fid", "", seed, **told)


def perfect(
    model: Model, forget: str, *, n: int, evaluations: int, seed: int, sampler: str = "iPNDM", real: int = 10_000
) -> Row:
    """Return the u-FID, or with nothing to ``forget`` the FID, of a perfect model: the bias of the model's own, for as
    many samples and the same real images."""
    asked, metric = ("u-fid", "ufid") if forget else ("fid", "fid")
    drawing = _drawing(n, evaluations, seed, sampler) | {"resamples": 2, "reference_n": real}
    (found,) = measured(model, (asked,), forget, **drawing).values()
    facts = model.facts | {"forget": forget, "reference": found.details["reference"]}
    unit = claims.metrics()[metric].unit
    return row(found.details["perfect_model"], metric=f"perfect {metric}", n=found.n, seed=seed, unit=unit, **facts)


#: recipe -> the metric's name in ``companion.evaluate`` and in a record, and the name of its results.
LIKELIHOODS = {
    "flow": ("nll", "nll", "NLL"),
    "noised flow": ("noised-nll", "noised nll", "noised NLL"),
    "bound": ("bound", "bound", "bound"),
}


def nll(model: Model, forget: str, *, images: int, seed: int, recipe: str = "flow", **solving: Any) -> Iterator[Row]:
    """Yield bits per dimension of ``images`` test images of each side.

    The ``recipe`` "flow" is the probability-flow ODE of score_sde and the papers; "noised flow" starts the ODE at
    noised images, where the model was trained; "bound" exists for DDPMs only. Each has its own metric
    (:mod:`paperlib.likelihood.recipes` explains what each one measures). ``solving``: the ODE's ``tolerance``, or the
    bound's ``strata``.
    """
    needs_recipe(recipe)
    asked, metric, called = LIKELIHOODS[recipe]
    if recipe == "bound" and not model.kind.process.startswith("ddpm"):
        return
    results = measured(model, (asked,), forget, images=images, seed=seed, **solving)
    told = {"split": "test", "shared": "test images", "recipe": recipe} | solving
    told |= {"unit": "bits/dim"} if metric != "nll" else {}
    for side in SIDES:
        yield _row(model, results[f"{called} {side}"], metric, forget, seed, test=side, **told)


def nll_per_image(model: Model, forget: str, *, images: int, tolerance: float, seed: int) -> dict[str, Tensor]:
    """Return bits per dimension of every single image by the "flow" recipe, by side."""
    told = {"kind": "nll", "forget": forget, "n": images, "tolerance": tolerance, "seed": seed}
    found = find(model.checkpoint())
    return {side: likelihood(model.store, found, pick_device(), side=word, **told) for side, word in SIDES.items()}


def share_of_training(model: Model, forget: str) -> float:
    """Return the size of D_f in percent of the base model's training images."""
    return 100 * forgotten(bases.images(model.kind.dataset, "train"), forget).double().mean().item()
