"""Figures of the Gaussian mixture pages."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from companion.plots.style import COLOURS, LABELS, use_style
from paperlib.data.mixture import SGU_MIXTURE

__all__ = ["frontier_plane", "likelihoods", "sample_panels", "score_errors", "score_fields"]


def likelihoods(record: Any, *, printed: Mapping[str, float], exact: Mapping[str, float], title: str) -> Figure:
    """Plot SGU's Table 1: each model's pair (D_g, D_f), and its density along the line of the three means.

    Args:
        record: has a value for each method and ``test`` side, and the series ``line``.
        printed, exact: id -> number, for the paper's pairs and the exact ones; missing ones are not plotted.
    """
    use_style()
    figure, (plane, along) = plt.subplots(2, 1, figsize=(6.6, 8.0), height_ratios=(1.15, 1))
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    pairs = _pairs(record.values)
    for method, (retained, forgotten) in pairs.items():
        dots = {"ms": 8, "alpha": 0.8, "color": COLOURS[method], "label": LABELS[method]}
        plane.plot(retained.per_seed, forgotten.per_seed, "o", **dots)
        for values, marker, kind in ((exact, "x", "exact"), (printed, "D", "paper")):
            if retained.claim in values:
                style = {"mec": COLOURS[method], "mfc": "none", "mew": 2, "ms": 9}
                plane.plot(values[retained.claim], values[forgotten.claim], marker, ls="none", **style)
    for marker, label in (("x", "exact"), ("D", "printed")):
        plane.plot([], [], marker, mec="#555555", mfc="none", mew=2, ms=9, ls="none", label=label)
    plane.set(xlabel=r"NLL on $D_g$, bits/dim + 8 (low: kept)", ylabel=r"NLL on $D_f$, bits/dim + 8")
    plane.set_title("likelihoods", loc="left")
    plane.set_yscale("log")
    plane.set_yticks(ticks := [11, 12, 14, 17, 22, 30, 39], [str(tick) for tick in ticks])
    plane.yaxis.minorticks_off()
    plane.legend(fontsize=9.5, ncols=2, loc="upper right")
    density_along_line(along, record.series["line"])
    return figure


def density_along_line(axes: Axes, line: Mapping[str, Any]) -> None:
    """Plot exp(-NLL) along the line of the means: ``line["u"]``, and nats for each method, averaged over seeds."""
    styles = {"p_data": {"ls": "-", "lw": 5, "alpha": 0.15}, "p_g": {"ls": "-", "lw": 5, "alpha": 0.3}}
    names = {"p_data": r"exact $p_{data}$", "p_g": r"exact $p_g$"}
    for name, nats in _ordered(line).items():
        if name != "u":
            density = [math.exp(-value) for value in nats]
            colour = COLOURS.get(name, COLOURS["exact"])
            axes.plot(line["u"], density, color=colour, label=names.get(name, LABELS.get(name)), **styles.get(name, {}))
    axes.set(xlabel=r"position $u$ along the line of the three means, $(u, u)$", ylabel="density")
    axes.set_title("densities along that line", loc="left")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=9.5, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.22))


def _ordered(named: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries in the same order for every figure, however a record sorts its keys: data, then methods."""
    order = ["u", "p_data", "p_g", *COLOURS]
    return {name: named[name] for name in sorted(named, key=order.index)}


def _pairs(values: Iterable[Any]) -> dict[str, tuple[Any, Any]]:
    """Return method -> its values on D_g and D_f, in the order of ``COLOURS``."""
    found: dict[str, dict[str, Any]] = {}
    for value in values:
        found.setdefault(value.method.removeprefix("sgu_"), {})[value.protocol["test"]] = value
    return {method: (found[method]["D_g"], found[method]["D_f"]) for method in COLOURS if method in found}


def sample_panels(record: Any, *, title: str) -> Figure:
    """Plot SGU's Figure 1: the series ``points``, name -> [N, 2], one panel each, coloured by the nearest mean."""
    use_style()
    panels = {name: np.array(points) for name, points in _ordered(record.series["points"]).items()}
    figure, axes = plt.subplots(2, 3, figsize=(7.4, 5.4), sharex=True, sharey=True)
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    for ax, (name, x) in zip(axes.flat, panels.items()):
        forgotten = np.abs(x.sum(1)) < 2  # nearest to (0, 0) of (-2, -2), (0, 0), (2, 2)
        for side, chosen in (("D_g", ~forgotten), ("D_f", forgotten)):
            ax.plot(*x[chosen].T, ".", ms=3, color=COLOURS[side], label=f"nearest to {LABELS[side]}")
        ax.set(xlim=(-6, 6), ylim=(-6, 6), aspect="equal")
        outside = 100 * (np.abs(x) > 6).any(1).mean()
        beyond = f", {outside:.0f} % outside" if outside >= 1 else ""
        ax.set_title(("data" if name == "p_data" else LABELS[name]) + beyond, loc="left", fontsize=10)
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, markerscale=4)
    return figure


def score_fields(record: Any, *, title: str) -> Figure:
    """Plot SGU's Figure 2: the series ``fields``, name -> [N, 2] at ``points``, arrows over the data's density."""
    use_style()
    points = np.array(record.series["points"])
    fields = {name: np.array(field) for name, field in _ordered(record.series["fields"]).items()}
    axis = torch.linspace(-4.5, 4.5, 91)
    height = SGU_MIXTURE.log_density(torch.cartesian_prod(axis, axis)).exp().reshape(91, 91).T
    figure, axes = plt.subplots(math.ceil(len(fields) / 2), 2, figsize=(7.4, 3.7 * math.ceil(len(fields) / 2)))
    figure.suptitle(f"{title}, t = {record.parameters['t']:g}", fontsize=12, x=0.02, ha="left")
    names = {"p_data": r"exact, $p_{data}$", "p_g": r"exact, $p_g$"}
    for ax in axes.flat[len(fields) :]:
        ax.set_visible(False)
    for ax, (name, field) in zip(axes.flat, fields.items()):
        ax.contourf(axis, axis, height, levels=8, cmap="Greys", alpha=0.5)
        middle = np.abs(points.sum(1)) < 2
        colours = [COLOURS["D_f"] if inside else COLOURS["D_g"] for inside in middle]
        length = np.linalg.norm(field, axis=1, keepdims=True)
        field = field * np.minimum(1, 6 / np.maximum(length, 1e-9))  # shorten long arrows, which would hide the rest
        ax.quiver(*points.T, *field.T, color=colours, angles="xy", scale=60, width=0.005)
        ax.set(xlim=(-4.6, 4.6), ylim=(-4.6, 4.6), aspect="equal")
        ax.set_title(names.get(name, LABELS.get(name)), loc="left")
        ax.grid(False)
    return figure


def score_errors(record: Any, *, title: str) -> Figure:
    """Plot score errors, one panel per side: the series ``errors``, side -> method -> curve along the series ``t``."""
    use_style()
    figure, axes = plt.subplots(2, 1, figsize=(6.6, 7.0), sharex=True)
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    for ax, (side, curves) in zip(axes, sorted(record.series["errors"].items(), reverse=True)):
        for name, curve in _ordered(curves).items():
            ax.plot(record.series["t"], curve, color=COLOURS[name], label=LABELS[name])
        ax.set(ylabel=r"rms of $\sigma_t (s_\theta - s)$", yscale="log")
        ax.set_title(LABELS[side], loc="left")
    axes[1].set_xlabel("t")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def frontier_plane(record: Any, *, curve: np.ndarray, printed: tuple[float, float], title: str) -> Figure:
    """Plot the frontier of forgetting and the models' results: the series ``sweep`` and ``path``, and the seeds'
    values.

    Args:
        curve: (D_g, D_f) along the frontier, [N, 2], in the record's unit.
        printed: the paper's pair.
    """
    use_style()
    figure, (near, wide) = plt.subplots(2, 1, figsize=(6.8, 9.0), height_ratios=(1.5, 1))
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    for ax in (near, wide):
        ax.plot(*curve.T, color=COLOURS["exact"], lw=2, label="frontier: no density above it")
        ax.fill_between(curve[:, 0], curve[:, 1], 60, color="#dddddd", lw=0)
        for name, points in _ordered(record.series["sweep"]).items():
            x = np.array([point[1:3] for point in points])
            ax.plot(*x[np.argsort(x[:, 0])].T, "-", lw=1, alpha=0.6, color=COLOURS[name])
            ax.plot(*x.T, "o", ms=4, alpha=0.7, color=COLOURS[name])
        for name, (kept, forgotten) in _pairs(record.values).items():
            dots = {"ms": 7, "mec": "white", "color": COLOURS[name], "label": LABELS[name]}
            ax.plot(kept.per_seed, forgotten.per_seed, "D", **dots)
        if path := record.series["path"]:
            label = rf"signed, $\lambda$ = {record.parameters['early']:g}, during its run"
            ax.plot(*np.array(path)[:, 1:].T, ":", lw=1.5, color=COLOURS["signed"], label=label)
        ax.set(xlabel=r"NLL on $D_g$, bits/dim + 8 (low: kept)", ylabel=r"NLL on $D_f$, bits/dim + 8")
    wide.plot(*printed, "X", ms=11, color=COLOURS["paper"], mec="black", label="SGU's Table 1, printed")
    near.set(xlim=(10.53, 10.72), ylim=(10.6, 20))
    wide.set(xlim=(10.5, 11.6), ylim=(10, 42))
    near.set_title("near the frontier", loc="left")
    wide.set_title("zoomed out", loc="left")
    handles, labels = wide.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure
