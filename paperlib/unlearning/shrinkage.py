"""A common scale for SGU's weights: how much of the prediction is left where both sides look alike.

At high noise x_0 from D_g and from D_f cannot be told apart, and a trained model predicts z itself. For predictions
eps = c z in D dimensions, with z normal, every loss of SGU is a parabola in c (:mod:`paperlib.unlearning.sgu`)::

    L_g = D (1 - c)^2,    L_f = D (q c^2 + l c) + constant

whose weighted sum, Eq. 11, is smallest at::

    c = (alpha - (1 - alpha) l / 2) / (alpha + (1 - alpha) q)

c = 1 is the trained model, 0 a model that predicts zero, -1 one that predicts the opposite. This makes the weights of
different losses comparable: alpha = 0.99 gives c = 0.11 for Eq. 9 with D = 784, and c = 0.97 for the public code's
loss.
"""

from paperlib.unlearning.requirements import one_of
from paperlib.unlearning.sgu import FORGET_LOSSES

__all__ = ["shrinkage", "weight_of"]

#: (loss, variant) -> (q, l); q of Eq. 9 is E[|z|^4] / D = D + 2, of its element-wise reading E[z_i^4] = 3.
PARABOLAS = {
    ("orthogonal", "code"): (3, 0),
    ("orthogonal", "corrected"): (1, 0),
    ("obtuse", "paper"): (0, 1),
    ("obtuse", "code"): (0, -1),
    ("obtuse", "corrected"): (0.5, 1),
}


def _parabola(loss: str, variant: str, dims: int) -> tuple[float, float]:
    one_of(tuple(FORGET_LOSSES), loss=loss)
    one_of(tuple(FORGET_LOSSES[loss]), variant=variant)
    if dims < 1:
        raise ValueError(f"dims={dims} is below 1")
    return PARABOLAS.get((loss, variant), (dims + 2, 0))


def shrinkage(alpha: float, *, loss: str, variant: str, dims: int) -> float:
    """Return c, the factor that Eq. 11 leaves of the prediction, for a weight ``alpha`` of L_g in (0, 1] and data of
    ``dims`` dimensions."""
    if not 0 < alpha <= 1:
        raise ValueError(f"alpha={alpha} is not in (0, 1]")
    q, linear = _parabola(loss, variant, dims)
    return (alpha - (1 - alpha) * linear / 2) / (alpha + (1 - alpha) * q)


def weight_of(c: float, *, loss: str, variant: str, dims: int) -> float:
    """Return the weight alpha of L_g with which Eq. 11 leaves the factor c of the prediction.

    Raises:
        ValueError: if no weight in (0, 1] does.
    """
    q, linear = _parabola(loss, variant, dims)
    kept = q * c + linear / 2
    alpha = kept / (1 - c + kept) if 1 - c + kept else float("inf")
    if not 0 < alpha <= 1 or abs(shrinkage(alpha, loss=loss, variant=variant, dims=dims) - c) > 1e-6:
        raise ValueError(f"c={c}: no alpha in (0, 1] of loss={loss!r}, variant={variant!r} leaves that much")
    return alpha
