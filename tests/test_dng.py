"""Dynamic negative guidance on the mixture, where both predictions and P(f | x_t) have closed forms."""

import pytest
import torch

from paperlib.data.mixture import SGU_MIXTURE
from paperlib.denoiser import ExactDenoiser
from paperlib.dng import LARGEST, _negated, dng
from paperlib.processes import VP
from paperlib.sampling import prior, sample
from tests.oracles import D_G, assert_mean, seeded

PROCESS = VP()


class Conditional:
    """The mixture's exact denoiser, conditional on a component or unconditional."""

    process = PROCESS
    faces = {None: ExactDenoiser(SGU_MIXTURE, PROCESS)} | {
        k: ExactDenoiser(SGU_MIXTURE.only(k), PROCESS) for k in range(3)
    }

    def __call__(self, x_t, t, cond=None):
        return self.faces[None if cond is None else int(cond[0])](x_t, t)


@pytest.mark.parametrize("forget", [(1,), (0, 1)])
def test_with_the_exact_probabilities_the_score_is_that_of_what_is_kept(forget):
    t, x = torch.full((200,), 0.3, dtype=torch.float64), torch.randn(200, 2, generator=seeded(), dtype=torch.float64)
    model, kept = Conditional(), SGU_MIXTURE.only(*(k for k in range(3) if k not in forget))
    faces = [model(x, t, torch.full((200,), k)) for k in forget]
    log_pi = SGU_MIXTURE.log_joint(x, PROCESS.alpha(t), PROCESS.sigma(t))[0].log_softmax(1)[:, list(forget)]
    found, exact = _negated(model(x, t), faces, log_pi, 1.0), ExactDenoiser(kept, PROCESS)(x, t)
    asked = log_pi.exp().sum(1) < LARGEST
    assert asked.float().mean() > 0.5
    torch.testing.assert_close(found.score[asked], exact.score[asked])


def test_tracked_along_the_chain_it_samples_what_is_kept():
    settings = {"sampler": dng, "steps": 400, "forget": (1,), "shares": (0.2,)}
    state = sample(Conditional(), (6000, 2), generator=seeded(1), **settings)
    true = D_G.sample(400_000, seeded(2))
    for f in (lambda x: (x.sum(1).abs() < 1).double(), lambda x: x.prod(1).double()):
        assert_mean(f(state.x), f(true).mean())
    assert state.evaluations == 2 * 400


def test_w_0_samples_everything():
    settings = {"sampler": dng, "steps": 200, "forget": (1,), "shares": (0.2,), "w": 0.0}
    x = sample(Conditional(), (6000, 2), generator=seeded(3), **settings).x
    assert_mean(
        (x.sum(1).abs() < 1).double(), (SGU_MIXTURE.sample(400_000, seeded(4)).sum(1).abs() < 1).double().mean()
    )


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"forget": ()}, "0 labels to forget and 1 shares"),
        ({"shares": (0.2, 0.1)}, "1 labels to forget and 2 shares"),
        ({"shares": (1.0,)}, r"shares=\(1.0,\) are not positive, with something left"),
        ({"cond": torch.zeros(3)}, "cond is given"),
    ],
)
def test_bad_arguments_are_named(bad, message):
    settings = {"forget": (1,), "shares": (0.2,), "steps": 5, "generator": seeded()} | bad
    with pytest.raises(ValueError, match=message):
        next(dng(Conditional(), prior(Conditional(), (3, 2), seeded()), **settings))
