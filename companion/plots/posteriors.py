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
    """PUL and the distance of the rest during the run, at the largest gamma; a line for each Gaussian. Nothing if the
    record has no runs."""
    runs = record.series.get("runs", [])
    if not runs:
        return None
    use_style()
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.6))
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    gamma = gammas(runs)[-1]
    counts = sorted({one["count"] for one in runs})
    for one in (one for one in runs if one["gamma"] == gamma):
        own = {"color": SHADES[counts.index(one["count"]) % len(SHADES)], "ls": LINES[one["kind"]], "ms": 4}
        name = f"{one['count']} snapshots, {one['kind']}"
        for axes, what in ((left, "pul"), (right, "distance")):
            looks = one["looks"]
            axes.plot([look["update"] for look in looks], [look[what] for look in looks], "o", label=name, **own)
    left.axhline(100 - 100 / FEWER, color=COLOURS["exact"], ls=":", lw=1)
    right.axhline(FARTHER * runs[0]["looks"][0]["distance"], color=COLOURS["exact"], ls=":", lw=1)
    left.set(xlabel="updates", ylabel="PUL, %", title=rf"$\gamma$ = {gamma:g}")
    right.set(xlabel="updates", ylabel="distance of other samples")
    right.set_ylim(bottom=0)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9)
    return figure


def posterior_runs_table(record: Any, *, title: str) -> Any:
    """One row per run: PUL, the distance of the rest and both losses at its end, B before it, and what the columns
    explain; nothing without runs."""
    rows = {}
    for one in record.series.get("runs", []):
        last = one["looks"][-1]
        shares = one.get("explained", {})
        rows[f"γ = {one['gamma']:g}, {one['count']} snapshots, {one['kind']}"] = {
            "PUL, %": over_interval(last["pul"], *last["pul_interval"], 0),
            "distance of the rest": over_interval(last["distance"], *last["distance_interval"]),
            "loss on D<sub>f</sub>": f"{last['L_f']:.4f}",
            "loss on D<sub>g</sub>": f"{last['L_g']:.4f}",
            "initial B per weight": f"{one['pull']:.2g}",
            "of it explained": f"{100 * shares['pull']:.1f} %" if shares else "",
            "of the move explained": f"{100 * shares['move']:.2f} %" if shares else "",
        }
    return table(rows, title, size=0.72) if rows else None
