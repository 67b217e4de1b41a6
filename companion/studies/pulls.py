"""A noisy classifier's pull: its best weight on held-out images, and its comparison with the training set's exact pull.

With x_0 uniform over the training images, eps and eps_g are posterior means that can be computed, and so is their
difference, the exact pull u* of that set. At low noise a set of N images does not represent its distribution: each
posterior is the nearest image. On MNIST, it does from sigma / alpha of about 2 on.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from companion import bases, checkpoints
from companion.models import Model
from companion.noisy_classifiers import noisy_classifier
from companion.seeds import generator
from companion.settings import Settings
from paperlib.data.images import model_input
from paperlib.data.splits import forgotten_parts, split
from paperlib.negation import Without, fitted_weight
from paperlib.unlearning.empirical import posterior_eps

__all__ = ["compared_pulls", "fitted_weights", "pulls_of"]


FINE, COARSE = (0.2, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0, 5.0), (1.0, 2.0, 3.0, 5.0, 8.0)  # sigma / alpha


class Looking(Settings):
    """The noise levels, and the number of test images of each side."""

    base: str
    forget: str
    levels: tuple[float, ...]
    n: int = Field(gt=1)
    seed: int = Field(0, ge=0)


def pulls_of(model: Model, forget: str, *, n: int, seed: int) -> tuple[list[dict], list[dict]]:
    """Return :func:`fitted_weights`, the pull's best weights on ``n`` held-out retained images, and
    :func:`compared_pulls` with a fifth as many images."""
    held_out = fitted_weights(model, forget, levels=FINE, n=n, seed=seed)
    return held_out, compared_pulls(model, forget, levels=COARSE, n=n // 5, seed=seed)


def fitted_weights(model: Model, forget: str, *, levels: tuple[float, ...], n: int, seed: int) -> list[dict]:
    """Return :func:`paperlib.negation.fitted_weight` on ``n`` retained test images at each sigma / alpha."""
    return _rows("pull", _fit, model, base=model.name, forget=forget, levels=levels, n=n, seed=seed)


def compared_pulls(model: Model, forget: str, *, levels: tuple[float, ...], n: int, seed: int) -> list[dict]:
    """Return a row for each side ("forget", "retain") and noise level sigma / alpha, over ``n`` noisy test images.

    ``w``: the multiple of the classifier's pull u that is nearest to the exact one, ``<u*, u> / |u|^2``; ``cosine``:
    the mean cosine between both; ``pull``, ``exact`` and ``model``: root mean squares per pixel of the two pulls, and
    of the difference between the model's eps and the training set's.
    """
    return _rows("pulls", _compare, model, base=model.name, forget=forget, levels=levels, n=n, seed=seed)


def _rows(step: str, of: Callable[[Path, Looking], None], model: Model, **wanted: Any) -> list[dict]:
    judged = checkpoints.card(f"noisy-classifier-{model.kind.dataset}")["sha256"]
    entry = model.store.step(step, Looking(**wanted), of, inputs=[bases.card(model.name)["sha256"], judged])
    return json.loads((entry.path / "rows.json").read_text(encoding="utf-8"))


def _fit(folder: Path, wanted: Looking) -> None:
    kind, model = bases.BASES[wanted.base], bases.load(wanted.base)
    test = bases.images(kind.dataset, "test")
    data = bases.examples(kind, split(test, wanted.forget).retain)
    negated = Without(model, noisy_classifier(kind.dataset), forgotten_parts(test, wanted.forget))
    found = []
    for level in wanted.levels:
        draws = generator(wanted.seed, f"pull/{level}", "evaluation")
        t = model.process.time_of(torch.tensor(level, dtype=torch.float64).log()).float()
        w, error, pull = fitted_weight(negated, data.batch(wanted.n, draws)[0], t, draws)
        found.append({"sigma_over_alpha": level, "w": w, "error": error, "pull": pull, "n": wanted.n})
    (folder / "rows.json").write_text(json.dumps(found), encoding="utf-8")


def _compare(folder: Path, wanted: Looking) -> None:
    kind, model = bases.BASES[wanted.base], bases.load(wanted.base)
    process, test = model.process, bases.images(kind.dataset, "test")
    retain, forget = (model_input(side.images) for side in split(bases.images(kind.dataset, "train"), wanted.forget))
    everything = torch.cat([retain, forget])
    negated = Without(model, noisy_classifier(kind.dataset), forgotten_parts(test, wanted.forget))
    found = []
    for side in ("forget", "retain"):
        x0 = model_input(getattr(split(test, wanted.forget), side).images[: wanted.n])
        for level in wanted.levels:
            t = process.time_of(torch.tensor(level, dtype=torch.float64).log()).float().expand(len(x0))
            noise = torch.randn(x0.shape, generator=generator(wanted.seed, f"pulls/{side}/{level}", "evaluation"))
            x_t = process.perturb(x0, t, noise)
            eps_g, eps = (posterior_eps(process, x_t, t, x, torch.ones(len(x))) for x in (retain, everything))
            with torch.no_grad():
                off = (model(x_t, t).eps - eps).flatten(1)
            u, exact = negated.pull(x_t, t).flatten(1), (eps - eps_g).flatten(1)
            row = {"side": side, "sigma_over_alpha": level, "n": len(x0)}
            row |= {"w": ((exact * u).sum() / u.square().sum()).item()}
            row |= {"cosine": torch.cosine_similarity(exact, u, dim=1).mean().item()}
            row |= {
                name: a.square().mean().sqrt().item() for name, a in (("pull", u), ("exact", exact), ("model", off))
            }
            found.append(row)
    (folder / "rows.json").write_text(json.dumps(found), encoding="utf-8")
