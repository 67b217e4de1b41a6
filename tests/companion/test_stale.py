"""A number is stale once a model that it rests on is another one; a card written again is not another model."""

import hashlib
import json

import pytest
import torch

from companion import again, checkpoints, loaded, scorecard, stale, words
from companion.bases import BASES
from companion.classifiers import classifier, pinned
from companion.findings import LINES
from companion.joined import joined
from companion.provenance import Origin
from companion.store import Store
from paperlib.nets.classifier import SmallCNN
from tests.companion.test_joined import record, value
from tests.companion.test_records import SOURCE

MODELS = {"mnist-ve": "mnist", "classifier-mnist-judge": "mnist", "cifar10-vp-labels": "cifar10"}


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Return a function that puts another model in a checkpoint's place, and returns its sha256."""
    monkeypatch.setattr(checkpoints, "FOLDER", tmp_path)

    def put(name, weights="first", date="2026-01-01"):
        sha256 = hashlib.sha256(f"{name}, {weights}".encode()).hexdigest()
        (tmp_path / f"{name}.safetensors").write_text(weights)
        (tmp_path / f"{name}.json").write_text(json.dumps({"sha256": sha256, "date": date}))
        return sha256

    for name in MODELS:
        put(name)
    return put


def run(*names, date="2026-01-02"):
    """Return the provenance of a run that used these checkpoints as they are."""
    return SOURCE.model_copy(
        update={"date": date, "checkpoints": {name: stale._card(name)["sha256"][:12] for name in names}}
    )


@pytest.mark.parametrize(("name", "dataset"), MODELS.items())
def test_another_model_marks_the_numbers_of_its_data_set_alone(train, name, dataset):
    made = record(value("mnist"), value("cifar10"), provenance=run(*MODELS))
    assert not stale.data_sets(made) and stale.note(made) == ""
    train(name, "second")
    assert stale.data_sets(made) == [dataset]
    assert [stale.changed(made, one) for one in made.values] == [
        [name] * (one.dataset == dataset) for one in made.values
    ]
    train(name, "first", date="2026-02-02")  # the card alone is another
    assert not stale.data_sets(made)


def test_a_model_that_is_gone_marks_what_it_measured_except_those_of_the_papers_size(train, tmp_path):
    made = record(value("mnist"), provenance=run("mnist-ve"))
    paper = record(value("mnist"), provenance=run("mnist-ve"), profile="paper")
    (tmp_path / "mnist-ve.safetensors").unlink()
    assert stale.data_sets(made) == ["mnist"] and not stale.data_sets(paper)


def test_a_base_model_that_becomes_another_network_s_face_is_another_model(train, monkeypatch):
    made = record(value("mnist"), provenance=run("mnist-ve"))
    train("mnist-vp-labels")
    assert not stale.data_sets(made)
    monkeypatch.setitem(BASES, "mnist-ve", BASES["mnist-ve"].model_copy(update={"of": "vp-labels"}))
    assert stale.data_sets(made) == ["mnist"]


@pytest.mark.parametrize("fact", [{"base": "mnist-ve"}, {"checkpoint": "mnist-ve"}, {"process": "ve"}])
def test_a_record_without_checkpoints_is_judged_by_the_date_of_the_base_model(train, fact):
    made = record(value("mnist", **fact), value("cifar10", process="vp"))
    made = made.model_copy(update={"provenance": SOURCE.model_copy(update={"date": "2026-01-02"})})
    train("classifier-mnist-judge", "second", date="2026-01-03")  # such a record does not name it
    assert not stale.data_sets(made)
    train("mnist-ve", "second", date="2026-01-03")
    assert stale.data_sets(made) == ["mnist"]


def test_numbers_without_a_model_are_never_of_an_earlier_one(train):
    train("mnist-ve", "second", date="2027-01-01")
    assert not stale.data_sets(record(value("mnist"), value("mixture", process="vesde")))


def test_weights_that_are_saved_again_keep_their_date(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "FOLDER", tmp_path)
    model = SmallCNN(1, 3, width=4)

    def date():
        return checkpoints.card("mnist-ve", tmp_path)["date"]

    checkpoints.save(model, "mnist-ve", {}, tmp_path)
    checkpoints.amend("mnist-ve", tmp_path, date="2026-01-01")
    made = record(value("mnist", base="mnist-ve"), provenance=SOURCE.model_copy(update={"date": "2026-01-02"}))
    checkpoints.amend("mnist-ve", tmp_path, evaluation={"ur": 1})
    checkpoints.save(model, "mnist-ve", {"note": "again"}, tmp_path)
    assert date() == "2026-01-01" and not stale.data_sets(made)
    with torch.no_grad():
        next(model.parameters()).add_(1)
    checkpoints.save(model, "mnist-ve", {}, tmp_path)
    assert date() > "2026-01-02" and stale.data_sets(made) == ["mnist"]


def test_the_parts_of_a_joined_record_are_judged_one_by_one(train):
    before = record(value("mnist"), provenance=run("mnist-ve"))
    part = {"dataset": "cifar10"}
    made = joined(record(value("cifar10"), provenance=run("cifar10-vp-labels"), parameters=part), before)
    train("mnist-ve", "second")
    assert stale.data_sets(made) == ["mnist"]
    again = record(value("mnist", 2.0), provenance=run("mnist-ve"), parameters={"dataset": "mnist"})
    made = joined(again, made)
    assert not stale.data_sets(made)
    train("cifar10-vp-labels", "second")
    assert stale.data_sets(made) == ["cifar10"]


def test_other_processes_of_a_data_set_are_judged_by_their_own_run(train):
    train("mnist-ddpm")
    before = record(value("mnist", process="ve"), provenance=run("mnist-ve"))
    made = joined(record(value("mnist", process="ddpm"), provenance=run("mnist-ddpm")), before)
    train("mnist-ve", "second")
    assert [bool(stale.changed(made, one)) for one in made.values] == [True, False]


def test_added_measures_leave_a_record_stale_until_all_is_measured_again(train):
    told = {"parameters": {"measures": "inception", "dataset": ""}}
    made = record(value("mnist"), value("cifar10"), provenance=run(*MODELS), parameters={"measures": ""})
    train("mnist-ve", "second")
    part = record(value("mnist", forget="3"), provenance=run("mnist-ve", date="2026-01-03"), **told)
    made = joined(part, made)
    assert stale.data_sets(made) == ["mnist"]
    other = {"parameters": {"measures": "", "dataset": "cifar10"}}
    still = joined(record(value("cifar10", 2.0), provenance=run("cifar10-vp-labels", date="2026-01-04"), **other), made)
    assert stale.data_sets(still) == ["mnist"]
    whole = {"parameters": {"measures": "", "dataset": "mnist"}}
    assert not stale.data_sets(joined(record(value("mnist"), provenance=run("mnist-ve"), **whole), still))


def test_a_run_names_what_it_loads_and_what_the_store_had(tmp_path, monkeypatch):
    monkeypatch.setattr(loaded, "_names", {})
    monkeypatch.setattr(loaded, "_used", set())
    checkpoints.card("classifier-mnist")  # to have read a card is not to have used the model
    classifier("digits")
    checkpoints.save(SmallCNN(1, 3, width=4), "model", {}, tmp_path)
    checkpoints.load(SmallCNN(1, 3, width=4), "model", tmp_path)  # of a step, not of ours
    Store(tmp_path / "store").step("judged", {}, _write, inputs=[pinned("shapes"), "cpu"])
    monkeypatch.setattr(loaded, "_used", loaded._used - {pinned("shapes")})
    assert Origin("no_such_page").provenance().checkpoints.keys() == {"classifier-digits"}
    Store(tmp_path / "store").step("judged", {}, _write, inputs=[pinned("shapes"), "cpu"])  # nothing is loaded
    made = Origin("no_such_page").provenance().checkpoints
    assert made == {f"classifier-{name}": pinned(name)[:12] for name in ("digits", "shapes")}


def _write(folder, config):
    (folder / "a.txt").write_text("a")


def test_the_box_and_the_findings_say_it_where_there_is_something_to_say():
    said = {"found": "7.", "verdict": "*True.*", "rests": "", "holds": ()}
    whole = record(value("mnist"))
    made = words.box("page", whole, "It forgets.", said | {"note": "Old."}, published=True)
    assert made.endswith("\n:::\n\n**Note.** Old.")
    note = words.boxed(made)
    assert list(note) == ["The claim", "What we found", "Verdict", "Based on", "Note"] and note["Note"] == "Old."
    assert "Note" not in words.boxed(words.box("page", whole, "It forgets.", said | {"note": ""}, published=True))
    assert "Note" in LINES


@pytest.fixture
def only(monkeypatch):
    """Return a function that makes what was measured on a data set stale, and nothing else."""

    def judge(dataset):
        monkeypatch.setattr(stale, "changed", lambda record, one: ["the-model"] * (one.dataset == dataset))

    judge("")
    return judge


def test_the_scorecard_marks_the_numbers_of_earlier_models(only):
    every = scorecard.cells()
    assert "earlier model" not in scorecard.summary_table(every) + scorecard.scorecard_page(every)
    only("cifar10")
    every = scorecard.cells()
    marked = {cell.claim.id for cell in every if cell.stale}
    assert marked == {cell.claim.id for cell in every if cell.value and cell.value.dataset == "cifar10"} != set()
    page = scorecard.scorecard_page(every)
    assert page.count("; measured on an earlier model") == len(marked)
    told = "Measured on an earlier model than today's, to be measured again: SGU, Table 2"
    assert told in page and told in scorecard.summary_table(every)


def test_the_command_lists_each_stale_record_with_what_records_it_again(only, capsys):
    assert again.main() == 0
    assert capsys.readouterr().out == "no records measured on an earlier model than today's\n"
    only("mnist")
    again.main()
    told = capsys.readouterr().out
    page, of = "vdu_fig1_same_noise", "--profile laptop"
    assert f"{page} (MNIST), by the-model:\n    python -m companion page {page} {of} -p dataset mnist\n" in told
    assert f"    python -m companion record {page} {of} --dataset mnist\n" in told
    assert f"{page} {of} --dataset cifar10" not in told
