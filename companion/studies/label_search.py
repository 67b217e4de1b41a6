"""Search the settings of EraseDiff's Table 1 for a model with labels:
``python -m companion search-labels digits-ddpm-labels --forget 3``.

The search of the comparison pages (:mod:`companion.comparison.search`): every method has six candidates, each a whole
run with the budget that Table 1 has at ``laptop``, and the book's rule (:func:`paperlib.metrics.rule.score`) chooses.
Nothing that Table 1 reports is used: the runs learn from four fifths of the training images, the distance is from
the fifth one, and the noise has another seed. Results are in ``results/search/labels/``.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import cycle, islice
from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor

from companion import bases, checkpoints
from companion.comparison.course_results import model_file
from companion.comparison.courses import Course
from companion.comparison.entrants import ENTRANTS as UNCONDITIONAL
from companion.comparison.entrants import RATES, Entrant, Settings
from companion.comparison.search import FOLDER, Budget, Candidate, Search, committed, write
from companion.comparison.unlearned import unlearned
from companion.evaluation.observer import SameNoise
from companion.folders import page_store
from companion.machine import pick_device
from companion.provenance import Origin
from companion.settings import Settings as Checked
from companion.store import Store
from companion.studies.erasediff_amounts import amounts
from paperlib.data.splits import validation
from paperlib.guidance import Guided
from paperlib.metrics.rule import score

__all__ = ["ENTRANTS", "SEED", "budget_of", "look", "main", "search", "settings_of"]

SEED = 1000  # of the runs and their noise; none of the page's
OTHERS = 3  # images of the retained classes for each one of the forgotten
CODE = {"K": 2}  # the public code's inner steps

#: Table 1's methods; those that the comparison pages have too are tried at the same values.
ENTRANTS: dict[str, Entrant] = {
    name: UNCONDITIONAL[name]
    for name in ("finetune", "neggrad", "blindspot", "selective_amnesia", "salun")
} | {
    "erasediff_rl": Entrant("erasediff", RATES, "eta", (0.1, 1e-4), CODE | {"target": "rl"}),
    "erasediff_noise": Entrant("erasediff", RATES, "eta", (0.1, 1e-4), CODE | {"target": "noise"}),
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


def candidate(base: str, forget: str, budget: Budget, name: str, settings: Settings) -> Course:
    """Return a candidate's run; ``settings`` include ``lr``."""
    own = {key: value for key, value in settings.items() if key != "lr"}
    return Course.checked(
        base=base,
        method=ENTRANTS[name].method,
        settings=ENTRANTS[name].settings(conditional=True) | own,
        lr=settings["lr"],
        forget=forget,
        looks=(budget.evaluations,),
        unit="evaluations",
        batch_size=budget.batch_size,
        n=budget.n,
        evaluations=budget.sampler,
        seed=SEED,
        held_out=True,
    )


def look(store: Store, base: str, forget: str, budget: Budget, run: Course | None = None) -> dict[str, float]:
    """Return ``ur``, the percentage of images conditioned on the forgotten classes that show one of them, and
    ``distance``, that of images conditioned on the other classes from real held-out ones; of the base model without a
    ``run``."""
    made = unlearned(store, run) if run else None
    facts = {"base": base, "forget": forget, "n": budget.n, "steps": budget.sampler}
    facts |= {"guidance": amounts(bases.BASES[base].dataset)["laptop"]["guidance"]}
    wanted = Looking.checked(**facts, model=model_file(made) if made else None)
    entry = store.step("look", wanted, _look, inputs=[bases.card(base)["sha256"], *([made] if made else [])])
    return json.loads((entry.path / "look.json").read_text(encoding="utf-8"))


def _look(folder: Path, wanted: Looking) -> None:
    kind, device = bases.BASES[wanted.base], pick_device()
    model = bases.load(wanted.base)
    if wanted.model:
        model = checkpoints.load(bases.architecture(kind), wanted.model.stem, wanted.model.parent)
    observer = _observer(wanted.base, wanted.forget, wanted.n, wanted.steps)
    labels = _labels(observer, wanted.n).to(device)
    images = observer.draw(Guided(model.to(device), wanted.guidance) if wanted.guidance else model.to(device), labels)
    shown = observer.shown(images[: wanted.n]).double().mean()
    distance = observer.distance(images[wanted.n :]).value
    (folder / "look.json").write_text(json.dumps({"ur": 100 * float(shown), "distance": distance}), encoding="utf-8")


@lru_cache(maxsize=1)
def _observer(base: str, forget: str, n: int, steps: int) -> SameNoise:
    """Return the observer that all candidates share."""
    kind = bases.BASES[base]
    real = validation(bases.images(kind.dataset, "train"))[1]
    settings = {"n": (1 + OTHERS) * n, "evaluations": steps, "seed": SEED, "stream": "look/held-out"}
    return SameNoise(bases.load(base).to(pick_device()), kind, forget, real=real, **settings)


def _labels(observer: SameNoise, n: int) -> Tensor:
    """Return ``n`` labels of the forgotten classes and three times as many of the others, each in turn."""
    kept = [k for k in range(len(observer.real.classes)) if k not in observer.classes]
    return torch.tensor([*islice(cycle(observer.classes), n), *islice(cycle(kept), OTHERS * n)])


def search(
    store: Store, base: str, forget: str, names: Sequence[str] = tuple(ENTRANTS), say: Callable[[str], None] = print
) -> Search:
    """Run every candidate of these methods that is not in the store yet, and look at each."""
    origin, found, budget = Origin("search-labels"), [], budget_of(base)
    before = look(store, base, forget, budget)
    for name in names:
        for settings in ENTRANTS[name].candidates():
            after = look(store, base, forget, budget, candidate(base, forget, budget, name, settings))
            found.append(Candidate(entrant=name, settings=settings, score=score(*after.values(), before), **after))
            say(
                f"{name} {settings}: shown {after['ur']:.0f} %, distance {after['distance']:.2f}, {found[-1].score:.2f}"
            )
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
    options = parser.parse_args(arguments)
    try:
        found = search(page_store(), options.base, options.forget, say=lambda text: print(text, flush=True))
    except (ValueError, FileNotFoundError) as error:
        raise SystemExit(f"error: {error}") from None
    print(write(found, FOLDER / "labels"))


if __name__ == "__main__":
    main()
