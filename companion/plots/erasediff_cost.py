"""EraseDiff's Table 4 as a figure and a table: published counts and measured costs."""

import math
from collections.abc import Sequence
from statistics import mean, stdev
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from companion.claims.names import method_title
from companion.plots.style import COLOURS, use_style
from companion.plots.tables import table
from paperlib.intervals import t_quantile

__all__ = ["cost_bars", "cost_table", "ratio"]

STAGES = {"Fisher information": COLOURS["D_f"], "replay": COLOURS["unseen"], "mask": COLOURS["orthogonal"]}
STAGES |= {"inner loop": COLOURS["obtuse"], "updates": COLOURS["standard"]}
BEFORE = {"selective_amnesia": "Fisher information", "salun": "mask", "erasediff": "inner loop"}


def ratio(above: Sequence[float], below: Sequence[float]) -> tuple[float, float, float]:
    """Return the ratio over paired seeds, with a 95 % interval taken on the logarithm; a single seed has none."""
    logs = [math.log(a / b) for a, b in zip(above, below, strict=True)]
    middle = mean(logs)
    half = t_quantile(len(logs) - 1) * stdev(logs) / math.sqrt(len(logs)) if len(logs) > 1 else 0.0
    return math.exp(middle), math.exp(middle - half), math.exp(middle + half)


def _of(record: Any, metric: str) -> dict[str, Any]:
    return {one.method: one for one in record.all(metric=metric)}


def cost_bars(record: Any, *, title: str) -> Figure:
    """The counts of the public code and the measured cost until a third was left, by stage.

    Reads the series ``counts``: by method and stage, the number of images passed forward and back.
    """
    use_style()
    counts = record.series["counts"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.5))
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    for k, stages in enumerate(counts.values()):
        start = 0.0
        for name, colour in STAGES.items():
            if name in stages:
                wide = stages[name] / 1e6
                left.barh(k, wide, left=start, color=colour, height=0.6, label=name)
                start += wide
        left.annotate(f"{start:.2f}", (start, k), (4, -4), textcoords="offset points", fontsize=9)
    left.set(xlabel="images in the published runs, millions", xlim=(0, 1.12 * left.get_xlim()[1]))
    every, first, inner, reached = (
        _of(record, f"{m}") for m in ("evaluations until", "preparation until", "inner until", "reached")
    )
    for k, name in enumerate(counts):
        parts = {BEFORE[name]: (inner if name == "erasediff" else first)[name].value}
        parts["updates"] = every[name].value - sum(parts.values())
        start = 0.0
        for stage, wide in parts.items():
            right.barh(k, wide, left=start, color=STAGES[stage], height=0.6)
            start += wide
        for value, there in zip(every[name].per_seed, reached[name].per_seed):
            right.plot(value, k, "o", ms=5, color="black", mfc="black" if there else "white")
    right.set(xlabel="gradient evaluations until a third is left")
    names = [method_title(name) for name in counts]
    left.set_yticks(range(len(names)), names)
    right.set_yticks(range(len(names)), [""] * len(names))
    left.invert_yaxis()
    right.invert_yaxis()
    handles, labels = left.get_legend_handles_labels()
    known = dict(zip(labels, handles))
    figure.legend(known.values(), known.keys(), loc="outside lower center", ncols=5, fontsize=9)
    return figure


def cost_table(record: Any) -> Any:
    """One row per method: evaluations and seconds until a third was left, also relative to EraseDiff, the preparation,
    and memory."""
    rows, seconds, every = {}, _of(record, "seconds until"), _of(record, "evaluations until")
    memory, left, reached = (_of(record, metric) for metric in ("memory", "left", "reached"))
    for name in every:
        cells = {"reached a third": f"{sum(map(round, reached[name].per_seed))} of {len(reached[name].per_seed)} runs"}
        cells["shown when asked, %"] = f"{left[name].value:.0f}"
        for head, of, digits in (("evaluations", every, 0), ("seconds", seconds, 1)):
            times, low, high = ratio(of[name].per_seed, of["erasediff"].per_seed)
            ends = f" [{low:.1f},&thinsp;{high:.1f}]" if high > low else ""
            cells[head] = f"{of[name].value:.{digits}f}<br><small>{times:.1f} × EraseDiff{ends}</small>"
        shares = (
            record.find(metric=f"{m} until", method=name).value / every[name].value for m in ("preparation", "inner")
        )
        cells |= {head: f"{100 * share:.0f} %" for head, share in zip(("preparation", "inner loop"), shares)}
        rows[method_title(name)] = cells | {"memory, MiB": f"{memory[name].value:.0f}"}
    return table(rows, f"{record.title}.", size=0.75)
