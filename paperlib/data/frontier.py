"""How much forgetting is possible: the exact frontier of D_f against D_g, for any density.

Let q be any density, and lambda so large that lambda p_g >= p_f everywhere. Then w = (lambda p_g - p_f) / (lambda - 1)
is itself a density, and Gibbs' inequality, E_w[-log q] >= E_w[-log w] = H(w), gives::

    E_f[-log q] <= lambda E_g[-log q] - (lambda - 1) H(w)                                    (bound)

with equality only for q = w. Each lambda gives a line that no model can cross, and one model that touches it: w. The
frontier is the lower envelope of these lines. On SGU's mixture p_f / p_g = e^4 / cosh(2 (x1 + x2)) <= e^4, so lambda
ranges from e^4 upwards.
"""

import math

import numpy as np
import torch
from scipy.optimize import minimize_scalar

from paperlib.data.mixture import SGU_MIXTURE, GaussianMixture

__all__ = ["LAMBDA_MIN", "Optimum", "entropy", "frontier", "largest_forgetting", "touching_point"]

# The three means lie on one line. Across it every density is the same normal one, and so is the optimum's. Along it,
# u = (x1 + x2) / sqrt 2.
ALONG = GaussianMixture(SGU_MIXTURE.weights, tuple((sum(mean) / math.sqrt(2),) for mean in SGU_MIXTURE.means))
P_G, P_F = ALONG.only(0, 2), ALONG.only(1)
ACROSS = 0.5 * math.log(2 * math.pi * math.e)  # entropy of the normal factor across, in nats
LAMBDA_MIN = math.exp(4.0)  # the largest value of p_f / p_g, at x1 + x2 = 0


def _nodes() -> tuple[np.ndarray, np.ndarray]:
    """Return Gauss-Legendre nodes and weights on [0, 14], in panels that shrink towards 0, where log w has a pole at
    lambda = e^4."""
    # beyond 14 every density here is below e^-60
    edges = np.concatenate([[0.0], np.geomspace(1e-9, 0.5, 40), np.linspace(0.5, 14.0, 28)[1:]])
    x, weight = np.polynomial.legendre.leggauss(12)
    half = np.diff(edges)[:, None] / 2
    return (edges[:-1, None] + half * (x + 1)).ravel(), (half * weight).ravel()


U, WEIGHTS = _nodes()


def log_optimum(u: np.ndarray, lam: float) -> np.ndarray:
    """Return log w along the line: log p_g + log((lambda - p_f / p_g) / (lambda - 1))."""
    # Without cancellation at lambda = e^4, with c = 2 sqrt 2 u and cosh(c) - 1 = 2 sinh(c / 2)^2:
    # lambda - e^4 / cosh(c) = (lambda - e^4) + e^4 (cosh(c) - 1) / cosh(c)
    c = 2 * math.sqrt(2) * u
    gap = (lam - LAMBDA_MIN) + LAMBDA_MIN * 2 * np.sinh(c / 2) ** 2 / np.cosh(c)
    return _log_density(P_G, u) + np.log(gap / (lam - 1))


def _log_density(density: GaussianMixture, u: np.ndarray) -> np.ndarray:
    return density.log_density(torch.from_numpy(u)[:, None]).numpy()


def _expectation(density: GaussianMixture, lam: float) -> float:
    """Return E_density[-log w] in nats, along the line and across it; both factors are even in u."""
    return float(-2 * WEIGHTS @ (np.exp(_log_density(density, U)) * log_optimum(U, lam))) + ACROSS


class Optimum:
    """The optimal density w in the plane, for a ``lam`` of at least e^4, with its exact perturbed score."""

    def __init__(self, lam: float):
        _check(lam)
        self.lam, self.p_g, self.p_f = lam, SGU_MIXTURE.only(0, 2), SGU_MIXTURE.only(1)

    def score(
        self, x: torch.Tensor, alpha: torch.Tensor | float = 1.0, sigma: torch.Tensor | float = 0.0
    ) -> torch.Tensor:
        """Return grad log(lambda p_g,t - p_f,t) = s_g + r / (lambda - r) (s_g - s_f), r = p_f,t / p_g,t, [B, 2]."""
        r = (self.p_f.log_density(x, alpha, sigma) - self.p_g.log_density(x, alpha, sigma)).exp()[:, None]
        s_g, s_f = self.p_g.score(x, alpha, sigma), self.p_f.score(x, alpha, sigma)
        return s_g + r / (self.lam - r) * (s_g - s_f)


def _check(lam: float) -> None:
    if lam < LAMBDA_MIN:
        raise ValueError(
            f"lam={lam} is below e^4 = {LAMBDA_MIN:.4f}: lambda p_g - p_f is negative somewhere, w no density"
        )


def touching_point(lam: float) -> tuple[float, float]:
    """Return (D_g, D_f) of the optimal density w at ``lam``, in nats; ``lam`` is at least e^4."""
    _check(lam)
    return _expectation(P_G, lam), _expectation(P_F, lam)


def entropy(lam: float) -> float:
    """Return H(w) in nats: E_w[-log w] = (lambda E_g[-log w] - E_f[-log w]) / (lambda - 1)."""
    retained, forgotten = touching_point(lam)
    return (lam * retained - forgotten) / (lam - 1)


def largest_forgetting(retained: float) -> float:
    """Return the largest E_f[-log q] of any density q with E_g[-log q] = ``retained``, in nats: the lowest line of
    (bound)."""
    if retained < (least := P_G.cross_entropy(P_G) + ACROSS):
        raise ValueError(f"retained={retained} is below the entropy of p_g, {least:.4f} nats: no density reaches it")

    def line(log_gap: float) -> float:
        lam = LAMBDA_MIN + math.exp(log_gap)
        return lam * retained - (lam - 1) * entropy(lam)

    inside = minimize_scalar(line, bounds=(-12.0, 16.0), method="bounded", options={"xatol": 1e-4})
    at_end = LAMBDA_MIN * retained - (LAMBDA_MIN - 1) * entropy(LAMBDA_MIN)
    return min(float(inside.fun), at_end)


def frontier(points: int = 40) -> np.ndarray:
    """Return points (D_g, D_f) on the curved part of the frontier in nats, [points, 2], from p_g itself towards
    lambda = e^4."""
    return np.array([touching_point(LAMBDA_MIN + gap) for gap in np.geomspace(1e6, 1e-3, points)])
