"""The sentences' numbers are those of one data set and process, relative to its own Standard."""

import math
from types import SimpleNamespace

import pytest

from companion.records import Record, measured
from companion.studies.sgu_readings import gap, readings, said
from companion.studies.sgu_rows import amounts
from tests.companion.test_records import SOURCE

LATER = {"standard": 1.0, "sgu_obtuse": 3.0}


def rows(dataset, process, scale):
    return [one for method in LATER for one in model(dataset, process, method, scale)]


def model(dataset, process, method, scale):
    times, own = LATER[method], {"dataset": dataset, "method": method, "seeds": [0], "n": 9}

    def made(number, unit, **told):
        claim = f"ours.example/{dataset}/{process}/{method}/{'-'.join(map(str, told.values()))}"
        facts = {"process": process, "forget": "dog,cat"} | told
        return measured(claim, [number], unit=unit, protocol=facts, **own)

    yield made(scale * times, "percent", metric="ur", floor=7.0)
    yield made(1.0, "percent", metric="ur", forget="dog")
    yield made(scale * times, "squared distance", metric="rest-frechet")
    for side, more in {"D_g": 0.5, "D_f": 2.0}.items():
        yield made(scale + more * (times - 1), "bits/dim", metric="nll", test=side)


@pytest.fixture(scope="module")
def record():
    values = rows("mnist", "ve", 10.0) + rows("cifar10", "vp", 20.0) + rows("cifar10", "ddpm", 4.0)
    return Record.checked(page="example", profile="laptop", parameters={}, provenance=SOURCE, values=values)


@pytest.mark.parametrize(
    ("dataset", "process", "scale"), [("mnist", "", 10.0), ("cifar10", "vp", 20.0), ("cifar10", "ddpm", 4.0)]
)
def test_a_row_s_numbers_are_its_own(record, dataset, process, scale):
    found = readings(record, dataset, process)
    assert found.ur == {"standard": scale, "sgu_obtuse": 3 * scale} and found.floor == pytest.approx(7.0)
    assert found.times == pytest.approx({"standard": 1.0, "sgu_obtuse": 3.0})
    assert found.rise["sgu_obtuse", "D_g"] == pytest.approx(1.0) and found.rise["standard", "D_f"] == 0
    assert found.rise["sgu_obtuse", "D_f"] == pytest.approx(4.0) == found.steep["sgu_obtuse", "D_f"]


def test_seeds_are_compared_in_pairs(record):
    found = readings(record, "mnist")
    found.spread.update(unseen=[1.0, 5.0, 3.0], sgu_obtuse=[2.0, 7.0, 4.5])
    half = 4.3027 * 0.5 / 3**0.5  # t of two degrees of freedom times the standard error
    assert found.against("sgu_obtuse", "unseen") == pytest.approx((1.5, 1.5 - half, 1.5 + half), abs=1e-4)
    assert said(found.against("sgu_obtuse", "unseen"), 1) == "1.5 [0.3, 2.7]"
    assert found.against("standard", "standard") == (0.0, -math.inf, math.inf)  # a single seed


def test_a_data_set_that_was_not_measured_has_no_numbers(record):
    found = readings(record, "stl10")
    assert not (found.ur or found.times or found.rise)


def test_a_row_s_budget_is_the_page_s_but_for_what_its_data_set_has():
    budget = SimpleNamespace(steps=120, n=9, cifar10={"steps": 0})
    assert (amounts(budget, "mnist").steps, amounts(budget, "cifar10-vp").steps) == (120, 0)
    assert amounts(budget, "cifar10").n == 9 and amounts(budget, "cifar10", steps=7).steps == 7
    setattr(budget, "cifar10-ddpm", {"steps": 5})
    assert amounts(budget, "cifar10-ddpm").steps == 5 and amounts(budget, "cifar10-vp").steps == 0
    assert amounts(budget, "cifar10", steps=0).steps == 0 and amounts(budget, "mnist", steps=7).steps == 7


def test_the_gap_compares_every_image_with_itself():
    """Images differ by far more than the step; their own steps are 1 on D_g and 3 on D_f, but for a spread on D_f."""
    row = {"standard": {"bits": {"D_g": [1.0, 9.0], "D_f": [2.0, 8.0]}}}
    row["sgu_obtuse"] = {"bits": {"D_g": [2.0, 10.0], "D_f": [4.9, 11.1]}}
    value, low, high = gap(row, "sgu_obtuse")
    assert value == pytest.approx(2.0) and value - low == pytest.approx(high - value)
    assert high - value == pytest.approx(12.7062 * 0.1)  # t of one degree of freedom times the standard error
