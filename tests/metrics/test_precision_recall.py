"""Precision and recall compared with plain loops, scikit-learn's neighbours, and known cases."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from paperlib.metrics.precision_recall import precision_recall, radii, within
from tests.oracles import seeded


def draws(n, D=4, seed=0, scale=1.0, shift=0.0):
    return scale * torch.randn(n, D, generator=seeded(seed)) + shift


def both(generated, real, **options):
    found = precision_recall(generated, real, network="x", **options)
    return found.precision.value, found.recall.value


def brute_force(x, manifold, k):
    """Return the share of x in the manifold by its definition (Kynkaanniemi et al., Eqs. 1 and 2)."""
    hits = 0
    for vector in x.double():
        for i, centre in enumerate(manifold.double()):
            others = sorted((centre - other).norm().item() for j, other in enumerate(manifold.double()) if j != i)
            if (vector - centre).norm().item() <= others[k - 1]:
                hits += 1
                break
    return hits / len(x)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_both_are_the_definition(k):
    generated, real = draws(25, 3, shift=0.5), draws(20, 3, seed=1, scale=1.5)
    assert both(generated, real, k=k) == (brute_force(generated, real, k), brute_force(real, generated, k))


@pytest.mark.parametrize("shift", [0.0, 0.5, 3.0])
def test_both_are_those_of_scikit_learns_neighbours(shift):
    generated, real, k = draws(300, 8, shift=shift).double(), draws(250, 8, seed=1).double(), 3

    def covered(x, manifold):
        neighbours = NearestNeighbors(n_neighbors=k).fit(manifold)
        reach = neighbours.kneighbors()[0][:, -1]  # for the fitted points themselves, without each point itself
        distance = np.linalg.norm(x[:, None] - manifold[None], axis=2)
        return (distance <= reach).any(1).mean()

    expected = covered(generated.numpy(), real.numpy()), covered(real.numpy(), generated.numpy())
    assert both(generated, real, k=k) == expected


def test_a_collapsed_model_has_high_precision_and_low_recall_and_noise_the_opposite():
    real = draws(400)
    precision, recall = both(real[:1] + draws(400, seed=1, scale=0.01), real)
    assert precision > 0.95 and recall < 0.05
    precision, recall = both(draws(400, seed=2, scale=6), real)
    assert precision < 0.2 and recall > 0.8


def test_exact_copies_of_one_real_image_are_precise_and_recall_that_image_alone():
    real = draws(50)
    assert both(real[7].repeat(30, 1), real) == (1.0, 1 / 50)


def test_a_model_that_repeats_the_data_has_all_of_both():
    assert both(draws(60), draws(60)) == (1.0, 1.0)


def test_balls_of_radius_zero_hold_their_copies_whatever_the_rounding():
    """If every image occurs twice, all radii are 0 at k = 1, and rounding in a matrix product must not matter."""
    twice, order = draws(40, 64, shift=3).repeat(2, 1), torch.randperm(80, generator=seeded(1))
    assert both(twice[order], twice, k=1, chunk=13) == (1.0, 1.0)


def test_sets_far_apart_share_nothing():
    assert both(draws(40, shift=100), draws(40, seed=1)) == (0.0, 0.0)


def test_half_of_the_modes_give_half_of_the_recall():
    """If the model samples one of two distant clusters, it is as precise as the data, and recalls at most half."""
    left, right = draws(200, shift=-50), draws(200, seed=1, shift=50)
    precision, recall = both(draws(200, seed=2, shift=-50), torch.cat([left, right]))
    assert precision > 0.75 and 0.35 < recall <= 0.5
    assert recall == pytest.approx(both(draws(200, seed=2, shift=-50), left)[1] / 2)


def test_exchanging_the_sets_exchanges_the_two():
    a, b = draws(70), draws(50, seed=1, shift=1)
    assert both(a, b) == both(b, a)[::-1]


@pytest.mark.parametrize("chunk", [1, 7, 64, 1000])
def test_chunks_change_nothing(chunk):
    a, b = draws(70), draws(50, seed=1, shift=1)
    assert torch.allclose(radii(a.double(), 3, chunk), radii(a.double(), 3), rtol=1e-12)
    assert both(a, b, chunk=chunk) == both(a, b)


def test_moving_scaling_and_turning_both_sets_changes_nothing():
    a, b = draws(70), draws(50, seed=1, shift=1)
    turn = torch.linalg.qr(draws(4, seed=2))[0]
    assert both(3 * a @ turn + 1e3, 3 * b @ turn + 1e3) == both(a, b)


def test_balls_hold_their_border_and_duplicates_are_neighbours():
    line = torch.tensor([[0.0], [1.0], [3.0]], dtype=torch.float64)
    assert radii(line, 1).tolist() == [1, 1, 4] and radii(line, 2).tolist() == [9, 4, 9]
    assert within(torch.tensor([[-1.0], [-1.001], [5.0], [5.001]]).double(), line, radii(line, 1)).tolist() == [
        True,
        False,
        True,
        False,
    ]
    assert radii(torch.tensor([[2.0], [2.0], [5.0]]).double(), 1).tolist() == [0, 0, 9]


def test_a_result_has_intervals_and_a_protocol():
    found = precision_recall(draws(70), draws(50, seed=1), network="classifier-mnist", k=4)
    assert found.protocol == {"feature_network": "classifier-mnist", "k": 4, "n": 70, "reference_n": 50}
    for part in (found.precision, found.recall):
        assert part.interval[0] < part.value < part.interval[1]


@pytest.mark.parametrize("k", [0, 20])
def test_too_few_neighbours_are_refused(k):
    with pytest.raises(ValueError, match=f"k={k} (neighbours of 30 generated and 20 real|is not a whole)"):
        both(draws(30), draws(20), k=k)


def test_features_of_other_sizes_are_refused():
    with pytest.raises(ValueError, match=r"not \[30, 4\] and \[20, 5\]"):
        both(draws(30), draws(20, 5))
