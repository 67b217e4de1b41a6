"""The figures of VDU's pages."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from paperlib.plots.style import COLOURS, use_style

__all__ = ["gamma_sweep", "posterior_widths"]

SLOW, CHOSEN = COLOURS["standard"], COLOURS["obtuse"]


def gamma_sweep(record: Any, *, title: str) -> Figure:
    """PUL and distance against gamma, and against each other; a colour a rate, 95 % intervals.

    The series ``sweep`` has a row for each rate and gamma with ``pul`` and ``distance``, each [mean, low, high];
    ``printed`` the paper's.
    """
    use_style()
    series = record.series
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(8.6, 3.3))
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    for rate, colour in zip(series["rates"], (SLOW, CHOSEN)):
        rows = sorted((row for row in series["sweep"] if row["rate"] == rate), key=lambda row: row["gamma"])
        gammas = [row["gamma"] for row in rows]
        for axes, what in ((left, "pul"), (middle, "distance")):
            mean, low, high = np.array([row[what] for row in rows]).T
            axes.errorbar(gammas, mean, [mean - low, high - mean], fmt="o-", ms=4, color=colour, label=f"rate {rate:g}")
        right.plot(*([row[what][0] for row in rows] for what in ("distance", "pul")), "o-", ms=4, color=colour)
        for row in rows:
            place = (row["distance"][0], row["pul"][0])
            right.annotate(f"{row['gamma']:g}", place, fontsize=7.5, xytext=(3, 3), textcoords="offset points")
    printed = {float(gamma): pair[0] for gamma, pair in series["printed"].items()}
    left.plot(list(printed), list(printed.values()), "x", ms=7, mew=1.8, color=COLOURS["paper"], label="printed")
    middle.axhline(series["start"], color=COLOURS["exact"], ls=":", lw=1.2)
    left.set(xlabel=r"$\gamma$", ylabel="PUL, %")
    left.set_ylim(bottom=max(left.get_ylim()[0], -100))
    middle.set(xlabel=r"$\gamma$", ylabel="distance")
    right.set(xlabel="distance", ylabel="PUL, %")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def posterior_widths(record: Any, *, title: str) -> Figure:
    """The median standard deviation of each tensor's weights, for both Gaussians.

    The series ``ways`` is what :func:`paperlib.runs.studies.posteriors.study` returns.
    """
    use_style()
    figure, axes = plt.subplots(figsize=(6.8, 3.4))
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    for (name, found), colour in zip(record.series["ways"].items(), (CHOSEN, SLOW)):
        axes.plot([layer["std"] for layer in found["layers"]], "o", ms=3, color=colour, label=name)
    axes.set(yscale="log", xlabel="tensor of weights, in the network's order", ylabel=r"median $\sigma^*_i$")
    axes.legend()
    return figure
