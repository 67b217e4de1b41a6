"""The models of SGU's Tables 2 and 3: Standard, what unlearning makes of it, and Unseen, which never saw D_f."""

from collections.abc import Iterator

from companion.models import Model, base
from paperlib.unlearning.redirect import redirect
from paperlib.unlearning.sgu import sgu

__all__ = ["ROWS", "sgu_models"]

#: Data set of the tables -> base model and D_f, real, and drawn in its place.
ROWS = {
    "mnist": {"real": ("mnist-ve", "3,7"), "drawn": ("digits-ve", "3,7")},
    "cifar10": {"real": ("cifar10-vp", "dog,automobile"), "drawn": ("shapes-vp", "square,disc")},
    "stl10": {"real": ("stl10-vp", "airplane"), "drawn": ("shapes-vp", "arrow")},
    "celeba": {"real": ("celeba-vp", "bangs"), "drawn": ("avatars-vp", "bangs")},
}


def sgu_models(
    row: str, *, data: str, forget: str, alpha: float, variant: str, **run: int | float
) -> Iterator[tuple[Model, str]]:
    """Each model of a row, with what it was to forget.

    Args:
        row: a key of ``ROWS``.
        data: "real", or "drawn", which stands for it where that is not at hand.
        forget: other classes than the row's own; empty for these.
        alpha, variant: of SGU's losses, Eqs. 9 and 10, which take the forgetting's place.
        run: ``updates``, ``batch_size``, ``lr``, ``seed``, ``evaluations`` of :meth:`companion.models.Model.unlearn`.
    """
    name, own = ROWS[row][data]
    standard, D_f = base(name), forget or own
    yield standard, D_f
    for loss in ("orthogonal", "obtuse"):
        weighed = {"loss": loss, "alpha": alpha, "variant": variant}
        yield standard.unlearn(sgu, D_f, called=f"sgu_{loss}", **weighed, **run), D_f
    yield standard.retrained(without=D_f), D_f
    yield standard.unlearn(redirect, D_f, **run), D_f
