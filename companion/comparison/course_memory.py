"""The most memory that a course's updates hold: a stored step of its own, because counting slows an update down
tenfold, and one page alone shows it."""

import contextlib
import json
from itertools import islice
from pathlib import Path

from companion import bases
from companion.comparison.courses import Course, begin
from companion.machine import pick_device
from companion.memory import peak_bytes
from companion.store import Store
from paperlib.data.splits import split

__all__ = ["peak_mb"]


def peak_mb(store: Store, wanted: Course) -> float:
    """What two updates, and a preparation that is as short as can be, hold at once beside the model and the data, in
    MB; the same for all seeds (:func:`companion.memory.peak_bytes`)."""
    short = wanted.model_copy(update={"looks": (12,), "unit": "evaluations", "probes": 0, "seed": 0})
    entry = store.step("course-memory", short, _count)
    return json.loads((entry.path / "memory.json").read_text(encoding="utf-8"))["peak_mb"]


def _count(folder: Path, wanted: Course) -> None:
    kind = bases.BASES[wanted.base]
    device = pick_device()
    model, train = bases.load(wanted.base).to(device), bases.images(kind.dataset, "train").to(device)
    retain, forget = (bases.examples(kind, side) for side in split(train, wanted.forget))

    def work() -> object:
        run, _, _ = begin(wanted, model, forget, retain, forget)
        with contextlib.suppress(FloatingPointError):
            list(islice(run, 2))
        return run

    (folder / "memory.json").write_text(json.dumps({"peak_mb": peak_bytes(work, device) / 1e6}), encoding="utf-8")
