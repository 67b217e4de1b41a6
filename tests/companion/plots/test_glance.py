"""The tables of the page that shows every method at a glance."""

from types import SimpleNamespace

from companion.plots import looks_table, needs_table
from paperlib.unlearning.methods import METHODS, rows


def test_every_method_has_a_row_with_what_it_needs():
    made = needs_table(rows()).data
    assert [name.partition("<br>")[0] for name in made.index] == [method.title for method in METHODS.values()]
    assert made.notna().all(axis=None) and list(made["gradient evaluations per update"]) == [
        str(method.passes) for method in METHODS.values()
    ]


def test_the_model_before_has_no_cost_and_an_unconditional_one_was_not_asked():
    seen = {"ur": 9.0, "ur_low": 8.0, "ur_high": 10.0, "distance": 1.0, "low": 0.5, "high": 1.5}
    cost = {"updates": 1000, "evaluations": 2000, "beforehand": 3, "seconds": 1.0, "stopped": ""}
    looked = {"before": seen | cost, "salun": seen | cost | {"asked": 1.0}}
    series = {"order": ["salun"], "titles": {"salun": "SalUn"}, "looked": looked}
    made = looks_table(SimpleNamespace(series=series, title="digits")).data
    assert list(made.loc["before", ["updates", "evaluations", "preparation", "shown when asked, %"]]) == [""] * 4
    assert list(made.loc["SalUn", ["updates", "evaluations", "preparation"]]) == ["1,000", "2,000", "3"]
