"""The smoke book through a real Slurm, its pages and steps as jobs: one job is killed midway, and the book is complete
nevertheless. ``PAPERLIB_PAGES=a,b`` makes these pages alone.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cluster.slurm import missing, slurm

ROOT = Path(__file__).parents[2]
ONLY = os.environ.get("PAPERLIB_PAGES", "")
PAGES = ONLY.split(",") if ONLY else sorted(path.stem for path in (ROOT / "notebooks").glob("*.py"))
SECONDS = 3600


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_the_book_is_built_on_two_nodes_although_a_job_is_killed(tmp_path):
    build, out = tmp_path / "build", tmp_path / "out.log"
    with slurm(tmp_path) as environment:
        environment |= {"PAPERLIB_BUILD": str(build), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "companion", "book", "--profile", "smoke", "--cluster", "slurm", "--jobs", "2"]
        with out.open("w") as said:
            run = subprocess.Popen([*command, "--only", ONLY], cwd=ROOT, env=environment, stdout=said, stderr=said)
            try:
                killed = _kill_one(environment, run, tmp_path)
                status = run.wait(SECONDS)
            finally:
                run.kill()
    text = out.read_text()
    assert status == 0, text
    assert killed in text and text.count("FAILED") == 1 and "it may be tried again" in text
    for page in PAGES:
        assert (build / "pages" / "smoke" / f"{page}.ipynb").is_file(), text
        assert ONLY or (build / "html" / "pages" / f"{page}.html").is_file(), text
        assert text.count(f"{page} ...") == (2 if page == killed else 1)


def _kill_one(environment: dict[str, str], run: subprocess.Popen, folder: Path) -> str:
    """Kill the process of the first page that computes on a node; return the page's name."""
    start = time.monotonic()
    while time.monotonic() - start < SECONDS and run.poll() is None:
        for process in Path("/proc").iterdir():
            if process.name.isdecimal():
                page = _page_of(process, folder)
                if page:
                    time.sleep(3)  # in the middle of it
                    os.kill(int(process.name), 9)
                    return page
        time.sleep(0.5)
    raise AssertionError("no page was computed on a node")


def _page_of(process: Path, folder: Path) -> str:
    """Return the page that a process computes for this test; empty for other processes."""
    try:
        words = (process / "cmdline").read_bytes().decode().split("\0")
        ours = str(folder) in (process / "environ").read_text(errors="replace")
    except (OSError, UnicodeDecodeError):
        return ""
    here = "companion.execute" in words and words[0] == sys.executable
    return next((page for page in PAGES if page in words), "") if here and ours else ""
