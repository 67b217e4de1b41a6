"""Where everything computed stands: the build folder, and below it the folder of a run with other parameters."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from companion.store import Store

__all__ = ["build_folder", "page_store", "run_folder"]


def build_folder() -> Path:
    """Return the folder of everything computed: ``PAPERLIB_BUILD``, else ``_build`` below the current folder."""
    return Path(os.environ.get("PAPERLIB_BUILD") or "_build").absolute()


def page_store() -> Store:
    """The store of computed steps that all pages share."""
    return Store(build_folder() / "store")


def run_folder(build: Path, name: str, parameters: Mapping[str, Any]) -> Path:
    """Return the folder of a run with other parameters than the page's own; ``parameters`` hold ``profile`` too."""
    digest = hashlib.sha256(json.dumps(dict(parameters), sort_keys=True).encode()).hexdigest()
    return Path(build) / "runs" / f"{name}-{digest[:8]}"
