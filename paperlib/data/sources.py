"""The real sets as published by their authors, downloaded and decoded by torchvision into arrays for the cache.

Downloads go to the data folder, in torchvision's layout, and files that are already there are used.
"""

import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from paperlib.data import cache

__all__ = ["SOURCES", "DownloadFailed", "Source", "prepare"]

SECONDS = 60.0  # longest wait for a silent server


class DownloadFailed(RuntimeError):
    """Raised if a set could be neither found nor downloaded."""


@dataclass(frozen=True)
class Source:
    """The source of a set: its torchvision class, the folder of its files, its parts with torchvision's arguments for
    them, its classes and its size.

    ``resize`` is the side to which the central squares of images are resized; 0 if all images have one shape and keep
    it.
    """

    loader: str
    place: str
    parts: dict[str, dict[str, Any]]
    classes: tuple[str, ...] = ()
    resize: int = 0


#: All real sets, by the names that commands and pages use.
SOURCES = {
    "mnist": Source("MNIST", "MNIST/raw", {"train": {"train": True}, "test": {"train": False}}, tuple("0123456789")),
    "cifar10": Source(
        "CIFAR10",
        "cifar-10-batches-py",
        {"train": {"train": True}, "test": {"train": False}},
        ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    ),
    "stl10": Source(
        "STL10",
        "stl10_binary",
        {"train": {"split": "train"}, "test": {"split": "test"}},
        ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"),
    ),
    "celeba": Source("CelebA", "celeba", {part: {"split": part} for part in ("train", "valid", "test")}, resize=64),
    "imagenette": Source(
        "Imagenette",
        "imagenette2-160",
        {"train": {"split": "train", "size": "160px"}, "test": {"split": "val", "size": "160px"}},
        (
            *("tench", "English springer", "cassette player", "chain saw", "church"),
            *("French horn", "garbage truck", "gas pump", "golf ball", "parachute"),
        ),
        resize=64,
    ),
}


def file_stem(name: str, part: str) -> str:
    """Return a file's stem, such as ``mnist-train`` or ``celeba64-test``, with the size in the name if we chose it."""
    return f"{name}{SOURCES[name].resize or ''}-{part}"


def command(name: str) -> str:
    """Return the command that prepares a set."""
    return f"python -m paperlib.data {name}"


def prepare(name: str, part: str, folder: Path) -> str:
    """Make the cache file of one part in ``folder``, downloading what is missing; return its content hash.

    Raises:
        DownloadFailed: if the set could be neither found nor downloaded.
        DamagedData: if an image cannot be read or the content is not the official one.
    """
    import torchvision.datasets

    source = SOURCES[name]
    if source.loader == "CelebA":
        _need_gdown(folder)
    try:
        with _patience(SECONDS):
            loaded = getattr(torchvision.datasets, source.loader)(folder, download=True, **source.parts[part])
    except Exception as error:  # whatever the network, gdown, or a damaged file raises
        what = f"{name}: neither found in {folder} nor downloaded ({type(error).__name__}: {error}). "
        if (place := folder / source.place).exists():  # torchvision uses what it finds there, complete or not
            what += f"If a file in {place} was cut short, remove that folder. "
        raise DownloadFailed(f"{what}With a network, run again: {command(name)}") from error
    stem = file_stem(name, part)
    if not source.resize:
        labels = loaded.targets if hasattr(loaded, "targets") else loaded.labels
        arrays = {"images": _channels_last(np.asarray(loaded.data)), **_labels(labels)}
    else:
        images, targets = _squares(stem, loaded, source.resize)
        arrays = {"images": images} | (_labels(targets) if source.classes else _attributes(loaded, targets))
    return cache.write(folder, stem, arrays)


@contextmanager
def _patience(seconds: float) -> Iterator[None]:
    """Give up on a server that is silent for so long; torchvision alone would wait forever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _labels(targets: Sequence[int]) -> dict[str, np.ndarray]:
    return {"labels": np.array([int(target) for target in targets], np.int64)}


def _attributes(loaded: Any, targets: Sequence[Any]) -> dict[str, np.ndarray]:
    return {
        "attributes": np.stack(targets).astype(np.int8) * 2 - 1,  # torchvision has 0 and 1, the authors -1 and 1
        "names": np.array([word for word in loaded.attr_names if word]),  # a trailing blank makes an empty one
        "ids": np.array([int(Path(file).stem) for file in loaded.filename]),
    }


def _need_gdown(folder: Path) -> None:
    """Raise if gdown, with which torchvision downloads CelebA, is needed but missing, before anything is tried."""
    import importlib.util

    if not (folder / "celeba" / "img_align_celeba").is_dir() and importlib.util.find_spec("gdown") is None:
        raise DownloadFailed(
            f"celeba: not found in {folder / 'celeba'}, and its download needs gdown. Run: pip install gdown"
        )


def _channels_last(images: np.ndarray) -> np.ndarray:
    """Return [N, H, W, C] from MNIST's [N, H, W], STL-10's [N, C, H, W] or CIFAR-10's own layout."""
    if images.ndim == 3:
        return images[..., None]
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1)) if images.shape[1] == 3 else images


def _squares(stem: str, loaded: Sequence[tuple[Any, Any]], size: int) -> tuple[np.ndarray, list[Any]]:
    """Return each image's central square, resized with a Lanczos filter, uint8 [N, size, size, 3], and the targets."""
    from PIL import Image

    images, targets = np.empty((len(loaded), size, size, 3), np.uint8), []
    for index in _progress(range(len(loaded)), stem):
        try:
            image, target = loaded[index]
            image = image.convert("RGB")
        except OSError as error:
            raise cache.DamagedData(f"{stem}: image {index} cannot be read ({error})") from error
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        box = (left, top, left + side, top + side)
        images[index] = np.asarray(image.resize((size, size), Image.Resampling.LANCZOS, box=box))
        targets.append(target)
    return images, targets


def _progress(items: Iterable[int], label: str) -> Iterable[int]:
    from tqdm import tqdm

    return tqdm(items, desc=label, unit="image", disable=None)  # silent without a terminal
