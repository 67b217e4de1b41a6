"""Which code a result depends on: the files that a module or a page imports, and one hash of their code.

Only import statements are read; nothing is executed. A module named in a string
(``importlib.import_module("paperlib.x")``) is therefore missed: do not import that way in either package.
"""

import ast
import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

__all__ = ["CHECKOUT", "PACKAGES", "imported_files", "source_sha256"]

CHECKOUT = Path(__file__).resolve().parents[1]  # of the code that is running
PACKAGES = (CHECKOUT / "paperlib", CHECKOUT / "companion")


def imported_files(start: str | Path, *, packages: Sequence[Path] = PACKAGES) -> tuple[Path, ...]:
    """Return, sorted, every source file of the packages that ``start`` imports, transitively.

    Args:
        start: a dotted module of a package, or the path of a module or percent script. A module of a package is itself
            included; a script outside of the packages is not.
        packages: the folders of the packages whose files count.

    The ``__init__.py`` of every enclosing package counts, and so does each ``*.yaml`` beside a file that counts.
    """
    packages = tuple(Path(package).resolve() for package in packages)
    if isinstance(start, Path) or start.endswith(".py"):
        path = Path(start).resolve()
        if not path.is_file():
            raise FileNotFoundError(f"no such module or script: {start}")
        waiting = [path]
    else:
        waiting = _files_of(start, packages)
        if not waiting or _dotted(waiting[-1], _around(waiting[-1], packages)) != start:
            raise ModuleNotFoundError(f"no module {start} in {', '.join(map(str, packages))}")

    found: set[Path] = set()
    seen: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        package = _around(path, packages)
        if package:
            found.update([path, *path.parent.glob("*.yaml")])
            waiting += _files_of(_dotted(path, package), packages)  # the packages around it
        for level, name, below in _read(path.read_bytes())[0]:
            base = _absolute(level, name, path, package)
            for one in [base, *(f"{base}.{part}" for part in below)] if base else []:  # a name may be a submodule
                waiting += _files_of(one, packages)
    return tuple(sorted(found))


def source_sha256(files: Iterable[Path]) -> str:
    """Hash the names and contents of ``files``. Python counts as its syntax tree without docstrings and comments, so
    that a better explanation recomputes nothing. Names start at the topmost package: a checkout may be anywhere."""
    digest = hashlib.sha256()
    for label, path in sorted((_label(Path(file).resolve()), Path(file)) for file in files):
        content = path.read_bytes()
        said = _read(content)[1] if path.suffix == ".py" else hashlib.sha256(content).hexdigest()
        digest.update(f"{label}\0{said}\n".encode())
    return digest.hexdigest()


@lru_cache(maxsize=1024)
def _read(content: bytes) -> tuple[tuple[tuple[int, str, tuple[str, ...]], ...], str]:
    """Read a Python file, once for all steps: its imports as (level, module, names), and a hash of its code."""
    tree, imports = ast.parse(content), []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports += [(0, alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            imports.append((node.level, node.module or "", tuple(alias.name for alias in node.names)))
        elif isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if ast.get_docstring(node, clean=False) is not None:
                node.body = node.body[1:] or [ast.Pass()]
    return tuple(imports), hashlib.sha256(ast.unparse(tree).encode()).hexdigest()


def _absolute(level: int, module: str, path: Path, package: Path | None) -> str:
    """Return the dotted name of the module imported from; empty if it is relative to something that is not ours."""
    if not level:
        return module
    if package is None:
        return ""
    around = path.parent.relative_to(package.parent).parts
    around = around[: len(around) - (level - 1)]
    return ".".join([*around, *([module] if module else [])])


def _files_of(name: str, packages: Sequence[Path]) -> list[Path]:
    """Return the files of the longest existing prefix of a dotted name, from its package's own file down."""
    top = next((package for package in packages if package.name == name.split(".")[0]), None)
    if top is None:
        return []
    files, folder = [], top.parent
    for part in name.split("."):
        if (folder / part / "__init__.py").is_file():
            folder = folder / part
            files.append(folder / "__init__.py")
        elif (folder / f"{part}.py").is_file():
            return [*files, folder / f"{part}.py"]
        else:
            break
    return files


def _around(path: Path, packages: Sequence[Path]) -> Path | None:
    return next((package for package in packages if path.is_relative_to(package)), None)


def _dotted(path: Path, package: Path) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _label(path: Path) -> str:
    top = path.parent
    while (top / "__init__.py").is_file():
        top = top.parent
    return path.relative_to(top).as_posix()
