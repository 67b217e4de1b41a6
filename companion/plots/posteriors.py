"""The figure and table of the page on VDU's posterior. The series ``runs`` has the results of
:func:`companion.studies.posterior_runs.vdu_run`, each with its ``gamma``, ``count`` and ``kind``."""

from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from companion.plots.style import COLOURS, use_style
from companion.plots.tables import over_interval, table
from paperlib.metrics.rule import FARTHER, FEWER

__all__ = ["gammas", "posterior_courses", "posterior_ends", "posterior_runs_table"]

LINES = {"diagonal": "--", "low rank": "-", "halved": ":"}
SHADES = [COLOURS[name] for name in ("unseen", "standard", "redirect")]  # from few snapshots to many


def gammas(runs: list[dict[str, Any]]) -> list[float]:
    """Return the runs' values of gamma, ascending."""
    return sorted({one["gamma"] for one in runs})


def posterior_ends(record: Any) -> dict[tuple[float, int, str], dict[str, Any]]:
    """Return every run's last look by (gamma, number of snapshots, kind)."""
    return {(one["gamma"], one["count"], one["kind"]): one["looks"][-1] for one in record.series["runs"]}


def posterior_courses(record: Any, *, title: str) -> Figure | None:
    """PUL, the distance of the rest and the rise of the loss on D_f during the run; a line for each Gaussian, in one
    colour for the smaller values of gamma. Nothing if the record has no runs."""
    runs = record.series.get("runs", [])
    if not runs:
        return None
    use_style()
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(9.4, 3.8))
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    counts, most = sorted({one["count"] for one in runs}), gammas(runs)[-1]
    for one in sorted(runs, key=lambda one: -one["gamma"]):
        shade = SHADES[counts.index(one["count"]) % len(SHADES)] if one["gamma"] == most else COLOURS["obtuse"]
        name = rf"$\gamma$ = {one['gamma']:g}, {one['count']} snapshots, {one['kind']}"
        own = {"color": shade, "ls": LINES[one["kind"]], "ms": 4, "label": name}
        looks = one["looks"]
        updates, first = [look["update"] for look in looks], looks[0]["L_f"]
        left.plot(updates, [look["pul"] for look in looks], "o", **own)
        middle.plot(updates, [look["distance"] for look in looks], "o", **own)
        right.plot(updates, [1e5 * (look["L_f"] - first) for look in looks], "o", **own)
    left.axhline(100 - 100 / FEWER, color=COLOURS["exact"], ls=":", lw=1)
    middle.axhline(FARTHER * runs[0]["looks"][0]["distance"], color=COLOURS["exact"], ls=":", lw=1)
    middle.set_ylim(bottom=0)
    left.set(xlabel="updates", ylabel="PUL, %")
    middle.set(xlabel="updates", ylabel="distance of other samples")
    right.set(xlabel="updates", ylabel=r"rise of the loss on $D_f$, $10^{-5}$")
    figure.legend(
        *left.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8.5, handlelength=3.5
    )
    return figure


def posterior_runs_table(record: Any, *, title: str) -> Any:
    """One row per run: PUL, the distance of the rest and the rise of both losses at its end, B before it, and what the
    columns explain; nothing without runs."""
    rows = {}
    for one in record.series.get("runs", []):
        first, last = one["looks"][0], one["looks"][-1]
        rise = {side: f"{1e5 * (last[side] - first[side]):+.1f}e-5" for side in ("L_f", "L_g")}
        shares = one.get("explained", {})
        rows[f"γ = {one['gamma']:g}, {one['count']} snapshots, {one['kind']}"] = {
            "PUL, %": over_interval(last["pul"], *last["pul_interval"], 0),
            "distance of the rest": over_interval(last["distance"], *last["distance_interval"]),
            "loss on D<sub>f</sub>": rise["L_f"],
            "loss on D<sub>g</sub>": rise["L_g"],
            "initial B per weight": f"{one['pull']:.2g}",
            "of it explained": f"{100 * shares['pull']:.1f} %" if shares else "",
            "of the move explained": f"{100 * shares['move']:.2f} %" if shares else "",
        }
    return table(rows, title, size=0.72) if rows else None
