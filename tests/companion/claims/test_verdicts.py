from types import SimpleNamespace

import pytest

from companion import claims
from companion.claims.verdicts import ordering, step, verdict
from paperlib.intervals import t_interval

CLAIM = claims.load()["sgu.tab1/D_g/standard"]  # 10.91 +- 0.05


def value(*per_seed, seeds=None, ci95=None):
    seeds = list(range(len(per_seed))) if seeds is None else seeds
    mean = sum(per_seed) / len(per_seed)
    return SimpleNamespace(value=mean, ci95=ci95 or t_interval(per_seed), seeds=seeds, per_seed=list(per_seed))


@pytest.mark.parametrize(
    ("interval", "word"),
    [
        ((10.87, 10.95), "reproduced"),
        ((10.86, 10.96), "reproduced"),  # the ends count as inside
        ((10.85, 10.90), "inconclusive"),  # extends below
        ((10.90, 10.97), "inconclusive"),  # extends above
        ((10.0, 12.0), "inconclusive"),  # contains the whole range
        ((10.5, 10.85), "not reproduced"),
        ((10.97, 11.5), "not reproduced"),
        ((10.5, 10.86), "inconclusive"),  # touches the end
    ],
)
def test_the_whole_interval_decides(interval, word):
    assert verdict(CLAIM, value(sum(interval) / 2, ci95=interval)).word == word


def test_one_seed_is_inconclusive_even_on_the_printed_number():
    made = verdict(CLAIM, value(10.91))
    assert made.word == "inconclusive" and "one seed" in made.because


def test_an_argument_outranks_every_measurement():
    made = verdict(CLAIM.model_copy(update={"cannot_be": "no density has it"}), value(10.91, 10.91, 10.91))
    assert (made.word, made.because, str(made)) == ("cannot be", "no density has it", "cannot be")


def test_without_tolerance_there_is_no_verdict():
    assert verdict(claims.load()["erasediff.tab4/sa/minutes"], value(140.0, 140.0, 140.0)).word == "inconclusive"


def test_what_was_not_run_says_why():
    assert verdict(CLAIM, None).word == "not run"
    assert verdict(CLAIM, SimpleNamespace(status="not run", reason="no time")).because == "no time"


@pytest.mark.parametrize(
    ("smaller", "larger", "word"),
    [
        (value(1.0, 5.0, 9.0), value(1.5, 5.6, 9.4), "reproduced"),  # paired, so the spread between seeds cancels
        (value(1.5, 5.6, 9.4), value(1.0, 5.0, 9.0), "not reproduced"),
        (value(1.0, 2.0, 3.0), value(2.0, 1.0, 3.5), "inconclusive"),
        (value(1.0, 2.0), value(9.0, 9.5), "inconclusive"),
        (value(1.0, 2.0, 3.0), value(9.0, 9.5, 9.2, seeds=[1, 2, 3]), "inconclusive"),  # only two pairs
        (value(1.0, 5.0, 9.0), value(9.4, 1.5, 5.6, seeds=[2, 0, 1]), "reproduced"),
        (None, value(1.0), "not run"),
    ],
)
def test_an_ordering_needs_three_paired_seeds(smaller, larger, word):
    assert ordering(smaller, larger).word == word


def test_a_step_is_between_paired_seeds():
    assert step(value(1.0, 5.0, 9.0), value(9.5, 1.5, 5.5, seeds=[2, 0, 1])) == (0.5, 0.5, 0.5)
    assert step(value(1.0), value(3.0)) == (2.0,)
    assert step(value(1.0, 2.0), value(4.0, 5.0, seeds=[7, 8])) == (3.0,)
