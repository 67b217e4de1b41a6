"""Runs with Gaussians of the same snapshots: what is equal, what differs, and what the columns explain."""

import dataclasses

import pytest
import torch

from companion import bases, checkpoints
from companion.models import base
from companion.store import Store
from companion.studies import posterior_runs
from companion.studies.posterior_runs import Walk, gaussian, vdu_run
from paperlib.unlearning.posterior import posterior
from paperlib.unlearning.swag import swag

WALK = Walk(base="digits-ddpm", most=4, apart=1, batch_size=4)
ASKED = dict(forget="1", gamma=0.9, lr=1e-5, looks=(1, 2), batch_size=4, n=60, evaluations=6, images=20)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    start = dataclasses.replace(base("digits-ddpm"), store=Store(tmp_path_factory.mktemp("store")))
    kinds = [(4, "diagonal"), (4, "low rank"), (4, "halved"), (2, "diagonal")]
    return start, {one: vdu_run(start, WALK, count=one[0], kind=one[1], **ASKED) for one in kinds}


def members(start, numbers):
    (folder,) = start.store.folder.glob("snapshots-*[!k]")
    network = bases.architecture(bases.BASES["digits-ddpm"])
    for number in numbers:
        yield checkpoints.load(network, f"snapshot-{number}", folder)


def test_one_walk_serves_all_runs_and_fewer_snapshots_are_every_second(found):
    start, runs = found
    here = bases.load("digits-ddpm")
    count = sum(p.numel() for p in here.parameters())
    for numbers in ((1, 2, 3, 4), (2, 4)):
        expected = posterior(members(start, numbers)).like(here).stability(here).item() / count
        assert runs[len(numbers), "diagonal"]["pull"] == pytest.approx(expected, rel=1e-4)


def test_the_columns_explain_what_they_save_of_the_halved_diagonal(found):
    start, runs = found
    low, halved = runs[4, "low rank"], runs[4, "halved"]
    assert halved["pull"] == pytest.approx(2 * runs[4, "diagonal"]["pull"], rel=1e-4)
    assert low["explained"]["pull"] == pytest.approx(1 - low["pull"] / halved["pull"], rel=1e-3)
    assert 0 < low["explained"]["move"] < 1 and "explained" not in halved


def test_all_runs_are_seen_alike_before_they_begin(found):
    _, runs = found
    first, *others = [one["looks"][0] for one in runs.values()]
    assert all(one == first for one in others) and first["pul"] == 0
    assert [look["update"] for look in runs[4, "low rank"]["looks"]] == [0, 1, 2]
    assert len({one["looks"][-1]["L_f"] for one in runs.values()}) == 4  # no two end alike


def test_a_second_call_computes_nothing(found, monkeypatch):
    start, runs = found
    monkeypatch.setattr(posterior_runs, "vdu", None)
    monkeypatch.setattr(posterior_runs, "finetune", None)
    assert vdu_run(start, WALK, count=4, kind="low rank", **ASKED) == runs[4, "low rank"]


def test_the_kinds_are_vdu_s_swag_s_and_swag_s_diagonal(found):
    start, _ = found
    low, halved = (gaussian(members(start, range(1, 5)), kind, 4) for kind in ("low rank", "halved"))
    whole, theirs = posterior(members(start, range(1, 5))), swag(members(start, range(1, 5)), rank=4)
    for name, variance in whole.variance.items():
        assert torch.equal(halved.variance[name], variance / 2) and torch.equal(low.variance[name], variance / 2)
        assert torch.equal(low.columns[name], theirs.columns[name])
    assert low.rank == 4 and halved.rank == 0


@pytest.mark.parametrize(
    "change, message",
    [
        ({"count": 3}, "3 of 4 snapshots are not evenly spaced"),
        ({"kind": "full"}, "kind='full' is not one of diagonal, low rank, halved"),
        ({"gamma": 1.5}, "gamma=1.5"),
    ],
)
def test_wrong_settings_are_refused(found, change, message):
    with pytest.raises(ValueError, match=message):
        vdu_run(found[0], WALK, **{"count": 4, "kind": "diagonal"} | ASKED | change)
