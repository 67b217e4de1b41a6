"""Samples of SGU's models from the same noise, with their counts."""

from pathlib import Path
from typing import Any

from companion.claims.names import data_title, method_title
from companion.plots.images import picture
from companion.plots.tables import of, over_interval, table

__all__ = ["sample_counts", "sample_grid"]

SETS = {"mnist": ("mnist", "digits"), "cifar10": ("cifar10", "shapes"), "stl10": ("stl10", "shapes")}
SETS |= {"celeba": ("celeba", "avatars")}  # a row's own data, and its stand-in


def sample_grid(record: Any, file: Path) -> Any:
    """The sample grid of a table row, one line per model with its UR; nothing if the record has none."""
    if file.name not in record.images:
        return None
    row = file.stem.rpartition("-")[2]
    values = [one for one in record.all(metric="ur") if one.dataset in SETS[row]]
    if row in ("cifar10", "stl10"):  # shapes stand in for both
        values = [one for one in values if (one.protocol["forget"].count(",") == 1) == (row == "cifar10")]
    names = [f"{method_title(one.method)}\n{one.per_seed[0]:.1f} %" for one in values]
    title = f"{data_title(values[0].dataset)}: seed {values[0].seeds[0]}, profile {record.profile}"
    return picture(file, names=names, title=title)


def sample_counts(record: Any) -> Any:
    """One row per model: the share of samples that show D_f, and the share of other samples that changed."""
    lines = {}
    for one in record.all(metric="ur"):
        facts = {"dataset": one.dataset, "method": one.method, "forget": one.protocol["forget"]}
        moved = record.all(metric="changed class", **facts)
        cells = {"UR, %": one, "other images that changed class, %": moved[0] if moved else None}
        name = of(data_title(one.dataset), one.protocol["forget"]), method_title(one.method)
        lines[name] = {
            head: over_interval(value.value, *(value.interval or [value.value] * 2), 1) if value else ""
            for head, value in cells.items()
        }
    return table(lines, record.caption)
