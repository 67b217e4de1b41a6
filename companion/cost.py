"""Estimate what a run will cost: ``make book PROFILE=paper PLAN=yes``.

Lists the hours, memory and disk of every page and of its base models, and what is already available. The speed of the
papers' networks is measured on this device in a few updates each, and kept in the build folder. Each network evaluation
for a sampled image costs a third of a training image; one for a likelihood, which differentiates, costs as much as a
training image. A page on our own small models is estimated from its record: the seconds that it took, times how much
more ``paper`` asks for.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch

from companion import bases, classifiers, rehearsal
from companion.code import CHECKOUT
from companion.folders import build_folder
from companion.machine import pick_device
from companion.memory import peak_bytes
from companion.page import recorded
from companion.rehearse import cells
from companion.studies import sgu_rows
from companion.studies.erasediff_amounts import PUBLISHED
from companion.studies.erasediff_cost import COUNTS, passes
from paperlib.data import cache, sources
from paperlib.data.images import Images
from paperlib.files import write_whole
from paperlib.unlearning.methods import METHODS

__all__ = ["Rate", "Work", "main", "plan", "rate", "works"]

SOLVER = 150  # evaluations per image of an ODE solver at a tolerance of 1e-5, of the size of score_sde's own count


@dataclass(frozen=True)
class Work:
    """Images that pass through a base model's network, in training and sampling, times the evaluations of each."""

    base: str
    trained: float = 0
    drawn: float = 0
    batch: int = 1
    models: int = 0  # stored ones
    images: float = 0  # stored ones


@dataclass(frozen=True)
class Rate:
    """The speed and memory of one network on this device."""

    seconds: float  # per training image
    bytes_an_image: float  # memory in training
    parameters: int
    pixels: int = field(default=3072)


def rate(name: str, device: torch.device) -> Rate:
    """Return the rate of a base model's network, measured once per kind of network and device."""
    base = bases.BASES[name].network
    key = "-".join([base.preset, str(bases.architecture(base).net.shape), base.process, device.type])
    file = build_folder() / "rates.json"
    known = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    if key not in known:
        known[key] = _measured(base, device)
        write_whole(file, json.dumps(known, indent=1))
    return Rate(**known[key])


def _measured(base: bases.Base, device: torch.device) -> dict[str, float]:
    batch = 64 if device.type == "cuda" else 2
    changes = {"batch_size": batch, "steps": 3, "compiled": False, "warmup": 0}
    budget = bases.budget(base, device).model_copy(update=changes)
    C, size, _ = bases.architecture(base).net.shape
    grey = torch.full((8, C, size, size), 128, dtype=torch.uint8)
    images = Images("grey", grey, classes=tuple("0123456789"), labels=torch.zeros(8, dtype=torch.long))
    seconds: list[float] = []

    def work() -> None:
        run = bases.training(base, budget, device=device, images=images)
        seconds.extend(step.seconds for step in run)

    peak = peak_bytes(work, device)
    parameters = sum(p.numel() for p in bases.architecture(base).parameters())
    each = (seconds[-1] - seconds[0]) / (len(seconds) - 1) / batch
    weights = 4 * 5 * parameters  # with gradients, Adam's moments and the average
    return dict(seconds=each, bytes_an_image=max(0, peak - weights) / batch, parameters=parameters, pixels=C * size**2)


# The work of each page on the papers' networks, from its amounts at ``paper``.


def _sgu(amounts: SimpleNamespace, page: str, asked: Mapping[str, Any]) -> Iterator[Work]:
    known = sgu_rows.FINETUNED if page == "tab5" else sgu_rows.ROWS
    for name in known if asked["dataset"] == "all" else asked["dataset"].split(","):
        base, _ = sgu_rows.row_of(name, "paper", asked.get("process", ""))
        if base not in bases.BASES:
            continue
        kind = bases.BASES[base]
        whole, (batch, forgotten) = bases.budget(kind, "cpu").steps, sgu_rows.BATCHES[kind.dataset]
        if page == "tab5" or asked.get("start") == "finetune":
            whole = sgu_rows.FINETUNING.get(kind.process, 80_000)
        updates = asked["steps"] or whole
        trained = 2 * updates * (batch + forgotten) + updates * 2 * batch  # two SGU losses, and negation
        if page == "tab4":  # both sides: the image from t and from the curve's times, the latent from T
            draws = 5 * 2 * amounts.n * amounts.stops * (2 + 2 + len(amounts.times))
            yield Work(base, trained, draws, batch + forgotten, models=3, images=5 * 2 * amounts.n)
        elif page == "tab3":  # both sides, by replacement with one correction and by RePaint
            draws = 5 * 2 * amounts.n * (2 * amounts.stops + amounts.resamples * min(amounts.stops, 250))
            yield Work(base, trained, draws, batch + forgotten, models=3, images=5 * 4 * amounts.n)
        else:
            draws = 5 * amounts.n * sgu_rows.SAMPLERS[kind.process][1] * amounts.sampler
            solved = 5 * amounts.images * SOLVER
            yield Work(base, trained + solved, draws, batch + forgotten, models=3, images=5 * amounts.n)


def _vdu(amounts: SimpleNamespace, asked: Mapping[str, Any]) -> Iterator[Work]:
    base, count = f"{amounts.of}{amounts.dataset}-ddpm", len(amounts.gamma.split(",")) * 2 * 3
    images = 6000 if amounts.dataset == "mnist" else 5000
    updates = amounts.epochs * images + 5 * amounts.apart * amounts.batch_size
    draws = (count + 1) * amounts.n * amounts.sampler
    yield Work(base, count * updates, draws, amounts.batch_size, models=count, images=count * amounts.n)
    study = amounts.study
    if study.get("base") == base:
        yield Work(base, study["models"] * study["steps"] * 64, 0, 64, models=study["models"])


def _erasediff(amounts: SimpleNamespace, asked: Mapping[str, Any]) -> Iterator[Work]:
    runs = 4 + 2 * 2 * 3  # four, and a pair for each variant and optimiser
    trained = runs * amounts.steps * amounts.batch_size * 4
    base = f"{amounts.of}{amounts.dataset}-ddpm-labels"
    yield Work(base, trained, (runs + 1) * 2 * amounts.n * amounts.evaluations, amounts.batch_size, runs)


def _rivals(amounts: SimpleNamespace, asked: Mapping[str, Any]) -> Iterator[Work]:
    base, classes = f"{amounts.of}{amounts.dataset}-ddpm", amounts.forget.split(";")
    runs = 3 * (len(classes) * len(amounts.methods.split(",")) + sum(map(len, amounts.few.values())))
    each = 6000 * amounts.epochs + 5 * amounts.apart * amounts.batch_size
    fisher = 3 * len(classes) * amounts.fisher["fisher_samples"] * amounts.fisher["fisher_times"]
    draws = (runs + 3) * amounts.n * amounts.sampler
    yield Work(base, 2 * runs * each + fisher, draws, amounts.batch_size, runs, runs * amounts.n)


def _erased(amounts: SimpleNamespace, asked: Mapping[str, Any]) -> Iterator[Work]:
    base, names = f"{amounts.of}{amounts.dataset}-ddpm-labels", amounts.methods.split(",")
    chosen = [PUBLISHED[name] for name in names]
    trained = sum(updates * METHODS[method].passes for method, _, updates in chosen) * amounts.batch_size
    fisher = math.prod(amounts.before["selective_amnesia"].values())
    draws = (len(names) + 1) * (amounts.n + amounts.asked) * amounts.steps * 2  # with guidance
    models = 3 * len(names)
    yield Work(base, 3 * (trained + fisher), 3 * draws, amounts.batch_size, models, models * amounts.n)


def _stages(amounts: SimpleNamespace, asked: Mapping[str, Any]) -> Iterator[Work]:
    base = f"{amounts.of}{amounts.dataset}-ddpm-labels"
    yield Work(base, 2 * 3 * sum(passes(stage) for stages in COUNTS.values() for stage in stages.values()), 0, 128, 9)


def _dials(amounts: SimpleNamespace, asked: Mapping[str, Any]) -> Iterator[Work]:
    base = f"{amounts.of}{amounts.dataset}-ddpm-labels"
    runs = 3 * (2 * len(amounts.etas) + 2 * len(amounts.Ks))
    trained = runs * amounts.updates * (2 + sum(amounts.Ks) / len(amounts.Ks)) * amounts.batch_size
    draws = (runs + 3) * (amounts.n + amounts.asked) * amounts.steps * 2
    yield Work(base, trained, draws, amounts.batch_size, runs, runs * amounts.n)


WORKS: dict[str, Callable[..., Iterator[Work]]] = {
    "sgu_tab2_unlearning_and_nll": lambda amounts, asked: _sgu(amounts, "tab2", asked),
    "sgu_tab3_inpainting": lambda amounts, asked: _sgu(amounts, "tab3", asked),
    "sgu_tab4_reconstruction": lambda amounts, asked: _sgu(amounts, "tab4", asked),
    "sgu_tab5_finetuning": lambda amounts, asked: _sgu(amounts, "tab5", asked),
    "vdu_tab2_gamma_sweep": _vdu,
    "vdu_tab1_against_selective_amnesia": _rivals,
    "vdu_fig1_same_noise": _rivals,  # the runs of Table 1, found in the store
    "erasediff_fig2_gradient_conflict": _erasediff,
    "erasediff_tab1_cifar10": _erased,
    "erasediff_fig19_samples": _erased,  # likewise
    "erasediff_tab4_cost": _stages,
    "erasediff_fig5_ablation": _dials,
}


def works(page: str) -> list[Work]:
    """Return the work of a page on the papers' networks; empty for other pages."""
    if page not in WORKS:
        return []
    names: dict[str, Any] = {"__name__": "__main__"}
    for source, tags in cells(page):
        if "budget = page.budget(" in source or "parameters" in tags:
            exec(compile(source, page, "exec"), names)
            if "parameters" in tags:
                names["profile"] = "paper"
        if "budget" in names:
            break
    several = names.get("budgets", [names["budget"]])  # one for each data set
    return [work for one in several for work in WORKS[page](one, names["page"].parameters)]


def _from_record(page: str) -> float:
    """Return hours: the record's seconds, times the largest ratio of ``paper``'s amounts to the record's."""
    record = recorded(page)
    if record is None:
        return math.nan
    earlier = {one["date"]: one["seconds"] for one in record.series.get("earlier", {}).values()}
    return (record.provenance.seconds + sum(earlier.values())) / 3600


def plan(device: torch.device | None = None) -> str:
    """Return the table for all pages, and what is available."""
    device = device or pick_device()
    pages = sorted(path.stem for path in (CHECKOUT / "notebooks").glob("*.py"))
    rows, total, needed = [], 0.0, {}
    for page in pages:
        found = works(page)
        hours = disk = memory = 0.0
        for work in found:
            one = rate(work.base, device)
            hours += one.seconds * (work.trained + work.drawn / 3) / 3600
            memory = max(memory, 20 * one.parameters + one.bytes_an_image * work.batch)
            disk += 4 * one.parameters * work.models + one.pixels * work.images
            network = bases.BASES[work.base].network
            twins = [base for base in bases.BASES.values() if base.model_copy(update={"unseen": ""}) == network]
            needed |= {base.name: base for base in twins}
        said = [f"{hours:,.1f}", f"{memory / 1e9:.1f}", f"{disk / 1e9:.1f}"] if found else [_recorded(page), "", ""]
        done = (build_folder() / "pages" / "paper" / f"{page}.ipynb").is_file()
        rows.append(f"| {page} | {' | '.join(said)} | {'done' if done else 'to do'} |")
        total += hours * (not done)
    head = [f"Rates measured on this device: {_name(device)}.", "", "| page | hours | memory, GB | disk, GB | state |"]
    rows.append(f"| total left on the papers' networks | {total:,.1f} | | | |")
    return "\n".join([*head, "|---|---|---|---|---|", *rows, "", *_at_hand(needed, device)])


def _recorded(page: str) -> str:
    hours = _from_record(page)
    return f"{hours:.1f} on one core at laptop" if math.isfinite(hours) else "unknown"


def _at_hand(needed: Mapping[str, bases.Base], device: torch.device) -> list[str]:
    """Return a line for each base model, data set and classifier: available, or the command that provides it."""
    rows = ["| needed | hours | disk, GB | state |", "|---|---|---|---|"]
    for name, base in needed.items():
        one, there = rate(name, device), bases.card(name) is not None
        hours = one.seconds * bases.budget(base, device).samples / 3600
        state = "available" if there else f"python -m companion campaign --only {name}"
        rows.append(f"| {name} | {hours:,.1f} | {4 * one.parameters / 1e9:.2f} | {state} |")
    for dataset in dict.fromkeys(base.dataset for base in needed.values()):
        there = all(cache.find(sources.file_stem(dataset, part)) for part in sources.SOURCES[dataset].parts)
        rows.append(f"| {dataset} | | | {'available' if there else sources.command(dataset)} |")
        if dataset in classifiers.LARGE:
            there = (classifiers.folder_of(dataset) / f"classifier-{dataset}.json").is_file()
            state = "available" if there else f"python -m companion classifier {dataset}"
            rows.append(f"| its classifier | | | {state} |")
    return rows


def _name(device: torch.device) -> str:
    what = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU, one thread"
    return what + (", rehearsed" if rehearsal.factor() > 1 else "")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m companion cost", description=__doc__.partition("\n")[0])
    parser.add_argument("--profile", default="paper")
    parser.add_argument("--device", choices=["cpu", "cuda"], help="default: a GPU if there is one")
    options = parser.parse_args(arguments)
    if options.profile != "paper":
        print(f"PLAN=yes is of PROFILE=paper; {options.profile} takes minutes to hours (README.md)", file=sys.stderr)
        return 2
    print(plan(pick_device(options.device)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
