"""The amounts of each profile for VDU's tables; for ``paper``, with their place in the paper."""

from typing import Any

__all__ = ["amounts", "rivals"]

# The section on the posterior: both ways of getting five models, on a base model's data.
FEW = {"base": "digits-ddpm", "models": 2, "steps": 8, "n": 20, "images": 60}
MANY = FEW | {"models": 5, "steps": 1500, "n": 500, "images": 300}
THEIRS = MANY | {"base": "vdu-mnist-ddpm", "steps": 37_500, "lr": 1e-4}  # App. 6.2.2: 5 models of 40 epochs each

SMOKE = {
    **{"of": "", "dataset": "digits", "gamma": "0.1,0.8", "rates": [1e-4], "looks": 20, "held_out": 60, "study": FEW},
    **{"n": 60, "sampler": 6, "by": "iPNDM", "batch_size": 40, "epochs": 1, "apart": 1, "features": ["classifier"]},
    "amnesia": {"replays": 4, "fisher_samples": 3, "fisher_times": 4},
}
LAPTOP = {
    **{"of": "", "dataset": "mnist", "gamma": "0,0.1,0.3,0.45,0.6,0.8,0.9,0.97,0.99"},
    **{"rates": [3e-6, 1e-5, 3e-5, 1e-4], "looks": 60, "held_out": 400, "study": MANY},
    **{"n": 2000, "sampler": 10, "by": "iPNDM", "batch_size": 128, "epochs": 1, "apart": 10},
    **{"features": ["classifier"], "amnesia": {"fisher_samples": 500, "fisher_times": 100}},
}


def amounts(dataset: str) -> dict[str, dict[str, Any]]:
    """Return the amounts by profile; the paper uses other epochs and steps for CIFAR-10 than for MNIST."""
    cifar = dataset == "cifar10"
    paper = LAPTOP | {
        "of": "vdu-",  # its networks and their training: App. 6.2.1, 6.2.2
        "gamma": "0.1,0.3,0.6,0.8",  # Table 2
        "features": ["inception", "classifier"],  # u-FID: Sec. 4.3; the classifier's features are ours
        "n": 5000,  # Sec. 4.3
        "sampler": 500 if cifar else 1000,  # App. 6.2.3: T, with all steps sampled
        "by": "DDPM",
        "batch_size": 128,  # App. 6.2.3
        "epochs": 4 if cifar else 1,  # App. 6.2.3
        "study": THEIRS,
        "amnesia": {"fisher_samples": 5000, "fisher_times": 1000},  # SA's own
        "seeds": 3,  # ours
    }
    return {"smoke": SMOKE, "laptop": LAPTOP, "paper": paper}


def rivals(dataset: str) -> dict[str, dict[str, Any]]:
    """Return Table 1's amounts by profile. ``evaluations`` of a gradient are the budget of every run; 0: the paper's
    passes over D_f, ``epochs`` for all but Selective Amnesia. ``also``: methods that run for the class ``full`` only;
    ``few``: methods that run with only so many of its images. ``own``: the number of the model's own samples that
    negation without data learns from."""
    small = {"dataset": "digits", "forget": "0;1", "evaluations": 12, "epochs": 1, "batch_size": 8}
    small |= {"fisher": {"fisher_samples": 1, "fisher_times": 2}, "own": 60}  # the minimum
    small |= {"of": "", "methods": "vdu,selective_amnesia", "full": "1", "also": ""}
    small |= {"few": {"vdu": [10]}, "n": 60, "sampler": 6, "by": "iPNDM", "features": ["classifier"], "apart": 0}
    laptop = small | {"dataset": "mnist", "forget": "0;1;8", "evaluations": 120, "batch_size": 32, "n": 500}
    laptop |= {"sampler": 10, "fisher": {}, "own": 500, "seeds": 3, "also": "neggrad,finetune,negate_own"}
    laptop |= {"few": {"vdu": [1000, 100, 10], "neggrad": [1000, 100, 10]}}
    given = amounts(dataset)["paper"]
    same = ("of", "n", "sampler", "by", "batch_size", "epochs", "features", "apart", "seeds")
    paper = laptop | {name: given[name] for name in same} | {"evaluations": 0, "fisher": given["amnesia"]}
    paper |= {"methods": "vdu,selective_amnesia,neggrad", "also": "finetune,negate_own"}
    if dataset == "cifar10":
        theirs = {"forget": "automobile;frog;ship", "full": "ship"}  # Table 1
        laptop |= theirs | {"also": "neggrad,finetune"}
        return {"smoke": small, "laptop": laptop, "paper": paper | theirs | {"also": "finetune"}}
    return {"smoke": small, "laptop": laptop, "paper": paper}
