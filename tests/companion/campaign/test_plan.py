"""The campaign on a base model that takes seconds: stopped, killed and resumed, it ends with the same model."""

import dataclasses
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from companion import bases, checkpoints
from companion.bases import Budget
from companion.campaign import evaluation, plan, pretraining, samples
from companion.campaign.pretraining import Pretraining
from paperlib.nets.presets import PRESETS

NAME = "digits-ve"
TINY = Budget(steps=12, batch_size=4, lr=1e-3, warmup=2)
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def tiny(monkeypatch, tmp_path):
    monkeypatch.setenv("PAPERLIB_BUILD", str(tmp_path / "build"))
    monkeypatch.setitem(bases.BUDGETS, ("digits", "cpu"), TINY)
    monkeypatch.setattr(samples, "SAMPLES", 20)
    monkeypatch.setattr(samples, "STEPS", 2)


def make(folder, *options):
    plan.main(["--device", "cpu", "--folder", str(folder), "--only", NAME, *options])


def tensors(folder):
    return checkpoints.load(bases.architecture(bases.BASES[NAME]), NAME, folder).state_dict()


def same(first, second):
    return all(torch.equal(value, second[name]) for name, value in first.items())


@pytest.mark.slow
def test_a_campaign_stopped_again_and_again_ends_at_the_model_of_one_that_was_not(tmp_path, capsys):
    make(tmp_path / "whole")
    assert capsys.readouterr().out.endswith("All runs are done.\n")
    for _ in range(30):
        make(tmp_path / "parts", "--minutes", "0")  # one update per call
        if "All runs are done." in (out := capsys.readouterr().out):
            break
        assert "Time is up; the same command goes on from here." in out
    assert same(tensors(tmp_path / "whole"), tensors(tmp_path / "parts"))
    card = checkpoints.card(NAME, tmp_path / "parts")
    assert card["samples_seen"] == 48 and card["data"] == "digits-train" and card["budget"]["steps"] == 12
    assert not list((tmp_path / "build").rglob("*.pt"))


@pytest.mark.slow
def test_a_killed_campaign_goes_on_from_its_last_snapshot(tmp_path, monkeypatch):
    program = f"""
        import sys
        from companion import bases
        from companion.campaign import plan, pretraining
        pretraining.INTERVAL = 0.0
        bases.BUDGETS["digits", "cpu"] = bases.Budget(**{TINY.model_dump()!r} | dict(steps=100_000))
        plan.main(["--device", "cpu", "--folder", sys.argv[1], "--only", "{NAME}"])
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path / "out")]
    snapshots = tmp_path / "build" / "campaign"
    finished = "[!.]*.pt"  # ignoring a draft that the kill may have left
    process = subprocess.Popen(command, cwd=Path(__file__).parents[3], env=os.environ | {"OMP_NUM_THREADS": "1"})
    try:
        while not list(snapshots.glob(finished)):
            assert process.poll() is None
            time.sleep(0.05)
        time.sleep(0.3)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    (snapshot,) = snapshots.glob(finished)  # complete, whenever it was killed
    updates = torch.load(snapshot, weights_only=True)["training"]["progress"][0]
    assert updates >= 1 and not (tmp_path / "out").exists()
    monkeypatch.setitem(bases.BUDGETS, ("digits", "cpu"), TINY.model_copy(update={"steps": 100_000}))
    run = Pretraining(bases.BASES[NAME], CPU, tmp_path / "out")
    assert run.snapshot == snapshot
    assert run.left() == pytest.approx(1 - updates / 100_000, abs=1e-9)


def test_the_plan_says_what_is_done_and_what_is_next_and_does_nothing(tmp_path, capsys):
    make(tmp_path, "--minutes", "0")
    capsys.readouterr()
    make(tmp_path, "--plan")
    assert "| digits-ve | 8% done | 0 |" in capsys.readouterr().out
    make(tmp_path)
    plan.main(["--device", "cpu", "--folder", str(tmp_path), "--only", NAME, f"{NAME}-samples", "--plan"])
    out = capsys.readouterr().out
    assert "| digits-ve | done |  |" in out and "| digits-ve-samples | to do |" in out
    assert not (tmp_path / f"{NAME}.png").exists()


def test_a_checkpoint_that_has_seen_less_than_is_asked_for_is_trained_again(tmp_path, monkeypatch):
    make(tmp_path)
    run = Pretraining(bases.BASES[NAME], CPU, tmp_path)
    assert run.left() == 0
    monkeypatch.setitem(bases.BUDGETS, ("digits", "cpu"), TINY.model_copy(update={"steps": 13}))
    assert Pretraining(bases.BASES[NAME], CPU, tmp_path).left() == 1
    monkeypatch.setitem(bases.BUDGETS, ("digits", "cpu"), TINY.model_copy(update={"steps": 5}))
    assert Pretraining(bases.BASES[NAME], CPU, tmp_path).left() == 0


def test_a_lost_snapshot_goes_on_from_the_committed_weights(tmp_path):
    make(tmp_path / "out", "--minutes", "0")
    make(tmp_path / "out", "--minutes", "0")
    kept = checkpoints.card(NAME, tmp_path / "out" / "unfinished")
    assert kept["samples_seen"] == 8 and checkpoints.card(NAME, tmp_path / "out") is None
    for snapshot in (tmp_path / "build" / "campaign").glob("*.pt"):
        snapshot.unlink()
    run = Pretraining(bases.BASES[NAME], CPU, tmp_path / "out")
    assert run.left() == pytest.approx(1 - 2 / 12)
    make(tmp_path / "out")
    card = checkpoints.card(NAME, tmp_path / "out")
    assert card["samples_seen"] == 48 and [at for at, _ in card["curve"]] == list(range(1, 13))  # its first part, too
    assert [one["from_update"] for one in card["machines"]] == [0, 2] or [
        one["from_update"] for one in card["machines"]
    ] == [1, 2]
    assert not list((tmp_path / "out" / "unfinished").glob("*"))


def test_a_run_killed_between_its_last_update_and_its_checkpoint_still_writes_it(tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Pretraining, "_write", killed)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path)
    monkeypatch.undo()
    monkeypatch.setenv("PAPERLIB_BUILD", str(tmp_path / "build"))
    monkeypatch.setitem(bases.BUDGETS, ("digits", "cpu"), TINY)
    assert 0 < Pretraining(bases.BASES[NAME], CPU, tmp_path).left() < 1 / TINY.steps
    make(tmp_path)
    assert checkpoints.card(NAME, tmp_path)["samples_seen"] == 48


def test_another_network_begins_anew(tmp_path, monkeypatch):
    make(tmp_path, "--minutes", "0")
    assert Pretraining(bases.BASES[NAME], CPU, tmp_path).left() < 1
    wider = dataclasses.replace(PRESETS["small-8"], settings=PRESETS["small-8"].settings | {"channels": 16})
    monkeypatch.setitem(PRESETS, "small-8", wider)
    assert not Pretraining(bases.BASES[NAME], CPU, tmp_path).snapshot.is_file()
    monkeypatch.setattr(bases.Base, "preset", "small-16")
    assert Pretraining(bases.BASES[NAME], CPU, tmp_path).left() == 1  # and its old weights are not used


def test_two_processes_do_not_do_a_run_twice(tmp_path, capsys):
    run = Pretraining(bases.BASES[NAME], CPU, tmp_path / "out")
    run.snapshot.parent.mkdir(parents=True)
    with FileLock(run.snapshot.with_suffix(".lock")):
        make(tmp_path / "out")
    assert "another process is at it" in capsys.readouterr().out
    assert checkpoints.card(NAME, tmp_path / "out") is None


def test_the_plan_needs_no_data(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PAPERLIB_DATA", str(tmp_path / "nothing"))
    monkeypatch.setitem(pretraining.SECONDS, ("small-28", "vp", True, "cpu", "float32"), 0.5)
    monkeypatch.setitem(pretraining.SECONDS, ("small-28", "vp", True, "cpu", "bf16"), 0.25)
    plan.main(["--device", "cpu", "--folder", str(tmp_path), "--only", "mnist-vp-labels", "--plan"])
    steps = bases.budget(bases.BASES["mnist-vp-labels"], "cpu").steps
    assert f"| mnist-vp-labels | to do | {0.25 * steps / 60:.0f} |" in capsys.readouterr().out


@pytest.mark.parametrize("profile", ["laptop", "paper"])
def test_no_run_needs_data_to_be_planned(profile, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PAPERLIB_DATA", str(tmp_path / "nothing"))
    monkeypatch.setenv("PAPERLIB_BUILD", str(tmp_path / "build"))
    monkeypatch.setattr(pretraining.Pretraining, "minutes", lambda run: 1.0)
    monkeypatch.setattr(evaluation.BaseEvaluation, "minutes", lambda run: 1.0)
    plan.main(["--device", "cpu", "--profile", profile, "--plan"])
    assert "| total left | |" in capsys.readouterr().out


@pytest.mark.slow
def test_an_estimate_needs_no_data_either(tmp_path, monkeypatch):
    monkeypatch.setenv("PAPERLIB_DATA", str(tmp_path / "nothing"))
    monkeypatch.setattr(pretraining, "SECONDS", {})
    assert Pretraining(bases.BASES["mnist-ve"], CPU, tmp_path).minutes() > 0


def test_the_samples_are_looked_at_once_for_each_checkpoint(tmp_path, monkeypatch, capsys):
    make(tmp_path)
    check = samples.SampleCheck(bases.BASES[NAME], CPU, tmp_path)
    assert check.left() == 1 and check.go_on(None) and check.left() == 0
    found = checkpoints.card(NAME, tmp_path)["samples"]
    assert sum(found["shares"]) == pytest.approx(1, abs=1e-3) and 0.1 <= found["confidence"] <= 1
    assert found["n"] == 20 and found["evaluations"] == 2
    assert (tmp_path / f"{NAME}.png").is_file()
    monkeypatch.setitem(bases.BUDGETS, ("digits", "cpu"), TINY.model_copy(update={"steps": 13}))
    make(tmp_path)
    assert check.left() == 1  # results belong to another checkpoint
    assert not samples.SampleCheck(bases.BASES[NAME], CPU, tmp_path).go_on(time.monotonic() - 1)


def test_an_unknown_run_is_refused_with_the_names_there_are(tmp_path, capsys):
    with pytest.raises(SystemExit):
        plan.main(["--only", "mnist-sub"])
    assert "--only mnist-sub is not one of digits-ve, digits-ve-samples," in capsys.readouterr().err


def test_a_gpu_that_is_not_there_is_said_so(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="device='cuda', but torch sees no GPU here"):
        plan.main(["--device", "cuda"])


def test_the_campaign_needs_few_libraries(tmp_path):
    """It must run on a GPU image that has only the core dependencies in pyproject.toml."""
    program = """
        import sys
        from importlib.abc import MetaPathFinder

        ALLOWED = {"torch", "numpy", "accelerate", "safetensors", "pydantic", "torchdiffeq"}
        ALLOWED |= {"scipy", "yaml", "filelock", "psutil", "paperlib", "companion"} | sys.stdlib_module_names

        class Refuse(MetaPathFinder):
            def find_spec(self, name, path=None, target=None):
                caller = sys._getframe(1)
                while caller and caller.f_code.co_filename.startswith("<frozen"):
                    caller = caller.f_back
                ours = caller.f_globals.get("__name__", "").split(".")[0] in ("paperlib", "companion")
                if ours and name.split(".")[0] not in ALLOWED:
                    raise ImportError(f"{name} is not on a GPU image")

        sys.meta_path.insert(0, Refuse())
        import companion.campaign.__main__
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=Path(__file__).parents[3], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
