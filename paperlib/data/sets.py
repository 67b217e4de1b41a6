"""All image sets by name: the embedded ones, which need no download, and the real ones from the cache."""

from functools import lru_cache

import torch

from paperlib.data import avatars, cache, digits, shapes, sources
from paperlib.data.images import Images

__all__ = ["EMBEDDED", "NAMES", "classes", "load", "parts"]

#: Sets that come with the package.
EMBEDDED = ("digits", "shapes", "avatars")
#: All sets.
NAMES = (*EMBEDDED, *sources.SOURCES)

CLASSES = {"digits": digits.CLASSES, "shapes": shapes.CLASSES, "avatars": ()}
DRAWN = {"shapes": shapes.sample, "avatars": avatars.sample}
COUNT = {"train": 10_000, "test": 2_000}  # enough for a good small classifier; drawn in seconds
SEED = {"train": 0, "test": 1}


def parts(name: str) -> tuple[str, ...]:
    """Return the parts of a set: ``("train", "test")``, and ``"valid"`` for CelebA."""
    if name not in NAMES:
        raise ValueError(f"dataset={name!r} is not one of {', '.join(NAMES)}")
    return tuple(COUNT) if name in EMBEDDED else tuple(sources.SOURCES[name].parts)


def classes(name: str) -> tuple[str, ...]:
    """Return the names of a set's classes, in the order of its labels, without reading its images; none for a set with
    attributes."""
    if name not in NAMES:
        raise ValueError(f"dataset={name!r} is not one of {', '.join(NAMES)}")
    return CLASSES[name] if name in EMBEDDED else sources.SOURCES[name].classes


def load(name: str, part: str = "train", *, size: int | None = None, n: int | None = None) -> Images:
    """Load one part of a set; the images are the same every time.

    Args:
        name: one of :data:`NAMES`.
        part: one of :func:`parts`.
        size: pixels per side. Drawn sets are drawn at this size (default 32), others are resized to it.
        n: number of images. For drawn sets this many are drawn (by default 10,000 and 2,000), for others the first n
            are taken.
    """
    if part not in parts(name):
        raise ValueError(f"part={part!r} of {name} is not one of {', '.join(parts(name))}")
    for word, value in {"size": size, "n": n}.items():
        if value is not None and value < 1:
            raise ValueError(f"{word}={value} is not at least 1")
    if name in DRAWN:
        images = _drawn(name, part, n or COUNT[part], size or 32)
        return images.only(torch.arange(len(images)))  # a copy: the cached images stay unchanged
    images = digits.load(part) if name == "digits" else _cached(name, part)
    if n is not None:
        if n > len(images):
            raise ValueError(f"n={n}: {images.name} has {len(images)} images")
        images = images.only(torch.arange(n))
    return images.resized(size) if size else images


@lru_cache(maxsize=4)  # drawing takes seconds, and pages load often
def _drawn(name: str, part: str, n: int, size: int) -> Images:
    return DRAWN[name](n, torch.Generator().manual_seed(SEED[part]), size, name=f"{name}-{part}")


def _cached(name: str, part: str) -> Images:
    stem = sources.file_stem(name, part)
    arrays = cache.read(stem, sources.command(name))
    # A view: the file's memory layout is torch's channels_last.
    images = torch.from_numpy(arrays["images"]).permute(0, 3, 1, 2)
    if "attributes" in arrays:
        values = torch.from_numpy(arrays["attributes"] > 0)
        return Images(stem, images, attributes=tuple(str(word) for word in arrays["names"]), values=values)
    classes = sources.SOURCES[name].classes
    return Images(stem, images, classes=classes, labels=torch.from_numpy(arrays["labels"].astype("int64")))
