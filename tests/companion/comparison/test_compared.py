"""The comparison: what goes into its record, whose intervals, and the same noise for all."""

from statistics import fmean, stdev

import pytest
import torch

from companion.comparison import bench as benches
from companion.comparison import compared as module
from companion.comparison.compared import MEASURES, Compared
from companion.provenance import Origin
from companion.records import Record, plain
from companion.store import Store
from paperlib.nets.unet import UNet
from tests.companion.comparison.test_bench import tiny

T_3 = 4.302652729911275  # of Student's t with two degrees of freedom, 97.5 %
SEEN = {"update": 0, "ur": 9.0, "distance": 2.0, "gradient_evaluations": 0, "seconds": 0.0}


def number(metric, name, seed):
    """Another one for each."""
    return 10.0 * list(MEASURES).index(metric) + len(name) + 0.1 * seed**2


def fake(store, bench, checkpoint, seed):
    found = {}
    for metric, (unit, _) in MEASURES.items():
        value = number(metric, checkpoint.rpartition("@")[0] or checkpoint, seed)
        found[metric] = {"value": value, "interval": [value - 3, value + 2], "unit": unit, "n": 24, "details": {}}
    found["UR"]["details"] = {"floor": 0.25, "floor_interval": [0.1, 0.5]}
    found["distance"]["details"] = {"perfect_model": 1.5}
    return found


@pytest.fixture
def made(monkeypatch):
    """Compared with seeds whose runs and measures are numbers made up above."""
    monkeypatch.setattr(benches, "measure", fake)
    monkeypatch.setattr(benches, "run", lambda store, bench, name, seed: f"{name}@{seed}")
    monkeypatch.setattr(benches, "retrained", lambda bench: "digits-ddpm-unseen-8")
    monkeypatch.setattr(module, "model_file", lambda entry: entry)
    monkeypatch.setattr(module, "looks", lambda entry: [SEEN, SEEN | {"update": 3, "distance": None}])
    monkeypatch.setattr(module, "cost", lambda entry: {"updates": 3})
    monkeypatch.setattr(module, "probes", lambda entry: [])
    monkeypatch.setattr(module, "stopped", lambda entry: "")

    def make(*seeds):
        compared = Compared(None, tiny(), ["vdu", "sgu_obtuse"], seeds)
        said = [compared.run(name) for name in compared.names]
        ur = fmean(number("UR", "sgu_obtuse", seed) for seed in seeds)
        assert said[1].startswith("SGU obtuse ") and f"UR {ur:5.1f} %" in said[1]
        return compared

    return make


def test_values_are_of_every_model_and_measure_in_order_and_a_record_takes_them(made):
    compared = made(0, 1, 4)
    values = compared.values("compare_all_methods")
    names = ["before", "retrained", "vdu", "sgu_obtuse"]
    claims = [f"ours.compare_all_methods/{name}/{one.replace(' ', '_')}" for name in names for one in MEASURES]
    assert [one.claim for one in values] == claims
    lengths = dict(zip(names, ("digits-ddpm", "digits-ddpm-unseen-8", "vdu", "sgu_obtuse")))
    for one in values:
        _, name, _ = one.claim.split("/")
        metric = one.protocol["metric"]
        assert one.per_seed == [number(metric, lengths[name], seed) for seed in (0, 1, 4)] and one.seeds == [0, 1, 4]
        assert (one.unit, one.n, one.method, one.dataset) == (MEASURES[metric][0], 24, name, "digits")
        assert one.protocol["ci95_images"] == [[x - 3, x + 2] for x in one.per_seed]
        assert ("settings" in one.protocol) == (name in compared.names) and one.protocol["budget"] == 8
    facts = {"page": "compare_all_methods", "profile": "smoke", "parameters": {}, "values": values}
    Record.checked(**facts, provenance=Origin("none").provenance(), series=plain(compared.series()))


def test_intervals_are_over_seeds_where_there_are_three_and_over_images_with_one(made):
    three, one = made(0, 1, 4), made(2)
    for name in three.found:
        for metric in MEASURES:
            key = "ur" if metric == "UR" else metric
            x = [found[metric]["value"] for found in three.found[name]]
            half = T_3 * stdev(x) / 3**0.5
            point = three.series()["looked"][name]
            assert point[key] == pytest.approx(fmean(x))
            assert (point[f"{key}_low"], point[f"{key}_high"]) == pytest.approx((fmean(x) - half, fmean(x) + half))
            point = one.series()["looked"][name]
            assert point[f"{key}_low"] == pytest.approx(point[key] - 3)
            assert point[f"{key}_high"] == pytest.approx(point[key] + 2)
            assert (point["low"], point["high"]) == (point["distance_low"], point["distance_high"])
    assert {value.ci95 for value in one.values("x")} == {None}


def test_the_series_has_titles_and_courses_of_every_seed(made):
    compared = made(0, 1, 4)
    series = compared.series()
    assert list(series["titles"].values()) == ["before", "Retrained", "VDU", "SGU obtuse"]
    assert series["order"] == ["retrained", "vdu", "sgu_obtuse"] and series["seeds"] == [0, 1, 4]
    assert list(series["courses"]) == compared.names and all(len(of) == 3 for of in series["courses"].values())
    assert series["real"] == {"ur": 0.25, "ur_low": 0.1, "ur_high": 0.5, "distance": 1.5}
    assert compared.checkpoint("vdu", 2) == "vdu@4" and compared.checkpoint("retrained") == "digits-ddpm-unseen-8"


def test_without_a_twin_nothing_is_retrained(made, monkeypatch):
    monkeypatch.setattr(benches, "retrained", lambda bench: "")
    assert list(made(0).found) == ["before", "vdu", "sgu_obtuse"]


def test_samples_of_all_begin_at_the_same_noise_and_are_those_that_were_measured(tmp_path, monkeypatch):
    """A run of nearly no rate draws what the base model draws, to the bit but for rounding at a pixel's edge."""
    monkeypatch.setattr(benches, "retrained", lambda bench: "")
    rates = {"finetune": 1e-12, "neggrad": 1e-3}
    monkeypatch.setattr(benches, "settings", lambda bench, name: {"lr": rates[name]})
    compared = Compared(Store(tmp_path), tiny(), list(rates), [5])
    for name in rates:
        compared.run(name)
    monkeypatch.setattr(UNet, "forward", None)
    drawn = {name: compared.samples(name, 7).float() for name in compared.found}
    assert {tuple(x.shape) for x in drawn.values()} == {(7, 1, 8, 8)}
    apart = {name: (x - drawn["before"]).abs() for name, x in drawn.items()}
    assert apart["finetune"].max() <= 1 and apart["neggrad"].mean() > 1
    ur, pul = (compared.found["finetune"][0][what]["value"] for what in ("UR", "PUL"))
    assert ur == compared.found["before"][0]["UR"]["value"] and pul == 0
    assert torch.equal(compared.samples("before", 3), compared.samples("before", 7)[:3])
