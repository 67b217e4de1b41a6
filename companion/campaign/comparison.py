"""The comparison's runs as runs of the campaign: each entrant with each seed, trained, measured and stored.

The comparison pages then find them in the store; their ``seeds`` parameter says which ones they use.
"""

from dataclasses import dataclass, field
from pathlib import Path

import torch

from companion import checkpoints
from companion.campaign.step import Step
from companion.comparison.bench import Bench, measure, run, wanted
from companion.comparison.course_results import model_file
from companion.comparison.courses import done
from companion.comparison.entrants import ENTRANTS
from companion.folders import build_folder
from companion.machine import say
from companion.store import Store

__all__ = ["SEEDS", "BenchRun", "bench_runs"]

SEEDS = (0, 1, 2)  # an ordering needs three
MINUTES = 5.0  # for an MNIST entrant on one of two idle CPU cores


@dataclass
class BenchRun(Step):
    """One entrant with one seed on the laptop's bench."""

    entrant: str
    seed: int
    store: Store = field(default_factory=lambda: Store(build_folder() / "store"))

    @property
    def name(self) -> str:
        """The entrant and the seed."""
        return f"compare-{self.entrant}-{self.seed}"

    @property
    def bench(self) -> Bench:
        """The MNIST bench, which is the pages' default."""
        return Bench.of("laptop", dataset="mnist", process="ddpm", forget="1")

    def left(self) -> float:
        """Return 1 until the run is in this machine's store, then 0."""
        return 0.0 if done(self.store, wanted(self.bench, self.entrant, self.seed)) else 1.0

    def minutes(self) -> float:
        """Return an estimate for an idle CPU core."""
        return MINUTES

    def work(self) -> None:
        """Train and measure."""
        bench = self.bench
        found = measure(self.store, bench, str(model_file(run(self.store, bench, self.entrant, self.seed))), self.seed)
        say(f"{self.name}: UR {found['UR']['value']:.1f} %, distance {found['distance']['value']:.2f}")


def bench_runs(device: torch.device, folder: Path) -> list[BenchRun]:
    """Return every entrant, seed by seed, if the base model and its data are available."""
    if not checkpoints.card("mnist-ddpm", folder):
        return []
    return [BenchRun(name, seed) for seed in SEEDS for name in ENTRANTS]
