"""The comparison's tables depend only on the record that is shown."""

from companion.comparison import tables
from companion.comparison.orderings import PRINTED, asked
from companion.comparison.search import committed
from companion.page import recorded

RECORD = recorded("compare_all_methods")


def test_the_settings_are_those_of_the_record_not_of_another_search():
    """The search on digits chose others: 0.25 instead of 10 for Selective Amnesia, 5e-4 instead of 2e-3 for Unseen."""
    shown = tables.chosen_settings(RECORD).data
    for name, own in RECORD.series["settings"].items():
        line = shown.loc[RECORD.series["titles"][name]]
        assert float(line["rate"]) == own["lr"]
        assert not line["dial"] or any(
            line["dial"] == f"{key} = {value:g}"
            for key, value in own.items()
            if key != "lr" and not isinstance(value, str)
        )
    digits = RECORD.model_copy(
        update={"series": RECORD.series | {"bench": RECORD.series["bench"] | {"base": "digits-ddpm"}}}
    )
    best = committed("digits-ddpm", "1").best("unseen").score
    assert (
        tables.chosen_settings(digits).data.loc["Unseen", "best score"]
        == f"{best:.2f}"
        != shown.loc["Unseen", "best score"]
    )


def test_every_model_has_a_row_of_measures_with_intervals_where_they_can_be():
    shown = tables.measures(RECORD).data
    assert list(shown.index) == [RECORD.series["titles"][v.method] for v in RECORD.all(metric="UR")]
    assert not shown.isna().any().any() and "[-" not in "".join(shown["UR, %"]) + "".join(shown["distance"])


def test_another_data_sets_order_is_counted_and_not_judged():
    shown, found = tables.orders(RECORD).data, asked(RECORD)
    assert [row.where for row in found] == list(shown.index) == [row.where for row in PRINTED]
    for where, line in shown.iterrows():
        assert line["verdict"].startswith("another protocol: ") == ("VDU" not in where)
        assert int(line["same order here"]) + len(list(filter(None, line["reversed here"].split("; ")))) == int(
            line["pairs"]
        )


def test_costs_and_shares_and_completions_have_a_row_a_method():
    assert len(tables.costs(RECORD).data) == len(RECORD.series["courses"])
    conflict, relearning = recorded("compare_gradient_conflict"), recorded("compare_relearning")
    assert len(tables.shares(conflict).data) == len(conflict.series["probes"])
    assert len(tables.completions(relearning).data) == len(relearning.series["rows"]) - 1
