"""Search the settings of the page on forgetting by prompt: ``python -m companion search-prompts --forget disc``.

As on the comparison pages (:mod:`companion.comparison.search`), every candidate is a full run with the page's budget,
and the book's rule (:func:`paperlib.metrics.rule.score`) selects the best. Each method has four candidates, which
differ in the learning rate. The search does not use what the page reports on: its prompts name the class alone (*a
disc*), where the page's add a colour or use other words; its noise has another seed; and the distance of the other nine
classes is measured from images drawn for this purpose, on which no model was trained.
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

BUDGET = Budget(evaluations=48, batch_size=16, n=30, sampler=8)  # as for the page's runs; n images of the class by name
SEED = 1000  # not one of the page's; for the runs and for the noise of their samples
REAL = 1000  # held-out images of all classes together


def _file(forget: str) -> Path:
    return FOLDER / "prompts" / f"{captioned.NAME}-forget-{forget}.json"


@cache
def committed(forget: str) -> Search | None:
    """Return the committed search for a class, else one for another class, else None."""
    files = sorted((FOLDER / "prompts").glob("*.json"), key=lambda file: file != _file(forget))
    return Search.model_validate_json(files[0].read_text(encoding="utf-8")) if files else None


def settings_of(name: str, forget: str) -> dict[str, int | float | str]:
    """Return a method's settings, including ``lr``: those that the search chose, else its first candidate's."""
    found, entrant = committed(forget), METHODS[name]
    if entrant.call is None:
        return {"lr": 1.0}  # unused: there is no update
    own = found.best(name).settings if found and name in found.entrants else entrant.candidates()[0]
    return {**entrant.fixed, **own}


def asked(name: str, forget: str, *, gradients: int, batch_size: int, seed: int, settings: Mapping[str, Any]) -> Asked:
    """Return the definition of a method's run with ``gradients`` gradient evaluations; ``settings`` include ``lr``."""
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
    """Return the percentage of ``n`` images prompted with the forgotten name that show the class, and the distance from
    real images of 3 n images prompted with the names of the other classes."""
    others = [label for label in range(10) if label != wanted.forget]
    names = [captions.caption(wanted.forget)] * n + [captions.caption(others[k % 9]) for k in range(3 * n)]
    images, network = drawn(store, wanted, names, evaluations), _network()
    hits = (predict(classifier("shapes"), images[:n]).argmax(1) == wanted.forget).double().mean()
    distance = frechet(features(images[n:], network), _held_out(wanted.forget), network=network.name)
    return 100 * float(hits), distance.value


def word_gap(shown: Mapping[tuple[str, str], float]) -> float:
    """Return the largest absolute difference, over methods, between the share left under the name and the mean share
    under the other kinds of words; 0 without methods. ``shown`` has the shares by method and kind."""
    words = [kind for kind in captions.KINDS if kind != "name"]
    methods = {method for method, _ in shown}
    gaps = [abs(sum(shown[m, kind] for kind in words) / len(words) - shown[m, "name"]) for m in methods]
    return max(gaps, default=0.0)


def search(
    store: Store, forget: str, budget: Budget, names: Sequence[str], say: Callable[[str], None] = print
) -> Search:
    """Run every candidate of the named methods that is not in the store yet, and measure each; return the search."""
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
    """Search, and write the result with all candidates."""
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
