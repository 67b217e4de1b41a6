"""Types of the commands' options: argparse refuses invalid values, naming the option, before any work is done."""

import argparse
import math
from pathlib import Path

__all__ = ["folder_path", "natural_int", "non_negative", "positive_int"]


def positive_int(text: str) -> int:
    """Parse a whole number of at least 1."""
    return _whole(text, 1)


def natural_int(text: str) -> int:
    """Parse a whole number of at least 0."""
    return _whole(text, 0)


def non_negative(text: str) -> float:
    """Parse a finite number of at least 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 0")
    return value


def folder_path(text: str) -> Path:
    """Parse the path of a folder that exists or can be made: no part of the path is a file."""
    path = Path(text)
    above = next(one for one in (path.absolute(), *path.absolute().parents) if one.exists())
    if not above.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is no folder: {above} is a file")
    return path


def _whole(text: str, least: int) -> int:
    if not text.strip().isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
    return int(text)
