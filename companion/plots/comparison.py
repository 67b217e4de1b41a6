"""Figures of the comparison pages: each entrant's course, the directions of its updates, and relearning."""

from collections.abc import Sequence
from itertools import product
from statistics import median
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from companion.plots.glance import BASELINE, LOOKS, OTHER
from companion.plots.style import COLOURS, use_style
from paperlib.metrics.rule import FARTHER, FEWER

__all__ = ["compared_plane", "conflict_panels", "course_panels", "relearning_grid"]

COLUMNS = 4
FIRST, SECOND = COLOURS["D_f"], COLOURS["D_g"]


def _panels(names: Sequence[str], titles: dict[str, str], title: str) -> tuple[Figure, dict[str, Any]]:
    """Make one panel per name, with common axes."""
    use_style()
    rows = -(-len(names) // COLUMNS)
    settings = {"sharex": True, "sharey": True, "squeeze": False}
    figure, axes = plt.subplots(rows, COLUMNS, figsize=(8.2, 1.75 * rows + 0.9), **settings)
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    for panel in axes.flat[len(names) :]:
        panel.set_axis_off()
    panels = dict(zip(names, axes.flat))
    for name, panel in panels.items():
        panel.set_title(titles[name], loc="left", fontsize=9.5)
        panel.tick_params(labelsize=8.5)
    return figure, panels


def _seeds(panel: Any, curves: Sequence[Sequence[tuple[float, float]]], colour: str, label: str) -> None:
    """Plot one thin curve per seed."""
    for k, curve in enumerate(curves):
        x, y = np.array(curve, dtype=float).T
        panel.plot(x, y, "o-", ms=2.5, lw=1.4, color=colour, alpha=0.9, label=label if k == 0 else None)


def compared_plane(record: Any, *, title: str) -> Figure:
    """Plot UR against the distance of the retained classes, one point per model, with both 95 % intervals.

    Reads the values of the metrics UR and distance, and the series ``titles`` and ``real`` (both metrics of real
    images).
    """
    use_style()
    ur, distance = ({value.method: value for value in record.all(metric=what)} for what in ("UR", "distance"))
    real, before = record.series["real"], (distance["before"].value, ur["before"].value)
    least = 0.5 * min([real["distance"], *(one.value for one in distance.values())])
    figure, axes = plt.subplots(figsize=(7.4, 5.2))
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    axes.axhspan(real["ur_low"], real["ur_high"], color="#e8e8e8", lw=0, label="real retained images")
    axes.axvline(real["distance"], color="#aaaaaa", ls="--", lw=1.2)
    corner = (FARTHER * before[0] - least, before[1] / FEWER + 0.6)
    axes.add_patch(Rectangle((least, -0.6), *corner, fc="#009E73", alpha=0.1, lw=0, label="forgotten and kept"))
    for name in ur:
        colour, marker = (COLOURS["exact"], "o") if name == "before" else LOOKS.get(name, OTHER)
        face = "white" if colour == BASELINE else colour
        x, y = (_with_ends(one[name], end) for one, end in ((distance, least), (ur, 0.0)))
        settings = {"mfc": face, "mec": colour, "ms": 13 if marker == "*" else 9, "mew": 1.6, "elinewidth": 0.8}
        settings |= {"color": colour, "alpha": 0.9, "fmt": marker, "label": record.series["titles"][name]}
        axes.errorbar(x[1], y[1], xerr=_lengths(x), yerr=_lengths(y), **settings)
    most = max(_with_ends(one, least)[2] for one in distance.values())
    axes.set(xscale="log", xlabel="Fréchet distance of the retained classes (left: kept)")
    axes.set_xlim(least, 1.5 * most)
    axes.xaxis.set_major_locator(FixedLocator([0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500]))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel("UR, % (low: forgotten)")
    axes.set_ylim(bottom=-0.6)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper", fontsize=9.5)
    return figure


def _with_ends(value: Any, least: float) -> tuple[float, float, float]:
    """Return the lower end of a value's interval, the value and the upper end, none below ``least``."""
    low, high = value.interval or (value.value, value.value)
    return max(low, least), max(value.value, least), max(high, least)


def _lengths(ends: tuple[float, float, float]) -> list[list[float]]:
    return [[ends[1] - ends[0]], [ends[2] - ends[1]]]


def course_panels(record: Any, *, title: str) -> Figure:
    """Plot UR and distance during the run, relative to the base model, against gradient evaluations: one panel per
    entrant.

    The series ``courses`` maps each entrant to one list of looks per seed
    (:func:`companion.comparison.course_results.looks`).
    """
    courses = record.series["courses"]
    figure, panels = _panels(list(courses), record.series["titles"], title)
    for name, panel in panels.items():
        for what, colour, label in (("ur", FIRST, "UR"), ("distance", SECOND, "distance of the other samples")):
            curves = [
                [
                    (one["gradient_evaluations"], max(one[what] / (seen[0][what] or 1), 0.01))
                    for one in seen
                    if one.get(what) is not None
                ]
                for seen in courses[name]
            ]
            _seeds(panel, curves, colour, label)
        panel.axhline(1 / FEWER, color=FIRST, ls=":", lw=1)
        panel.axhline(FARTHER, color=SECOND, ls=":", lw=1)
        panel.set_yscale("log")
        panel.set_yticks([0.01, 0.1, 1, 10, 100], ["0", "0.1", "1", "10", "100"])
        panel.yaxis.set_minor_locator(NullLocator())
    figure.supxlabel("gradient evaluations", fontsize=10)
    figure.supylabel("relative to the base model", fontsize=10)
    figure.legend(*next(iter(panels.values())).get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return figure


def conflict_panels(record: Any, *, title: str) -> Figure:
    """Plot the cosines of the updates with both gradients against gradient evaluations: one panel per entrant. The axis
    is linear up to 0.05 and logarithmic beyond.

    The series ``probes`` maps each entrant to one list of probes per seed
    (:class:`companion.comparison.probes.Probe`).
    """
    found = record.series["probes"]
    figure, panels = _panels(list(found), record.series["titles"], title)
    for name, panel in panels.items():
        for what, colour, label in (("erases", FIRST, "with $+\\nabla L_f$"), ("keeps", SECOND, "with $-\\nabla L_g$")):
            curves = [[(one["evaluations"], one[what]) for one in seen] for seen in found[name] if seen]
            _seeds(panel, curves, colour, label)
        panel.axhline(0, color=COLOURS["exact"], lw=0.8)
        panel.set_yscale("symlog", linthresh=0.05)
        panel.set_ylim(-1, 1)
        panel.set_yticks([-1, -0.1, 0, 0.1, 1], ["-1", "-0.1", "0", "0.1", "1"])
        panel.yaxis.set_minor_locator(NullLocator())
    figure.supxlabel("gradient evaluations", fontsize=10)
    figure.supylabel("cosine of the update", fontsize=10)
    figure.legend(*next(iter(panels.values())).get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return figure


def relearning_grid(record: Any, metric: str, *, title: str) -> Figure:
    """Show the median updates until the class is back: one row per model, one column per number of images.

    Reads the values of this metric; a class that is not back by the last look counts as twice that number.
    """
    use_style()
    values = record.all(metric=metric)
    last = values[0].protocol["looks"][-1]
    names, columns = (list(dict.fromkeys(found)) for found in zip(*((v.method, v.protocol["images"]) for v in values)))
    late = {(value.method, value.protocol["images"]): median(value.per_seed) for value in values}
    shade = np.log2(1 + np.array([[min(late[name, k], 2 * last) for k in columns] for name in names]))
    figure, axes = plt.subplots(figsize=(6.6, 0.36 * len(names) + 1.3))
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    axes.imshow(shade, cmap="cividis", vmin=0, vmax=np.log2(1 + 2 * last), aspect="auto")
    for (i, name), (j, k) in product(enumerate(names), enumerate(columns)):
        text = f"{late[name, k]:g}" if late[name, k] <= last else f"> {last}"
        dark = shade[i, j] < 0.55 * np.log2(1 + 2 * last)
        axes.text(j, i, text, ha="center", va="center", fontsize=9.5, color="white" if dark else "black")
    axes.set_xticks(range(len(columns)), ["retained\nonly" if k == 0 else f"{k} forgotten" for k in columns])
    axes.set_yticks(range(len(names)), [record.series["titles"][name] for name in names])
    axes.xaxis.tick_top()
    axes.tick_params(length=0, labelsize=9.5)
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure
