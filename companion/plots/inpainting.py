"""Inpainting of the hidden half of images: the table of both inpainters, and the images."""

from pathlib import Path
from typing import Any

from companion.claims import load, split
from companion.claims.names import data_title, method_title
from companion.plots.images import picture
from companion.plots.tables import of, over_interval, table

__all__ = ["inpainting_table", "restored_images"]

WAYS = {"replacement": "replacement", "repaint": "RePaint"}
COLUMNS = [f"{way}, {side}, %" for way in WAYS.values() for side in ("D_g", "D_f")]
DATA = {"mnist": ("mnist", "digits"), "cifar10": ("cifar10", "shapes")}  # a setting's own data, and its stand-in
DATA |= {"celeba": ("celeba", "avatars")}


def inpainting_table(record: Any) -> Any:
    """Return a table of the share of restored images that keep their class: one row per model, one column per side and
    inpainter in the record. The values printed in SGU's Table 3 are below."""
    lines = {}
    for value in record.all(unit="percent"):
        facts = value.protocol
        if "way" in facts:
            name = of(data_title(value.dataset), facts["forget"]), method_title(value.method)
            cell = over_interval(value.value, *(value.interval or [value.value] * 2), 0)
            lines.setdefault(name, dict.fromkeys(COLUMNS, ""))[f"{WAYS[facts['way']]}, {facts['test']}, %"] = cell
    for claim in load().values():
        if split(claim.id)[0] == "sgu.tab3_accuracy" and claim.method != "clean":
            name = of(f"printed: {data_title(claim.dataset)}", claim.forget), method_title(claim.method)
            lines.setdefault(name, dict.fromkeys(COLUMNS, ""))[f"replacement, {claim.test}, %"] = f"{claim.value:.1f}"
    heads = [head for head in COLUMNS if any(cells[head] for cells in lines.values())]
    return table({name: {head: cells[head] for head in heads} for name, cells in lines.items()}, record.caption)


def restored_images(record: Any, file: Path, words: str) -> Any:
    """Show one side's images of a setting, one row per model below the originals; nothing if the record has none."""
    if file.name not in record.images:
        return None
    setting = file.stem.split("-")[-2]
    values = [value for value in record.all(way="replacement") if value.dataset in DATA[setting]]
    names = ["original", *dict.fromkeys(method_title(value.method) for value in values)]
    title = f"{data_title(values[0].dataset)}, {words}: seed {values[0].seeds[0]}, profile {record.profile}"
    return picture(file, names=names, title=title)
