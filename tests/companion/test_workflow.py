"""The Snakefile's rules on a scratch copy of the checkout, with small pages and no HTML."""

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.companion.pages import write_page

ROOT = Path(__file__).parents[2]
BOOK = """
import sys
from pathlib import Path
from companion.execute import write_stamp
from companion.folders import build_folder
index = build_folder() / "html" / "index.html"
index.parent.mkdir(exist_ok=True)
index.write_text("a book")
write_stamp(Path(sys.argv[-1]), index)
"""
PLOT = """
import matplotlib.pyplot as plt
plt.plot([0, 1])
plt.title("no TeX");
"""


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "a checkout"  # with a space in its name
    for package in ("paperlib", "companion"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "_config.yml", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    (folder / "book").mkdir()
    (folder / "companion/book.py").write_text(BOOK)
    warm = folder / "companion/warm.py"
    warm.write_text(re.sub(r"(?s)\nLIBRARIES = \(.*?\)\n", '\nLIBRARIES = ("matplotlib.pyplot",)\n', warm.read_text()))
    write_page(folder / "notebooks", "plain", PLOT)
    write_page(folder / "notebooks", "seeded", "import companion.seeds")
    return folder


def start(checkout):
    """Build the book with the environment of a user who has settings for other work."""
    theirs = checkout.parent / "theirs"
    (theirs / "kernels/python3").mkdir(parents=True, exist_ok=True)
    (theirs / "kernels/python3/kernel.json").write_text('{"argv": ["/nowhere/python"], "display_name": "dead"}')
    (theirs / "matplotlibrc").write_text("text.usetex: True\n")
    environment = {**os.environ, "PYTHONPATH": str(checkout), "PAPERLIB_BUILD": str(checkout / "_build")}
    environment |= {"MPLBACKEND": "Agg", "MATPLOTLIBRC": str(theirs), "JUPYTER_PATH": str(theirs)}
    environment |= {"SNAKEMAKE_PROFILE": "slurm", "HOME": str(theirs / "matplotlibrc" / "no folder")}
    command = [sys.executable, "-m", "companion.workflow"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=checkout, env=environment, start_new_session=True, **pipes)


def make_book(checkout):
    """Return the exit status, the names of what was made, and the error output."""
    process = start(checkout)
    out, error = process.communicate(timeout=300)
    return process.returncode, sorted(re.findall(r"^(\w+) \.\.\.$", out, flags=re.MULTILINE)), error


def spent():
    """Return the processor seconds used by our children, which hardly depend on other load."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.slow
def test_only_what_changed_runs_and_a_failing_page_stops_no_other(checkout):
    process = start(checkout)  # killed midway, together with its pages
    time.sleep(4)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    status, made, error = make_book(checkout)
    assert (status, error) == (0, "") and "html" in made
    assert "image/png" in (checkout / "_build/pages/smoke/plain.ipynb").read_text()

    begin = spent()
    assert make_book(checkout) == (0, [], "")
    assert spent() - begin < 10

    seeds = checkout / "companion/seeds.py"
    seeds.write_text(seeds.read_text() + "\n# another comment\n")
    os.utime(checkout / "notebooks/plain.py")  # touched but unchanged
    assert make_book(checkout) == (0, ["html", "seeded"], "")

    (checkout / "_build/pages/smoke/plain.ipynb").unlink()  # lost
    good = (checkout / "_build/pages/smoke/seeded.ipynb").read_bytes()
    write_page(checkout / "notebooks", "seeded", "import companion.seeds", alpha="-1")
    status, made, error = make_book(checkout)
    assert status == 1 and made == ["plain", "seeded"]
    assert "seeded failed" in error and "plain" not in error
    assert error.rstrip().endswith("ValueError: alpha=-1 is not allowed: 0 or more expected")
    assert (checkout / "_build/pages/smoke/seeded.ipynb").read_bytes() == good
    assert (checkout / "_build/pages/smoke/plain.ipynb").exists()


def test_an_error_of_the_workflow_itself_is_shown(checkout):
    snakefile = checkout / "Snakefile"
    snakefile.write_text(snakefile.read_text().replace("PAGES = ", "PAGES = sorted(3) or "))
    status, made, error = make_book(checkout)
    assert (status, made) == (1, []) and "'int' object is not iterable" in error
