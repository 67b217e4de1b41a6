"""All entrants of a bench, run and measured: what the comparison page shows and records."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from companion.comparison import bench as benches
from companion.comparison.bench import Bench
from companion.comparison.course_results import cost, looks, model_file, probes, stopped, without_gaps
from companion.comparison.entrants import ENTRANTS
from companion.evaluation.samples import draw, drawn, find
from companion.records import Value, measured
from companion.store import Entry, Store
from paperlib.intervals import over_seeds

__all__ = ["MEASURES", "Compared"]

#: What is recorded of a model, with its unit and its decimals in tables.
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
FIXED = ("before", "retrained")


class Compared:
    """Runs and measures of some entrants, from the store where they are there.

    Args:
        names: of ``companion.comparison.entrants.ENTRANTS``.
        seeds: of training and noise; seed by seed everything is paired.
    """

    def __init__(self, store: Store, bench: Bench, names: Sequence[str], seeds: Sequence[int]):
        self.store, self.bench, self.names, self.seeds = store, bench, list(names), list(seeds)
        self.twin = benches.retrained(bench)
        self.entries: dict[str, list[Entry]] = {}
        self.found: dict[str, list[dict[str, dict[str, Any]]]] = {}
        fixed = {"before": bench.base} | ({"retrained": self.twin} if self.twin else {})
        for name, checkpoint in fixed.items():
            self.found[name] = [benches.measure(store, bench, checkpoint, seed) for seed in self.seeds]

    @property
    def titles(self) -> dict[str, str]:
        """Of everything that was measured."""
        known = {"before": "before", "retrained": "Retrained"}
        return {name: known.get(name) or ENTRANTS[name].title for name in self.found}

    def run(self, name: str) -> str:
        """Train an entrant with every seed and measure its models; in a line, what came out."""
        self.entries[name] = [benches.run(self.store, self.bench, name, seed) for seed in self.seeds]
        files = [str(model_file(entry)) for entry in self.entries[name]]
        self.found[name] = [
            benches.measure(self.store, self.bench, file, seed) for file, seed in zip(files, self.seeds)
        ]
        ur, distance = (fmean(one[what]["value"] for one in self.found[name]) for what in ("UR", "distance"))
        return f"{ENTRANTS[name].title:22} UR {ur:5.1f} %   distance {distance:6.2f}"

    def checkpoint(self, name: str, k: int = 0) -> str:
        """What :func:`companion.evaluation.report.prepare` takes, for seed number ``k``."""
        return {"before": self.bench.base, "retrained": self.twin}.get(name) or str(model_file(self.entries[name][k]))

    def samples(self, name: str, count: int) -> Tensor:
        """The first of its samples with the first seed; every model's begin at the same noise."""
        settings = {"sampler": "iPNDM", "evaluations": self.bench.sampler, "guidance": 0.0, "classes": ()}
        checkpoint = find(self.checkpoint(name))
        entry = draw(self.store, checkpoint, torch.device("cpu"), n=self.bench.n, seed=self.seeds[0], **settings)
        return drawn(entry)[:count]

    def values(self, page: str) -> list[Value]:
        """For the record, one for each model and measure."""
        facts = self.bench.model_dump(mode="json", exclude={"looks", "probes", "glimpse"})
        found = []
        for name, per_seed in self.found.items():
            own = {} if name in FIXED else {"settings": benches.settings(self.bench, name)}
            for metric, (unit, _) in MEASURES.items():
                ones = [one[metric] for one in per_seed]
                protocol = {**facts, **own, "metric": metric, "ci95_images": [one["interval"] for one in ones]}
                settings = {"unit": unit, "n": ones[0]["n"], "dataset": self.bench.kind.dataset, "method": name}
                numbers = [one["value"] for one in ones]
                claim = f"ours.{page}/{name}/{metric.replace(' ', '_')}"
                found.append(measured(claim, numbers, seeds=self.seeds, protocol=protocol, **settings))
        return found

    def series(self) -> dict[str, Any]:
        """For the figures and the words."""
        return {
            "order": [name for name in self.found if name != "before"],
            "titles": self.titles,
            "looked": {name: self._point(name) for name in self.found},
            "real": self._real(),
            "courses": {n: [without_gaps(looks(entry)) for entry in entries] for n, entries in self.entries.items()},
            "stopped": {name: [stopped(entry) for entry in entries] for name, entries in self.entries.items()},
            "probes": {name: [probes(entry) for entry in entries] for name, entries in self.entries.items()},
            "costs": {name: [cost(entry) for entry in entries] for name, entries in self.entries.items()},
            "settings": {name: benches.settings(self.bench, name) for name in self.entries},
            "bench": self.bench.model_dump(mode="json"),
            "seeds": self.seeds,
        }

    def _point(self, name: str) -> dict[str, float]:
        """Mean and interval of each measure: over seeds where there are several, else over images."""
        point = {}
        for metric in MEASURES:
            ones = [one[metric] for one in self.found[name]]
            mean, low, high = over_seeds([one["value"] for one in ones], ones[0]["interval"])
            key = "ur" if metric == "UR" else metric
            point |= {key: mean, f"{key}_low": low, f"{key}_high": high}
        return point | {"low": point["distance_low"], "high": point["distance_high"]}

    def _real(self) -> dict[str, float]:
        """The floor of UR, and the distance of as many real retained training images as there are samples."""
        details = self.found["before"][0]["UR"]["details"]
        low, high = details["floor_interval"]
        perfect = self.found["before"][0]["distance"]["details"]["perfect_model"]
        return {"ur": details["floor"], "ur_low": low, "ur_high": high, "distance": perfect}
