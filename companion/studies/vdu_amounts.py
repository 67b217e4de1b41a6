"""The amounts of each profile for VDU's tables; for ``paper``, with their place in the paper.

A profile's amounts hold for all data sets of a table, except for those in ``sets``, by data set; :func:`each` joins
them.
"""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from companion.claims import Claim
from companion.claims.names import data_title

if TYPE_CHECKING:
    from companion.page import Page

__all__ = ["amounts", "each", "not_asked", "rivals"]

# The section on the posterior: both ways of getting five models, on a base model's data.
FEW = {"base": "digits-ddpm", "models": 2, "steps": 8, "n": 20, "images": 60}
MANY = FEW | {"models": 5, "steps": 1500, "n": 500, "images": 300}
THEIRS = MANY | {"base": "vdu-mnist-ddpm", "steps": 37_500, "lr": 1e-4}  # App. 6.2.2: 5 models of 40 epochs each

SETS = ("digits", "mnist", "cifar10")  # those with a DDPM
BOTH = "mnist,cifar10"  # the paper's
LEAST = {"n": 60, "sampler": 6, "epochs": 1}
# App. 6.2.3: T, with all steps sampled, and epochs of unlearning
LENGTHS = {name: {"sampler": 1000, "epochs": 1} for name in SETS} | {"cifar10": {"sampler": 500, "epochs": 4}}

# Table 2
CLASSES = {"digits": {"forget": "1"}, "mnist": {"forget": "1"}, "cifar10": {"forget": "ship"}}
GAMMAS = "0.1,0.3,0.6,0.8"
RATES = [3e-6, 1e-5, 3e-5, 1e-4]  # candidates beside the paper's
OURS = {"n": 2000, "sampler": 10, "epochs": 1, "gamma": GAMMAS, "rates": RATES, "study": MANY}
OURS = {name: OURS | CLASSES[name] for name in SETS}
OURS["mnist"] |= {"gamma": "0,0.1,0.3,0.45,0.6,0.8,0.9,0.97,0.99"}
OURS["cifar10"] |= {"n": 1000, "rates": [], "study": {}}

SMOKE = {
    **{"of": "", "dataset": "digits", "forget": "", "gamma": "", "looks": 20, "held_out": 60},
    **{"sets": {name: LEAST | CLASSES[name] | {"gamma": "0.1,0.8", "rates": [1e-4], "study": FEW} for name in SETS}},
    **{"by": "iPNDM", "batch_size": 40, "apart": 1, "features": ["classifier"], "seen": 60, "real": 200},
    **{"fid_of": ""},  # the gammas whose u-FID is measured; empty: all
}
LAPTOP = SMOKE | {
    **{"dataset": BOTH, "looks": 60, "held_out": 400, "sets": OURS},
    **{"batch_size": 128, "apart": 10, "features": ["inception", "classifier"]},
    **{"fid_of": GAMMAS, "seen": 250, "real": 1000},  # samples and real images that Inception sees, at four a second
}


def amounts() -> dict[str, dict[str, Any]]:
    """Return Table 2's amounts by profile."""
    theirs = {"n": 5000, "gamma": GAMMAS, "rates": RATES, "study": THEIRS}  # n: Sec. 4.3
    paper = LAPTOP | {
        "of": "vdu-",  # its networks and their training: App. 6.2.1, 6.2.2
        "features": ["inception", "classifier"],  # u-FID: Sec. 4.3; the classifier's features are ours
        "seen": 5000,  # Sec. 4.3
        "real": 10_000,  # training images that u-FID compares with; the paper does not say how many
        "sets": {name: theirs | CLASSES[name] | LENGTHS[name] for name in SETS},
        "fid_of": "",
        "batch_size": 128,  # App. 6.2.3
        "by": "DDPM",  # App. 6.2.3
        "seeds": 3,  # ours
    }
    return {"smoke": SMOKE, "laptop": LAPTOP, "paper": paper}


def rivals() -> dict[str, dict[str, Any]]:
    """Return Table 1's amounts by profile. ``evaluations`` of a gradient are the budget of every run; 0: the paper's
    passes over D_f, ``epochs`` for all but Selective Amnesia. ``also``: methods that run for the class ``full`` only;
    ``few``: methods that run with only so many of its images; both for the first ``extra`` seeds. ``own``: the number
    of the model's own samples that negation without data learns from."""
    classes = {name: {"forget": "0;1;8", "full": "1"} for name in SETS}  # Table 1
    classes["cifar10"] = {"forget": "automobile;frog;ship", "full": "ship"}
    ours = {"n": 500, "sampler": 10, "epochs": 1, "also": "neggrad,finetune,negate_own"}
    ours |= {"few": {"vdu": [1000, 100, 10]}}
    ours = {name: ours | classes[name] for name in SETS}
    ours["digits"] |= {"forget": "0;1"}
    ours["cifar10"] |= {"n": 1000, "few": {}, "seeds": 1, "also": "neggrad,finetune"}  # negation has its own page there
    less = LEAST | {"also": "", "few": {"vdu": [10]}, "seeds": 1}
    least = {name: one | less for name, one in ours.items()}
    small = {"of": "", "dataset": "digits", "forget": "", "evaluations": 12, "batch_size": 8, "by": "iPNDM"}
    small |= {"fisher": {"fisher_samples": 1, "fisher_times": 2}, "own": 60}  # the minimum
    small |= {"sets": least, "features": ["classifier"], "seen": 60, "real": 200, "apart": 0}
    small |= {"methods": "vdu,selective_amnesia", "extra": 1}
    laptop = small | {"dataset": BOTH, "sets": ours, "evaluations": 120, "batch_size": 32, "fisher": {}, "own": 500}
    laptop |= {"seeds": 3} | {name: LAPTOP[name] for name in ("features", "seen", "real")}
    theirs = amounts()["paper"]
    names = ("of", "by", "batch_size", "features", "seen", "real", "apart", "seeds")
    paper = laptop | {name: theirs[name] for name in names}
    paper |= {"fisher": {"fisher_samples": 5000, "fisher_times": 1000}, "evaluations": 0}  # SA's own
    paper |= {"methods": "vdu,selective_amnesia,neggrad", "extra": 3}
    theirs = {"n": 5000, "also": "finetune,negate_own"} | {"few": {"vdu": [1000, 100, 10], "neggrad": [1000, 100, 10]}}
    paper |= {"sets": {name: theirs | classes[name] | LENGTHS[name] for name in SETS}}
    return {"smoke": small, "laptop": laptop, "paper": paper}


def each(budget: SimpleNamespace, page: "Page") -> list[SimpleNamespace]:
    """Return the amounts of each data set of a page's budget. A parameter that is given replaces what is in ``sets``;
    ``seeds`` are the page's or, if none are given, the first of them if a set has fewer.

    Raises:
        ValueError: for an unknown data set, or two whose classes have the same names.
    """
    names, found = budget.dataset.split(","), []
    if unknown := [name for name in names if name not in SETS]:
        raise ValueError(f"dataset={unknown[0]!r} is not one of {', '.join(SETS)}")
    if {"digits", "mnist"} <= set(names):
        raise ValueError("digits and MNIST have classes of the same names: run them one at a time")
    for name in names:
        own = {key: value for key, value in budget.sets[name].items() if not getattr(budget, key, None)}
        seeds = page.seeds if page.parameters["seeds"] else page.seeds[: own.get("seeds")]
        found.append(SimpleNamespace(**vars(budget) | own | {"dataset": name, "seeds": seeds}))
    return found


def not_asked(claim: Claim, budgets: Sequence[SimpleNamespace], measures: str = "") -> str:
    """Say why a run with these amounts, and these ``measures`` alone if any are named, has no value for a printed cell:
    it is about another data set or another class, or does not measure this."""
    own = next((one for one in budgets if one.dataset == claim.dataset), None)
    if own is None:
        return f"this run is about {' and '.join(data_title(one.dataset) for one in budgets)} alone"
    if claim.forget and claim.forget not in own.forget.split(";"):
        return f"this run forgets {own.forget.replace(';', ', ')} of {data_title(own.dataset)}"
    if "fid" in claim.metric and "inception" not in own.features:
        return "this run is without Inception"
    return f"this run measures {measures} alone" if measures else "this run has other settings"
