"""EraseDiff's Figure 2 and its tables: how often updates are in conflict, and what the inner loop changes."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from companion.claims.names import data_title
from companion.plots.style import COLOURS, use_style
from companion.plots.tables import over_interval, table
from paperlib.metrics.rule import verdict

__all__ = ["conflict_table", "direction_panels", "inner_table"]

GREY = COLOURS["exact"]
SIDES = {"r": "preserving", "f": "erasing"}


def direction_panels(record: Any, *, title: str) -> Figure:
    """Plot the cosines of every update with both gradients: one column per run, and for each data set one row per
    gradient.

    The series ``runs`` maps each data set and run's name to its updates, as
    :func:`companion.studies.directions.updates` has them.
    """
    use_style()
    every = record.series["runs"]
    columns = list(next(iter(every.values())))
    size = (8.2, 0.6 + 3.6 * len(every))
    figure, axes = plt.subplots(2 * len(every), len(columns), figsize=size, sharex=True, sharey=True, squeeze=False)
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    for pair, (dataset, runs) in zip(np.split(axes, len(every)), every.items()):
        of = f"{data_title(dataset)}: " if len(every) > 1 else ""
        for panels, (side, term) in zip(pair, SIDES.items()):
            panels[0].set_ylabel(f"{of}cosine with\n$\\nabla L_{side}$ ({term})", fontsize=9.5)
            for panel, name in zip(panels, columns):
                _cosines(panel, runs[name], side)
    for panel, name in zip(axes[0], columns):
        panel.set_title(name, loc="left", fontsize=9.5)
    for panel in axes[-1]:
        panel.set_xlabel("update", fontsize=9.5)
    lines = [Line2D([], [], color=GREY, lw=1.2), Line2D([], [], color=GREY, lw=1, ls="--", alpha=0.7)]
    figure.legend(lines, [r"update $\delta$", "Adam's step"], loc="outside lower center", ncols=2)
    return figure


def _cosines(panel: Any, found: list[dict[str, float]], side: str) -> None:
    """Plot the cosines of one run's updates with the gradient of one side, "r" or "f"."""
    x, colour = range(1, len(found) + 1), COLOURS[{"r": "D_g", "f": "D_f"}[side]]
    delta, move = ([one[f"{which}_{side}"] for one in found] for which in ("delta", "move"))
    panel.fill_between(x, 0, np.minimum(delta, 0), color=colour, alpha=0.35, lw=0)
    panel.plot(x, delta, lw=1.2, color=colour)
    panel.plot(x, move, lw=1, ls="--", color=GREY, alpha=0.7)
    panel.axhline(0, color=GREY, lw=0.8)
    panel.set_ylim(-1.08, 1.08)
    panel.tick_params(labelsize=8.5)


def conflict_table(record: Any) -> Any:
    """Return a table of the shares of conflicting updates and the outcome of each run, one row per data set and run."""
    lines = {}
    for dataset in record.series["runs"]:
        lines |= {_row(record, dataset, name): cells for name, cells in _outcomes(record, dataset).items()}
    return table(lines, record.caption).format(na_rep="")


def _outcomes(record: Any, dataset: str) -> dict[str, dict[str, str]]:
    before = {name: record.find(method="unscrubbed", metric=name, dataset=dataset) for name in ("asked", "distance")}
    none = dict.fromkeys(
        ("δ opposes ∇L<sub>r</sub>, %", "δ opposes ∇L<sub>f</sub>, %", "Adam's step opposes either, %"), ""
    )
    lines = {"before": none | {"shown when asked, %": _cell(before["asked"]), "distance": _cell(before["distance"])}}
    start = {"ur": before["asked"].value, "distance": before["distance"].value}
    for one in record.all(metric="conflict", vector="delta", gradient="either", dataset=dataset):
        facts = _who(one, "variant", "K", "optimizer")
        share = {
            (vector, gradient): record.find(metric="conflict", vector=vector, gradient=gradient, **facts)
            for vector in ("delta", "move")
            for gradient in ("L_r", "L_f", "either")
        }
        end = {name: record.find(metric=name, **facts) for name in before}
        counted = (share["delta", "L_r"], share["delta", "L_f"], share["move", "either"])
        lines[_name(one)] = dict(zip(none, map(_cell, counted))) | {
            "shown when asked, %": _cell(end["asked"]),
            "distance": _cell(end["distance"]),
            "rule": verdict(end["asked"].value, end["distance"].value, start),
        }
    return lines


def inner_table(record: Any) -> Any:
    """Return a table of what the inner loop changes: one row per data set and pair of runs that differ in their number
    of inner steps."""
    lines = {}
    for one in record.all(metric="apart"):
        facts = _who(one, "variant", "optimizer")
        asked = [record.find(metric="asked", K=one.protocol[K], **facts) for K in ("K", "against")]
        name = f"{_name(one)}, {'Adam' if facts['optimizer'] == 'adam' else 'gradient descent'}"
        lines[_row(record, one.dataset, name)] = {
            "K": f"{one.protocol['K']} and {one.protocol['against']}",
            "apart": f"{one.value:.2g}",
            "shown when asked, %": " and ".join(f"{value.value:.0f}" for value in asked),
        }
    return table(lines, f"{record.title}.")


def _row(record: Any, dataset: str, name: str) -> str:
    return f"{data_title(dataset)}: {name}" if len(record.series["runs"]) > 1 else name


def _who(value: Any, *names: str) -> dict[str, Any]:
    return {"method": value.method, "dataset": value.dataset} | {
        name: value.protocol[name] for name in names if name in value.protocol
    }


def _name(value: Any) -> str:
    return f"EraseDiff, {value.protocol['variant']}" if value.method == "erasediff" else "plain sum (MOO)"


def _cell(value: Any) -> str:
    decimals = 1 if value.protocol["metric"] == "distance" else 0
    if value.interval is None:
        return f"{value.value:.{decimals}f}"
    return over_interval(value.value, *value.interval, decimals)
