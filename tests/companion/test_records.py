import json
import math

import numpy as np
import pytest
import torch

from companion.records import NotRun, Provenance, Record, RecordError, measured, plain

CLAIM = "sgu.tab1/D_g/standard"
FACTS = {
    "unit": "bits/dim + 8",
    "n": 100,
    "dataset": "mixture",
    "method": "standard",
    "protocol": {"metric": "nll", "forget": "middle", "steps": 2000},
}
SOURCE = Provenance(
    commit="0" * 40,
    dirty=False,
    source_sha256="0" * 64,
    versions={"torch": "2"},
    device="a processor",
    seconds=1.5,
    peak_memory_mb=100,
    date="2026-01-01",
)


def value(claim=CLAIM, per_seed=(10.6, 10.62, 10.61), seeds=(0, 1, 2), **changes):
    return measured(claim, per_seed, seeds=seeds, **(FACTS | changes))


def record(*values, **changes):
    facts = {"page": "example", "profile": "laptop", "parameters": {"seed": 0}, "provenance": SOURCE}
    return Record.checked(**(facts | {"values": [*values]} | changes))


def test_the_title_says_whose_seeds_the_values_have():
    other = value(claim="sgu.tab1/D_f/standard", per_seed=[1.0], seeds=[4])
    assert record().title == "Recorded, profile laptop"
    assert record(other).title == "Recorded, profile laptop, seed 4"
    assert record(value(), other).title == "Recorded, profile laptop, seeds 0, 1, 2, 4"
    many = value(per_seed=[float(k) for k in range(20)], seeds=list(range(20)))
    assert record(many).title == "Recorded, profile laptop, seeds 0 to 19"


def test_three_seeds_give_the_mean_and_its_t_interval():
    made = value(per_seed=[1.0, 2.0, 6.0])
    half = 4.302652729749 * math.sqrt(7) / math.sqrt(3)  # t of 2 degrees; the variance of 1, 2, 6 is 7
    assert made.value == 3
    assert made.ci95 == pytest.approx((3 - half, 3 + half))


def test_one_seed_has_no_interval():
    assert value(per_seed=[10.6], seeds=[0]).ci95 is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": (0, 1)}, "one value for each seed"),
        ({"seeds": (0, 1, 1)}, "no seed twice"),
        ({"per_seed": (1.0, math.nan, 2.0)}, "finite"),
        ({"per_seed": (1.0, math.inf, 2.0)}, "finite"),
        ({"n": 0}, "greater than 0"),
    ],
)
def test_a_value_that_cannot_be_is_refused_in_one_line(changes, message):
    with pytest.raises(RecordError, match=message) as caught:
        value(**changes)
    assert "\n" not in str(caught.value) and CLAIM in str(caught.value)


def test_an_interval_is_null_with_one_seed_only():
    facts = value().model_dump() | {"ci95": None}
    with pytest.raises(RecordError, match="ci95 is null with one seed, and with one seed only"):
        record(facts)


def test_a_record_reads_back_as_it_was_written_to_the_bit(tmp_path):
    made = record(value(per_seed=[0.1 + 0.2, 1 / 3, 1e-17]), NotRun(claim="ours.example/a/b", reason="no time"),
                  series={"curve": [1 / 3, 2], "two": {"x": [[1, 2], [3, 4]]}, "none": [], "empty": {}})  # fmt: skip
    made.write(tmp_path / "deep" / "record.json")
    assert Record.read(tmp_path / "deep" / "record.json") == made
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["record.json"]


def test_the_file_has_the_contract_s_fields(tmp_path):
    made = record(value(), NotRun(claim="ours.example/a/b", reason="no time"))
    made.write(tmp_path / "record.json")
    text = (tmp_path / "record.json").read_text()
    facts = json.loads(text)
    assert set(facts) == {"schema", "page", "profile", "parameters", "provenance", "values", "series", "images"}
    assert facts["schema"] == 1
    assert set(facts["values"][0]) == {
        "claim", "value", "unit", "n", "ci95", "seeds", "per_seed", "dataset", "method", "protocol",
    }  # fmt: skip
    assert facts["values"][1] == {"claim": "ours.example/a/b", "status": "not run", "reason": "no time"}


def test_a_record_keeps_the_order_in_which_figures_draw(tmp_path):
    made = record(value(), series={"rows": {"standard": 1, "obtuse": 2, "before": {"z": 3, "a": 4}}})
    made.write(tmp_path / "record.json")
    rows = Record.read(tmp_path / "record.json").series["rows"]
    assert list(rows) == ["standard", "obtuse", "before"] and list(rows["before"]) == ["z", "a"]


def test_an_interrupted_write_leaves_the_old_record(tmp_path, monkeypatch):
    path = tmp_path / "record.json"
    record(value()).write(path)
    old = path.read_text()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        record(value(), parameters={"seed": 1}).write(path)
    assert path.read_text() == old


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": "digits"}, "about dataset 'mixture', this value about 'digits'"),
        ({"method": "unseen"}, "about method 'standard'"),
        ({"unit": "nats"}, "about unit 'bits/dim \\+ 8'"),
        ({"protocol": {"forget": "middle"}}, "about metric 'nll'"),
        ({"protocol": {"metric": "nll"}}, "about forget 'middle'"),
        ({"protocol": FACTS["protocol"] | {"process": "vpsde"}}, "about process 'vesde'"),
        ({"claim": "sgu.tab1/D_g/nothing"}, "neither a claim of the papers nor"),
        ({"claim": "ours.other/a/b"}, "neither a claim of the papers nor"),
        ({"claim": "ours.example"}, "not of the form table/row/column"),
    ],
)
def test_a_papers_id_is_legal_only_for_what_it_is_about(changes, message):
    with pytest.raises(RecordError, match=message):
        record(value(**changes))


def test_forgotten_classes_have_no_order():
    facts = {"unit": "percent", "dataset": "cifar10", "method": "unseen"}
    record(value("sgu.tab2_ur/cifar10/vpsde/dog+automobile/unseen", **facts,
                 protocol={"metric": "ur", "forget": "automobile, dog"}))  # fmt: skip


def test_our_own_ids_are_free():
    record(value("ours.example/D_g/lambda/60", dataset="digits", protocol={}))


def test_an_id_stands_once():
    with pytest.raises(RecordError, match="stands 2 times"):
        record(value(), NotRun(claim=CLAIM, reason="no time"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"series": {"curve": [1, None]}}, "series.curve.1 is null"),
        ({"series": {"curve": [1, math.nan]}}, "series.curve.1 is nan"),
        ({"series": {"curve": {1, 2}}}, "series.curve is a set"),
        ({"parameters": {"alpha": None}}, "parameters.alpha is null"),
        ({"values": [value(protocol=FACTS["protocol"] | {"loss": None})]}, "protocol.loss is null"),
        ({"images": ["../example.png"]}, "images"),
        ({"images": ["other-grid.png"]}, "images"),
        ({"profile": "huge"}, "profile='huge'"),
        ({"page": None}, "page=None"),
        ({"schema": 2}, "schema=2"),
        ({"note": "text"}, "note"),
    ],
)
def test_what_a_record_must_not_hold_is_named(changes, message):
    with pytest.raises(RecordError, match=message) as caught:
        record(**changes)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_record_is_named(tmp_path):
    for text in ("{", "[]", "{}"):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(RecordError, match=r"bad\.json: "):
            Record.read(tmp_path / "bad.json")


def test_a_value_is_found_by_its_id():
    made = record(value())
    assert made[CLAIM].method == "standard"
    with pytest.raises(KeyError):
        made["sgu.tab1/D_f/standard"]


def test_tensors_and_arrays_become_lists():
    made = plain({"a": torch.tensor([1.5]), "b": np.arange(2), "c": (np.float64(0.1), torch.tensor(2))})
    assert made == {"a": [1.5], "b": [0, 1], "c": [0.1, 2]}
    json.dumps(made)
