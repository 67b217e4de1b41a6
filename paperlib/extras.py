"""What only some parts need: the packages of pyproject.toml's extras, asked for by name where one is missing."""

from importlib.util import find_spec

__all__ = ["need"]


def need(extra: str, *packages: str) -> None:
    """Refuse, before any work, to go on without ``packages``, and say which extra of this project brings them."""
    if missing := [package for package in packages if find_spec(package) is None]:
        names = ", ".join(missing)
        raise ModuleNotFoundError(f"not installed: {names}. To bring what is missing: pip install 'paperlib[{extra}]'")
