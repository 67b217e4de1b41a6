import pytest
import torch

from paperlib.losses import batch_loss, draw, noised
from paperlib.processes import VE
from paperlib.unlearning.empirical import posterior_eps
from paperlib.unlearning.retrack import _target, nearest, retrack
from tests.oracles import D_F, D_G, network, seeded


def test_the_nearest_are_those_of_a_sorted_list():
    x, points = torch.randn(5, 2, 3, generator=seeded(1)), torch.randn(40, 2, 3, generator=seeded(2))
    found = nearest(x, points, 4)
    for row, chosen in zip(x, found):
        order = sorted(range(40), key=lambda i: (row - points[i]).square().sum().item())
        assert chosen.tolist() == order[:4]
    assert nearest(x, points[:3], 10).shape == (5, 3)


def test_with_all_points_the_target_is_the_exact_noise_of_the_retained_data():
    process, points = VE(), D_G.sample(50, seeded(1)).double()
    t = torch.tensor([0.5, 0.7], dtype=torch.float64)
    x_t = process.perturb(D_F.sample(2, seeded(2)).double(), t, torch.randn(2, 2, generator=seeded(3)).double())
    exact = posterior_eps(process, x_t, t, points, torch.ones(50, dtype=torch.float64))
    found = torch.cat([_target(process, x_t[i : i + 1], t[i : i + 1], points) for i in range(2)])
    torch.testing.assert_close(found, exact)


def test_the_loss_is_denoising_and_one_regression_by_hand():
    model, forget, retain = network(VE()), D_F.sample(64, seeded(1)), D_G.sample(64, seeded(2))
    run = retrack(model, forget, retain, generator=seeded(3), steps=1, batch_size=16, pool=32, mu=0.5, k=3)
    losses = run.objective(model, seeded(4), 0)
    torch.testing.assert_close(losses["loss"], losses["L_g"] + 0.5 * losses["L_f"])
    generator = seeded(4)
    torch.testing.assert_close(losses["L_g"], batch_loss(model, retain, 16, generator).mean())
    x_f, points = draw(forget, 16, generator)[0], draw(retain, 32, generator)[0]
    x_t, t, _ = noised(VE(), x_f, generator)
    beside = [points[nearest(x_f[i : i + 1], points, 3)[0]] for i in range(16)]
    rows = [posterior_eps(VE(), x_t[i : i + 1], t[i : i + 1], beside[i], torch.ones(3)) for i in range(16)]
    L_f = (torch.cat(rows) - model(x_t, t).eps).square().sum(1).mean()
    torch.testing.assert_close(losses["L_f"], L_f)
    alone = retrack(model, forget, retain, generator=seeded(3), steps=1, batch_size=16, pool=32, mu=0.0)
    torch.testing.assert_close(alone.objective(model, seeded(4), 0)["loss"], losses["L_g"])


@pytest.mark.parametrize(("bad", "message"), [({"k": 0}, "k=0 is below 1"), ({"mu": -1.0}, "mu=-1.0 is not a number")])
def test_bad_arguments_are_named_at_once(bad, message):
    data = D_G.sample(4, seeded())
    with pytest.raises(ValueError, match=message):
        retrack(network(VE()), data, data, generator=seeded(), steps=1, **bad)
