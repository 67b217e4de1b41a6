import math

import pytest
import torch

from paperlib.losses import score_matching
from paperlib.processes import VE
from paperlib.unlearning.redirect import carving, density_ratio, redirect
from tests.oracles import D_F, D_G, network, seeded


def exact_ratio(x):
    return (D_F.log_density(x) - D_G.log_density(x)).exp()


def test_a_classifier_learns_the_density_ratio():
    # With 200,000 points per side and 1,000 updates, the logit's error is a small network's, not a statistical one.
    ratio = density_ratio(D_F.sample(200_000, seeded(1)), D_G.sample(200_000, seeded(2)), generator=seeded(3))
    x = D_F.sample(4000, seeded(4))
    error = (ratio(x).log() - exact_ratio(x).log()).abs()
    assert error.median() < 0.15 and error.mean() < 0.3


def test_carving_is_the_formula_and_stays_above_its_floor():
    x = D_G.sample(1000, seeded(1))
    w = carving(exact_ratio, lam=60.0, floor=1e-3)(x)
    torch.testing.assert_close(w, 1 - exact_ratio(x) / 60)  # the floor is never reached for lambda above e^4
    assert carving(exact_ratio, lam=2.0, floor=1e-3)(torch.zeros(1, 2)).item() == pytest.approx(1e-3)


def test_weighted_score_matching_has_the_frontiers_density_as_minimiser():
    # E_g[w f] = E_w[f] (lambda - 1) / lambda for w = 1 - r / lambda: checked on two test functions.
    x, y = D_G.sample(400_000, seeded(1)).double(), D_F.sample(400_000, seeded(2)).double()
    w, lam = carving(exact_ratio, lam=60.0, floor=1e-9)(x), 60.0
    for f in (lambda x: (x.sum(1).abs() < 1).double(), lambda x: x.square().sum(1)):
        left, right = w * f(x), f(x).mean() - f(y).mean() / lam
        error = (left - f(x)).std() / math.sqrt(len(x)) + f(y).std() / lam / math.sqrt(len(y))
        assert abs(left.mean() - right) < 4.5 * error


def test_without_a_second_term_and_weights_it_is_score_matching_on_retained_data():
    model = network(VE())
    forget, retain = D_F.sample(64, seeded(1)), D_G.sample(64, seeded(2))
    run = redirect(model, forget, retain, generator=seeded(3), steps=1, mu=0.0, batch_size=16)
    generator = seeded(9)
    x0 = retain[torch.randint(64, (16,), generator=generator)]
    expected = score_matching(model, x0, generator).mean()
    torch.testing.assert_close(run.objective(model, seeded(9), 0)["loss"], expected)


def test_the_target_is_never_longer_than_its_reach():
    forget, retain = D_F.sample(512, seeded(1)), D_G.sample(512, seeded(2)) + 40  # far away, so targets are huge
    run = redirect(network(VE()), forget, retain, generator=seeded(3), steps=1, reach=0.0, batch_size=64)
    zero = run.objective(network(VE(), seed=1), seeded(4), 0)["L_f"]
    far = redirect(network(VE()), forget, retain, generator=seeded(3), steps=1, reach=2.0, batch_size=64)
    bounded = far.objective(network(VE(), seed=1), seeded(4), 0)["L_f"]
    # in root mean squares, |a - b| <= |a| + |b| with |b| <= reach sqrt(2)
    assert bounded.sqrt() <= zero.sqrt() + 2.0 * math.sqrt(2) + 1e-4


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"mu": -1.0}, "mu=-1.0 is negative"),
        ({"reach": -1.0}, "reach=-1.0 is negative"),
        ({"references": 0}, "references=0 is below 1"),
        ({"start": "again"}, "start='again' is not one of"),
    ],
)
def test_bad_arguments_are_named_at_once(bad, message):
    data = D_G.sample(4, seeded())
    with pytest.raises(ValueError, match=message):
        redirect(network(VE()), data, data, generator=seeded(), steps=1, **bad)


def test_no_updates_return_the_same_bits_and_never_touch_the_model():
    model = network(VE())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    forget, retain = D_F.sample(64, seeded(1)), D_G.sample(64, seeded(2))
    for steps in (0, 3):
        made = redirect(model, forget, retain, generator=seeded(3), steps=steps, batch_size=8, references=32).run()
        for name, value in model.state_dict().items():
            assert torch.equal(value, before[name])
        assert steps or all(torch.equal(value, before[name]) for name, value in made.state_dict().items())
