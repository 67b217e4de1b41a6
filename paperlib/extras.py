"""Optional dependencies: the packages of pyproject.toml's extras, with an error that names a missing one."""

from importlib.util import find_spec

__all__ = ["need"]


def need(extra: str, *packages: str) -> None:
    """Raise a ModuleNotFoundError if any of ``packages`` is not installed, naming the extra that installs them."""
    if missing := [package for package in packages if find_spec(package) is None]:
        names = ", ".join(missing)
        raise ModuleNotFoundError(f"not installed: {names}. To bring what is missing: pip install 'paperlib[{extra}]'")
