"""Runs killed by SIGKILL at many random moments, alone and two at once: nothing saved is lost or half-written, and the
final result is that of an undisturbed run. ``make test-long``; PAPERLIB_KILLS is the number of kills."""

import json
import os
import random
import time
from datetime import datetime

import psutil
import pytest

from companion import checkpoints
from tests.long.children import ended, kill, started, status_of
from tests.long.works import WORKS, Book, Campaign

KILLS = int(os.environ.get("PAPERLIB_KILLS", "50"))


def killed_again_and_again(work, tmp_path, at_once=1):
    """Start the work, kill it at a random moment, check its files, and start it again to continue; if it ended first,
    begin in another folder. After the last kill, let the runs end."""
    undisturbed = tmp_path / "undisturbed"
    work.run(undisturbed)  # in this process, so that every library is imported
    begin = time.monotonic()
    assert status_of(lambda: work.run(tmp_path / "timed")) == 0
    whole, moments, kills, number = time.monotonic() - begin, random.Random(0), 0, 1

    def begun():
        folder = tmp_path / str(number)
        return [started(lambda: work.run(folder)) for _ in range(at_once)]

    while kills < KILLS:
        children = begun()
        time.sleep(moments.uniform(0, whole))
        ends = [ended(child) for child in children]
        for child in (child for child, end in zip(children, ends) if end is None):
            kill(child, all_below=moments.random() < 0.5)
            kills += 1
        assert set(ends) <= {None, 0}
        done = set(ends) == {0}  # one of two may leave the work to the other
        work.check(tmp_path / str(number), undisturbed, done)
        number += done
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in begun()] == [0] * at_once
    work.check(tmp_path / str(number), undisturbed, True)


def working_below(folder):
    """Return the processes whose build folder is below ``folder``, including kernels and servers."""
    every = ((one, one.info["environ"] or {}) for one in psutil.process_iter(["environ"]))
    return [one for one, its in every if its.get("PAPERLIB_BUILD", "").startswith(f"{folder}/")]


@pytest.mark.parametrize("at_once", [1, 2])
@pytest.mark.parametrize("name", WORKS)
def test_what_was_killed_goes_on_to_the_same_end(tmp_path, name, at_once):
    killed_again_and_again(WORKS[name](), tmp_path, at_once)


@pytest.mark.parametrize("at_once", [1, 2])
def test_a_book_that_was_killed_goes_on_to_the_same_end_and_leaves_no_process(tmp_path, at_once):
    killed_again_and_again(Book(tmp_path / "checkout"), tmp_path, at_once)
    last = time.monotonic() + 20
    while left := working_below(tmp_path):
        assert time.monotonic() < last, left
        time.sleep(0.5)


def test_a_clock_that_is_set_back_changes_nothing(tmp_path, monkeypatch):
    work = Campaign()
    work.run(tmp_path / "a")

    class Back(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(1999, 1, 1, tzinfo=tz)

    monkeypatch.setattr(checkpoints.datetime, "datetime", Back)
    monkeypatch.setattr(time, "time", lambda: 1e9)
    work.run(tmp_path / "b")
    work.check(tmp_path / "b", tmp_path / "a", True)
    assert json.loads((tmp_path / "b/checkpoints" / f"{work.name}.json").read_text())["date"].startswith("1999")
