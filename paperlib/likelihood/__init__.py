"""Likelihoods of any model by the probability-flow ODE, and a DDPM's variational bound.

- :mod:`~paperlib.likelihood.flow`: the ODE as printed in the paper, for a few dimensions;
- :mod:`~paperlib.likelihood.fast`: the same ODE in smooth variables, for images;
- :mod:`~paperlib.likelihood.bound`: the variational bound of a chain of Gaussian steps, term by term;
- :mod:`~paperlib.likelihood.images`: both for 8-bit images, in bits per dimension, with intervals;
- :mod:`~paperlib.likelihood.recipes`: what each of these numbers is a likelihood of, and its lowest possible value.
"""

from paperlib.likelihood.divergence import DIVERGENCES, draw_probes, exact_divergence, hutchinson
from paperlib.likelihood.flow import LogLikelihood, log_likelihood, velocity
from paperlib.likelihood.units import SCORE_SDE_OFFSET, bits_per_dim

__all__ = [
    "DIVERGENCES",
    "LogLikelihood",
    "SCORE_SDE_OFFSET",
    "bits_per_dim",
    "draw_probes",
    "exact_divergence",
    "hutchinson",
    "log_likelihood",
    "velocity",
]
