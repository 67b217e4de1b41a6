"""Settings for every row of the page on forgetting by prompt: ``python -m companion search-prompts --forget disc``.

The search of the comparison pages (:mod:`companion.comparison.search`): four rates each, every try a whole run of the
page's budget, and the book's rule (:func:`paperlib.metrics.rule.score`) chooses. What it looks at is kept from the
page: the class by its name alone (*a disc*), where the page says a colour or other words; noise of another seed; and,
for the distance of the other nine classes, images that are drawn for this and that no model was trained on.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from companion import captioned
from companion.classifiers import classifier, predict
from companion.comparison.search import FOLDER, Budget, Candidate, Search
from companion.folders import page_store
from companion.provenance import Origin
from companion.seeds import generator
from companion.store import Store
from companion.studies.latent_entrants import METHODS
from companion.studies.latent_prompts import Asked, drawn
from paperlib.data import captions, shapes
from paperlib.files import write_whole
from paperlib.metrics.features import features, penultimate
from paperlib.metrics.frechet import Statistics, frechet
from paperlib.metrics.rule import score

__all__ = ["BUDGET", "SEED", "asked", "committed", "look", "main", "search", "settings_of", "word_gap"]

BUDGET = Budget(evaluations=48, batch_size=16, n=30, sampler=8)  # the page's own runs; images of the class by its name
SEED = 1000  # none of the page's: of the runs and of the noise under what they draw
REAL = 1000  # held-out images, all classes together


def _file(forget: str) -> Path:
    return FOLDER / "prompts" / f"{captioned.NAME}-forget-{forget}.json"


@cache
def committed(forget: str) -> Search | None:
    """The search for a class; else one for another class; else None."""
    files = sorted((FOLDER / "prompts").glob("*.json"), key=lambda file: file != _file(forget))
    return Search.model_validate_json(files[0].read_text(encoding="utf-8")) if files else None


def settings_of(name: str, forget: str) -> dict[str, int | float | str]:
    """A row's settings, ``lr`` among them: what the search chose; without one, its first try."""
    found, entrant = committed(forget), METHODS[name]
    if entrant.call is None:
        return {"lr": 1.0}  # of no update
    own = found.best(name).settings if found and name in found.entrants else entrant.candidates()[0]
    return {**entrant.fixed, **own}


def asked(name: str, forget: str, *, gradients: int, batch_size: int, seed: int, settings: Mapping[str, Any]) -> Asked:
    """A row's run of so many gradient evaluations; ``lr`` is among its ``settings``."""
    own = {key: value for key, value in settings.items() if key != "lr"}
    return Asked.checked(
        method=name,
        forget=shapes.CLASSES.index(forget),
        updates=METHODS[name].updates(gradients),
        batch_size=batch_size,
        lr=settings["lr"],
        settings=own,
        seed=seed,
    )


@cache
def _held_out(forget: int) -> Statistics:
    data, network = captions.sample(REAL, generator(SEED, "latent_search", "data")), _network()
    return Statistics.of(features(data.images[data.labels != forget], network), network.name)


@cache
def _network():
    return penultimate(classifier("shapes"), "classifier of shapes")


def look(store: Store, wanted: Asked, n: int, evaluations: int) -> tuple[float, float]:
    """The percentage of ``n`` images asked for by the forgotten name that show it, and the distance of 3 n images of
    the other classes, asked for by their names, from real ones."""
    others = [label for label in range(10) if label != wanted.forget]
    names = [captions.caption(wanted.forget)] * n + [captions.caption(others[k % 9]) for k in range(3 * n)]
    images, network = drawn(store, wanted, names, evaluations), _network()
    hits = (predict(classifier("shapes"), images[:n]).argmax(1) == wanted.forget).double().mean()
    distance = frechet(features(images[n:], network), _held_out(wanted.forget), network=network.name)
    return 100 * float(hits), distance.value


def word_gap(shown: Mapping[tuple[str, str], float]) -> float:
    """The largest difference, over the methods, between what is left by name and on the mean of the other kinds of
    words. ``shown``: shares by method and kind."""
    words = [kind for kind in captions.KINDS if kind != "name"]
    methods = {method for method, _ in shown}
    gaps = [abs(sum(shown[m, kind] for kind in words) / len(words) - shown[m, "name"]) for m in methods]
    return max(gaps, default=0.0)


def search(
    store: Store, forget: str, budget: Budget, names: Sequence[str], say: Callable[[str], None] = print
) -> Search:
    """Run every try of these rows that is not in the store yet, and look at each."""
    origin, found, at = Origin("search"), [], dict(n=budget.n, evaluations=budget.sampler)
    amounts = dict(gradients=budget.evaluations, batch_size=budget.batch_size, seed=SEED)
    ur, distance = look(store, asked("standard", forget, settings=settings_of("standard", forget), **amounts), **at)
    before = {"ur": ur, "distance": distance}
    for name in names:
        for one in METHODS[name].candidates():
            own = asked(name, forget, settings={**METHODS[name].fixed, **one}, **amounts)
            after = dict(zip(before, look(store, own, **at)))
            found.append(Candidate(entrant=name, settings=one, score=score(*after.values(), before), **after))
            say(f"{name} {one}: shown {after['ur']:.0f} %, distance {after['distance']:.2f}, {found[-1].score:.2f}")
    facts = dict(base=captioned.NAME, forget=forget, budget=budget, seed=SEED, **before)
    return Search(candidates=tuple(found), provenance=origin.provenance(), **facts)


def main(arguments: Sequence[str] | None = None) -> None:
    """Search, and write the result with all tries."""
    parser = argparse.ArgumentParser(prog="python -m companion search-prompts", description=__doc__.split("\n")[0])
    parser.add_argument("--forget", required=True, choices=shapes.CLASSES)
    options = parser.parse_args(arguments)
    names = [name for name, entrant in METHODS.items() if entrant.call]
    found = search(page_store(), options.forget, BUDGET, names, lambda text: print(text, flush=True))
    file = _file(options.forget)
    file.parent.mkdir(exist_ok=True)
    print(write_whole(file, found.model_dump_json(indent=1)))


if __name__ == "__main__":
    main()
