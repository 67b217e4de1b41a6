"""The entrants of a comparison: every method, SGU with both of its losses, and the settings that a search tries.

To add your own method, add a line to ``paperlib.unlearning.methods.METHODS`` and one to ``ENTRANTS``.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from paperlib.unlearning.methods import METHODS, Method

__all__ = ["ENTRANTS", "Entrant"]

Settings = dict[str, int | float | str]


@dataclass(frozen=True)
class Entrant:
    """A method in a comparison.

    Args:
        method: a key of ``paperlib.unlearning.methods.METHODS``.
        rates: Adam's learning rates that the search tries.
        dial: the method's own setting that the search varies; empty if it has none.
        values: the values of the dial, starting with that of the paper or its code.
        within: the open interval of the dial's values, on whose logarithmic axis the search moves.
        fixed: settings that are not searched.
        suffix: a suffix of its title.
    """

    method: str
    rates: tuple[float, ...]
    dial: str = ""
    values: tuple[float, ...] = ()
    within: tuple[float, float] = (0.0, math.inf)
    fixed: Mapping[str, int | float | str] = field(default_factory=dict)
    suffix: str = ""

    @property
    def of(self) -> Method:
        """The method of this entrant."""
        return METHODS[self.method]

    @property
    def title(self) -> str:
        """The entrant's name in tables and figures."""
        return f"{self.of.title} {self.suffix}".strip()

    def settings(self, conditional: bool = False) -> Settings:
        """Return the settings that are not searched, for a conditional or unconditional model."""
        return {**(self.of.serving(conditional) or {}), **self.fixed}

    def candidates(self) -> list[Settings]:
        """Return the settings that the search tries first, including ``lr``: six, all rates times all values."""
        own: list[dict[str, Any]] = [{self.dial: value} for value in self.values] or [{}]
        return [{"lr": lr, **one} for lr, one in product(self.rates, own)]


RATES = (2e-5, 1e-4, 5e-4)  # a hundredth, a twentieth and a quarter of the base models' rate on digits and MNIST
SHARE = (0.0, 1.0)

#: All entrants by name.
ENTRANTS: dict[str, Entrant] = {
    "unseen": Entrant("unseen", (2e-4, 5e-4, 1e-3, 2e-3, 4e-3, 8e-3)),  # fresh weights need the rates of training
    "finetune": Entrant("finetune", (1e-5, *RATES[:2], 2e-4, RATES[2], 1e-3)),
    "neggrad": Entrant("neggrad", (2e-7, 5e-7, 1e-6, 2e-6, 5e-6, 2e-5)),
    "blindspot": Entrant("blindspot", RATES, "beta", (50.0, 0.0)),  # Tarun et al.'s code, and EraseDiff's
    # the paper's lambda, and the same scaled to a million weights (selective_amnesia says why)
    "selective_amnesia": Entrant("selective_amnesia", RATES, "lam", (10.0, 0.25)),
    "salun": Entrant("salun", RATES, "alpha", (3.0, 30.0)),
    "multi_objective": Entrant("multi_objective", RATES, "lam", (0.1, 0.01)),
    "erasediff": Entrant("erasediff", RATES, "eta", (0.1, 1e-4)),  # the code's, and the text's
    "sgu_orthogonal": Entrant("sgu", RATES, "alpha", (0.99, 0.9999), SHARE, {"loss": "orthogonal"}, "orthogonal"),
    "sgu_obtuse": Entrant("sgu", RATES, "alpha", (0.99, 0.9), SHARE, {"loss": "obtuse"}, "obtuse"),
    "vdu": Entrant("vdu", (1e-6, 5e-6, 2e-5), "gamma", (0.1, 0.8), SHARE),  # from the paper's rate up
    # on both sides of its default, 60, which is for the mixture
    "signed": Entrant("signed", RATES, "lam", (10.0, 100.0), (1.0, math.inf)),
    "redirect": Entrant("redirect", RATES, "mu", (0.2, 1.0)),
    "siss": Entrant("siss", RATES, "fraction", (0.1, 0.3), SHARE),  # the recommended value, and a larger one
    "retrack": Entrant("retrack", RATES, "mu", (1.0, 0.2)),
    "negate": Entrant("negate", RATES, "w", (1.0, 2.0)),
}
