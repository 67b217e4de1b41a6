"""What takes part in a comparison: every method, SGU with both of its losses, and the settings that a search tries.

A method of yours joins with its line in :data:`paperlib.unlearning.methods.METHODS` and a line in :data:`ENTRANTS`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from paperlib.unlearning.methods import METHODS, Method

__all__ = ["ENTRANTS", "Entrant", "chosen"]

Settings = dict[str, int | float | str]


@dataclass(frozen=True)
class Entrant:
    """A method as it enters.

    Args:
        method: a key of :data:`paperlib.unlearning.methods.METHODS`.
        rates: of Adam, that the search tries.
        dial: the method's own setting that the search turns; empty where it has none.
        values: of the dial, the paper's or its code's first.
        fixed: what is not searched.
        suffix: of its title.
    """

    method: str
    rates: tuple[float, ...]
    dial: str = ""
    values: tuple[float, ...] = ()
    fixed: Mapping[str, int | float | str] = field(default_factory=dict)
    suffix: str = ""

    @property
    def of(self) -> Method:
        """The method."""
        return METHODS[self.method]

    @property
    def title(self) -> str:
        """Its name in tables and figures."""
        return f"{self.of.title} {self.suffix}".strip()

    def settings(self, conditional: bool = False) -> Settings:
        """What is not searched, for a model of this kind."""
        return {**(self.of.serving(conditional) or {}), **self.fixed}

    def candidates(self) -> list[Settings]:
        """The settings that the search tries, ``lr`` among them: four of each entrant, all rates times all values."""
        own: list[dict[str, Any]] = [{self.dial: value} for value in self.values] or [{}]
        return [{"lr": lr, **one} for lr, one in product(self.rates, own)]


FINE, COARSE = 1e-4, 5e-4  # a twentieth and a quarter of the rate that digits' and MNIST's base models had

#: Everything that a page compares, by name.
ENTRANTS: dict[str, Entrant] = {
    "unseen": Entrant("unseen", (5e-4, 1e-3, 2e-3, 4e-3)),
    "finetune": Entrant("finetune", (5e-5, FINE, 2e-4, COARSE)),
    "neggrad": Entrant("neggrad", (5e-7, 1e-6, 2e-6, 1e-5)),
    "blindspot": Entrant("blindspot", (FINE, COARSE), "beta", (50.0, 0.0)),
    # the paper's lambda, and the same scaled to a million weights (selective_amnesia says why)
    "selective_amnesia": Entrant(
        "selective_amnesia", (FINE, COARSE), "lam", (10.0, 0.25), {"fisher_samples": 20, "fisher_times": 32}
    ),
    "salun": Entrant("salun", (FINE, COARSE), "alpha", (3.0, 30.0), {"mask_rows": 640}),
    "multi_objective": Entrant("multi_objective", (FINE, COARSE), "lam", (0.1, 1.0)),
    "erasediff": Entrant("erasediff", (FINE, COARSE), "eta", (0.1, 1.0)),
    "sgu_orthogonal": Entrant("sgu", (FINE, COARSE), "alpha", (0.99, 0.9), {"loss": "orthogonal"}, "orthogonal"),
    "sgu_obtuse": Entrant("sgu", (FINE, COARSE), "alpha", (0.99, 0.9), {"loss": "obtuse"}, "obtuse"),
    "vdu": Entrant("vdu", (1e-6, 1e-5), "gamma", (0.1, 0.8)),  # the paper's rate, and ten times that
    "signed": Entrant("signed", (FINE, COARSE), "lam", (10.0, 100.0)),
    "redirect": Entrant("redirect", (FINE, COARSE), "mu", (0.2, 1.0)),
}


def chosen(methods: str) -> list[str]:
    """The names that a page's parameter asks for: "all", or some of :data:`ENTRANTS` separated by commas."""
    names = list(ENTRANTS) if methods == "all" else [name.strip() for name in methods.split(",")]
    if unknown := [name for name in names if name not in ENTRANTS]:
        raise ValueError(f"methods={unknown[0]!r} is not one of all, {', '.join(ENTRANTS)}")
    return [name for name in ENTRANTS if name in names]
