"""What the comparison page measures for every model of a bench, and the looks of its runs."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from companion.comparison.bench import Bench, measure, run, settings, wanted
from companion.comparison.course_memory import peak_mb
from companion.comparison.course_results import cost, looks, stopped, without_gaps
from companion.comparison.entrants import ENTRANTS
from companion.evaluation.samples import draw, drawn, find
from companion.machine import pick_device
from companion.page import recorded
from companion.records import Record
from companion.store import Store

__all__ = ["MEASURES", "first_samples", "protocol", "record_of", "titles", "ways"]

#: What is recorded for a model, with its unit and its decimals in tables.
MEASURES = {
    "UR": ("%", 1),
    "PUL": ("%", 0),
    "distance": ("squared distance", 2),  # of the samples that do not show what is to be forgotten
    "distance of all": ("squared distance", 2),  # VDU's u-FID
    "precision": ("share", 2),
    "recall": ("share", 2),
    "entropy": ("nats", 2),
    "bits D_g": ("bits/dim", 2),
    "bits D_f": ("bits/dim", 2),
}


def titles(names: Sequence[str]) -> dict[str, str]:
    """Return the titles of the models: before, the retrained one, and some entrants."""
    return {"before": "before", "retrained": "Retrained"} | {name: ENTRANTS[name].title for name in names}


def protocol(bench: Bench, metric: str) -> dict[str, Any]:
    """Return how a measure is taken, for the record."""
    if metric.startswith("bits"):
        side = metric.removeprefix("bits ")
        return {"test": side, "images": bench.images, "strata": bench.strata, "shared": "test images"} | {
            "recipe": "bound" if bench.kind.process == "ddpm" else "flow"
        }
    return {"sampler": bench.sampler}


def ways(store: Store, bench: Bench, names: Sequence[str], seeds: Sequence[int]) -> dict[str, Any]:
    """Return the runs of some entrants as ``courses``, ``stopped`` and ``costs``, a list over seeds each; also their
    ``settings``, the ``bench``, and ``real``: the UR of real retained images, and the distance of as many as there are
    samples."""
    entries = {name: [run(store, bench, name, seed) for seed in seeds] for name in names}
    memory = {name: {"peak_mb": peak_mb(store, wanted(bench, name, seeds[0]))} for name in names}
    found = measure(store, bench, bench.base, seeds[0])
    floor, perfect = found["UR"]["details"], found["distance"]["details"]["perfect_model"]
    low, high = floor["floor_interval"]
    return {
        "titles": titles(names),
        "real": {"ur": floor["floor"], "ur_low": low, "ur_high": high, "distance": perfect},
        "courses": {name: [without_gaps(looks(one)) for one in several] for name, several in entries.items()},
        "stopped": {name: [stopped(one) for one in several] for name, several in entries.items()},
        "costs": {name: [cost(one) | memory[name] for one in several] for name, several in entries.items()},
        "settings": {name: settings(bench, name) for name in names},
        "bench": bench.model_dump(mode="json"),
    }


def first_samples(store: Store, bench: Bench, checkpoint: str, seed: int, count: int) -> Tensor:
    """Return the first of the measured samples; every model's start from the same noise."""
    how = {"sampler": "iPNDM", "evaluations": bench.sampler, "guidance": 0.0, "classes": ()}
    return drawn(draw(store, find(checkpoint), pick_device(), n=bench.n, seed=seed, **how))[:count]


def record_of(base: str, forget: str) -> Record | None:
    """Return the comparison page's committed record if it is about this base model and class; else None."""
    record = recorded("compare_all_methods")
    bench = record.series["bench"] if record else {}
    return record if (bench.get("base"), bench.get("forget")) == (base, forget) else None
