"""Contact sheets of images, which a record keeps as PNG files, and how a page shows them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from companion.plots.style import use_style

__all__ = ["before_and_after", "contact_sheet", "picture", "save_sheet"]

CHARACTERS = 96  # of column names in 7.5 points that fit side by side


def contact_sheet(rows: Mapping[str, Tensor], columns: int = 12, scale: int = 1) -> np.ndarray:
    """Return a sheet, uint8 [H', W', 3], with one row per name: its first ``columns`` images, with white gaps.

    Images are uint8 [N, C, H, W]. ``scale`` repeats every pixel, for images so small that a viewer would blur them.
    """
    sheet = []
    for images in rows.values():
        row = images[:columns]
        row = torch.cat([row, row.new_full((columns - len(row), *row.shape[1:]), 255)])
        row = row.expand(-1, 3, -1, -1).repeat_interleave(scale, 2).repeat_interleave(scale, 3)
        row = torch.nn.functional.pad(row, (0, 2, 0, 2), value=255)  # a gap on the right and below
        sheet.append(torch.cat(list(row), 2))
    return torch.cat(sheet, 1).permute(1, 2, 0).numpy()


def before_and_after(before: Tensor, after: Tensor, columns: int, side: int) -> np.ndarray:
    """Return a contact sheet with ``columns`` images a row: each row of ``before`` has that of ``after`` below it.

    Images are uint8 [N, C, S, S]; larger ones are averaged down to ``side`` pixels.
    """
    rows = {}
    for k, pair in enumerate(zip(before.split(columns), after.split(columns), strict=True)):
        rows |= {f"{name} {k}": thumbnails(images, side) for name, images in zip(("before", "after"), pair)}
    return contact_sheet(rows, columns)


def thumbnails(images: Tensor, side: int) -> Tensor:
    """Return uint8 images [N, C, S, S] at ``side`` pixels, averaged over areas; smaller ones stay as they are."""
    if images.shape[-1] <= side:
        return images
    return torch.nn.functional.adaptive_avg_pool2d(images.float(), side).round().to(torch.uint8)


def save_sheet(sheet: np.ndarray, file: Path) -> Path:
    """Write a contact sheet as PNG and return its path."""
    plt.imsave(file, sheet)
    return file


def picture(file: Path, *, names: list[str], title: str, columns: Sequence[str] = ()) -> Figure:
    """Show a contact sheet from its file, with the name of every row, and of every column if there are ``columns``."""
    use_style()
    sheet = plt.imread(file)
    height, width = sheet.shape[:2]
    figure, axes = plt.subplots(figsize=(7.2, 5.6 * height / width + 0.5))
    axes.imshow(sheet, interpolation="nearest")
    axes.set(xticks=[], yticks=[(k + 0.5) * height / len(names) for k in range(len(names))], yticklabels=names)
    axes.tick_params(length=0, labelsize=10)
    if columns:
        texts = [fill(column, CHARACTERS // len(columns)) for column in columns]
        axes.xaxis.tick_top()
        axes.set_xticks([(k + 0.5) * width / len(columns) for k in range(len(columns))], texts, fontsize=7.5)
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    return figure
