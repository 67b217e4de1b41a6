"""Atomic file writes: a file is written beside its final place and moved there in one step.

A reader sees either the old file or the new one, even if the writer is killed or the disk is full. A killed writer
leaves a hidden draft, which the next writer of the same file on that machine removes.
"""

import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

__all__ = ["whole", "write_whole"]


@contextmanager
def whole(file: Path) -> Iterator[Path]:
    """Yield a path in ``file``'s folder, with the same suffix, to write to: it becomes ``file`` at the end, or is
    removed if writing fails."""
    file.parent.mkdir(parents=True, exist_ok=True)
    _clear(file)
    draft = file.with_name(f".{os.getpid()}@{platform.node()}-{file.name}")
    try:
        yield draft
        os.replace(draft, file)
    finally:
        draft.unlink(missing_ok=True)


def _clear(file: Path) -> None:
    """Remove the drafts of ``file`` whose writers no longer run. The state of another machine's writers is unknown."""
    of_here = re.compile(rf"\.(\d+)@{re.escape(platform.node())}-{re.escape(file.name)}")
    for entry in os.scandir(file.parent):
        if (found := of_here.fullmatch(entry.name)) and not psutil.pid_exists(int(found[1])):
            Path(entry.path).unlink(missing_ok=True)


def write_whole(file: Path, text: str) -> Path:
    """Write ``text`` and a final newline to ``file``; return ``file``."""
    with whole(file) as draft:
        draft.write_text(text + "\n", encoding="utf-8")
    return file
