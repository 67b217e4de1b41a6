"""The samplers by name, and how many steps of each fit a number of network evaluations."""

from collections.abc import Callable
from functools import partial

from paperlib.sampling import ddim, ddpm, dpmpp_2m, euler_maruyama, heun, ipndm, predictor_corrector

__all__ = ["SAMPLERS", "steps"]

#: Name -> sampler, and the network evaluations for a number of ``steps``.
SAMPLERS: dict[str, tuple[Callable, Callable[[int], int]]] = {
    "DDPM": (partial(ddpm, clip=1.0), lambda steps: steps),
    "DDIM": (ddim, lambda steps: steps),
    "Euler-Maruyama": (partial(euler_maruyama, denoise=True), lambda steps: steps),
    "predictor-corrector": (predictor_corrector, lambda steps: 2 * steps),
    "Heun": (partial(heun, variable="noise", spacing="karras", denoise=True), lambda steps: 2 * steps - 1),
    "DPM-Solver++(2M)": (dpmpp_2m, lambda steps: steps),
    "iPNDM": (ipndm, lambda steps: steps),
}


def steps(sampler: str, evaluations: int) -> int:
    """Return the largest number of steps of a sampler that take at most ``evaluations``, but at least one step."""
    cost = SAMPLERS[sampler][1]
    return max(k for k in range(1, evaluations + 1) if k == 1 or cost(k) <= evaluations)
