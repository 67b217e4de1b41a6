"""A run that is interrupted anywhere and resumed equals one that was never interrupted."""

import time

import pytest
import torch

from companion.snapshots import Resumable
from paperlib.losses import score_matching
from paperlib.processes import VE
from paperlib.training import Training
from tests.oracles import GAUSSIAN, network, seeded


def objective(model, generator, index):
    return {"loss": score_matching(model, GAUSSIAN.sample(16, generator), generator).mean()}


def run(steps=10, **settings):
    return Training(network(VE()), objective, **{"steps": steps, "lr": 0.01, "generator": seeded(3)} | settings)


def weights(training):
    return torch.cat([p.flatten() for p in training.model.parameters()])


@pytest.mark.parametrize("cut", [1, 4, 9])
def test_a_run_that_is_cut_goes_on_from_its_last_snapshot_to_the_bit(tmp_path, cut):
    whole = Resumable(run(), tmp_path / "whole.pt", points=3)
    losses = [step.losses for step in whole]
    first = Resumable(run(), tmp_path / "a.pt", every=0, points=3)  # a snapshot at every update
    for step in first:
        if step.index == cut:
            break
    second = Resumable(run(), tmp_path / "a.pt", points=3)
    assert second.run.index == cut and not second.finished
    assert [step.losses for step in second] == losses[cut:]
    assert torch.equal(weights(second.run), weights(whole.run))
    assert second.curve == whole.curve
    expected = [(k, sum(loss["loss"] for loss in losses[k - 3 : k]) / 3) for k in (3, 6, 9)]
    assert [k for k, _ in whole.curve] == [3, 6, 9]
    assert [v for _, v in whole.curve] == pytest.approx([v for _, v in expected])


def test_a_window_that_is_entered_midway_has_the_mean_of_what_was_seen_of_it(tmp_path):
    begun = run()
    begun.start_from(begun.model.state_dict(), 4)
    followed = Resumable(begun, tmp_path / "a.pt", every=0, points=3)
    losses = {step.index: step.losses["loss"] for step in followed}
    expected = [(6, (losses[5] + losses[6]) / 2), (9, sum(losses[k] for k in (7, 8, 9)) / 3)]
    assert followed.curve == [(at, pytest.approx(mean)) for at, mean in expected]
    assert Resumable(run(), tmp_path / "a.pt", points=3).curve == followed.curve


def test_no_snapshot_is_written_before_its_time_but_one_at_the_end(tmp_path):
    file = tmp_path / "deep" / "a.pt"
    followed = Resumable(run(), file, every=1000)
    seen = [(step.index, file.exists()) for step in followed]
    assert seen == [(k, k == 10) for k in range(1, 11)]
    assert followed.finished and list(file.parent.iterdir()) == [file]
    assert list(Resumable(run(), file)) == []


def test_at_the_deadline_it_stops_and_loses_nothing(tmp_path):
    followed = Resumable(run(), tmp_path / "a.pt", every=1000, deadline=time.monotonic())
    assert [step.index for step in followed] == [1]
    assert not followed.finished
    assert Resumable(run(), tmp_path / "a.pt").run.index == 1


def test_a_loss_that_is_not_finite_leaves_the_last_good_snapshot(tmp_path):
    def breaks(model, generator, index):
        loss = objective(model, generator, index)["loss"]
        return {"loss": loss * float("nan") if index == 6 else loss}

    broken = Training(network(VE()), breaks, steps=10, lr=0.01, generator=seeded(3))
    with pytest.raises(FloatingPointError, match="the loss is nan at update 7"):
        for _ in Resumable(broken, tmp_path / "a.pt", every=0):
            pass
    good = run()
    for step in good:
        if step.index == 6:
            break
    kept = Resumable(run(), tmp_path / "a.pt").run
    assert kept.index == 6 and torch.equal(weights(kept), weights(good))
