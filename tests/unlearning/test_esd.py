import pytest
import torch

from paperlib.unlearning.esd import esd
from tests.oracles import seeded
from tests.unlearning.toys import FORGET, RETAIN, fresh


def test_its_target_turns_the_classs_own_part_around():
    """At eta = 1 a model that predicts 2 e(0) - e(c) has zero loss, and it is evaluated only under c."""
    model = fresh(True)
    run = esd(model, FORGET, generator=seeded(), steps=1, points="data", batch_size=8)
    given = run.network

    class Solved(torch.nn.Module):
        net, process = given.net, given.process

        def __call__(self, x_t, t, cond=None):
            views = given(x_t, t)
            assert (cond == 0).all()
            views.eps.mul_(2).sub_(given(x_t, t, cond).eps)
            return views

    assert run.objective(Solved(), seeded(1), 0)["loss"].item() == pytest.approx(0, abs=1e-8)


def test_its_own_points_lie_at_every_noise_level_of_the_way():
    run = esd(fresh(True), FORGET, generator=seeded(), steps=1, evaluations=6, batch_size=4)
    draws, seen = seeded(2), set()
    ask = run.network.forward
    run.network.forward = lambda x, t, cond=None: (seen.add(round(float(t.flatten()[0]), 4)), ask(x, t, cond))[1]
    for index in range(60):
        run.objective(run.network, draws, index)
    assert len(seen) == 6 and max(seen) == 1.0


def test_a_model_without_labels_and_a_wrong_word_are_refused():
    with pytest.raises(ValueError, match="unconditional: ESD erases a label; negate serves it"):
        esd(fresh(False), FORGET, generator=seeded(), steps=1)
    with pytest.raises(ValueError, match="points='noise' is not one of own, data"):
        esd(fresh(True), FORGET, RETAIN, generator=seeded(), steps=1, points="noise")
