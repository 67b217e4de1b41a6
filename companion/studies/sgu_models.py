"""The models of SGU's Tables 2, 3 and 5: Standard, what unlearning makes of it, and Unseen, which never saw D_f."""

from collections.abc import Iterator

from companion.models import Model, base
from companion.studies.sgu_rows import ROWS, row_of, training
from paperlib.unlearning.redirect import redirect
from paperlib.unlearning.sgu import sgu

__all__ = ["ROWS", "sgu_models"]


def sgu_models(
    row: str,
    *,
    profile: str,
    forget: str,
    alpha: float,
    variant: str,
    process: str = "",
    start: str = "",
    **run: int | float | str,
) -> Iterator[tuple[Model, str]]:
    """Each model of a row, with what it was to forget.

    Args:
        row: a key of ``ROWS``.
        profile: "smoke" takes the drawn set, "paper" the paper's network, training and batches.
        forget: other classes than the row's own; empty for these.
        alpha, variant: of SGU's losses, Eqs. 9 and 10, which take the forgetting's place.
        process: in place of the row's own.
        start: "retrain" or "finetune"; empty: at paper as Table 2 has it, from fresh weights.
        run: ``updates``, ``batch_size``, ``lr``, ``seed``, ``evaluations`` of :meth:`companion.models.Model.unlearn`.
    """
    name, own = row_of(row, profile, process)
    standard, D_f = base(name), forget or own
    anew = {"start": start} if start else {}
    if profile == "paper" and not standard.missing:
        theirs = training(standard, start or "retrain", int(run["updates"]))
        anew = {name: theirs.pop(name) for name in ("start", "forget_batch")}
        run |= theirs
    yield standard, D_f
    for loss in ("orthogonal", "obtuse"):
        weighed = {"loss": loss, "alpha": alpha, "variant": variant} | anew
        yield standard.unlearn(sgu, D_f, called=f"sgu_{loss}", **weighed, **run), D_f
    yield standard.retrained(without=D_f), D_f
    yield standard.unlearn(redirect, D_f, **run), D_f
