"""The models of the Gaussian mixture: trained once per method, budget and seed, and stored for all mixture pages.

``python -m companion.studies.mixture --profile laptop`` computes in advance what the pages share.
"""

import argparse
import json
import os
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field
from safetensors.torch import load_file, save_file
from torch import Tensor

from companion.seeds import generator
from companion.settings import Settings
from companion.store import Entry, Store
from paperlib.data.frontier import Optimum
from paperlib.data.mixture import SGU_MIXTURE
from paperlib.denoiser import Denoiser, ExactDenoiser, reinitialise
from paperlib.files import whole
from paperlib.losses import batch, noised, score_matching
from paperlib.nets.mlp import MLP
from paperlib.processes import VE
from paperlib.training import Training
from paperlib.unlearning.negate import negate
from paperlib.unlearning.redirect import carving, density_ratio, redirect
from paperlib.unlearning.sgu import sgu
from paperlib.unlearning.signed import signed
from paperlib.unlearning.unseen import unseen

__all__ = [
    "BUDGETS",
    "SHARED",
    "Method",
    "MixtureSettings",
    "P_F",
    "P_G",
    "facts",
    "load",
    "losses",
    "train",
    "trained",
    "training",
    "updates",
]

P_G, P_F = SGU_MIXTURE.only(0, 2), SGU_MIXTURE.only(1)  # retained, forgotten
SNAPSHOT = 1000  # updates between two snapshots: the most that a killed run loses


class Method(Settings):
    """What is trained, and how. From ``start`` on, the fields are for the unlearning methods; each reads its own."""

    name: Literal["standard", "unseen", "orthogonal", "obtuse", "signed", "redirect", "negate", "optimum"]
    start: Literal["retrain", "finetune"] = "retrain"  # from scratch, or from the standard model of the same seed
    alpha: float = Field(0.8, gt=0, le=1)  # SGU: "depends on the ratio of M to N"; here the retained share, 1 - M / N
    variant: Literal["paper", "code"] = "paper"  # SGU
    every: int = Field(1, ge=1)  # SGU: L_f is added at every ``every``-th update: the public code has 4, the paper 1
    lam: float = Field(60.0, gt=1)  # signed, redirect, optimum: a little above e^4 = 54.6
    floor: float = Field(1e-7, gt=0, le=1)  # redirect: the smallest weight, too small to have an effect on D_g
    w: float = Field(1.0, ge=0)  # negate: weight of the pull; 1 aims at p_g itself


#: The fields that each method's training reads, besides ``start``.
READS = {"orthogonal": ("alpha", "variant", "every"), "obtuse": ("alpha", "variant", "every")}
READS |= {
    "signed": ("lam",),
    "redirect": ("lam", "floor"),
    "negate": ("w",),
    "optimum": ("lam",),
    "standard": (),
    "unseen": (),
}


SMALL = {"steps": 200, "test_points": 100, "batch_size": 128, "draws": 20_000, "tolerance": 1e-3}
#: What every mixture page computes, by profile; the pages share the models. The paper states no budget for its toy
#: example: those of ``paper`` are ours.
BUDGETS = {
    "smoke": SMALL | {"seeds": 1},
    "laptop": {"steps": 8000, "test_points": 4000, "batch_size": 512, "seeds": 3},
    "paper": {"steps": 40_000, "test_points": 20_000, "batch_size": 512, "seeds": 5},
}


class MixtureSettings(Settings):
    """The budget of a run, for each seed."""

    steps: int = Field(gt=0)  # updates of Adam when training from scratch; fine-tuning has a quarter
    test_points: int = Field(gt=1)  # fresh samples from each of p_g and p_f
    draws: int = Field(1_000_000, gt=0)  # training data; with 1e5, few lie near p_f: an error of 0.02 bits/dim there
    batch_size: int = Field(512, gt=0)  # samples per update, each perturbed by z and by -z
    width: int = Field(64, gt=0)  # wider networks were slower at the same error on validation seeds 101 and 102
    lr: float = Field(4e-3, gt=0)  # Adam, falling along half a cosine; 1e-2 was worse, 2e-3 no better (same seeds)
    tolerance: float = Field(1e-5, gt=0)  # of the ODE solver, score_sde's


def updates(settings: MixtureSettings, method: Method) -> int:
    """Return the updates of a training run; fine-tuning has a quarter of those from scratch."""
    return settings.steps if method.start == "retrain" else max(1, settings.steps // 4)


def facts(settings: MixtureSettings, method: Method) -> dict:
    """Return a record's facts about a method's model: its data, its budget, and the fields that the method reads."""
    rows = {"redirect": settings.batch_size // 2 * 2 + settings.batch_size // 4, "optimum": 2 * settings.batch_size}
    made = {
        "dataset": "mixture",
        "method": f"sgu_{method.name}" if method.name in ("orthogonal", "obtuse") else method.name,
        "process": "vesde",
        "forget": "middle",
        "sigma": [0.01, 50.0],
        "training_draws": settings.draws,
        "start": method.start,
        "updates": updates(settings, method),
        "rows_per_update": rows.get(method.name, 2 * settings.batch_size),
    }
    return made | {field: getattr(method, field) for field in READS[method.name]}


def data(settings: MixtureSettings, seed: int) -> tuple[Tensor, Tensor]:
    """Return training data D_g [N - M, 2] and D_f [M, 2]: ``draws`` samples of the mixture, split by component."""
    forgotten = SGU_MIXTURE.weights[1]
    D_g = P_G.sample(round((1 - forgotten) * settings.draws), generator(seed, "mixture/D_g", "data"))
    D_f = P_F.sample(round(forgotten * settings.draws), generator(seed, "mixture/D_f", "data"))
    return D_g, D_f


def architecture(settings: MixtureSettings) -> Denoiser:
    """Return a fresh network with the VE process, scaled for the whole mixture: the same for every method."""
    return Denoiser(MLP(2, width=settings.width), VE(), data_std=SGU_MIXTURE.std())


def training(settings: MixtureSettings, method: Method, seed: int, base: Denoiser | None = None) -> Training:
    """Return the training run of ``method``'s model, before its first update; ``base`` is the model it fine-tunes."""
    D_g, D_f = data(settings, seed)
    noise = generator(seed, f"mixture/{method.name}", "noise")
    steps = updates(settings, method)
    loop = {"steps": steps, "lr": settings.lr, "warmup": min(100, steps // 10), "decay": True, "generator": noise}
    model = base or architecture(settings)
    if base is None:
        reinitialise(model, noise)
    if method.name in ("standard", "optimum"):
        objective = {
            "standard": partial(standard, D=torch.cat([D_g, D_f])),
            "optimum": partial(optimum, lam=method.lam),
        }
        return Training(model, partial(objective[method.name], batch_size=settings.batch_size), **loop)
    if method.name == "unseen":
        return unseen(model, None, D_g, batch_size=settings.batch_size, antithetic=True, **loop)
    # Half of the rows from each side, so that an update sees as many rows as with other methods.
    loop |= {"batch_size": settings.batch_size // 2, "antithetic": True}
    if method.name == "negate":
        if base is None:
            raise ValueError("start='retrain': there is nothing to negate in a fresh network; start='finetune'")
        classifier = {"classifier_steps": max(1, settings.steps // 8)}
        return negate(model, D_f, D_g, w=method.w, **classifier, **loop)
    loop |= {"start": method.start}
    if method.name == "signed":
        return signed(model, D_f, D_g, lam=method.lam, **loop)
    if method.name == "redirect":
        ratio = density_ratio(D_f, D_g, generator=noise, steps=max(1, settings.steps // 8))
        return redirect(model, D_f, D_g, weight=carving(ratio, lam=method.lam, floor=method.floor), **loop)
    return sgu(
        model, D_f, D_g, loss=method.name, alpha=method.alpha, variant=method.variant, every=method.every, **loop
    )


def standard(
    model: Denoiser, generator: torch.Generator, index: int, *, D: Tensor, batch_size: int
) -> dict[str, Tensor]:
    """Return the denoising score matching loss on all data."""
    return {"loss": score_matching(model, batch(D, batch_size, generator), generator, antithetic=True).mean()}


def optimum(
    model: Denoiser, generator: torch.Generator, index: int, *, lam: float, batch_size: int
) -> dict[str, Tensor]:
    """Return the error of a regression to the exact score of the frontier's density, which shows what the network can
    represent at this budget."""
    x0 = torch.cat([density.sample(batch_size, generator) for density in (P_G, P_F)])
    x_t, t, _ = noised(model.process, x0, generator)
    wanted = ExactDenoiser(Optimum(lam), model.process)(x_t, t).eps
    return {"loss": (wanted - model(x_t, t).eps).square().sum(1).mean()}


def _train(folder: Path, config: dict, base: Path | None = None) -> None:
    settings, method = MixtureSettings(**config["settings"]), Method(**config["method"])
    run = training(settings, method, config["seed"], load(base, settings) if base else None)
    curve, snapshot = {}, folder / "resume.pt"
    if snapshot.exists():
        saved = torch.load(snapshot, weights_only=True)
        run.load_state_dict(saved["training"])
        curve = saved["curve"]
    for step in run:
        if step.index % max(1, settings.steps // 100) == 0:
            curve[step.index] = step.losses
        if step.index % SNAPSHOT == 0:
            with whole(snapshot) as draft:
                torch.save({"training": run.state_dict(), "curve": curve}, draft)
    save_file(run.model.state_dict(), folder / "model.safetensors")
    (folder / "losses.json").write_text(json.dumps(curve), encoding="utf-8")


def train(store: Store, settings: MixtureSettings, method: Method, seed: int) -> Entry:
    """Return the entry of ``method``'s trained model, from the store or computed now."""
    measuring = {"test_points": 2, "tolerance": 1e-5}  # settings that do not affect training stay out of the key
    config = {"settings": settings.model_dump() | measuring, "method": method.model_dump(), "seed": seed}
    if method.start == "retrain":
        return store.step(f"mixture-{method.name}", config, _train)
    base = train(store, settings, Method(name="standard"), seed)
    return store.step(f"mixture-{method.name}", config, partial(_train, base=base.path), inputs=[base])


def load(entry: Entry | Path, settings: MixtureSettings) -> Denoiser:
    """Load a stored model."""
    model = architecture(settings)
    model.load_state_dict(load_file((entry.path if isinstance(entry, Entry) else entry) / "model.safetensors"))
    return model


def trained(store: Store, settings: MixtureSettings, method: Method, seed: int) -> Denoiser:
    """Return ``method``'s trained model."""
    return load(train(store, settings, method, seed), settings)


def losses(entry: Entry) -> dict[int, dict[str, float]]:
    """Return the losses along a stored training run: update -> name -> value."""
    return {int(index): value for index, value in json.loads((entry.path / "losses.json").read_text()).items()}


#: The models that more than one page needs, those of SGU's Table 1 and Figures 1 and 2, and ours beside them.
SHARED = {name: Method(name=name) for name in ("standard", "unseen", "orthogonal", "obtuse")}
SHARED |= {"redirect": Method(name="redirect", start="finetune", lam=20.0)}


def main() -> None:
    """Compute the shared models of a profile, seed by seed."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--profile", choices=("recorded", *BUDGETS), default="smoke")
    profile = parser.parse_args().profile
    if profile == "recorded":  # computes nothing
        return
    amounts = dict(BUDGETS[profile])
    seeds, settings = range(amounts.pop("seeds")), MixtureSettings.checked(**amounts)
    store = Store(Path(os.environ.get("PAPERLIB_BUILD") or "_build") / "store")
    for seed in seeds:
        for method in SHARED.values():
            train(store, settings, method, seed)


if __name__ == "__main__":
    main()
