"""The effect of SGU's alpha on forgetting, on the rest and on both likelihoods, beside the printed values."""

import math
from collections.abc import Iterator
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from companion.claims import load, matches
from companion.plots.style import COLOURS, use_style
from companion.plots.tables import table
from paperlib.metrics.rule import FARTHER, FEWER

__all__ = ["alpha_sweep", "alpha_table", "at", "best", "printed_steps", "rises"]

PANELS = {
    "ur": "UR, %",
    "distance": "distance of other samples, relative to Standard",
    "D_g": "NLL of $D_g$, increase over Standard, bits/dim",
    "D_f": "NLL of $D_f$, increase over Standard, bits/dim",
}
NAMES = {"control": "fine-tuning alone", "negate": "exact negation (ours)"}
TICKS = (0.02, 0.05, 0.1, 0.2, 0.5, 1)
STYLES = {"paper": ("o", "-"), "code": ("s", "--"), "corrected": ("^", ":")}


def alpha_sweep(record: Any, *, title: str) -> Figure:
    """UR, distance and the rise of both NLLs against 1 - c, in four panels, one line per reading of a loss. Thin lines
    are the printed values of either loss; broken lines are fine-tuning alone, exact negation at its best w, and the
    rule's bounds."""
    use_style()
    found = rises(record.series["sweep"])
    figure, axes = plt.subplots(2, 2, figsize=(8.6, 6.0), sharex=True)
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    for axis, (what, name) in zip(axes.flat, PANELS.items()):
        for loss, variant, line in _lines(found):
            points = [(1 - one["c"], one[what]) for one in line if what in one]
            marker, dash = STYLES[variant]
            told = {"marker": marker, "ls": dash, "color": COLOURS[loss], "ms": 5}
            axis.plot(*zip(*points), **told, label=f"{loss}, {variant}")
        for loss, value in printed_steps(found, what).items():
            axis.axhline(value, color=COLOURS[loss], lw=0.9, label=f"printed: {loss}")
        for control in [one for one in found["runs"] if one["entrant"] == "control" and what in one]:
            axis.axhline(control[what], color="#999999", lw=1.2, ls="-.", label="fine-tuning alone")
        ours = best(found).get("negate", {})
        if what in ours:
            told = dict(color=COLOURS["negate"], lw=1.2, ls="-.")
            axis.axhline(ours[what], label=f"exact negation (ours), $w$ = {ours['w']:g}", **told)
        bound = {"ur": found["before"]["ur"] / FEWER, "distance": FARTHER}.get(what)
        if bound:
            axis.axhline(bound, color="black", lw=0.8, ls=(0, (1, 3)), label="the rule's bound")
        axis.set(xscale="log", yscale="symlog" if what == "D_f" else "linear")
        axis.xaxis.set_major_locator(FixedLocator(TICKS))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.set_title(name, loc="left", fontsize=10)
    for axis in axes[1]:
        axis.set_xlabel("$1 - c$: share of the output that is removed", fontsize=9.5)
    entries = dict(zip(*reversed(axes[0, 0].get_legend_handles_labels())))
    figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=4, fontsize=8.5)
    return figure


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


def alpha_table(record: Any) -> Any:
    """The same as numbers, one row per run."""
    found, lines = rises(record.series["sweep"]), {}
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
    text = f"{record.title}. Search: {spent}; UR before: {before['ur']:.1f} %. NLL: increase over Standard."
    return table(lines, text, size=0.72)
