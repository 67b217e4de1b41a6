"""Search the settings of every entrant by one rule: ``python -m companion search mnist-ddpm --forget 1``.

Each entrant has twelve candidates: six of a grid (``companion.comparison.entrants.ENTRANTS``), and six around the best
so far (:mod:`companion.comparison.refine`). Each candidate is a full run with the comparison's budget on training
images, of which every fifth is held out. Its samples, from noise of their own, give the score of the book's rule
(:func:`paperlib.metrics.rule.score`), and the smallest score wins. No candidate is compared with test images
(:mod:`companion.comparison.held_out`). The result is committed with all candidates, as
``results/search/<base>-forget-<classes>.json``. Runs are stored: an interrupted search resumes, and several processes
can share the work with ``--only``.
"""

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from companion import bases
from companion.comparison.course_results import looks
from companion.comparison.courses import Course, course
from companion.comparison.entrants import ENTRANTS, Entrant
from companion.comparison.refine import in_turn
from companion.folders import build_folder
from companion.options import folder_path
from companion.provenance import CHECKOUT, Origin
from companion.records import Provenance
from companion.settings import Settings
from companion.store import Store
from paperlib.data import sets
from paperlib.data.splits import class_indices
from paperlib.files import write_whole
from paperlib.metrics.rule import FEWER, score

__all__ = ["BUDGETS", "FOLDER", "Budget", "Candidate", "Search", "candidate", "committed", "main", "search", "write"]

MORE = 6  # candidates of each entrant after its grid
FOLDER = CHECKOUT / "results" / "search"


class Budget(Settings):
    """The budget of every candidate, and how it is evaluated."""

    evaluations: int = Field(gt=7)  # gradient evaluations, preparation included
    batch_size: int = Field(32, gt=0)
    n: int = Field(400, gt=19)  # images per look
    sampler: int = Field(10, gt=0)  # evaluations of iPNDM for each


# 7,680 images: a 25th (digits) and a 42nd (MNIST) of the base models' training on a CPU.
BUDGETS = {
    "digits": Budget(evaluations=240),
    "mnist": Budget(evaluations=240),
    "cifar10": Budget(evaluations=2000, batch_size=128),
}


class Candidate(Settings):
    """One run of the search, and its result."""

    entrant: str
    settings: dict[str, int | float | str]  # including ``lr``
    ur: float | None  # None: the run broke before its look
    distance: float | None
    score: float | None  # None: it broke, or had too few samples to be measured


class Search(Settings):
    """All candidates of some entrants, and how they were evaluated."""

    base: str
    forget: str
    budget: Budget
    seed: int = 0
    ur: float  # before unlearning
    distance: float
    candidates: tuple[Candidate, ...]
    provenance: Provenance
    earlier: dict[str, Provenance] = {}  # of the entrants whose candidates were taken from an earlier search

    def of(self, entrant: str) -> list[Candidate]:
        """Return an entrant's candidates."""
        return [one for one in self.candidates if one.entrant == entrant]

    def best(self, entrant: str) -> Candidate:
        """Return an entrant's winner by the rule, the first one of a tie."""
        if not (tried := self.of(entrant)):
            raise ValueError(f"{entrant!r} is not in this search; in it are: {', '.join(sorted(self.entrants))}")
        return min(tried, key=lambda one: float("inf") if one.score is None else one.score)

    @property
    def noise(self) -> float:
        """The standard error, due to the number of images per look, of a score of 1 that UR determines. Candidates
        whose scores differ by less than twice this are indistinguishable."""
        before = self.ur / 100
        share = before / FEWER
        return FEWER / before * math.sqrt(share * (1 - share) / self.budget.n)

    @property
    def entrants(self) -> set[str]:
        """The names of the entrants in this search."""
        return {one.entrant for one in self.candidates}


def candidate(
    base: str,
    forget: str,
    budget: Budget,
    entrant: Entrant,
    settings: Mapping[str, int | float | str],
    *,
    conditional: bool = False,
    **how: Any,
) -> Course:
    """Return the run of one candidate, with the whole budget; ``settings`` include ``lr``, ``how`` is more of the
    :class:`~companion.comparison.courses.Course`."""
    own = {key: value for key, value in settings.items() if key != "lr"}
    return Course.checked(
        base=base,
        method=entrant.method,
        settings=entrant.settings(conditional) | own,
        lr=settings["lr"],
        forget=forget,
        looks=(budget.evaluations,),
        unit="evaluations",
        batch_size=budget.batch_size,
        n=budget.n,
        evaluations=budget.sampler,
        **how,
    )


def search(
    store: Store,
    base: str,
    forget: str,
    budget: Budget,
    names: Sequence[str],
    say=print,
    entrants: Mapping[str, Entrant] = ENTRANTS,
    more: int = 0,
) -> Search:
    """Run every candidate of the named ``entrants``, and ``more`` around the best of each, unless the store has it."""
    origin, found, before = Origin("search"), [], {}
    for name in names:
        entrant, tried = entrants[name], []
        for one in in_turn(entrant, tried, more):
            wanted = candidate(base, forget, budget, entrant, one, held_out=True)
            before, *rest = looks(course(store, wanted))
            last = rest[-1] if rest else {"ur": None, "distance": None}
            told = {"ur": last["ur"], "distance": last["distance"]}
            result = Candidate(entrant=name, settings=one, **told, score=score(**told, before=before))
            say(f"{name} {one}: UR {result.ur} %, distance {result.distance}, score {result.score}")
            tried.append(result)
        found += tried
    return Search(
        base=base,
        forget=forget,
        budget=budget,
        ur=before["ur"],
        distance=before["distance"],
        candidates=tuple(found),
        provenance=origin.provenance(),
    )


def _file(base: str, forget: str, folder: Path) -> Path:
    dataset = bases.BASES[base].dataset
    classes = class_indices(dataset, sets.classes(dataset), forget)
    return folder / f"{base}-forget-{'-'.join(map(str, classes))}.json"


def committed(base: str, forget: str, folder: Path = FOLDER) -> Search | None:
    """Return the search for this base model and these classes, else one for other classes, else None."""
    asked = _file(base, forget, folder)
    file = min(folder.glob(f"{base}-forget-*.json"), key=lambda file: (file != asked, file), default=None)
    return file and Search.model_validate_json(file.read_text(encoding="utf-8"))


def write(found: Search, folder: Path) -> Path:
    """Write a search where :func:`committed` finds it."""
    return write_whole(_file(found.base, found.forget, folder), found.model_dump_json(indent=1))


def main(arguments: Sequence[str] | None = None) -> None:
    """Search, and write the result if it contains all entrants."""
    unconditional = [name for name, base in bases.BASES.items() if not (base.labels or base.unseen)]
    parser = argparse.ArgumentParser(prog="python -m companion search", description=__doc__.partition("\n")[0])
    parser.add_argument("base", choices=unconditional)
    parser.add_argument("--forget", required=True, help="3, or 3,7, or dog")
    parser.add_argument("--only", nargs="+", choices=list(ENTRANTS), default=list(ENTRANTS), metavar="ENTRANT")
    parser.add_argument("--folder", type=folder_path, default=FOLDER, help="where the result goes")
    options = parser.parse_args(arguments)
    dataset = bases.BASES[options.base].dataset
    try:
        sets.load(dataset, "test")  # missing data are refused before any run
        file = _file(options.base, options.forget, options.folder)
        budget = BUDGETS[dataset]
        found = search(
            Store(build_folder() / "store"),
            options.base,
            options.forget,
            budget,
            options.only,
            lambda text: print(text, flush=True),
            more=MORE,
        )
    except (ValueError, FileNotFoundError) as error:
        raise SystemExit(f"error: {error}") from None
    if found.entrants != set(ENTRANTS):
        print(f"not written: without {', '.join(sorted(set(ENTRANTS) - found.entrants))}", file=sys.stderr)
        return
    print(write(found, file.parent))


if __name__ == "__main__":
    main()
