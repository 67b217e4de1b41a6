"""The measures of a checkpoint by the names that ``python -m companion evaluate --metrics`` takes.

Each is a function of a :class:`~companion.evaluation.subject.Subject`, which computes once what several of them need:
samples, their features and logits, and the same for real images.
"""

from collections.abc import Callable
from typing import Any

from companion.evaluation.likelihoods import likelihood
from companion.evaluation.samples import drawn
from companion.evaluation.subject import Subject
from companion.settings import Settings
from paperlib.likelihood.images import mean_interval
from paperlib.metrics import forgetting
from paperlib.metrics.frechet import Statistics, frechet, perfect_model
from paperlib.metrics.intervals import Measured
from paperlib.metrics.precision_recall import precision_recall

__all__ = ["METRICS", "Result"]


class Result(Settings):
    """One number, its 95 % interval, and what else it depends on besides the protocol."""

    name: str
    value: float
    interval: tuple[float, float] | None
    unit: str
    n: int
    details: dict[str, Any] = {}


def result(name: str, found: Any, unit: str, **details: Any) -> Result:
    """Make a result from what a metric returns: a value, an interval and a number of images."""
    return Result(name=name, value=found.value, interval=found.interval, unit=unit, n=found.n, details=details)


def distance(subject: Subject, network: str, unlearned: bool = False) -> list[Result]:
    """Return FID, or the Frechet distance in the classifier's features."""
    name, own, real = subject.features(network)
    real, words = subject.kept(real, unlearned)
    reference = Statistics.of(real, name)
    settings = {"generator": subject.stream("bootstrap"), "resamples": subject.protocol.resamples}
    found = frechet(own, reference, network=name, unlearned=unlearned, **settings)
    perfect = perfect_model(reference, len(own), subject.stream("perfect"))
    details = {"feature_network": name, "reference": words, "reference_n": reference.n}
    return [result(found.name, found, "squared distance", **details, perfect_model=perfect)]


def distance_of_the_rest(subject: Subject) -> list[Result]:
    """Return the Frechet distance between the samples that do not show D_f and real retained images.

    VDU's u-FID takes all samples, so it also penalises samples that show D_f, which UR measures already. If fewer than
    four samples are left, all are used.
    """
    name, own, real = subject.features("classifier")
    shown = subject.observer.shown(drawn(subject.samples))
    left = int((~shown).sum())
    own = own[~shown] if left > 3 else own
    real, words = subject.kept(real, unlearned=True)
    reference = Statistics.of(real, name)
    settings = {"generator": subject.stream("bootstrap"), "resamples": subject.protocol.resamples}
    found = frechet(own, reference, network=name, **settings)
    perfect = perfect_model(reference, len(own), subject.stream("perfect"))
    details = {"feature_network": name, "reference": words, "reference_n": reference.n}
    details |= {"of": f"the {left} samples that do not show it" if left > 3 else "all samples"}
    return [result(f"rest-{found.name}", found, "squared distance", **details, perfect_model=perfect)]


def neighbours(subject: Subject, unlearned: bool = False) -> list[Result]:
    """Return precision and recall against as many real images as there are samples, or all of the reference if
    fewer."""
    name, own, real = subject.features(subject.protocol.features)
    real, words = subject.kept(real, unlearned)
    real, words = real[: len(own)], f"{words}; of these the first {min(len(own), len(real))}"
    found = precision_recall(own, real, network=name, k=subject.protocol.k)
    details = {"feature_network": name, "reference": words, "reference_n": found.recall.n, "k": found.k}
    prefix = "u-" if unlearned else ""
    return [
        result(prefix + word, Measured(one.value, one.interval, found.precision.n), "share", **details)
        for word, one in {"precision": found.precision, "recall": found.recall}.items()
    ]


def _floored(name: str, found: forgetting.Forgetting, **details: Any) -> Result:
    return result(name, found, "%", floor=found.floor.value, floor_interval=list(found.floor.interval), **details)


def unlearning_ratio(subject: Subject) -> list[Result]:
    """Return UR of all samples."""
    return [_floored("UR", subject.observer.ratio(subject.observer.shown(drawn(subject.samples))))]


def percentage_unlearned(subject: Subject) -> list[Result]:
    """Return PUL relative to the samples of the checkpoint before unlearning."""
    before = subject.drawing(subject.before, subject.protocol.n, subject.all_classes(subject.before))
    shown = (subject.observer.shown(drawn(one)) for one in (before, subject.samples))
    found = forgetting.percentage_unlearned(*shown, subject.observer.floor)
    return [_floored("PUL", found, before=subject.before.name, before_sha256=subject.before.sha256)]


def forgotten_probability(subject: Subject) -> list[Result]:
    """Return P(c_f | x_f), and its floor, the value for real retained images."""
    found, least = (
        forgetting.forgotten_probability(logits, subject.observer.classes, subject.stream("probability"))
        for logits in (subject.conditioned, subject.observer.of_retained)
    )
    return [result("P(c_f|x_f)", found, "probability", floor=least.value, floor_interval=list(least.interval))]


def entropy(subject: Subject) -> list[Result]:
    """Return the classifier's entropy on samples conditioned on the forgotten class; for a model without labels, on
    all."""
    labels = subject.checkpoint.base.labels
    own = subject.conditioned if labels else subject.observer.logits(drawn(subject.samples))
    found, real = (
        forgetting.entropy(logits, subject.stream("entropy")) for logits in (own, subject.observer.of_retained)
    )
    details = {"of": "samples asked to show the forgotten" if labels else "all samples"}
    return [result("entropy", found, "nats", of_real_retained_images=real.value, **details)]


def likelihoods(subject: Subject, kind: str) -> list[Result]:
    """Return bits per dimension of test images, by the ODE at the image or at a noised one, or by the bound; for D_g
    and D_f separately if something is to be forgotten."""
    protocol, found = subject.protocol, []
    for side in ("retain", "forget") if protocol.forget else ("all",):
        wanted = {"kind": kind, "n": protocol.images, "seed": protocol.seed, "forget": protocol.forget, "side": side}
        wanted |= {"strata": protocol.strata} if kind == "bound" else {"tolerance": protocol.tolerance}
        bits = likelihood(subject.store, subject.checkpoint, subject.device, **wanted)
        name = {"nll": "NLL", "noised nll": "noised NLL", "bound": "bound"}[kind] + {
            "all": "",
            "retain": " D_g",
            "forget": " D_f",
        }[side]
        details = {"split": "test", "condition": "own class" if subject.checkpoint.base.labels else "none"}
        one = Measured(bits.mean().item(), mean_interval(bits), len(bits))
        found.append(result(name, one, "bits/dim", **details, recipe=RECIPE[kind], offset=0 if kind == "bound" else 7))
    return found


RECIPE = {"nll": "flow", "noised nll": "noised flow", "bound": "bound"}  # paperlib.likelihood.recipes


#: Name -> the measure, and what it needs ("forget", "before", "labels", "ddpm", "classifier", "inception").
METRICS: dict[str, tuple[Callable[[Subject], list[Result]], set[str]]] = {
    "fid": (lambda s: distance(s, "inception"), {"inception"}),
    "u-fid": (lambda s: distance(s, "inception", unlearned=True), {"inception", "classifier", "forget"}),
    "frechet": (lambda s: distance(s, "classifier"), {"classifier"}),
    "u-frechet": (lambda s: distance(s, "classifier", unlearned=True), {"classifier", "forget"}),
    "rest-frechet": (distance_of_the_rest, {"classifier", "forget"}),
    "precision-recall": (neighbours, set()),
    "u-precision-recall": (lambda s: neighbours(s, unlearned=True), {"classifier", "forget"}),
    "ur": (unlearning_ratio, {"classifier", "forget"}),
    "pul": (percentage_unlearned, {"classifier", "forget", "before"}),
    "p-forget": (forgotten_probability, {"classifier", "forget", "labels"}),
    "entropy": (entropy, {"classifier", "forget"}),
    "nll": (lambda s: likelihoods(s, "nll"), set()),
    "noised-nll": (lambda s: likelihoods(s, "noised nll"), set()),
    "bound": (lambda s: likelihoods(s, "bound"), {"ddpm"}),
}
