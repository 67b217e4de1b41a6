"""A command does the same as a fork of the server and as a separate process."""

import os
import signal
import subprocess
import sys
import time

import pytest

from companion import warm
from companion.code import CHECKOUT

pytestmark = pytest.mark.skipif(sys.platform == "darwin", reason="no server there")
COMMAND = """
import os, pathlib, sys, time
print(sys.argv[1:], os.getcwd(), os.environ["WORD"], "colorsys" in sys.modules, sys.stdin.read())
print("a log line", file=sys.stderr)
if sys.argv[1] == "wait":
    pathlib.Path("pid").write_text(str(os.getpid()))
    time.sleep(60)
if sys.argv[1] == "fail":
    raise ValueError("no")
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "said.py").write_text(COMMAND)
    monkeypatch.setenv("PYTHONPATH", f"{CHECKOUT}{os.pathsep}{tmp_path}")
    monkeypatch.setenv("WORD", "before")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(*arguments):
    environment = os.environ | {"WORD": "after"}
    line = [*warm.command("said"), *arguments]
    done = subprocess.run(line, env=environment, input="words", capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout, done.stderr


def test_a_fork_has_the_caller_s_folder_environment_streams_and_status(folder):
    with warm.server(["colorsys"]):
        there = [said("0", "b c"), said("3"), said("fail")]
        assert there[0] == (0, f"['0', 'b c'] {folder} after True words\n", "a log line\n")
        assert there[1][0] == 3 and there[2][0] == 1 and there[2][2].endswith("ValueError: no\n")
    here = [said("0", "b c"), said("3"), said("fail")]
    assert [one[0] for one in here] == [0, 3, 1]
    assert here[0][1] == there[0][1].replace("True", "False")


def ended(pid):
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_fork_ends_with_who_asked_for_it(folder, number):
    with warm.server(["colorsys"]):
        process = subprocess.Popen([*warm.command("said"), "wait"], stdin=subprocess.DEVNULL)
        while not (folder / "pid").exists() or not (pid := (folder / "pid").read_text()):
            time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(timeout=300) != 0
        assert ended(int(pid))
