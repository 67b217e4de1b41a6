"""Figures and the table of samplers and likelihoods."""

from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from companion import bases
from companion.plots.style import COLOURS, use_style
from companion.plots.tables import over_interval, table
from paperlib.likelihood.recipes import RECIPES, floor

if TYPE_CHECKING:
    import pandas.io.formats.style

__all__ = ["bound_terms", "likelihood_table", "nll_histograms", "sampler_curves", "trace_curves"]

MARKERS = "os^Dv<>"
CYCLE = ("#0072B2", "#56B4E9", "#009E73", "#D55E00", "#E69F00", "#882255", "#332288")  # Okabe and Ito, Tol


def sampler_curves(record: Any, *, title: str) -> Figure:
    """Plot the distance from real images against network evaluations: one panel per model, one curve per sampler.

    The series ``samplers`` maps each model's process to {sampler: points {evaluations, distance, low, high}}; ``floor``
    is the distance of as many real images.
    """
    use_style()
    models = record.series["samplers"]
    figure, panels = plt.subplots(len(models), 1, figsize=(6.8, 4.0 * len(models) + 0.6), sharex=True, squeeze=False)
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    distances = [point["distance"] for curves in models.values() for points in curves.values() for point in points]
    bottom = 0.4 * min([*distances, record.series["floor"]])
    for axes, (process, curves) in zip(panels[:, 0], sorted(models.items())):
        for k, (name, points) in enumerate(sorted(curves.items())):  # the same colour for a name in every record
            keys = ("evaluations", "distance", "low", "high")
            x, y, low, high = (np.array([point[key] for point in points]) for key in keys)
            style = {"color": CYCLE[k % len(CYCLE)], "marker": MARKERS[k % len(MARKERS)], "ms": 5, "lw": 1.5}
            axes.plot(x, y, label=name, **style)
            axes.fill_between(x, np.maximum(low, bottom), high, color=style["color"], alpha=0.12, lw=0)
        axes.axhline(record.series["floor"], color=COLOURS["exact"], ls="--", lw=1.2, label="real images")
        axes.set(xscale="log", yscale="log", ylabel="Fréchet distance")
        axes.set_ylim(bottom=bottom)
        axes.set_title({"ve": "VE model", "ddpm": "DDPM"}.get(process, process), loc="left")
        ticks = sorted({point["evaluations"] for points in curves.values() for point in points})
        axes.set_xticks(ticks, [str(tick) if tick not in (4, 9, 19, 49) else "" for tick in ticks])
        axes.xaxis.set_minor_formatter(NullFormatter())
    panels[-1, 0].set_xlabel("network evaluations")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def likelihood_table(record: Any) -> "pandas.io.formats.style.Styler":
    """Return a table of every likelihood in the record by model and recipe, with the recipe's floor and what it is
    based on."""
    titles = {"ve": "VE model", "ddpm": "DDPM"}
    rows = {}
    for value in record.all(unit="bits/dim"):
        process, recipe = (value.protocol.get(name, "flow") for name in ("process", "recipe"))
        least = floor(bases.PROCESSES[process](), recipe)
        spent = value.protocol.get("evaluations")
        number = over_interval(value.value, *value.interval, 3) if value.interval else f"{value.value:.3f}"
        rows[titles[process], recipe] = {
            "likelihood of": RECIPES[recipe],
            value.unit: number,
            "minimum": f"{least:.2f}" + ("*" if recipe == "flow" else ""),
            "images": str(value.n),
            "evaluations per image": "—" if spent is None else f"{spent:.0f}",
        }
    return table(rows, f"{record.caption} *: for exact scores; a network can be lower.", words=True)


def trace_curves(record: Any, *, title: str) -> Figure | None:
    """Plot tr(dx0 / dy) / D against sigma / alpha, one panel per model: at the image, and noised as in training.
    Nothing if the record has no ``traces``."""
    if "traces" not in record.series:
        return None
    use_style()
    models = record.series["traces"]
    figure, panels = plt.subplots(1, len(models), figsize=(7.4, 3.4), sharey=True, squeeze=False)
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    for panel, (process, curves) in zip(panels[0], models.items()):
        for (where, points), colour in zip(curves.items(), (COLOURS["D_f"], COLOURS["D_g"])):
            panel.plot(*np.array(points).T, "o-", color=colour, label=where)
        panel.axhline(0, color="black", lw=0.8)
        panel.set(xscale="log", xlabel=r"$\sigma_t / \alpha_t$")
        panel.set_title({"ve": "VE model", "ddpm": "DDPM"}[process], loc="left")
    panels[0, 0].set_ylabel(r"trace of $\partial x_0 / \partial y$, per dimension")
    panels[0, 0].legend()
    return figure


def nll_histograms(record: Any, *, title: str) -> Figure:
    """Plot the bits per dimension of every test image, by the ODE and by the bound: the series ``nll`` and
    ``bound``."""
    use_style()
    figure, axes = plt.subplots(figsize=(6.8, 3.6))
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    drawn = {
        "NLL by the ODE, VE model": ("nll", COLOURS["standard"]),
        "NLL by the ODE, DDPM": ("nll_ddpm", COLOURS["D_g"]),
        "variational bound, DDPM": ("bound", COLOURS["obtuse"]),
    }
    values = {label: np.array(record.series[key]) for label, (key, _) in drawn.items()}
    bins = np.linspace(min(v.min() for v in values.values()), max(v.max() for v in values.values()), 30)
    for label, (_, colour) in drawn.items():
        axes.hist(values[label], bins, histtype="stepfilled", alpha=0.35, color=colour, label=label)
        axes.axvline(values[label].mean(), color=colour, lw=1.5)
    axes.set(xlabel="bits/dim", ylabel="test images")
    axes.legend(fontsize=9)
    return figure


def bound_terms(record: Any, *, title: str) -> Figure:
    """Plot where the bits of the bound are spent: the series ``bound_terms``, the mean L_(t-1) of each stratum against
    t."""
    use_style()
    figure, axes = plt.subplots(figsize=(6.8, 3.4))
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    t, terms = np.array(record.series["bound_terms"]).T
    axes.plot(t, terms, color=COLOURS["obtuse"])
    axes.set(xlabel="t", ylabel=r"$L_{t-1}$, bits/dim per stratum", xscale="log", yscale="log")
    return figure
