"""Intervals compared with scipy, and the coverage of the ratio's interval by enumeration."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import binom, bootstrap
from scipy.stats.contingency import relative_risk

from paperlib.intervals import Z
from paperlib.metrics.intervals import bootstrap_mean, share, share_ratio, wilson
from tests.oracles import seeded


def test_a_share_counts_true_entries():
    found = share(torch.tensor([True, False, False, True, False]))
    assert (found.value, found.n, found.interval) == (0.4, 5, wilson(2, 5))


@pytest.mark.parametrize(("n", "p", "base"), [(200, 0.02, 0.1), (200, 0.1, 0.1), (100, 0.3, 0.2), (200, 0.0, 0.1)])
def test_the_ratios_interval_covers(n, p, base):
    """Coverage is at least 94.5 %, computed by enumerating both binomial counts up to a probability of 1e-6."""
    counts = np.arange(n + 1)
    weights, base_weights = binom.pmf(counts, n, p), binom.pmf(counts, n, base)
    covered = total = 0.0
    for i in counts[weights > 1e-6]:
        for j in counts[1:][base_weights[1:] > 1e-6]:
            low, high = share_ratio(int(i), n, int(j), n)
            weight = weights[i] * base_weights[j]
            total, covered = total + weight, covered + weight * (low <= p / base <= high)
    assert covered / total >= 0.945


def test_the_ratios_interval_is_that_of_the_logarithm_for_large_numbers():
    expected = relative_risk(40_000, 1_000_000, 100_000, 1_000_000).confidence_interval(0.95)
    assert share_ratio(40_000, 1_000_000, 100_000, 1_000_000) == pytest.approx(tuple(expected), rel=1e-4)


def test_the_ratio_of_nothing_has_an_interval_and_to_nothing_none():
    low, high = share_ratio(0, 100, 20, 100)
    assert low == 0 and 0 < high < 0.3
    with pytest.raises(ValueError, match="base_hits=0"):
        share_ratio(3, 100, 0, 100)


def test_the_bootstrap_is_scipys():
    """Both use percentiles of 2,000 resampled means, so the ends agree to within a tenth of the width."""
    values = torch.randn(200, generator=seeded()).exp().double()
    found = bootstrap_mean(values, seeded(1))
    theirs = bootstrap((values.numpy(),), np.mean, method="percentile", n_resamples=2000, random_state=0)
    width = found.interval[1] - found.interval[0]
    assert found.value == values.mean().item() and found.n == 200
    assert found.interval == pytest.approx(tuple(theirs.confidence_interval), abs=0.1 * width)
    assert width == pytest.approx(2 * Z * values.std().item() / math.sqrt(200), rel=0.1)


def test_the_bootstrap_repeats_with_its_generator():
    values = torch.rand(30, generator=seeded())
    assert bootstrap_mean(values, seeded(1), 50) == bootstrap_mean(values, seeded(1), 50)


def test_the_bootstrap_wants_one_value_an_image():
    with pytest.raises(ValueError, match=r"not \[3, 2\]"):
        bootstrap_mean(torch.zeros(3, 2), seeded())
