"""The environment of every process that computes or shows a number: the same for all users."""

import os
from pathlib import Path

from companion.code import CHECKOUT
from companion.folders import build_folder

__all__ = ["fix_environment"]

# Variables a user may have set for other work. A Snakemake profile could send pages to a cluster, and a kernel found on
# such a path may belong to another Python.
THEIRS = (
    *("MATPLOTLIBRC", "SNAKEMAKE_PROFILE"),
    *("JUPYTER_PATH", "JUPYTER_CONFIG_DIR", "JUPYTER_CONFIG_PATH", "JUPYTER_PLATFORM_DIRS"),
    *("PYTHONOPTIMIZE", "PYTHONWARNINGS", "PYTHONSTARTUP"),
)


def fix_environment() -> None:
    """Set what every page's process needs to compute the same numbers each time, and drop foreign settings."""
    home = build_folder()
    for name in THEIRS:
        os.environ.pop(name, None)
    os.environ["PAPERLIB_BUILD"] = str(home)  # absolute: a page runs in another folder
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"  # parallel sums are not reproducible
    os.environ["PYTHONHASHSEED"] = "0"
    os.environ["PYTHONPATH"] = str(CHECKOUT)  # pages import this checkout, not the installed one
    os.environ["IPYTHONDIR"] = str(home / "ipython")  # no personal start-up files
    os.environ["MPLCONFIGDIR"] = str(home / "matplotlib")  # no personal style, and no need to write to the home
    _need_a_cache(home)
    os.environ["MPLBACKEND"] = (
        "module://matplotlib_inline.backend_inline"  # any other backend leaves pages without figures
    )
    os.environ["JUPYTER_PREFER_ENV_PATH"] = (
        "1"  # this environment's kernel before one of the same name in the home folder
    )


def _need_a_cache(home: Path) -> None:
    """Move the cache to the build folder if the user's, where Snakemake keeps one, cannot be written. Networks' weights
    are still looked for in the original place."""
    theirs = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    try:
        (theirs / "snakemake").mkdir(parents=True, exist_ok=True)
        writable = os.access(theirs / "snakemake", os.W_OK)
    except OSError:
        writable = False
    if not writable:
        os.environ.setdefault("TORCH_HOME", str(theirs / "torch"))
        os.environ["XDG_CACHE_HOME"] = str(home / "cache")
