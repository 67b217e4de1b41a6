import math

import pytest
import torch

from companion.store import Store
from companion.studies.mixture import P_F, P_G, Method, MixtureSettings, load, train
from companion.studies.mixture_measures import (
    draw,
    mean_nll,
    measure_nll,
    nearest_to_forgotten,
    nll,
    path,
    samples,
    score_error,
    share_of,
)
from paperlib.data.frontier import LAMBDA_MIN, Optimum, largest_forgetting, touching_point
from paperlib.data.mixture import SGU_MIXTURE
from paperlib.denoiser import Denoiser, ExactDenoiser
from paperlib.processes import VE
from tests.oracles import seeded

SETTINGS = MixtureSettings.checked(steps=300, test_points=400, batch_size=64, draws=20_000)


class Silent(torch.nn.Module):
    def forward(self, x, time, cond=None):
        return torch.zeros_like(x)


def exact(density):
    return measure_nll(ExactDenoiser(density, VE()), SETTINGS, seed=5)


def beyond(measured, seed):
    """Return how far (D_g, D_f) lies above the frontier in nats, after allowing two standard errors in both."""
    kept, forgotten = (mean_nll(measured, SETTINGS, side, seed) for side in ("D_g", "D_f"))
    least = P_G.cross_entropy(P_G)
    return forgotten.value - 2 * forgotten.error - largest_forgetting(max(kept.value + 2 * kept.error, least))


@pytest.mark.parametrize("density", [SGU_MIXTURE, P_G], ids=["p_data", "p_g"])
def test_the_control_variate_gives_the_exact_cross_entropy(density):
    measured = exact(density)
    for side, p in {"D_g": P_G, "D_f": P_F}.items():
        mean = mean_nll(measured, SETTINGS, side, 5)
        # 4.5 standard errors, and 0.005 nats for the errors of the prior and the solver
        assert mean.value == pytest.approx(p.cross_entropy(density), abs=4.5 * mean.error + 5e-3)


def test_with_the_retained_density_itself_nothing_is_left_to_chance():
    mean = mean_nll(exact(P_G), SETTINGS, "D_g", 5)
    assert mean.error < 1e-3
    assert mean.value == pytest.approx(P_G.cross_entropy(P_G), abs=2e-3)


@pytest.mark.parametrize(
    "method",
    [
        Method(name="unseen"),
        Method(name="orthogonal", start="finetune"),
        Method(name="obtuse", start="finetune"),
        Method(name="signed", start="finetune"),
        Method(name="redirect", start="finetune", lam=20.0),
        Method(name="optimum", start="finetune", lam=55.0),
    ],
    ids=lambda method: method.name,
)
def test_no_trained_model_lies_above_the_frontier(method, tmp_path_factory):
    store = Store(tmp_path_factory.getbasetemp() / "shared-store")
    assert beyond(nll(store, SETTINGS, method, 0), 0) <= 0


def test_the_frontiers_own_density_has_the_touching_points_likelihood():
    measured, lam = exact(Optimum(LAMBDA_MIN + 0.5)), LAMBDA_MIN + 0.5
    for side, value in zip(("D_g", "D_f"), touching_point(lam)):
        mean = mean_nll(measured, SETTINGS, side, 5)
        assert mean.value == pytest.approx(value, abs=4.5 * mean.error + 5e-3)


def test_a_likelihood_that_does_not_integrate_to_one_is_caught():
    too_large = {side: value - math.log(1.5) for side, value in exact(P_G).items()}  # integrates to 1.5
    kept = mean_nll(too_large, SETTINGS, "D_g", 5)
    with pytest.raises(ValueError, match="no density reaches it"):
        largest_forgetting(kept.value + 2 * kept.error)


def test_the_exact_share_is_that_of_many_draws():
    for density in (SGU_MIXTURE, P_G, P_F):
        hits = nearest_to_forgotten(density.sample(200_000, seeded(3))).double()
        share = share_of(density)
        assert abs(hits.mean() - share) < 4.5 * math.sqrt(share * (1 - share) / len(hits))


def test_samples_of_one_seed_start_from_the_same_noise(tmp_path):
    store, method = Store(tmp_path), Method(name="unseen")
    model = load(train(store, SETTINGS, method, 1), SETTINGS)
    assert torch.equal(samples(store, SETTINGS, method, 1, 50), draw(model, 50, 1))
    assert not torch.equal(draw(model, 50, 1), draw(model, 50, 2))


def test_the_exact_score_has_no_error_and_no_score_has_the_noises_size():
    process, x0 = VE(), P_G.sample(4000, seeded(1))
    assert score_error(ExactDenoiser(P_G, process), P_G, x0, 0.4, 0) < 1e-6
    # For sigma_t far above the data's spread, sigma_t times the exact score is the noise: root mean square sqrt(2).
    silent = Denoiser(Silent(), process, predicts="eps")
    assert score_error(silent, P_G, x0, 1.0, 0) == pytest.approx(math.sqrt(2), rel=0.05)


@pytest.mark.slow
def test_a_followed_run_ends_where_the_trained_one_does(tmp_path):
    store, method = Store(tmp_path), Method(name="signed", start="finetune")
    rows = path(store, SETTINGS, method, 0, stops=3)
    assert [row[0] for row in rows] == [25, 50, 75]
    measured = nll(store, SETTINGS, method, 0)
    expected = [mean_nll(measured, SETTINGS, side, 0).value for side in ("D_g", "D_f")]
    assert rows[-1][1:] == pytest.approx(expected, abs=1e-6)
