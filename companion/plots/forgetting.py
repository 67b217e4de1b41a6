"""The table and figures of the page on measuring forgetting."""

from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from companion.plots.style import COLOURS, use_style
from companion.plots.tables import table

if TYPE_CHECKING:
    import pandas.io.formats.style

__all__ = ["case_intervals", "case_table", "fooled_pairs"]

RIGHT, WRONG = COLOURS["standard"], COLOURS["obtuse"]
FORMATS = {"%": "{:.1f}", "share": "{:.2f}", "nats": "{:.3f}", "probability": "{:.3f}", "squared distance": "{:.1f}"}
P_FORGET = "P(<i>c<sub>f</sub></i>&hairsp;|&hairsp;<i>x<sub>f</sub></i>)"  # table headings cannot contain LaTeX


def case_table(record: Any) -> "pandas.io.formats.style.Styler":
    """Return a table of every measure of every case, from the series of
    :func:`companion.studies.known_verdicts.overview`: value, interval and whether it is accepted, coloured if that is
    wrong. The model before unlearning comes first, the bounds come last."""
    series = record.series
    head = {name: P_FORGET if name == "p_forget" else series["names"][name] for name in series["measures"]}
    rows: dict[str, dict[str, str]] = {}
    wrong: dict[str, dict[str, str]] = {}
    for case in ["before", *series["order"]]:
        label, good = series["labels"][case], series["good"].get(case)  # the model before is not judged
        for name, column in head.items():
            one, form = series["judged"][case][name], FORMATS[series["units"][name]]
            value, low, high = (form.format(one[end]) for end in ("value", "low", "high"))
            said = "" if good is None else " ✓" if one["accepts"] else " ✗"
            rows.setdefault(label, {})[column] = f"{value}{said}<br><small>[{low},&thinsp;{high}]</small>"
            is_wrong = good is not None and one["accepts"] != good
            wrong.setdefault(label, {})[column] = "background-color: #f6c9a8; color: black" if is_wrong else ""
    bounds = {name: series["judged"][series["order"][0]][name]["bound"] for name in head}
    rows["bound"] = {column: FORMATS[series["units"][name]].format(bounds[name]) for name, column in head.items()}
    wrong["bound"] = dict.fromkeys(rows["bound"], "")
    colours = pd.DataFrame(wrong).T
    return table(rows, f"{record.title}.", size=0.75).apply(lambda _: colours, axis=None)


def case_intervals(record: Any, *, title: str) -> Figure:
    """Plot every case by every measure, one panel per measure: the interval, the bound, and wrong verdicts in red.

    The series ``judged`` maps each case to {measure: {value, low, high, bound, accepts}}; ``good`` says which cases
    should be accepted; ``labels`` and ``names`` are the titles of cases and measures.
    """
    use_style()
    series = record.series
    cases, measures = series["order"], series["measures"]
    rows = -(-len(measures) // 2)
    figure, axes = plt.subplots(rows, 2, figsize=(7.4, 2.9 * rows), sharey=True)
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    for ax in axes.flat[len(measures) :]:
        ax.set_visible(False)
    for ax, measure in zip(axes.flat, measures):
        for y, case in enumerate(cases):
            one = series["judged"][case][measure]
            colour = RIGHT if one["accepts"] == series["good"][case] else WRONG
            filled = colour if one["accepts"] else "white"
            ax.plot([one["low"], one["high"]], [y, y], color=colour, lw=2)
            ax.plot(one["value"], y, "o", ms=6, mfc=filled, mec=colour, mew=1.8)
        ax.axvline(one["bound"], color=COLOURS["exact"], ls="--", lw=1)
        unit = {"share": "", "probability": ""}.get(series["units"][measure], f", {series['units'][measure]}")
        ax.set_title(f"{series['names'][measure]}{unit}", loc="left", fontsize=11)
        ax.tick_params(labelsize=9.5)
        if measure == "frechet":
            most = max(series["judged"][case][measure]["high"] for case in cases)
            ax.set_xscale("symlog", linthresh=1)
            ax.set_xlim(-0.2, 2 * most)
    axes[0, 0].set_yticks(range(len(cases)), [series["labels"][case] for case in cases])
    axes[0, 0].set_ylim(len(cases) - 0.5, -0.5)
    marks = {"accepts": RIGHT, "rejects": "white"}
    handles = [plt.Line2D([], [], ls="", marker="o", ms=7, mec=RIGHT, mfc=fill, mew=1.8) for fill in marks.values()]
    handles += [plt.Line2D([], [], color=WRONG, lw=3), plt.Line2D([], [], color=COLOURS["exact"], ls="--", lw=1)]
    figure.legend(handles, [*marks, "wrong verdict", "bound"], loc="outside lower center", ncols=4)
    return figure


def fooled_pairs(record: Any, *, title: str) -> Figure:
    """Show how many of all cases each pair of measures judges wrongly; the diagonal has single measures.

    The series ``pairs`` is a list of [measure, measure, wrongly judged cases].
    """
    use_style()
    series = record.series
    measures = series["measures"]
    counts = np.full((len(measures), len(measures)), np.nan)
    for a, b, cases in series["pairs"]:
        i, j = sorted((measures.index(a), measures.index(b)))
        counts[j, i] = len(cases)
    figure, axes = plt.subplots(figsize=(6.4, 4.9))
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    axes.imshow(counts, cmap="Oranges", vmin=0, vmax=len(series["order"]), aspect="auto")
    for (j, i), count in np.ndenumerate(counts):
        if np.isfinite(count):
            style = {"weight": "bold", "color": RIGHT} if count == 0 else {"color": "black"}
            axes.text(i, j, f"{count:.0f}", ha="center", va="center", **style)
    names = [series["names"][measure] for measure in measures]
    axes.set_xticks(range(len(measures)), names, rotation=35, ha="right")
    axes.set_yticks(range(len(measures)), names)
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0)
    return figure
