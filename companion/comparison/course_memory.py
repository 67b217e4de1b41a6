"""The peak memory of a run's updates: a stored step of its own, because counting makes an update ten times slower and
only one page shows it."""

import contextlib
import json
from itertools import islice
from pathlib import Path

from companion import bases
from companion.comparison.courses import Course, begin, fitted
from companion.machine import pick_device
from companion.memory import peak_bytes
from companion.store import Store
from paperlib.data.splits import split

__all__ = ["peak_mb"]


def peak_mb(store: Store, wanted: Course) -> float:
    """Return the peak memory in MB of two updates and the shortest possible preparation, beyond model and data; the
    same for all seeds (:func:`companion.memory.peak_bytes`)."""
    short = wanted.model_copy(update={"looks": (12,), "unit": "evaluations", "probes": 0, "seed": 0})
    entry = store.step("course-memory", short, _count)
    return json.loads((entry.path / "memory.json").read_text(encoding="utf-8"))["peak_mb"]


def _count(folder: Path, wanted: Course) -> None:
    kind = bases.BASES[wanted.base]
    device = pick_device()
    model, train = bases.load(wanted.base).to(device), bases.images(kind.dataset, "train").to(device)
    retain, forget = (bases.examples(kind, side) for side in split(train, wanted.forget))

    def work() -> object:
        fitted.cache_clear()  # its memory counts
        run, _, _ = begin(wanted, model, forget, retain, forget)
        with contextlib.suppress(FloatingPointError):
            list(islice(run, 2))
        return run

    (folder / "memory.json").write_text(json.dumps({"peak_mb": peak_bytes(work, device) / 1e6}), encoding="utf-8")
