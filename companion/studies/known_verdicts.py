"""The verdicts of every measure on the cases with a known answer: which measures, and which pairs, are fooled.

A measure accepts a model if its interval does not rule out that the model forgot and kept the rest. For what is left of
the forgotten class the bound is the classifier's floor; for everything else it is the model before unlearning.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import combinations_with_replacement
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from companion.classifiers import classifier, predict
from companion.seeds import generator
from companion.studies.known_cases import CASES, Case, Known
from paperlib.metrics import forgetting
from paperlib.metrics.features import Network, features, penultimate
from paperlib.metrics.frechet import Frechet, frechet, statistics
from paperlib.metrics.precision_recall import PrecisionRecall, precision_recall

__all__ = ["MEASURES", "Judged", "Judge", "over_seeds", "overview", "wrong"]

#: Name -> title, unit, and whether a smaller value is better.
MEASURES: dict[str, tuple[str, str, bool]] = {
    "ur": ("UR", "%", True),
    "pul": ("PUL", "%", False),
    "p_forget": (r"$P(c_f \mid x_f)$", "probability", True),
    "entropy": ("entropy", "nats", False),
    "frechet": ("u-Fréchet", "squared distance", True),
    "precision": ("precision", "share", False),
    "recall": ("recall", "share", False),
}


@dataclass(frozen=True)
class Judged:
    """A measure of a case, its bound, and whether the interval reaches it.

    Args:
        value, low, high: the number and its 95 % interval.
        bound: the worse end of the floor, or of the model before unlearning.
        accepts: whether the measure accepts the model as one that forgot and kept the rest.
    """

    value: float
    low: float
    high: float
    n: int
    bound: float
    accepts: bool


class Judge:
    """A set's classifier, the real test images, and the measures of the model before.

    Args:
        known: the cases.
        dataset: the data set of the classifier.
        k: the number of neighbours for precision and recall.
        seed: the seed of the bootstraps.
    """

    def __init__(self, known: Known, dataset: str, *, k: int = 3, seed: int = 0):
        self.known, self.k, self.seed = known, k, seed
        self.classifier = classifier(dataset)
        self.network: Network = penultimate(self.classifier, f"the {dataset} classifier")
        self.real = {"all": known.test.images, "retained": known.retained}
        self.reference = {side: statistics(images, self.network, 500) for side, images in self.real.items()}

    def stream(self, what: str) -> torch.Generator:
        """Return the random stream of a bootstrap."""
        return generator(self.seed, f"known verdicts/{what}", "evaluation")

    def shown(self, images: Tensor) -> Tensor:
        """Return which images show the forgotten class according to the classifier."""
        return forgetting.shows_class(predict(self.classifier, images), self.known.forget)

    @cached_property
    def before(self) -> Tensor:
        """The same for the samples before unlearning."""
        return self.shown(self.known.before.samples)

    @cached_property
    def retained(self) -> Tensor:
        """The logits of real retained images, for the floors."""
        return predict(self.classifier, self.known.retained)

    @property
    def floor(self) -> Tensor:
        """Which real retained images the classifier takes for the forgotten class."""
        return forgetting.shows_class(self.retained, self.known.forget)

    def ur(self, case: Case) -> Judged:
        """Judge UR against the classifier's floor."""
        found = forgetting.unlearning_ratio(self.shown(case.samples), self.floor)
        return _judged(found, found.floor.interval[1], lower=True)

    def pul(self, case: Case) -> Judged:
        """Judge PUL against the best that the floor allows."""
        found = forgetting.percentage_unlearned(self.before, self.shown(case.samples), self.floor)
        return _judged(found, found.floor.interval[0], lower=False)

    def p_forget(self, case: Case) -> Judged:
        """Judge P(c_f | x_f) against that of real retained images."""
        found, least = (
            forgetting.forgotten_probability(logits, self.known.forget, self.stream("probability"))
            for logits in (predict(self.classifier, case.asked), self.retained)
        )
        return _judged(found, least.interval[1], lower=True)

    def entropy(self, case: Case) -> Judged:
        """Judge the entropy, which should have risen: its interval must lie entirely above that before unlearning."""
        found, before = (
            forgetting.entropy(predict(self.classifier, images), self.stream("entropy"))
            for images in (case.asked, self.known.before.asked)
        )
        low, high = found.interval
        return Judged(found.value, low, high, found.n, before.interval[1], low > before.interval[1])

    def frechet(self, case: Case) -> Judged:
        """Judge the distance from real retained images, against the distance from all real images before unlearning."""
        return _judged(self._distance(case, "retained"), self.distance_before.interval[1], lower=True)

    @cached_property
    def distance_before(self) -> Frechet:
        """The distance of the model before unlearning from all real images."""
        return self._distance(self.known.before, "all")

    def _distance(self, case: Case, side: str) -> Frechet:
        own = features(case.samples, self.network, 500)
        name = self.network.name
        return frechet(own, self.reference[side], network=name, generator=self.stream("distance"))

    def precision(self, case: Case) -> Judged:
        """Judge precision with respect to real retained images, against that before unlearning with respect to all."""
        found = self._neighbours(case, "retained").precision
        return _judged(found, self.neighbours_before.precision.interval[0], lower=False)

    def recall(self, case: Case) -> Judged:
        """Judge recall of real retained images, against that of all real images before unlearning."""
        found = self._neighbours(case, "retained").recall
        return _judged(found, self.neighbours_before.recall.interval[0], lower=False)

    @cached_property
    def neighbours_before(self) -> PrecisionRecall:
        """Precision and recall of the model before unlearning, with respect to all real images."""
        return self._neighbours(self.known.before, "all")

    def _neighbours(self, case: Case, side: str) -> PrecisionRecall:
        images = self.real[side]
        order = torch.randperm(len(images), generator=self.stream("reference"))[: len(case.samples)]
        own, real = (features(part, self.network, 500) for part in (case.samples, images[order]))
        return precision_recall(own, real, network=self.network.name, k=self.k)

    def all(self, case: Case) -> dict[str, Judged]:
        """Return every measure of a case."""
        measures: dict[str, Callable[[Case], Judged]] = {name: getattr(self, name) for name in MEASURES}
        return {name: measure(case) for name, measure in measures.items()}


def over_seeds(several: Sequence[Mapping[str, Mapping[str, Judged]]]) -> dict[str, dict[str, Judged]]:
    """Combine the seeds for each case and measure: the means of values, ends and bounds, accepted if most seeds accept.
    An interval is then still one over images, within the range of the quantity."""
    numbers = ("value", "low", "high", "bound")
    found: dict[str, dict[str, Judged]] = {}
    for case, measures in several[0].items():
        for name, first in measures.items():
            each = [one[case][name] for one in several]
            means = {number: fmean(getattr(one, number) for one in each) for number in numbers}
            most = 2 * sum(one.accepts for one in each) > len(each)
            found.setdefault(case, {})[name] = Judged(**means, n=first.n, accepts=most)
    return found


def overview(judged: Mapping[str, Mapping[str, Judged]]) -> dict[str, Any]:
    """Return the series of a record that the figures and the table use: "before" and the cases, the results of each
    measure, and the cases that each pair of measures judges wrongly."""
    good = {name: forgot and kept for name, (_, forgot, kept) in CASES.items()}
    accepts = {case: {name: one.accepts for name, one in judged[case].items()} for case in good}
    labels = {"before": "before unlearning"} | {name: said for name, (said, _, _) in CASES.items()}
    return {
        "order": list(good),
        "measures": list(MEASURES),
        "names": {name: said for name, (said, _, _) in MEASURES.items()},
        "units": {name: unit for name, (_, unit, _) in MEASURES.items()},
        "labels": labels,
        "good": good,
        "judged": {case: {name: asdict(one) for name, one in of.items()} for case, of in judged.items()},
        "pairs": [[a, b, cases] for (a, b), cases in wrong(accepts, good).items()],
    }


def _judged(found, bound: float, *, lower: bool) -> Judged:
    """Accept, unless the whole interval is worse than the bound."""
    low, high = found.interval
    return Judged(found.value, low, high, found.n, bound, low <= bound if lower else high >= bound)


def wrong(accepts: dict[str, dict[str, bool]], good: dict[str, bool]) -> dict[tuple[str, str], list[str]]:
    """Return the cases that each pair of measures judges wrongly; a pair accepts what both accept, and may be a measure
    with itself.

    Args:
        accepts: case -> measure -> whether it accepts.
        good: case -> the truth.
    """
    measures = list(next(iter(accepts.values())))
    return {
        (a, b): [case for case, said in accepts.items() if (said[a] and said[b]) != good[case]]
        for a, b in combinations_with_replacement(measures, 2)
    }
