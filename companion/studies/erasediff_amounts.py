"""The methods in EraseDiff's Table 1, their settings, and the amounts of each profile."""

from collections.abc import Mapping
from typing import Any

from companion import bases, checkpoints, rehearsal
from paperlib.nets.presets import PRESETS

__all__ = ["PUBLISHED", "amounts", "recipe", "size"]

#: Name in tables -> method, its published settings, and its own updates at ``paper``. If neither paper nor code states
#: the updates, they are EraseDiff's, 4 x 2 x 36 by its public code.
PUBLISHED: dict[str, tuple[str, dict[str, Any], int]] = {
    "finetune": ("finetune", {"lr": 1e-4}, 288),
    "neggrad": ("neggrad", {"lr": 1e-4}, 288),
    "blindspot": ("blindspot", {"lr": 1e-4, "beta": 0.0}, 288),  # EraseDiff's code
    "selective_amnesia": ("selective_amnesia", {"lr": 1e-4, "lam": 10.0}, 20_000),  # Heng and Soh
    "salun": ("salun", {"lr": 1e-4, "alpha": 1e-3, "variant": "code"}, 1000),  # Fan et al.'s code
    "erasediff_rl": ("erasediff", {"lr": 1e-4, "eta": 0.1, "K": 2, "target": "rl"}, 288),
    "erasediff_noise": ("erasediff", {"lr": 1e-4, "eta": 0.1, "K": 2, "target": "noise"}, 288),
    "negate": ("negate", {"lr": 2e-4, "w": 1.0}, 288),  # ours
}


def recipe(name: str, budget: Any, own: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return a method's published settings, or its ``own``, and, by the profile, the budget of evaluations or its own
    updates."""
    method, settings, updates = PUBLISHED[name]
    run = {"updates": rehearsal.fewer(updates, 2), "batch_size": budget.batch_size}
    if budget.evaluations:
        run |= {"updates": budget.evaluations, "unit": "evaluations"}
    return run | dict(own or settings) | budget.before.get(method, {})


def size(base: str) -> str:
    """Return a base model's number of weights, beside that of the network which SA, SalUn and EraseDiff share."""
    own, theirs = bases.card(base)["parameters"], PRESETS["shared-cifar10"].parameters
    return f"{own / 1e6:.1f} million weights (the paper's: {theirs / 1e6:.1f} million)"


def amounts(dataset: str) -> dict[str, dict[str, Any]]:
    """Return the amounts by profile; ``laptop`` has CIFAR-10 unless ``dataset`` is digits or mnist.

    ``evaluations`` of a gradient are the budget of every run; 0: the published updates. ``moves``: features, steps,
    guidances and numbers of images with which the distance of the model before is measured again. ``fid``: what the
    protocol of FID, precision and recall has of its own, for the first ``fid_seeds``; empty: Inception is not used.
    ``before``: the preparation before the first update; by default a share of the budget
    (:mod:`companion.comparison.courses`).
    """
    everyone = ",".join(PUBLISHED)
    if dataset not in ("digits", "mnist") and checkpoints.card("noisy-classifier-cifar10") is None:
        everyone = ",".join(name for name in PUBLISHED if name != "negate")  # which needs it
    few = "selective_amnesia,erasediff_rl,negate"
    smoke = {"of": "", "dataset": "digits", "forget": "3", "methods": few, "evaluations": 12, "batch_size": 8}
    smoke |= {"n": 45, "asked": 20, "sampler": "iPNDM", "steps": 8, "guidance": 0.0, "fid": {}, "fid_seeds": 1}
    smoke |= {"reference": "train", "reference_n": 0}
    smoke |= {"moves": {"features": "classifier", "steps": [4, 8], "guidances": [0.0, 2.0], "ns": [20, 45]}}
    smoke |= {"before": {"selective_amnesia": {"fisher_samples": 2, "fisher_times": 4}}}
    digits = smoke | {"before": {}, "methods": everyone, "evaluations": 120, "batch_size": 32}
    digits |= {"n": 180, "asked": 100, "steps": 10, "seeds": 3}
    digits |= {"moves": smoke["moves"] | {"steps": [5, 10, 20], "ns": [45, 90, 180]}}
    cifar10 = digits | {"dataset": "cifar10", "forget": "airplane", "batch_size": 16, "guidance": 2.0}
    cifar10 |= {"reference": "test"}  # the classifier has learnt the training images; Inception has not
    cifar10 |= {"fid": {"n": 225, "reference": "train", "reference_n": 1000}, "fid_seeds": 1}
    cifar10 |= {"moves": digits["moves"] | {"features": "inception", "ns": [60, 120, 225]}}
    paper = digits | {
        "of": "erasediff-",  # the network that SA, SalUn and EraseDiff share
        "dataset": "cifar10",
        "forget": "airplane",
        "evaluations": 0,
        "batch_size": 128,  # Appendix 8
        "n": 45_000,  # 5,000 a class: Table 1's caption
        "asked": 500,  # Selective Amnesia's
        "sampler": "DDPM",
        "steps": 1000,
        "guidance": 2.0,
        "fid": {"reference": "train"},
        "fid_seeds": 3,
        "moves": {"features": "inception", "steps": [50, 250, 1000], "ns": [5000, 20_000, 45_000]}
        | {"guidances": [0.0, 2.0]},
        "before": {
            "selective_amnesia": {"fisher_samples": 5000, "fisher_times": 1000},  # Heng and Soh
            "blindspot": {"teacher_steps": 500},  # ours; Tarun et al. have 2 epochs of 100
        },
    }
    return {"smoke": smoke, "laptop": digits if dataset in ("digits", "mnist") else cifar10, "paper": paper}
