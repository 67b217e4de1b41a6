"""Every unlearning method by name and what it requires: the rows of the comparison pages.

A new method needs one file beside this one and one entry in ``METHODS``; tests, comparison pages and the generated
table iterate over the dictionary.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from paperlib.training import Training
from paperlib.unlearning.blindspot import blindspot
from paperlib.unlearning.erasediff import erasediff
from paperlib.unlearning.esd import esd
from paperlib.unlearning.finetune import finetune
from paperlib.unlearning.multi_objective import multi_objective
from paperlib.unlearning.negate import negate
from paperlib.unlearning.neggrad import neggrad
from paperlib.unlearning.redirect import redirect
from paperlib.unlearning.retrack import retrack
from paperlib.unlearning.salun import salun
from paperlib.unlearning.selective_amnesia import selective_amnesia
from paperlib.unlearning.sgu import sgu
from paperlib.unlearning.signed import signed
from paperlib.unlearning.siss import siss
from paperlib.unlearning.unseen import unseen
from paperlib.unlearning.vdu import vdu

__all__ = ["METHODS", "Method", "rows"]


@dataclass(frozen=True)
class Method:
    """An unlearning method as the tables show it.

    Args:
        call: ``call(model, forget, retain, *, generator, steps, batch_size, lr, ...) -> Training``.
        title: its name in tables and figures.
        source: paper and equation.
        equation: what is minimised, as text.
        passes: gradient evaluations per update, verified by a test; each side's batch is one.
        retained: "needed", "optional" where a replay is sampled from a conditional model instead, or "unused".
        labels: whether a conditional model's forgotten data must expose the set of their labels.
        unconditional: the settings, beside the defaults, that an unconditional model needs; None if none works.
        extra: passes per update that keep no gradient, or what is computed before the first update; text.
        memory: memory beside the weights, their gradients and Adam's moments, in copies of the weights.
        small: settings that make the preparation small, for smoke runs and tests, and those without a default.
    """

    call: Callable[..., Training]
    title: str
    source: str
    equation: str
    passes: int
    retained: str = "needed"
    labels: bool = False
    unconditional: Mapping[str, Any] | None = field(default_factory=dict)
    extra: str = "none"
    memory: float = 0.0
    small: Mapping[str, Any] = field(default_factory=dict)

    def serving(self, conditional: bool) -> dict[str, Any] | None:
        """Return the settings for a conditional or an unconditional model, or None if the method cannot be applied."""
        return {} if conditional else self.unconditional


SALUN = "before the first update: the gradient of one pass over D_f; every update: one pass without gradient"
AMNESIA = "before the first update: the replay, and the Fisher diagonal"
SMALL_AMNESIA = {"replays": 4, "fisher_samples": 3, "fisher_times": 4, "sampling": {"steps": 4}}

METHODS: dict[str, Method] = {
    "unseen": Method(unseen, "Unseen", "SGU, Eq. 8", "L_g, from fresh weights", passes=1),
    "finetune": Method(finetune, "Fine-tune", "EraseDiff, Eq. 1", "L_r", passes=1),
    "neggrad": Method(neggrad, "NegGrad", "Golatkar et al., 2020", "-L_f", passes=1, retained="unused"),
    "blindspot": Method(
        blindspot,
        "BlindSpot",
        "Tarun et al., 2023",
        "(1 - r) L_r + r E|eps_B - eps|^2",
        passes=2,
        extra="before the first update: a teacher's training; every update: one pass of the teacher",
        memory=1,
        small={"teacher_steps": 3},
    ),
    "selective_amnesia": Method(
        selective_amnesia,
        "Selective Amnesia",
        "Heng and Soh, 2023",
        "L_s + gamma L_r + lambda/2 sum F (theta - theta*)^2",
        passes=2,
        retained="optional",
        labels=True,
        extra=AMNESIA,
        memory=2,
        small=SMALL_AMNESIA,
    ),
    "salun": Method(
        salun,
        "SalUn",
        "Fan et al., 2024",
        "L_f + alpha L_r, on the salient weights",
        passes=2,
        labels=True,
        unconditional={"erase": "ascent"},
        extra=SALUN,
        memory=0.25,  # one byte a weight
    ),
    "multi_objective": Method(
        multi_objective,
        "Multi-objective",
        "EraseDiff, Eq. 3",
        "L_r + lambda L_f",
        passes=2,
        unconditional={"target": "noise"},
        extra="every update: one pass without gradient",
    ),
    "erasediff": Method(
        erasediff,
        "EraseDiff",
        "EraseDiff, Eq. 6 and Theorem 3.1",
        "delta = grad L_r + lambda_t grad L_f",
        passes=4,  # one per side, and K = 2 inner steps
        unconditional={"target": "noise"},
        extra="every update: one pass without gradient for each batch of D_f, and one for g",
        memory=3,  # both gradients, and theta during the inner loop
    ),
    "sgu": Method(sgu, "SGU", "SGU, Eq. 9 to 11", "alpha L_g + (1 - alpha) L_f", passes=2),
    "vdu": Method(
        vdu,
        "VDU",
        "VDU, Eq. 3",
        "gamma B - (1 - gamma) A",
        passes=1,
        retained="unused",
        extra="beforehand: the posterior, from snapshots of one training or from several models",
        memory=2,
        small={"posterior": 0.01},
    ),
    "signed": Method(signed, "Signed", "SISS, 2025, two passes", "(lambda L_g - L_f) / (lambda - 1)", passes=2),
    "redirect": Method(
        redirect,
        "Redirect",
        "second term: ReTrack, 2025",
        "L_g + mu E_f|eps* - eps|^2",
        passes=2,
        small={"references": 32},
    ),
    "siss": Method(
        siss,
        "SISS",
        "Alberti et al., 2025",
        "E w_x|eps - z_x|^2 - c E w_a|eps - z_a|^2",
        passes=1,  # forward; both gradients are computed from it
        memory=2,
    ),
    "retrack": Method(
        retrack,
        "ReTrack",
        "Shi et al., 2025",
        "L_g + mu E_f|z* - eps|^2, of k neighbours",
        passes=2,
        small={"pool": 32},
    ),
    "negate": Method(
        negate,
        "Negate",
        "ours; exact score: DNG, 2025",
        "L_g + mu E_f|eps_0 - w sigma grad log(1 - pi_f) - eps|^2",
        passes=2,
        extra="beforehand: a classifier of noisy data; every update: one pass of the given model and the classifier",
        memory=1,
        small={"classifier_steps": 3},
    ),
    "esd": Method(
        esd,
        "ESD",
        "Gandikota et al., 2023, Eq. 7",
        "E|eps_0(0) - eta (eps_0(c) - eps_0(0)) - eps(c)|^2",
        passes=1,
        retained="unused",
        labels=True,
        unconditional=None,
        extra="every update: two passes of the given model, and up to 50 of the model itself to its own points",
        memory=1,
        small={"points": "data"},
    ),
}


def rows() -> list[dict[str, str]]:
    """Return the table of what each method needs and costs, one row per method."""

    def conditional(method: Method) -> str:
        settings = method.serving(conditional=False)
        if settings is None:
            return "needed"
        return "needed, but for " + ", ".join(f"{k}={v!r}" for k, v in settings.items()) if settings else "either"

    return [
        {
            "method": name,
            "title": method.title,
            "source": method.source,
            "minimises": method.equation,
            "retained data": method.retained,
            "labels": "yes" if method.labels else "as the model's",
            "conditional model": conditional(method),
            "gradient evaluations per update": str(method.passes),
            "extra passes": method.extra,
            "memory, copies of the weights": f"{method.memory:g}",
        }
        for name, method in METHODS.items()
    ]
