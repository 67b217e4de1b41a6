"""A set of images: one uint8 tensor, and what is known about each image.

Images stay integers until a batch is sampled. The conversion to a network's input (scale, flip, dequantisation) runs in
torch on the images' device, with random numbers from the given generator::

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
    """N images with one class each, or with yes-or-no attributes.

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
        """The shape of an image, (C, H, W)."""
        return tuple(self.images.shape[1:])

    @property
    def target(self) -> Tensor:
        """The labels [N], or the attribute values [N, attributes]."""
        return self.labels if self.labels is not None else self.values

    def attribute(self, name: str) -> Tensor:
        """Return the values of one attribute, bool [N]."""
        if name not in self.attributes:
            raise ValueError(f"{self.name} has no attribute {name!r}; it has {', '.join(self.attributes) or 'none'}")
        return self.values[:, self.attributes.index(name)]

    def only(self, chosen: Tensor, name: str | None = None) -> "Images":
        """Return the images selected by a mask [N] or by indices, in that order."""
        labels, values = (None if of is None else of[chosen] for of in (self.labels, self.values))
        return replace(self, name=name or self.name, images=self.images[chosen], labels=labels, values=values)

    def to(self, device: torch.device | str) -> "Images":
        """Return the same set on another device, so that batches need not be moved."""
        labels, values = (None if of is None else of.to(device) for of in (self.labels, self.values))
        return replace(self, images=self.images.to(device), labels=labels, values=values)

    def resized(self, size: int) -> "Images":
        """Return the same set at ``size`` x ``size`` pixels, bicubic with antialiasing; itself if it has that size."""
        if self.shape[1:] == (size, size):
            return self
        parts = [F.interpolate(part, (size, size), mode="bicubic", antialias=True) for part in self.images.split(1024)]
        return replace(self, images=torch.cat(parts))

    def batch(
        self, size: int, generator: torch.Generator, *, flip: bool = False, dequantise: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Sample ``size`` images with replacement; return them as a model's input, with their :attr:`target`."""
        chosen = torch.randint(len(self), (size,), generator=generator, device=generator.device)
        return self._at(chosen, generator, flip, dequantise)

    def epoch(
        self, size: int, generator: torch.Generator, *, flip: bool = False, dequantise: bool = False
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield batches that contain every image once, in random order; the last may be smaller."""
        for chosen in torch.randperm(len(self), generator=generator, device=generator.device).split(size):
            yield self._at(chosen, generator, flip, dequantise)

    def _at(self, chosen: Tensor, generator: torch.Generator, flip: bool, dequantise: bool) -> tuple[Tensor, Tensor]:
        chosen = chosen.to(self.images.device)
        return model_input(self.images[chosen], generator, flip=flip, dequantise=dequantise), self.target[chosen]


@dataclass(frozen=True, eq=False)
class Examples:
    """Images for training a model, with the way their batches are sampled.

    Args:
        images: the set.
        flip: mirror each image with probability 1/2.
        dequantise: sample a point of each pixel's interval (:func:`model_input`).
    """

    images: Images
    flip: bool = False
    dequantise: bool = False

    def __len__(self) -> int:
        return len(self.images)

    @property
    def labels(self) -> Tensor | None:
        """The labels of all images, [N], or None if they have no classes."""
        return self.images.labels

    def batch(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Sample ``size`` images with replacement, [size, C, H, W] in [-1, 1]; return them and their targets."""
        return self.images.batch(size, generator, flip=self.flip, dequantise=self.dequantise)


def model_input(
    images: Tensor, generator: torch.Generator | None = None, *, flip: bool = False, dequantise: bool = False
) -> Tensor:
    """Convert uint8 images [B, C, H, W] to float32 in [-1, 1], on their device.

    Args:
        images: uint8.
        generator: source of the random numbers, needed only for flips and dequantisation.
        flip: mirror each image left to right with probability 1/2.
        dequantise: use 2 (u8 + U[0, 1)) / 256 - 1, for likelihoods as densities, in place of 2 u8 / 255 - 1.
    """
    if (flip or dequantise) and generator is None:
        raise ValueError("flips and dequantisation need a generator")
    if flip:
        mirrored = torch.rand(len(images), generator=generator, device=generator.device).to(images.device) < 0.5
        images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    x = images.float()
    if dequantise:
        u = torch.rand(x.shape, generator=generator, device=generator.device).to(x.device)
        # float32 rounds 255 + u up to 256 for u close to 1: stay below 1 after scaling
        return ((x + u).clamp_(max=255.99998) / 128).sub_(1)
    return x.div_(127.5).sub_(1)


def to_uint8(x: Tensor, *, dequantised: bool = False) -> Tensor:
    """Convert model values back to pixels, clipping to [-1, 1]: the inverse of :func:`model_input`, with or without
    dequantisation. A model of dequantised pixels samples from each level's whole interval, so the floor is taken."""
    levels = x.add(1).mul(128).floor() if dequantised else x.add(1).mul(127.5).round()
    return levels.clamp(0, 255).to(torch.uint8)
