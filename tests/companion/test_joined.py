"""A run on one data set joins the record of the others: values, series part by part, and each one's provenance."""

import pytest

from companion.joined import joined
from companion.records import NotRun, Record, RecordError, measured, plain
from tests.companion.test_records import SOURCE

LATER = SOURCE.model_copy(update={"commit": "1" * 40})
CELLS = {"mnist": "sgu.tab2_ur/mnist/vesde/3/unseen", "cifar10": "sgu.tab2_ur/cifar10/vpsde/dog/unseen"}


PRINTED = {"unit": "percent", "n": 9, "dataset": "cifar10", "method": "unseen"}
PRINTED |= {"protocol": {"metric": "ur", "process": "vpsde", "forget": "dog"}}


def value(dataset, number=1.0, **facts):
    told = {"unit": "nats", "n": 9, "method": "standard", "protocol": {"metric": "nll"} | facts}
    row = "/".join([dataset, *facts.values()])
    return measured(f"ours.example/{row}/nll", [number], seeds=[0], dataset=dataset, **told)


def record(*values, provenance=SOURCE, parameters=(), **told):
    own = {"dataset": "all", "alpha": 0.0} | dict(parameters)
    told |= {"page": "example", "profile": told.get("profile", "laptop"), "parameters": own}
    return Record.checked(values=[*values], provenance=provenance, **told)


def test_other_data_sets_keep_values_series_images_and_provenance():
    before = record(value("mnist"), series={"rows": {"mnist": [1]}, "steps": 9}, images=["example-a.png"])
    told = dict(provenance=LATER, parameters={"dataset": "cifar10"}, images=["example-b.png"])
    made = joined(record(value("cifar10"), series={"rows": {"cifar10": [2]}, "steps": 5}, **told), before)
    assert [one.dataset for one in made.values] == ["mnist", "cifar10"]
    earlier = {"mnist": plain(SOURCE)}
    assert made.series == {"rows": {"mnist": [1], "cifar10": [2]}, "steps": 5, "earlier": earlier}
    assert made.provenance == LATER
    assert made.parameters == before.parameters and made.images == ["example-a.png", "example-b.png"]
    again = joined(record(value("cifar10", 2.0), provenance=SOURCE), made)
    assert [one.value for one in again.values] == [1.0, 2.0] and again.series["earlier"] == earlier


def test_what_was_not_run_is_the_new_run_s_for_its_own_data_set_alone():
    before = record(value("mnist"), *(NotRun(claim=one, reason="before") for one in CELLS.values()))
    made = joined(record(value("cifar10"), *(NotRun(claim=one, reason="now") for one in CELLS.values())), before)
    told = {one.claim: one.reason for one in made.values if isinstance(one, NotRun)}
    assert told == {CELLS["mnist"]: "before", CELLS["cifar10"]: "now"}


def test_a_run_of_some_measures_adds_to_the_record_and_takes_nothing_away():
    printed = measured(CELLS["cifar10"], [3.0], seeds=[0], **PRINTED)
    before = record(value("cifar10"), *(NotRun(claim=one, reason="before") for one in CELLS.values()))
    told = {"provenance": LATER, "parameters": {"measures": "inception", "dataset": ""}}
    made = joined(record(printed, NotRun(claim=CELLS["mnist"], reason="now"), **told), before)
    assert [one.claim for one in made.values] == [value("cifar10").claim, CELLS["mnist"], CELLS["cifar10"]]
    assert [getattr(one, "reason", one) for one in made.values][1:] == ["before", printed]
    assert made.provenance == LATER and made.series["earlier"] == {"before inception": plain(SOURCE)}
    assert made.parameters == before.parameters | {"measures": ""}


def test_the_same_measures_of_other_methods_keep_every_provenance():
    told = {"parameters": {"measures": "inception", "dataset": ""}}
    made = record(value("cifar10"))
    for k in range(1, 4):
        source = SOURCE.model_copy(update={"commit": str(k) * 40})
        made = joined(record(value("cifar10", float(k), forget=str(k)), provenance=source, **told), made)
    assert len(made.values) == 4 and made.provenance.commit == "3" * 40
    commits = {name: one["commit"][0] for name, one in made.series["earlier"].items()}
    assert commits == {"before inception": SOURCE.commit[0], "before inception, 2": "1", "before inception, 3": "2"}


def test_a_run_of_some_measures_may_be_of_some_classes_alone():
    told = {"parameters": {"measures": "inception", "forget": "0;8"}}
    before = record(value("mnist"), parameters={"forget": ""})
    made = joined(record(value("mnist", 2.0, forget="8"), **told), before)
    assert [one.value for one in made.values] == [1.0, 2.0] and made.parameters["forget"] == ""
    with pytest.raises(RecordError, match="differs in forget"):  # it would replace the data set's other classes
        joined(record(value("mnist"), parameters={"forget": "8"}), before)


def test_a_run_of_some_methods_adds_to_the_record_and_takes_nothing_away():
    before = record(value("mnist"), value("cifar10"), NotRun(claim=CELLS["cifar10"], reason="before"))
    printed = measured(CELLS["cifar10"], [3.0], seeds=[0], **PRINTED)
    told = {"provenance": LATER, "parameters": {"methods": "unseen", "dataset": "cifar10"}}
    made = joined(record(printed, NotRun(claim=CELLS["mnist"], reason="now"), **told), before)
    assert made.values[:3] == [before.values[0], before.values[1], made.values[2]]
    assert {one.claim for one in made.values} == {one.claim for one in before.values} | set(CELLS.values())
    assert made[CELLS["cifar10"]] == printed and made.series["earlier"] == {"before unseen of cifar10": plain(SOURCE)}
    assert made.parameters == before.parameters | {"methods": ""}


def test_the_same_methods_as_before_replace_their_own_data_set():
    own = {"parameters": {"methods": "all"}}
    made = joined(record(value("cifar10", 2.0), **own), record(value("cifar10"), value("mnist"), **own))
    assert {one.dataset: one.value for one in made.values} == {"mnist": 1.0, "cifar10": 2.0}


def test_a_run_on_one_process_keeps_the_same_data_under_another():
    cells = [f"sgu.tab5_ur/cifar10/{process}/dog+automobile/unseen" for process in ("vpsde", "ddpm")]
    told = [NotRun(claim=one, reason="before") for one in cells]
    before = record(value("mnist"), *(value("cifar10", process=one) for one in ("vp", "ddpm")), *told)
    now = record(value("cifar10", 2.0, process="vp"), *(NotRun(claim=one, reason="now") for one in cells))
    made = joined(now.model_copy(update={"provenance": LATER}), before)
    assert [one.value for one in made.values if not isinstance(one, NotRun)] == [1.0, 1.0, 2.0]
    assert {one.claim: one.reason for one in made.values if isinstance(one, NotRun)} == dict(
        zip(cells, ["now", "before"])
    )
    assert made.series["earlier"] == {"mnist": plain(SOURCE), "cifar10, DDPM": plain(SOURCE)}


@pytest.mark.parametrize("change", [{"parameters": {"alpha": 0.9}}, {"profile": "paper"}])
def test_a_record_with_other_settings_is_refused(change):
    with pytest.raises(RecordError, match="differs in"):
        joined(record(value("cifar10")), record(value("mnist"), **change))
