from collections import Counter

import pytest

from companion import claims
from companion.claims.names import PROCESSES, data_title, method_title


def test_every_printed_number_is_there_and_the_empty_cell_is_not():
    tables = Counter(claim.id.split("/")[0] for claim in claims.load().values())
    assert tables == {
        "sgu.tab1": 6, "sgu.tab2_ur": 32, "sgu.tab2_nll": 24, "sgu.tab3_accuracy": 20, "sgu.tab3_clip": 8,
        "sgu.tab4_accuracy": 8, "sgu.tab4_clip": 8, "sgu.tab5_ur": 27, "sgu.tab5_nll": 8,
        "vdu.pretrained_fid": 2, "vdu.tab1": 24, "vdu.tab2": 16,
        "erasediff.tab1": 32, "erasediff.tab2": 8, "erasediff.text_wc": 2, "erasediff.tab3": 88, "erasediff.tab4": 6,
        "erasediff.tab5": 44, "erasediff.text_entropy": 1,
    }  # fmt: skip
    assert tables.total() == 364
    assert "sgu.tab5_ur/cifar10/vpsde/dog/unseen" not in claims.load()


@pytest.mark.parametrize(
    ("claim", "value", "facts"),
    [
        ("sgu.tab1/D_f/unlearning", 39.01, "mixture vesde middle sgu_orthogonal nll D_f up"),
        ("sgu.tab1/D_g/standard", 10.91, "mixture vesde middle standard nll D_g down"),
        ("sgu.tab2_ur/mnist/vesde/3+7/sgu_obtuse", 5.1, "mnist vesde 3,7 sgu_obtuse ur  down"),
        ("sgu.tab2_nll/stl10/vpsde/D_f/unseen", 2.32, "stl10 vpsde airplane unseen nll D_f up"),
        ("sgu.tab3_accuracy/cifar10/D_g/clean", 95.4, "cifar10 vpsde dog,automobile clean accuracy D_g up"),
        ("sgu.tab5_ur/cifar10/ddpm/dog/sgu_obtuse", 3.6, "cifar10 ddpm dog sgu_obtuse ur  down"),
        ("vdu.pretrained_fid/mnist/pretrained", 5.12, "mnist ddpm  pretrained fid  down"),
        ("vdu.tab1/cifar10/ship/sa_ufid", 249.88, "cifar10 ddpm ship selective_amnesia ufid  down"),
        ("vdu.tab2/mnist/1/0.8/pul", 71.67, "mnist ddpm 1 vdu pul  up"),
        ("erasediff.tab1/p_forget/erasediff_rl", 0.24, "cifar10 ddpm airplane erasediff_rl p_forget  down"),
        ("erasediff.tab2/clip/salun", 28.91, "coco sd14 nudity salun clip_score  up"),
        ("erasediff.tab3/golf_ball/fmn_ua", 15.4, "imagenette sd14 golf_ball forget_me_not ua  up"),
        ("erasediff.tab5/average/salun_fid", 1.29, "imagenette sd14 each class salun fid_imagenette  down"),
        ("erasediff.tab4/salun/minutes", 28.17, "cifar10 ddpm airplane salun minutes  down"),
        ("erasediff.text_entropy/airplane/erasediff", 2.02, "cifar10 ddpm airplane erasediff entropy  up"),
    ],
)
def test_a_cell_knows_what_it_is_about(claim, value, facts):
    one = claims.load()[claim]
    assert one.value == value
    said = (one.dataset, one.process, one.forget, one.method, one.metric, one.test, one.better)
    assert " ".join(said) == facts


def test_the_sweep_of_gamma_is_told_apart():
    assert claims.load()["vdu.tab2/cifar10/ship/0.3/ufid"].gamma == "0.3"


def test_table_1_has_a_unit_of_its_own():
    units = {claim.unit for claim in claims.load().values() if claim.metric == "nll"}
    assert units == {"bits/dim", "bits/dim + 8"}


def test_an_id_splits_at_its_first_and_its_last_slash():
    assert claims.split("sgu.tab2_ur/mnist/vesde/3/standard") == ("sgu.tab2_ur", "mnist/vesde/3", "standard")
    one = claims.load()["sgu.tab2_ur/mnist/vesde/3/standard"]
    assert (one.row, one.column) == ("mnist/vesde/3", "standard")
    for wrong in ("sgu.tab1", "sgu.tab1/standard", "sgu.tab1/D_g/", ""):
        with pytest.raises(ValueError, match="table/row/column"):
            claims.split(wrong)


def test_every_metric_has_a_reason_for_its_tolerance_and_is_used():
    assert {claim.metric for claim in claims.load().values()} == set(claims.metrics())
    for metric in claims.metrics().values():
        assert metric.because and (metric.tolerance is None or metric.tolerance > 0)


def facts(claim):
    return {key: getattr(claim, key) for key in claims.KEYS}


@pytest.mark.parametrize("table", sorted({claims.split(claim)[0] for claim in claims.load()}))
def test_every_cell_is_found_by_its_own_facts_and_no_other_is(table):
    """If two cells of a table agreed in all keys, each would accept the other's values."""
    for name, claim in claims.load().items():
        if claims.split(name)[0] == table:
            assert claims.join(facts(claim), [table]) == name
            assert claims.matches(claim, facts(claim)) == ""


def test_a_fact_that_differs_is_said_and_found_nowhere():
    claim = claims.load()["vdu.tab2/mnist/1/0.1/pul"]
    others = {"dataset": "digits", "process": "ve", "forget": "3", "method": "salun", "metric": "ur", "unit": "share"}
    for key, other in (others | {"gamma": 0.2}).items():
        changed = facts(claim) | {key: other}
        assert f"{key} {getattr(claim, key)!r}, this value about" in claims.matches(claim, changed)
        assert claims.join(changed, ["vdu.tab2"]) == ""


def test_a_fact_may_be_written_in_any_way():
    claim = claims.load()["sgu.tab2_ur/mnist/vesde/3+7/unseen"]
    for known in ({"process": "ve"}, {"forget": "7, 3"}, {"test": "D_f"}, {"gamma": 0.5}):
        assert claims.join(facts(claim) | known, ["sgu.tab2_ur"]) == claim.id
    sweep = claims.load()["vdu.tab2/mnist/1/0.1/pul"]
    for gamma in (0.1, "0.1", "0.10"):
        assert claims.join(facts(sweep) | {"gamma": gamma}, ["vdu.tab2"]) == sweep.id


def test_cells_of_a_table_that_the_page_does_not_reproduce_are_not_found():
    claim = claims.load()["sgu.tab2_ur/mnist/vesde/3/unseen"]
    assert claims.join(facts(claim)) == claims.join(facts(claim), ["sgu.tab1"]) == ""


def test_everything_printed_has_a_name_for_people():
    for claim in claims.load().values():
        assert data_title(claim.dataset) != claim.dataset and method_title(claim.method) != claim.method
        assert claim.process in PROCESSES
    assert data_title("mine") == "mine" and method_title("mine") == "mine"
