"""The rows of SGU's tables: their base models and D_f and, at ``paper``, the settings of its text and public code."""

from types import SimpleNamespace
from typing import Any

from companion import bases
from companion.models import Model

__all__ = ["FINETUNED", "ROWS", "amounts", "drawing", "row_of", "training"]

ROWS = {  # data set of the tables -> base model and D_f: on real data, with the paper's network, and on synthetic data
    "mnist": {"real": ("mnist-ve", "3,7"), "drawn": ("digits-ve", "3,7")},
    "cifar10": {"real": ("cifar10-vp", "dog,automobile"), "drawn": ("shapes-vp", "square,disc")},
    "stl10": {"real": ("stl10-vp", "airplane"), "drawn": ("shapes-vp", "arrow")},
    "celeba": {"real": ("celeba-vp", "bangs"), "drawn": ("avatars-vp", "bangs")},
}
FINETUNED = {  # rows of Table 5, whose process is part of their names; MNIST's is ours
    "mnist-ddpm": {"real": ("mnist-ddpm", "1"), "drawn": ("digits-ddpm", "1")},
    "cifar10-vp": ROWS["cifar10"],
    "cifar10-ddpm": {"real": ("cifar10-ddpm", "dog,automobile"), "drawn": ("shapes-ddpm", "square,disc")},
    "celeba-vp": ROWS["celeba"],
}
# Updates when Standard is fine-tuned: Sec. 4.4.
FINETUNING = {"vp": 80_000, "ddpm": 30_000}
# Rows of D_g and D_f per update: the public code, configs/default_<set>_configs.py. It has none for MNIST: ours.
BATCHES = {"mnist": (128, 128), "cifar10": (400, 400), "stl10": (400, 100), "celeba": (150, 150)}
# configs/vp/ddpm of STL-10 and CelebA: 1,000 steps of Euler-Maruyama (CIFAR-10's has an adaptive solver of the flow).
# score_sde's choice for VE; Ho et al.'s for a DDPM.
SAMPLERS = {"vp": ("Euler-Maruyama", 1), "ve": ("predictor-corrector", 2), "ddpm": ("DDPM", 1)}


def row_of(name: str, profile: str, process: str = "") -> tuple[str, str]:
    """Return the base model of a row, and what it is to forget; ``process`` replaces the row's own."""
    base, forget = (ROWS | FINETUNED)[name]["drawn" if profile == "smoke" else "real"]
    if process:
        base = f"{base.partition('-')[0]}-{process}"
    return (f"sgu-{base}" if profile == "paper" else base), forget


def amounts(budget: SimpleNamespace, row: str, **given: Any) -> SimpleNamespace:
    """Return a page's budget for a row: what the budget has under the name of the row's data set, or of the row, counts
    there instead, and ``given`` parameters that are set count before both."""
    own = getattr(budget, row.partition("-")[0], {}) | getattr(budget, row, {})
    return SimpleNamespace(**vars(budget) | own | {name: value for name, value in given.items() if value})


def training(model: Model, start: str, updates: int = 0) -> dict[str, Any]:
    """Return the paper's settings of a run: as long as Standard's training if it starts from scratch, else Table 5's;
    averaging and warm-up as in the public code. Non-zero ``updates`` override the length."""
    kind = model.kind
    budget, (batch, forgotten) = bases.budget(kind, "cpu"), BATCHES[kind.dataset]
    if start == "finetune":
        budget = bases.rehearsal.budget(budget.model_copy(update={"steps": FINETUNING.get(kind.process, 80_000)}))
    batch, forgotten = (bases.rehearsal.fewer(size, 4) for size in (batch, forgotten))
    found = {"updates": updates or budget.steps, "batch_size": batch, "forget_batch": forgotten}
    return found | {"start": start, "ema": budget.ema, "warmup": min(budget.warmup, found["updates"])}


def drawing(model: Model, steps: int, profile: str) -> dict[str, Any]:
    """Return the sampling settings for so many steps: of the public code's sampler at ``paper``, else of iPNDM."""
    if profile != "paper":
        return {"evaluations": steps}
    name, cost = SAMPLERS[model.kind.process]
    return {"sampler": name, "evaluations": cost * steps}
