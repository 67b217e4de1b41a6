"""SGU's alpha, which the paper does not print, found: ``python -m companion search-alpha mnist-ve --forget 3,7``.

The search of the comparison pages (:mod:`companion.comparison.search`: held-out images, the book's rule) among the
readings of SGU's two losses. Each has the same number of tries, at the same places of one axis, c, what the loss
leaves of the answer where both sides look alike (:mod:`paperlib.unlearning.shrinkage`). Fine-tuning alone, alpha = 1,
is the control; exact negation stands beside them, with as many tries of its w. Kept in ``results/search/sgu/``.
"""

import argparse
import math
from collections.abc import Sequence

from companion import bases
from companion.comparison.entrants import Entrant
from companion.comparison.search import FOLDER, Budget, Search, committed, search, write
from companion.folders import page_store
from paperlib.unlearning.shrinkage import shrinkage, weight_of

__all__ = ["ANSWERS", "BUDGET", "LOSSES", "PULLS", "alpha_of", "dims", "entrants", "main", "negation_of", "searched"]

LR = 2e-4  # Adam's, the public code's; not searched
ANSWERS = (0.99, 0.975, 0.94, 0.85, 0.65)  # c: 1 - c on a logarithm, neighbours a factor of 2.5 apart
PULLS = (0.5, 1.0, 2.0, 4.0, 8.0)  # negation's w, the same number of tries; 1 is exact
LOSSES = {
    f"sgu_{loss}_{variant}": {"loss": loss, "variant": variant}
    for variant in ("paper", "code", "corrected")
    for loss in ("orthogonal", "obtuse")
    if (loss, variant) != ("obtuse", "code")  # it aligns what it should turn away: c > 1
}
BUDGET = Budget(evaluations=240)  # 120 updates of 32 + 32, the comparison's own budget for MNIST
KNOWN, KNOWN_DIMS = ("mnist-ve", "3,7"), 28 * 28  # the search whose c models without one of their own take over
SUPPOSED = 0.95  # c, where nothing was searched


def dims(base: str) -> int:
    """Of a base model's images."""
    return math.prod(bases.images(bases.BASES[base].dataset, "test").shape)


def _rounded(alpha: float) -> float:
    """1 - alpha to two digits: what a person would write."""
    return float(f"{1 - float(f'{1 - alpha:.1e}'):.12g}")


def entrants(base: str, answers: Sequence[float] = ANSWERS, pulls: Sequence[float] = PULLS) -> dict[str, Entrant]:
    """Each reading of each loss with its alphas for these c, the control, and exact negation."""
    found, D = {}, dims(base)
    for name, reading in LOSSES.items():
        alphas = tuple(_rounded(weight_of(c, dims=D, **reading)) for c in answers)
        found[name] = Entrant("sgu", (LR,), "alpha", alphas, reading)
    control = Entrant("sgu", (LR,), "alpha", (1.0,), {"loss": "obtuse"})
    return found | {"control": control, "negate": Entrant("negate", (LR,), "w", tuple(pulls))}


def searched(base: str, forget: str) -> Search | None:
    """The committed search for this base model, of these classes where there is one; else None."""
    return committed(base, forget, FOLDER / "sgu")


def _best(base: str, forget: str, name: str) -> tuple[str, dict[str, float]] | None:
    for model, classes in ((base, forget), KNOWN):
        found = searched(model, classes)
        if found and name in found.entrants:
            return model, found.best(name).settings
    return None


def alpha_of(base: str, forget: str, loss: str, variant: str) -> float:
    """The alpha that was found for a base model; where it has no search, that of the same c as was found on MNIST."""
    reading, known = {"loss": loss, "variant": variant}, _best(base, forget, f"sgu_{loss}_{variant}")
    if known and known[0] == base:
        return known[1]["alpha"]
    c = shrinkage(known[1]["alpha"], dims=KNOWN_DIMS, **reading) if known else SUPPOSED
    return _rounded(weight_of(2 - c if (loss, variant) == ("obtuse", "code") else c, dims=dims(base), **reading))


def negation_of(base: str, forget: str) -> float:
    """The w of exact negation that was found in the same way; where nothing was, the exact one."""
    known = _best(base, forget, "negate")
    return known[1]["w"] if known else 1.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Search one loss after the other; what is known is written after each."""
    parser = argparse.ArgumentParser(prog="python -m companion search-alpha", description=__doc__.split("\n")[0])
    parser.add_argument("base", choices=[name for name, one in bases.BASES.items() if not (one.labels or one.unseen)])
    parser.add_argument("--forget", required=True, help="3, or 3,7, or dog")
    parser.add_argument("--only", nargs="+", choices=[*LOSSES, "control", "negate"], metavar="LOSS")
    options = parser.parse_args(arguments)
    among = entrants(options.base)
    names = options.only or list(among)
    for count in range(1, len(names) + 1):
        asked = options.base, options.forget, BUDGET, names[:count]
        found = search(page_store(), *asked, lambda text: None, among)
        for one in found.of(names[count - 1]):
            print(f"{one.entrant} {one.settings}: UR {one.ur}, distance {one.distance}, score {one.score}", flush=True)
        print(write(found, FOLDER / "sgu"), flush=True)


if __name__ == "__main__":
    main()
