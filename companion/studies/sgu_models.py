"""The models of SGU's pages on images: Standard, what unlearning makes of it, and Unseen, which never saw D_f."""

from collections.abc import Iterator
from dataclasses import replace

from companion import checkpoints
from companion.models import Model, base
from companion.noisy_classifiers import RECIPES
from companion.studies.sgu_rows import ROWS, row_of, training
from companion.studies.sgu_search import alpha_of, negation_of
from paperlib.unlearning.finetune import finetune
from paperlib.unlearning.negate import negate
from paperlib.unlearning.sgu import sgu

__all__ = ["CODE", "ROWS", "sgu_models", "unlearnt"]

#: The public code's own setting of its own, element-wise loss.
CODE = {"loss": "orthogonal", "variant": "code", "alpha": 0.99, "every": 4}


def sgu_models(
    row: str,
    *,
    profile: str,
    forget: str = "",
    process: str = "",
    start: str = "",
    others: bool = True,
    **run: int | float | str,
) -> Iterator[tuple[Model, str]]:
    """Each model of a row, with what it was to forget.

    Args:
        row: a key of ``ROWS``.
        profile: "smoke" takes the drawn set, "paper" the paper's network, training and batches.
        forget: other classes than the row's own; empty for these.
        process: in place of the row's own.
        start: "retrain" or "finetune"; empty: at paper as Table 2 has it, from fresh weights.
        others: with the public code's own setting, and fine-tuning alone.
        run: what :func:`unlearnt` takes.
    """
    name, own = row_of(row, profile, process)
    standard, D_f = base(name), forget or own
    anew = {"start": start} if start else {}
    if profile == "paper" and not standard.missing:
        theirs = training(standard, start or "retrain", int(run["updates"]))
        anew = {name: theirs.pop(name) for name in ("start", "forget_batch")}
        run |= theirs
    for model in unlearnt(standard, D_f, anew=anew, others=others, **run):
        yield model, D_f


def unlearnt(
    standard: Model,
    D_f: str,
    *,
    alpha: float = 0.0,
    variant: str = "paper",
    anew: dict[str, int | str] | None = None,
    others: bool = True,
    **run: int | float | str,
) -> Iterator[Model]:
    """A base model, and what becomes of it: SGU's two losses, the others, exact negation, Unseen.

    Args:
        alpha: of both losses; 0: of each the one that the search found (:mod:`companion.studies.sgu_search`).
        variant: the reading of both.
        anew: settings of SGU alone: ``start``, ``forget_batch``, ``weighting``.
        others: with the public code's own setting, and fine-tuning alone, which is alpha = 1.
        run: ``updates``, ``batch_size``, ``lr``, ``seed``, ``evaluations`` of :meth:`companion.models.Model.unlearn`.
    """
    yield standard
    known, anew = not standard.missing, anew or {}
    for loss in ("orthogonal", "obtuse"):
        found = alpha or (alpha_of(standard.name, D_f, loss, variant) if known else 1.0)
        weighed = {"loss": loss, "alpha": found, "variant": variant} | anew
        yield standard.unlearn(sgu, D_f, called=f"sgu_{loss}", **weighed, **run)
    if others:
        yield standard.unlearn(sgu, D_f, called="sgu_code", **CODE, **anew, **run)
        yield standard.unlearn(finetune, D_f, **run)
    yield standard.retrained(without=D_f)
    yield _negated(standard, D_f, **run)


def _negated(standard: Model, D_f: str, **run: int | float | str) -> Model:
    """Exact negation, where there is a classifier of noisy images."""
    name = "" if standard.missing else standard.kind.dataset
    if standard.missing or (name in RECIPES and checkpoints.card(f"noisy-classifier-{name}")):
        return standard.unlearn(negate, D_f, w=negation_of(standard.name, D_f), **run)
    return replace(standard, method="negate", forgot=D_f, missing=f"no classifier of noisy {name} is at hand")
