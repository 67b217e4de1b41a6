import pytest
import torch
from torch import nn

from paperlib.data.frontier import Optimum
from paperlib.denoiser import Denoiser
from paperlib.losses import noised
from paperlib.processes import VE
from paperlib.unlearning.signed import signed
from tests.oracles import D_F, D_G, assert_mean, network, seeded

PROCESS = VE(0.05, 10.0)


class Scaled(nn.Module):
    """The exact eps of ``density``, times a parameter that is 1."""

    def __init__(self, density):
        super().__init__()
        self.density, self.factor = density, nn.Parameter(torch.tensor(1.0))

    def forward(self, x, time, cond=None):
        sigma = PROCESS.sigma(time / 1000)
        return -self.factor * sigma[:, None] * self.density.score(x, 1.0, sigma)


def gradients(density, lam, batches=300):
    """Return the derivative of the loss with respect to the factor, [batches]."""
    model = Denoiser(Scaled(density), PROCESS, predicts="eps")
    forget, retain = D_F.sample(40_000, seeded(1)), D_G.sample(40_000, seeded(2))
    run = signed(model, forget, retain, generator=seeded(3), steps=1, lam=lam, batch_size=256)
    found = []
    for _ in range(batches):
        loss = run.objective(model, run.generator, 0)["loss"]
        found.append(torch.autograd.grad(loss, model.net.factor)[0])
    return torch.stack(found)


@pytest.mark.parametrize("lam", [56.0, 100.0])
def test_the_minimiser_is_the_score_of_the_frontiers_density(lam):
    assert_mean(gradients(Optimum(lam), lam), 0.0)


def test_the_retained_score_is_not_the_minimiser():
    found = gradients(D_G, 5.0)
    error = found.std() / len(found) ** 0.5
    assert found.mean().abs() > 4.5 * error


def test_the_loss_is_the_difference_of_two_score_matching_losses_by_hand():
    model = network(PROCESS)
    forget, retain = D_F.sample(8, seeded(1)), D_G.sample(8, seeded(2))
    run = signed(model, forget, retain, generator=seeded(3), steps=1, lam=5.0, batch_size=4)
    losses = run.objective(model, seeded(7), 0)
    generator, sides = seeded(7), []
    for data in (retain, forget):
        x0 = data[torch.randint(8, (4,), generator=generator)]
        x_t, t, z = noised(PROCESS, x0, generator)
        sides.append((z - model(x_t, t).eps).square().sum(1).mean())
    torch.testing.assert_close(losses["loss"], (5 * sides[0] - sides[1]) / 4)
    torch.testing.assert_close(losses["L_f"], sides[1])


def test_no_updates_return_the_same_bits_and_never_touch_the_model():
    model = network(PROCESS)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    forget, retain = D_F.sample(64, seeded(1)), D_G.sample(64, seeded(2))
    untouched = signed(model, forget, retain, generator=seeded(3), steps=0).run()
    for name, value in untouched.state_dict().items():
        assert torch.equal(value, before[name])
    signed(model, forget, retain, generator=seeded(3), steps=3, batch_size=8).run()
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize(
    ("bad", "message"), [({"lam": 1.0}, "lam=1.0 is not above 1"), ({"start": "again"}, "start='again' is not one of")]
)
def test_bad_arguments_are_named_at_once(bad, message):
    data = D_G.sample(4, seeded())
    with pytest.raises(ValueError, match=message):
        signed(network(PROCESS), data, data, generator=seeded(), steps=1, **bad)
