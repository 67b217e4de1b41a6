"""VDU's Table 1 as a figure and tables: two numbers at once, printed and measured."""

import itertools
import math
from collections.abc import Iterator
from statistics import fmean
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from companion import claims
from companion.claims.names import data_title, method_title
from companion.claims.verdicts import Verdict, ordering, step
from companion.plots.style import COLOURS, use_style
from companion.plots.tables import over_interval, table
from companion.plots.vdu import bias, over
from paperlib.metrics.rule import FARTHER, FEWER, verdict

__all__ = [
    "few_pairs",
    "orders",
    "orders_table",
    "rival_pairs",
    "rivals_plane",
    "rivals_table",
    "same_noise_table",
    "short_title",
    "ufid_steps",
    "ways_at",
]

LOOKS = {"vdu": (COLOURS["D_g"], "X"), "selective_amnesia": (COLOURS["obtuse"], "D")}
LOOKS |= {"neggrad": (COLOURS["redirect"], "v"), "finetune": (COLOURS["orthogonal"], "o")}
LOOKS |= {"negate_own": (COLOURS["negate"], "^"), "unseen": ("#000000", "*")}
PAIR = ("selective_amnesia", "vdu")
METRIC = {"all": "u-frechet", "rest": "rest-frechet"}
TICKS = [0.2, 0.5, 1, 1.5, 2, 3, 5, 10, 20, 50, 100]


def ends(record: Any) -> Iterator[tuple[Any, Any, Any, dict[str, float]]]:
    """Yield, for every unlearned model, PUL, both distances, and the distances "all" and "rest" of the model before,
    for the same seeds."""
    for pul in record.all(metric="pul"):
        facts = {"dataset": pul.dataset, "method": pul.method, "forget": pul.protocol["forget"]}
        facts |= {key: pul.protocol[key] for key in ("images",) if key in pul.protocol}
        of = {"dataset": pul.dataset, "method": "pretrained", "forget": pul.protocol["forget"]}
        before = {name: over(record.find(metric=m, **of), pul.seeds) for name, m in METRIC.items()}
        found = [_one(record.all(metric=m, **facts), "images" in facts) for m in METRIC.values()]
        yield pul, *found, before


def _one(values: list[Any], few: bool) -> Any:
    return next(one for one in values if few or "images" not in one.protocol)


def rival_pairs(record: Any) -> dict[tuple[str, str], tuple[float, float, float]]:
    """Return PUL and the distances of all samples and of the rest relative to before, by class and method."""
    return {
        (pul.protocol["forget"], pul.method): (pul.value, whole.value / before["all"], rest.value / before["rest"])
        for pul, whole, rest, before in ends(record)
        if "images" not in pul.protocol
    }


def few_pairs(record: Any) -> dict[tuple[str, str, int], tuple[Any, float]]:
    """Return PUL, with its interval, and the relative distance of the rest for the runs that saw only some images of
    D_f, by data set, method and number of images."""
    return {
        (pul.dataset, pul.method.removesuffix("_few"), pul.protocol["images"]): (pul, rest.value / before["rest"])
        for pul, _, rest, before in ends(record)
        if "images" in pul.protocol
    }


def ways_at(record: Any, evaluations: int) -> dict[str, tuple[float, float]]:
    """Return PUL and the relative distance of the rest after so many evaluations, by method, averaged over seeds."""
    found = {}
    for name, seeds in record.series["ways"].items():
        there = [one for way in seeds for one in way if one["evaluations"] == evaluations]
        found[name] = tuple(fmean(one[key] for one in there) for key in ("pul", "rest"))
    return found


def ufid_steps(record: Any) -> dict[tuple[str, str], tuple[float, float]]:
    """Return u-FID, and that of the model before for the same seeds, by class and method."""
    found, start = {}, {one.protocol["forget"]: one for one in record.all(metric="ufid", method="pretrained")}
    for one in record.all(metric="ufid"):
        D_f = one.protocol["forget"]
        found[D_f, one.method] = one.value, over(start[D_f], one.seeds)
    return found


def orders(record: Any) -> dict[tuple[str, str, str], tuple[float, tuple[float, ...], Verdict]]:
    """Return, for each data set, class and metric of Table 1 that both methods have here, VDU's number minus Selective
    Amnesia's: as printed, and ours over paired seeds (:func:`companion.claims.verdicts.step`); and the verdict on the
    printed order."""
    cells = [claim for claim in claims.load().values() if claims.split(claim.id)[0] == "vdu.tab1"]
    ours, found = {one.claim: one for one in record.values if hasattr(one, "value")}, {}
    for sa, vdu in itertools.product(*([one for one in cells if one.method == name] for name in PAIR)):
        row = (vdu.dataset, vdu.forget, vdu.metric)
        if row == (sa.dataset, sa.forget, sa.metric) and {sa.id, vdu.id} <= ours.keys():
            less, more = sorted((sa, vdu), key=lambda claim: claim.value)
            judged = ordering(ours[less.id], ours[more.id])
            found[row] = vdu.value - sa.value, step(ours[sa.id], ours[vdu.id]), judged
    return found


def orders_table(record: Any) -> Any:
    """One row per class: VDU's PUL and u-FID minus Selective Amnesia's, printed and ours over paired seeds, and whether
    the printed order holds; nothing if no pair was measured."""
    lines: dict[Any, dict[str, str]] = {}
    for (dataset, D_f, metric), (printed, (mean, *ends), judged) in orders(record).items():
        name, row = claims.metrics()[metric].label, lines.setdefault((data_title(dataset), D_f), {})
        row[f"{name}, printed"] = f"{printed:+.1f}"
        row[f"{name}, ours"] = over_interval(mean, *ends, 1) if ends else f"{mean:.1f}<br><small>one seed</small>"
        row[f"order of {name}"] = str(judged)
    return (
        table(lines, "VDU minus Selective Amnesia. In brackets: 95 % intervals over paired seeds.") if lines else None
    )


def rivals_table(record: Any) -> Any:
    """One row per class and method: PUL, u-FID, both distances, their multiples of those before, and the rule's
    verdict."""
    lines: dict[Any, dict[str, str]] = {}
    ufids = ufid_steps(record)
    for pul, whole, rest, before in ends(record):
        many, D_f = pul.protocol.get("images"), pul.protocol["forget"]
        two = {"distance, all samples": (whole.value, before["all"])}
        two |= {"distance, other samples": (rest.value, before["rest"])}
        two |= {"u-FID": ufids.get((D_f, "" if many else pul.method))} if ufids else {}
        lines[D_f, _row_title(pul, many)] = {
            "PUL, %": over_interval(pul.value, *(pul.interval or (pul.value,) * 2), 1),
            **{name: _times(*pair) if pair else "" for name, pair in two.items()},
            "rule": verdict(100 - pul.value, rest.value, {"ur": 100.0, "distance": before["rest"]}),
        }
    return table(
        dict(sorted(lines.items(), key=lambda one: one[0][0])), f"{record.title}. {bias(record)}".strip(), size=0.75
    )


def _row_title(pul: Any, images: int | None) -> str:
    name, _, kind = pul.method.rpartition("_")
    if kind == "few":
        return f"{method_title(name)}, {images} images"
    return {"unseen": "retrained in full"}.get(pul.method, method_title(pul.method))


def _times(value: float, before: float) -> str:
    return f"{value:.2f}<br><small>{value / before:.2f} × before</small>"


def rivals_plane(record: Any, *, title: str) -> Figure | None:
    """Printed and measured pairs of every class, one panel for each data set, and the courses of the comparison page's
    runs, if there are any. Nothing if nothing was measured.

    Reads the series ``ways`` and ``tries`` (:mod:`companion.studies.vdu_rivals`).
    """
    datasets = sorted({pul.dataset for pul in record.all(metric="pul")}, reverse=True)  # MNIST before CIFAR-10
    if not datasets:
        return None
    use_style()
    wide = len(datasets) + bool(record.series.get("ways"))
    figure, axes = plt.subplots(1, wide, figsize=(min(4.4 * wide, 11), 4.3), sharey=True, squeeze=False)
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    for panel, dataset in zip(axes[0], datasets):
        _measured(panel, record, dataset)
        _printed(panel, dataset)
        panel.set(title=data_title(dataset), xlabel="relative distance of all samples")
    if record.series.get("ways"):
        _courses(axes[0, -1], record)
    for panel in axes[0]:
        panel.set_xscale("log")
        panel.xaxis.set_major_locator(FixedLocator(TICKS))
        panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        panel.xaxis.set_minor_locator(NullLocator())
        panel.xaxis.set_minor_formatter(NullFormatter())
        panel.tick_params(axis="x", labelsize=9)
    axes[0, 0].set(ylabel="PUL, % (high: forgotten)", ylim=(-60, 105))
    known = {}
    for panel in axes[0, ::-1]:
        handles, labels = panel.get_legend_handles_labels()
        known |= dict(zip(labels, handles))
    figure.legend(known.values(), known.keys(), loc="outside lower center", ncols=4, fontsize=9)
    return figure


def _measured(axes: Any, record: Any, dataset: str) -> None:
    """Plot the pairs of one data set, with a line from Selective Amnesia's to VDU's of the same class. A point so near
    to another that their names would overlap has none."""
    pairs: dict[str, list[tuple[float, float]]] = {}
    named: list[tuple[float, float]] = []
    for pul, whole, _, before in ends(record):
        if pul.method not in LOOKS or pul.dataset != dataset:
            continue
        (colour, marker), x = LOOKS[pul.method], whole.value / before["all"]
        axes.plot(x, pul.value, marker, color=colour, ms=11 if marker == "*" else 8, label=_title(pul.method))
        if all(abs(math.log(x / a)) > 0.3 or abs(pul.value - b) > 7 for a, b in named):
            axes.annotate(pul.protocol["forget"], (x, pul.value), (5, 4), textcoords="offset points", fontsize=8)
            named.append((x, pul.value))
        if pul.method in ("vdu", "selective_amnesia"):
            pairs.setdefault(pul.protocol["forget"], []).append((x, pul.value))
    for points in pairs.values():
        axes.plot(*zip(*points), color="#aaaaaa", lw=1)


def _courses(axes: Any, record: Any) -> None:
    """Plot the comparison page's runs, the search's candidates as small open markers, and the rule's corner."""
    for name, seeds in record.series["ways"].items():
        for k, way in enumerate(seeds):
            xs, ys = zip(*((one["rest"], one["pul"]) for one in way))
            axes.plot(xs, ys, "o-", ms=2.5, lw=1.2, color=LOOKS[name][0], label=None if k else _title(name))
    for one in record.series["tries"]:
        axes.plot(one["rest"], one["pul"], LOOKS[one["method"]][1], ms=5, mfc="none", mec=LOOKS[one["method"]][0])
    low = 100 - 100 / FEWER
    axes.add_patch(Rectangle((0.1, low), FARTHER - 0.1, 105 - low, fc="#009E73", alpha=0.1, lw=0))
    axes.set(
        title=f"during the run, class {record.series['of']}",
        xlabel="relative distance of other samples",
        xlim=(0.5, 60),
    )


def _title(method: str) -> str:
    return {"unseen": "retrained"}.get(method, method_title(method))


def _printed(axes: Any, dataset: str) -> None:
    """Plot the paper's pairs for a data set, with u-FID relative to the printed FID of the model before."""
    cells = claims.load()
    if f"vdu.pretrained_fid/{dataset}/pretrained" not in cells:
        return
    before = cells[f"vdu.pretrained_fid/{dataset}/pretrained"].value
    rows = {one.row for one in cells.values() if claims.split(one.id)[0] == "vdu.tab1" and one.dataset == dataset}
    for row in sorted(rows):
        points = []
        for short, name in (("sa", "selective_amnesia"), ("vdu", "vdu")):
            x, y = (cells[f"vdu.tab1/{row}/{short}_{metric}"].value for metric in ("ufid", "pul"))
            points.append((x / before, y))
            axes.plot(*points[-1], LOOKS[name][1], mfc="white", mec=LOOKS[name][0], ms=8)
            axes.annotate(
                row.rpartition("/")[2], points[-1], (5, 4), textcoords="offset points", fontsize=8, color="#777777"
            )
        axes.plot(*zip(*points), color="#aaaaaa", lw=1, ls="--", label="printed (open)" if row == min(rows) else None)


def short_title(method: str) -> str:
    """Return a short name of a method, for where there is little room."""
    return {"selective_amnesia": "SA"}.get(method, _title(method))


def same_noise_table(record: Any) -> Any:
    """One row per class and method: UR before and after, how many of the class's samples still show it, how many others
    changed, and what the class's samples became (the series ``went``)."""
    lines: dict[Any, dict[str, str]] = {}
    for D_f, methods in record.series["went"].items():
        of = {"forget": D_f}
        before = record.find(metric="ur", method="pretrained", **of)
        for method, found in methods.items():
            after, left, others = (record.find(metric=m, method=method, **of) for m in ("ur", "left", "others changed"))
            note = f"of {others.n}; {found['came']} now show it"
            became = ", ".join(f"{word}: {count}" for word, count in list(found["went"].items())[:4])
            lines[D_f, method_title(method)] = {
                "UR before, %": over_interval(before.value, *(before.interval or (before.value,) * 2), 1),
                "UR after, %": over_interval(after.value, *(after.interval or (after.value,) * 2), 1),
                "class samples that still show it, %": f"{left.value:.0f}<br><small>of {left.n}</small>",
                "other samples changed, %": f"{others.value:.1f}<br><small>{note}</small>",
                "class samples became": became,
            }
    return table(lines, f"{record.title}.", size=0.75)
