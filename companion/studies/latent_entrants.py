"""The rows of the page on forgetting by prompt, and the rates that its search tries
(:mod:`companion.studies.latent_search`): four of each row, everything else as papers or codes have it."""

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
    """A method as it enters here.

    Args:
        call: its function; None leaves the model as it is.
        trains: which weights, by ``CHOICES`` of :mod:`paperlib.nets.parameters`.
        passes: gradient evaluations per update; each side's batch is one.
    """

    call: Callable[..., Training] | None = None
    trains: str = "full"
    passes: int = 1

    def updates(self, gradients: int) -> int:
        """How many a run of so many gradient evaluations has: one at least."""
        return max(1, gradients // self.passes)


RATES = (5e-4, 1e-3, 2e-3, 4e-3)  # from a quarter of the rate that trained the model to its double
LOW = (5e-6, 1e-5, 2e-5, 4e-5)  # of a loss without a lower bound
AMNESIA = {"lam": 0.3, "fisher_samples": 16, "fisher_times": 16}  # lambda as its docstring scales it
ERASEDIFF = {"variant": "corrected"}  # a_t in units of the inner steps' rate
ESD = {"points": "data"}  # costs no sampling in every update

METHODS: dict[str, PromptEntrant] = {
    "standard": PromptEntrant("standard", ()),
    "finetune": PromptEntrant("finetune", RATES, call=finetune),
    "neggrad": PromptEntrant("neggrad", LOW, call=neggrad),
    "selective_amnesia": PromptEntrant("selective_amnesia", RATES, fixed=AMNESIA, call=selective_amnesia, passes=2),
    "salun": PromptEntrant("salun", RATES, fixed={"mask_rows": 128}, call=salun, passes=2),
    # four passes: one a side, and K = 2 inner steps
    "erasediff": PromptEntrant("erasediff", RATES, fixed=ERASEDIFF, call=erasediff, passes=4),
    "erasediff_noxattn": PromptEntrant("erasediff", RATES, fixed=ERASEDIFF, call=erasediff, passes=4, trains="noxattn"),
    "esd_x": PromptEntrant("esd", RATES, fixed=ESD, call=esd, trains="xattn"),
    "esd_u": PromptEntrant("esd", RATES, fixed=ESD, call=esd, trains="noxattn"),
    "forget_me_not": PromptEntrant("forget_me_not", RATES, call=forget_me_not, trains="xattn"),
}

#: In smoke, estimates over all weights, Fisher's diagonal and SalUn's mask, from a few images.
SMALL = {"selective_amnesia": {"fisher_samples": 2, "fisher_times": 4}, "salun": {"mask_rows": 16}}
