"""Files that are whole or not there: written beside their place, and moved into it in one step.

Who reads sees the old file or the new one, whenever the writer is killed and whether or not the disk is full.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["whole", "write_whole"]


@contextmanager
def whole(file: Path) -> Iterator[Path]:
    """A path in ``file``'s folder, and of its kind, to write to: it becomes ``file`` in the end, or goes where writing
    failed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{os.getpid()}-{file.name}")
    try:
        yield draft
        os.replace(draft, file)
    finally:
        draft.unlink(missing_ok=True)


def write_whole(file: Path, text: str) -> Path:
    """Write a text with a newline at its end."""
    with whole(file) as draft:
        draft.write_text(text + "\n", encoding="utf-8")
    return file
