"""The figures of VDU's pages."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from companion.plots.style import COLOURS, use_style
from paperlib.metrics.rule import FARTHER, FEWER

__all__ = ["gamma_sweep", "posterior_widths"]

SLOW, CHOSEN = COLOURS["standard"], COLOURS["obtuse"]


def gamma_sweep(record: Any, *, title: str) -> Figure:
    """PUL and both distances against gamma, and PUL against the distance of the rest, with the corner that the rule
    asks for; a colour a rate, 95 % intervals.

    The series ``sweep`` has a row for each rate and gamma with ``pul``, ``distance`` (of all samples) and ``rest`` (of
    those that do not show the forgotten class), each [mean, low, high]; ``start_rest`` is before; ``printed`` the
    paper's.
    """
    use_style()
    series = record.series
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(8.6, 3.3))
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    for rate, colour, side in zip(series["rates"], (SLOW, CHOSEN), ("right", "left")):
        rows = sorted((row for row in series["sweep"] if row["rate"] == rate), key=lambda row: row["gamma"])
        gammas = [row["gamma"] for row in rows]
        for axes, what in ((left, "pul"), (middle, "distance")):
            mean, low, high = np.array([row[what] for row in rows]).T
            axes.errorbar(gammas, mean, [mean - low, high - mean], fmt="o-", ms=4, color=colour, label=f"rate {rate:g}")
        rest = [row["rest"][0] for row in rows]
        middle.plot(gammas, rest, "o--", ms=4, mfc="white", lw=1.2, color=colour)
        right.plot(rest, [row["pul"][0] for row in rows], "o-", ms=4, color=colour)
        near = np.inf
        for row in rows:
            x, y = row["rest"][0], row["pul"][0]
            if abs(y - near) < 6:  # points of PUL: its label would lie on the last one
                continue
            own = {"xytext": (4 if side == "left" else -4, -2), "textcoords": "offset points", "ha": side}
            right.annotate(f"{row['gamma']:g}", (x, y), fontsize=7.5, **own)
            near = y
    right.set_xlim(left=0)
    right.axhline(100 - 100 / FEWER, color=COLOURS["exact"], ls=":", lw=1.2)
    right.axvline(FARTHER * series["start_rest"], color=COLOURS["exact"], ls=":", lw=1.2)
    printed = {float(gamma): pair[0] for gamma, pair in series["printed"].items()}
    left.plot(list(printed), list(printed.values()), "x", ms=7, mew=1.8, color=COLOURS["paper"], label="printed")
    middle.axhline(series["start"], color=COLOURS["exact"], ls=":", lw=1.2)
    left.set(xlabel=r"$\gamma$", ylabel="PUL, %")
    left.set_ylim(bottom=max(left.get_ylim()[0], -100))
    middle.set(xlabel=r"$\gamma$", ylabel="distance")
    right.set(xlabel="distance of the rest", ylabel="PUL, %")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def posterior_widths(record: Any, *, title: str) -> Figure:
    """The median standard deviation of each tensor's weights, for both Gaussians.

    The series ``ways`` is what :func:`companion.studies.posteriors.study` returns.
    """
    use_style()
    figure, axes = plt.subplots(figsize=(6.8, 3.4))
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    for (name, found), colour in zip(record.series["ways"].items(), (CHOSEN, SLOW)):
        axes.plot([layer["std"] for layer in found["layers"]], "o", ms=3, color=colour, label=name)
    axes.set(yscale="log", xlabel="tensor of weights, in the network's order", ylabel=r"median $\sigma^*_i$")
    axes.legend()
    return figure
