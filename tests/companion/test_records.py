import json
import math
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from companion.records import NotRun, Provenance, Record, RecordError, interval_over_seeds, measured, plain
from companion.units import seed_interval

RECORDS = sorted((Path(__file__).parents[2] / "results").glob("[lp]a*/*.json"))  # laptop's and the paper's
RANGES = [  # unit, metric, and the quantity's range
    ("percent", "ur", 0, 100),
    ("%", "asked", 0, 100),
    ("share", "recall", 0, 1),
    ("probability", "p_forget", 0, 1),
    ("squared distance", "frechet", 0, math.inf),
    ("MiB", "memory", 0, math.inf),
    ("nats", "entropy", 0, math.inf),
    ("percent", "pul", -math.inf, 100),
    ("%", "PUL", -math.inf, 100),
    ("bits/dim", "nll", -math.inf, math.inf),
]

CLAIM = "sgu.tab1/D_g/standard"
FACTS = {
    "unit": "bits/dim + 8",
    "n": 100,
    "dataset": "mixture",
    "method": "standard",
    "protocol": {"metric": "nll", "process": "vesde", "forget": "middle", "test": "D_g", "steps": 2000},
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


def test_the_title_says_on_what_the_values_rest():
    other = value(claim="ours.example/D_f/standard", per_seed=[1.0], seeds=[4], dataset="digits")
    assert record().title == "profile laptop"
    assert record(other, profile="paper").title == "scikit-learn's digits, seed 4, profile paper"
    both = "the exact mixture (seeds 0, 1, 2), scikit-learn's digits (seed 4), profile laptop"
    assert record(value(), other).title == both  # a reader should not take them for the same seeds
    alike = value(claim="ours.example/D_f/standard", dataset="digits")
    assert record(value(), alike).title == "the exact mixture, scikit-learn's digits, seeds 0, 1, 2, profile laptop"
    many = value(per_seed=[float(k) for k in range(20)], seeds=list(range(20)))
    assert record(many).title == "the exact mixture, seeds 0 to 19, profile laptop"


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
    with pytest.raises(RecordError, match="ci95 is null with one seed and of updates, and only there"):
        record(facts)


def test_seeds_that_share_their_images_are_as_uncertain_as_these():
    of_images = {"ci95_images": [[10.3, 10.9]] * 3, "shared": "test images"}
    alone, both = value(), value(protocol=FACTS["protocol"] | of_images)
    assert both.ci95[0] < 10.35 and both.ci95[1] > 10.85 and alone.ci95[1] - alone.ci95[0] < 0.06
    assert value(protocol=FACTS["protocol"] | of_images | {"shared": ""}).ci95 == alone.ci95


def test_updates_have_no_interval():
    facts = dict(claim="ours.example/back/vdu", unit="updates", dataset="mnist", method="vdu")
    assert value(**facts, per_seed=[128, 128, 128]).ci95 is None


def test_captions_say_what_the_intervals_hold():
    of_images = FACTS["protocol"] | {"ci95_images": [[10.3, 10.9]] * 3}
    one, other = "ours.example/a/standard", "ours.example/b/standard"
    both = record(value(one, protocol=of_images), value(other, protocol=of_images | {"shared": "test images"}))
    assert both.caption.endswith(
        "95 % intervals over seeds with different images, or over seeds and the images that they share."
    )
    assert record(value(per_seed=[10.6], seeds=[0], protocol=of_images)).caption.endswith("95 % intervals over images.")
    assert record().caption == "profile laptop."


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
        ({"method": "unseen"}, "about method 'standard', this value about 'unseen'"),
        ({"unit": "nats"}, "about unit 'bits/dim \\+ 8', this value about 'nats'"),
        ({"protocol": FACTS["protocol"] | {"metric": "bound"}}, "about metric 'nll', this value about 'bound'"),
        ({"protocol": FACTS["protocol"] | {"forget": ""}}, "about forget 'middle', this value about ''"),
        ({"protocol": FACTS["protocol"] | {"process": "vpsde"}}, "about process 'vesde', this value about 'vpsde'"),
        ({"protocol": FACTS["protocol"] | {"test": "D_f"}}, "about test 'D_g', this value about 'D_f'"),
        ({"claim": "sgu.tab1/D_f/standard"}, "about test 'D_f', this value about 'D_g'"),
        ({"claim": "sgu.tab1/D_g/nothing"}, "neither a claim of the papers nor"),
        ({"claim": "ours.other/a/b"}, "neither a claim of the papers nor"),
        ({"claim": "ours.example"}, "not of the form table/row/column"),
    ],
)
def test_a_papers_id_is_legal_only_for_what_it_is_about(changes, message):
    with pytest.raises(RecordError, match=message):
        record(value(**changes))


@pytest.mark.parametrize("key", ["metric", "process", "forget", "test"])
def test_a_fact_that_is_missing_is_not_taken_for_granted(key):
    protocol = {name: fact for name, fact in FACTS["protocol"].items() if name != key}
    with pytest.raises(RecordError, match=f"about {key} .*, this value about ''"):
        record(value(protocol=protocol))


def test_the_ids_of_both_sides_cannot_be_swapped():
    def side(test, under):
        return value(f"sgu.tab1/{under}/standard", protocol=FACTS["protocol"] | {"test": test})

    record(side("D_g", "D_g"), side("D_f", "D_f"))
    with pytest.raises(RecordError, match="about test 'D_[gf]', this value about"):
        record(side("D_f", "D_g"), side("D_g", "D_f"))


@pytest.mark.parametrize(("gamma", "sound"), [(0.1, True), ("0.10", True), (0.8, False), (0, False)])
def test_gamma_is_compared_as_a_number(gamma, sound):
    known = {"metric": "pul", "process": "ddpm", "forget": "1", "gamma": gamma}
    made = value("vdu.tab2/mnist/1/0.1/pul", unit="percent", dataset="mnist", method="vdu", protocol=known)
    if sound:
        record(made)
    else:
        with pytest.raises(RecordError, match="about gamma '0.1'"):
            record(made)


def test_forgotten_classes_have_no_order():
    facts = {"unit": "percent", "dataset": "cifar10", "method": "unseen"}
    known = {"metric": "ur", "process": "vp", "forget": "automobile, dog"}
    record(value("sgu.tab2_ur/cifar10/vpsde/dog+automobile/unseen", **facts, protocol=known))


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


def test_values_are_found_by_their_facts():
    other = value("sgu.tab1/D_f/standard", protocol=FACTS["protocol"] | {"test": "D_f"})
    made = record(value(), other, NotRun(claim="ours.example/a/b", reason="no time"))
    assert made.find(method="standard", test="D_f") == other and made.find(unit="bits/dim + 8", test="D_g") == value()
    assert made.all(metric="nll") == [value(), other] and made.all() == [value(), other]
    assert made.all(metric="nll", test="D_h") == made.all(nothing="") == []
    for facts, count in (({"method": "standard"}, 2), ({"method": "unseen"}, 0)):
        with pytest.raises(KeyError, match=f"{count} values of example have method='{facts['method']}'"):
            made.find(**facts)


@pytest.mark.parametrize("images", [[1.0, 3.0], [[1.0, 3.0]], [[1.0, 3.0], [0.0, 9.0]]])
def test_a_value_s_interval_is_over_seeds_and_of_one_seed_over_its_images(images):
    facts = {"claim": "ours.example/a/b", "protocol": {"ci95_images": images}}
    assert value(per_seed=[2.0], seeds=[0], **facts).interval == (1, 3)
    several = value(per_seed=[2.0, 3.0], seeds=[0, 1], **facts)
    assert several.interval == several.ci95
    assert value(per_seed=[2.0], seeds=[0]).interval is None


def possible(value):
    """Return the range of values of this unit and metric."""
    metric = value.protocol.get("metric", "").lower()
    if metric == "pul":  # 100 (1 - UR after / UR before)
        return -math.inf, 100
    whole = {"%": 100, "percent": 100, "share": 1, "fraction": 1, "probability": 1}.get(value.unit)
    if whole:
        return 0, whole
    positive = value.unit in ("squared distance", "ratio", "minutes", "MiB") or value.unit.startswith(
        ("updates", "rms")
    )
    return (0 if positive or metric == "entropy" else -math.inf), math.inf


@pytest.mark.parametrize("file", RECORDS, ids=lambda file: file.stem)
def test_committed_intervals_stay_where_their_quantity_lives_and_are_those_of_their_seeds(file):
    for one in Record.read(file).all():
        least, most = possible(one)
        if one.interval:
            low, high = one.interval
            tiny = 1e-9 * max(1, abs(one.value))
            assert least - tiny <= low <= one.value + tiny and one.value - tiny <= high <= most + tiny, one.claim
        assert least <= one.value <= most, one.claim
        again = interval_over_seeds(one.per_seed, unit=one.unit, n=one.n, protocol=one.protocol)
        assert again is one.ci95 is None or again == pytest.approx(one.ci95, rel=1e-9, abs=1e-9), one.claim


@pytest.mark.parametrize(("unit", "metric", "least", "most"), RANGES)
@given(data=st.data())
def test_an_interval_over_seeds_stays_where_the_quantity_lives(unit, metric, least, most, data):
    numbers = st.floats(max(least, -1e4), min(most, 1e4), allow_subnormal=False)
    values = data.draw(st.lists(numbers, min_size=2, max_size=5))
    low, high = seed_interval(values, unit=unit, metric=metric, n=data.draw(st.integers(1, 10_000)))
    mean = fmean(values)
    tiny = 1e-9 * max(1, abs(mean))  # for rounding
    assert least - tiny <= low <= mean + tiny and mean - tiny <= high <= most + tiny


def test_one_seed_has_no_interval_whatever_its_unit():
    for unit, metric, *_ in RANGES:
        assert seed_interval([0.5], unit=unit, metric=metric, n=10) is None


def test_tensors_and_arrays_become_lists():
    made = plain({"a": torch.tensor([1.5]), "b": np.arange(2), "c": (np.float64(0.1), torch.tensor(2))})
    assert made == {"a": [1.5], "b": [0, 1], "c": [0.1, 2]}
    json.dumps(made)
