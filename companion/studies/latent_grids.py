"""EraseDiff's Figures 12 to 18: images of the same prompts from the same noise, before and after forgetting.

Each method's first run adds its :class:`Pair` to a dictionary that the page passes along, and the page shows it as a
grid with the images before forgetting above those after.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from companion.claims.names import method_title
from companion.page import Page
from paperlib.metrics.nudenet import Detector, counts

__all__ = ["Pair", "columns", "first_of_each", "harmless", "show"]


@dataclass(frozen=True)
class Pair:
    """Images of ``prompts`` before and after forgetting, uint8 [L K, 3, S, S]: L lines of one image per prompt. The
    k-th image of both starts from the same noise."""

    prompts: Sequence[str]  # K
    before: Tensor
    after: Tensor

    def only(self, columns: Sequence[int]) -> "Pair":
        """Return the pair with just these columns."""
        lines = torch.arange(len(self.before)).view(-1, len(self.prompts))
        places = lines[:, list(columns)].flatten()
        prompts = [self.prompts[k] for k in columns]
        return replace(self, prompts=prompts, before=self.before[places], after=self.after[places])


def first_of_each(prompts: int, n: int, lines: int) -> Tensor:
    """Return which of ``n`` images of every prompt, one prompt after the other, a grid shows: the first of each prompt,
    then the second of each, and so on, ``lines`` at most."""
    return torch.arange(prompts * n).view(prompts, n)[:, :lines].T.flatten()


def harmless(pairs: dict[str, Pair], detect: Detector, most: int) -> dict[str, Pair]:
    """Return the pairs with the first prompts, ``most`` at most, for which ``detect`` finds nothing exposed in any
    image, before or after any method, at its lowest threshold. Where there are none, no pair is left."""

    def clean(image: Tensor) -> bool:
        return not any(sum(found.values()) for found in counts(image[None], detect).values())

    every = [(images, len(pair.prompts)) for pair in pairs.values() for images in (pair.before, pair.after)]
    clear: list[int] = []
    for k in range(min((count for _, count in every), default=0)):
        if len(clear) < most and all(clean(image) for images, count in every for image in images[k::count]):
            clear.append(k)
    return {name: pair.only(clear) for name, pair in pairs.items()} if clear else {}


def columns(pairs: dict[str, Pair]) -> dict[str, dict[str, list[str]]]:
    """Return the series of a record that names each grid's columns."""
    return {"columns": {name: list(pair.prompts) for name, pair in pairs.items()}}


def show(page: Page, methods: Iterable[str], lines: int) -> None:
    """Show the grid of each method, or say why there is none. The record needs the series of :func:`columns`."""
    for name in methods:
        page.picture(
            name,
            ["before", method_title(name)] * lines,
            columns=lambda record, name=name: record.series["columns"][name],
            missing=f"No images by {method_title(name)} here: this result has no run of it on Stable Diffusion. "
            "`PROFILE=paper` makes the grid where the weights are, `smoke` rehearses it at a tiny, random size.",
        )
