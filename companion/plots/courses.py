"""Figures and a table of runs that are evaluated as they go."""

from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from companion.plots.style import COLOURS, use_style
from companion.plots.tables import table
from paperlib.metrics.rule import FARTHER, FEWER

if TYPE_CHECKING:
    import pandas

__all__ = ["course_curves", "courses_table", "endings", "needed_weight"]

REDIRECT, FINETUNE = COLOURS["redirect"], COLOURS["unseen"]
SIGNED = ("#F0B27A", "#D55E00", "#7B241C", "#4A235A")  # darker for a larger lambda


def needed_weight(record: Any, *, title: str) -> Figure:
    """Plot log10 of p_f,t / p_g,t at noisy forgotten images against the noise level, with the weights that were tried.

    The series ``needed`` is a list of [sigma / alpha, median, 90 %, largest]; ``lambdas`` are the weights.
    """
    use_style()
    noise, *quantiles = np.array(record.series["needed"]).T
    figure, axes = plt.subplots(figsize=(6.4, 3.9))
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    for values, name, width in zip(quantiles, ("median", "90 % quantile", "maximum"), (1.2, 1.8, 2.6)):
        axes.plot(noise, values, "o-", ms=3.5, lw=width, color=COLOURS["D_f"], label=name)
    for lam in record.series["lambdas"]:
        axes.axhline(np.log10(lam), color=COLOURS["exact"], ls="--", lw=1)
        axes.annotate(
            f" $\\lambda$ = {lam:g}", (1, np.log10(lam)), xycoords=("axes fraction", "data"), va="center", fontsize=8
        )
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(bottom=-0.1)
    axes.set(xlabel=r"$\sigma_t / \alpha_t$", ylabel=r"$\log_{10}\; p_{f,t} / p_{g,t}$")
    axes.legend(loc="upper right")
    return figure


def course_curves(record: Any, *, title: str) -> Figure:
    """Plot UR, distance and the loss on forgotten data against updates: one row per process, one curve per method.

    The series ``runs`` is a list of {process, method, looks, stopped}, one for each seed, with looks as
    :func:`companion.comparison.course_results.looks` has them.
    """
    use_style()
    runs = record.series["runs"]
    processes = list(dict.fromkeys(run["process"] for run in runs))
    figure, panels = plt.subplots(len(processes), 3, figsize=(7.8, 2.7 * len(processes) + 0.9), squeeze=False)
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    colours = _colours([run["method"] for run in runs])
    for row, process in zip(panels, processes):
        own = [run for run in runs if run["process"] == process]
        before = {what: np.mean([run["looks"][0][what] for run in own]) for what in ("ur", "distance")}
        for run in own:
            for axes, what in zip(row, ("ur", "distance", "L_f")):
                _curve(axes, run, what, colours[run["method"]])
        row[0].axhline(before["ur"] / FEWER, color=COLOURS["exact"], ls=":", lw=1.2)
        row[1].axhline(FARTHER * before["distance"], color=COLOURS["exact"], ls=":", lw=1.2)
        row[0].set_ylabel(process.upper())
        row[0].set_ylim(bottom=0)
        for axes in row[1:]:
            axes.set_yscale("log")
        row[1].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        row[1].yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        row[1].yaxis.set_minor_locator(NullLocator())
        for axes in row:
            updates = sorted({one["update"] for run in own for one in run["looks"]})
            axes.set_xscale("symlog", linthresh=updates[1])
            axes.set_xticks(updates, [str(update) if k % 2 == 0 else "" for k, update in enumerate(updates)])
            axes.xaxis.set_minor_locator(NullLocator())
            axes.tick_params(axis="x", labelsize=8.5)
            axes.set_xlim(left=0)
    for axes, name in zip(panels[0], ("UR, %", "distance of other samples", r"$L_f$ on test images, per pixel")):
        axes.set_title(name, loc="left", fontsize=11)
    for axes in panels[-1]:
        axes.set_xlabel("updates")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    once = dict(zip(labels, handles))  # one entry per label, not one per seed
    figure.legend(once.values(), once.keys(), loc="outside lower center", ncols=3)
    return figure


def endings(record: Any) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the outcome of each run by process and method; with several seeds, the method's name includes the seed.

    Keys: ``forgotten``, the updates at which UR was at most a third of the base model's; ``kept``, those at which the
    rest was kept as well; ``update``, ``ur``, ``L_f`` and ``distance`` of the last look, as far as they are numbers;
    ``before``, the UR of the base model; ``farther`` and ``farthest``, the distance at the last look and the largest
    distance, relative to the base model.
    """
    runs, found = record.series["runs"], {}
    several = len({run.get("seed", 0) for run in runs}) > 1
    for run in runs:
        first, last = run["looks"][0], run["looks"][-1]
        distances = [one["distance"] / first["distance"] for one in run["looks"] if "distance" in one]
        facts = {name: last[name] for name in ("update", "ur", "L_f", "distance") if name in last}
        facts |= {"farther": distances[-1]} if "distance" in last else {}
        facts |= {"before": first["ur"], "farthest": max(distances), "kept": run["window"]}
        facts["forgotten"] = [one["update"] for one in run["looks"][1:] if FEWER * one["ur"] <= first["ur"]]
        name = f"{run['method']}, seed {run['seed']}" if several else run["method"]
        found[run["process"], name] = facts
    return found


def courses_table(record: Any) -> "pandas.io.formats.style.Styler":
    """Return a table of when each run had forgotten, when it had also kept the rest, and where it ended. Reads the
    series ``runs``."""
    lines = {
        (process.upper(), method): {
            "first forgotten at": str(end["forgotten"][0]) if end["forgotten"] else "never",
            "forgotten and kept at": ", ".join(map(str, end["kept"])) or "never",
            "last update": str(end["update"]),
            "UR, %": f"{end['ur']:.1f}",
            "relative distance": f"{end['farther']:.1f}" if "farther" in end else "",
            "error": f"{end['L_f']:,.2f}" if "L_f" in end else "not a number",
        }
        for (process, method), end in endings(record).items()
    }
    return table(lines, record.title)


def _curve(axes: Any, run: dict[str, Any], what: str, colour: str) -> None:
    seen = [one for one in run["looks"] if one.get(what) is not None]
    x, y = [one["update"] for one in seen], [one[what] for one in seen]
    axes.plot(x, y, "o-", ms=3, lw=1.5, color=colour, label=run["method"])
    if f"{what}_interval" in seen[0]:
        low, high = np.array([one[f"{what}_interval"] for one in seen]).T
        axes.fill_between(x, np.maximum(low, 1e-3), high, color=colour, alpha=0.12, lw=0)
    if run["stopped"]:
        axes.plot(x[-1], y[-1], "x", ms=9, mew=2, color=colour)


def _colours(methods: list[str]) -> dict[str, str]:
    """Return a colour for each method; the signed losses have shades of one colour, in their order."""
    signed = [name for name in dict.fromkeys(methods) if name.startswith("signed")]
    found = {name: SIGNED[k * len(SIGNED) // max(len(signed), 1)] for k, name in enumerate(signed)}
    return found | {"redirect": REDIRECT, "fine-tuning": FINETUNE}
