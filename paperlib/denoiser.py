"""The model: a network combined with a noise process.

Given x_t = alpha_t x_0 + sigma_t z, three quantities carry the same information::

    x0 = E[x_0 | x_t],   eps = E[z | x_t] = (x_t - alpha_t x0) / sigma_t,   score = grad log p_t(x_t) = -eps / sigma_t

Samplers, likelihoods and every unlearning method take a denoiser and read the view in which their equation is written;
what the network itself predicts matters only in this file.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from paperlib.processes import DDPM, Process, expand

__all__ = [
    "Denoised",
    "Denoiser",
    "DenoisingModel",
    "ExactDenoiser",
    "MATCHES",
    "PREDICTIONS",
    "Transplanted",
    "beside",
    "reinitialise",
    "trainable",
]

PREDICTIONS = ("preconditioned", "eps", "x0")
MATCHES = ("snr", "index", "fraction")


@dataclass(frozen=True)
class Denoised:
    """A denoiser's output in three views, each with the shape [B, ...] of x_t."""

    x0: Tensor
    eps: Tensor
    score: Tensor


class DenoisingModel(Protocol):
    """The interface that samplers and likelihoods expect of a model: a ``process``, and the three views at (x_t, t)."""

    process: Process

    def __call__(self, x_t: Tensor, t: Tensor, cond: Tensor | None = None) -> Denoised: ...


def beside(model: DenoisingModel, x: Tensor) -> Tensor:
    """Return x on the device of the model's weights and in their precision, but at least float32; unchanged if the
    model has no weights."""
    weight = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    return x if weight is None else x.to(weight.device, torch.promote_types(torch.float32, weight.dtype))


def trainable(model: nn.Module) -> list[nn.Parameter]:
    """Return the weights that training may change, in the model's order: those that require a gradient, which in a new
    model are all. Use ``requires_grad_`` to train only some of them."""
    return [p for p in model.parameters() if p.requires_grad]


class Denoiser(nn.Module):
    """A network ``net(input, time, cond)`` on a noise process.

    ``predicts`` names the network's target:

    - ``"preconditioned"``: x0 and eps are both combinations of x_t and the network's output F, chosen so that F has
      unit scale at every noise level and neither view is a small difference of large numbers. With
      s = sigma_t / alpha_t, y = x_t / alpha_t and r^2 = s^2 + data_std^2::

          x0 = (data_std^2 / r^2) y + (s data_std / r) F
          eps = (s / r^2) y - (data_std / r) F
          F = net(y / r, log(s) / 4)

      (Karras et al., 2022, Table 1 and Section 5, written for any alpha_t; the equation for eps is theirs solved for
      the noise.)
    - ``"eps"``: F is the noise, F = net(x_t, 1000 t), as in DDPM and score_sde.
    - ``"x0"``: F is the clean data, F = net(x_t, 1000 t).

    ``data_std`` is the data's standard deviation per coordinate; only "preconditioned" uses it.
    """

    def __init__(self, net: nn.Module, process: Process, *, predicts: str = "preconditioned", data_std: float = 1.0):
        super().__init__()
        if predicts not in PREDICTIONS:
            raise ValueError(f"predicts={predicts!r} is not one of {', '.join(PREDICTIONS)}")
        if not data_std > 0:
            raise ValueError(f"data_std={data_std} is not positive")
        self.net, self.process, self.predicts, self.data_std = net, process, predicts, data_std

    def forward(self, x_t: Tensor, t: Tensor, cond: Tensor | None = None) -> Denoised:
        """Return the three views at x_t [B, ...] and t, [B] or a scalar tensor; cond is passed to the network."""
        return self._views(self.process, x_t, t.expand(len(x_t)), cond)

    def with_process(self, process: Process, *, match: str = "snr") -> "Transplanted":
        """Return the same network, with shared weights, on another noise process (:class:`Transplanted`)."""
        return Transplanted(self, process, match)

    def _views(self, process: Process, x_t: Tensor, t: Tensor, cond: Tensor | None) -> Denoised:
        alpha, sigma = expand(process.alpha(t), x_t), expand(process.sigma(t), x_t)
        if self.predicts == "preconditioned":
            x0, eps = self._preconditioned(x_t / alpha, sigma / alpha, cond)
        elif self.predicts == "eps":
            eps = self.net(x_t, 1000 * t, cond)
            x0 = (x_t - sigma * eps) / alpha
        else:
            x0 = self.net(x_t, 1000 * t, cond)
            eps = (x_t - alpha * x0) / sigma
        return Denoised(x0=x0, eps=eps, score=-eps / sigma)

    def _preconditioned(self, y, s, cond):
        r = (s.square() + self.data_std**2).sqrt()
        F = self.net(y / r, s.flatten().log() / 4, cond)
        x0 = (self.data_std / r) ** 2 * y + (s * self.data_std / r) * F
        eps = s / r.square() * y - (self.data_std / r) * F
        return x0, eps


class Transplanted(Denoiser):
    """A trained network on a different process, as returned by :meth:`Denoiser.with_process`.

    At (x_t, t) the network is evaluated at a time u of the process on which it was trained. ``match`` selects u:

    - ``"snr"``: the time with the same sigma / alpha, with x_t rescaled. Both x0 and eps keep their meaning, so this is
      the same model of the data. Noise levels outside the range of training use the nearest one in it, with an input
      scaled as there, and the prediction of x0 is kept.
    - ``"index"``: the same step k of two DDPMs, u = k / T with the T of training. (VDU trains with T = 4000 on a cosine
      grid and unlearns with T = 500 on a linear one.)
    - ``"fraction"``: u = t.

    The last two give the network an x_t of another noise level than it expects at u: its prediction (eps for
    "preconditioned") is used unchanged, and the other views follow from the new alpha and sigma.
    """

    def __init__(self, model: Denoiser, process: Process, match: str):
        super().__init__(model.net, process, predicts=model.predicts, data_std=model.data_std)
        self.trained = model.trained if isinstance(model, Transplanted) else model.process
        if match not in MATCHES:
            raise ValueError(f"match={match!r} is not one of {', '.join(MATCHES)}")
        if match == "index" and not (isinstance(process, DDPM) and isinstance(self.trained, DDPM)):
            raise ValueError("match='index' is for two DDPMs; other processes have no index")
        if match == "index" and process.T > self.trained.T:
            raise ValueError(f"match='index': T={process.T} exceeds the training's {self.trained.T}")
        self.match = match

    def forward(self, x_t: Tensor, t: Tensor, cond: Tensor | None = None) -> Denoised:
        """Return the three views as :meth:`Denoiser.forward` does; t is a time of the new process."""
        t = t.expand(len(x_t))
        alpha, sigma = expand(self.process.alpha(t), x_t), expand(self.process.sigma(t), x_t)
        if self.match == "snr":
            return self._at_equal_noise(x_t, t, alpha, sigma, cond)
        u = t * self.process.T / self.trained.T if self.match == "index" else t
        views = self._views(self.trained, x_t, u.clamp(self.trained.t_min, self.trained.t_max), cond)
        if self.predicts == "x0":
            x0, eps = views.x0, (x_t - alpha * views.x0) / sigma
        else:
            x0, eps = (x_t - sigma * views.eps) / alpha, views.eps
        return Denoised(x0=x0, eps=eps, score=-eps / sigma)

    def _at_equal_noise(self, x_t, t, alpha, sigma, cond):
        level = self.process.log_ratio(t.detach().cpu().double())
        u = self.trained.time_of(level)
        beyond = expand((self.trained.log_ratio(u) - level).abs() > 1e-6, x_t).to(x_t.device)
        u = u.to(t)
        a, s = expand(self.trained.alpha(u), x_t), expand(self.trained.sigma(u), x_t)
        d2 = self.data_std**2
        scale = (a.square() * d2 + s.square()) / (alpha.square() * d2 + sigma.square())  # (a / alpha)^2 if they match
        views = self._views(self.trained, scale.sqrt() * x_t, u, cond)
        eps = torch.where(beyond, (x_t - alpha * views.x0) / sigma, views.eps)
        return Denoised(x0=views.x0, eps=eps, score=-eps / sigma)


@dataclass(frozen=True)
class ExactDenoiser:
    """The denoiser of a perfectly trained network, from a density whose perturbed score has a closed form.

    ``density`` needs a method ``score(x, alpha, sigma)``, as :class:`paperlib.data.mixture.GaussianMixture` has.
    """

    density: Any
    process: Process

    def __call__(self, x_t: Tensor, t: Tensor, cond: Tensor | None = None) -> Denoised:
        """Return the three views at x_t [B, D] and t, [B] or a scalar tensor."""
        t = t.expand(len(x_t))
        alpha, sigma = self.process.alpha(t), self.process.sigma(t)
        score = self.density.score(x_t, alpha, sigma)
        eps = -expand(sigma, x_t) * score
        return Denoised(x0=(x_t - expand(sigma, x_t) * eps) / expand(alpha, x_t), eps=eps, score=score)


def reinitialise(model: Denoiser, generator: torch.Generator) -> None:
    """Reinitialise every weight in place, from ``generator`` alone; torch's initialisers read the global one.

    Raises:
        TypeError: if a module has weights but no ``reset_parameters``.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        for name, module in model.named_modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
            elif any(True for _ in module.parameters(recurse=False)):
                raise TypeError(
                    f"{name} ({type(module).__name__}) has weights but no reset_parameters: cannot retrain it"
                )
