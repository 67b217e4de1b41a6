"""Exact negation's figures and tables for several tasks, from a record made up of two."""

import matplotlib
import pytest

from companion import plots
from companion.page import recorded
from companion.plots.negation import Outcome, outcomes, shown_names, tasks
from companion.records import Record
from companion.rows import gather, row

matplotlib.use("Agg")
FOUND = {  # task -> method, w -> UR, UR by the judge, distance of the rest
    ("ddpm", "1"): {
        ("standard", None): (9, 8, 2),
        ("without", 1.0): (0.4, 0.9, 2.2),
        ("without", 4.0): (0.4, 1.2, 2),
        ("negate", 1.0): (0.2, 0.2, 2.4),
    },
    ("ve", "3,7"): {("standard", None): (20, 22, 4), ("unseen", None): (0.5, 0.6, 3), ("without", 1.0): (2, 2, 3)},
}


@pytest.fixture
def record():
    """Return a record of two tasks, only the first of which other methods have tried."""
    rows, pull = [], {"side": "forget", "w": 0.9, "cosine": 0.5, "pull": 0.02, "exact": 0.04, "model": 0.01}
    for (process, forget), models in FOUND.items():
        for (method, w), found in models.items():
            facts = {"n": 50, "dataset": "digits", "process": process, "forget": forget, "method": method}
            facts |= {"w": w} if w else {}
            for metric, value in zip(("ur", "ur by the judge", "rest-frechet"), found):
                unit = "squared distance" if metric == "rest-frechet" else "%"
                rows.append(row(value, metric=metric, unit=unit, interval=(0, 90), **facts))
    names = [":".join(task) for task in FOUND]
    pulls = [pull | {"sigma_over_alpha": level} for level in (1.0, 2.0, 3.0, 5.0, 8.0)]
    series = {"pulls": dict.fromkeys(names, pulls)}
    series |= {"weights": dict.fromkeys(names, [{"sigma_over_alpha": 2.0, "w": 1.0, "error": 0.1}])}
    series |= {"others": {names[0]: [{"title": "SalUn", "ur": 1.2, "rest": 1.3}], names[1]: []}}
    series |= {"recognised": {"1": [{"sigma_over_alpha": 2.0, "hit": 0.87, "false": 0.01}], "3,7": []}}
    return Record.checked(
        page="example",
        profile="laptop",
        parameters={},
        provenance=recorded("vdu_tab2_gamma_sweep").provenance,
        values=gather(rows, "example", by=["w"]),
        series=series,
    )


def test_an_outcome_is_relative_to_its_own_tasks_base_model(record):
    assert tasks(record) == list(FOUND)
    assert outcomes(record, "ddpm", "1")["without", 1.0] == Outcome(0.4, 0.9, pytest.approx(1.1))
    assert outcomes(record, "ve", "3,7")["unseen", None].rest == 0.75


def test_a_model_of_one_seed_is_compared_with_that_seed(record):
    def several(one):
        if one.protocol["metric"] == "rest-frechet" and one.method == "standard":
            return one.model_copy(update={"seeds": [0, 1], "per_seed": [2.0, 4.0], "value": 3.0})
        return one

    again = record.model_copy(update={"values": [several(one) for one in record.values]})
    found = outcomes(again, "ddpm", "1")
    assert found["without", 4.0].rest == 1.0 and found["standard", None].rest == 1.0


@pytest.mark.parametrize("change", [{"ur": 1.01}, {"judge": 1.01}, {"rest": 1.11}])
def test_it_is_reached_only_if_both_judges_and_the_distance_agree(change):
    most = Outcome(1.0, 1.0, 1.1)
    assert most.reached and not most._replace(**change).reached


def test_what_retraining_leaves_counts_as_forgotten(record):
    found = outcomes(record, "ve", "3,7")
    assert found["standard", None].most == (1.0, 1.0)  # this one leaves less than 1 %
    values = [
        one.model_copy(update={"value": 2.5, "ci95": None}) if one.method == "unseen" else one for one in record.values
    ]
    again = outcomes(record.model_copy(update={"values": values}), "ve", "3,7")
    assert again["without", 1.0].most == (2.5, 2.5) and again["without", 1.0].reached
    assert not found["without", 1.0].reached


def test_every_task_has_a_column_with_its_own_models_and_bold_where_it_is_reached(record):
    cells = plots.negation_tasks(record).data
    assert list(cells.columns) == ["DDPM, 1", "VE, 3 and 7"]
    assert cells.loc["retrained in full", "UR, %"].tolist()[0] == "–"
    bold = {
        (name, head) for head in cells for (name, what) in cells.index if cells.loc[(name, what), head][:3] == "<b>"
    }
    assert bold == {("Negation while sampling, w = 1", "DDPM, 1"), ("retrained in full", "VE, 3 and 7")}
    assert cells.loc[("Negation while sampling, w = 1", "distance"), "VE, 3 and 7"] == "0.75 ×"


def test_the_table_in_detail_is_of_the_first_task(record):
    assert len(plots.negation_table(record).data) == len(FOUND["ddpm", "1"])


def test_other_methods_stand_only_in_the_panel_of_their_task(record):
    figure = plots.negation_plane(record, title="")
    crosses = [[line for line in axes.lines if line.get_marker() == "x"] for axes in figure.axes]
    assert [len(found) for found in crosses] == [1, 0, 0]  # the last place is the legend's
    assert [axes.get_title() for axes in figure.axes[:2]] == ["DDPM, forgetting 1", "VE, forgetting 3 and 7"]
    words = {text.get_text() for text in figure.axes[2].get_legend().get_texts()}
    assert "retrained in full" in words  # of the second task alone


def test_distances_near_1_have_several_ticks(record):
    near = [
        one.model_copy(update={"value": 1 + one.value / 100}) if one.protocol["metric"] == "rest-frechet" else one
        for one in record.values
    ]
    near = [one.model_copy(update={"per_seed": [one.value]}) for one in near]
    series = record.series | {"others": {}}
    figure = plots.negation_plane(record.model_copy(update={"values": near, "series": series}), title="")
    for axes in figure.axes[:2]:
        low, high = axes.get_xlim()
        assert high < 1.2 and sum(low <= tick <= high for tick in axes.get_xticks()) >= 3


def test_a_single_task_has_a_single_panel(record):
    few = [value for value in record.values if value.protocol["process"] == "ddpm"]
    assert len(plots.negation_plane(record.model_copy(update={"values": few}), title="").axes) == 1


def test_the_rows_of_the_sheet_are_the_shown_models_of_all_tasks(record):
    wanted = {"DDPM, 1": ("before", "while sampling"), "VE, 3 and 7": ("before", "retrained", "while sampling")}
    assert shown_names(record) == [f"{task}: {name}" for task, names in wanted.items() for name in names]


def test_the_pulls_of_every_task_stand_beside_what_the_classifier_recognises(record):
    cells = plots.pull_table(record).data
    assert cells.loc["DDPM, 1", "recognised at 2"] == "87 %" and cells.loc["VE, 3 and 7", "recognised at 2"] == "–"
    assert cells.loc["DDPM, 1", "model's error at 3"] == "0.50"
