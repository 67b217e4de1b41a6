"""Figures of the SGU pages on images."""

from textwrap import fill
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from companion.claims.names import data_title, method_title
from companion.plots.style import COLOURS, use_style

__all__ = ["finetuning_courses", "side_histograms"]


def side_histograms(record: Any, *, title: str) -> Figure:
    """Bits per dimension of test images of both sides: one row per data set with common axes, one column per model.

    The series ``rows`` maps data sets to {model: {"bits": {"D_g": [...], "D_f": [...]}}}.
    """
    use_style()
    rows = record.series["rows"]
    titles = {method: method_title(method) for models in rows.values() for method in models}
    figure, axes = plt.subplots(
        len(rows), len(titles), figsize=(8.6, 1.7 * len(rows) + 1.1), sharex="row", sharey="row", squeeze=False
    )
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    for panels, (row, models) in zip(axes, rows.items()):
        every = np.concatenate([values for one in models.values() for values in one["bits"].values()])
        low, high = np.quantile(every, [0, 0.98])
        fewest = min(len(values) for one in models.values() for values in one["bits"].values())
        bins = np.linspace(low - 0.1, high + 0.1, min(30, fewest))
        for panel, (method, name) in zip(panels, titles.items()):
            panel.tick_params(labelsize=8.5)
            panel.set_yticks([])
            if method not in models:
                panel.set_axis_off()
                continue
            panel.set_title(fill(name, 96 // len(titles)), loc="left", fontsize=9.5)  # as many characters as fit
            for side in ("D_g", "D_f"):
                panel.hist(
                    np.minimum(models[method]["bits"][side], bins[-1]),
                    bins,
                    alpha=0.6,
                    color=COLOURS[side],
                    label=f"${side}$",
                )
        panels[0].set_ylabel(data_title(row), fontsize=9.5)
    for panel in axes[-1]:
        panel.set_xlabel("bits/dim", fontsize=9)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return figure


def finetuning_courses(record: Any, *, title: str) -> Figure | None:
    """UR, distance and bits per dimension of both sides against updates on one data set, which the record's series
    names, one line per loss; nothing if the record has no courses."""
    if not (found := record.series.get("courses")):
        return None
    use_style()
    figure, axes = plt.subplots(1, 3, figsize=(8.6, 3.2))
    figure.suptitle(f"{data_title(record.series.get('courses of', 'mnist'))}. {title}", fontsize=12, x=0.02, ha="left")
    (start,) = found["standard"]
    for method in ("sgu_orthogonal", "sgu_obtuse"):
        line = [start, *found[method]]
        updates, colour = [one["updates"] for one in line], COLOURS[method.removeprefix("sgu_")]
        for axis, what in zip(axes, ("ur", "distance")):
            told = {"ms": 4} if method == "sgu_obtuse" else {"ms": 8, "mfc": "white"}  # where both are the same
            axis.plot(updates, [one[what] for one in line], "o-", color=colour, label=method_title(method), **told)
        for side, dash in (("D_g", "-"), ("D_f", "--")):
            name = f"{method_title(method)}, ${side}$"
            axes[2].plot(updates, [one[side] for one in line], "o", ls=dash, color=colour, ms=4, label=name)
    for axis, head in zip(axes, ("UR, %", "distance of other samples", "bits/dim, flow")):
        axis.set_title(head, loc="left", fontsize=10)
        axis.set_xlabel("updates", fontsize=9.5)
    axes[1].set_yscale("log")
    lines, names = axes[2].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside lower center", ncols=4, fontsize=8.5, handlelength=3)
    return figure
