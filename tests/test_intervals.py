"""Intervals over images and a few seeds: as in scipy, in range, never of zero width by chance, and with coverage."""

import math
from statistics import fmean

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from paperlib.intervals import Z, added, positive_interval, share_interval, t_interval, t_quantile, wilson

few = dict(min_size=2, max_size=6)
anything = st.lists(st.floats(-1e6, 1e6), **few)
positive = st.lists(st.floats(0, 1e9), **few)
counted = st.integers(1, 20_000).flatmap(
    lambda n: st.tuples(st.just(n), st.lists(st.integers(0, n).map(lambda hits: hits / n), **few))
)


def test_quantiles_of_which_there_is_a_closed_form():
    assert t_quantile(1) == pytest.approx(math.tan(0.475 * math.pi))
    assert t_quantile(2) == pytest.approx(0.95 / math.sqrt(2 * 0.975 * 0.025))
    assert t_quantile(10**7) == pytest.approx(Z, rel=1e-6)


def test_the_interval_agrees_with_scipy():
    sample = [1.0, 2.5, 2.0, 4.0]
    expected = stats.t.interval(0.95, 3, loc=stats.tmean(sample), scale=stats.sem(sample))
    assert t_interval(sample) == pytest.approx(expected)


@pytest.mark.parametrize("of", [t_interval, positive_interval, lambda values: share_interval(values, 10)])
def test_one_value_says_nothing_about_its_spread(of):
    assert of([0.5]) is None


@given(anything)
def test_a_plain_interval_is_centred_on_the_mean(values):
    low, high = t_interval(values)
    assert (low + high) / 2 == pytest.approx(fmean(values), abs=1e-9 * max(map(abs, values)) + 1e-300)


@given(positive)
def test_what_cannot_be_negative_has_an_interval_above_zero_around_its_mean(values):
    low, high = positive_interval(values)
    assert 0 <= low <= fmean(values) <= high < math.inf


@given(st.lists(st.floats(-10, 10), **few))
def test_an_unbiased_estimate_below_zero_stays_in_its_interval(values):
    low, high = positive_interval(values)
    assert min(0, fmean(values)) <= low <= fmean(values) <= high


@given(counted)
def test_a_share_s_interval_is_of_shares_around_the_mean_and_has_a_width(sample):
    n, values = sample
    low, high = share_interval(values, n)
    assert 0 <= low <= fmean(values) <= high <= 1 and low < high


@given(st.integers(1, 20_000), st.integers(2, 6), st.data())
def test_shares_that_agree_by_chance_are_known_as_well_as_their_images_and_no_better(n, seeds, data):
    hits = data.draw(st.integers(0, n))
    low, high = share_interval([hits / n] * seeds, n)
    pooled = stats.binomtest(seeds * hits, seeds * n).proportion_ci(0.95, method="wilson")
    assert low <= pooled.low + 1e-9 and pooled.high - 1e-9 <= high


@given(st.lists(st.floats(1e-3, 1e3), **few), st.floats(1e-3, 1e3))
@example([1.0, 1000.0, 0.001], 13.0)  # exactly a millionth apart, rounded up or down
def test_a_positive_interval_does_not_depend_on_the_unit(values, scale):
    scaled = positive_interval([scale * value for value in values])
    assert scaled == pytest.approx([scale * end for end in positive_interval(values)], rel=1e-6)


@given(counted)
def test_what_is_not_a_hit_is_a_miss(sample):
    n, values = sample
    low, high = share_interval(values, n)
    assert share_interval([1 - value for value in values], n) == pytest.approx((1 - high, 1 - low), abs=1e-6)


@given(counted)
def test_images_that_the_seeds_share_make_a_share_known_less_well(sample):
    n, values = sample
    (low, high), (least, most) = share_interval(values, n), share_interval(values, n, shared=True)
    assert least <= low and high <= most
    alone = wilson(round(sum(values) / len(values) * n), n)
    assert most - least >= 0.8 * (alone[1] - alone[0])  # the mean number of hits need not be whole


def test_two_seeds_far_apart_have_no_absurd_interval():
    low, high = positive_interval([1.0, 10.0])
    assert 0 < low < 1 and high == t_interval([1.0, 10.0])[1] and high < 70
    assert math.exp(t_interval([math.log(1.0), math.log(10.0)])[1]) > 1e6  # by the logarithms alone


def test_sources_add_in_squares_on_either_side():
    assert added(5.0, (2.0, 9.0), (1.0, 8.0)) == pytest.approx((0.0, 10.0))
    assert added(5.0, (2.0, 9.0)) == (2.0, 9.0)


def test_z_is_the_normal_quantile():
    assert Z == pytest.approx(stats.norm.ppf(0.975), rel=1e-15)


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (10, 10), (1, 1), (3, 7), (11, 10_000), (9_990, 10_000)])
def test_wilson_is_scipys(hits, n):
    expected = stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
    assert wilson(hits, n) == pytest.approx((expected.low, expected.high), abs=1e-15)
    assert 0 <= wilson(hits, n)[0] <= hits / n <= wilson(hits, n)[1] <= 1


@pytest.mark.parametrize(("hits", "n"), [(-1, 5), (6, 5), (0, 0)])
def test_impossible_counts_are_refused(hits, n):
    with pytest.raises(ValueError, match=f"{hits} hits of {n}"):
        wilson(hits, n)


# --- coverage: how often intervals contain the truth, for numbers of images and seeds as on the pages

DRAWS = 10_000
EXACT = (94.0, 96.0)  # percent, +- 1
IMAGES = [100, 200, 2000, 5000]


def assert_covers(intervals, truths, least=EXACT[0], most=EXACT[1]):
    """Check that the percentage of intervals that contain the truth is in [least, most]."""
    held = 100 * fmean(low <= truth <= high for (low, high), truth in zip(intervals, truths, strict=True))
    assert least <= held <= most, f"{held:.2f} %"


def shares(p, n, seeds, ratio, draw):
    """Return shares of ``n`` images for ``seeds`` models, [DRAWS, seeds].

    The models' own rates vary about p, with ``ratio`` times the images' standard deviation.
    """
    rates = np.full((DRAWS, seeds), p)
    if ratio:
        size = n / ratio**2 - 1  # beta distribution with variance ratio^2 p (1 - p) / n
        rates = draw.beta(p * size, (1 - p) * size, (DRAWS, seeds))
    return (draw.binomial(n, rates) / n).tolist()


@pytest.mark.parametrize("n", [60, *IMAGES])
def test_shares_of_one_seed_are_covered(n):
    """Wilson's interval is right on average over shares; at a single share its coverage oscillates."""
    draw = np.random.default_rng(n)
    p = draw.uniform(0, 0.5, DRAWS)
    assert_covers([wilson(hits, n) for hits in draw.binomial(n, p).tolist()], p)


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize(("n", "p"), [(100, 0.4), (200, 0.1), (2000, 0.02), (2000, 0.1), (5000, 0.07)])
def test_shares_of_seeds_that_differ_are_covered(n, p, seeds):
    draws = shares(p, n, seeds, 2.5, np.random.default_rng(seeds))
    assert_covers([share_interval(row, n) for row in draws], [p] * DRAWS)


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(("n", "p"), [(12, 0.4), (100, 0.02), (200, 0.1), (2000, 0.004), (2000, 0.1)])
def test_shares_of_seeds_that_hardly_differ_are_covered_more_often_and_never_less(n, p, ratio):
    """The interval is never narrower than the images allow, so it covers 95 % or more, and 99 % for chance alone."""
    draws = shares(p, n, 3, ratio, np.random.default_rng(7))
    assert_covers([share_interval(row, n) for row in draws], [p] * DRAWS, most=99.5)


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_normal_quantities_are_covered(seeds):
    draws = 3 + 2 * np.random.default_rng(seeds).standard_normal((DRAWS, seeds))
    assert_covers([t_interval(row) for row in draws.tolist()], [3] * DRAWS)


@pytest.mark.parametrize(("seeds", "spread"), [(2, 0.1), (2, 0.3), (3, 0.1), (3, 0.5), (3, 1.0), (5, 0.5)])
def test_positive_quantities_are_covered(seeds, spread):
    """For exponentials of normal numbers, whose median is covered by the t-interval of the logarithms."""
    draws = np.exp(1 + spread * np.random.default_rng(4).standard_normal((DRAWS, seeds)))
    assert_covers([positive_interval(row) for row in draws.tolist()], [math.e] * DRAWS)


@pytest.mark.parametrize(("ratio", "most"), [(0.0, 96.0), (0.1, 96.0), (1.0, 98.0), (5.0, 96.0)])
def test_likelihoods_over_seeds_and_shared_images_are_covered(ratio, most):
    """The same 128 images for three seeds; the seeds' spread is ``ratio`` times the error of the mean over images."""
    draw, seeds, n = np.random.default_rng(3), 3, 128
    images = draw.standard_normal((DRAWS, n))
    of_images, errors = images.mean(1), images.std(1, ddof=1) / math.sqrt(n)
    values = of_images[:, None] + ratio * math.sqrt(seeds / n) * draw.standard_normal((DRAWS, seeds))
    half = t_quantile(n - 1) * errors[:, None]
    mean = values.mean(1, keepdims=True)
    over_images = np.concatenate([mean - half, mean + half], 1).tolist()
    found = [added(fmean(row), t_interval(row), ends) for row, ends in zip(values.tolist(), over_images)]
    assert_covers(found, [0] * DRAWS, most=most)


@pytest.mark.parametrize("n", [100, 200])
def test_shares_of_images_that_the_seeds_share_are_covered(n):
    """Whether an image keeps its class depends on the image, by its own probability, and on the seed."""
    draw = np.random.default_rng(n)
    chances = draw.beta(0.6, 0.4, (DRAWS, n))  # most images are easy or hopeless
    hits = (draw.random((3, DRAWS, n)) < chances).mean(2).T.tolist()
    assert_covers([share_interval(row, n, shared=True) for row in hits], [0.6] * DRAWS, most=99.8)
