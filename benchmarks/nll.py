"""Seconds an image of the likelihood by the probability-flow ODE, beside score_sde's recipe.

The recipe (Song et al., 2021, Appendix D.2, and its public code): SciPy's RK45 on x and log p of the whole batch as one
vector with one step size, rtol = atol = 1e-5, in the process's own x and t; the divergence by one Rademacher vector an
image, drawn once. The state is float64, as SciPy has it, the network float32. The public code asks the network twice at
each point, once for the drift and once for the divergence; a second row has both from one pass.

Ours is ``fast_log_likelihood`` with its own error control, whose default tolerance is 1e-3, and on fixed grids. What
counts is the quickest of a fixed list whose mean over images agrees with the recipe's. All get the same dequantised
test images and the same Rademacher vectors, a batch a turn, so that what is left of a difference is the solvers' own.

    python benchmarks/nll.py --threads 2

MNIST's models where MNIST is at hand, else those of the digits. A DDPM is read as the continuous process through its
grid.
"""

import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from _measure import interleaved, machine, options
from scipy.integrate import solve_ivp
from torch import Tensor

from companion import bases
from companion.seeds import generator
from companion.studies.likelihood_measures import test_images
from paperlib.data import cache
from paperlib.data.images import model_input
from paperlib.denoiser import Denoiser
from paperlib.likelihood.divergence import draw_probes
from paperlib.likelihood.fast import fast_log_likelihood
from paperlib.likelihood.units import LEVELS_OFFSET, bits_per_dim

AIM = 1 / 5  # of the recipe's seconds
AGREEMENT = 0.01  # bits a dimension, of the mean over images
SOLVERS = ({"tolerance": 1e-2}, {"tolerance": 1e-3}, {"steps": 8}, {"steps": 12}, {"steps": 16})
RECIPE, ONE_PASS = "score_sde's recipe", "the recipe, one pass a point"


def recipe(model: Denoiser, x: Tensor, probes: Tensor, *, passes: int, tolerance: float = 1e-5) -> tuple[Tensor, float]:
    """log p_0 of x [B, ...] in nats, [B], and how often the solver asked for the ODE's right side."""
    process, n = model.process, len(x)

    def derivative(t: float, state: np.ndarray) -> np.ndarray:
        time = torch.tensor(t, dtype=torch.float64)
        drift, diffusion = process.drift(time).item(), process.diffusion(time).item()

        def velocity(at: Tensor) -> Tensor:
            return drift * at - 0.5 * diffusion**2 * model(at, time.to(x)).score

        at = torch.from_numpy(state[:-n]).to(x).reshape(x.shape).requires_grad_()
        dx = velocity(at)
        trace = (torch.autograd.grad(dx, at, probes)[0] * probes).flatten(1).sum(1)
        if passes == 2:
            with torch.no_grad():
                dx = velocity(at)
        return np.concatenate([dx.detach().flatten().numpy(), trace.numpy()])

    start = np.concatenate([x.flatten().numpy(), np.zeros(n)])
    ends = process.t_min, process.t_max
    solved = solve_ivp(derivative, ends, start, method="RK45", rtol=tolerance, atol=tolerance)
    if not solved.success:
        raise SystemExit(f"SciPy's RK45 gave up: {solved.message}")
    x_T, change = (torch.from_numpy(part) for part in np.split(solved.y[:, -1], [-n]))
    return process.prior_log_density(x_T.reshape(x.shape)) + change, solved.nfev


class Way:
    """One way to log p, a batch of the points a turn; bits a dimension and evaluations are kept."""

    def __init__(self, log_p: Callable[[Tensor, torch.Generator], tuple[Tensor, float]], points: list[Tensor]):
        self.log_p, self.points, self.bits, self.evaluations = log_p, points, [], []

    def __call__(self) -> float:
        turn = len(self.bits)
        x, probes = self.points[turn], generator(turn, "bench/nll", "noise")
        start = time.perf_counter()
        log_p, evaluations = self.log_p(x, probes)
        seconds = time.perf_counter() - start
        self.bits.append(bits_per_dim(-log_p, x[0].numel(), LEVELS_OFFSET))
        self.evaluations.append(evaluations)
        return seconds


def ways(model: Denoiser, points: list[Tensor]) -> dict[str, Way]:
    """The recipe and ours, by name."""

    def theirs(x, probes, passes):
        return recipe(model, x, draw_probes("rademacher", (1, *x.shape), probes)[0], passes=passes)

    def ours(x, probes, solver):
        found = fast_log_likelihood(model, x, generator=probes, **solver)
        return found.log_p[0], found.evaluations.double().mean().item()

    named = {RECIPE: partial(theirs, passes=2), ONE_PASS: partial(theirs, passes=1)}
    for solver in SOLVERS:
        named["ours, " + ", ".join(f"{name}={value:g}" for name, value in solver.items())] = partial(
            ours, solver=solver
        )
    return {name: Way(log_p, points) for name, log_p in named.items()}


def compare(name: str, batch: int, rounds: int) -> None:
    """The table's rows of one base model."""
    model, images = bases.load(name).eval(), test_images(name, batch * rounds).images
    draws = generator(0, f"bench/nll/{name}", "data")
    contestants = ways(model, list(model_input(images, draws, dequantise=True).split(batch)))
    fast_log_likelihood(model, contestants[RECIPE].points[0], generator=draws, steps=1)  # warms the network up
    seconds = interleaved(contestants, rounds, warmup=0)
    bits = {who: torch.cat(way.bits) for who, way in contestants.items()}
    apart = {who: values - bits[RECIPE] for who, values in bits.items()}
    agree = [who for who in contestants if who.startswith("ours") and apart[who].mean().abs() <= AGREEMENT]
    chosen = min(agree, key=seconds.get, default=None)
    for who, way in contestants.items():
        share, of_one = seconds[who] / seconds[RECIPE], seconds[who] / seconds[ONE_PASS]
        evaluations = sum(way.evaluations) / rounds
        verdict = ("met" if share <= AIM else "missed") if who == chosen else ""
        if who == RECIPE and chosen is None:
            verdict = "missed: none agrees"
        row = f"| {name} | {who} | {evaluations:.0f} | {seconds[who] / batch:.4f} | {bits[who].mean():.4f}"
        row += f" | {apart[who].mean():+.4f} | {apart[who].abs().max():.4f}"
        print(f"{row} | {share:.1%} | {of_one:.1%} | {verdict} |", flush=True)


def main() -> None:
    mnist = cache.find("mnist-test") is not None
    chosen = options(__doc__, batch=16 if mnist else 64, rounds=3)
    dataset = "mnist" if mnist and not chosen.smoke else "digits"
    print("## Seconds an image of NLL\n")
    print(
        f"{machine()}; {chosen.rounds} interleaved turns of {chosen.batch} images each, median seconds; bits a "
        f"dimension; the aim is {AIM:.0%} of the recipe's seconds, by the quickest whose mean is within {AGREEMENT}\n"
    )
    print(
        "| model | way | evaluations | s an image | NLL | difference | largest of an image | of the recipe's seconds "
        "| of one pass's | aim |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for process in ("ve",) if chosen.smoke else ("ve", "ddpm"):
        compare(f"{dataset}-{process}", chosen.batch, chosen.rounds)


if __name__ == "__main__":
    main()
