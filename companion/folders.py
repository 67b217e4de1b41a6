"""Where computed files are: the build folder and, inside it, the folders of runs with other parameters."""

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
    """Return the folder of all computed files: ``PAPERLIB_BUILD``, else ``_build`` in the current folder."""
    return Path(os.environ.get("PAPERLIB_BUILD") or "_build").absolute()


def models_folder() -> Path:
    """Return the folder, inside the data folder, of models that are too large to commit or may not be: those of the
    papers' size and classifiers of CelebA. A rehearsal's small ones have their own folder."""
    by = rehearsal.factor()
    return cache.folders()[0] / ("models" if by == 1 else f"models-rehearsal-{by}")


def page_store() -> Store:
    """Return the store of computed steps that all pages share."""
    return Store(build_folder() / "store")


def run_folder(build: Path, name: str, parameters: Mapping[str, Any]) -> Path:
    """Return the folder of a run with other than the default parameters, or of a rehearsal; ``parameters`` include
    ``profile``."""
    rehearsed = {"rehearsal": rehearsal.factor()} if rehearsal.factor() > 1 else {}
    digest = hashlib.sha256(json.dumps({**parameters, **rehearsed}, sort_keys=True).encode()).hexdigest()
    return Path(build) / "runs" / f"{name}-{digest[:8]}"
