"""Search the settings of EraseDiff's Table 1 for a model with labels:
``python -m companion search-labels digits-ddpm-labels --forget 3``.

The search of the comparison pages (:mod:`companion.comparison.search`): every method has six candidates and, with
``--more 6``, six more around its best (:mod:`companion.comparison.refine`), each a whole run with the budget that
Table 1 has at ``laptop``, and the book's rule (:func:`paperlib.metrics.rule.score`) chooses.
Nothing that Table 1 reports of a candidate is used: the noise has another seed, and its distance is from images that
the base model draws of the retained classes. Held-out training images would not do, because the classifier has learnt
them, and its features of them are not those of new images: on digits, real test images are farther from them than the
base model's samples are. The rule then says how far a model may move: at most 1.5 times as far from the base model's
images as these are from real test images. Results are in ``results/search/labels/``.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from companion import bases, checkpoints
from companion.classifiers import pinned
from companion.comparison.course_results import model_file
from companion.comparison.courses import Course
from companion.comparison.entrants import ENTRANTS as UNCONDITIONAL
from companion.comparison.entrants import RATES, Entrant, Settings
from companion.comparison.refine import in_turn
from companion.comparison.search import FOLDER, Budget, Candidate, Search, committed, write
from companion.comparison.search import candidate as trial
from companion.comparison.unlearned import unlearned
from companion.evaluation.observer import Observer, SameNoise
from companion.folders import page_store
from companion.machine import pick_device
from companion.options import natural_int
from companion.provenance import Origin
from companion.seeds import generator
from companion.settings import Settings as Checked
from companion.store import Store
from companion.studies.erasediff_amounts import PUBLISHED, amounts
from paperlib.data.images import Images
from paperlib.denoiser import Denoiser
from paperlib.guidance import Guided
from paperlib.metrics.rule import score

__all__ = ["ENTRANTS", "SEED", "budget_of", "look", "main", "rows_asked", "search", "settings_of", "tried"]

SEED = 1000  # of the runs and their noise; none of the page's
OTHERS = 3  # images of the retained classes for each one of the forgotten
REFERENCE = 1000  # images of the base model, of the retained classes
CODE = {"K": 2}  # the public code's inner steps

#: Table 1's methods; those that the comparison pages have too are tried at the same values.
ENTRANTS: dict[str, Entrant] = {
    name: UNCONDITIONAL[name]
    for name in ("finetune", "neggrad", "blindspot", "selective_amnesia", "salun")
} | {
    "erasediff_rl": Entrant("erasediff", RATES, "eta", (0.1, 1e-4), fixed=CODE | {"target": "rl"}),
    "erasediff_noise": Entrant("erasediff", RATES, "eta", (0.1, 1e-4), fixed=CODE | {"target": "noise"}),
    "negate": UNCONDITIONAL["negate"],
}  # fmt: skip


class Looking(Checked):
    """How a model is looked at."""

    base: str
    forget: str
    n: int = Field(gt=19)  # images conditioned on the forgotten classes
    steps: int = Field(gt=0)  # of iPNDM
    guidance: float = Field(ge=0)
    model: Path | None = Field(exclude=True)  # None: the base model; its weights are an input of the step


def budget_of(base: str) -> Budget:
    """Return Table 1's budget at ``laptop`` for a base model's data set."""
    laptop = amounts(bases.BASES[base].dataset)["laptop"]
    own = {"evaluations": laptop["evaluations"], "batch_size": laptop["batch_size"]}
    return Budget(**own, n=laptop["asked"], sampler=laptop["steps"])


def settings_of(base: str, forget: str, name: str) -> Settings | None:
    """Return the settings that the committed search chose for a method, ``lr`` included; None if this base model has no
    search."""
    found = committed(base, forget, FOLDER / "labels")
    if not found or name not in found.entrants:
        return None
    return ENTRANTS[name].settings(conditional=True) | found.best(name).settings


def tried(base: str, forget: str) -> dict[str, Any]:
    """Return the committed search for a record: the base model's ``ur`` and ``distance``, the number of images ``n``,
    and each method's ``candidates`` with their settings, score and results. Empty without a search."""
    if not (found := committed(base, forget, FOLDER / "labels")):
        return {}
    looked = [one for one in found.candidates if one.score is not None]
    own = {name: [one for one in looked if one.entrant == name] for name in ENTRANTS}
    told = {
        name: [one.settings | {"ur": one.ur, "distance": one.distance, "score": one.score} for one in several]
        for name, several in own.items()
    }
    return {"ur": found.ur, "distance": found.distance, "n": found.budget.n, "candidates": told}


def rows_asked(base: str, forget: str, asked: str) -> Iterator[tuple[str, str, Settings]]:
    """Yield the rows of Table 1 as (method, row, settings): for each method its published settings and, as the row
    ``METHOD_searched``, those of the committed search if they differ. ``asked`` are methods, which mean both rows, or
    rows, separated by commas."""
    words = set(asked.split(","))
    if unknown := words - PUBLISHED.keys() - {f"{name}_searched" for name in PUBLISHED}:
        raise ValueError(
            f"methods={min(unknown)!r} is not one of {', '.join(PUBLISHED)}, or such a name with _searched"
        )
    for name, (_, published, _) in PUBLISHED.items():
        searched = settings_of(base, forget, name)
        for row, own in {name: published, f"{name}_searched": searched}.items():
            if own and (own != published or row == name) and words & {name, row}:
                yield name, row, own


def candidate(base: str, forget: str, budget: Budget, name: str, settings: Settings) -> Course:
    """Return a candidate's run; ``settings`` include ``lr``."""
    return trial(base, forget, budget, ENTRANTS[name], settings, conditional=True, seed=SEED)


def look(store: Store, base: str, forget: str, budget: Budget, run: Course | None = None) -> dict[str, float]:
    """Return ``ur``, the percentage of images conditioned on the forgotten classes that show one of them, and
    ``distance``, that of images conditioned on the other classes from the base model's. Without a ``run``, ``ur`` is
    the base model's, and ``distance`` that of its images from real test images."""
    made = unlearned(store, run) if run else None
    facts = {"base": base, "forget": forget, "n": budget.n, "steps": budget.sampler}
    facts |= {"guidance": amounts(bases.BASES[base].dataset)["laptop"]["guidance"]}
    wanted = Looking.checked(**facts, model=model_file(made) if made else None)
    used = [bases.card(base)["sha256"], pinned(bases.BASES[base].dataset)]
    entry = store.step("look", wanted, _look, inputs=[*used, *([made] if made else [])])
    return json.loads((entry.path / "look.json").read_text(encoding="utf-8"))


def _look(folder: Path, wanted: Looking) -> None:
    model = bases.load(wanted.base)
    if wanted.model:
        kind = bases.BASES[wanted.base]
        model = checkpoints.load(bases.architecture(kind), wanted.model.stem, wanted.model.parent)
    observer = _observer(wanted.base, wanted.forget, wanted.n, wanted.steps, wanted.guidance)
    own, kept = _labels(observer)
    images = _draw(observer, model, [*islice(own, wanted.n), *islice(kept, OTHERS * wanted.n)], wanted.guidance)
    shown = observer.shown(images[: wanted.n]).double().mean()
    reference = observer if wanted.model else Observer(observer.dataset, wanted.forget)
    distance = reference.distance(images[wanted.n :], generator(SEED, "look", "evaluation")).value
    (folder / "look.json").write_text(json.dumps({"ur": 100 * float(shown), "distance": distance}), encoding="utf-8")


@lru_cache(maxsize=1)
def _observer(base: str, forget: str, n: int, steps: int, guidance: float) -> SameNoise:
    """Return the observer that all candidates share, which knows the base model's images in place of real ones."""
    kind, model = bases.BASES[base], bases.load(base)
    settings = {"kind": kind, "forget": forget, "evaluations": steps, "stream": "look"}
    first = SameNoise(model, n=REFERENCE, seed=SEED + 1, **settings)
    labels = list(islice(_labels(first)[1], REFERENCE))
    images = _draw(first, model, labels, guidance)
    own = Images(f"{base}'s samples", images, classes=first.real.classes, labels=torch.tensor(labels))
    return SameNoise(model, n=(1 + OTHERS) * n, seed=SEED, real=own, **settings)


def _labels(observer: SameNoise) -> tuple[Iterator[int], Iterator[int]]:
    """Return the labels of the forgotten classes and those of the others, each in turn and without end."""
    kept = [k for k in range(len(observer.real.classes)) if k not in observer.classes]
    return cycle(observer.classes), cycle(kept)


def _draw(observer: SameNoise, model: Denoiser, labels: Sequence[int], guidance: float) -> Tensor:
    model = model.to(pick_device())
    guided = Guided(model, guidance) if guidance else model
    return observer.draw(guided, torch.tensor(labels, device=pick_device()))


def search(
    store: Store,
    base: str,
    forget: str,
    names: Sequence[str] = tuple(ENTRANTS),
    say: Callable[[str], None] = print,
    more: int = 0,
) -> Search:
    """Run every candidate of these methods, and ``more`` around the best of each, unless the store has it, and look at
    each."""
    origin, found, budget = Origin("search-labels"), [], budget_of(base)
    before = look(store, base, forget, budget)
    for name in names:
        tried: list[Candidate] = []
        for settings in in_turn(ENTRANTS[name], tried, more):
            after = look(store, base, forget, budget, candidate(base, forget, budget, name, settings))
            tried.append(Candidate(entrant=name, settings=settings, score=score(*after.values(), before), **after))
            shown = f"shown {after['ur']:.0f} %, distance {after['distance']:.2f}, {tried[-1].score:.2f}"
            say(f"{name} {settings}: {shown}")
        found += tried
    facts = {"base": base, "forget": forget, "budget": budget, "seed": SEED}
    return Search(**facts, **before, candidates=tuple(found), provenance=origin.provenance())


def main(arguments: Sequence[str] | None = None) -> None:
    """Search, and write the result with all candidates."""
    parser = argparse.ArgumentParser(prog="python -m companion search-labels", description=__doc__.split("\n")[0])
    labelled = [
        name for name, kind in bases.BASES.items() if kind.labels and kind.process == "ddpm" and not kind.unseen
    ]
    parser.add_argument("base", choices=labelled)
    parser.add_argument("--forget", required=True, help="3, or 3,7, or airplane")
    parser.add_argument("--more", type=natural_int, default=0, help="candidates around the best of the six")
    options = parser.parse_args(arguments)
    try:
        names = amounts(bases.BASES[options.base].dataset)["laptop"]["methods"].split(",")
        say = partial(print, flush=True)
        found = search(page_store(), options.base, options.forget, names, say, options.more)
    except (ValueError, FileNotFoundError) as error:
        raise SystemExit(f"error: {error}") from None
    print(write(found, FOLDER / "labels"))


if __name__ == "__main__":
    main()
