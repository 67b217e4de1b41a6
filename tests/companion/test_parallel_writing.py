"""The book's pages are read by one process and written by the requested number of processes."""

import subprocess
import sys

import pytest

CONF = """
import os
extensions = ["companion.parallel_writing"]
writers = {writers}

def note(kind):
    def made(app, *rest):
        with open(os.path.join(app.srcdir, kind), "a") as file:
            file.write(f"{{os.getpid()}}\\n")
    return made

def setup(app):
    app.connect("doctree-read", note("read"))
    app.connect("html-page-context", note("written"))
    return {{"parallel_read_safe": True, "parallel_write_safe": True}}
"""


@pytest.mark.parametrize("writers", [1, 3])
def test_one_process_reads_and_so_many_write(tmp_path, writers):
    (tmp_path / "conf.py").write_text(CONF.format(writers=writers))
    names = [f"page{number}" for number in range(30)]
    (tmp_path / "index.rst").write_text("Index\n=====\n.. toctree::\n\n   " + "\n   ".join(names) + "\n")
    for name in names:
        (tmp_path / f"{name}.rst").write_text(f"{name}\n=======\n")
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "-q", str(tmp_path), str(tmp_path / "out")]
    subprocess.run(command, check=True)
    readers, writing = ((tmp_path / kind).read_text().split() for kind in ("read", "written"))
    assert len(readers) == 31 and len(set(readers)) == 1
    assert len(set(writing)) >= writers and (writers > 1 or set(writing) == set(readers))
    assert all((tmp_path / "out" / f"{name}.html").is_file() for name in names)
