"""Every figure's style, in one place: one colour for each method and for each side of the data, safe for colour-blind
readers.

A figure takes a record, so that what was recorded and what was just measured are drawn by the same code.
"""

import math
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["COLOURS", "LABELS", "likelihoods", "use_style"]

# Okabe and Ito's palette (Color Universal Design, 2008), which stays distinct under the common colour-vision
# deficiencies.
COLOURS = {
    "exact": "#000000",
    "paper": "#999999",
    "standard": "#0072B2",
    "unseen": "#56B4E9",
    "orthogonal": "#E69F00",
    "obtuse": "#D55E00",
    "D_g": "#009E73",
    "D_f": "#CC79A7",
}
LABELS = {
    "standard": "Standard",
    "unseen": "Unseen",
    "orthogonal": "SGU orthogonal",
    "obtuse": "SGU obtuse",
    "paper": "printed",
    "exact": "exact",
    "D_g": r"retained, $D_g$",
    "D_f": r"forgotten, $D_f$",
}


def use_style() -> None:
    """Set the book's look: for desk and phone, on a white ground in the light and the dark theme alike."""
    mpl.rcParams.update({
        "figure.facecolor": "white",
        "figure.dpi": 110,
        "savefig.dpi": 200,
        "savefig.bbox": "tight",
        "figure.constrained_layout.use": True,
        "font.size": 11,
        "axes.titlesize": 12,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": "#e6e6e6",
        "axes.axisbelow": True,
        "legend.frameon": False,
        "lines.linewidth": 1.8,
    })  # fmt: skip


def likelihoods(record: Any, *, printed: Mapping[str, float], exact: Mapping[str, float], title: str) -> Figure:
    """SGU's Table 1 as a picture: each model's pair (D_g, D_f), and its density along the line of the three means.

    Args:
        record: with a value ``.../D_g/<method>`` and ``.../D_f/<method>`` for each method, and the series ``line``.
        printed, exact: the same ids -> number, for the paper's pairs and the exact ones; what is missing is not drawn.
    """
    use_style()
    figure, (plane, along) = plt.subplots(2, 1, figsize=(6.6, 8.0), height_ratios=(1.15, 1))
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    pairs = _pairs({value.claim: value for value in record.values})
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
    """exp(-NLL) along the line of the means: ``line["u"]``, and nats for each method, averaged over seeds."""
    styles = {"p_data": {"ls": "-", "lw": 5, "alpha": 0.15}, "p_g": {"ls": "-", "lw": 5, "alpha": 0.3}}
    names = {"p_data": r"exact $p_{data}$", "p_g": r"exact $p_g$"}
    for name, nats in line.items():
        if name != "u":
            density = [math.exp(-value) for value in nats]
            colour = COLOURS.get(name, COLOURS["exact"])
            axes.plot(line["u"], density, color=colour, label=names.get(name, LABELS.get(name)), **styles.get(name, {}))
    axes.set(xlabel=r"position $u$ along the line of the three means, $(u, u)$", ylabel="density")
    axes.set_title("what the models would generate there", loc="left")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=9.5, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.22))


def _pairs(values: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """method -> its values on D_g and D_f, in the order of ``COLOURS``."""
    found: dict[str, dict[str, Any]] = {}
    for claim, value in values.items():
        side, column = claim.split("/")[-2:]
        found.setdefault({"unlearning": "orthogonal"}.get(column, column), {})[side] = value
    return {method: (found[method]["D_g"], found[method]["D_f"]) for method in COLOURS if method in found}
