"""The figures of the page that looks at every method once."""

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from companion.plots.style import COLOURS, use_style

__all__ = ["forgetting_plane", "glance_sheet"]

# One look for each: filled markers for the papers' methods and ours, open ones for the baselines.
BASELINE = "#555555"
LOOKS = {
    "retrained": (COLOURS["exact"], "*"),
    "unseen": (COLOURS["unseen"], "*"),
    "finetune": (BASELINE, "o"),
    "neggrad": (BASELINE, "v"),
    "blindspot": (BASELINE, "s"),
    "selective_amnesia": (BASELINE, "D"),
    "salun": (BASELINE, "^"),
    "multi_objective": (BASELINE, "h"),
    "erasediff": ("#0072B2", "P"),
    "sgu_orthogonal": (COLOURS["orthogonal"], "o"),
    "sgu_obtuse": (COLOURS["obtuse"], "o"),
    "vdu": ("#009E73", "X"),
    "signed": (COLOURS["signed"], "s"),
    "redirect": (COLOURS["redirect"], "D"),
}
OTHER = ("#AA4499", "p")  # of a method that is new


def glance_sheet(record: Any, file: Path, *, title: str) -> Figure:
    """The contact sheet in ``file``, a row a model, with its UR; framed is what the classifier takes for forgotten.

    The series ``order`` names the rows after the first, ``looked`` has their UR, ``frames`` what is framed, ``asked``
    which class each column was asked for.
    """
    use_style()
    series, sheet = record.series, plt.imread(file)
    rows, columns = ["before", *series["order"]], len(series["frames"]["before"])
    height, width = sheet.shape[0] / len(rows), sheet.shape[1] / columns
    figure, axes = plt.subplots(figsize=(7.4, 7.4 * 0.62 * sheet.shape[0] / sheet.shape[1] + 0.8))
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    axes.imshow(sheet, interpolation="nearest")
    names = {"before": "before"} | series["titles"]
    labels = [f"{names[row]}  {series['looked'][row]['ur']:.1f} %" for row in rows]
    axes.set_yticks([(k + 0.5) * height for k in range(len(rows))], labels)
    axes.set_xticks([(k + 0.5) * width for k in range(columns)], [str(c) for c in series["asked"]] or [""] * columns)
    axes.xaxis.tick_top()
    axes.tick_params(length=0, labelsize=10)
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    for i, row in enumerate(rows):
        for k, shown in enumerate(series["frames"][row]):
            if shown:
                corner = (k * width - 1.2, i * height - 1.2)
                frame = Rectangle(corner, width, height, fill=False, ec=COLOURS["obtuse"], lw=1.6)
                axes.add_patch(frame)
    return figure


def forgetting_plane(record: Any, *, title: str) -> Figure:
    """UR against the distance of what is to be kept, a point a model, with both 95 % intervals.

    The series ``looked`` maps each model to {ur, ur_low, ur_high, distance, low, high}; ``real`` is the same of real
    retained images.
    """
    use_style()
    series = record.series
    figure, axes = plt.subplots(figsize=(6.8, 6.2))
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    real = series["real"]
    axes.axhspan(real["ur_low"], real["ur_high"], color="#e8e8e8", lw=0, label="real retained images")
    axes.axvline(real["distance"], color="#aaaaaa", ls="--", lw=1.2)
    least = 0.5 * min([real["distance"], *(one["distance"] for one in series["looked"].values())])
    for name in ["before", *series["order"]]:
        one = series["looked"][name]
        colour, marker = (COLOURS["exact"], "o") if name == "before" else LOOKS.get(name, OTHER)
        filled = colour not in (BASELINE,)
        style = {"mfc": colour if filled else "white", "mec": colour, "ms": 13 if marker == "*" else 9, "mew": 1.6}
        axes.errorbar(
            max(one["distance"], least),
            one["ur"],
            xerr=[[one["distance"] - max(one["low"], least)], [one["high"] - one["distance"]]],
            yerr=[[one["ur"] - one["ur_low"]], [one["ur_high"] - one["ur"]]],
            color=colour,
            elinewidth=0.8,
            alpha=0.9,
            fmt=marker,
            label="before" if name == "before" else series["titles"][name],
            **style,
        )
    most = max(one["high"] for one in series["looked"].values())
    ticks = [tick for tick in (0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500) if least <= tick <= 1.3 * most]
    axes.set(xscale="log", xlabel="Fréchet distance of the retained classes (left: kept)")
    axes.set_xlim(least, 1.5 * most)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel("UR, % (low: forgotten)")
    axes.set_ylim(bottom=-0.6)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9.5)
    return figure
