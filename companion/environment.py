"""The environment of every process that computes or shows a number: the same for all users, whatever theirs is."""

import os
from pathlib import Path

from companion.code import CHECKOUT
from companion.folders import build_folder

__all__ = ["fix_environment"]

# What a user may have set for other work. A profile of Snakemake's would send pages to a cluster or nowhere, a kernel
# found on such a path may belong to another Python.
THEIRS = (
    *("MATPLOTLIBRC", "SNAKEMAKE_PROFILE"),
    *("JUPYTER_PATH", "JUPYTER_CONFIG_DIR", "JUPYTER_CONFIG_PATH", "JUPYTER_PLATFORM_DIRS"),
    *("PYTHONOPTIMIZE", "PYTHONWARNINGS", "PYTHONSTARTUP"),
)


def fix_environment() -> None:
    """Set what every page's process needs in order to compute the same numbers each time, and drop what is not ours."""
    home = build_folder()
    for name in THEIRS:
        os.environ.pop(name, None)
    os.environ["PAPERLIB_BUILD"] = str(home)  # absolute: a page runs in another folder
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"  # sums in parallel are not repeatable
    os.environ["PYTHONHASHSEED"] = "0"
    os.environ["PYTHONPATH"] = str(CHECKOUT)  # pages import this checkout, wherever the environment's own one is
    os.environ["IPYTHONDIR"] = str(home / "ipython")  # nobody's personal start-up files
    os.environ["MPLCONFIGDIR"] = str(home / "matplotlib")  # nor their style, whether the home can be written or not
    _need_a_cache(home)
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"  # another leaves pages without figures
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # this environment's kernel before one of the same name in the home


def _need_a_cache(home: Path) -> None:
    """Snakemake keeps a cache in the user's: where that cannot be written, it and others get one in the build folder.
    Networks' weights are still looked for where they would have been."""
    theirs = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    try:
        (theirs / "snakemake").mkdir(parents=True, exist_ok=True)
        writable = os.access(theirs / "snakemake", os.W_OK)
    except OSError:
        writable = False
    if not writable:
        os.environ.setdefault("TORCH_HOME", str(theirs / "torch"))
        os.environ["XDG_CACHE_HOME"] = str(home / "cache")
