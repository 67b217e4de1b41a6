"""The comparison in the campaign: a run is done when it is in the store, and not started without time left."""

import time

import pytest
import torch

from companion.campaign import comparison
from companion.campaign.comparison import SEEDS, BenchRun, bench_runs
from companion.comparison.entrants import ENTRANTS
from companion.store import Store


@pytest.fixture
def one(tmp_path, monkeypatch):
    done = set()
    monkeypatch.setattr(BenchRun, "bench", "the bench")
    monkeypatch.setattr(comparison, "wanted", lambda bench, entrant, seed: (entrant, seed))
    monkeypatch.setattr(comparison, "done", lambda store, wanted: wanted in done)
    monkeypatch.setattr(comparison, "run", lambda store, bench, *wanted: done.add(wanted))
    monkeypatch.setattr(comparison, "model_file", lambda entry: "file")
    values = {"UR": {"value": 1.0}, "distance": {"value": 2.0}}
    monkeypatch.setattr(comparison, "measure", lambda *wanted: values)
    return BenchRun("redirect", 1, Store(tmp_path))


def test_it_is_done_when_it_is_in_the_store(one, capsys):
    assert one.left() == 1.0 and one.go_on(None) and one.left() == 0.0
    assert "compare-redirect-1: UR 1.0 %, distance 2.00" in capsys.readouterr().out


def test_it_is_not_begun_when_the_time_is_up(one):
    assert not one.go_on(time.monotonic() - 1) and one.left() == 1.0


def test_seed_by_seed_every_entrant(tmp_path):
    names = [run.name for run in bench_runs(torch.device("cpu"), comparison.checkpoints.FOLDER)]
    assert names == [f"compare-{name}-{seed}" for seed in SEEDS for name in ENTRANTS] and len(SEEDS) >= 3
    assert bench_runs(torch.device("cpu"), tmp_path) == []  # no base model, no runs
