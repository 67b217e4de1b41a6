import math

import pytest
import torch

from paperlib.processes import VE
from paperlib.unlearning.siss import mixture_weights, siss
from tests.oracles import D_F, D_G, network, seeded


@pytest.mark.parametrize("lam", [0.0, 0.3, 0.5, 1.0])
def test_the_weights_are_their_formula_and_never_overflow(lam):
    log_r = torch.tensor([-3.0, 0.0, 2.0], dtype=torch.float64)
    r = log_r.exp()
    w_x, w_a = mixture_weights(log_r, lam)
    torch.testing.assert_close(w_x, 1 / ((1 - lam) + lam * r))
    torch.testing.assert_close(w_a, 1 / ((1 - lam) / r + lam))
    ends = torch.stack(mixture_weights(torch.tensor([-1e4, 1e4]), 0.5))
    torch.testing.assert_close(ends, torch.tensor([[2.0, 0.0], [0.0, 2.0]]))


def test_one_pass_estimates_what_two_passes_do():
    """Each term has the same expectation in both forms, for any mixture weight."""
    model, forget, retain = network(VE(0.5, 10.0)), D_F.sample(400, seeded(1)), D_G.sample(800, seeded(2))
    means = {}
    for name, own in {"two": {"passes": "two"}, "half": {"lam": 0.5}, "fifth": {"lam": 0.2}}.items():
        run = siss(model, forget, retain, generator=seeded(), steps=1, batch_size=4000, variant="paper", **own)
        draws = seeded(5)
        with torch.no_grad():
            found = [run.objective(model, draws, 0) for _ in range(40)]
        means[name] = {term: torch.stack([one[term] for one in found]) for term in ("L_x", "L_a", "loss")}
    for name in ("half", "fifth"):
        for term in ("L_x", "L_a"):
            a, b = means["two"][term], means[name][term]
            error = math.sqrt((a.var() + b.var()).item() / 40)
            assert abs((a.mean() - b.mean()).item()) < 4.5 * error, (name, term)
    loss = 1.5 * means["half"]["L_x"] - 0.5 * means["half"]["L_a"]  # n = 1200, k = 400
    torch.testing.assert_close(means["half"]["loss"], loss)


def test_the_code_scales_the_second_gradient_to_a_share_of_the_first():
    model, forget, retain = network(VE()), D_F.sample(64, seeded(1)), D_G.sample(64, seeded(2))
    run = siss(model, forget, retain, generator=seeded(3), steps=1, fraction=0.1, batch_size=32, clip=0.0)
    losses = run.objective(run.network, seeded(4), 0)
    x, a = (run.gradient(losses[name]) for name in ("L_x", "L_a"))
    by = run.weigh({"L_x": x, "L_a": a}, {})
    assert by["L_x"] == 1 and by["L_a"] < 0
    assert (by["L_a"] * a).norm().item() == pytest.approx(0.1 * x.norm().item(), rel=1e-5)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"lam": 1.5}, r"lam=1.5 is not in \[0, 1\]"),
        ({"fraction": -1.0}, "fraction=-1.0 is not a number from 0 up"),
        ({"passes": "three"}, "passes='three' is not one of one, two"),
        ({"variant": "ours"}, "variant='ours' is not one of paper, code"),
    ],
)
def test_bad_arguments_are_named_at_once(bad, message):
    data = D_G.sample(4, seeded())
    with pytest.raises(ValueError, match=message):
        siss(network(VE()), data, data, generator=seeded(), steps=1, **bad)
