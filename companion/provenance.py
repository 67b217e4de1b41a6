"""The provenance of a run: commit, code, libraries and machine."""

import os
import platform
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from companion import loaded
from companion.code import CHECKOUT, PACKAGES, imported_files, source_sha256
from companion.records import Provenance

__all__ = ["CHECKOUT", "Origin", "device", "git_state", "page_sha256", "peak_memory_mb", "versions"]

LIBRARIES = ("torch", "numpy", "accelerate", "torchdiffeq", "safetensors", "pydantic", "torchvision", "torchmetrics")


class Origin:
    """What is known when a page starts, its code and the time; :meth:`provenance` adds what is known at the end."""

    def __init__(self, page: str) -> None:
        self.start = time.monotonic()
        self.commit, self.dirty = git_state(CHECKOUT)
        self.source_sha256 = page_sha256(page)  # now: a file edited during the run is not the code that ran

    def provenance(self) -> Provenance:
        """Return the provenance of what the page has computed so far."""
        return Provenance(
            commit=self.commit,
            dirty=self.dirty,
            source_sha256=self.source_sha256,
            versions=versions(),
            device=device(),
            seconds=round(time.monotonic() - self.start, 1),
            peak_memory_mb=peak_memory_mb(),
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            checkpoints=loaded.used(),
        )


def page_sha256(page: str) -> str:
    """Hash the page's script and the files of both packages that it imports; without a script, all of their files."""
    script = CHECKOUT / "notebooks" / f"{page}.py"
    if not script.is_file():
        return source_sha256(
            path for package in PACKAGES for kind in ("*.py", "*.yaml") for path in package.rglob(kind)
        )
    return source_sha256([script, *imported_files(script)])


def git_state(checkout: Path) -> tuple[str, bool]:
    """Return the commit, and whether there are uncommitted changes outside ``results/`` and ``checkpoints/``.

    Without git, or in a folder that is not a checkout of its own, the commit is ``"unknown"`` and counts as dirty. Only
    ``source_sha256`` then identifies the code, and ``make record`` compares it with a clean checkout.
    """
    top = _git(checkout, "rev-parse", "--show-toplevel")
    commit = _git(checkout, "rev-parse", "HEAD")
    if top is None or commit is None or Path(top).resolve() != Path(checkout).resolve():
        return "unknown", True
    outside = (".", ":(exclude)results", ":(exclude)checkpoints")
    changes = _git(checkout, "status", "--porcelain", "--untracked-files=all", "--", *outside)
    return commit, changes != ""


def _git(checkout: Path, *command: str) -> str | None:
    """Run git without taking its lock, since pages run side by side; return None if it fails or is missing."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        line = ["git", "--no-optional-locks", "-C", str(checkout), *command]
        done = subprocess.run(line, env=environment, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that the run imported."""
    found = {name: metadata.version(name) for name in LIBRARIES if name in sys.modules}
    return {"python": platform.python_version(), **found}


def device() -> str:
    """Return the accelerator's name, or the processor's with the number of threads that compute."""
    import torch  # imported late: commands that need only folders should not wait for it

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    threads = torch.get_num_threads()
    return f"{_processor()}, {threads} thread{'s' if threads > 1 else ''}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def peak_memory_mb() -> float:
    """Return the peak memory of this process in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6, 1)  # macOS counts bytes, Linux KiB
