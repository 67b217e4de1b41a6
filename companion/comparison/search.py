"""Search the settings of every entrant by one rule: ``python -m companion search mnist-ddpm --forget 1``.

Each entrant has twelve candidates: six of a grid (``companion.comparison.entrants.ENTRANTS``), and six around the best
so far (:mod:`companion.comparison.refine`). Each candidate is a full run with the comparison's budget on training
images, of which every fifth is held out. Its samples, from noise of their own, give the score of the book's rule
(:func:`paperlib.metrics.rule.score`), and the smallest score wins. No candidate is compared with test images
(:mod:`companion.comparison.held_out`). The result is committed with all candidates, as
``results/search/<base>-forget-<classes>.json``. Runs are stored: an interrupted search resumes, and several processes
can share the work with ``--only``. A search that takes longer than one sitting, or gets more candidates, goes on from
its file with ``--go-on``; until every entrant has as many, the file's name ends with ``.unfinished``.
"""

import argparse
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
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

__all__ = [
    "BUDGETS",
    "FOLDER",
    "Budget",
    "Candidate",
    "Search",
    "alike",
    "candidate",
    "committed",
    "main",
    "search",
    "write",
]

MORE = 6  # candidates of each entrant after its grid
FOLDER = CHECKOUT / "results" / "search"
# Machines add in different orders: the same base model's distance was seen to differ between two of them in the seventh
# digit. A hundred times that is allowed; another class for a single one of the samples changes UR by far more.
ROUNDING = 1e-5


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
    earlier: dict[str, Provenance] = {}  # of the entrants with candidates taken from an earlier search

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
    say: Callable[[str], Any] = print,
    entrants: Mapping[str, Entrant] = ENTRANTS,
    more: int = 0,
    known: Search | None = None,
    keep: Callable[[Search], Any] = lambda found: None,
) -> Search:
    """Run every candidate of the named ``entrants``, and ``more`` around the best of each, unless the store has it.

    The candidates of ``known`` count, and those of other entrants are kept. None is taken if the base model has other
    results now (:func:`alike`), which a change of code or weights would cause. ``keep`` gets what there is after each
    entrant.
    """
    if known and (known.base, known.budget) != (base, budget):
        raise ValueError(f"a search of {known.base} with {known.budget} cannot go on with {base} and {budget}")
    origin, facts = Origin("search"), {"base": base, "forget": forget, "budget": budget}
    found = {name: known.of(name) for name in known.entrants} if known else {}
    facts["earlier"] = {name: known.earlier.get(name, known.provenance) for name in found}
    before = {"ur": known.ur, "distance": known.distance} if known else {}
    for name in names:
        entrant, tried = entrants[name], found.setdefault(name, [])
        for one in in_turn(entrant, tried, more):
            before, *rest = looks(course(store, candidate(base, forget, budget, entrant, one, held_out=True)))
            if known and not alike(before, vars(known)):
                there, here = (f"UR {of['ur']} %, distance {of['distance']}" for of in (vars(known), before))
                say(f"begun anew: the base model has {here}, in the search to go on from it had {there}")
                return search(store, base, forget, budget, names, say, entrants, more, keep=keep)
            last = rest[-1] if rest else {"ur": None, "distance": None}
            told = {"ur": last["ur"], "distance": last["distance"]}
            result = Candidate(entrant=name, settings=one, **told, score=score(**told, before=before))
            say(f"{name} {one}: UR {result.ur} %, distance {result.distance}, score {result.score}")
            tried.append(result)
        facts |= {"ur": before["ur"], "distance": before["distance"]}
        candidates = tuple(one for name in entrants for one in found.get(name, []))
        keep(whole := Search(**facts, candidates=candidates, provenance=origin.provenance()))
    return whole


def alike(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    """Return whether a base model has the same UR and distance in two searches, up to the rounding of machines."""
    return all(math.isclose(one[name], other[name], rel_tol=ROUNDING) for name in ("ur", "distance"))


def _file(base: str, forget: str, folder: Path) -> Path:
    dataset = bases.BASES[base].dataset
    classes = class_indices(dataset, sets.classes(dataset), forget)
    return folder / f"{base}-forget-{'-'.join(map(str, classes))}.json"


def committed(base: str, forget: str, folder: Path = FOLDER) -> Search | None:
    """Return the search for this base model and these classes, else one for other classes, else None."""
    files = sorted(folder.glob(f"{base}-forget-*.json"))
    asked = _file(base, forget, folder) if files else None
    return _read(asked if asked in files else files[0]) if files else None


def _read(file: Path) -> Search:
    return Search.model_validate_json(file.read_text(encoding="utf-8"))


def write(found: Search, folder: Path) -> Path:
    """Write a search where :func:`committed` finds it."""
    return _keep(_file(found.base, found.forget, folder), found)


def _lacking(found: Search) -> list[str]:
    """Return the entrants that do not have all their candidates."""
    return [name for name, one in ENTRANTS.items() if len(found.of(name)) < len(one.candidates()) + MORE]


def _keep(file: Path, found: Search) -> Path:
    return write_whole(file, found.model_dump_json(indent=1))


def main(arguments: Sequence[str] | None = None) -> None:
    """Search, entrant by entrant, and write the result once all entrants have their candidates."""
    unconditional = [name for name, base in bases.BASES.items() if not (base.labels or base.unseen)]
    parser = argparse.ArgumentParser(prog="python -m companion search", description=__doc__.partition("\n")[0])
    parser.add_argument("base", choices=unconditional)
    parser.add_argument("--forget", required=True, help="3, or 3,7, or dog")
    parser.add_argument("--only", nargs="+", choices=list(ENTRANTS), default=list(ENTRANTS), metavar="ENTRANT")
    parser.add_argument("--go-on", action="store_true", help="keep the candidates that are in the file")
    parser.add_argument("--folder", type=folder_path, default=FOLDER, help="where the result goes")
    options = parser.parse_args(arguments)
    dataset = bases.BASES[options.base].dataset
    try:
        sets.load(dataset, "test")  # missing data are refused before any run
        file = _file(options.base, options.forget, options.folder)
        begun = file.with_suffix(".unfinished")
        known = next((_read(one) for one in (begun, file) if options.go_on and one.is_file()), None)
        asked = Store(build_folder() / "store"), options.base, options.forget, BUDGETS[dataset], options.only
        say, keep = partial(print, flush=True), partial(_keep, begun)
        found = search(*asked, say, more=MORE, known=known, keep=keep)
    except (ValueError, FileNotFoundError) as error:
        raise SystemExit(f"error: {error}") from None
    if lacking := _lacking(found):
        print(f"{begun}: not all candidates of {', '.join(lacking)}", file=sys.stderr)
        return
    print(write(found, file.parent))
    begun.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
