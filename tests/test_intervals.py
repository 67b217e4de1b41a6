"""The interval of a mean over a few seeds: scipy's, in range, never of no width by chance, and covering as it says."""

import math
from statistics import fmean

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from paperlib.intervals import over_seeds, positive_interval, share_interval, t_interval, t_quantile
from paperlib.metrics.intervals import wilson
from tests.oracles import STANDARD_ERRORS, seeded

few = dict(min_size=2, max_size=6)
anything = st.lists(st.floats(-1e6, 1e6), **few)
positive = st.lists(st.floats(0, 1e9), **few)
counted = st.integers(1, 20_000).flatmap(
    lambda n: st.tuples(st.just(n), st.lists(st.integers(0, n).map(lambda hits: hits / n), **few))
)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 9, 30, 101])
def test_quantiles_agree_with_scipy(freedom):
    assert t_quantile(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-9)


def test_the_interval_agrees_with_scipy():
    sample = [1.0, 2.5, 2.0, 4.0]
    expected = stats.t.interval(0.95, 3, loc=stats.tmean(sample), scale=stats.sem(sample))
    assert t_interval(sample) == pytest.approx(expected)


def test_one_seed_has_the_interval_of_its_images_and_several_their_own():
    assert over_seeds([2.0], (1.0, 4.0)) == (2.0, 1.0, 4.0)
    assert over_seeds([1.0, 2.0, 3.0], (0.0, 9.0)) == (2.0, *t_interval([1.0, 2.0, 3.0]))


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
def test_a_positive_interval_does_not_depend_on_the_unit(values, scale):
    scaled = positive_interval([scale * value for value in values])
    assert scaled == pytest.approx([scale * end for end in positive_interval(values)], rel=1e-6)


@given(counted)
def test_what_is_not_a_hit_is_a_miss(sample):
    n, values = sample
    low, high = share_interval(values, n)
    assert share_interval([1 - value for value in values], n) == pytest.approx((1 - high, 1 - low), abs=1e-6)


# --- coverage: how often the interval of K seeds holds what the seeds scatter around

RUNS = 4000


def assert_covers(intervals, truth, least):
    """At least a share ``least`` of the intervals hold ``truth``, within the error of so many runs."""
    covered = fmean(low <= truth <= high for low, high in intervals)
    assert covered >= least - STANDARD_ERRORS * math.sqrt(least * (1 - least) / len(intervals))
    return covered


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_intervals_of_normal_seeds_cover_95_percent_exactly(seeds):
    draws = 3 + 2 * torch.randn(RUNS, seeds, generator=seeded(seeds))
    covered = assert_covers([t_interval(row) for row in draws.tolist()], 3, 0.95)
    assert covered <= 0.95 + STANDARD_ERRORS * math.sqrt(0.95 * 0.05 / RUNS)


@pytest.mark.parametrize("spread", [0.1, 1.0])
def test_intervals_of_log_normal_seeds_cover_their_median(spread):
    """exp of normal numbers: the t-interval of the logarithms is exact for the median, and only ever widened."""
    draws = (1 + spread * torch.randn(RUNS, 3, generator=seeded(4))).exp()
    assert_covers([positive_interval(row) for row in draws.tolist()], math.e, 0.95)


@pytest.mark.parametrize(("n", "p"), [(20, 0.02), (200, 0.001), (200, 0.3), (1000, 0.999)])
def test_intervals_of_shares_cover_at_least_as_wilson_s_of_all_images(n, p):
    """Seeds that differ by chance alone: the interval holds Wilson's, whose coverage is a sum over all counts."""
    seeds = 3
    counts = range(seeds * n + 1)
    weights = stats.binom.pmf(counts, seeds * n, p)
    ends = [wilson(hits, seeds * n) for hits in counts]
    least = sum(weight for weight, (low, high) in zip(weights, ends) if low <= p <= high)
    draws = torch.binomial(torch.full((RUNS, seeds), float(n)), torch.tensor(p), generator=seeded(5)) / n
    assert_covers([share_interval(row, n) for row in draws.tolist()], p, least)


@pytest.mark.parametrize("spread", [0.3, 1.0])
def test_intervals_of_shares_cover_where_seeds_differ_by_more_than_chance(spread):
    """Logits normal over seeds: with images without number the t-interval is exact for the median share."""
    n = 100_000
    logits = -2 + spread * torch.randn(RUNS, 3, generator=seeded(6), dtype=torch.float64)
    assert_covers([share_interval(row, n) for row in logits.sigmoid().tolist()], 1 / (1 + math.exp(2)), 0.95)
