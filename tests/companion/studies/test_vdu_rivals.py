"""The settings and length of runs in VDU's Table 1, and what changed in images from the same noise."""

from types import SimpleNamespace

import pytest

from companion import bases
from companion.comparison.search import committed
from companion.studies.vdu_noise import changes
from companion.studies.vdu_rivals import beside, length, named_settings, tries, ways


def test_the_search_on_mnist_chose_the_papers_settings_so_that_each_has_one_row():
    papers = {"vdu": {"lr": 1e-6, "gamma": 0.1}, "selective_amnesia": {"lr": 1e-4, "lam": 10.0}}
    for name, own in papers.items():
        assert dict(named_settings("mnist-ddpm", "1", name, own)) == {name: own}


def test_other_settings_have_a_row_of_their_own():
    found = dict(named_settings("mnist-ddpm", "1", "vdu", {"lr": 1e-3, "gamma": 0.1}))
    assert found == {"vdu": {"lr": 1e-3, "gamma": 0.1}, "vdu_ours": {"lr": 1e-6, "gamma": 0.1}}
    assert list(dict(named_settings("mnist-ddpm", "1", "neggrad"))) == ["neggrad"]


def test_without_a_search_the_papers_settings_stay_alone_and_others_come_from_mnist():
    papers = {"lr": 1e-4, "lam": 10.0}
    assert dict(named_settings("cifar10-ddpm", "ship", "selective_amnesia", papers)) == {"selective_amnesia": papers}
    assert list(named_settings("cifar10-ddpm", "ship", "neggrad")) == list(named_settings("mnist-ddpm", "1", "neggrad"))


def test_both_methods_had_as_many_tries():
    found = committed("mnist-ddpm", "1")
    assert len(found.of("vdu")) == len(found.of("selective_amnesia")) == 6
    shown = tries("mnist-ddpm", "1", ("vdu", "selective_amnesia"))
    best = next(one for one in shown if one["settings"] == {"lr": 1e-6, "gamma": 0.1})
    assert best["pul"] == pytest.approx(100 * (1 - 1.5 / 9.75)) and best["rest"] == pytest.approx(2.499, abs=1e-3)
    assert tries("mnist-ddpm", "8", ("vdu",)) == []  # another task's tries are not this one's


def test_ways_begin_at_the_model_before_and_end_where_the_budget_does():
    for seeds in ways("mnist-ddpm", "1", ("vdu", "neggrad")).values():
        assert len(seeds) == 3
        for way in seeds:
            assert (way[0]["pul"], way[0]["rest"]) == (0, 1) and way[-1]["evaluations"] == 240
    assert ways("mnist-ddpm", "0", ("vdu",)) == {} and beside("digits-ddpm", "1") == []
    assert {"vdu", "neggrad", "retrained"} <= {one["method"] for one in beside("mnist-ddpm", "1")}


def test_a_run_is_as_long_as_the_paper_says_or_as_its_budget():
    budget = {"dataset": "digits", "batch_size": 10, "apart": 3, "epochs": 4, "fisher": {"fisher_samples": 5}, "own": 7}
    paper = SimpleNamespace(**budget, evaluations=0)
    images = int((bases.images("digits", "train").labels == 1).sum())
    assert length(paper, "vdu", "1") == {"batch_size": 10, "apart": 3, "updates": 4 * -(-images // 10)}
    assert length(paper, "selective_amnesia", "1")["updates"] == 2 * -(-images // 10)
    assert length(paper, "negate_own", "1") == length(paper, "vdu", "1") | {"own": 7}
    equal = [length(SimpleNamespace(**budget, evaluations=9), name, "1") for name in ("vdu", "selective_amnesia")]
    assert {(one["updates"], one["unit"]) for one in equal} == {(9, "evaluations")}


def test_changes_are_counted_on_both_sides():
    before, after = list("1112345"), list("1272314")
    found = changes(before, after, "1")
    assert found["left"] == pytest.approx(100 / 3) and found["others"] == pytest.approx(50) and found["came"] == 1
    assert found["went"] == {"1": 1, "2": 1, "7": 1} and (found["m"], found["n"]) == (3, 4)
