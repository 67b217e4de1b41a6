"""EraseDiff's Figure 5 as a figure and a table."""

from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from companion.claims.names import data_title
from companion.plots.style import COLOURS, use_style
from companion.plots.tables import over_interval, table

__all__ = ["ablated", "ablated_means", "ablation_curves", "ablation_table"]

LOOKS = {"paper": (COLOURS["standard"], "as printed"), "code": (COLOURS["obtuse"], "public code")}
LOOKS |= {"corrected": (COLOURS["D_g"], "corrected")}
METRICS = {"rest-frechet": "distance", "entropy": "entropy, nats"}


def newest(record: Any) -> str:
    """Return the data set that was recorded last."""
    return record.all(metric="entropy")[-1].dataset


def ablated(record: Any, metric: str, variant: str, dial: str, dataset: str = "") -> list[Any]:
    """Return a variant's values along one setting, ascending: eta at the least K, or K at eta = 0.1 (the code's lambda
    = 0.1). The default data set is the newest."""
    of = {"metric": metric, "dataset": dataset or newest(record)}
    found = [one for one in record.all(variant=variant, **of) if dial in one.protocol]
    least = min(one.protocol["K"] for one in record.all(method="erasediff_ablation", **of))
    if dial == "eta":
        found = [one for one in found if one.protocol["K"] == least]
    else:
        found = [one for one in found if one.protocol.get("eta", 0.1) == 0.1]
    return sorted(found, key=lambda one: one.protocol[dial])


def ablated_means(record: Any, dataset: str, metric: str, variant: str = "paper", dial: str = "eta") -> list[float]:
    """Return a variant's values along one setting on a data set, as numbers: means over seeds."""
    return [one.value for one in ablated(record, metric, variant, dial, dataset)]


def ablation_curves(record: Any, *, title: str) -> Figure:
    """Distance and entropy against eta and against K, on the data set that was recorded last."""
    use_style()
    figure, panels = plt.subplots(2, 2, figsize=(8.2, 5.2), sharex="col", sharey="row")
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    dataset = newest(record)
    panels[0][0].set_title(data_title(dataset), fontsize=11, loc="left")
    for row, (metric, label) in zip(panels, METRICS.items()):
        before = record.find(metric=metric, method="unscrubbed", dataset=dataset).value
        for axes, dial in zip(row, ("eta", "K")):
            axes.axhline(before, color=COLOURS["exact"], ls=":", lw=1.2)
            for variant, (colour, name) in LOOKS.items():
                if not (found := ablated(record, metric, variant, dial)):
                    continue
                xs = [one.protocol[dial] for one in found]
                axes.plot(xs, [one.value for one in found], "-", color=colour, label=name)
                for x, one in zip(xs, found):
                    axes.plot([x] * len(one.per_seed), one.per_seed, "o", ms=4, color=colour)
        row[0].set_ylabel(label)
    panels[0][0].set(xscale="log", yscale="log")
    for axes in (panels[0][0],):
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "25" else "")
    panels[1][0].set_xlabel(r"$\eta$, at the smallest $K$")
    panels[1][1].set_xlabel(r"$K$, at $\eta = 0.1$")
    figure.legend(*panels[0][1].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def ablation_table(record: Any) -> Any:
    """The distance, P(c_f | x_f) and the entropy, one row per run; the newest data set first."""
    rows, datasets = {}, sorted({one.dataset for one in record.all(metric="entropy")})
    datasets.sort(key=newest(record).__ne__)
    for far in record.all(metric="rest-frechet"):
        facts = {key: far.protocol[key] for key in ("variant", "eta", "lam", "K") if key in far.protocol}
        name = "before" if far.method == "unscrubbed" else LOOKS[facts["variant"]][1]
        dials = [f"{sign} = {facts[key]:g}" for key, sign in (("eta", "η"), ("lam", "λ"), ("K", "K")) if key in facts]
        cells = {}
        for head, metric, digits in (
            ("distance", "rest-frechet", 1),
            ("P(c_f|x_f)", "p_forget", 2),
            ("entropy", "entropy", 2),
        ):
            one = record.find(metric=metric, method=far.method, dataset=far.dataset, **facts)
            cells[head] = over_interval(one.value, *(one.interval or (one.value,) * 2), digits)
        rows[datasets.index(far.dataset), name, ", ".join(dials)] = cells
    several = len(datasets) > 1
    ordered = sorted(rows.items(), key=lambda one: one[0][:2])
    named = {((data_title(datasets[k]),) if several else ()) + tuple(key): cells for (k, *key), cells in ordered}
    return table(named, f"{record.title}.", size=0.75)
