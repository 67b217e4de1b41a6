"""Runs small enough to be repeated a hundred times."""

import pytest
import torch

from companion import bases
from companion.bases import Budget
from companion.campaign import pretraining, samples


@pytest.fixture(autouse=True)
def tiny(monkeypatch, tmp_path):
    torch.set_num_threads(1)
    monkeypatch.setenv("PAPERLIB_BUILD", str(tmp_path / "build"))
    monkeypatch.setitem(bases.BUDGETS, ("digits", "cpu"), Budget(steps=24, batch_size=4, lr=1e-3, warmup=2))
    monkeypatch.setattr(pretraining, "INTERVAL", 0.0)  # a snapshot at every update
    monkeypatch.setattr(samples, "SAMPLES", 20)
    monkeypatch.setattr(samples, "STEPS", 2)
