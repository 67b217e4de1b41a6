"""The store of computed steps: a step runs once for given settings, inputs and code.

An entry is a folder ``<name>-<key>/`` with the files that the step wrote and a ``manifest.json`` of their hashes. While
the step runs, the files are in ``<name>-<key>.partial/``, which survives a kill; the finished folder is then renamed
into place. An entry under its final name is therefore complete, and later changes to its files are detected.
"""

import contextlib
import hashlib
import inspect
import json
import logging
import re
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import filelock
import pydantic

from companion import loaded
from companion.code import imported_files, source_sha256
from paperlib.files import write_whole

__all__ = ["Entry", "Store", "file_sha256"]

MANIFEST = "manifest.json"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """A finished step: the folder of its files, which must not be changed, and one hash of their contents."""

    path: Path
    sha256: str


class Store:
    """Memoised steps in one folder, shared by every page and process that uses it.

    Args:
        folder: where the entries are; created when first needed.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).absolute()

    def step(
        self, name: str, config: Any, compute: Callable[[Path, Any], object], inputs: Sequence[Entry | str] = ()
    ) -> Entry:
        """Return the step's entry, computing it only if it does not exist yet.

        Args:
            name: letters, digits, ``_``, ``-`` and ``.``; the entry's folder name begins with it.
            config: a pydantic model or anything that JSON can represent; part of the key.
            compute: a module-level function, or a ``functools.partial`` of one, called as ``compute(folder, config)``.
                It writes its files into ``folder``. Files already there are its own, from an interrupted run, such as a
                snapshot to resume from. Files whose names begin with ``.`` or ``resume`` are removed when it returns.
                The code that its module imports is part of the key, and so are the arguments that a ``partial`` binds.
            inputs: entries of earlier steps, or sha256 strings of pinned files.

        A second process that asks for the same step waits for the first, then reads its result. An entry whose files
        do not match its manifest is moved aside with a warning and computed again.
        """
        entry, facts = self._place(name, config, compute, inputs)
        for one in facts["inputs"]:
            loaded.use(one)
        self.folder.mkdir(parents=True, exist_ok=True)
        with _locked(self.folder / f"{entry.name}.lock"):
            if entry.is_dir():
                problem = _problem(entry)
                if not problem:
                    return _read(entry)
                aside = _free_name(entry)
                warnings.warn(f"{problem}; the step {name} is computed again, the damaged one is {aside}", stacklevel=2)
                entry.rename(aside)
            folder = self.folder / f"{entry.name}.partial"
            folder.mkdir(exist_ok=True)
            if not (folder / MANIFEST).exists() or _problem(folder):  # else: killed between sealing and moving
                (folder / MANIFEST).unlink(missing_ok=True)
                compute(folder, config)
                _seal(folder, facts)
            folder.rename(entry)
            return _read(entry)

    def has(
        self, name: str, config: Any, compute: Callable[[Path, Any], object], inputs: Sequence[Entry | str] = ()
    ) -> bool:
        """Return whether the entry of :meth:`step` exists, altered or not."""
        return self._place(name, config, compute, inputs)[0].is_dir()

    def _place(
        self, name: str, config: Any, compute: Callable[[Path, Any], object], inputs: Sequence[Entry | str]
    ) -> tuple[Path, dict[str, Any]]:
        """Return the entry's folder, and everything that the step depends on."""
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
            raise ValueError(f"name={name!r} is not allowed: letters, digits, '_', '-' and '.' expected")
        facts = {"name": name, **_facts(config, compute, inputs)}
        key = hashlib.sha256(json.dumps(facts, sort_keys=True, allow_nan=False).encode()).hexdigest()[:24]
        return self.folder / f"{name}-{key}", facts


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _facts(config: Any, compute: Callable, inputs: Sequence[Entry | str]) -> dict[str, Any]:
    """Return everything that the result depends on, as JSON."""
    sources: set[Path] = set()
    facts = {
        "config": _described(config, inputs, sources),
        "compute": _described(compute, inputs, sources),
        "inputs": [one.sha256 if isinstance(one, Entry) else one for one in inputs],
    }
    if not all(isinstance(one, str) for one in facts["inputs"]):
        raise TypeError("inputs are entries of the store, or sha256 strings")
    return {**facts, "source": _source(frozenset(sources))}


@cache  # a module's imports and source do not change while this process runs
def _source(files: frozenset[Path]) -> str:
    return source_sha256(files)


@cache
def _behind(path: Path) -> tuple[Path, ...]:
    return path, *imported_files(path)


def _described(value: Any, inputs: Sequence[Entry | str], sources: set[Path]) -> Any:
    """Return a value as JSON; the source files behind a function or a class are added to ``sources``."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, pydantic.BaseModel):
        return _described(value.model_dump(mode="json"), inputs, sources)
    if isinstance(value, dict):
        return {str(name): _described(one, inputs, sources) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_described(one, inputs, sources) for one in value]
    if isinstance(value, Entry):
        return {"entry": value.sha256}
    if isinstance(value, Path):  # a path says nothing about the contents, an input's hash does
        for one in inputs:
            if isinstance(one, Entry) and value.absolute().is_relative_to(one.path):
                return {"entry": one.sha256, "file": value.absolute().relative_to(one.path).as_posix()}
        raise ValueError(f"{value} is a path outside of this step's inputs: its contents would not count")
    if isinstance(value, partial):
        return [_described(one, inputs, sources) for one in (value.func, value.args, value.keywords)]
    if inspect.isfunction(value) or inspect.isclass(value):
        if "<" in value.__qualname__ or not Path(inspect.getsourcefile(value) or "").is_file():
            raise ValueError(f"{value.__qualname__} has no module of its own: a step calls functions of a module")
        path = Path(inspect.getsourcefile(value)).resolve()
        sources.update(_behind(path))
        return f"{path.stem}.{value.__qualname__}"
    raise TypeError(f"a {type(value).__name__} cannot be part of a step's key; numbers, texts, lists and settings can")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        log.info("waiting for another run that computes %s", path.stem)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _files(folder: Path) -> list[str]:
    """Return the names of an entry's files, without hidden ones (``.DS_Store``)."""
    names = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(name.as_posix() for name in names if not any(part.startswith(".") for part in name.parts))


def _seal(folder: Path, facts: dict[str, Any]) -> None:
    for path in [*folder.rglob(".*"), *folder.rglob("resume*")]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    names = _files(folder)
    if not names:
        raise ValueError(f"the step {facts['name']} wrote no file")
    if MANIFEST in names:
        raise ValueError(f"the step {facts['name']} wrote {MANIFEST}, a name that the store needs")
    files = {name: file_sha256(folder / name) for name in names}
    write_whole(
        folder / MANIFEST, json.dumps({**facts, "files": files, "sha256": _sum(files)}, indent=1, sort_keys=True)
    )


def _sum(files: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def _problem(entry: Path) -> str:
    """Return what is wrong with an entry, naming the file; empty if the files match the manifest."""
    try:
        manifest = json.loads((entry / MANIFEST).read_text())
        files = manifest["files"]
        if manifest["sha256"] != _sum(files):
            return f"{entry / MANIFEST} was altered"
    except (OSError, ValueError, TypeError, KeyError):
        return f"{entry / MANIFEST} cannot be read"
    for name in sorted({*files, *_files(entry)} - {MANIFEST}):
        if not (entry / name).is_file():
            return f"{entry / name} is gone"
        if file_sha256(entry / name) != files.get(name):
            return f"{entry / name} was altered"
    return ""


def _read(entry: Path) -> Entry:
    return Entry(entry, json.loads((entry / MANIFEST).read_text())["sha256"])


def _free_name(entry: Path) -> Path:
    taken = len(list(entry.parent.glob(f"{entry.name}.damaged-*")))
    return entry.with_name(f"{entry.name}.damaged-{taken + 1}")
