"""The diagonal of the Fisher information of a diffusion model.

::

    F_i = E_x [(d log p(x) / d theta_i)^2],    log p(x) ~ -sum_t |z_t - eps(x_t, t)|^2,   t over T steps

as in Selective Amnesia: DDPM's evidence bound with the simple weights replaces log p, the gradients of all time steps
of one sample are summed, and the sum is squared, sample by sample. (Squaring a batch's mean gradient would give
something else.)
"""

import torch
from torch import Tensor

from paperlib.denoiser import Denoiser, trainable
from paperlib.processes import normal
from paperlib.sampling.walk import evaluating

__all__ = ["T", "fisher_diagonal"]

T = 1000  # DDPM's number of steps, to which the sum is scaled for every process


def fisher_diagonal(
    model: Denoiser,
    x: Tensor,
    cond: Tensor | None,
    *,
    generator: torch.Generator,
    times: int = T,
    batch_size: int = 128,
) -> Tensor:
    """Return F for all trained weights as one vector, from samples x [N, ...] with conditions [N] or None; dropout is
    off.

    Args:
        times: evenly spaced time steps per sample. With fewer than T the sum is scaled up by T / times, and its noise,
            which is squared, then counts too much: on the 8x8 digits 100 steps give 1.2 times the F of 1000, 50 give
            1.5 and 20 give 3.
        batch_size: time steps per pass through the network.
    """
    process, weights = model.process, trainable(model)
    total = torch.zeros(sum(p.numel() for p in weights), device=x.device, dtype=weights[0].dtype)
    ts = torch.linspace(process.t_min, process.t_max, times, device=x.device)  # a DDPM's grid for times = T
    with evaluating(model), torch.enable_grad():
        for i in range(len(x)):
            gradient = torch.zeros_like(total)
            for t in ts.split(batch_size):
                row = x[i : i + 1].expand(len(t), *x.shape[1:])
                z = normal(row.shape, generator, x.device).to(x.dtype)
                label = None if cond is None else cond[i : i + 1].expand(len(t))
                loss = (z - model(process.perturb(row, t, z), t, label).eps).square().sum()
                parts = torch.autograd.grad(loss, weights, materialize_grads=True)
                gradient += torch.cat([part.flatten() for part in parts])
            total += (T / times * gradient).square() / len(x)
    return total
