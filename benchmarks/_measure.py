"""What the benchmarks share: their options, the machine's name, and turns taken one step at a time."""

import argparse
import os
import platform
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

__all__ = ["interleaved", "machine", "options"]


def options(about: str, *, batch: int, rounds: int) -> argparse.Namespace:
    """The command line of a benchmark; ``--smoke`` only shows that it runs, with one round of tiny batches."""
    parser = argparse.ArgumentParser(description=about.partition("\n")[0])
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--rounds", type=int, default=rounds, help="timed steps of each")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--smoke", action="store_true", help="one round of tiny batches: the numbers mean nothing")
    chosen = parser.parse_args()
    for name in ("batch", "rounds", "threads"):
        if getattr(chosen, name) < 1:
            parser.error(f"--{name} {getattr(chosen, name)} is not at least 1")
    if chosen.smoke:
        chosen.batch, chosen.rounds, chosen.threads = 2, 1, 1
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(0)
    return chosen


def machine() -> str:
    """The processor, torch's threads and version, and the settings of the allocator where there are any."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    allocator = [f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith("MALLOC_")]
    threads = f"{torch.get_num_threads()} thread(s) of {os.cpu_count()}"
    return ", ".join([next(models, platform.machine()), threads, f"torch {torch.__version__}", *allocator])


def interleaved(steps: Mapping[str, Callable[[], float]], rounds: int, warmup: int = 2) -> dict[str, float]:
    """The median of the seconds that each step returns.

    The contestants take turns, step by step, so that whatever else the machine does falls on all alike.
    """
    seconds = {name: [] for name in steps}
    for turn in range(warmup + rounds):
        for name, step in steps.items():
            taken = step()
            if turn >= warmup:
                seconds[name].append(taken)
    return {name: statistics.median(taken) for name, taken in seconds.items()}
