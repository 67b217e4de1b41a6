"""The effect of SGU's alpha on forgetting, on the rest and on both likelihoods, beside the printed values."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from companion.claims import load, matches
from companion.claims.names import data_title
from companion.plots.style import COLOURS, use_style
from companion.plots.tables import table
from paperlib.metrics.rule import FARTHER, FEWER

__all__ = ["alpha_sweep", "alpha_table", "at", "best", "printed_steps", "rises", "searched_table"]

PANELS = {
    "ur": "UR, %",
    "distance": "distance of other samples,\nrelative to Standard",
    "D_g": "NLL of $D_g$, increase\nover Standard, bits/dim",
    "D_f": "NLL of $D_f$, increase\nover Standard, bits/dim",
}
NAMES = {"control": "fine-tuning alone", "negate": "exact negation (ours)"}
TICKS = (0.02, 0.05, 0.1, 0.2, 0.5, 1)
STYLES = {"paper": ("o", "-"), "code": ("s", "--"), "corrected": ("^", ":")}


def alpha_sweep(record: Any, *, title: str, series: str = "sweep") -> Figure | None:
    """UR, distance and the rise of both NLLs against 1 - c, one row each; one column per loss, one line per reading of
    it. Thin lines are the printed values of the loss; broken lines are fine-tuning alone, exact negation at its best w,
    and the rule's bounds. Nothing if the record lacks the ``series``."""
    if series not in record.series:
        return None
    use_style()
    found = rises(record.series[series])
    losses = list(dict.fromkeys(loss for loss, _, _ in _lines(found)))
    figure, axes = plt.subplots(4, len(losses), figsize=(8.6, 9.6), sharex=True, sharey="row", squeeze=False)
    figure.suptitle(f"{data_title(found['dataset'])}. {title}", fontsize=12, x=0.02, ha="left")
    entries = {}
    for row, (what, name) in zip(axes, PANELS.items()):
        row[0].set_ylabel(name, fontsize=9)
        for axis, loss in zip(row, losses):
            _panel(axis, found, what, loss)
            axis.set(xscale="log", yscale="symlog" if what == "D_f" else "linear")
            axis.xaxis.set_major_locator(FixedLocator(TICKS))
            axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
            axis.xaxis.set_minor_locator(NullLocator())
            entries |= {label: line for line, label in zip(*axis.get_legend_handles_labels())}
    for axis, loss in zip(axes[0], losses):
        axis.set_title(loss, loc="left", fontsize=10)
    for axis in axes[-1]:
        axis.set_xlabel("$1 - c$: share of the output that is removed", fontsize=9.5)
    figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=4, fontsize=8.5)
    return figure


def _panel(axis: Any, found: dict[str, Any], what: str, loss: str) -> None:
    for own, variant, line in _lines(found):
        if own == loss:
            points = [(1 - one["c"], one[what]) for one in line if what in one]
            marker, dash = STYLES[variant]
            told = {"marker": marker, "ls": dash, "ms": 5, "color": COLOURS[loss]}
            told |= {} if variant == "paper" else {"mfc": "white"}
            axis.plot(*zip(*points), **told, label=f"{loss}, {variant}")
    printed = printed_steps(found, what)
    if loss in printed:
        axis.axhline(printed[loss], color="black", lw=0.9, label="printed")
    for control in [one for one in found["runs"] if one["entrant"] == "control" and what in one]:
        axis.axhline(control[what], color="#999999", lw=1.2, ls="-.", label="fine-tuning alone")
    ours = best(found).get("negate", {})
    if what in ours:
        told = dict(color=COLOURS["negate"], lw=1.2, ls="-.")
        axis.axhline(ours[what], label=f"exact negation (ours), $w$ = {ours['w']:g}", **told)
    bound = {"ur": found["before"]["ur"] / FEWER, "distance": FARTHER}.get(what)
    if bound:
        axis.axhline(bound, color="black", lw=0.8, ls=(0, (1, 3)), label="the rule's bound")


def _lines(found: dict[str, Any]) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    """Yield (loss, variant, its runs by 1 - c)."""
    for entrant in dict.fromkeys(one["entrant"] for one in found["runs"] if "c" in one):
        _, loss, variant = entrant.split("_")
        runs = [one for one in found["runs"] if one["entrant"] == entrant]
        yield loss, variant, sorted(runs, key=lambda one: 1 - one["c"])


def rises(found: dict[str, Any]) -> dict[str, Any]:
    """Return a sweep with each run's likelihoods as rises over Standard's, and its distance relative to Standard's."""
    before = found["before"]

    def told(one: dict[str, Any]) -> dict[str, Any]:
        bits = {side: one[side] - before[side] for side in ("D_g", "D_f") if side in one}
        return one | bits | ({"distance": one["distance"] / before["distance"]} if "distance" in one else {})

    return found | {"runs": [told(one) for one in found["runs"]]}


def best(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return, by the entrant's name, the run of each loss in a sweep that has the best score by the rule."""
    names = dict.fromkeys(one["entrant"] for one in found["runs"])
    tried = {name: [one for one in found["runs"] if one["entrant"] == name] for name in names}
    return {name: min(runs, key=lambda one: one.get("score", math.inf)) for name, runs in tried.items()}


def at(found: dict[str, Any], c: float) -> list[dict[str, Any]]:
    """Return the runs of both printed losses near c, orthogonal first."""
    printed = [one for one in found["runs"] if one["entrant"].endswith("_paper")]
    return [one for one in printed if 0.8 < (1 - one["c"]) / (1 - c) < 1.25]


def printed_steps(found: dict[str, Any], what: str) -> dict[str, float]:
    """Return the paper's values for both losses on this set: UR, or the rise of a side's NLL over Standard's."""
    own = {key: found[key] for key in ("dataset", "process", "forget")}
    asked = {"metric": "ur", "unit": "percent"} if what == "ur" else {"metric": "nll", "unit": "bits/dim", "test": what}
    cells = {}
    for claim in load().values():
        if claim.id.startswith("sgu.tab2") and not matches(claim, own | asked | {"method": claim.method}):
            cells[claim.method] = claim.value
    start = cells.get("standard", 0.0) if what != "ur" else 0.0
    return {loss: cells[f"sgu_{loss}"] - start for loss in ("orthogonal", "obtuse") if f"sgu_{loss}" in cells}


def alpha_table(record: Any, series: str = "sweep") -> Any:
    """The same as numbers, one row per run."""
    if series not in record.series:
        return None
    found, lines = rises(record.series[series]), {}
    before = found["before"]
    for one in found["runs"]:
        name = NAMES.get(one["entrant"], one["entrant"].removeprefix("sgu_").replace("_", ", "))
        cells = {"c": f"{one['c']:.2f}" if "c" in one else "", "UR, %": f"{one['ur']:.1f}"}
        for what, head in {"distance": "relative distance", "D_g": "NLL D_g", "D_f": "NLL D_f"}.items():
            sign = "+" if what != "distance" else ""
            cells[head] = f"{one[what]:{sign}.2f}" if what in one else ""
        lines[name, f"{one['alpha']:g}" if "alpha" in one else f"w = {one['w']:g}"] = cells | {
            "score": f"{one['score']:.2f}" if "score" in one else ""
        }
    budget = found["budget"]
    spent = f"{budget['evaluations']} gradient evaluations of {budget['batch_size']} images, {budget['n']} samples"
    own = f"{data_title(found['dataset'])}. Search: {spent}"
    text = f"{own}; UR before: {before['ur']:.1f} %. NLL: increase over Standard."
    return table(lines, text, size=0.72)


def searched_table(search: Any, answers: Sequence[float]) -> Any:
    """UR and relative distance of every reading in a committed search, one column per c; the best by the rule is
    bold."""
    lines: dict[tuple[str, str], dict[str, str]] = {}
    for entrant in dict.fromkeys(one.entrant for one in search.candidates if one.entrant.startswith("sgu_")):
        won = search.best(entrant)
        for c, one in zip(answers, search.of(entrant), strict=True):
            cell = "broke" if one.ur is None or one.distance is None else _seen(one.ur, one.distance / search.distance)
            line = lines.setdefault(tuple(entrant.split("_")[1:]), {})
            line[f"c = {c:g}"] = f"<b>{cell}</b>" if one == won else cell
    classes, budget = search.forget.replace(",", " and "), search.budget
    text = f"The search on {search.base}, {classes} to forget: UR (before: {search.ur:.1f} %) and relative distance, "
    return table(lines, text + f"with {budget.n} held-out samples; bold: best score by the rule.", size=0.72)


def _seen(ur: float, distance: float) -> str:
    return f"{ur:.1f} %, {distance:.2f}"
