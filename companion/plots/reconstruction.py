"""Images reconstructed after noising: the table, the curve over t, and the images."""

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from companion.claims import load, split
from companion.claims.names import data_title, method_title
from companion.plots.images import picture
from companion.plots.style import COLOURS, use_style
from companion.plots.tables import of, over_interval, table

__all__ = ["reconstruction_curves", "reconstruction_table", "returned_images"]

KINDS = {"accuracy": ("percent", "accuracy, %", 0), "feature distance": ("distance of features", "feature distance", 1)}
MODELS = {"standard": "standard", "unseen": "unseen", "sgu_orthogonal": "orthogonal", "sgu_obtuse": "obtuse"}
MODELS |= {"finetune": "paper", "negate": "negate"}
BROKEN = {"negate": "--", "finetune": ":"}
DATA = {"mnist": ("mnist", "digits"), "cifar10": ("cifar10", "shapes")}  # a row's own data, and its stand-in


def _kind(value: Any) -> str:
    return value.protocol["metric"].partition(",")[0]


def reconstruction_table(record: Any) -> Any:
    """Both reconstructions at the paper's t: one row per model, one column per measure and side, the paper's value
    below each."""
    lines: dict[Any, dict[str, str]] = {}
    for value in record.all(t=record.parameters["t"]):
        facts, (_, head, digits) = value.protocol, KINDS.get(_kind(value), ("", "CLIP distance", 2))
        name = of(data_title(value.dataset), facts["forget"]), method_title(value.method)
        cell = over_interval(value.value, *(value.interval or [value.value] * 2), digits)
        lines.setdefault(name, {})[f"{facts['way']}: {head}, {facts['test']}"] = cell
    heads = dict.fromkeys(head for cells in lines.values() for head in cells)
    for claim in load().values():
        if split(claim.id)[0] == "sgu.tab4_accuracy":
            name = of(f"printed: {data_title(claim.dataset)}", claim.forget), method_title(claim.method)
            lines.setdefault(name, {})[f"image: accuracy, %, {claim.test}"] = f"{claim.value:.1f}"
    return table(
        {name: {head: cells.get(head, "") for head in heads} for name, cells in lines.items()}, record.caption, size=0.7
    )


def reconstruction_curves(record: Any, *, title: str, dataset: str = "") -> Figure | None:
    """Accuracy (top) and feature distance (bottom) against t on a data set, by default the record's first, with their
    intervals: one column per side, one line per model, broken for exact negation, which may lie on Unseen's, and for
    fine-tuning alone. Nothing if the record lacks the data set."""
    first = dataset or record.all(way="image")[0].dataset
    if not record.all(way="image", dataset=first):
        return None
    use_style()
    figure, axes = plt.subplots(2, 2, figsize=(8.6, 5.6), sharex=True, sharey="row")
    figure.suptitle(f"{data_title(first)}. {title}", fontsize=12, x=0.02, ha="left")
    for line, (kind, (unit, head, _)) in zip(axes, KINDS.items()):
        for axis, side in zip(line, ("D_g", "D_f")):
            for method, colour in MODELS.items():
                own = record.all(way="image", test=side, method=method, dataset=first, unit=unit)
                points = sorted((one.protocol["t"], one.value) for one in own)
                if points:
                    told = dict(color=COLOURS[colour], ls=BROKEN.get(method, "-"))
                    axis.plot(*zip(*points), marker="o", ms=4, label=method_title(method), **told)
                for one in own:
                    if one.interval:
                        axis.vlines(one.protocol["t"], *one.interval, color=COLOURS[colour], lw=1)
            axis.axvline(record.parameters["t"], color="#999999", ls=":", lw=1)
            axis.set(xscale="log")
            axis.xaxis.set_major_locator(
                FixedLocator(sorted({one.protocol["t"] for one in record.all(way="image", dataset=first)}))
            )
            axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
            axis.xaxis.set_minor_locator(NullLocator())
            axis.set_title(f"{head}, ${side}$", loc="left", fontsize=10)
    for axis in axes[1]:
        axis.set_xlabel("$t$ of VP with the same $\\sigma / \\alpha$", fontsize=9.5)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=8.5)
    return figure


def returned_images(record: Any, file: Path, words: str) -> Any:
    """One side's images of a data set, one row per model below the originals; nothing if the record has none."""
    if file.name not in record.images:
        return None
    data = next((DATA[word] for word in file.stem.split("-") if word in DATA), DATA["mnist"])
    values = [one for one in record.all(way="image", t=record.parameters["t"]) if one.dataset in data]
    names = ["original", *dict.fromkeys(method_title(one.method) for one in values)]
    title = f"{data_title(values[0].dataset)}, {words}: seed {values[0].seeds[0]}, profile {record.profile}"
    return picture(file, names=names, title=title)
