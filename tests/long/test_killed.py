"""Work killed by SIGKILL at many random moments, alone and two at once: nothing recorded is lost or half-written, and
what comes out in the end is what undisturbed work gives. ``make test-long``; PAPERLIB_KILLS says how many kills."""

import json
import os
import random
import signal
import sys
import time
from datetime import datetime

import pytest
import torch

from companion import bases, checkpoints
from companion.bases import Budget
from companion.campaign import plan, pretraining, samples
from companion.comparison.course_results import images, looks
from companion.comparison.courses import Course, course
from companion.comparison.search import Budget as SearchBudget
from companion.comparison.search import Search, search, write
from companion.store import Store

KILLS = int(os.environ.get("PAPERLIB_KILLS", "50"))
NAME = "digits-ve"
NEGGRAD = dict(base="digits-ddpm", method="neggrad", forget="1", lr=1e-4)
COURSE = Course(**NEGGRAD, looks=(2, 4, 6), batch_size=4, n=20, evaluations=2)


@pytest.fixture(autouse=True)
def tiny(monkeypatch, tmp_path):
    torch.set_num_threads(1)
    monkeypatch.setenv("PAPERLIB_BUILD", str(tmp_path / "build"))
    monkeypatch.setitem(bases.BUDGETS, ("digits", "cpu"), Budget(steps=24, batch_size=4, lr=1e-3, warmup=2))
    monkeypatch.setattr(pretraining, "INTERVAL", 0.0)  # a snapshot at every update
    monkeypatch.setattr(samples, "SAMPLES", 20)
    monkeypatch.setattr(samples, "STEPS", 2)


def started(work):
    """A child of this process at the work; it has all libraries already."""
    child = os.fork()
    if child:
        return child
    try:
        sys.stdout = open(os.devnull, "w")
        work()
    except BaseException:
        os._exit(1)
    os._exit(0)


def ended(child):
    """Its exit status, None where it still works."""
    found, status = os.waitpid(child, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def killed_again_and_again(work, check, at_once=1):
    """Start the work, kill it at a random moment, look at what is there; where it came to its end before that, begin
    another one. After so many kills let the last one end."""
    work(0)()  # undisturbed, in a folder of its own and in this process, which then has every library
    begin = time.monotonic()
    assert os.waitstatus_to_exitcode(os.waitpid(started(work(-1)), 0)[1]) == 0
    whole, moments, kills, number = time.monotonic() - begin, random.Random(0), 0, 1
    while kills < KILLS:
        children = [started(work(number)) for _ in range(at_once)]
        time.sleep(moments.uniform(0, whole))
        ends = [ended(child) for child in children]
        for child in (child for child, end in zip(children, ends) if end is None):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            kills += 1
        assert set(ends) <= {None, 0}
        done = set(ends) == {0}  # of two, one may leave it to the other
        check(number, done)
        number += done
    assert os.waitstatus_to_exitcode(os.waitpid(started(work(number)), 0)[1]) == 0
    check(number, True)


@pytest.mark.parametrize("at_once", [1, 2])
def test_a_campaign(tmp_path, monkeypatch, at_once):
    def work(number):
        def run():
            os.environ["PAPERLIB_BUILD"] = str(tmp_path / f"build-{number}")
            plan.main(["--device", "cpu", "--folder", str(tmp_path / str(number)), "--only", NAME])

        return run

    def weights(number):
        return checkpoints.load(bases.architecture(bases.BASES[NAME]), NAME, tmp_path / str(number)).state_dict()

    def check(number, last):
        card = checkpoints.card(NAME, tmp_path / str(number))
        assert card is not None or not last
        if last:
            expected = weights(0)
            assert all(torch.equal(value, expected[name]) for name, value in weights(number).items())
            assert card["samples_seen"] == 96

    killed_again_and_again(work, check, at_once)


@pytest.mark.parametrize("at_once", [1, 2])
def test_a_course_of_the_store(tmp_path, at_once):
    def work(number):
        return lambda: course(Store(tmp_path / str(number)), COURSE)

    def seen(number):
        entry = course(Store(tmp_path / str(number)), COURSE)  # read: it is there
        kept = [{key: value for key, value in one.items() if key != "seconds"} for one in looks(entry)]
        return kept, images(entry)

    def check(number, last):
        if last:
            (kept, drawn), (expected, same) = seen(number), seen(0)
            assert kept == expected and torch.equal(torch.as_tensor(drawn), torch.as_tensor(same))

    killed_again_and_again(work, check, at_once)


def test_a_search_and_its_file(tmp_path):
    budget = SearchBudget(evaluations=12, batch_size=4, n=60, sampler=4)

    def work(number):
        def run():
            folder = tmp_path / str(number)
            write(search(Store(folder / "store"), "digits-ddpm", "1", budget, ["finetune", "neggrad"], str), folder)

        return run

    def check(number, last):
        files = list((tmp_path / str(number)).glob("*.json"))
        assert files or not last
        for file in files:  # whole, whenever the kill came
            found = Search.model_validate_json(file.read_text())
            (expected,) = (tmp_path / "0").glob("*.json")
            assert found.candidates == Search.model_validate_json(expected.read_text()).candidates

    killed_again_and_again(work, check)


def test_a_clock_that_is_set_back_changes_nothing(tmp_path, monkeypatch):
    plan.main(["--device", "cpu", "--folder", str(tmp_path / "a"), "--only", NAME])

    class Back(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(1999, 1, 1, tzinfo=tz)

    monkeypatch.setattr(checkpoints.datetime, "datetime", Back)
    monkeypatch.setattr(time, "time", lambda: 1e9)
    monkeypatch.setenv("PAPERLIB_BUILD", str(tmp_path / "late"))
    plan.main(["--device", "cpu", "--folder", str(tmp_path / "b"), "--only", NAME])
    first, second = (json.loads((tmp_path / name / f"{NAME}.json").read_text()) for name in "ab")
    assert first["sha256"] == second["sha256"] and second["date"].startswith("1999")
