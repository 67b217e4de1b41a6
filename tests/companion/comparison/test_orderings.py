"""The papers' orderings: what they are about, and verdicts on values made by hand."""

import pytest

from companion.claims.printed import load
from companion.comparison.compared import MEASURES
from companion.comparison.entrants import ENTRANTS
from companion.comparison.orderings import PRINTED, Printed, other_protocol, pairs
from companion.records import measured

UFID, PUL = (
    next(one for one in PRINTED if one.measure == name and "VDU" in one.where) for name in ("distance of all", "PUL")
)
every_row = pytest.mark.parametrize("row", PRINTED, ids=[one.where for one in PRINTED])


def value(*per_seed, seeds=None, dataset="mnist", **protocol):
    """Make a value for VDU's MNIST, process and digit, unless the arguments differ."""
    facts = {"unit": "%", "n": 10, "dataset": dataset, "method": "x"}
    facts["protocol"] = {"forget": "1", "process": "ddpm"} | protocol
    return measured("ours.x/a/b", per_seed, seeds=seeds or range(len(per_seed)), **facts)


@every_row
def test_every_claim_is_printed_and_says_which_way_is_better(row):
    claims = [load()[claim] for claim in row.claims.values()]
    assert len(claims) > 1 and {one.better for one in claims} == {"down" if row.sign > 0 else "up"}
    assert len({(one.metric, one.dataset, one.forget, one.source) for one in claims}) == 1
    assert len(set(row.claims.values())) == len(claims)
    assert set(row.claims) <= {*ENTRANTS, "retrained"} and row.measure in MEASURES


@every_row
def test_printed_values_hold_in_every_pair_and_reversed_ones_in_none(row):
    printed = {name: load()[claim].value for name, claim in row.claims.items()}
    right = pairs(row, {name: value(number) for name, number in printed.items()})
    wrong = pairs(row, {name: value(-number) for name, number in printed.items()})
    numbers = list(printed.values())
    different = sum(a != b for k, a in enumerate(numbers) for b in numbers[:k])
    assert len(right) == len(wrong) == different > 0
    assert all(one.holds and one.printed == one.measured for one in right) and not any(one.holds for one in wrong)
    assert all(row.sign * one.printed[0] < row.sign * one.printed[1] for one in right)
    assert {one.verdict.word for one in right} == {"inconclusive" if "VDU" in row.where else "another protocol"}


@every_row
def test_an_order_of_other_data_classes_process_or_kind_of_model_is_not_judged(row):
    claim = load()[next(iter(row.claims.values()))]
    forget = claim.forget.replace("3,7", "7, 3")  # in any order
    own = {"dataset": claim.dataset, "forget": forget, "process": {"vesde": "ve"}.get(claim.process, claim.process)}
    assert other_protocol(row, value(1, **own)) == ("a conditional model" if "EraseDiff" in row.where else "")
    for other, word in {"dataset": "digits", "forget": "5", "process": "vp"}.items():
        assert other_protocol(row, value(1, **own | {other: word}))


@pytest.mark.parametrize("row, low_is_better", [(UFID, True), (PUL, False)])
def test_the_verdict_follows_the_measures_direction(row, low_is_better):
    claims = load()
    vdu, amnesia = (claims[row.claims[name]].value for name in ("vdu", "selective_amnesia"))
    first = "vdu" if (vdu < amnesia) == low_is_better else "selective_amnesia"
    low, high = value(1.0, 1.1, 0.9), value(2.0, 2.2, 1.9)
    for best_here in row.claims:
        other = next(name for name in row.claims if name != best_here)
        (one,) = pairs(row, {best_here: low, other: high} if low_is_better else {best_here: high, other: low})
        agrees = best_here == first
        assert one.better == first and one.holds == agrees
        assert one.verdict.word == ("reproduced" if agrees else "not reproduced")


def test_three_paired_seeds_are_needed():
    low, high = value(1.0, 1.1, 0.9), value(2.0, 2.2, 1.9)
    for seeds, word in {(0, 1, 2): "inconclusive", (1, 2, 3): "reproduced"}.items():
        shifted = {"a": value(1.0, 1.1, 0.9, seeds=(1, 2, 3)), "b": value(2.0, 2.2, 1.9, seeds=seeds)}
        (one,) = pairs(_two(), shifted)
        assert one.verdict.word == word
    assert "2 paired seeds" in pairs(_two(), {"a": value(1, 2), "b": value(3, 4)})[0].verdict.because
    assert pairs(_two(), {"a": low, "b": high})[0].verdict.word == "reproduced"
    (scattered,) = pairs(_two(), {"a": value(1, 3, 0), "b": value(2, 2, 2)})
    assert scattered.holds and scattered.verdict.word == "inconclusive"


def test_ties_and_what_was_not_measured_are_left_out():
    claims = load()
    row = next(one for one in PRINTED if one.where.startswith("SGU"))
    names = list(row.claims)
    tied = Printed("", "UR", {names[0]: row.claims[names[0]], "again": row.claims[names[0]]})
    assert pairs(tied, {names[0]: value(1), "again": value(2)}) == []
    assert pairs(row, {names[0]: value(1)}) == [] == pairs(row, {})
    here = {names[0]: value(1), names[2]: value(2), "nobody": value(3)}
    assert [{one.better, one.worse} for one in pairs(row, here)] == [{names[0], names[2]}] and claims


def test_equal_means_do_not_hold():
    assert not pairs(_two(), {"a": value(1), "b": value(1)})[0].holds


def _two():
    """Return a printed row in which a is better than b."""
    numbers = {name: load()[claim].value for name, claim in UFID.claims.items()}
    best, worst = sorted(numbers, key=numbers.get)
    return Printed("", "distance of all", {"a": UFID.claims[best], "b": UFID.claims[worst]})
