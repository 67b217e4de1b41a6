"""What the pages on exact negation share: a task's models that learn nothing, and every model's measures and samples.

A *task* is a process and the classes to be forgotten, as in ``"ve:3,7"``.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from companion.evaluation.measures import Result
from companion.evaluation.samples import drawn
from companion.evaluation.subject import Subject
from companion.models import Model
from companion.plots.images import contact_sheet
from companion.plots.negation import SHOWN
from companion.rows import Row, row
from companion.studies.negation import look, measures
from companion.studies.recognised import surely

__all__ = ["Models", "rows_of", "sheet_of", "tasks_in", "untaught"]

#: (process, classes, seed) -> (facts, samples) of each model
Models = Callable[[str, str, int], Iterable[tuple[Mapping[str, Any], Subject]]]


def tasks_in(text: str) -> list[tuple[str, str]]:
    """Return the tasks of a parameter, such as ``"ddpm:1;ve:3,7"``."""
    return [tuple(task.split(":")) for task in text.split(";")]


def untaught(standard: Model, forget: str, weights: str, **drawing: Any) -> Iterator[tuple[Mapping[str, Any], Subject]]:
    """Yield facts and samples of the models of a task that learn nothing: the base model, the one retrained without the
    classes if there is one, and negation during sampling with each of the ``weights``, as in ``"1,4"``."""
    for model in (standard, standard.retrained(without=forget)):
        if not model.missing:
            yield model.facts, look(model, forget, **drawing)
    for w in map(float, weights.split(",")):
        yield standard.facts | dict(method="without", w=w), look(standard, forget, w=w, **drawing)


def rows_of(
    models: Models,
    tasks: Iterable[tuple[str, str]],
    seeds: Sequence[int],
    *,
    also: Callable[[tuple[str, str], int, Subject], Mapping[str, Result]] = lambda *_: {},
) -> Iterator[Row]:
    """Yield, for every model of every task and seed, both judges' UR, the share of samples in which both are sure, the
    distance of the rest, and what ``also`` measures, given the task, the seed and the samples."""
    for process, forget in tasks:
        for seed in seeds:
            for facts, subject in models(process, forget, seed):
                found = measures(subject) | {"surely": surely(subject)} | also((process, forget), seed, subject)
                told = facts | dict(process=process, forget=forget)
                told |= dict(sampler_evaluations=subject.protocol.evaluations)
                for metric, one in found.items():
                    how = dict(metric=metric, n=one.n, interval=one.interval, unit=one.unit)
                    yield row(one.value, **how, seed=seed, **told)


def sheet_of(models: Models, tasks: Iterable[tuple[str, str]], seed: int) -> Any:
    """Lay out samples of the models of every task that :mod:`companion.plots.negation` shows."""
    shown = {
        f"{process} {forget} {facts['method']}": drawn(subject.samples)[:14]
        for process, forget in tasks
        for facts, subject in models(process, forget, seed)
        if (facts["method"], facts.get("w", "")) in SHOWN
    }
    small = next(iter(shown.values())).shape[-1] < 16  # digits of 8 x 8 pixels
    return contact_sheet(shown, columns=14, scale=4 if small else 2)
