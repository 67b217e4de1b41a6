"""Which checkpoints this process has used: those that it loaded, and those behind the results that it found in the
store.

A step's inputs have the sha256 of the files that it depends on, whether it is computed or only read. The names come
from the cards, which are read for these inputs.
"""

__all__ = ["found", "use", "used"]

LENGTH = 12  # of a sha256, as much as a record has

_names: dict[str, str] = {}  # sha256 -> name
_used: set[str] = set()


def found(name: str, sha256: str) -> None:
    """Remember the name of a checkpoint whose card was read."""
    _names[sha256] = name


def use(sha256: str) -> None:
    """Remember that a result depends on a file; those that are no checkpoints do not matter."""
    _used.add(sha256)


def used() -> dict[str, str]:
    """Return the used checkpoints' names with the first digits of their sha256."""
    return {_names[one]: one[:LENGTH] for one in sorted(_used & _names.keys(), key=_names.get)}
