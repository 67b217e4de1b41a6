"""List the printed cells that each page covers: ``python -m companion reach`` writes ``results/reach.json``
(:mod:`companion.reach`)."""

import argparse
import contextlib
import io
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch

from companion import bases, measures
from companion.claims import load
from companion.comparison import course_memory, unlearned
from companion.evaluation.measures import Result
from companion.models import Model
from companion.page import Page
from companion.parameters import defaults, normalised
from companion.reach import FILE
from companion.rehearse import ROWS, cells, rehearsing
from companion.rows import Row, gather
from companion.studies import (
    erasediff_cost,
    erasediff_measures,
    inpainting_measures,
    latent_audits,
    latent_classes,
    latent_costs,
    latent_nudity,
    reconstruction,
    vdu_runs,
)
from paperlib.files import write_whole
from paperlib.metrics.intervals import Measured

__all__ = ["every", "main", "reaches"]

NAMES = {"ur": "UR", "pul": "PUL", "fid": "FID", "u-fid": "u-FID", "rest-frechet": "rest-Frechet distance"}


class _Reached(Exception):
    """Raised once the page has measured, since its other cells do not matter."""


def _measured(model: Model, metrics: tuple[str, ...], forget: str, **protocol: Any) -> dict[str, Result]:
    """Return a result for every name, without computing anything."""
    sides = {"nll": ["NLL D_g", "NLL D_f"], "noised-nll": ["noised NLL D_g", "noised NLL D_f"]}
    sides["bound"] = ["bound D_g", "bound D_f"]
    names = [name for metric in metrics for name in sides.get(metric, [NAMES.get(metric, metric)])]
    details = {"floor": 0.0, "reference": "real images", "perfect_model": 1.0}
    made = (Result(name=name, value=1.0, interval=None, unit="", n=10, details=details) for name in names)
    return {one.name: one for one in made}


def _erased(model: Model, forget: str, metrics: tuple[str, ...], **protocol: Any) -> dict[str, Result]:
    """Do the same for EraseDiff's measures, which have their own names."""
    own = {"u-fid": ["u-FID"], "u-frechet": ["u-Frechet"], "p-forget": ["P(c_f|x_f)"]}
    own |= {"u-precision-recall": ["u-precision", "u-recall"]}
    names = [name for metric in metrics for name in own.get(metric, [metric])]
    return {name: Result(name=name, value=1.0, interval=None, unit="", n=10) for name in names}


def _rows_alone(
    page: Page, rows: Callable[[], Iterable[Any]], *, tables: tuple[str, ...] = (), by: tuple[str, ...] = (), **_: Any
) -> None:
    values = gather((one for one in rows() if isinstance(one, Row)), page.name, tables, by)
    raise _Reached({value.claim for value in values} & load().keys())


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    """Pretend that every model exists and let every measure return at once."""
    drawn = {"accuracy": 50.0, "interval": [40.0, 60.0], "clean": 90.0, "n": 10, "evaluations": 1, "seconds": 1.0}
    spent = dict.fromkeys(("evaluations", "preparation", "inner", "updates", "seconds", "left", "reached"), 1.0)
    stubs = [
        (bases, "card", lambda name, folder=None: {"sha256": "0" * 64, "samples_seen": 1, "parameters": 1}),
        (Model, "checkpoint", lambda self: self.name),
        (Model, "made", lambda self: None),
        (measures, "measured", _measured),
        (erasediff_measures, "measured", _erased),
        (erasediff_cost, "until", lambda *_: spent),
        (course_memory, "peak_mb", lambda *_: 1.0),
        (unlearned, "cost", lambda _: spent),
        (latent_audits, "distances", lambda *_: iter(())),
        (latent_costs, "costs", lambda **_: iter(())),
        (latent_classes, "run", lambda *_, **__: {"ua": (100.0, 10, None), "fid_imagenette": (1.0, 10, None)}),
        (latent_nudity, "run", lambda *_, **__: {"fid": (1.0, 10), "clip_score": (30.0, 10), "counts": {}}),
        (vdu_runs, "held_out_score", lambda run, n: run.facts["lr"]),
        (inpainting_measures, "inpaint", lambda *_: None),
        (inpainting_measures, "results", lambda _: drawn),
        (inpainting_measures, "drawn", lambda *_, **__: (None, None)),
        (inpainting_measures, "classifier", lambda name: None),
        (inpainting_measures, "predict", lambda judge, images: torch.zeros(len(images), 40)),
        (reconstruction, "kept", lambda *_: Measured(50.0, (40.0, 60.0), 10)),
        (reconstruction, "apart", lambda *_: Measured(1.0, None, 10)),
        (reconstruction, "originals", lambda *_: SimpleNamespace(images=None)),
        (reconstruction, "returned", lambda *_: None),
        (inpainting_measures.clip, "clip_distance", lambda *_: Measured(1.0, None, 10)),
        (Page, "measure", _rows_alone),
    ]
    with contextlib.ExitStack() as changed:
        for where, name, stub in stubs:
            changed.enter_context(patch.object(where, name, stub))
        yield


def reaches(page: str, parameters: Mapping[str, Any]) -> set[str]:
    """Return the printed cells that a page's rows cover with these parameters. Call it inside ``rehearsing``."""
    names: dict[str, Any] = {"__name__": "__main__"}
    with _answering(), contextlib.redirect_stdout(io.StringIO()):
        try:
            for source, tags in cells(page):
                if "parameters" in tags:
                    names |= normalised(defaults(page), {"profile": "paper", **parameters})
                else:
                    exec(compile(source, page, "exec"), names)
        except _Reached as found:
            return set(found.args[0])
    raise ValueError(f"{page} measures nothing")


def every(rows: Mapping[str, list[dict[str, Any]]] = ROWS) -> list[dict[str, Any]]:
    """Return, for each page and row, the parameters and the cells that they cover."""
    with tempfile.TemporaryDirectory() as folder, rehearsing(Path(folder)):
        found = [
            {"page": page, "parameters": parameters, "cells": sorted(reaches(page, parameters))}
            for page, several in rows.items()
            for parameters in several
        ]
    return found


def main(arguments: list[str] | None = None) -> int:
    """Write the file; return the exit status."""
    argparse.ArgumentParser(prog="python -m companion reach", description=main.__doc__).parse_args(arguments)
    write_whole(FILE, json.dumps(every(), indent=1))
    print(FILE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
