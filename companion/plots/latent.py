"""Figures and tables of the pages on text-to-image models."""

from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from companion.claims.names import method_title
from companion.plots.style import COLOURS, use_style
from companion.plots.tables import over_interval, table

__all__ = ["cast_table", "latent_cost_table", "prompts_plane", "prompts_search_table", "prompts_table"]

ASKED = {
    "name": "by name",
    "synonym": "by a synonym",
    "paraphrase": "by a paraphrase",
    "german": "in German",
    "french": "in French",
    "neighbour": "neighbour, by name",
    "others": "other eight, by name",
}
KEPT = ("neighbour", "others")


def prompts_table(record: Any) -> Any:
    """Return a table of the share of images that show the requested class: one row per method, one column per kind of
    prompt."""
    rows = {}
    for method in dict.fromkeys(one.method for one in record.all(metric="shown")):
        cells = {}
        for what, title in ASKED.items():
            one = record.find(metric="shown", method=method, test=what)
            cells[title] = over_interval(one.value, *(one.interval or (one.value, one.value)), 0)
        rows[method_title(method)] = cells
    caption = f"Images that show the requested class, in percent: {record.caption}"
    return table(rows, caption, size=0.72)


def prompts_plane(record: Any, *, title: str) -> Figure:
    """Plot, for each method, how much is left of the class under its name and under other words, and of the rest."""
    use_style()
    figure, axes = plt.subplots(figsize=(7.2, 4.4))
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    methods = list(dict.fromkeys(one.method for one in record.all(metric="shown")))
    for place, method in enumerate(methods):
        value = {what: record.find(metric="shown", method=method, test=what).value for what in ASKED}
        words = [value[what] for what in ASKED if what not in KEPT]
        axes.plot(words, [place] * len(words), "-", color=COLOURS["D_f"], lw=1)
        axes.plot(words[1:], [place] * 4, "|", color=COLOURS["D_f"], ms=13, mew=2)
        axes.plot(words[0], place, "o", color=COLOURS["D_f"], ms=8)
        axes.plot([value[what] for what in KEPT], [place - 0.25] * 2, "s", color=COLOURS["D_g"], ms=5)
    axes.plot([], [], "o", color=COLOURS["D_f"], label="forgotten class, by the forgotten name")
    axes.plot([], [], "|", color=COLOURS["D_f"], ms=11, mew=2, ls="", label="forgotten class, by other words")
    axes.plot([], [], "s", color=COLOURS["D_g"], label="neighbour and other classes, by name")
    axes.set(yticks=range(len(methods)), xlabel="images that show the requested class, %", xlim=(-3, 103))
    axes.set_yticklabels([method_title(method) for method in methods])
    axes.invert_yaxis()
    axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.16), ncols=1, fontsize=9.5)
    return figure


def prompts_search_table(found: Any) -> Any:
    """Return a table of the rates tried by a :class:`companion.comparison.search.Search`, with their scores; the chosen
    rate is bold."""
    rows: dict[str, dict[str, str]] = {}
    for name in dict.fromkeys(one.entrant for one in found.candidates):
        best = found.best(name)
        for place, one in enumerate(found.of(name), 1):
            text = f"{one.settings['lr']:g}: {one.score:.2f}"
            rows.setdefault(method_title(name), {})[f"rate {place}: score"] = f"<b>{text}</b>" if one == best else text
    spent = f"{found.budget.evaluations} gradient evaluations of {found.budget.batch_size} images per run"
    seen = f"{found.budget.n} images of the class by name and {3 * found.budget.n} of the others, seed {found.seed}"
    return table(rows, f"The search: {spent}; {seen}. A score of at most 1: forgotten and kept", size=0.72)


def cast_table(record: Any) -> Any:
    """Return a table of distances from a reference in 64 features, one row per set: with the right bytes and the wrong
    cast."""
    rows = {}
    for one in record.all(metric="distance", cast="right"):
        wrong = record.find(metric="distance", cast="wrong", method=one.method)
        rows[one.protocol["what"]] = {
            head: over_interval(value.value, *(value.interval or (value.value,) * 2))
            for head, value in (("right bytes", one), ("cast from [-1, 1]", wrong))
        }
    first = record.all(metric="distance")[0]
    where = f"{first.protocol['feature_network']}, {first.n} images against {first.protocol['reference_n']}"
    return table(rows, f"Fréchet distance. {where}. {record.caption}")


def latent_cost_table(record: Any) -> Any:
    """Return a table of trained weights, memory and hours of runs on Stable Diffusion."""
    rows = {}
    for one in record.all(metric="memory"):
        facts = {name: one.protocol[name] for name in ("trains", "batch_size")}
        hours, weights = (record.find(metric=metric, **facts) for metric in ("hours", "weights"))
        rows[f"{one.protocol['what']}, batches of {one.protocol['batch_size']}"] = {
            "weights trained": f"{weights.value:,.0f}",
            "memory, GiB": f"{one.value:.0f}",
            "hours": f"{hours.value:.1f}",
        }
    return table(rows, "Estimated from the architecture for one run of EraseDiff, not measured.")
