"""Figures and the table of the page on exact negation."""

from collections.abc import Iterable
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from companion.claims.names import method_title
from companion.plots.style import COLOURS, use_style
from companion.plots.tables import over_interval, table

__all__ = ["negation_plane", "negation_table", "pull_weights"]

LOOKS = {"without": (COLOURS["orthogonal"], "o"), "negate": (COLOURS["negate"], "s")}
LOOKS |= {"negate_answers": (COLOURS["obtuse"], "D"), "negate_own": (COLOURS["optimum"], "^")}
OTHERS = "#888888"


def tasks(record: Any) -> list[tuple[str, str]]:
    """Return every pair of process and forgotten classes in the record."""
    return list(dict.fromkeys((one.protocol["process"], one.protocol["forget"]) for one in record.all(metric="ur")))


def models(record: Any, process: str, forget: str) -> Iterable[tuple[Any, dict[str, Any]]]:
    """Yield the UR of each model of a task, with the facts that identify its other values."""
    for one in record.all(metric="ur", process=process, forget=forget):
        found = {"method": one.method, "process": process, "forget": forget}
        yield one, found | ({"w": one.protocol["w"]} if "w" in one.protocol else {})


def model_title(method: str, facts: dict[str, Any]) -> str:
    """Return a model's display name, with its weight."""
    name = {"standard": "before", "unseen": "retrained in full"}.get(method, method_title(method))
    return f"{name}, w = {facts['w']:g}" if "w" in facts else name


def negation_plane(record: Any, *, title: str) -> Figure:
    """UR against the distance of the rest relative to the base model, one panel per task; w grows along the lines."""
    use_style()
    asked = tasks(record)
    figure, panels = plt.subplots(1, len(asked), figsize=(7.4, 4.4), squeeze=False)
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    for axes, (process, forget) in zip(panels[0], asked):
        before = record.find(metric="rest-frechet", method="standard", process=process, forget=forget).value
        lines: dict[str, list[tuple[float, float, float]]] = {}
        for ur, facts in models(record, process, forget):
            rest = record.find(metric="rest-frechet", **facts).value / before
            if ur.method in LOOKS:
                lines.setdefault(ur.method, []).append((facts["w"], rest, ur.value))
            elif ur.method in ("standard", "unseen"):
                marker, label = {"standard": ("o", "before"), "unseen": ("*", "retrained in full")}[ur.method]
                axes.plot(rest, ur.value, marker, color="black", ms=12 if marker == "*" else 8, label=label)
        for name, points in lines.items():
            colour, marker = LOOKS[name]
            xs, ys = [x for _, x, _ in points], [y for *_, y in points]
            axes.plot(xs, ys, marker=marker, color=colour, lw=1.2, ms=8, label=method_title(name))
            for w, x, y in points:
                axes.annotate(f"{w:g}", (x, y), textcoords="offset points", xytext=(6, 5), color=colour, fontsize=9)
        beside = record.series["others"].get(f"{process}:{forget}", [])
        for one in beside:
            axes.plot(one["rest"], one["ur"], "x", color=OTHERS, ms=6)
            axes.annotate(
                one["title"], (one["rest"], one["ur"]), textcoords="offset points", xytext=(5, -3), fontsize=7.5
            )
        axes.axvline(1.1, color=OTHERS, ls=":", lw=1)
        axes.set(xscale="log", yscale="symlog", xlabel="distance relative to the base model", ylabel="UR, %")
        axes.xaxis.set_major_locator(FixedLocator([0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20, 50]))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_title(f"{process.upper()}, forgetting {forget.replace(',', ' and ')}", fontsize=11)
        most = max([one.value for one, _ in models(record, process, forget)] + [one["ur"] for one in beside])
        axes.set_ylim(-0.1, 1.5 * max(most, 1))
        axes.yaxis.set_major_locator(FixedLocator([0, 0.5, 1, 2, 5, 10, 20, 50, 100]))
    figure.legend(*panels[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9.5)
    return figure


def negation_table(record: Any) -> Any:
    """One row per model: UR by two classifiers, the distance of the rest and, where measured, FID of the rest."""
    columns = {"UR, %": ("ur", 1), "UR by the second judge, %": ("ur by the judge", 1)}
    columns |= {"distance of other samples": ("rest-frechet", 2)}
    columns |= {"FID of other samples": ("fid of the rest", 1)} if record.all(metric="fid of the rest") else {}
    lines = {}
    for process, forget in tasks(record):
        for one, facts in models(record, process, forget):
            task = f"{process.upper()}<br><small>{forget.replace(',', ' and ')}</small>"
            cells = {}
            for head, (metric, decimals) in columns.items():
                found = record.all(metric=metric, **facts)
                value = found[0] if found else None
                ends = value and (value.interval or (value.value,) * 2)
                cells[head] = over_interval(value.value, *ends, decimals) if value else ""
            lines[task, model_title(one.method, facts)] = cells
    return table(lines, f"{record.title}.", size=0.75)


def pull_weights(record: Any, *, title: str) -> Figure:
    """The weight that the pull should have by three measures, at each noise level, with the lengths below."""
    use_style()
    names = list(record.series["weights"])
    figure, panels = plt.subplots(2, len(names), figsize=(6.6 * len(names), 5.8), sharex=True, squeeze=False)
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    for name, upper, lower in zip(names, *panels):
        process, forget = name.split(":")
        upper.set_title(f"{process.upper()}, forgetting {forget.replace(',', ' and ')}", fontsize=11)
        firm = [
            one for one in record.series["weights"][name] if one["error"] < 0.25
        ]  # elsewhere there is no pull to fit
        levels, errors = [one["sigma_over_alpha"] for one in firm], [1.96 * one["error"] for one in firm]
        settings = {"color": COLOURS["D_g"], "capsize": 3, "label": "retained images, held-out noise"}
        upper.errorbar(levels, [one["w"] for one in firm], errors, fmt="o-", **settings)
        rows = [one for one in record.series["pulls"][name] if one["side"] == "forget"]
        levels = [one["sigma_over_alpha"] for one in rows]
        settings = {"color": COLOURS["D_f"], "label": "forgotten images, training set"}
        upper.plot(levels, [one["w"] for one in rows], "s-", **settings)
        upper.axhline(1, color="black", lw=1, ls=":")
        upper.set(ylabel="fitted w", xscale="log", ylim=(0, 2))
        upper.legend(fontsize=9.5)
        lengths = {"pull": "classifier's pull", "exact": "training set's pull", "model": "error of the model"}
        for (what, label), colour in zip(lengths.items(), (COLOURS["signed"], COLOURS["exact"], COLOURS["paper"])):
            lower.plot(levels, [one[what] for one in rows], "o-", color=colour, label=label)
        lower.set(ylabel="rms per pixel, forgotten images", xlabel=r"noise level, $\sigma_t / \alpha_t$", yscale="log")
        lower.xaxis.set_major_locator(FixedLocator([0.5, 1, 2, 5, 10]))
        lower.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        lower.xaxis.set_minor_locator(NullLocator())
        lower.legend(fontsize=9.5)
    return figure
