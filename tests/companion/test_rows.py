"""Rows become the values of a record: seeds gathered by their facts, ids by joining facts with the papers' cells."""

import itertools
import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from companion import claims
from companion.records import Record, RecordError, Value, measured
from companion.rows import gather, row

RECORDS = sorted((Path(__file__).parents[2] / "results").glob("[lp]a*/*.json"))  # laptop's and the paper's
NOT_SGU = ("standard", "unseen", "before", "clean", "pretrained", "retrained", "redirect")
UR = dict(metric="ur", n=100, dataset="mnist", process="ve", forget="3", method="unseen")


def printed(record):
    return [value for value in record.values if isinstance(value, Value) and value.claim in claims.load()]


def tables(values):
    return sorted({claims.split(value.claim)[0] for value in values})


@pytest.mark.parametrize("file", RECORDS, ids=lambda file: file.stem)
def test_every_printed_id_of_a_committed_record_is_found_again_from_its_facts(file):
    """Split into rows of one seed, shuffled and gathered again, the values have the same ids and seeds."""
    values = printed(Record.read(file))
    rows = [
        row(number, metric=facts.pop("metric"), n=value.n, seed=seed, unit=value.unit, **own, **facts)
        for value in values
        for own in [{"dataset": value.dataset, "method": value.method}]
        for seed, number in zip(value.seeds, value.per_seed)
        for facts in [{name: fact for name, fact in value.protocol.items() if name != "ci95_images"}]
    ]
    again = gather(sorted(rows, key=lambda one: one.seed), file.stem, tables(values))
    assert {one.claim: one.per_seed for one in again} == {one.claim: one.per_seed for one in values}


def test_the_committed_records_hold_printed_ids():
    """Otherwise the test above would assert nothing."""
    assert sum(len(printed(Record.read(file))) for file in RECORDS) >= 30


def test_seeds_of_one_row_are_one_value_in_the_order_of_first_rows():
    rows = [row(k + 10 * seed, seed=seed, **UR | {"forget": str(k)}) for seed in (0, 1, 2) for k in (3, 7)]
    found = gather(rows, "example", ["sgu.tab2_ur"])
    assert [value.claim for value in found] == ["sgu.tab2_ur/mnist/vesde/3/unseen", "sgu.tab2_ur/mnist/vesde/7/unseen"]
    assert [(value.seeds, value.per_seed) for value in found] == [([0, 1, 2], [3, 13, 23]), ([0, 1, 2], [7, 17, 27])]
    assert found[0].unit == "percent"  # the metric's
    assert found[0].protocol == {"metric": "ur", "process": "ve", "forget": "3"}
    assert (found[0].dataset, found[0].method, found[0].n) == ("mnist", "unseen", 100)


@given(st.permutations(list(itertools.product((3, 7), (0, 1, 2)))))
def test_a_value_does_not_depend_on_the_order_of_its_seeds(order):
    found = gather([row(k + seed, seed=seed, **UR | {"forget": str(k)}) for k, seed in order], "example")
    assert {value.claim: value.value for value in found} == {
        "ours.example/mnist/ve/3/unseen/ur": 4,
        "ours.example/mnist/ve/7/unseen/ur": 8,
    }


def test_a_cell_is_found_only_by_all_of_its_facts_and_only_in_the_page_s_tables():
    cell = "sgu.tab2_ur/mnist/vesde/3/unseen"
    assert gather([row(1, **UR)], "example", ["sgu.tab2_ur"])[0].claim == cell
    assert gather([row(1, **UR)], "example", ["sgu.tab2_nll"])[0].claim == "ours.example/mnist/ve/3/unseen/ur"
    others = {
        "dataset": "digits",
        "process": "ddpm",
        "forget": "4",
        "method": "redirect",
        "metric": "pul",
        "unit": "share",
    }
    for key, other in others.items():
        assert gather([row(1, **UR | {key: other})], "example", ["sgu.tab2_ur"])[0].claim.startswith("ours.example/")


@pytest.mark.parametrize(
    ("name", "cell", "other", "elsewhere"),
    [
        ("test", "sgu.tab2_nll/mnist/vesde/D_f/unseen", "D_g", "sgu.tab2_nll/mnist/vesde/D_g/unseen"),
        ("gamma", "vdu.tab2/mnist/1/0.1/pul", 0.8, "vdu.tab2/mnist/1/0.8/pul"),
    ],
)
def test_the_test_side_and_gamma_decide_which_cell_it_is(name, cell, other, elsewhere):
    claim = claims.load()[cell]
    facts = {key: getattr(claim, key) for key in claims.KEYS if getattr(claim, key)} | {"n": 9}
    table = [claims.split(cell)[0]]
    assert gather([row(1, **facts)], "example", table)[0].claim == cell
    assert gather([row(1, **facts | {name: other})], "example", table)[0].claim == elsewhere
    del facts[name]
    assert gather([row(1, **facts)], "example", table)[0].claim.startswith("ours.example/")


def test_facts_and_not_their_place_make_our_ids():
    found = gather([row(1, test="D_f", gamma=0.1, variant="code", lr=0.1, **UR)], "example")
    assert found[0].claim == "ours.example/mnist/ve/3/D_f/0.1/code/unseen/ur"
    assert gather([row(1, metric="ur", n=1, method="unseen")], "example")[0].claim == "ours.example/unseen/ur"
    spaced = row(1, **UR | {"forget": "dog,automobile", "method": "a/b c"})
    assert gather([spaced], "example")[0].claim == "ours.example/mnist/ve/dog+automobile/a_b_c/ur"


def test_rows_that_one_id_would_hide_are_refused_until_a_fact_tells_them_apart():
    rows = [row(1, lr=0.1, **UR), row(2, lr=0.2, **UR)]
    with pytest.raises(RecordError, match="the id of two rows, ur of unseen on mnist and .*: name a fact in `by`"):
        gather(rows, "example")
    found = gather(rows, "example", by=["lr"])
    assert [one.claim for one in found] == [f"ours.example/mnist/ve/3/{lr}/unseen/ur" for lr in (0.1, 0.2)]
    with pytest.raises(RecordError, match="the id of two rows"):
        gather(rows, "example", ["sgu.tab2_ur"], by=["lr"])  # a printed cell is one number


def test_seeds_on_different_numbers_of_samples_are_refused():
    with pytest.raises(RecordError, match="ur of unseen on mnist: its seeds rest on different numbers of samples"):
        gather([row(1, **UR), row(1, seed=1, **UR | {"n": 50})], "example")


def test_a_distance_of_the_rest_has_the_least_number_and_every_seed_s():
    """The number of remaining samples differs between seeds; shares of them are not pooled, but distances are."""
    told = UR | {"metric": "rest-frechet", "unit": "squared distance"}
    (found,) = gather([row(2, **told | {"n": 60}), row(1, seed=1, **told | {"n": 50})], "example")
    assert (found.n, found.protocol["n_per_seed"], found.per_seed) == (50, [60, 50], [2, 1])


def test_a_seed_that_stands_twice_is_refused():
    with pytest.raises(RecordError, match="no seed twice"):
        gather([row(1, **UR), row(2, **UR)], "example")


def test_one_seed_keeps_the_interval_of_its_images_and_several_their_own():
    one = gather([row(4, interval=(3, 5), **UR)], "example")[0]
    assert one.ci95 is None and one.interval == (3, 5)
    two = gather([row(4, interval=(3, 5), **UR), row(5, seed=1, interval=(4, 6), **UR)], "example")[0]
    assert two.interval == two.ci95 and two.protocol["ci95_images"] == [[3, 5], [4, 6]]


def test_facts_are_what_json_holds():
    made = row(torch.tensor(1.5), interval=torch.tensor([1.0, 2.0]), **UR, sigmas=torch.tensor([0.5]), sizes=(1, 2))
    assert (made.value, made.interval, made.facts["sigmas"], made.facts["sizes"]) == (1.5, (1, 2), [0.5], [1, 2])
    json.dumps(gather([made], "example")[0].model_dump())


def test_two_tables_that_print_the_same_are_not_guessed_between():
    cell = claims.load()["sgu.tab2_ur/cifar10/vpsde/dog/standard"]
    facts = {key: getattr(cell, key) for key in claims.KEYS if getattr(cell, key)} | {"n": 9}
    with pytest.raises(ValueError, match="sgu.tab2_ur/.*, sgu.tab5_ur/.* are about the same thing"):
        gather([row(1, **facts)], "example", ["sgu.tab2_ur", "sgu.tab5_ur"])


# --- what a record refuses


def refuses(record, value, claim):
    changed = value.model_copy(update={"claim": claim})
    facts = {name: getattr(record, name) for name in ("page", "profile", "parameters", "provenance")}
    try:
        Record.checked(**facts, values=[changed.model_dump()])
    except RecordError as error:
        return f"{claim} is about" in str(error)
    return False


@pytest.mark.parametrize("file", RECORDS, ids=lambda file: file.stem)
def test_no_committed_value_is_legal_under_another_cell_of_its_tables(file):
    """Refused are D_g's number under D_f's id, that of gamma 0.1 under 0.8, and a method's under another's."""
    record = Record.read(file)
    values = printed(record)
    cells = [claim for claim in claims.load() if claims.split(claim)[0] in tables(values)]
    taken = [
        (value.claim, cell)
        for value in values
        for cell in cells
        if cell != value.claim and not refuses(record, value, cell)
    ]
    assert taken == []


@pytest.mark.parametrize("file", RECORDS, ids=lambda file: file.stem)
def test_committed_facts_are_of_what_they_stand_on(file):
    """A model not made by SGU has neither alpha nor variant; one not trained by the page's run has no updates of that
    run."""
    wrong = []
    for value in Record.read(file).all():
        trained_here = value.protocol.get("start") == "retrain" or "budget" in value.protocol
        facts = ["alpha", "variant"] + ["updates"] * (not trained_here and value.method != "redirect")
        wrong += [(value.claim, fact) for fact in facts if value.method in NOT_SGU and fact in value.protocol]
    assert wrong == []


def test_a_printed_id_needs_every_key_that_its_cell_has():
    facts = {"unit": "percent", "n": 9, "dataset": "mnist", "method": "vdu"}
    known = {"metric": "pul", "process": "ddpm", "forget": "1", "gamma": "0.1"}
    value = measured("vdu.tab2/mnist/1/0.1/pul", [75.0], seeds=[0], protocol=known, **facts)
    record = Record.read(RECORDS[0]).model_copy(update={"page": "example"})
    assert not refuses(record, value, value.claim)
    for key in known:
        less = value.model_copy(update={"protocol": {name: fact for name, fact in known.items() if name != key}})
        assert refuses(record, less, value.claim)
