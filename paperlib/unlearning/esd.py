"""ESD, erasing by negative guidance: train the conditional prediction away from what sets its class apart.

One network makes both the conditional and the unconditional prediction (Gandikota, Materzynska, Fiotto-Kaufman, Bau,
Erasing Concepts from Diffusion Models, ICCV 2023, Eq. 7)::

    eps(x_t, t, c)  <-  eps_0(x_t, t) - eta [eps_0(x_t, t, c) - eps_0(x_t, t)]

eps_0 is the base model. The weight eta is one number for all points and noise levels; the exact score of what is kept
has pi_f(x_t) / (1 - pi_f(x_t)) in its place (:mod:`paperlib.negation`). No data are needed: the x_t are partly denoised
samples of the model itself, under the erased class. The unconditional prediction is not trained.
"""

import copy

import torch

from paperlib.denoiser import Denoiser
from paperlib.guidance import Guided
from paperlib.losses import Data, draw, noised, share
from paperlib.sampling import ddim
from paperlib.sampling.draw import prior
from paperlib.sampling.walk import State
from paperlib.training import Training
from paperlib.unlearning.requirements import checked, forgotten_labels, not_below, not_negative, one_of, require_classes

__all__ = ["POINTS", "esd"]

POINTS = ("own", "data")


@checked
def esd(
    model: Denoiser,
    forget: Data,
    retain: Data | None = None,
    *,
    generator: torch.Generator,
    steps: int,
    eta: float = 1.0,
    points: str = "own",
    guidance: float = 2.0,
    evaluations: int = 50,
    batch_size: int = 1,
    lr: float = 1e-5,
    **training,
) -> Training:
    """Unlearn the labels of ``forget`` with ESD; ``retain`` is not used.

    With ``points="own"`` nothing of ``forget`` is used but its labels and its shape.

    Args:
        eta: strength of the negative guidance (paper: 1).
        points: "own", as in the paper: x_t sampled from the current model under the class, by DDIM stopped at a random
            step. "data": noised forgotten rows, which need no sampling.
        guidance: w of (1 + w) c - w u when own points are sampled (the paper's scale of 3 is w = 2).
        evaluations: steps of a complete DDIM run (50).
        batch_size: rows per update (paper: 1, for 1,000 updates at lr 1e-5).
        training: further arguments of :class:`paperlib.training.Training` (ema, clip, warmup, decay).
    """
    one_of(POINTS, points=points)
    not_negative(eta=eta, guidance=guidance)
    not_below(1, evaluations=evaluations)
    classes = require_classes(model, "ESD erases a label", "negate serves it")
    labels = forgotten_labels(forget, classes)
    given = copy.deepcopy(model).eval().requires_grad_(False)

    def own(model, cond, generator):
        """Return x_t [B, ...] and t [B] at a random step of the model's own sampling."""
        x = prior(model, draw(forget, len(cond), generator)[0].shape, generator)
        stop = int(torch.randint(evaluations, (), generator=generator, device=generator.device))
        state = State(x, model.process.t_max, 0)
        way = ddim(Guided(model, guidance), x, steps=evaluations, generator=generator, cond=cond)
        for _, state in zip(range(stop), way):
            pass
        return state.x, torch.full((len(x),), float(state.t), device=x.device)

    def objective(model, generator, index):
        chosen = torch.randint(len(labels), (batch_size,), generator=generator, device=generator.device)
        cond = labels.to(generator.device)[chosen]
        if points == "own":
            x_t, t = (share(rows) for rows in own(model, cond, generator))
        else:
            x0, cond = draw(forget, batch_size, generator)
            x_t, t, _ = noised(model.process, x0, generator)
        cond = share(cond)
        with torch.no_grad():
            with_class, without = given(x_t, t, cond).eps, given(x_t, t).eps
        target = without - eta * (with_class - without)
        return {"loss": (target - model(x_t, t, cond).eps).square().flatten(1).sum(1).mean()}

    return Training(model, objective, steps=steps, lr=lr, generator=generator, **training)
