"""The bench of the comparison pages: one base model, one forget set, one budget, the same looks for every entrant.

::

    bench = Bench.of("laptop", dataset="mnist", process="ddpm", forget="1")
    entry = run(store, bench, "sgu_obtuse", seed=0)              # train with the settings that the search chose
    found = measure(store, bench, str(model_file(entry)), seed=0)    # samples, distances, likelihoods
    checkpoints = models(store, bench, ["vdu", "redirect"], seed=0)  # these, the base model and the retrained one

A *look* is an evaluation of a model during a run or at its end. The pages on relearning and on gradient conflict use
the same runs, from the store. ``python -m companion.comparison.bench --profile smoke`` computes what these pages need
with their default parameters.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import Field

from companion import bases, rehearsal
from companion.bases import Base
from companion.classifiers import pinned
from companion.comparison.course_results import model_file
from companion.comparison.courses import Course, course
from companion.comparison.entrants import ENTRANTS
from companion.comparison.search import committed
from companion.evaluation.report import Evaluation, evaluate, prepare
from companion.evaluation.samples import find
from companion.evaluation.subject import Protocol
from companion.folders import build_folder
from companion.machine import pick_device
from companion.parameters import PROFILES, defaults, seed_list
from companion.settings import Settings
from companion.store import Entry, Store
from paperlib.data import sets
from paperlib.data.splits import class_indices

__all__ = ["AMOUNTS", "Bench", "main", "measure", "models", "retrained", "run", "settings", "wanted"]


class Bench(Settings):
    """The setup that all entrants share."""

    base: str
    forget: str
    budget: int = Field(gt=7)  # gradient evaluations, preparation included: forward and backward passes of a batch
    batch_size: int = Field(gt=0)
    looks: int = Field(gt=0)  # during a run
    probes: int = Field(ge=0)  # updates whose direction is compared with both gradients
    glimpse: int = Field(gt=19)  # images per look during a run
    n: int = Field(gt=19)  # samples of the model at the end
    sampler: int = Field(gt=0)  # evaluations of iPNDM for each
    images: int = Field(gt=1)  # test images of each side for a likelihood
    strata: int = Field(ge=0)  # of the bound's steps, one evaluation each; a DDPM's likelihood is the bound

    @classmethod
    def of(cls, profile: str, *, dataset: str, process: str, forget: str, budget: int = 0) -> Self:
        """Return a profile's bench: digits in smoke and MNIST otherwise, unless ``dataset`` names another set. A
        ``budget`` of 0 is the profile's own. ``recorded`` has the laptop's bench. No data is needed."""
        dataset = dataset or ("digits" if profile == "smoke" else "mnist")
        name = f"{dataset}-{process}"
        if name not in bases.BASES or bases.BASES[name].labels:
            known = [name for name, one in bases.BASES.items() if not (one.labels or one.unseen)]
            raise ValueError(f"dataset={dataset!r} and process={process!r} have no base model; there are: {known}")
        class_indices(dataset, sets.classes(dataset), forget)
        paper = rehearsal.scaled(AMOUNTS["paper"], AMOUNTS["smoke"])
        facts = (AMOUNTS | {"recorded": AMOUNTS["laptop"], "paper": paper})[profile]
        facts = facts | ({"budget": budget} if budget else {})
        return cls.checked(base=name, forget=forget, **{key: one for key, one in facts.items() if key != "seeds"})

    @property
    def kind(self) -> Base:
        """The base model's description."""
        return bases.BASES[self.base]

    def facts(self, name: str) -> dict[str, Any]:
        """Return a record's facts about a model: ``before``, ``retrained``, or an entrant (only entrants have a budget
        and settings)."""
        found = {"dataset": self.kind.dataset, "process": self.kind.process, "forget": self.forget, "method": name}
        if name == "retrained":
            return found | {"base": retrained(self)}
        if name not in ENTRANTS:
            return found | {"base": self.base}
        own = {"budget": self.budget, "batch_size": self.batch_size, "settings": settings(self, name)}
        return found | {"base": self.base} | own


# The bench of each profile. Budget and batch are those of the search (companion.comparison.search), because its
# settings are tuned for them. A look has 400 images, so a UR of 10 % is known to 3 points during a run; the 2000 at the
# end give 1.3. The papers have no such experiment: ``paper``'s amounts are ours, more of what narrows an interval.
AMOUNTS: dict[str, dict[str, int]] = {
    "smoke": {"budget": 16, "batch_size": 4, "looks": 1, "probes": 2, "glimpse": 40}
    | {"n": 60, "sampler": 8, "images": 4, "strata": 4},
    "laptop": {"budget": 240, "batch_size": 32, "looks": 6, "probes": 12, "glimpse": 400}
    | {"n": 2000, "sampler": 10, "images": 256, "strata": 32, "seeds": 3},
    "paper": {"budget": 240, "batch_size": 32, "looks": 12, "probes": 24, "glimpse": 2000}
    | {"n": 10_000, "sampler": 50, "images": 2000, "strata": 100, "seeds": 5},
}


def settings(bench: Bench, name: str) -> dict[str, int | float | str]:
    """Return an entrant's settings, including ``lr``: those of the committed search, else its first candidate's."""
    found, entrant = committed(bench.base, bench.forget), ENTRANTS[name]
    own = found.best(name).settings if found and name in found.entrants else entrant.candidates()[0]
    return entrant.settings() | own


def run(store: Store, bench: Bench, name: str, seed: int) -> Entry:
    """Return an entrant's run, from the store or computed now."""
    return course(store, wanted(bench, name, seed))


def wanted(bench: Bench, name: str, seed: int) -> Course:
    """Return the definition of an entrant's run."""
    own = settings(bench, name)
    lr = own.pop("lr")
    marks = sorted({max(1, round(bench.budget * (k + 1) / bench.looks)) for k in range(bench.looks)})
    return Course.checked(
        base=bench.base,
        method=ENTRANTS[name].method,
        settings=own,
        lr=lr,
        forget=bench.forget,
        looks=tuple(marks),
        unit="evaluations",
        probes=bench.probes,
        batch_size=bench.batch_size,
        n=bench.glimpse,
        evaluations=bench.sampler,
        seed=seed,
    )


def retrained(bench: Bench) -> str:
    """Return the name of the model retrained without D_f, if one is committed; else an empty string."""
    classes = sets.classes(bench.kind.dataset)
    asked = class_indices(bench.kind.dataset, classes, bench.forget)
    for name, base in bases.BASES.items():
        alike = bench.kind.model_copy(update={"unseen": base.unseen}) == base
        if base.unseen and alike and bases.card(name):
            if class_indices(base.dataset, classes, base.unseen) == asked:
                return name
    return ""


def models(store: Store, bench: Bench, names: Sequence[str], seed: int) -> dict[str, str]:
    """Return checkpoints by name: ``before``, the base model; ``retrained``, if there is one; and each entrant's at the
    end of its run, from the store or computed now."""
    twin = retrained(bench)
    fixed = {"before": bench.base} | ({"retrained": twin} if twin else {})
    return fixed | {name: str(model_file(run(store, bench, name, seed))) for name in names}


class _Measuring(Settings):
    protocol: Protocol
    base: Base
    checkpoint: str = Field(exclude=True)  # not part of the key: its weights are an input of the step
    store: Path = Field(exclude=True)


def measure(store: Store, bench: Bench, checkpoint: str, seed: int) -> dict[str, dict[str, Any]]:
    """Return measures by name: ``value``, ``interval``, ``unit``, ``n``, ``details``.

    Args:
        checkpoint: a base model's name, or a file of weights with its card.
        seed: the seed of the noise, the same for all models that are compared.
    """
    likelihood = "bound" if bench.kind.process == "ddpm" else "nll"
    protocol = Protocol(
        metrics=("ur", "pul", "rest-frechet", "u-frechet", "u-precision-recall", "entropy", likelihood),
        n=bench.n,
        evaluations=bench.sampler,
        forget=bench.forget,
        before=bench.base,
        images=bench.images,
        strata=bench.strata if likelihood == "bound" else 0,
        seed=seed,
    )
    found = find(checkpoint)
    measuring = _Measuring(protocol=protocol, base=found.base, checkpoint=checkpoint, store=store.folder)
    inputs = [found.sha256, find(bench.base).sha256, pinned(found.base.dataset)]
    entry = store.step("measures", measuring, _measure, inputs=inputs)
    results = Evaluation.model_validate_json((entry.path / "evaluation.json").read_text(encoding="utf-8")).results
    short = {"rest-Frechet": "distance", "u-Frechet": "distance of all"}
    short |= {"u-precision": "precision", "u-recall": "recall"}
    named = {short.get(one.name.partition(" ")[0], one.name): one.model_dump(mode="json") for one in results}
    return {name.replace("NLL ", "bits ").replace("bound ", "bits "): one for name, one in named.items()}


def _measure(folder: Path, wanted: _Measuring) -> None:
    subject = prepare(wanted.checkpoint, wanted.protocol, device=pick_device(), store=Store(wanted.store))
    found = evaluate(subject).model_dump_json(by_alias=True)
    (folder / "evaluation.json").write_text(json.dumps(json.loads(found)), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and measure all entrants with the comparison page's default parameters."""
    parser = argparse.ArgumentParser(prog="python -m companion.comparison.bench", description=main.__doc__)
    parser.add_argument("--profile", choices=PROFILES, default="smoke")
    parser.add_argument("--only", nargs="+", choices=list(ENTRANTS), default=list(ENTRANTS), metavar="ENTRANT")
    options = parser.parse_args(arguments)
    asked = defaults("compare_all_methods")
    if options.profile == "recorded":  # computes nothing
        return
    facts = {name: asked[name] for name in ("dataset", "process", "forget")}
    bench, store = Bench.of(options.profile, **facts), Store(build_folder() / "store")
    for seed in seed_list(asked["seeds"], AMOUNTS[options.profile].get("seeds", 1)):
        for checkpoint in filter(None, (bench.base, retrained(bench))):
            measure(store, bench, checkpoint, seed)
        for name in options.only:
            entry = run(store, bench, name, seed)
            found = measure(store, bench, str(model_file(entry)), seed)
            ur, distance = (found[what]["value"] for what in ("UR", "distance"))
            print(f"{name}, seed {seed}: UR {ur:.1f} %, distance {distance:.2f}", flush=True)


if __name__ == "__main__":
    main()
