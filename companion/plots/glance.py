"""Figures and tables of the page that shows every method at a glance."""

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from companion.plots.style import COLOURS, use_style
from companion.plots.tables import over_interval, table

if TYPE_CHECKING:
    import pandas

__all__ = [
    "cost_and_result",
    "forgetting_plane",
    "glance_sheet",
    "looks_table",
    "needs_table",
    "strip_of",
    "strip_page",
]

# One marker and colour for each: filled for the papers' methods and ours, open for the baselines.
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
OTHER = ("#AA4499", "p")  # for a new method


def glance_sheet(record: Any, file: Path, *, title: str) -> Figure:
    """Show the contact sheet in ``file``, one row per model with its UR. Images that the classifier takes for the
    forgotten class are framed.

    The series ``order`` names the rows after the first, ``looked`` has their UR, ``frames`` the framed images, and
    ``asked`` the class that was requested in each column.
    """
    use_style()
    series, sheet = record.series, plt.imread(file)
    rows, columns = ["before", *series["order"]], len(series["frames"]["before"])
    height, width = sheet.shape[0] / len(rows), sheet.shape[1] / columns
    figure, axes = plt.subplots(figsize=(7.4, 7.4 * 0.62 * sheet.shape[0] / sheet.shape[1] + 0.8))
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    axes.imshow(sheet, interpolation="nearest")
    names = {"before": "before"} | series["titles"]
    labels = [f"{names[row]}  {_percent(series['looked'][row]['ur'])}" for row in rows]
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
    """Plot UR against the distance of the retained classes, one point per model, with both 95 % intervals.

    The series ``looked`` maps each model to {ur, ur_low, ur_high, distance, low, high}; ``real`` has the same for real
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


def looks_table(record: Any) -> "pandas.io.formats.style.Styler":
    """Return a table of the result and the cost of each run. Reads the series ``order``, ``titles`` and ``looked``."""
    series, lines = record.series, {}
    for name in ["before", *series["order"]]:
        one = series["looked"][name]
        cost = [one["updates"], one["evaluations"], one["beforehand"]]
        lines[series["titles"].get(name, "before")] = {
            "UR, %": over_interval(one["ur"], one["ur_low"], one["ur_high"], 1),
            "shown when asked, %": f"{one['asked']:.0f}" if "asked" in one else "",
            "distance": over_interval(one["distance"], one["low"], one["high"]),
        } | dict(
            zip(("updates", "evaluations", "preparation"), [""] * 3 if name == "before" else map("{:,}".format, cost))
        )
    return table(lines, record.title)


def needs_table(rows: Sequence[Mapping[str, str]]) -> "pandas.io.formats.style.Styler":
    """Return a table of what each method needs and costs, from :func:`paperlib.unlearning.methods.rows`."""
    columns = {
        "retained data": 4,
        "labels": 4,
        "conditional model": 6.5,
        "gradient evaluations per update": 4,
        "memory, copies of the weights": 4,
        "extra passes": 12.5,
    }
    lines = {f"{row['title']}<br><small>{row['source']}</small>": {name: row[name] for name in columns} for row in rows}
    widths = {f"td.col{k}": width for k, width in enumerate(columns.values())}
    styles = [{"selector": at, "props": f"min-width: {width}rem"} for at, width in widths.items()]
    return table(lines, size=0.75, words=True).set_table_styles(styles, overwrite=False)


def cost_and_result(one: Mapping[str, Any]) -> str:
    """Return one line about a run; ``one`` is an entry of the series ``looked``."""
    cost = f"{one['updates']:,} updates, {one['evaluations']:,} gradient evaluations"
    cost += f", {one['beforehand']:,} more for preparation" if one["beforehand"] else ""
    cost += f"; {one['stopped']}" if one["stopped"] else ""
    return f"{cost}. UR {_percent(one['ur'])}, distance {one['distance']:.2f}"


def strip_of(record: Any, file: Path, name: str) -> np.ndarray:
    """Return the rows ``before`` and ``name`` of a record's contact sheet, one below the other."""
    sheet, rows = plt.imread(file), ["before", *record.series["order"]]
    return np.concatenate([np.split(sheet, len(rows))[rows.index(row)] for row in ("before", name)])


def strip_page(series: Mapping[str, Any], name: str, strip: np.ndarray, where: str) -> str:
    """Return the HTML for one run: a line about it, and the images before and after."""
    asked = sum(str(label) in str(series["forget"]).split(",") for label in series["asked"])
    order = f"; requested label of the first {asked}: {series['forget'].replace(',', ' or ')}" if asked else ""
    file, style = io.BytesIO(), "max-width: 100%; image-rendering: pixelated"
    plt.imsave(file, strip, format="png")
    data = base64.b64encode(file.getvalue()).decode()
    alt = f"{series['titles'][name]}: images before and after unlearning, from the same noise"
    lines = [
        cost_and_result(series["looked"][name]) + ".",
        f"<small>{where}. Top: before; bottom: after{order}.</small>",
    ]
    return f'<p>{"<br>".join(lines)}<br><img alt="{alt}" src="data:image/png;base64,{data}" style="{style}"></p>'


def _percent(value: float) -> str:
    return f"{value:.1f} %"
