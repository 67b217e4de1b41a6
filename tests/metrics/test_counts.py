"""Counts behind percentages, checked for every possible count."""

import pytest

from paperlib.metrics.counts import fewest_images, is_count_of


@pytest.mark.parametrize("n", [7, 100, 500])
def test_exactly_the_counts_of_n_are_counts_of_n(n):
    counts = {round(100 * k / n, 2) for k in range(n + 1)}
    assert {p / 100 for p in range(10_001) if is_count_of(p / 100, n)} == counts


def test_the_fewest_images_have_every_percentage():
    assert fewest_images([99.9, 100, 99.5]) == 1000
    assert fewest_images([42.4, 27.2, 93.8]) == 500
    assert fewest_images([100, 98]) == 100


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="percent=101"):
        is_count_of(101, 100)
    with pytest.raises(ValueError, match="n=0 is not a whole number"):
        is_count_of(50, 0)
    with pytest.raises(ValueError, match="no multiple of 100 up to 200"):
        fewest_images([99.9], most=200)
