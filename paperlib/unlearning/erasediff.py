"""EraseDiff: minimise the retained data's loss under a constraint that brings the forgotten data's loss down.

::

    L_r = E |eps - eps_theta(x_t | c)|^2,      (x_0, c) from D_r                                  (Eq. 1)
    L_f = E |eps_f - eps_theta(x_t | c)|^2,    (x_0, c) from D_f                                  (Eq. 2)
    min L_r   subject to   g(theta) = L_f(theta) - min_phi L_f(phi) <= 0                          (Eq. 5)

eps_f is the model's prediction under another class, eps_theta(x_t | c_m) ("rl"), or noise. Each update follows the
vector delta nearest to grad L_r that decreases g at a rate of at least a_t (Eq. 6), which is (Theorem 3.1)::

    delta = grad L_r + lambda_t grad g,    lambda_t = max(0, (a_t - grad g . grad L_r) / |grad g|^2)

Algorithm 1 obtains phi from K steps of gradient descent on L_f that start at theta.

**The inner loop.** The paper holds phi^K constant when it computes grad g. That is correct: g is L_f minus a minimum,
the minimum is the same number for all theta, and grad g = grad L_f exactly. (Differentiating through the K steps would
give the gradient of another function, g_K: how much K steps can gain from theta. It is zero at every stationary point
of L_f, including the maxima, so descending it *raises* L_f where L_f has negative curvature. As K grows, its gradient
tends to grad L_f, which is available without any inner step.) What phi^K adds to grad L_f is a value, how much is left
to gain, and a value can enter Eq. 6 only through a_t. With the paper's choice, eta times the squared norm of grad g,
it does not enter: K changes nothing at all. ``variant="corrected"`` takes::

    a_t = eta g / xi,    g = L_f(theta) - L_f(phi^K) on a batch that the inner loop has not seen, at least 0

so that g falls at least as fast as dg/dt = -(eta / xi) g: the constraint of Eq. 5 is approached, and once K steps find
nothing more to gain, a_t = 0 and erasing ends; what remains of delta is grad L_r without the part that would undo it.
(The dynamic barriers of Gong et al., 2021, and Liu et al., 2022, from which Eq. 6 descends, do the same.) For K = 1 and
xi -> 0 this is the paper's a_t without its bias: g / xi is the inner product of two independent batches' gradients,
whereas the squared norm of one batch's gradient also contains the variance of its noise. A larger K asks for more, as
the text on Figure 5 says.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from paperlib.denoiser import Denoiser, trainable
from paperlib.losses import Data, condition, draw, noised, score_matching, share
from paperlib.training import Training
from paperlib.unlearning.requirements import (
    checked,
    require_retained,
)

__all__ = ["Erasing", "TARGETS", "VARIANTS", "erasediff", "erasing", "multiplier"]

TARGETS = ("rl", "noise")
VARIANTS = ("paper", "code", "corrected")


def multiplier(r: Tensor, f: Tensor, a: float) -> float:
    """Return lambda_t of Theorem 3.1 from ``r`` = grad L_r [n], ``f`` = grad g [n] and ``a`` = a_t; 0 where grad g
    vanishes and no delta is feasible."""
    squared = (f @ f).item()
    return max(0.0, (a - (f @ r).item()) / squared) if squared > 0 else 0.0


@dataclass(frozen=True)
class Erasing:
    """A batch of noisy forgotten points and the prediction eps_f that the model is to learn there."""

    x_t: Tensor
    t: Tensor
    cond: Tensor | None
    eps_f: Tensor

    def loss(self, model: Denoiser) -> Tensor:
        """Return L_f (Eq. 2), a scalar."""
        return (self.eps_f - model(self.x_t, self.t, self.cond).eps).square().flatten(1).sum(1).mean()


def erasing(
    model: Denoiser,
    x0: Tensor,
    labels: Tensor | None,
    generator: torch.Generator,
    *,
    target: str = "rl",
    variant: str = "paper",
    others: Tensor | None = None,
    instead: int | None = None,
) -> Erasing:
    """Perturb forgotten rows x0 [B, ...] with ``labels`` [B] and compute their target eps_f; no labels are dropped.

    Args:
        target: "rl", the model's current eps under another class, or "noise", U[0, 1] in every coordinate.
        variant: for "rl": "paper" samples each row's class from all but its own; "code" samples one class for the
            batch, from 1 to the last, which may be the forgotten one unless that is 0; "corrected" samples from
            ``others``, the labels of retained rows, so that it is never another forgotten class. For "noise": "code"
            corrupts the image with the same uniform noise, so that the target is the true noise and nothing is
            forgotten where a sampler goes.
        others: labels of retained rows, for "corrected".
        instead: the one class whose eps is the target, whatever the variant.

    Raises:
        ValueError: "corrected", if ``others`` has no class but a row's own.
    """
    uniform = dict(generator=generator, device=generator.device)
    cond = condition(model, labels, generator, dropout=0)
    x_t, t, _ = noised(model.process, x0, generator)
    if target == "noise":
        eps_f = share(torch.rand(x0.shape, **uniform).to(x0))
        if variant == "code":
            x_t = model.process.perturb(share(x0), t, eps_f)
        return Erasing(x_t, t, None if cond is None else share(cond), eps_f)
    if instead is not None:
        c_m = torch.full_like(cond, instead)
    elif variant == "paper":
        shift = torch.randint(1, model.net.classes, (len(cond),), **uniform).to(cond.device)
        c_m = (cond + shift) % model.net.classes
    elif variant == "code":
        c_m = torch.randint(1, model.net.classes, (1,), **uniform).to(cond.device).expand(len(cond))
    else:
        allowed = (others[None, :] != cond[:, None]).to(generator.device, torch.float32)  #  [B, retained]
        if not allowed.any(1).all():
            raise ValueError(f"the retained batch has no other class than {cond.unique().tolist()} to turn to")
        c_m = others[torch.multinomial(allowed, 1, generator=generator)[:, 0].to(others.device)]
    with torch.no_grad():
        eps_f = model(x_t, t, share(c_m)).eps
    return Erasing(x_t, t, share(cond), eps_f)


@checked
def erasediff(
    model: Denoiser,
    forget: Data,
    retain: Data,
    *,
    generator: torch.Generator,
    steps: int,
    target: str = "rl",
    variant: str = "paper",
    eta: float = 0.1,
    a: float | None = None,
    lam: float | str = 0.1,
    instead: int | None = None,
    K: int = 2,
    xi: float = 1e-4,
    batch_size: int = 128,
    lr: float = 1e-4,
    **training,
) -> Training:
    """Unlearn ``forget`` with EraseDiff and keep ``retain``.

    Each step reports lambda_t as ``multipliers["L_f"]``, and g among its ``losses``. The theorem's delta is passed to
    Adam, as the public code passes its sum: what Eq. 6 guarantees for delta need not hold for the update that Adam
    makes of it, as the step's cosines show.

    Args:
        target: eps_f, "rl" or "noise". An unconditional model has no other class, so only "noise" works for it.
        variant: "paper" is Theorem 3.1 with the paper's a_t. "code" weights the terms by ``lam``, samples its targets
            in its own way (:func:`erasing`), and takes the inner steps with the same Adam: they are undone on the
            weights, but not in Adam's moments. "corrected" is Theorem 3.1 with a_t = eta g / xi.
        eta: 1e-4 in the paper's text, 0.1 in its code; a larger eta forgets more.
        a: a constant a_t in place of eta times the squared norm of grad g, for "paper".
        lam: for "code": a number, by default the code's 0.1, which gives the sum of Eq. 3; or "cosine", the code's
            dynamic rule max(eta - cos(grad L_r, grad g), 0).
        instead: for "rl", the one class whose eps is the target, in place of the variant's samples: a prompt ("a photo
            of pokemon" where Stable Diffusion forgets nudity, "a person wearing clothes" in EraseDiff_wc).
        K: inner steps, each of which costs one more gradient evaluation; the public code's 2 counts epochs, not steps.
            With "paper" it changes only the reported g.
        xi: learning rate of the inner gradient descent, which the paper leaves open (the code's is Adam's).
        batch_size: rows of each side per update.
        training: further arguments of :class:`paperlib.training.Training` (ema, clip, warmup, decay, cosines).
    """
    require_retained(retain, "erasediff")
    for name, value, allowed in (("target", target, TARGETS), ("variant", variant, VARIANTS)):
        if value not in allowed:
            raise ValueError(f"{name}={value!r} is not one of {', '.join(allowed)}")
    for name, value in {"eta": eta, "xi": xi}.items():
        if not value > 0:
            raise ValueError(f"{name}={value} is not positive")
    if lam != "cosine" and not (isinstance(lam, int | float) and lam >= 0):
        raise ValueError(f"lam={lam!r} is neither a number from 0 nor 'cosine'")
    if a is not None and (variant != "paper" or not a > 0):
        raise ValueError(f"a={a} must be positive, and is for variant='paper' alone, not {variant!r}")
    if K < (variant == "corrected"):
        raise ValueError(f"K={K} inner steps are too few for variant={variant!r}")
    classes = getattr(model.net, "classes", 0)
    if target == "rl" and classes < 2:
        raise ValueError(f"target='rl' needs a model of 2 classes or more, this one has {classes}; 'noise' serves it")
    if instead is not None and not (target == "rl" and 0 <= instead < classes):
        raise ValueError(f"instead={instead} is for target='rl', and one of the classes from 0 to {classes - 1}")
    if classes and (isinstance(forget, Tensor) or isinstance(retain, Tensor)):
        raise ValueError(f"a model of {classes} classes needs data with labels; a plain tensor has none")

    def objective(model, generator, index):
        x_r, labels_r = draw(retain, batch_size, generator)
        cond_r = condition(model, labels_r, generator)

        def batch(generator):
            drawn = draw(forget, batch_size, generator)
            return erasing(model, *drawn, generator, target=target, variant=variant, others=labels_r, instead=instead)

        outer, inner = batch(generator), _apart(generator)  # so that K does not affect the run's other random numbers
        reached = _inner_loop(run, outer, [batch(inner) for _ in range(K)], None if variant == "code" else xi)
        L_r, L_f = score_matching(model, x_r, generator, cond=cond_r).mean(), outer.loss(model)
        return {"L_r": L_r, "L_f": L_f, "g": L_f.detach() - reached}

    def weigh(gradients, values):
        r, f = gradients["L_r"], gradients["L_f"]
        if variant == "paper":
            by = multiplier(r, f, eta * (f @ f).item() if a is None else a)
        elif variant == "corrected":
            by = multiplier(r, f, eta * max(values["g"], 0.0) / xi)
        else:
            by = max(eta - torch.cosine_similarity(r, f, dim=0).item(), 0.0) if lam == "cosine" else float(lam)
        return {"L_r": 1.0, "L_f": by}

    run = Training(model, objective, steps=steps, lr=lr, generator=generator, weigh=weigh, **training)
    return run


def _apart(generator: torch.Generator) -> torch.Generator:
    """Return a separate generator, seeded with one number from ``generator``."""
    seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
    return torch.Generator(generator.device).manual_seed(seed)


def _inner_loop(run: Training, outer: Erasing, batches: list[Erasing], xi: float | None) -> Tensor:
    """Return L_f(phi^K) on ``outer``, where phi^K is reached from the run's weights by one step on each of ``batches``;
    the weights are restored. The steps are gradient descent with learning rate ``xi``, or, if None, steps of the run's
    own optimiser, without gradient clipping, as in the public code."""
    weights = trainable(run.network)
    theta = [p.detach().clone() for p in weights]
    optimizer = run.optimizer if xi is None else torch.optim.SGD(weights, lr=xi)
    try:
        for batch in batches:
            run.follow(run.gradient(batch.loss(run.network)))
            optimizer.step()
        with torch.no_grad():
            return outer.loss(run.network)
    finally:
        with torch.no_grad():
            for p, before in zip(weights, theta):
                p.copy_(before)
