"""The Frechet distance compared with closed forms, matrix roots and pytorch-fid; its bias and interval with theory."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.linalg import sqrtm

from paperlib.data import sets
from paperlib.metrics.features import INCEPTION, MissingWeights, Network, inception, penultimate
from paperlib.metrics.frechet import (
    Statistics,
    extrapolated,
    features,
    frechet,
    frechet_distance,
    perfect_model,
    statistics,
)
from paperlib.nets.classifier import SmallCNN
from tests.oracles import seeded

MANY = 10**9  # a reference this large has an exact covariance


def exact(mean, covariance, network="x"):
    return Statistics(network, MANY, torch.as_tensor(mean).double(), torch.as_tensor(covariance).double() * (MANY - 1))


def draws(n, D, generator, scale=1.0, shift=0.0):
    return scale * torch.randn(n, D, generator=generator, dtype=torch.float64) + shift


def rotation(D, generator):
    return torch.linalg.qr(torch.randn(D, D, generator=generator, dtype=torch.float64))[0]


def by_square_root(a, b):
    """Compute the distance by its definition, with scipy's matrix square root of the product."""
    root = np.trace(sqrtm((a.covariance @ b.covariance).numpy())).real
    return ((a.mean - b.mean).square().sum() + a.covariance.trace() + b.covariance.trace()).item() - 2 * root


def test_statistics_are_the_mean_and_the_covariance():
    x = draws(57, 6, seeded(), scale=3, shift=100)
    own = Statistics.of(x, "x")
    assert np.allclose(own.mean, x.mean(0), rtol=1e-13)
    assert np.allclose(own.covariance, np.cov(x.numpy(), rowvar=False), rtol=1e-12)
    assert own.n == 57


def test_statistics_of_parts_add_up_in_any_order_even_far_from_zero():
    x = draws(40, 5, seeded(), shift=1e6)
    whole, a, b, c = (Statistics.of(part, "x") for part in (x, x[:1], x[1:17], x[17:]))
    for together in (a + b + c, c + (a + b), b + c + a):
        assert together.n == 40
        assert np.allclose(together.mean, whole.mean, rtol=1e-14)
        assert np.allclose(together.covariance, whole.covariance, rtol=0, atol=1e-8)


def test_statistics_of_a_stream_are_those_of_the_whole():
    images = torch.randint(256, (30, 1, 8, 8), generator=seeded(), dtype=torch.uint8)
    network = Network("pixels", lambda u8: u8.flatten(1).float())
    streamed, whole = statistics(images.split(7), network, batch_size=3), statistics(images, network)
    assert np.allclose(streamed.covariance, whole.covariance, rtol=1e-10)
    assert np.allclose(whole.covariance, np.cov(images.flatten(1).numpy(), rowvar=False), rtol=1e-10)


def test_statistics_are_kept_and_pytorch_fid_reads_the_file(tmp_path):
    from pytorch_fid.fid_score import compute_statistics_of_path

    own = Statistics.of(draws(20, 4, seeded()), "x")
    own.save(tmp_path / "own.npz")
    again = Statistics.load(tmp_path / "own.npz")
    assert (again.n, again.network) == (20, "x")
    assert torch.equal(again.mean, own.mean) and np.allclose(again.scatter, own.scatter, rtol=1e-14)
    mu, sigma = compute_statistics_of_path(str(tmp_path / "own.npz"), None, 1, 4, "cpu")
    assert np.array_equal(mu, own.mean) and np.array_equal(sigma, own.covariance)


def test_a_file_of_pytorch_fid_needs_its_n_and_network(tmp_path):
    np.savez(tmp_path / "theirs.npz", mu=np.zeros(2), sigma=np.eye(2))
    with pytest.raises(ValueError, match="theirs.npz does not say how many"):
        Statistics.load(tmp_path / "theirs.npz")
    loaded = Statistics.load(tmp_path / "theirs.npz", n=50, network=INCEPTION)
    assert loaded.n == 50 and torch.allclose(loaded.covariance, torch.eye(2, dtype=torch.float64))


def test_commuting_covariances_have_a_closed_form():
    g = seeded()
    axes, v1, v2 = rotation(7, g), torch.rand(7, generator=g).double(), torch.rand(7, generator=g).double()
    m1, m2 = torch.rand(7, generator=g).double(), torch.rand(7, generator=g).double()
    a, b = (exact(m, axes @ torch.diag(v) @ axes.T) for m, v in ((m1, v1), (m2, v2)))
    closed = (m1 - m2).square().sum() + (v1.sqrt() - v2.sqrt()).square().sum()
    assert frechet_distance(a, b) == pytest.approx(closed.item(), rel=1e-12)


def test_distance_is_the_square_root_formula_and_pytorch_fids():
    from pytorch_fid.fid_score import calculate_frechet_distance

    g = seeded()
    a = Statistics.of(draws(60, 12, g) @ draws(12, 12, g), "x")
    b = Statistics.of(draws(50, 12, g) @ draws(12, 12, g) + 0.3, "x")
    assert frechet_distance(a, b) == pytest.approx(by_square_root(a, b), rel=1e-9)
    theirs = calculate_frechet_distance(a.mean.numpy(), a.covariance.numpy(), b.mean.numpy(), b.covariance.numpy())
    assert frechet_distance(a, b) == pytest.approx(theirs, rel=1e-9)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-12)


@pytest.mark.parametrize("n", [2, 9, 30])
def test_singular_covariances_keep_all_digits(n):
    """With fewer vectors than features, compare with the distance within their common span, where nothing is singular.

    Both sets lie in a subspace of 5 of 40 dimensions, and rotations do not change distances.
    """
    g = seeded()
    x, y, axes = draws(max(n, 6), 5, g), draws(n, 5, g, shift=0.2), rotation(40, g)[:5]
    inside = frechet_distance(Statistics.of(x, "x"), Statistics.of(y, "x"))
    outside = frechet_distance(Statistics.of(x @ axes, "x"), Statistics.of(y @ axes, "x"))
    assert outside == pytest.approx(inside, rel=1e-6)


def test_distance_of_a_set_from_itself_is_zero():
    few = Statistics.of(draws(5, 30, seeded()), "x")
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-6)


def test_distance_is_not_negative_whatever_the_rounding():
    for seed in range(5):
        few = Statistics.of(draws(4, 50, seeded(seed), scale=100), "x")
        assert frechet_distance(few, few) >= 0


def test_only_pytorch_fids_network_makes_an_fid():
    x = draws(10, 3, seeded())
    names = {
        (network, unlearned): frechet(x, Statistics.of(x, network), network=network, unlearned=unlearned).name
        for network in (INCEPTION, "classifier-mnist")
        for unlearned in (False, True)
    }
    assert names[INCEPTION, False] == "FID" and names[INCEPTION, True] == "u-FID"
    assert names["classifier-mnist", False] == "Frechet distance in classifier-mnist's features"
    assert names["classifier-mnist", True] == "u-Frechet distance in classifier-mnist's features"
    with pytest.raises(ValueError, match="belongs to the network of pytorch-fid"):
        penultimate(SmallCNN(1, 2, width=4).eval(), INCEPTION)


@pytest.mark.parametrize("shape", [(3,), (0, 2), (3, 2, 2)])
def test_features_are_a_vector_for_each_of_some_images(shape):
    with pytest.raises(ValueError, match=r"features must be \[n, D\] with n >= 1, not "):
        Statistics.of(torch.zeros(shape), "a")


def test_features_of_two_networks_are_not_compared():
    x = draws(10, 3, seeded())
    with pytest.raises(ValueError, match="features of 'a' .* and of 'b' .* cannot be compared"):
        frechet(x, Statistics.of(x, "b"), network="a")


def test_a_result_says_what_it_depends_on():
    x = draws(10, 3, seeded())
    found = frechet(x, Statistics.of(draws(20, 3, seeded(1)), "a"), network="a")
    assert found.protocol == {"feature_network": "a", "n": 10, "reference_n": 20} and found.interval is None


def test_penultimate_features_are_the_classifiers_own():
    torch.manual_seed(0)
    classifier = SmallCNN(1, 3, width=4)
    images = torch.randint(256, (9, 1, 8, 8), generator=seeded(), dtype=torch.uint8)
    with pytest.raises(ValueError, match="small is in training mode"):
        penultimate(classifier, "small")
    seen = features(images, penultimate(classifier.eval(), "small"), batch_size=4)
    with torch.no_grad():
        expected = classifier.features(images.float() / 127.5 - 1)
    assert torch.allclose(seen, expected, atol=1e-5) and not seen.requires_grad


@pytest.mark.parametrize("bad", [torch.zeros(2, 1, 8, 8), torch.zeros(1, 8, 8, dtype=torch.uint8)])
def test_features_want_uint8_images(bad):
    with pytest.raises(ValueError, match="images must be uint8"):
        features(bad, Network("x", lambda u8: u8))


def test_the_interval_covers_the_mean_distance_at_its_n():
    """The mean at n = 150 is estimated from 400 sets; another 100 sets give intervals.

    The probability that fewer than 87 of 100 intervals of 95 % cover is 0.0005; that more than 99 of 90 % do, 0.0003.
    """
    g, D, n = seeded(), 3, 150
    reference = exact(torch.zeros(D), torch.eye(D))
    sets_of = [draws(n, D, g, scale=1.2, shift=0.3) for _ in range(500)]
    mean = np.mean([frechet_distance(Statistics.of(x, "x"), reference) for x in sets_of[:400]])
    found = [frechet(x, reference, network="x", generator=g, resamples=60).interval for x in sets_of[400:]]
    assert 87 <= sum(low <= mean <= high for low, high in found)


def test_the_bootstrap_measures_each_resample_as_a_set_of_its_own():
    """By hand: the distance from the statistics of each resample's rows."""
    x, reference = draws(25, 4, seeded()), Statistics.of(draws(30, 4, seeded(1)), "x")
    rows = torch.randint(25, (2, 25), generator=seeded(5))
    by_hand = [frechet_distance(Statistics.of(x[drawn], "x"), reference) for drawn in rows]
    found = frechet(x, reference, network="x", generator=seeded(5), resamples=2)
    assert found.interval[1] - found.value == pytest.approx(1.96 * np.std(by_hand, ddof=1), rel=1e-9)


@pytest.mark.parametrize("spectrum", [torch.ones(6), torch.arange(1, 7).double() ** -2], ids=["flat", "falling"])
def test_a_perfect_model_gets_the_bias_of_theory(spectrum):
    """To first order in 1 / n, E d^2 = tr C / n + sum_ij l_i l_j (1 + delta_ij) / (l_i + l_j) / (2 n).

    The second term is the Bures metric at C of E[(S - C)_ij^2] = l_i l_j (1 + delta_ij) / n (Wishart). At n = 2000 the
    next order is below 1 %. The bound on the mean of 600 draws is 4.5 standard errors plus this 1 %.
    """
    n, g = 2000, seeded()
    axes = rotation(6, g)
    reference = exact(torch.ones(6), axes @ torch.diag(spectrum.double()) @ axes.T)
    pairs = torch.outer(spectrum, spectrum) / (spectrum[:, None] + spectrum) * (1 + torch.eye(6))
    theory = (spectrum.sum() / n + pairs.sum() / (2 * n)).item()
    found = np.array([perfect_model(reference, n, g) for _ in range(600)])
    assert abs(found.mean() - theory) < 4.5 * found.std(ddof=1) / math.sqrt(600) + 0.01 * theory


def test_extrapolation_removes_the_bias():
    """For 20 sets of n = 400 in 20 dimensions, the plain distance is far too large, and the extrapolated one is right.

    The bound is 4.5 standard errors plus a tenth of the bias, because the bias is not exactly linear in 1 / n.
    """
    g, D, n = seeded(), 20, 400
    reference, truth = exact(torch.zeros(D), torch.eye(D)), D * (1.2 - 1) ** 2
    samples = [draws(n, D, g, scale=1.2) for _ in range(20)]
    plain = np.array([frechet_distance(Statistics.of(x, "x"), reference) for x in samples])
    found = np.array([extrapolated(x, reference, g) for x in samples])
    bias, error = plain.mean() - truth, found.std(ddof=1) / math.sqrt(20)
    assert bias > 20 * error
    assert abs(found.mean() - truth) < 4.5 * error + 0.1 * bias


def test_extrapolation_refuses_parts_that_are_too_small():
    with pytest.raises(ValueError, match="parts=2 of 30 images: .* of at least 20 images for 10 features"):
        extrapolated(draws(30, 10, seeded()), exact(torch.zeros(10), torch.eye(10)), seeded())


def test_missing_inception_weights_are_named_with_a_way_to_get_them(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(MissingWeights, match="pt_inception.*mseitzer/pytorch-fid.*python -c.*not an FID"):
        inception()


@pytest.mark.realdata
def test_fid_is_what_pytorch_fids_command_prints_for_the_same_folders(tmp_path):
    """Grey images are compared with coloured ones, 20 of each."""
    pictures, network = [sets.load(name, "test").images[:20] for name in ("mnist", "cifar10")], inception()
    for folder, images in zip("ab", pictures):
        (tmp_path / folder).mkdir()
        for k, image in enumerate(images):
            Image.fromarray(image.permute(1, 2, 0).squeeze().numpy()).save(tmp_path / folder / f"{k:02d}.png")
    command = [sys.executable, "-m", "pytorch_fid", "--device", "cpu", "--num-workers", "0", "a", "b"]
    printed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    found = frechet(features(pictures[0], network), statistics(pictures[1], network), network=network.name)
    assert found.name == "FID"
    assert found.value == pytest.approx(float(printed.split("FID:")[1]), abs=1e-3)
