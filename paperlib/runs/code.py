"""Which code a result depends on: the files that a module or a page imports, and one hash over them.

Only import statements are read, nothing is executed. A module that is named in a string
(``importlib.import_module("paperlib.x")``) is therefore not seen: do not import that way in ``paperlib``.
"""

import ast
import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

__all__ = ["PACKAGE", "imported_files", "source_sha256"]

PACKAGE = Path(__file__).resolve().parents[1]  # the paperlib that is running


def imported_files(start: str | Path, *, package: Path = PACKAGE) -> tuple[Path, ...]:
    """Return, sorted, every source file of the package that ``start`` imports, transitively.

    Args:
        start: a dotted module of the package, or the path of a module or percent script. A module of the package
            belongs to its own answer; a script outside of it does not.
        package: the folder of the package whose files count.

    The ``__init__.py`` of every package on the way counts, and so does each ``*.yaml`` beside a file that counts.
    """
    package = Path(package).resolve()
    if isinstance(start, Path) or start.endswith(".py"):
        path = Path(start).resolve()
        if not path.is_file():
            raise FileNotFoundError(f"no such module or script: {start}")
        waiting = [path]
    else:
        waiting = _files_of(start, package)
        if not waiting or _dotted(waiting[-1], package) != start:
            raise ModuleNotFoundError(f"no module {start} in {package}")

    found: set[Path] = set()
    seen: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        if path.is_relative_to(package):
            found.update([path, *path.parent.glob("*.yaml")])
            waiting += _files_of(_dotted(path, package), package)  # the packages around it
        for name in _imported_names(path.read_text(encoding="utf-8"), path, package):
            waiting += _files_of(name, package)
    return tuple(sorted(found))


def source_sha256(files: Iterable[Path]) -> str:
    """Hash names and contents of ``files``. Names count from the topmost package on: a checkout may stand anywhere."""
    digest = hashlib.sha256()
    for label, path in sorted((_label(Path(file).resolve()), Path(file)) for file in files):
        digest.update(f"{label}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


@lru_cache(maxsize=1024)
def _imported_names(text: str, path: Path, package: Path) -> tuple[str, ...]:
    """What a file with this text imports: parsed once, however many steps ask."""
    names = []
    for node in ast.walk(ast.parse(text, filename=str(path))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, path, package)
            if base:
                names += [base, *(f"{base}.{alias.name}" for alias in node.names)]  # it may be a submodule
    return tuple(names)


def _absolute(node: ast.ImportFrom, path: Path, package: Path) -> str:
    if not node.level:
        return node.module or ""
    if not path.is_relative_to(package):
        return ""  # relative to something that is not ours
    around = path.parent.relative_to(package.parent).parts
    around = around[: len(around) - (node.level - 1)]
    return ".".join([*around, *([node.module] if node.module else [])])


def _files_of(name: str, package: Path) -> list[Path]:
    """Files of the longest leading part of a dotted name that exists, from the package's own file down."""
    files, folder = [], package.parent
    if name.split(".")[0] != package.name:
        return []
    for part in name.split("."):
        if (folder / part / "__init__.py").is_file():
            folder = folder / part
            files.append(folder / "__init__.py")
        elif (folder / f"{part}.py").is_file():
            return [*files, folder / f"{part}.py"]
        else:
            break
    return files


def _dotted(path: Path, package: Path) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _label(path: Path) -> str:
    top = path.parent
    while (top / "__init__.py").is_file():
        top = top.parent
    return path.relative_to(top).as_posix()
