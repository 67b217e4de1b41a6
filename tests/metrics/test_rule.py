import pytest

from paperlib.metrics.rule import score, verdict

BEFORE = {"ur": 9.0, "distance": 2.0}


def test_the_score_is_the_worse_miss():
    assert score(3.0, 1.0, BEFORE) == 1.0 and score(0.0, 3.0, BEFORE) == 1.0
    assert score(9.0, 1.0, BEFORE) == 3.0 and score(1.0, 6.0, BEFORE) == 2.0
    assert score(0.0, None, BEFORE) is None


def test_nothing_to_forget_has_no_score():
    with pytest.raises(ValueError, match="there is nothing to score"):
        score(0.0, 1.0, {"ur": 0.0, "distance": 2.0})


def test_at_most_one_exactly_where_both_halves_hold():
    n = 60
    for hits_before in range(1, 20):
        before = {"ur": 100 * hits_before / n, "distance": 1.7}
        for hits in range(n + 1):
            for distance in (1.0, 1.7, 1.5 * 1.7, 2.5501, 9.0):
                ur = 100 * hits / n
                accepted = verdict(ur, distance, before) == "forgotten and kept"
                assert (score(ur, distance, before) <= 1) == accepted, (ur, distance, before)


@pytest.mark.parametrize(
    "ur, distance, words",
    [
        (3.0, 3.0, "forgotten and kept"),
        (3.0, 3.1, "forgotten and damaged"),
        (0.0, None, "forgotten and damaged"),
        (3.1, 3.0, "kept and not forgotten"),
        (9.0, 9.0, "neither"),
    ],
)
def test_each_half_is_asked_for_itself(ur, distance, words):
    assert verdict(ur, distance, BEFORE) == words
