"""Where everything computed stands: the build folder, and below it the folder of a run with other parameters."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from companion import rehearsal
from companion.store import Store
from paperlib.data import cache

__all__ = ["build_folder", "models_folder", "page_store", "run_folder"]


def build_folder() -> Path:
    """Return the folder of everything computed: ``PAPERLIB_BUILD``, else ``_build`` below the current folder."""
    return Path(os.environ.get("PAPERLIB_BUILD") or "_build").absolute()


def models_folder() -> Path:
    """Return the folder of what is too large to be committed, or may not be: models of the papers' size and classifiers
    of CelebA, below the folder of the data. A rehearsal's small ones have a folder of their own."""
    by = rehearsal.factor()
    return cache.folders()[0] / ("models" if by == 1 else f"models-rehearsal-{by}")


def page_store() -> Store:
    """The store of computed steps that all pages share."""
    return Store(build_folder() / "store")


def run_folder(build: Path, name: str, parameters: Mapping[str, Any]) -> Path:
    """Return the folder of a run with other parameters than the page's own, or of a rehearsal; ``parameters`` hold
    ``profile`` too."""
    rehearsed = {"rehearsal": rehearsal.factor()} if rehearsal.factor() > 1 else {}
    digest = hashlib.sha256(json.dumps({**parameters, **rehearsed}, sort_keys=True).encode()).hexdigest()
    return Path(build) / "runs" / f"{name}-{digest[:8]}"
