"""Files that are whole or not there: written beside their place, and moved into it in one step.

Who reads sees the old file or the new one, whenever the writer is killed and whether or not the disk is full. What a
killed writer leaves is a hidden draft, and the next writer of the same file on that machine removes it.
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
    """A path in ``file``'s folder, and of its kind, to write to: it becomes ``file`` in the end, or goes where writing
    failed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    _clear(file)
    draft = file.with_name(f".{os.getpid()}@{platform.node()}-{file.name}")
    try:
        yield draft
        os.replace(draft, file)
    finally:
        draft.unlink(missing_ok=True)


def _clear(file: Path) -> None:
    """Remove the drafts of ``file`` whose writers are no more. Of another machine's writers nothing can be known."""
    of_here = re.compile(rf"\.(\d+)@{re.escape(platform.node())}-{re.escape(file.name)}")
    for entry in os.scandir(file.parent):
        if (found := of_here.fullmatch(entry.name)) and not psutil.pid_exists(int(found[1])):
            Path(entry.path).unlink(missing_ok=True)


def write_whole(file: Path, text: str) -> Path:
    """Write a text with a newline at its end."""
    with whole(file) as draft:
        draft.write_text(text + "\n", encoding="utf-8")
    return file
