"""Real image sets on disk: one file ``<set>-<part>.npz`` per part, whose content is checked whenever it is read.

A file has ``images`` uint8 [N, H, W, C] and ``labels`` int64 [N]; or, for CelebA, ``attributes`` int8 [N, 40] of -1
and 1, their ``names`` [40] and the images' ``ids`` [N]. Its content hash is the sha256 of the images' bytes followed by
those of the labels, as little-endian int64, or of the attributes. Known hashes of the official arrays are listed below.
For other sets the hash is recorded in ``<set>-<part>.sha256`` when the file is made.
"""

import errno
import hashlib
import os
import re
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
from filelock import FileLock

from paperlib.files import whole, write_whole

__all__ = ["KNOWN_SHA256", "DamagedData", "MissingData", "content_sha256", "find", "folders", "read", "record", "write"]

#: Content hashes of the official arrays, in the official order.
KNOWN_SHA256 = {
    "mnist-train": "d18cfd466eb143ac1097fde604dba9eec4116885869d04cc648b510949f9e88c",
    "mnist-test": "a0863a96c44e5666edbb30c4071ee79ca0514c621e6349c5967fc78e7305c891",
    "cifar10-train": "67e12c2a5906880a4fe5595fe6d768185ad7ca587f35d3a7ece3c3b8b85035d2",
    "cifar10-test": "e54a434ec35094516eacbaac0f2f9550358d985e9d1f71b47d41d333c15ba304",
}

CHECKOUT = Path(__file__).resolve().parents[2]

Arrays = dict[str, np.ndarray]


class MissingData(FileNotFoundError):
    """Raised if a set is not on this machine."""


class DamagedData(ValueError):
    """Raised if a file does not contain what its name says."""


def folders() -> list[Path]:
    """Return the folders in which sets are looked for; new ones are written to the first.

    Only ``PAPERLIB_DATA`` if it is set; else ``data`` in the checkout, then ``data`` in the current folder.
    """
    if os.environ.get("PAPERLIB_DATA"):
        return [Path(os.environ["PAPERLIB_DATA"]).expanduser().absolute()]
    here = Path.cwd() / "data"
    # an installed copy has no checkout around it
    return list(dict.fromkeys([CHECKOUT / "data", here])) if (CHECKOUT / "pyproject.toml").is_file() else [here]


def find(part: str) -> Path | None:
    """Return the file of a part such as ``"mnist-train"``, in the first folder that has it, or None."""
    return next((path for folder in folders() if (path := folder / f"{part}.npz").is_file()), None)


def read(part: str, command: str) -> Arrays:
    """Read and check the arrays of a part. Errors name ``command``, which prepares the set.

    Raises:
        MissingData: if the part is not on this machine.
        DamagedData: if its file cannot be read or was altered.
    """
    path = find(part)
    if path is None:
        looked = ", ".join(str(folder) for folder in folders())
        raise MissingData(
            f"{part} is not on this machine: no {part}.npz in {looked}. To download and prepare it: {command}. "
            "If it is elsewhere, set PAPERLIB_DATA to its folder."
        )
    arrays, expected = _arrays(path, command), _expected_sha256(path)
    if expected is None:
        warnings.warn(f"{path}: no hash is known to check it by; to record one: {command}", stacklevel=4)
    elif (got := content_sha256(arrays)) != expected:
        raise DamagedData(
            f"{path} was altered: its content hash is {got}, not {expected}. Remove it, then run: {command}"
        )
    return arrays


def write(folder: Path, part: str, arrays: Arrays) -> str:
    """Write a part into ``folder`` atomically and record its hash, which is returned.

    Raises:
        DamagedData: if the arrays do not have the part's layout or its official content.
    """
    _check_layout(part, arrays)
    got = content_sha256(arrays)
    if (expected := KNOWN_SHA256.get(part, got)) != got:
        raise DamagedData(f"{part}: the content hash is {got}, not {expected}: these are not the official images")
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f".{part}.lock"), whole(folder / f"{part}.npz") as draft:
        np.savez(draft, **arrays)
        _write_hash(folder / f"{part}.npz", got)
    return got


def record(part: str, command: str) -> str:
    """Check a part that was prepared elsewhere, and record its hash if none is known yet; return the hash."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a missing hash is the reason for this call
        got = content_sha256(read(part, command))
    path = find(part)
    if _expected_sha256(path) is None:
        _write_hash(path, got)
    return got


def content_sha256(arrays: Arrays) -> str:
    """Return the sha256 of the images' bytes followed by the labels as little-endian int64 (attributes: int8)."""
    digest = hashlib.sha256(np.ascontiguousarray(arrays["images"]).data)
    target = arrays["labels"].astype("<i8") if "labels" in arrays else arrays["attributes"].astype(np.int8)
    digest.update(np.ascontiguousarray(target).data)
    return digest.hexdigest()


def _arrays(path: Path, command: str) -> Arrays:
    try:
        file = np.load(path, allow_pickle=False)
        if isinstance(file, np.ndarray):
            raise ValueError("one array, and no archive of several")
        with file:  # every member's checksum is verified while it is read
            arrays = {name: file[name] for name in file.files}
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):  # EINVAL: an invalid offset
            raise  # permissions or the disk: the file may be intact, so do not ask to remove it
        raise DamagedData(f"{path} cannot be read ({error}): remove it, then run: {command}") from error
    if "ids" in arrays and arrays["ids"].dtype.kind == "U" and np.char.isdecimal(arrays["ids"]).all():
        arrays["ids"] = arrays["ids"].astype(np.int64)  # as in the names of CelebA's files
    try:
        _check_layout(path.stem, arrays)
    except DamagedData as error:
        raise DamagedData(f"{path}: {error}. Remove it, then run: {command}") from error
    return arrays


def _check_layout(part: str, arrays: Arrays) -> None:
    target = {"labels"} if "labels" in arrays else {"attributes", "names", "ids"}
    if missing := ({"images"} | target) - arrays.keys():
        raise DamagedData(f"{part} lacks {', '.join(sorted(missing))}")
    images = arrays["images"]
    if images.dtype != np.uint8 or images.ndim != 4 or not len(images) or images.shape[3] not in (1, 3):
        raise DamagedData(f"{part}: images are {images.dtype} {list(images.shape)}, not uint8 [N, H, W, 1 or 3]")
    for name, axes in {"labels": 1, "attributes": 2, "ids": 1}.items():
        if name in arrays and not (np.issubdtype(arrays[name].dtype, np.integer) and arrays[name].ndim == axes):
            found = f"{arrays[name].dtype} {list(arrays[name].shape)}"
            raise DamagedData(f"{part}: {name} are {found}, not whole numbers [N{', attributes' * (axes - 1)}]")
    if "labels" in arrays and arrays["labels"].min() < 0:
        raise DamagedData(f"{part}: the label {arrays['labels'].min()} is negative")
    if "attributes" in arrays and not np.isin(arrays["attributes"], (-1, 1)).all():
        raise DamagedData(f"{part}: attributes are -1 and 1, and these have others")
    rows = {name: len(arrays[name]) for name in ("images", "labels", "attributes", "ids") if name in arrays}
    if len(set(rows.values())) > 1:
        raise DamagedData(f"{part}: its arrays have different lengths, {rows}")
    if "names" in arrays and arrays["attributes"].shape[1:] != arrays["names"].shape:
        raise DamagedData(f"{part}: {arrays['attributes'].shape[1:]} attributes, {len(arrays['names'])} names")


def _expected_sha256(path: Path) -> str | None:
    """Return the hash that a file must have: the known one, else the recorded one, else None."""
    recorded = path.with_suffix(".sha256")
    if path.stem in KNOWN_SHA256:
        return KNOWN_SHA256[path.stem]
    if not recorded.is_file():
        return None
    if not re.match(r"[0-9a-f]{64}\b", text := recorded.read_text(errors="replace")):
        raise DamagedData(f"{recorded} has no sha256 but {text[:40]!r}: remove it; the set is checked without it")
    return text[:64]


def _write_hash(path: Path, sha256: str) -> None:
    if path.stem not in KNOWN_SHA256:
        write_whole(path.with_suffix(".sha256"), f"{sha256}  content of {path.name}")
