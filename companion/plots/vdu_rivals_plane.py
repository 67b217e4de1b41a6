"""VDU's Table 1 as a figure: how far the class is forgotten, against the distance of the samples from real ones."""

import math
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullFormatter, NullLocator

from companion import claims
from companion.claims.names import data_title
from companion.plots.style import COLOURS, use_style
from companion.plots.ticks import Ratios
from companion.plots.vdu_rivals import ends, rival_title
from paperlib.metrics.rule import FARTHER, FEWER

__all__ = ["rivals_plane"]

LOOKS = {"vdu": (COLOURS["D_g"], "X"), "selective_amnesia": (COLOURS["obtuse"], "D")}
LOOKS |= {"neggrad": (COLOURS["redirect"], "v"), "finetune": (COLOURS["orthogonal"], "o")}
LOOKS |= {"negate_own": (COLOURS["negate"], "^"), "unseen": ("#000000", "*")}
TICKS = (0.2, 0.5, 1, 1.5, 2, 3, 5, 10, 20, 50, 100)  # fewer than usual: a panel is narrow, and spans decades


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
        panel.xaxis.set_major_locator(Ratios(TICKS))
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
        axes.plot(x, pul.value, marker, color=colour, ms=11 if marker == "*" else 8, label=rival_title(pul.method))
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
            axes.plot(xs, ys, "o-", ms=2.5, lw=1.2, color=LOOKS[name][0], label=None if k else rival_title(name))
    for one in record.series["tries"]:
        axes.plot(one["rest"], one["pul"], LOOKS[one["method"]][1], ms=5, mfc="none", mec=LOOKS[one["method"]][0])
    low = 100 - 100 / FEWER
    axes.add_patch(Rectangle((0.1, low), FARTHER - 0.1, 105 - low, fc="#009E73", alpha=0.1, lw=0))
    axes.set(
        title=f"during the run, class {record.series['of']}",
        xlabel="relative distance of other samples",
        xlim=(0.5, 60),
    )


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
