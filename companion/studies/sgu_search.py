"""Search SGU's alpha, which the paper does not print: ``python -m companion search-alpha mnist-ve --forget 3,7``.

This is the search of the comparison pages (:mod:`companion.comparison.search`: held-out images, the book's rule) for
the readings of SGU's two losses. Each reading has the same number of candidates, at the same values of c, the fraction
of the answer that the loss leaves where both sides look alike (:mod:`paperlib.unlearning.shrinkage`). Fine-tuning
alone, alpha = 1, is the control; exact negation is included with as many values of its w. Results are in
``results/search/sgu/``; a search with ``--only`` keeps what the committed one has of the others (:func:`joined`).
"""

import argparse
import math
import sys
from collections.abc import Sequence
from functools import partial

from companion import bases
from companion.comparison.entrants import Entrant
from companion.comparison.search import FOLDER, Budget, Search, alike, committed, search, write
from companion.folders import page_store
from paperlib.unlearning.shrinkage import shrinkage, weight_of

__all__ = [
    "ANSWERS",
    "BUDGET",
    "LOSSES",
    "PULLS",
    "alpha_of",
    "dims",
    "entrants",
    "joined",
    "main",
    "negation_of",
    "searched",
]

LR = 2e-4  # Adam's, the public code's; not searched
ANSWERS = (0.99, 0.975, 0.94, 0.85, 0.65)  # values of c, with 1 - c on a logarithmic scale, a factor of 2.5 apart
PULLS = (0.5, 1.0, 2.0, 4.0, 8.0)  # values of negation's w, as many; 1 is exact
LOSSES = {
    f"sgu_{loss}_{variant}": {"loss": loss, "variant": variant}
    for variant in ("paper", "code", "corrected")
    for loss in ("orthogonal", "obtuse")
    if (loss, variant) != ("obtuse", "code")  # it aligns what it should oppose: c > 1
}
BUDGET = Budget(evaluations=240)  # 120 updates of 32 + 32, the comparison's own budget for MNIST
KNOWN, KNOWN_DIMS = ("mnist-ve", "3,7"), 28 * 28  # the search whose c is used for models without their own
SUPPOSED = 0.95  # c without any search


def dims(base: str) -> int:
    """Return the number of dimensions of a base model's images."""
    return math.prod(bases.images(bases.BASES[base].dataset, "test").shape)


def _rounded(alpha: float) -> float:
    """Round 1 - alpha to two digits, as a person would write it."""
    return float(f"{1 - float(f'{1 - alpha:.1e}'):.12g}")


def entrants(base: str, answers: Sequence[float] = ANSWERS, pulls: Sequence[float] = PULLS) -> dict[str, Entrant]:
    """Return each reading of each loss with its alphas for these c, the control, and exact negation."""
    found, D = {}, dims(base)
    for name, reading in LOSSES.items():
        alphas = tuple(_rounded(weight_of(c, dims=D, **reading)) for c in answers)
        found[name] = Entrant("sgu", (LR,), "alpha", alphas, fixed=reading)
    control = Entrant("sgu", (LR,), "alpha", (1.0,), fixed={"loss": "obtuse"})
    return found | {"control": control, "negate": Entrant("negate", (LR,), "w", tuple(pulls))}


def searched(base: str, forget: str) -> Search | None:
    """Return the committed search for this base model, preferably for these classes; None if there is none."""
    return committed(base, forget, FOLDER / "sgu")


def _best(base: str, forget: str, name: str) -> tuple[str, dict[str, float]] | None:
    """Return the winner of the base model's search, else of another face of its network, else of MNIST's."""
    alike = [one for one, kind in bases.BASES.items() if kind.network == bases.BASES[base].network and one != base]
    for model, classes in (*((one, forget) for one in (base, *alike)), KNOWN):
        found = searched(model, classes)
        if found and name in found.entrants:
            return model, found.best(name).settings
    return None


def alpha_of(base: str, forget: str, loss: str, variant: str) -> float:
    """Return the alpha found for a base model; without a search, the one with the c found for another face of its
    network, else on MNIST."""
    reading, known = {"loss": loss, "variant": variant}, _best(base, forget, f"sgu_{loss}_{variant}")
    if known and known[0] == base:
        return known[1]["alpha"]
    found = (
        KNOWN_DIMS if known and known[0] == KNOWN[0] else dims(base)
    )  # the faces of a network share the images' size
    c = shrinkage(known[1]["alpha"], dims=found, **reading) if known else SUPPOSED
    return _rounded(weight_of(2 - c if (loss, variant) == ("obtuse", "code") else c, dims=dims(base), **reading))


def negation_of(base: str, forget: str) -> float:
    """Return the w of exact negation found in the same way; without a search, the exact one."""
    known = _best(base, forget, "negate")
    return known[1]["w"] if known else 1.0


def joined(now: Search, earlier: Search | None) -> Search:
    """Return a search with an earlier one's candidates, and their provenance, for the entrants that it lacks.

    They must be comparable: the same budget, the settings that would be tried now, and, up to rounding, the same
    results of the base model, which a change of code or weights would alter. Otherwise none is taken.
    """
    same = all(getattr(now, name) == getattr(earlier, name, None) for name in ("base", "forget", "budget", "seed"))
    if not same or not alike(vars(now), vars(earlier)):
        return now
    among, candidates, provenance = entrants(now.base), [], {}
    for name in among:
        candidates += now.of(name)
        if name not in now.entrants and [one.settings for one in earlier.of(name)] == among[name].candidates():
            candidates += earlier.of(name)
            provenance[name] = earlier.earlier.get(name, earlier.provenance)
    return now.model_copy(update={"candidates": tuple(candidates), "earlier": provenance})


def main(arguments: Sequence[str] | None = None) -> None:
    """Search one loss after the other, writing the results after each, with those of a committed search."""
    parser = argparse.ArgumentParser(prog="python -m companion search-alpha", description=__doc__.split("\n")[0])
    parser.add_argument("base", choices=[name for name, one in bases.BASES.items() if not (one.labels or one.unseen)])
    parser.add_argument("--forget", required=True, help="3, or 3,7, or dog")
    parser.add_argument("--only", nargs="+", choices=[*LOSSES, "control", "negate"], metavar="LOSS")
    options = parser.parse_args(arguments)
    among, known = entrants(options.base), searched(options.base, options.forget)
    names = options.only or list(among)

    def keep(found: Search) -> None:
        whole = joined(found, known)
        if known and not whole.earlier and len(names) < len(among):
            print("not kept: a committed search that is not comparable", file=sys.stderr)
        print(write(whole, FOLDER / "sgu"), flush=True)

    say = partial(print, flush=True)
    search(page_store(), options.base, options.forget, BUDGET, names, say, among, keep=keep)


if __name__ == "__main__":
    main()
