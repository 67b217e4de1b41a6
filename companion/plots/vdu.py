"""Figures and tables of the VDU pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from companion import claims
from companion.bases import BASES
from companion.claims.names import data_title
from companion.plots.style import COLOURS, use_style
from companion.plots.tables import over_interval, table
from paperlib.metrics.rule import FARTHER, FEWER, verdict

__all__ = [
    "Cell",
    "bias",
    "gamma_cells",
    "gamma_sweep",
    "posterior_table",
    "posterior_widths",
    "sweep_table",
    "terms_table",
]

SLOW, CHOSEN = COLOURS["standard"], COLOURS["obtuse"]


@dataclass(frozen=True)
class Cell:
    """One gamma at one learning rate: PUL, the distance in the classifier's features of all samples and of those that
    do not show the forgotten class, the verdict of the rule, and u-FID, if measured."""

    rate: float
    gamma: float
    pul: Any
    all: Any
    rest: Any
    rule: str
    ufid: Any = None


def sweeps(record: Any) -> list[str]:
    """Return the data sets of a record's sweeps."""
    return list(dict.fromkeys(pul.dataset for pul in record.all(metric="pul")))


def before(record: Any, metric: str, dataset: str, seeds: Sequence[int] = ()) -> float:
    """Return a distance before unlearning, "u-frechet" or "rest-frechet", over all its seeds or some; a record of one
    data set may have it in the series ``start`` or ``start_rest`` instead."""
    if found := record.all(metric=metric, method="pretrained", dataset=dataset):
        return over(found[0], seeds or found[0].seeds)
    return record.series[{"u-frechet": "start", "rest-frechet": "start_rest"}[metric]]


def over(value: Any, seeds: Sequence[int]) -> float:
    """Return a value's mean over some of its seeds."""
    return fmean(one for seed, one in zip(value.seeds, value.per_seed, strict=True) if seed in seeds)


def gamma_cells(record: Any, dataset: str = "") -> dict[tuple[float, float], Cell]:
    """Return the sweep of a data set, by default the record's first one, by rate and gamma, with rates in the record's
    order and gamma ascending."""
    dataset = dataset or next(iter(sweeps(record)), "")
    cells, puls = {}, record.all(metric="pul", dataset=dataset)
    rates = list(dict.fromkeys(value.protocol["lr"] for value in puls))
    for pul in puls:
        facts = {name: pul.protocol[name] for name in ("lr", "gamma")}
        whole, rest = (record.find(metric=m, dataset=dataset, **facts) for m in ("u-frechet", "rest-frechet"))
        start = before(record, "rest-frechet", dataset, rest.seeds)
        start = {"ur": 100.0, "distance": start}  # PUL is relative to the UR before
        rule = verdict(100 - pul.value, rest.value, start)
        ufid = next(iter(record.all(metric="ufid", dataset=dataset, **facts)), None)
        cells[facts["lr"], facts["gamma"]] = Cell(facts["lr"], facts["gamma"], pul, whole, rest, rule, ufid)
    return dict(sorted(cells.items(), key=lambda one: (rates.index(one[0][0]), one[0][1])))


def bias(record: Any) -> str:
    """Say how many samples u-FID rests on, and what as many of a perfect model would have, by data set; nothing if the
    record does not know."""
    found: dict[str, list[Any]] = {}
    for one in record.all(metric="perfect ufid"):
        found.setdefault(data_title(one.dataset), []).append(one)
    if not found:
        return ""
    counts = sorted({one.n for several in found.values() for one in several})
    said = []
    for name, several in found.items():
        ends = dict.fromkeys(f"{end(one.value for one in several):.0f}" for end in (min, max))
        said.append(f"{' to '.join(ends)} on {name}")
    return f"u-FID: {' or '.join(map(str, counts))} samples; as many of a perfect model have {', '.join(said)}."


def _short(number: float) -> str:
    """Format a rate as people write it: 3e-6."""
    return f"{number:g}".replace("e-0", "e-")


def _printed(record: Any, dataset: str) -> dict[float, float]:
    """Return the paper's PULs, if a row of its table is about this data set and the record's classes of it."""
    own = record.all(metric="pul", dataset=dataset)[0]
    cells = (claim for claim in claims.load().values() if claims.split(claim.id)[0] == "vdu.tab2")
    alike = {"dataset": dataset, "forget": own.protocol["forget"], "metric": "pul"}
    return {float(cell.gamma): cell.value for cell in cells if alike.items() <= cell.model_dump().items()}


def gamma_sweep(record: Any, *, title: str) -> Figure | None:
    """PUL and both distances against gamma, and PUL against the distance of the rest with the rule's bounds; one row
    per data set, one colour per rate, 95 % intervals. Nothing if the record has no sweep."""
    if not (datasets := sweeps(record)):
        return None
    use_style()
    figure, axes = plt.subplots(len(datasets), 3, figsize=(8.6, 0.6 + 2.7 * len(datasets)), squeeze=False)
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    for row, dataset in zip(axes, datasets):
        _sweep(row, record, dataset)
    known = {label: one for row in axes for one, label in zip(*row[0].get_legend_handles_labels())}
    figure.legend(known.values(), known.keys(), loc="outside lower center", ncols=4)
    return figure


def _sweep(row: Sequence[Any], record: Any, dataset: str) -> None:
    """Plot the sweep of one data set into three axes."""
    (left, middle, right), cells = row, gamma_cells(record, dataset)
    rates = dict.fromkeys(rate for rate, _ in cells)
    for rate, colour, side in zip(rates, (SLOW, CHOSEN), ("right", "left")):
        found = [cell for cell in cells.values() if cell.rate == rate]
        gammas, rest, puls = zip(*((cell.gamma, cell.rest.value, cell.pul.value) for cell in found))
        for axes, several in ((left, [cell.pul for cell in found]), (middle, [cell.all for cell in found])):
            name = f"rate {_short(rate)}" if colour == SLOW else f"{data_title(dataset)}, rate {_short(rate)}"
            own = {"fmt": "o-", "ms": 4, "color": colour, "label": name}
            axes.errorbar(gammas, [one.value for one in several], _bars(several), **own)
        middle.plot(gammas, rest, "o--", ms=4, mfc="white", lw=1.2, color=colour)
        right.plot(rest, puls, "o-", ms=4, color=colour)
        _label(right, rest, puls, gammas, side)
    right.axhline(100 - 100 / FEWER, color=COLOURS["exact"], ls=":", lw=1.2)
    right.axvline(FARTHER * before(record, "rest-frechet", dataset), color=COLOURS["exact"], ls=":", lw=1.2)
    right.set_xlim(left=0)
    middle.axhline(before(record, "u-frechet", dataset), color=COLOURS["exact"], ls=":", lw=1.2)
    if printed := _printed(record, dataset):
        own = {"ms": 7, "mew": 1.8, "color": COLOURS["paper"], "label": "printed"}
        left.plot(list(printed), list(printed.values()), "x", **own)
    left.set(xlabel=r"$\gamma$", ylabel=f"{data_title(dataset)}: PUL, %")
    left.set_ylim(bottom=max(left.get_ylim()[0], -100))
    middle.set(xlabel=r"$\gamma$", ylabel="distance")
    right.set(xlabel="distance of other samples", ylabel="PUL, %")


def _bars(values: list[Any]) -> list[list[float]]:
    """Return how far each interval reaches down and up."""
    ends = [(one.value, *(one.interval or (one.value, one.value))) for one in values]
    return [[value - low for value, low, _ in ends], [high - value for value, _, high in ends]]


def _label(axes: Any, xs: Sequence[float], ys: Sequence[float], names: Sequence[float], side: str) -> None:
    """Write each point's gamma beside it, except where the label would overlap the last one."""
    near = float("inf")
    for x, y, name in zip(xs, ys, names):
        if abs(y - near) >= 6:  # points of PUL
            own = {"xytext": (4 if side == "left" else -4, -2), "textcoords": "offset points", "ha": side}
            axes.annotate(f"{name:g}", (x, y), fontsize=7.5, **own)
            near = y


def sweep_table(record: Any, *, title: str) -> Any:
    """One row per data set, rate and gamma: PUL, the distance of the rest, u-FID, if measured, and the rule's verdict;
    nothing without a sweep."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for dataset in sweeps(record):
        for (rate, gamma), cell in gamma_cells(record, dataset).items():
            shown = [("PUL, %", cell.pul, 1), ("distance of the rest", cell.rest, 2)]
            shown += [("u-FID", cell.ufid, 1)] if record.all(metric="ufid") else []
            rows[f"{data_title(dataset)}, rate {_short(rate)}", f"γ = {gamma:g}"] = {
                head: over_interval(one.value, *(one.interval or (one.value, one.value)), decimals) if one else ""
                for head, one, decimals in shown
            } | {"rule": cell.rule}
    return table(rows, f"{title} {bias(record)}".strip(), size=0.72) if rows else None


def _of(record: Any, title: str) -> str:
    """Return a title that names the models of the posterior study."""
    return f"{title}; posteriors of {data_title(BASES[record.series['ways_of']].dataset)}"


def posterior_table(record: Any, *, title: str) -> Any:
    """How good each way of fitting the Gaussian is. The series ``ways`` is what
    :func:`companion.studies.posteriors.study` returns, and ``ways_of`` names its base model."""
    rows = {
        name: {
            "loss of a member": f"{found['members']['loss']:.3f}",
            "loss of the mean": f"{found['mean']['loss']:.3f}",
            "distance of a member": over_interval(*_with_ends(found["members"]), 1),
            "distance of the mean": over_interval(*_with_ends(found["mean"]), 1),
            "initial B per weight": f"{found['pull']:.2g}",
            "variances at the floor": f"{100 * found['floored']:.1f} %",
        }
        for name, found in sorted(record.series.get("ways", {}).items(), reverse=True)
    }
    return table(rows, _of(record, title)) if rows else None


def _with_ends(seen: dict[str, Any]) -> tuple[float, float, float]:
    return seen["distance"], *seen["distance_interval"]


def posterior_widths(record: Any, *, title: str) -> Figure | None:
    """The median standard deviation of each tensor's weights, for both Gaussians."""
    if "ways" not in record.series:
        return None
    use_style()
    figure, axes = plt.subplots(figsize=(6.8, 3.4))
    figure.suptitle(_of(record, title), fontsize=12, x=0.02, ha="left")
    for (name, found), colour in zip(sorted(record.series["ways"].items()), (CHOSEN, SLOW)):
        axes.plot([layer["std"] for layer in found["layers"]], "o", ms=3, color=colour, label=name)
    axes.set(yscale="log", xlabel="weight tensor, from input to output", ylabel=r"median $\sigma^*_i$")
    axes.legend()
    return figure


def terms_table(record: Any, *, title: str) -> Any:
    """Both terms before the first update, for all of D_f and for a part, as sums and as means. The series ``terms``
    maps "<data>, <sums or means>" to [A, B]."""
    terms = record.series.get("terms", {})
    rows = {
        data: {
            f"{term}, {kind}": f"{x:.3g}"
            for kind in ("sums", "means")
            for term, x in zip("AB", terms[f"{data}, {kind}"])
        }
        for data in dict.fromkeys(name.split(", ")[0] for name in sorted(terms, reverse=True))
    }
    return table(rows, title) if rows else None
