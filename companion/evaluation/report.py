"""Evaluate a checkpoint: every measure with its interval and the whole protocol.

``python -m companion evaluate`` is the command line of :func:`evaluate`. Everything is checked before any work starts.
Samples, the Inception features of samples and real images, and likelihoods are steps of the store: a repeated call, or
one for further metrics, computes nothing twice, and an interrupted one resumes.
"""

import importlib.util
from pathlib import Path
from typing import Any, Literal

import pydantic
import torch

from companion import checkpoints
from companion.bases import images
from companion.classifiers import folder_of
from companion.evaluation.measures import METRICS, Result
from companion.evaluation.samples import Checkpoint, check_drawing, find, timing
from companion.evaluation.subject import Protocol, Subject
from companion.folders import build_folder
from companion.provenance import Origin
from companion.records import Provenance, plain
from companion.settings import Settings
from companion.store import Store
from paperlib.data.splits import forgotten
from paperlib.files import write_whole
from paperlib.metrics.features import MissingWeights, inception

__all__ = ["Evaluation", "evaluate", "prepare", "write"]


class Evaluation(Settings, populate_by_name=True):
    """The measurements of one checkpoint, and everything known about how they were made."""

    schema_: Literal[1] = pydantic.Field(1, alias="schema")
    checkpoint: str
    sha256: str
    base: dict[str, Any]  # the kind of model
    protocol: Protocol
    sampling: dict[str, float]  # counted evaluations per image, and the seconds for all samples
    results: list[Result]
    absent: dict[str, str] = {}  # metrics that could not be computed from the samples, each with the reason
    provenance: Provenance

    def table(self) -> str:
        """Return the results as a readable table."""
        rows = [("measure", "value", "95 % interval", "unit", "n")]
        for one in self.results:
            low_high = f"[{one.interval[0]:.4g}, {one.interval[1]:.4g}]" if one.interval else "-"
            rows.append((one.name, f"{one.value:.4g}", low_high, one.unit, str(one.n)))
        widths = [max(len(row[k]) for row in rows) for k in range(5)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
        return "\n".join([*lines, *(f"{name}: none, since {reason}" for name, reason in self.absent.items())])

    def details(self) -> str:
        """Return one line per number with what it depends on."""
        lines = []
        for one in self.results:
            lines += [f"{one.name}: " + "; ".join(f"{name} {_short(value)}" for name, value in one.details.items())]
        return "\n".join(lines)


def _short(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_short(one) for one in value) + "]"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def prepare(
    checkpoint: str, protocol: Protocol, *, device: torch.device, store: Store | None = None, folder: Path | None = None
) -> Subject:
    """Check everything that can be checked before any work: names, weights, data, and each metric's requirements."""
    if unknown := [name for name in protocol.metrics if name not in METRICS]:
        raise ValueError(f"metrics={unknown[0]!r} is not one of {', '.join(METRICS)}")
    if twice := [name for name in set(protocol.metrics) if protocol.metrics.count(name) > 1]:
        raise ValueError(f"metrics={twice[0]!r} is asked for twice")
    found = find(checkpoint, folder)
    before = find(protocol.before, folder) if protocol.before else None
    needed = {need: name for name in protocol.metrics for need in METRICS[name][1]}
    base = found.base
    if "forget" in needed and not protocol.forget:
        raise ValueError(f"{needed['forget']} needs forget, what is to be forgotten: --forget 3, or --forget dog")
    if "before" in needed and before is None:
        raise ValueError(f"{needed['before']} needs before, the checkpoint before unlearning: --before mnist-ddpm")
    if before is not None and before.base.dataset != base.dataset:
        raise ValueError(f"before={before.name!r} is a model of {before.base.dataset}, {found.name} of {base.dataset}")
    if "labels" in needed and not base.labels:
        raise ValueError(f"{needed['labels']} needs a model with labels, which {found.name} is not")
    if "ddpm" in needed and base.process != "ddpm":
        raise ValueError(f"{needed['ddpm']} is of a DDPM, and {found.name} is a {base.process} model: ask for nll")
    for one in (found, before):
        if one is not None:
            model = one.load()  # refuses a file that does not match its card
            check_drawing(model, protocol.sampler, protocol.evaluations, protocol.guidance)
    for part in {"test", protocol.reference}:
        data = images(base.dataset, part)
        if protocol.forget:
            forgotten(data, protocol.forget)
    _check_amounts(found, protocol)
    neighbours = any("precision-recall" in name for name in protocol.metrics)
    if "classifier" in needed or (neighbours and protocol.features == "classifier"):
        _check_classifier(base.dataset)
    if "inception" in needed or (neighbours and protocol.features == "inception"):
        _check_inception(device)
    return Subject(found, protocol, store or Store(build_folder() / "store"), device, before)


def _check_amounts(checkpoint: Checkpoint, protocol: Protocol) -> None:
    """Refuse numbers of images too small for neighbours or a covariance."""
    reference = images(checkpoint.base.dataset, protocol.reference)
    reference = reference.only(torch.arange(min(protocol.reference_n or len(reference), len(reference))))
    for name in protocol.metrics:
        real = reference
        if name.startswith("u-") or name == "rest-frechet":
            real = real.only(~forgotten(real, protocol.forget))
        if "precision-recall" in name and not protocol.k < min(protocol.n, len(real)):
            raise ValueError(f"k={protocol.k} neighbours of n={protocol.n} samples and {len(real)} real images")
        if name.endswith(("fid", "frechet")) and len(real) < 2:
            left = f"reference_n={protocol.reference_n} leaves {len(real)} real images"
            raise ValueError(f"{left}, and {name} needs two")


def _check_classifier(dataset: str) -> None:
    folder = folder_of(dataset)
    if checkpoints.card(f"classifier-{dataset}", folder) is None:
        raise FileNotFoundError(
            f"there is no classifier of {dataset} in {folder}. To train it: python -m companion classifier {dataset}"
        )


def _check_inception(device: torch.device) -> None:
    if importlib.util.find_spec("pytorch_fid") is None:
        raise MissingWeights("FID needs pytorch-fid: pip install pytorch-fid. Or ask for frechet: classifier features")
    inception(device)


def evaluate(subject: Subject, say=lambda text: None) -> Evaluation:
    """Measure what the protocol asks for; ``say`` is called with each step as it begins."""
    origin = Origin("evaluate")
    results, sampled, absent = [], {}, {}
    for name in subject.protocol.metrics:
        say(f"{subject.checkpoint.name}: {name} ...")
        try:
            results += METRICS[name][0](subject)
        except (
            ValueError,
            FloatingPointError,
        ) as error:  # this metric fails on these samples; the others continue
            absent[name] = str(error)
    if "samples" in vars(subject):
        sampled = timing(subject.samples)
    checkpoint = subject.checkpoint
    return Evaluation(
        checkpoint=checkpoint.name,
        sha256=checkpoint.sha256,
        base=checkpoint.base.model_dump(),
        protocol=subject.protocol,
        sampling=sampled,
        results=[one.model_copy(update={"details": plain(one.details)}) for one in results],
        absent=absent,
        provenance=origin.provenance(),
    )


def write(evaluation: Evaluation, file: Path) -> Path:
    """Write JSON atomically: a reader sees the old file or the new one."""
    return write_whole(file, evaluation.model_dump_json(indent=1, by_alias=True))
