"""Samplers from noise x_T to data x_0, each a generator of states over which the caller iterates.

All share one signature, for every process, with or without a condition::

    sampler(model, x, steps=..., generator=None, cond=None, clip=None, spacing=..., denoise=...)

:func:`sample` runs a sampler to its end; iterating over the sampler yields every step, for example for animations.

========================  ==============  ===========  ==================================================
sampler                   equation        evaluations  what its settings recover
========================  ==============  ===========  ==================================================
``ddpm``                  chain           steps        DDPM's ancestral sampling, either variance
``ddim``                  chain           steps        DDIM at ``eta=0``; DDPM, small variance, at 1
``euler_maruyama``        SDE             steps        score_sde's Euler-Maruyama
``predictor_corrector``   SDE             2 x steps    score_sde's reverse diffusion + Langevin
``heun``                  ODE             2 x steps    Heun in t; ``variable="noise"``: Karras et al.'s
``dpmpp_2m``              ODE             steps        DPM-Solver++(2M)
``ipndm``                 ODE             steps        iPNDM, the best at 5 to 10 evaluations
========================  ==============  ===========  ==================================================
"""

from paperlib.sampling.ancestral import ddim, ddpm
from paperlib.sampling.draw import prior, sample, sample_batches
from paperlib.sampling.ode import dpmpp_2m, heun, ipndm
from paperlib.sampling.sde import euler_maruyama, predictor_corrector
from paperlib.sampling.times import SPACINGS, time_grid
from paperlib.sampling.walk import State

__all__ = [
    "SPACINGS",
    "State",
    "ddim",
    "ddpm",
    "dpmpp_2m",
    "euler_maruyama",
    "heun",
    "ipndm",
    "predictor_corrector",
    "prior",
    "sample",
    "sample_batches",
    "time_grid",
]
