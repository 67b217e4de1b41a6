"""Exact negation: the score of what is kept, from the score of everything and a classifier of noisy images.

Data are a mixture of what is to be forgotten, f, and what is kept, g, and noise leaves each part where it is. With
pi_f(x_t) = P(f | x_t) and pi_f = P(f), Bayes' rule reads p_g,t(x) = p_t(x) (1 - pi_f(x)) / (1 - pi_f), so that exactly,
at every noise level and for every process::

    s_g(x_t) = s(x_t) + grad log(1 - pi_f(x_t)),      eps_g = eps - sigma_t grad log(1 - pi_f(x_t))

The last term is ``pull``. It equals pi_f(x_t) (s_g - s_f) sigma_t: nothing where the forgotten data are far, and the
whole difference of both scores among them. Unlike a minus sign before a score it is bounded: -s_f alone is not.

Dynamic negative guidance (Koulischer et al., ICLR 2025) has this score with pi_f from a conditional model's own two
faces; with a constant in place of pi_f(x_t) / (1 - pi_f(x_t)) it is negative prompting, and what ESD (Gandikota et al.,
2023) distils.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from paperlib.data.mixture import GaussianMixture
from paperlib.denoiser import Denoised, DenoisingModel
from paperlib.processes import Process, expand, normal

__all__ = ["ExactClassifier", "NoisyClassification", "Without", "fitted_weight", "log_kept"]

#: y = x_t / alpha_t [B, ...] and log(sigma_t / alpha_t) [B] -> logits [B, K], whose softmax is P(class | x_t).
NoisyClassification = Callable[[Tensor, Tensor], Tensor]


def log_kept(logits: Tensor, forget: Sequence[int]) -> Tensor:
    """log(1 - pi_f), [B], of logits [B, K]; no digit is lost where pi_f is next to 1."""
    kept = torch.ones(logits.shape[1], dtype=torch.bool, device=logits.device)
    kept[list(forget)] = False
    if not kept.any():
        raise ValueError(f"forget={tuple(forget)}: of {len(kept)} classes nothing would be left")
    return logits[:, kept].logsumexp(1) - logits.logsumexp(1)


class Without(nn.Module):
    """``model`` without the classes ``forget``: a denoiser for every sampler, likelihood and editing call.

    Args:
        model: a denoiser of all classes together.
        classifier: of its noisy data (:data:`NoisyClassification`).
        forget: the classes to take away, by the classifier's numbers.
        w: what the pull is multiplied by. 1 is exact; another w is the score of no noised density in general, but at
            t = 0 of p (1 - pi_f)^w. Or a function log(sigma_t / alpha_t) [B] -> [B].
        reach: the longest pull, in units of sqrt(D), which is the length of noise; None for no limit. As sigma_t falls,
            the exact one grows among forgotten data as ``alpha_t |x0_g - x0_f| / sigma_t``: where a sampler never
            comes, but a regression on noisy forgotten data does.
    """

    def __init__(
        self,
        model: DenoisingModel,
        classifier: NoisyClassification,
        forget: Sequence[int],
        w: float | Callable[[Tensor], Tensor] = 1.0,
        *,
        reach: float | None = None,
    ):
        super().__init__()
        if not len(forget):
            raise ValueError("forget=(): there is no class to take away")
        if not callable(w) and not w >= 0:
            raise ValueError(f"w={w} is negative: it would draw the model to what it is to leave")
        if reach is not None and not reach > 0:
            raise ValueError(f"reach={reach} is not positive")
        self.model, self.classifier, self.forget, self.w, self.reach = model, classifier, tuple(forget), w, reach

    @property
    def process(self) -> Process:
        """The wrapped model's."""
        return self.model.process

    @property
    def net(self) -> nn.Module:
        """The wrapped model's."""
        return self.model.net

    def forward(self, x_t: Tensor, t: Tensor, cond: Tensor | None = None) -> Denoised:
        """x_t [B, ...], t [B] or a scalar tensor, cond as the model takes it."""
        t = t.expand(len(x_t))
        views, pull = self.model(x_t, t, cond), self.pull(x_t, t)
        alpha, sigma = expand(self.process.alpha(t), x_t), expand(self.process.sigma(t), x_t)
        return Denoised(x0=views.x0 + sigma / alpha * pull, eps=views.eps - pull, score=views.score + pull / sigma)

    def pull(self, x_t: Tensor, t: Tensor) -> Tensor:
        """w sigma_t grad log(1 - pi_f(x_t)), [B, ...], at most ``reach`` long; with its graph where x_t has one."""
        follow = torch.is_grad_enabled() and x_t.requires_grad  # a likelihood asks for the divergence
        log_s = self.process.log_ratio(t).to(x_t.dtype)
        with torch.enable_grad():
            y = x_t / expand(self.process.alpha(t), x_t)
            y = y if follow else y.detach().requires_grad_()
            kept = log_kept(self.classifier(y, log_s), self.forget).sum()
            (slope,) = torch.autograd.grad(kept, y, create_graph=follow)  # by y = x_t / alpha_t
            w = expand(self.w(log_s), x_t) if callable(self.w) else self.w
            pull = w * expand(log_s.exp(), x_t) * slope
        if self.reach is None:
            return pull
        flat = pull.flatten(1)
        longest = self.reach * flat.shape[1] ** 0.5
        return (flat * (longest / flat.norm(dim=1, keepdim=True)).clamp(max=1)).reshape(pull.shape)


@torch.no_grad()
def fitted_weight(negated: Without, x0: Tensor, t: Tensor, generator: torch.Generator) -> tuple[float, float, float]:
    """The weight w of the pull u that fits retained data x0 [B, ...] at one time t: w, its standard error, and the root
    mean square of u a coordinate.

    E[z given x_t] over retained data is eps_g, so that E|z - (eps - w u)|^2 is least where eps - w u comes nearest to
    it: w = E<eps - z, u> / E|u|^2. With the exact eps and classifier it is 1 at every time; above 1 the pull is too
    short there.
    """
    t, z = t.expand(len(x0)), normal(x0.shape, generator, x0.device)
    x_t = negated.process.perturb(x0, t, z)
    eps, u = negated.model(x_t, t).eps, negated.pull(x_t, t).flatten(1).double()
    product, square = ((eps - z).flatten(1).double() * u).sum(1), u.square().sum(1)
    w = product.mean() / square.mean()
    error = (product - w * square).std() / square.mean() / len(x0) ** 0.5
    return w.item(), error.item(), (square.mean() / u.shape[1]).sqrt().item()


@dataclass(frozen=True)
class ExactClassifier:
    """The classifier that a perfectly trained network would be: P(component | x_t) of a Gaussian mixture."""

    mixture: GaussianMixture

    def __call__(self, y: Tensor, log_s: Tensor) -> Tensor:
        """y [B, D], log_s [B] or a scalar tensor -> logits [B, K]."""
        return self.mixture.log_joint(y, 1.0, log_s.exp().expand(len(y)))[0]
