"""Exact negation: the score of the retained data from the score of all data and a classifier of noisy images.

The data are a mixture of what is to be forgotten, f, and what is kept, g, and adding noise preserves that mixture. With
pi_f(x_t) = P(f | x_t) and pi_f = P(f), Bayes' rule gives p_g,t(x) = p_t(x) (1 - pi_f(x)) / (1 - pi_f), so exactly, at
every noise level and for every process::

    s_g(x_t) = s(x_t) + grad log(1 - pi_f(x_t)),      eps_g = eps - sigma_t grad log(1 - pi_f(x_t))

The term sigma_t grad log(1 - pi_f(x_t)) is called ``pull``. It equals pi_f(x_t) (s_g - s_f) sigma_t: zero far from the
forgotten data, and the full difference of both scores among them. Unlike a score with its sign reversed it is bounded:
-s_f alone is not.

Dynamic negative guidance (Koulischer et al., ICLR 2025) has this score with pi_f from a conditional model's own
conditional and unconditional predictions; with a constant in place of pi_f(x_t) / (1 - pi_f(x_t)) it is negative
prompting, which ESD (Gandikota et al., 2023) distils.
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
    """Return log(1 - pi_f), [B], from logits [B, K], without loss of precision where pi_f is close to 1."""
    kept = torch.ones(logits.shape[1], dtype=torch.bool, device=logits.device)
    kept[list(forget)] = False
    if not kept.any():
        raise ValueError(f"forget={tuple(forget)}: of {len(kept)} classes nothing would be left")
    return logits[:, kept].logsumexp(1) - logits.logsumexp(1)


class Without(nn.Module):
    """``model`` without the classes ``forget``: a denoiser that any sampler, likelihood or editing function accepts.

    Args:
        model: a denoiser of all classes together.
        classifier: a classifier of its noisy data (:data:`NoisyClassification`).
        forget: indices of the classes to remove, as the classifier numbers them.
        w: multiplier of the pull, a number or a function log(sigma_t / alpha_t) [B] -> [B]. 1 is exact; any other w
            gives at t = 0 the score of p (1 - pi_f)^w, and at t > 0 in general the score of no noised density.
        reach: largest norm of the pull in units of sqrt(D), the length of the noise; None for no limit. As sigma_t
            falls, the exact pull grows among forgotten data as ``alpha_t |x0_g - x0_f| / sigma_t``: a sampler never
            goes there, but a regression on noisy forgotten data does.
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
        """Return the three views at x_t [B, ...] and t, [B] or a scalar tensor; cond is passed to the model."""
        t = t.expand(len(x_t))
        views, pull = self.model(x_t, t, cond), self.pull(x_t, t)
        alpha, sigma = expand(self.process.alpha(t), x_t), expand(self.process.sigma(t), x_t)
        return Denoised(x0=views.x0 + sigma / alpha * pull, eps=views.eps - pull, score=views.score + pull / sigma)

    def pull(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Return w sigma_t grad log(1 - pi_f(x_t)), [B, ...], with a norm of at most ``reach`` sqrt(D); differentiable
        if x_t requires a gradient."""
        follow = torch.is_grad_enabled() and x_t.requires_grad  # a likelihood needs the divergence
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
    """Fit the weight w of the pull u to retained data x0 [B, ...] at one time t.

    E[z given x_t] over retained data is eps_g, so E|z - (eps - w u)|^2 is smallest where eps - w u is nearest to it:
    w = E<eps - z, u> / E|u|^2. With the exact eps and classifier it is 1 at every time; a w above 1 means that the pull
    is too short there.

    Returns:
        w, its standard error, and the root mean square of u per coordinate.
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
    """The classifier of a perfectly trained network: P(component | x_t) of a Gaussian mixture."""

    mixture: GaussianMixture

    def __call__(self, y: Tensor, log_s: Tensor) -> Tensor:
        """Return logits [B, K] for y [B, D] and log_s, [B] or a scalar tensor."""
        return self.mixture.log_joint(y, 1.0, log_s.exp().expand(len(y)))[0]
