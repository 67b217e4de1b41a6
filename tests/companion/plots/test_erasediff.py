"""EraseDiff's figures and tables: every row says its data set, and what is shown is of the newest."""

import pytest

from companion.page import recorded
from companion.plots.erasediff import erased_orders, erased_table, nearest, tried_plane
from companion.plots.erasediff_ablation import ablated, ablation_table, newest


@pytest.fixture
def record():
    """Return Figure 5's record with its values again, doubled, as another data set's, recorded later."""
    found = recorded("erasediff_fig5_ablation")
    own = [one for one in found.values if getattr(one, "dataset", "") == "digits"]
    changes = {"dataset": "mnist", "ci95": None}
    later = [
        one.model_copy(update=changes | {"claim": one.claim.replace("/digits/", "/mnist/"), "value": 2 * one.value})
        for one in own
    ]
    return found.model_copy(update={"values": [*own, *later]})


def test_what_is_followed_along_a_setting_is_of_one_data_set(record):
    assert newest(record) == "mnist"
    own, later = (ablated(record, "entropy", "code", "K", dataset) for dataset in ("digits", ""))
    assert [one.protocol["K"] for one in own] == [one.protocol["K"] for one in later] == [1, 5]
    assert [2 * one.value for one in own] == [one.value for one in later]


def test_the_table_has_every_run_of_both_and_the_newest_first(record):
    rows = ablation_table(record).data
    assert list(dict.fromkeys(rows.index.get_level_values(0))) == ["MNIST", "scikit-learn's digits"]
    assert len(rows) == len(record.all(metric="entropy")) and rows.notna().all().all()


def test_searched_settings_stand_below_the_published_ones_whenever_they_were_recorded():
    found = recorded("erasediff_tab1_cifar10")
    own = [one for one in found.values if getattr(one, "method", "") in ("salun", "finetune")]
    later = [
        one.model_copy(update={"method": "salun_searched", "claim": f"{one.claim}/searched"})
        for one in own
        if one.method == "salun"
    ]
    titles = list(erased_table(found.model_copy(update={"values": [*own, *later]})).data.index)
    assert sorted(titles) == ["Fine-tune", "SalUn", "SalUn, searched"]
    assert titles.index("SalUn, searched") == titles.index("SalUn") + 1


def test_equal_forgetting_is_judged_by_the_nearest_candidate_that_forgets():
    tried = [{"ur": 10.0, "distance": 3.0}, {"ur": 20.0, "distance": 2.0}, {"ur": 21.0, "distance": 0.5}]
    search = {"ur": 60.0, "distance": 1.0, "candidates": {"salun": tried, "finetune": tried[2:]}}
    found = recorded("erasediff_tab1_cifar10").model_copy(update={"series": {"tried": search}})
    assert nearest(found, "salun") == tried[1] and nearest(found, "finetune") is None
    (axes,) = tried_plane(found, title="").axes
    fronts = {line.get_label(): list(zip(*line.get_data())) for line in axes.lines}
    assert fronts["SalUn"] == [(0.5, 21.0), (2.0, 20.0), (3.0, 10.0)]
    assert tried_plane(found.model_copy(update={"series": {}}), title="") is None


def test_orders_are_judged_by_paired_seeds_for_both_kinds_of_settings():
    found = recorded("erasediff_tab1_cifar10")
    own = [one for one in found.values if getattr(one, "method", "").startswith(("erasediff", "salun", "selective"))]
    own = [one for one in own if not one.method.endswith("_searched")]
    better = [
        one.model_copy(update=facts | {"value": one.value - 0.2, "per_seed": [k - 0.2 for k in one.per_seed]})
        for one in own
        if one.method == "erasediff_rl"
        for facts in [{"method": "erasediff_rl_searched", "claim": f"{one.claim}/searched", "ci95": None}]
    ]
    rows = erased_orders(found.model_copy(update={"values": own})).data
    assert list(dict.fromkeys(rows.index.get_level_values(0))) == ["published"] and len(rows) == 4
    both = erased_orders(found.model_copy(update={"values": [*own, *better]})).data
    first, second = (both.loc[(words, "EraseDiff, rl", "SalUn")] for words in ("published", "searched"))
    gaps = [[float(cell.partition("<br>")[0]) for cell in row] for row in (first, second)]
    assert [round(a - b, 2) for a, b in zip(*gaps)] == [0.2, 0.2] and len(both) == 8
    assert all(cell.endswith(("reproduced", "inconclusive")) for cell in both.to_numpy().flatten())
