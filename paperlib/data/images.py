"""A set of images: one uint8 tensor, and what is known about each image.

Images stay integers until a batch is drawn. What makes a network's input of them (scale, flip, dequantisation) runs in
torch on the device that holds them, and draws from a named generator::

    x, y = dataset.batch(128, generator, flip=True)      # [128, C, H, W] in [-1, 1]
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["Examples", "Images", "model_input", "to_uint8"]


@dataclass(frozen=True, eq=False)
class Images:
    """N images with a class each, or with yes-or-no attributes.

    Args:
        name: the set and its part, such as ``"cifar10-train"``.
        images: uint8 [N, C, H, W].
        classes: the classes' names; ``labels`` index them.
        labels: int64 [N], or None.
        attributes: the attributes' names, in the order of the columns of ``values``.
        values: bool [N, attributes], or None.
    """

    name: str
    images: Tensor
    classes: tuple[str, ...] = ()
    labels: Tensor | None = None
    attributes: tuple[str, ...] = ()
    values: Tensor | None = None

    def __post_init__(self):
        if self.images.dtype != torch.uint8 or self.images.ndim != 4:
            raise ValueError(
                f"{self.name}: images must be uint8 [N, C, H, W]; got {self.images.dtype} {list(self.images.shape)}"
            )
        if (self.labels is None) == (self.values is None):
            raise ValueError(f"{self.name}: either labels or attribute values, not both or neither")
        if len(self.target) != len(self.images):
            raise ValueError(f"{self.name}: {len(self.images)} images, but labels or values of {len(self.target)}")
        if self.labels is not None:
            if len(self) and not 0 <= self.labels.min() <= self.labels.max() < len(self.classes):
                raise ValueError(f"{self.name}: a label is outside of its {len(self.classes)} classes")
        elif self.values.dtype != torch.bool or self.values.shape[1:] != (len(self.attributes),):
            raise ValueError(f"{self.name}: values must be bool, one column for each of {len(self.attributes)} names")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return tuple(self.images.shape[1:])

    @property
    def target(self) -> Tensor:
        """Labels [N], or attribute values [N, attributes]."""
        return self.labels if self.labels is not None else self.values

    def attribute(self, name: str) -> Tensor:
        """The column of one attribute, bool [N]."""
        if name not in self.attributes:
            raise ValueError(f"{self.name} has no attribute {name!r}; it has {', '.join(self.attributes) or 'none'}")
        return self.values[:, self.attributes.index(name)]

    def only(self, chosen: Tensor, name: str | None = None) -> "Images":
        """The images that a mask [N] or indices choose, in that order."""
        labels, values = (None if of is None else of[chosen] for of in (self.labels, self.values))
        return replace(self, name=name or self.name, images=self.images[chosen], labels=labels, values=values)

    def to(self, device: torch.device | str) -> "Images":
        """The same set on another device: moved once, so that no batch has to be."""
        labels, values = (None if of is None else of.to(device) for of in (self.labels, self.values))
        return replace(self, images=self.images.to(device), labels=labels, values=values)

    def resized(self, size: int) -> "Images":
        """The same set at ``size`` x ``size`` pixels, bicubic with antialiasing; itself where nothing changes."""
        if self.shape[1:] == (size, size):
            return self
        parts = [F.interpolate(part, (size, size), mode="bicubic", antialias=True) for part in self.images.split(1024)]
        return replace(self, images=torch.cat(parts))

    def batch(
        self, size: int, generator: torch.Generator, *, flip: bool = False, dequantise: bool = False
    ) -> tuple[Tensor, Tensor]:
        """``size`` images drawn with replacement, as a model's input, and what is known of them."""
        chosen = torch.randint(len(self), (size,), generator=generator, device=generator.device)
        return self._at(chosen, generator, flip, dequantise)

    def epoch(
        self, size: int, generator: torch.Generator, *, flip: bool = False, dequantise: bool = False
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches that hold every image once, in a random order; the last may be smaller."""
        for chosen in torch.randperm(len(self), generator=generator, device=generator.device).split(size):
            yield self._at(chosen, generator, flip, dequantise)

    def _at(self, chosen: Tensor, generator: torch.Generator, flip: bool, dequantise: bool) -> tuple[Tensor, Tensor]:
        chosen = chosen.to(self.images.device)
        return model_input(self.images[chosen], generator, flip=flip, dequantise=dequantise), self.target[chosen]


@dataclass(frozen=True, eq=False)
class Examples:
    """Images as a model is trained on them, and how each batch of them is drawn.

    Args:
        images: the set.
        flip: mirror each image with probability 1/2.
        dequantise: draw a point of each pixel's interval (:func:`model_input`).
    """

    images: Images
    flip: bool = False
    dequantise: bool = False

    def __len__(self) -> int:
        return len(self.images)

    @property
    def labels(self) -> Tensor | None:
        """Of all images, [N], where they have classes."""
        return self.images.labels

    def batch(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """``size`` images drawn with replacement, [size, C, H, W] in [-1, 1], and what is known of them."""
        return self.images.batch(size, generator, flip=self.flip, dequantise=self.dequantise)


def model_input(
    images: Tensor, generator: torch.Generator | None = None, *, flip: bool = False, dequantise: bool = False
) -> Tensor:
    """uint8 [B, C, H, W] as float32 in [-1, 1], on the images' device.

    Args:
        images: uint8.
        generator: what flips and dequantisation draw from; only they need one.
        flip: mirror each image left to right with probability 1/2.
        dequantise: 2 (u8 + U[0, 1)) / 256 - 1, the density model of likelihoods, in place of 2 u8 / 255 - 1.
    """
    if (flip or dequantise) and generator is None:
        raise ValueError("flips and dequantisation need a generator")
    if flip:
        mirrored = torch.rand(len(images), generator=generator, device=generator.device).to(images.device) < 0.5
        images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    x = images.float()
    if dequantise:
        u = torch.rand(x.shape, generator=generator, device=generator.device).to(x.device)
        # float32 rounds 255 + u up to 256 for u next to 1: stay below 1 after scaling
        return ((x + u).clamp_(max=255.99998) / 128).sub_(1)
    return x.div_(127.5).sub_(1)


def to_uint8(x: Tensor, *, dequantised: bool = False) -> Tensor:
    """Model values back to pixels, clipped outside [-1, 1]: the inverse of :func:`model_input`, with or without
    dequantisation. A model of dequantised pixels draws each level's whole interval, and its floor is the level."""
    levels = x.add(1).mul(128).floor() if dequantised else x.add(1).mul(127.5).round()
    return levels.clamp(0, 255).to(torch.uint8)
