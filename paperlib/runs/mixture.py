"""The mixture's steps: models trained on SGU's toy data, and their likelihoods. Every mixture page calls these.

``python -m paperlib.runs.mixture --profile laptop`` computes what the pages share, so that they find it in the store.
"""

import argparse
import json
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field
from safetensors.torch import load_file, save_file
from torch import Tensor

from paperlib.data.mixture import SGU_MIXTURE, GaussianMixture
from paperlib.denoiser import Denoiser, reinitialise
from paperlib.likelihood import log_likelihood
from paperlib.nets.mlp import MLP
from paperlib.processes import VE
from paperlib.runs.seeds import generator
from paperlib.runs.settings import Settings
from paperlib.runs.store import Entry, Store
from paperlib.training import Training, batch, score_matching
from paperlib.unlearning.sgu import sgu
from paperlib.unlearning.unseen import unseen

__all__ = ["Method", "MixtureSettings", "P_F", "P_G", "line", "load", "losses", "nll", "train"]

P_G, P_F = SGU_MIXTURE.only(0, 2), SGU_MIXTURE.only(1)  # retained, forgotten
SNAPSHOT = 1000  # updates between two snapshots: a killed run loses at most these


class Method(Settings):
    """What is trained, and how. The fields below ``name`` belong to the two SGU losses alone."""

    name: Literal["standard", "unseen", "orthogonal", "obtuse"]
    alpha: float = Field(0.8, gt=0, le=1)  # "depends on the ratio of M to N": here the retained share, 1 - M / N
    variant: Literal["paper", "code"] = "paper"
    start: Literal["retrain", "finetune"] = "retrain"  # Table 1 compares "Unlearning Re-training"
    every: int = Field(1, ge=1)  # L_f at every so-many-th update; the public code has 4, the paper knows only 1


class MixtureSettings(Settings):
    """The budget of a run. The paper states none for its toy example."""

    steps: int = Field(gt=0)  # updates of Adam
    seeds: int = Field(gt=0)  # trained models of each kind, seeds seed, seed + 1, ...
    test_points: int = Field(gt=1)  # fresh draws from each of p_g and p_f
    draws: int = Field(1_000_000, gt=0)  # training data; with 1e5, few lie near p_f: an error of 0.02 bits/dim there
    batch_size: int = Field(512, gt=0)  # draws an update, each perturbed by z and by -z
    width: int = Field(64, gt=0)  # wider networks were slower at the same error on validation seeds 101 and 102
    lr: float = Field(4e-3, gt=0)  # Adam, falling along half a cosine; 1e-2 was worse, 2e-3 no better, same seeds
    tolerance: float = Field(1e-5, gt=0)  # of the ODE solver, score_sde's

    @classmethod
    def of(cls, profile: str, *, steps: int = 0, seeds: int = 0) -> "MixtureSettings":
        """The settings of a profile; ``steps`` and ``seeds`` override it where they are not 0."""
        budget = {
            "smoke": {"steps": 1000, "seeds": 1, "test_points": 1000, "batch_size": 256},
            "laptop": {"steps": 8000, "seeds": 3, "test_points": 5000},
            "paper": {"steps": 40_000, "seeds": 5, "test_points": 20_000},
        }[profile]
        chosen = {name: value for name, value in {"steps": steps, "seeds": seeds}.items() if value != 0}
        return cls.checked(**budget | chosen)


def data(settings: MixtureSettings, seed: int) -> tuple[Tensor, Tensor]:
    """Training data D_g [N - M, 2] and D_f [M, 2]: ``draws`` points of the mixture, split by their component."""
    shares = {"D_g": sum(SGU_MIXTURE.weights[k] for k in (0, 2)), "D_f": SGU_MIXTURE.weights[1]}
    return tuple(
        density.sample(round(share * settings.draws), generator(seed, f"mixture/{side}", "data"))
        for (side, share), density in zip(shares.items(), (P_G, P_F))
    )


def architecture(settings: MixtureSettings) -> Denoiser:
    """A fresh network on the VE process, scaled for the whole mixture: the same for every method."""
    return Denoiser(MLP(2, width=settings.width), VE(), data_std=SGU_MIXTURE.std())


def start(settings: MixtureSettings, method: Method, seed: int, base: Denoiser | None) -> Training:
    """The training run that makes ``method``'s model, before its first update."""
    D_g, D_f = data(settings, seed)
    noise = generator(seed, f"mixture/{method.name}", "noise")
    model = base or architecture(settings)
    loop = {
        "steps": settings.steps,
        "lr": settings.lr,
        "warmup": min(100, settings.steps // 10),
        "decay": True,
        "generator": noise,
    }
    if method.name == "standard":
        reinitialise(model, noise)
        D = torch.cat([D_g, D_f])

        def objective(model, generator, index):
            x0 = batch(D, settings.batch_size, generator)
            return {"loss": score_matching(model, x0, generator, antithetic=True).mean()}

        return Training(model, objective, **loop)
    if method.name == "unseen":
        return unseen(model, None, D_g, batch_size=settings.batch_size, antithetic=True, **loop)
    # Half of the rows from each side: an update sees as many rows as the other methods' do.
    chosen = method.model_dump(exclude={"name"})
    return sgu(
        model, D_f, D_g, loss=method.name, **chosen, batch_size=settings.batch_size // 2, antithetic=True, **loop
    )


def _train(folder: Path, config: dict, base: Path | None = None) -> None:
    settings, method = MixtureSettings(**config["settings"]), Method(**config["method"])
    training = start(settings, method, config["seed"], load(base, settings) if base else None)
    curve, snapshot = {}, folder / "resume.pt"
    if snapshot.exists():
        saved = torch.load(snapshot, weights_only=True)
        training.load_state_dict(saved["training"])
        curve = saved["curve"]
    for step in training:
        if step.index % max(1, settings.steps // 100) == 0:
            curve[step.index] = step.losses
        if step.index % SNAPSHOT == 0:
            torch.save({"training": training.state_dict(), "curve": curve}, folder / ".resume.pt")
            os.replace(folder / ".resume.pt", snapshot)
    save_file(training.model.state_dict(), folder / "model.safetensors")
    (folder / "losses.json").write_text(json.dumps(curve), encoding="utf-8")


def train(store: Store, settings: MixtureSettings, method: Method, seed: int) -> Entry:
    """``method``'s trained model, from the store or computed now."""
    used = settings.model_dump(exclude={"seeds", "test_points", "tolerance"}) | {"seeds": 1, "test_points": 2}
    config = {"settings": used, "method": method.model_dump(), "seed": seed}
    if method.start == "retrain":
        return store.step(f"mixture-{method.name}", config, _train)
    base = train(store, settings, Method(name="standard"), seed)
    return store.step(f"mixture-{method.name}", config, partial(_train, base=base.path), inputs=[base])


def load(entry: Entry | Path, settings: MixtureSettings) -> Denoiser:
    """A stored model."""
    model = architecture(settings)
    model.load_state_dict(load_file((entry.path if isinstance(entry, Entry) else entry) / "model.safetensors"))
    return model


def losses(entry: Entry) -> dict[int, dict[str, float]]:
    """The losses along a stored training run: update -> name -> value."""
    return {int(index): value for index, value in json.loads((entry.path / "losses.json").read_text()).items()}


def line(points: int = 161, reach: float = 4.0) -> Tensor:
    """Points (u, u), u from -reach to reach, along the axis on which the three means lie, [points, 2]."""
    u = torch.linspace(-reach, reach, points)
    return torch.stack([u, u], dim=1)


def _nll(folder: Path, config: dict, model: Path) -> None:
    settings = MixtureSettings(**config["settings"])
    tests = {
        side: p.sample(settings.test_points, generator(config["seed"], f"mixture/{side}", "evaluation"))
        for side, p in SIDES.items()
    }
    tests["line"] = line()
    x = torch.cat(list(tests.values()))
    result = log_likelihood(load(model, settings), x, rtol=settings.tolerance, atol=settings.tolerance)
    parts = zip(tests, result.log_p.split([len(part) for part in tests.values()]))
    save_file({side: -log_p for side, log_p in parts}, folder / "nll.safetensors")


SIDES: dict[str, GaussianMixture] = {"D_g": P_G, "D_f": P_F}


def nll(store: Store, settings: MixtureSettings, method: Method, seed: int) -> dict[str, Tensor]:
    """Negative log-likelihood in nats, by the probability-flow ODE with exact divergence, of fresh test points.

    ``"D_g"`` and ``"D_f"`` [test_points], the same points for every method of a seed, and ``"line"`` along
    :func:`line`.
    """
    entry = train(store, settings, method, seed)
    config = {"settings": settings.model_dump() | {"seeds": 1}, "seed": seed}
    done = store.step("mixture-nll", config, partial(_nll, model=entry.path), inputs=[entry])
    return load_file(done.path / "nll.safetensors")


def shared() -> Iterator[Method]:
    """The models that more than one page needs."""
    for name in ("standard", "unseen", "orthogonal", "obtuse"):
        yield Method(name=name)


def main() -> None:
    """Compute the shared models of a profile, seed by seed."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--profile", choices=("smoke", "laptop", "paper"), default="smoke")
    settings = MixtureSettings.of(parser.parse_args().profile)
    store = Store(Path(os.environ.get("PAPERLIB_BUILD") or "_build") / "store")
    for seed in range(settings.seeds):
        for method in shared():
            nll(store, settings, method, seed)


if __name__ == "__main__":
    main()
