"""EraseDiff's measures of a conditional model: images of the retained classes compared with real ones, and images
conditioned on the forgotten class."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from companion.evaluation.features import real_images
from companion.evaluation.measures import METRICS, Result
from companion.evaluation.samples import Checkpoint, drawn
from companion.evaluation.subject import Subject
from companion.measures import subject_of
from companion.models import Model
from companion.rows import Row, row
from paperlib.data.splits import forgotten
from paperlib.metrics.frechet import Statistics, frechet, perfect_model

__all__ = ["Kept", "kept", "measured", "moves", "rows_of"]

#: The measures in each network's features, and those that need the classifier's answer.
ASKED = {"classifier": ("u-frechet", "u-precision-recall", "p-forget", "entropy")}
ASKED |= {"inception": ("u-fid", "u-precision-recall")}


@dataclass
class Kept(Subject):
    """A conditional checkpoint whose samples are conditioned on the retained classes in turn and compared with real
    images of these classes: EraseDiff's FID, precision and recall (Table 1's caption)."""

    def all_classes(self, checkpoint: Checkpoint) -> tuple[int, ...]:
        """Return the retained classes."""
        return tuple(k for k in super().all_classes(checkpoint) if k not in self.observer.classes)

    def kept(self, real: Tensor, unlearned: bool) -> tuple[Tensor, str]:
        """Return the reference features with retained labels; VDU's u-FID uses a classifier instead."""
        mask = ~forgotten(real_images(self.real), self.protocol.forget)
        return real[mask], f"those of {len(real)} images of {self.dataset}-{self.protocol.reference} with these labels"


def kept(model: Model, forget: str, metrics: tuple[str, ...], **protocol: Any) -> Kept:
    """Return the model under a :class:`~companion.evaluation.subject.Protocol`."""
    found = subject_of(model, metrics, forget, **protocol)
    return Kept(found.checkpoint, found.protocol, found.store, found.device)


def measured(model: Model, forget: str, metrics: tuple[str, ...], **protocol: Any) -> dict[str, Result]:
    """Return the results of these metrics, by the names of :mod:`companion.evaluation.measures`."""
    subject = kept(model, forget, metrics, **protocol)
    found = (one for name in metrics for one in METRICS[name][0](subject))
    return {one.name.partition(" distance")[0]: one for one in found}


def rows_of(
    model: Model, forget: str, *, networks: Sequence[str], fid: Mapping[str, Any], **protocol: Any
) -> Iterator[Row]:
    """Yield Table 1's rows. With the network "classifier": the Frechet distance of the retained classes,
    ``rest-frechet``, precision and recall in the classifier's features; P(c_f | x_f) and the entropy. With "inception":
    FID, precision and recall in its features, by a protocol that differs from the others' in ``fid``, such as its
    ``n``; only these are compared with the printed ones. With the model before comes the FID of a perfect model."""
    names = {"u-FID": ("fid", "FID"), "u-Frechet": ("rest-frechet", "squared distance")}
    names |= {"P(c_f|x_f)": ("p_forget", "probability"), "entropy": ("entropy", "nats")}
    facts = model.facts | {"forget": forget, "sampler": protocol["sampler"], "guidance": protocol["guidance"]}
    facts |= {"sampler_evaluations": protocol["evaluations"]}
    for network in networks:
        own, plain = (fid, "") if network == "inception" else ({}, "classifier ")
        names |= {f"u-{word}": (plain + word, "fraction") for word in ("precision", "recall")}
        found = measured(model, forget, ASKED[network], features=network, **protocol | dict(own))
        for name, one in found.items():
            metric, unit = names[name]
            told = {"metric": metric, "unit": unit, "n": one.n, "interval": one.interval, "seed": protocol["seed"]}
            told |= {key: one.details[key] for key in ("feature_network", "reference", "k") if key in one.details}
            yield row(one.value, **told, **facts)
            if model.run is None and metric == "fid" and "perfect_model" in one.details:
                yield row(one.details["perfect_model"], **facts | told | {"metric": "perfect fid", "interval": None})


def moves(
    model: Model,
    forget: str,
    *,
    features: str,
    reference: str,
    reference_n: int,
    steps: Sequence[int],
    guidances: Sequence[float],
    ns: Sequence[int],
    sampler: str,
    seed: int,
) -> list[dict[str, float]]:
    """Return how the distance of one model's images of the retained classes, FID with Inception's ``features``, changes
    with sampler ``steps``, guidance and the number of images, with the interval of the most images; the distance of a
    ``perfect`` model with as many; and the share of the images that ``shows`` the requested class according to the
    classifier. Guidance doubles a step's evaluations, so they are counted separately."""
    found, perfect = [], {}
    for guidance, count in itertools.product(guidances, steps):
        told = {"n": max(ns), "evaluations": count * (2 if guidance else 1), "guidance": guidance}
        told |= {"reference": reference, "reference_n": reference_n}
        subject = kept(model, forget, ("u-frechet",), sampler=sampler, seed=seed, **told)
        name, own, real = subject.features(features)
        statistics = Statistics.of(subject.kept(real, True)[0], name)
        classes = torch.tensor(subject.all_classes(subject.checkpoint))
        asked = classes[torch.arange(max(ns)) % len(classes)]
        shows = subject.observer.logits(drawn(subject.samples)).argmax(1) == asked
        perfect = perfect or {n: perfect_model(statistics, n, torch.Generator().manual_seed(seed)) for n in ns}
        for n in ns:
            draws = torch.Generator().manual_seed(seed) if n == max(ns) else None
            one = frechet(own[:n], statistics, network=name, generator=draws, resamples=40)
            protocol = {"steps": count, "guidance": guidance, "n": n, "perfect": perfect[n]}
            protocol |= {"shows": shows[:n].double().mean().item(), "value": one.value}
            found.append(protocol | dict(zip(("low", "high"), one.interval or ())))
    return found
