"""Measures of forgetting compared with hand counts, and on models known to have forgotten or not."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import entropy as scipy_entropy

from paperlib.metrics.forgetting import (
    Forgetting,
    entropy,
    floor,
    forgotten_probability,
    percentage_unlearned,
    shows_attribute,
    shows_class,
    unlearning_accuracy,
    unlearning_ratio,
)
from paperlib.metrics.intervals import Measured, wilson
from tests.oracles import seeded


def table(hits, n):
    return torch.arange(n) < hits


def percent(interval):
    return tuple(100 * end for end in interval)


LOGITS = torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0], [0.0, 1.0, 5.0], [1.0, 0.0, 4.0]])


def test_what_is_shown_is_the_likeliest_class():
    assert shows_class(LOGITS, [2]).tolist() == [False, False, True, True]
    assert shows_class(LOGITS, 0).tolist() == [True, False, False, False]
    assert shows_class(LOGITS, [0, 1]).tolist() == [True, True, False, False]


def test_an_attribute_is_shown_by_its_own_logit():
    assert shows_attribute(LOGITS - 0.5, 1).tolist() == [True, True, True, False]


@pytest.mark.parametrize("forget", [[], [3], [-1], 7])
def test_unknown_classes_are_refused(forget):
    with pytest.raises(ValueError, match="is not one or more of the classes 0 to 2"):
        shows_class(LOGITS, forget)


def test_unknown_attributes_and_other_shapes_are_refused():
    with pytest.raises(ValueError, match="column=3 is not one of the attributes 0 to 2"):
        shows_attribute(LOGITS, 3)
    with pytest.raises(ValueError, match=r"logits must be \[N, outputs\]"):
        shows_class(LOGITS[0], [0])
    with pytest.raises(ValueError, match="must be bool"):
        unlearning_ratio(torch.zeros(3), table(0, 3))


def test_ur_is_the_share_in_percent_with_wilsons_interval():
    """SGU's Table 2 has 10.8 for dog, from 10,000 samples."""
    found = unlearning_ratio(table(1_080, 10_000), table(30, 9_000))
    assert (found.value, found.n) == (pytest.approx(10.8), 10_000)
    assert found.interval == pytest.approx(percent(wilson(1_080, 10_000)))
    assert found.floor.value == pytest.approx(100 * 30 / 9_000)
    assert found.floor.interval == pytest.approx(percent(wilson(30, 9_000)))


def test_ua_and_ur_of_the_same_samples_add_to_100():
    shown, real = table(12, 300), table(5, 400)
    ua, ur = unlearning_accuracy(shown, real), unlearning_ratio(shown, real)
    assert ua.value + ur.value == pytest.approx(100)
    assert ua.interval == pytest.approx((100 - ur.interval[1], 100 - ur.interval[0]))
    assert ua.floor.value + ur.floor.value == pytest.approx(100) and ua.tells == ur.tells


def test_pul_is_the_fall_of_the_number_in_percent():
    """500 of 5,000 before and 125 after give 75 %."""
    found = percentage_unlearned(table(500, 5_000), table(125, 5_000), table(10, 9_000))
    assert found.value == pytest.approx(75)
    assert found.interval[0] < 75 < found.interval[1]
    assert found.floor.value == pytest.approx(100 * (1 - (10 / 9_000) / 0.1))


def test_puls_interval_is_as_wide_as_its_spread():
    """The standard deviation of 2,000 pairs of draws equals the half-width / 1.96, within 5 %.

    The standard error of a standard deviation of 2,000 draws is 1.6 %.
    """
    g = np.random.default_rng(0)
    before, after = g.binomial(5_000, 0.1, 2_000), g.binomial(5_000, 0.035, 2_000)
    spread = np.std(100 * (1 - after / before))
    low, high = percentage_unlearned(table(500, 5_000), table(175, 5_000), table(1, 100)).interval
    assert (high - low) / 2 / 1.96 == pytest.approx(spread, rel=0.05)


def test_pul_of_a_model_that_worsened_is_negative():
    assert percentage_unlearned(table(100, 1_000), table(150, 1_000), table(0, 100)).value == pytest.approx(-50)


def test_pul_needs_something_to_forget():
    with pytest.raises(ValueError, match="none of the 100 samples before"):
        percentage_unlearned(table(0, 100), table(5, 100), table(0, 100))


def test_p_forget_is_the_mean_probability_or_the_rate():
    logits, K = torch.randn(400, 5, generator=seeded()), 5
    p = logits.exp() / logits.exp().sum(1, keepdim=True)
    found = forgotten_probability(logits, 3, seeded(1))
    assert found.value == pytest.approx(p[:, 3].mean().item(), rel=1e-5)
    assert found.interval[0] < found.value < found.interval[1]
    rate = forgotten_probability(logits, 3, seeded(1), variant="rate")
    hits = sum(max(range(K), key=row.__getitem__) == 3 for row in logits.tolist())
    assert rate.value == hits / 400 and rate.interval == wilson(hits, 400)
    assert forgotten_probability(logits, range(5), seeded(1)).value == pytest.approx(1)


def test_an_unknown_variant_is_named():
    with pytest.raises(ValueError, match="variant='mean' is not one of probability, rate"):
        forgotten_probability(LOGITS, 0, seeded(), variant="mean")


def test_entropy_is_scipys_and_lies_between_0_and_log_K():
    logits = 3 * torch.randn(200, 10, generator=seeded())
    expected = scipy_entropy(logits.double().softmax(1).numpy(), axis=1).mean()
    assert entropy(logits, seeded()).value == pytest.approx(expected, rel=1e-9)
    assert entropy(torch.zeros(4, 10), seeded()).value == pytest.approx(math.log(10))
    assert entropy(torch.tensor([[1e4, 0.0], [0.0, 1e5]]), seeded()).value == 0


@pytest.mark.parametrize("rate", [0.0, 0.01])
def test_a_model_that_forgot_all_cannot_be_told_from_the_floor_and_one_that_forgot_little_can(rate):
    """There are ten classes; the classifier takes a share ``rate`` of the other images for the forgotten class."""
    g = np.random.default_rng(1)

    def seen(share_shown, n=5_000):
        truth = g.random(n) < share_shown
        return torch.from_numpy(truth | (g.random(n) < rate))

    real, before = seen(0), seen(0.1)
    for measure in (unlearning_ratio(seen(0), real), percentage_unlearned(before, seen(0), real)):
        assert not measure.tells
    for measure in (unlearning_ratio(seen(0.05), real), percentage_unlearned(before, seen(0.05), real)):
        assert measure.tells
    assert percentage_unlearned(before, before, real).value == 0


def test_below_the_floor_a_ratio_tells_nothing():
    assert not unlearning_ratio(table(0, 10_000), table(500, 10_000)).tells


def test_the_floor_is_the_rate_on_retained_images():
    assert floor(table(3, 400)) == Measured(3 / 400, wilson(3, 400), 400)


def test_touching_intervals_do_not_tell():
    assert not Forgetting(5.0, (4.0, 6.0), 10, Measured(3.0, (2.0, 4.0), 10)).tells
    assert Forgetting(5.0, (4.1, 6.0), 10, Measured(3.0, (2.0, 4.0), 10)).tells
