"""The table of all measures: one row per model, even if two things are forgotten from one data set."""

import re
from types import SimpleNamespace

import pytest

from companion.plots.measures import measures_table
from companion.records import Record
from companion.rows import gather, row


def record(things=(("square,disc", 20.0), ("arrow", 40.0)), **facts):
    rows = [
        row(value, metric=metric, n=10, seed=seed, unit="%", dataset="shapes", method=method, forget=forget, **facts)
        for method in ("standard", "redirect")
        for forget, value in things
        for metric in ("ur", "rest-frechet")
        for seed in (0, 1)
    ]
    values = gather(rows, "example")
    found = SimpleNamespace(values=values)
    found.all = lambda **facts: Record.all(found, **facts)
    found.find = lambda **facts: Record.find(found, **facts)
    found.page = "example"
    return found


def test_two_things_forgotten_of_one_set_have_rows_of_their_own():
    columns = {"UR": {"metric": "ur"}}
    page = measures_table(record(), columns, title="t", more=lambda record, model: {"of": model["forget"]}).to_html()
    assert page.count("20.0") == 2 and page.count("40.0") == 2  # a value in each of four rows; intervals do not count
    assert page.count("square and disc") >= 1 and "Redirect" in page


def test_a_network_on_two_processes_has_rows_for_each():
    both = record()
    both.values = [
        one for process, number in {"vp": 20.0, "ddpm": 40.0}.items()
        for one in record((("square", number),), process=process).values
    ]  # fmt: skip
    page = measures_table(both, {"UR": {"metric": "ur"}}, title="t").to_html()
    assert page.count("VP, square") >= 1 and page.count("DDPM, square") >= 1
    assert page.count("20.0") == 2 and page.count("40.0") == 2


def test_a_method_that_joined_a_record_later_stands_with_its_own():
    late = record((("square", 20.0),), process="ddpm")
    late.values = [*late.values, *record((("square", 40.0),), process="vp").values]
    late.values.sort(key=lambda one: one.method == "redirect")  # both processes' Standard come first
    page = measures_table(late, {"UR": {"metric": "ur"}}, title="t").to_html()
    assert [float(word) for word in re.findall(r"20\.0|40\.0", page)] == [20.0, 20.0, 40.0, 40.0]


def test_a_model_that_lacks_a_measure_is_an_error_that_names_it():
    some = record()
    some.values = [one for one in some.values if one.method == "standard" or one.protocol["metric"] != "ur"]
    with pytest.raises(KeyError, match="0 values of example have .*method='redirect', metric='ur'"):
        measures_table(some, {"UR": {"metric": "ur"}}, title="t")
    page = measures_table(some, {"UR": {"metric": "ur", "some": True}}, title="t").to_html()
    assert "20.0" in page and "Redirect" in page  # an empty cell if the model does not have it


def test_a_measure_that_the_record_is_older_than_has_no_column():
    page = measures_table(record(), {"UR": {"metric": "ur"}, "NLL": {"metric": "nll"}}, title="t").to_html()
    assert "UR" in page and "NLL" not in page
