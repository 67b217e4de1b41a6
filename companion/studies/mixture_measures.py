"""Measures of the mixture's models: likelihoods, samples, score errors."""

import json
import math
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from companion.seeds import generator
from companion.store import Store
from companion.studies.mixture import P_F, P_G, Method, MixtureSettings, load, train, training
from paperlib.data.mixture import SGU_MIXTURE, GaussianMixture
from paperlib.denoiser import Denoiser, ExactDenoiser
from paperlib.likelihood import SCORE_SDE_OFFSET, bits_per_dim, log_likelihood
from paperlib.sampling import heun, sample

__all__ = [
    "SIDES",
    "Mean",
    "draw",
    "in_nats",
    "in_table",
    "line",
    "mean_nll",
    "measure_nll",
    "nearest_to_forgotten",
    "nll",
    "path",
    "samples",
    "score_error",
    "share_of",
]

SIDES: dict[str, GaussianMixture] = {"D_g": P_G, "D_f": P_F}
BROKEN = 10.0  # nats on D_g, where p_g has 3.5: a run that gets here does not recover
EDGE = math.sqrt(2)  # |u| below it, u = (x1 + x2) / sqrt 2: the middle mean is the nearest of the three


def in_table(nats: float) -> float:
    """Convert nats of a point in the plane to the unit of SGU's Table 1: bits per dimension plus score_sde's 8."""
    return bits_per_dim(nats, 2, SCORE_SDE_OFFSET["uncentred"])


def in_nats(bits: float) -> float:
    """Convert back: the inverse of :func:`in_table`."""
    return (bits - SCORE_SDE_OFFSET["uncentred"]) * 2 * math.log(2)


def line(points: int = 161, reach: float = 4.0) -> Tensor:
    """Return points (u, u), u from -reach to reach, on the line through the three means, [points, 2]."""
    u = torch.linspace(-reach, reach, points)
    return torch.stack([u, u], dim=1)


def test_data(settings: MixtureSettings, side: str, seed: int) -> Tensor:
    """Return fresh samples of p_g or p_f, the same for every method with a seed, [test_points, 2]."""
    return SIDES[side].sample(settings.test_points, generator(seed, f"mixture/{side}", "evaluation"))


def measure_nll(model: Denoiser, settings: MixtureSettings, seed: int) -> dict[str, Tensor]:
    """Return the negative log-likelihood in nats by the probability-flow ODE with exact divergence.

    For test points, ``"D_g"`` and ``"D_f"``, [test_points], and along :func:`line`, ``"line"``.
    """
    tests = {side: test_data(settings, side, seed) for side in SIDES} | {"line": line()}
    # A trained model takes some 20 to 60 steps; a field that needs 400 has diverged.
    solver = {"rtol": settings.tolerance, "atol": settings.tolerance, "most_steps": 400}
    result = log_likelihood(model, torch.cat(list(tests.values())), **solver)
    return dict(zip(tests, (-result.log_p).split([len(part) for part in tests.values()])))


def _nll(folder: Path, config: dict, model: Path) -> None:
    settings = MixtureSettings(**config["settings"])
    save_file(measure_nll(load(model, settings), settings, config["seed"]), folder / "nll.safetensors")


def nll(store: Store, settings: MixtureSettings, method: Method, seed: int) -> dict[str, Tensor]:
    """Return :func:`measure_nll` of a method's model, from the store or computed now."""
    entry = train(store, settings, method, seed)
    config = {"settings": settings.model_dump(), "seed": seed}
    done = store.step(f"mixture-nll-{method.name}", config, partial(_nll, model=entry.path), inputs=[entry])
    return load_file(done.path / "nll.safetensors")


class Mean(NamedTuple):
    """A mean over test points, and its standard error."""

    value: float
    error: float


def mean_nll(measured: dict[str, Tensor], settings: MixtureSettings, side: str, seed: int) -> Mean:
    """Return E[-log q] of test data from one side, in nats, with p_g as a control variate::

        E[-log q] = E[-log p_g] + E[log p_g - log q]

    The first term is exact; the second is a mean over test points whose spread is small where q is close to p_g. A
    plain average would add an error of 0.01 bits/dim from the choice of 4,000 test points alone.
    """
    difference = measured[side].double() + P_G.log_density(test_data(settings, side, seed).double())
    error = difference.std().item() / math.sqrt(len(difference))
    return Mean(SIDES[side].cross_entropy(P_G) + difference.mean().item(), error)


def _path(folder: Path, config: dict, base: Path) -> None:
    settings = MixtureSettings(**config["settings"])
    method, seed = Method(**config["method"]), config["seed"]
    run = training(settings, method, seed, load(base, settings))
    rows = []
    for step in run:
        if step.index % max(1, run.steps // config["stops"]) == 0:
            try:
                measured = measure_nll(run.model, settings, seed)
            except FloatingPointError:  # the loss has no minimiser, and no solver can follow the field any more
                break
            rows.append([step.index, *(mean_nll(measured, settings, side, seed).value for side in SIDES)])
            if rows[-1][1] > BROKEN:
                break
    (folder / "path.json").write_text(json.dumps(rows), encoding="utf-8")


def path(store: Store, settings: MixtureSettings, method: Method, seed: int, stops: int = 6) -> list[list[float]]:
    """Return (update, D_g, D_f) in nats at ``stops`` equally spaced updates of a fine-tuning run, or until its ODE
    breaks."""
    base = train(store, settings, Method(name="standard"), seed)
    config = {"settings": settings.model_dump(), "method": method.model_dump(), "seed": seed, "stops": stops}
    done = store.step(f"mixture-path-{method.name}", config, partial(_path, base=base.path), inputs=[base])
    return json.loads((done.path / "path.json").read_text())


def draw(model: Denoiser, n: int, seed: int, *, steps: int = 60) -> Tensor:
    """Return n samples by Heun's method on the probability-flow ODE, with the same noise for every model of a seed, [n,
    2]."""
    return sample(model, (n, 2), generator=generator(seed, "mixture/samples", "noise"), sampler=heun, steps=steps).x


def _samples(folder: Path, config: dict, model: Path) -> None:
    settings = MixtureSettings(**config["settings"])
    save_file({"x": draw(load(model, settings), config["n"], config["seed"])}, folder / "samples.safetensors")


def samples(store: Store, settings: MixtureSettings, method: Method, seed: int, n: int) -> Tensor:
    """Return :func:`draw` of a method's model, from the store or computed now."""
    entry = train(store, settings, method, seed)
    config = {"settings": settings.model_dump(), "seed": seed, "n": n}
    done = store.step(f"mixture-samples-{method.name}", config, partial(_samples, model=entry.path), inputs=[entry])
    return load_file(done.path / "samples.safetensors")["x"]


def nearest_to_forgotten(x: Tensor) -> Tensor:
    """Return whether the forgotten component's mean is the nearest of the three, [N] bool, for x [N, 2]."""
    return torch.cdist(x, torch.tensor(SGU_MIXTURE.means)).argmin(1) == 1


def share_of(density: GaussianMixture) -> float:
    """Return the exact share of ``density`` nearest to the forgotten component, by normal tails along the line."""

    def below(z: float) -> float:
        return 0.5 * (1 + math.erf(z / math.sqrt(2)))

    centres = [sum(mean) / math.sqrt(2) for mean in density.means]
    return sum(w * (below(EDGE - c) - below(-EDGE - c)) for w, c in zip(density.weights, centres))


def score_error(model: Denoiser, density: GaussianMixture, x0: Tensor, t: float, seed: int) -> float:
    """Return the root mean square of sigma_t (s - s_exact) at noisy points x_t of x0 [N, 2]; the noise has 1."""
    noise = torch.randn(x0.shape, generator=generator(seed, f"mixture/score/{t}", "evaluation"))
    times = torch.full((len(x0),), t)
    x_t = model.process.perturb(x0, times, noise)
    with torch.no_grad():
        error = model(x_t, times).eps - ExactDenoiser(density, model.process)(x_t, times).eps
    return error.square().sum(1).mean().sqrt().item()
