"""Figures and tables of the EraseDiff pages."""

from itertools import product
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from companion.claims.names import method_title
from companion.claims.verdicts import ordering, step
from companion.plots.style import COLOURS, use_style
from companion.plots.tables import over_interval, table
from paperlib.metrics.rule import FARTHER, FEWER

__all__ = ["erased_orders", "erased_plane", "erased_table", "nearest", "obeyed_table", "protocol_moves", "tried_plane"]

LOOKS = {"unscrubbed": ("#000000", "o"), "unseen": ("#000000", "*"), "finetune": ("#777777", "o")}
LOOKS |= {"neggrad": ("#777777", "v"), "blindspot": ("#777777", "s"), "negate": (COLOURS["negate"], "^")}
LOOKS |= {"selective_amnesia": (COLOURS["obtuse"], "D"), "salun": (COLOURS["orthogonal"], "s")}
LOOKS |= {"erasediff_rl": (COLOURS["standard"], "P"), "erasediff_noise": (COLOURS["unseen"], "P")}
COLUMNS = {"FID": ("fid", 2), "distance": ("rest-frechet", 2), "precision": ("precision", 2), "recall": ("recall", 2)}
COLUMNS |= {"P(c_f|x_f)": ("p_forget", 2), "entropy, nats": ("entropy", 2)}
ORDERED = {"less is left, P(c_f|x_f)": "p_forget", "the others are nearer, distance": "rest-frechet"}


def _value(record: Any, metric: str, method: str) -> Any:
    found = record.all(metric=metric, method=method) or record.all(metric=f"classifier {metric}", method=method)
    return found[0] if found else None


def erased_table(record: Any) -> Any:
    """The quality of the retained classes and what is left of the forgotten one, one row per model; a method's searched
    settings come below its published ones, whenever they were recorded."""
    rows: dict[str, dict[str, str]] = {}
    found = record.all(metric="p_forget") or record.all(metric="fid")
    for one in sorted(found, key=lambda one: list(LOOKS).index(_published(one))):
        cells = {}
        for head, (metric, decimals) in COLUMNS.items():
            if value := _value(record, metric, one.method):
                cells[head] = over_interval(value.value, *(value.interval or (value.value,) * 2), decimals)
        rows[method_title(one.method)] = cells
    fid = next(iter(record.all(metric="fid")), None)
    note = f" FID, precision and recall: {fid.n:,} images, seed {fid.seeds[0]}." if fid else ""
    return table(rows, f"{record.title}.{note}", size=0.75)


def _published(one: Any) -> str:
    return one.method.partition("_searched")[0]


def erased_orders(record: Any) -> Any:
    """EraseDiff against its rivals at equal cost, by paired seeds: the differences in what is left of the class and in
    the distance of the others, with the verdict on EraseDiff's being the smaller. A method whose search found its
    published settings stands with these. None for a run without such a pair."""
    have = {one.method for one in record.all(metric="p_forget")}
    lines: dict[tuple[str, str, str], dict[str, str]] = {}
    for suffix, words in (("", "published"), ("_searched", "searched")):
        if not any(name.endswith(suffix) for name in have):
            continue
        for pair in product(("erasediff_rl", "erasediff_noise"), ("selective_amnesia", "salun")):
            own, rival = (name + suffix * (name + suffix in have) for name in pair)
            if {own, rival} <= have:
                lines[words, *map(method_title, pair)] = {
                    head: _order(*(record.find(metric=metric, method=name) for name in (own, rival)))
                    for head, metric in ORDERED.items()
                }
    if not lines:
        return None
    style = table(lines, f"{record.title}. Differences: the first method's minus the second's.", size=0.75)
    return style.set_table_styles([{"selector": "td", "props": [("text-align", "left")]}], overwrite=False)


def _order(own: Any, rival: Any) -> str:
    gap, *interval = step(rival, own)
    low, high = interval or (gap, gap)
    return f"{over_interval(gap, low, high)} {ordering(own, rival)}"


def erased_plane(record: Any, *, title: str) -> Figure | None:
    """What is left of the forgotten class against the distance of the retained classes, with 95 % intervals.

    A dotted line leads from a method's published settings (filled) to its searched ones (open). None for a run of FID
    alone.
    """
    if not record.all(metric="p_forget"):
        return None
    use_style()
    figure, axes = plt.subplots(figsize=(7.2, 4.4))
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    for one in record.all(metric="p_forget"):
        name, searched, _ = one.method.partition("_searched")
        (colour, marker), far = LOOKS[name], record.find(metric="rest-frechet", method=one.method)
        bars = {f"{axis}err": _bar(value) for axis, value in (("x", far), ("y", one)) if value.interval}
        own = {"fmt": marker, "color": colour, "ms": 9, "elinewidth": 0.8}
        own |= {"mfc": "white"} if searched else {"label": method_title(name)}
        axes.errorbar(far.value, one.value, **bars, **own)
        if searched:
            start = (record.find(metric=metric, method=name).value for metric in ("rest-frechet", "p_forget"))
            axes.plot(*zip(start, (far.value, one.value)), color=colour, lw=0.8, ls=":")
    axes.set(
        xscale="log", xlabel="Fréchet distance of the retained classes", ylabel=r"$P(c_f \mid x_f)$", ylim=(-0.03, 1.03)
    )
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "25" else "")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper", fontsize=9.5)
    return figure


def _bar(value: Any) -> list[list[float]]:
    low, high = value.interval
    return [[value.value - low], [high - value.value]]


def nearest(record: Any, method: str) -> dict[str, Any] | None:
    """Return the candidate of a method's search with the smallest distance among those that forget by the book's rule:
    the methods at equal forgetting. None if none of them forgets."""
    search = record.series["tried"]
    forgot = [one for one in search["candidates"][method] if FEWER * one["ur"] <= search["ur"]]
    return min(forgot, key=lambda one: one["distance"], default=None)


def tried_plane(record: Any, *, title: str) -> Figure | None:
    """Every candidate of the search, by the images that show the class and the distance from the base model's images;
    the lines join those that no other candidate of the method beats in both, and the shaded area is the book's rule.

    Reads the series ``tried`` (:func:`companion.studies.label_search.tried`); None without it.
    """
    if not (search := record.series.get("tried")):
        return None
    use_style()
    figure, axes = plt.subplots(figsize=(7.2, 4.2))
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    for name, several in search["candidates"].items():
        colour, marker = LOOKS[name]
        points = sorted((one["distance"], one["ur"]) for one in several)
        axes.plot(*zip(*points), marker, color=colour, ms=6, mfc="white")
        front = [point for k, point in enumerate(points) if all(point[1] < ur for _, ur in points[:k])]
        axes.plot(*zip(*front), f"{marker}-", color=colour, ms=6, lw=1.2, label=method_title(name))
    axes.axhline(search["ur"], color=COLOURS["exact"], ls=":", lw=1.2)
    far, left = FARTHER * search["distance"], search["ur"] / FEWER
    axes.set(xscale="log", xlabel="Fréchet distance from the base model's images", ylabel="shown when asked, %")
    axes.fill_between([axes.get_xlim()[0], far], -3, left, color=COLOURS["D_g"], alpha=0.12, lw=0)
    axes.set_ylim(-3, None)
    axes.margins(x=0)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper", fontsize=9.5)
    return figure


def protocol_moves(record: Any, *, title: str) -> Figure | None:
    """FID or the distance of one model against sampler steps, one line per guidance and number of images (dotted: the
    fewest).

    Reads the series ``moves`` (:func:`companion.studies.erasediff_measures.moves`) and ``moved``, its name; None for a
    run of some measures, which has no such series.
    """
    if "moves" not in record.series:
        return None
    use_style()
    moves = record.series["moves"]
    figure, axes = plt.subplots(figsize=(7.2, 3.9))
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    ns = sorted({one["n"] for one in moves})
    for guidance, colour in zip(sorted({one["guidance"] for one in moves}), (COLOURS["standard"], COLOURS["obtuse"])):
        for n, style in zip(ns, (":", "--", "-")[-len(ns) :]):
            line = [one for one in moves if (one["guidance"], one["n"]) == (guidance, n)]
            xs, ys = [one["steps"] for one in line], [one["value"] for one in line]
            own = {"color": colour, "ls": style, "marker": "o", "ms": 4, "label": f"w = {guidance:g}, n = {n:,}"}
            axes.plot(xs, ys, **own)
            if n == ns[-1]:
                axes.fill_between(
                    xs, [one["low"] for one in line], [one["high"] for one in line], color=colour, alpha=0.12
                )
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="sampler steps",
        ylabel=f"{record.series.get('moved', 'distance')} of the retained classes",
    )
    axes.set_xticks(sorted({one["steps"] for one in moves}), sorted({one["steps"] for one in moves}), minor=False)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_formatter(lambda value, _: "")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "25" else "")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper", fontsize=9.5)
    return figure


def obeyed_table(record: Any) -> Any:
    """The share of images that show the requested class, and the classifier's most frequent answer for the first seed:
    one row per class, one column per model."""
    rows: dict[str, dict[str, str]] = {}
    for one in record.all(metric="obeyed"):
        asked = one.protocol["asked"]
        word = record.series["words"][one.method][asked]
        note = "" if word == asked else f", mostly {word}"
        cell = f"{one.value:.0f} %{note}<br><small>of {len(one.seeds)} × {one.n}</small>"
        rows.setdefault(asked, {})[method_title(one.method)] = cell
    return table(rows, f"{record.title}. Mostly: the classifier's most frequent label, seed {one.seeds[0]}.", size=0.78)
