"""Negation distilled on the mixture, where its target and minimiser are known; and without data."""

import math

import pytest
import torch

from paperlib.data.mixture import SGU_MIXTURE
from paperlib.denoiser import Denoiser, ExactDenoiser
from paperlib.losses import noised
from paperlib.negation import ExactClassifier
from paperlib.nets.mlp import MLP
from paperlib.nets.noisy_classifier import NoisyPoints
from paperlib.processes import VE
from paperlib.unlearning.negate import negate, two_classes
from tests.oracles import D_F, D_G, network, seeded
from tests.unlearning.toys import FORGET, RETAIN, exact_classifier, fresh, share_of, trained

PROCESS = VE(0.05, 10.0)
CLASSIFIER = ExactClassifier(SGU_MIXTURE)
SETTINGS = {"classifier": CLASSIFIER, "classes": (1,), "generator": seeded(), "steps": 1}


class Exact(Denoiser):
    """The density's exact denoiser as a model with one parameter, a factor of its eps that starts at 1."""

    def __init__(self, density):
        super().__init__(MLP(2), PROCESS)
        self.exact, self.net.factor = ExactDenoiser(density, PROCESS), torch.nn.Parameter(torch.tensor(1.0))

    def forward(self, x_t, t, cond=None):
        views = self.exact(x_t, t)
        views.eps.mul_(self.net.factor.detach())
        return type(views)(x0=views.x0, eps=views.eps * self.net.factor, score=views.score)


def test_the_score_of_what_is_kept_is_the_minimiser():
    """At the exact eps of p_g both terms are zero; at that of the base model L_f is not."""
    forget, retain = D_F.sample(4000, seeded(1)), D_G.sample(4000, seeded(2))
    run = negate(Exact(SGU_MIXTURE), forget, retain, reach=100.0, batch_size=4000, keep="answer", **SETTINGS)
    found = run.objective(Exact(D_G), seeded(3), 0)
    assert found["L_f"].item() == pytest.approx(0, abs=1e-6) and found["L_g"].item() == pytest.approx(0, abs=1e-6)
    assert run.objective(Exact(SGU_MIXTURE), seeded(3), 0)["L_f"] > 0.05


def test_the_loss_is_both_terms_the_second_weighed_by_mu():
    run = negate(
        Exact(SGU_MIXTURE), D_F.sample(40, seeded(1)), D_G.sample(40, seeded(2)), mu=0.3, batch_size=40, **SETTINGS
    )
    found = run.objective(Exact(SGU_MIXTURE), seeded(3), 0)
    torch.testing.assert_close(found["loss"], found["L_g"] + 0.3 * found["L_f"])


def test_denoising_keeps_the_same_minimiser():
    forget, retain = D_F.sample(4000, seeded(1)), D_G.sample(40_000, seeded(2))
    run = negate(Exact(SGU_MIXTURE), forget, retain, reach=100.0, batch_size=20_000, **SETTINGS)
    at_g, at_all = (run.objective(Exact(density), seeded(3), 0)["L_g"].item() for density in (D_G, SGU_MIXTURE))
    assert at_g < at_all


def test_the_target_is_bounded_where_everything_is_forgotten_and_noise_is_low():
    """Even with a very steep classifier the target is at most reach sqrt(D) away from the model's own prediction."""

    def steep(y, log_s):
        return torch.stack([torch.zeros(len(y)), 1e6 * y.sum(1)], 1)

    model, forget = Exact(SGU_MIXTURE), D_F.sample(500, seeded(1))
    for reach in (0.5, 2.0):
        own = {**SETTINGS, "classifier": steep}
        run = negate(model, forget, D_G.sample(50, seeded(2)), reach=reach, batch_size=500, **own)
        x_t, t, _ = noised(PROCESS, forget, seeded(3))
        loss = run.objective(model, seeded(4), 0)[
            "L_f"
        ].item()  # the squared length of the pull, since the model predicts its own answer
        assert loss <= (reach * math.sqrt(2)) ** 2 * (1 + 1e-5)


def test_two_classes_learn_the_share_of_what_is_forgotten_at_every_noise_level():
    forget, retain = D_F.sample(20_000, seeded(1)), D_G.sample(80_000, seeded(2))
    net = NoisyPoints(2, 2, data_std=2.0)
    weights = two_classes(net, forget, retain, seeded(3), steps=800, batch_size=256)
    net.load_state_dict(weights)
    for level in (0.1, 1.0, 4.0):
        y = SGU_MIXTURE.sample(2000, seeded(4)) + level * torch.randn(2000, 2, generator=seeded(5))
        log_s = torch.tensor(level).log()
        found, exact = net(y, log_s).softmax(1)[:, 1], CLASSIFIER(y, log_s).softmax(1)[:, 1]
        assert (found - exact).abs().mean() < 0.04  # a small network's error; if both shares were equal, 0.2


def test_it_needs_no_data_at_all():
    """With own samples, sorted by the classifier, a toy model forgets a class and keeps the others."""
    model = trained(False)
    own = {"points": "own", "own": 300, "batch_size": 64, "lr": 5e-3, "ema": 0.9, "steps": 60}
    run = negate(model, FORGET.x[:1], classifier=exact_classifier, classes=(0,), generator=seeded(1), **own)
    after = run.run()
    assert share_of(model, 0) > 0.2 and share_of(after, 0) < 0.05
    assert all(share_of(after, k) > share_of(model, k) for k in (1, 2))


def test_without_retained_data_it_learns_its_own_answers():
    own = {"own": 300, "batch_size": 16, "steps": 2, "generator": seeded(1)}
    run = negate(trained(False), FORGET.x, classifier=exact_classifier, classes=(0,), **own)
    list(run)
    assert set(run.prepared) == {"forget", "retain"}


def test_the_classes_of_labelled_data_are_their_labels():
    said, unsaid = (
        negate(fresh(True), FORGET, RETAIN, classifier=exact_classifier, classes=classes, generator=seeded(1), steps=1)
        for classes in ((0,), None)
    )
    assert next(iter(said)).losses == next(iter(unsaid)).losses


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"w": -1.0}, "w=-1.0 is not a number from 0 up"),
        ({"keep": "all"}, "keep='all' is not one of denoising, answer"),
        ({"points": "none"}, "points='none' is not one of data, own"),
        ({"reach": 0.0}, "reach=0.0 is not positive"),
        ({"classes": None}, "classes=None: the forgotten data have no labels"),
        ({"classifier": None, "retain": None}, "retain=None: negate needs retained data"),
    ],
)
def test_bad_arguments_are_named_at_once(bad, message):
    data = D_G.sample(4, seeded())
    settings = {"retain": data} | SETTINGS | bad
    with pytest.raises(ValueError, match=message):
        negate(network(VE()), data, **settings)


def test_own_samples_of_one_side_only_are_refused():
    def all_kept(y, log_s):
        return torch.tensor([[5.0, 0.0]]).expand(len(y), 2)

    own = {"classifier": all_kept, "classes": (1,), "points": "own", "own": 20, "generator": seeded(), "steps": 1}
    with pytest.raises(ValueError, match="own=20: 0 of the model's samples show what is to be forgotten"):
        negate(fresh(False), RETAIN.x, **own).run()
