"""The methods on the page about forgetting by prompt, and the learning rates that its search tries for each.

The search (:mod:`companion.studies.latent_search`) tries four rates per method; all other settings are those of the
papers or their code.
"""

from collections.abc import Callable
from dataclasses import dataclass

from companion.comparison.entrants import Entrant
from paperlib.training import Training
from paperlib.unlearning.erasediff import erasediff
from paperlib.unlearning.esd import esd
from paperlib.unlearning.finetune import finetune
from paperlib.unlearning.forget_me_not import forget_me_not
from paperlib.unlearning.neggrad import neggrad
from paperlib.unlearning.salun import salun
from paperlib.unlearning.selective_amnesia import selective_amnesia

__all__ = ["METHODS", "SMALL", "PromptEntrant"]


@dataclass(frozen=True, kw_only=True)
class PromptEntrant(Entrant):
    """A method on this page.

    Args:
        call: the method's function; None leaves the model unchanged.
        trains: the weights that it trains, a key of ``CHOICES`` in :mod:`paperlib.nets.parameters`.
        passes: gradient evaluations per update; each side's batch counts as one.
    """

    call: Callable[..., Training] | None = None
    trains: str = "full"
    passes: int = 1

    def updates(self, gradients: int) -> int:
        """Return the number of updates, at least one, that a budget of ``gradients`` gradient evaluations allows."""
        return max(1, gradients // self.passes)


RATES = (5e-4, 1e-3, 2e-3, 4e-3)  # from a quarter of the rate that trained the model to twice that rate
LOW = (5e-6, 1e-5, 2e-5, 4e-5)  # for a loss without a lower bound
AMNESIA = {"lam": 0.3, "fisher_samples": 16, "fisher_times": 16}  # lambda scaled as its docstring says
ERASEDIFF = {"variant": "corrected"}  # a_t in units of the inner learning rate
ESD = {"points": "data"}  # no sampling during the updates

METHODS: dict[str, PromptEntrant] = {
    "standard": PromptEntrant("standard", ()),
    "finetune": PromptEntrant("finetune", RATES, call=finetune),
    "neggrad": PromptEntrant("neggrad", LOW, call=neggrad),
    "selective_amnesia": PromptEntrant("selective_amnesia", RATES, fixed=AMNESIA, call=selective_amnesia, passes=2),
    "salun": PromptEntrant("salun", RATES, fixed={"mask_rows": 128}, call=salun, passes=2),
    # four passes: one per side, and K = 2 inner steps
    "erasediff": PromptEntrant("erasediff", RATES, fixed=ERASEDIFF, call=erasediff, passes=4),
    "erasediff_noxattn": PromptEntrant("erasediff", RATES, fixed=ERASEDIFF, call=erasediff, passes=4, trains="noxattn"),
    "esd_x": PromptEntrant("esd", RATES, fixed=ESD, call=esd, trains="xattn"),
    "esd_u": PromptEntrant("esd", RATES, fixed=ESD, call=esd, trains="noxattn"),
    "forget_me_not": PromptEntrant("forget_me_not", RATES, call=forget_me_not, trains="xattn"),
}

#: Settings of smoke, where the Fisher diagonal and SalUn's mask are estimated from a few images.
SMALL = {"selective_amnesia": {"fisher_samples": 2, "fisher_times": 4}, "salun": {"mask_rows": 16}}
