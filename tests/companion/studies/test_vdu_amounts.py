"""The amounts of VDU's tables, joined for each data set."""

from types import SimpleNamespace

import pytest

from companion import claims
from companion.studies.vdu_amounts import amounts, each, not_asked, rivals


def joined(profile, seeds=(0, 1, 2), given="", **changes):
    budget = {name: value for name, value in rivals()[profile].items() if name != "seeds"}
    page = SimpleNamespace(seeds=list(seeds), parameters={"seeds": given})
    return {one.dataset: one for one in each(SimpleNamespace(**budget | changes), page)}


def test_each_data_set_has_its_own_classes_and_lengths():
    laptop, paper = joined("laptop"), joined("paper")
    assert laptop["mnist"].forget == "0;1;8" and laptop["cifar10"].forget == "automobile;frog;ship"
    assert (paper["mnist"].sampler, paper["mnist"].epochs) == (1000, 1)  # App. 6.2.3
    assert (paper["cifar10"].sampler, paper["cifar10"].epochs, paper["cifar10"].n) == (500, 4, 5000)
    assert list(joined("smoke")) == ["digits"]
    assert {name: one["forget"] for name, one in amounts()["paper"]["sets"].items()}["cifar10"] == "ship"


def test_a_parameter_replaces_what_the_sets_have():
    found = joined("laptop", dataset="cifar10", forget="cat")
    assert list(found) == ["cifar10"] and found["cifar10"].forget == "cat"
    assert found["cifar10"].full == "ship"  # the class of the additional methods stays the paper's


def test_a_set_may_have_fewer_seeds_unless_they_are_asked_for():
    fewer = joined("laptop")
    assert (fewer["mnist"].seeds, fewer["cifar10"].seeds) == ([0, 1, 2], [0])
    assert joined("laptop", given="3,4", seeds=(3, 4))["cifar10"].seeds == [3, 4]


@pytest.mark.parametrize("asked, said", [("shapes", "not one of"), ("digits,mnist", "one at a time")])
def test_unknown_and_ambiguous_sets_are_refused(asked, said):
    with pytest.raises(ValueError, match=said):
        joined("laptop", dataset=asked)


@pytest.mark.parametrize(
    "cell, asked, said",
    [
        ("vdu.pretrained_fid/mnist/pretrained", {"dataset": "cifar10"}, "this run is about CIFAR-10 alone"),
        ("vdu.tab1/mnist/0/vdu_pul", {"forget": "1;8"}, "this run forgets 1, 8 of MNIST"),
        ("vdu.tab1/mnist/0/vdu_ufid", {"features": ["classifier"]}, "this run is without Inception"),
        ("vdu.tab1/mnist/0/vdu_pul", {"measures": "inception"}, "this run measures inception alone"),
    ],
)
def test_a_cell_that_was_not_run_is_told_why_in_words_that_are_true_of_it(cell, asked, said):
    measures = asked.pop("measures", "")
    budgets = joined("laptop", **asked).values()
    assert not_asked(claims.load()[cell], [*budgets], measures) == said
