"""The comparison: how each measure is taken, the looks of the runs, and the same noise for all."""

import pytest
import torch

from companion.comparison import bench as benches
from companion.comparison import compared as module
from companion.comparison.bench import measure, models
from companion.comparison.compared import MEASURES, first_samples, protocol, titles, ways
from companion.page import recorded
from companion.provenance import Origin
from companion.records import Record, plain
from companion.rows import gather, row
from companion.store import Store
from paperlib.nets.unet import UNet
from tests.companion.comparison.test_bench import tiny

SEEN = {"update": 0, "ur": 9.0, "distance": 2.0, "gradient_evaluations": 0, "seconds": 0.0}


@pytest.fixture
def fakes(monkeypatch):
    """Replace runs and measures by made-up ones."""
    details = {"UR": {"floor": 0.25, "floor_interval": [0.1, 0.5]}, "distance": {"perfect_model": 1.5}}
    monkeypatch.setattr(module, "measure", lambda *asked: {name: {"details": one} for name, one in details.items()})
    monkeypatch.setattr(module, "run", lambda store, bench, name, seed: f"{name}@{seed}")
    monkeypatch.setattr(module, "looks", lambda entry: [SEEN, SEEN | {"update": 3, "distance": None}])
    monkeypatch.setattr(module, "cost", lambda entry: {"updates": int(entry.rpartition("@")[2])})
    monkeypatch.setattr(module, "peak_mb", lambda store, wanted: {"vdu": 1.5, "sgu": 2.5}[wanted.method])
    monkeypatch.setattr(module, "stopped", lambda entry: "")


def test_ways_are_of_every_entrant_with_every_seed_and_a_record_takes_them(fakes):
    series = ways(None, tiny(), ["vdu", "sgu_obtuse"], [0, 4])
    assert list(series["titles"].values()) == ["before", "Retrained", "VDU", "SGU obtuse"]
    for name, memory in {"vdu": {"peak_mb": 1.5}, "sgu_obtuse": {"peak_mb": 2.5}}.items():
        assert series["costs"][name] == [{"updates": 0} | memory, {"updates": 4} | memory]
    assert all("distance" not in several[0][1] for several in series["courses"].values())
    assert series["real"] == {"ur": 0.25, "ur_low": 0.1, "ur_high": 0.5, "distance": 1.5}
    assert series["settings"].keys() == series["stopped"].keys() == {"vdu", "sgu_obtuse"}
    facts = {"page": "compare_all_methods", "profile": "smoke", "parameters": {}, "values": []}
    Record.checked(**facts, provenance=Origin("none").provenance(), series=plain(series))


def test_a_measures_protocol_is_its_own():
    """A likelihood has its number of images, samples how they are drawn; no two rows of a model share an id."""
    bench = tiny()
    told = {"test": "D_f", "images": 4, "strata": 4, "shared": "test images", "recipe": "bound"}
    assert protocol(bench, "bits D_f") == told
    assert protocol(bench, "UR") == {"sampler": 3}
    made = [row(1.0, metric=m, n=5, unit="x", **bench.facts("vdu") | protocol(bench, m)) for m in MEASURES]
    assert len(gather(made, "compare_all_methods")) == len(MEASURES)


@pytest.mark.parametrize("page", ["compare_all_methods", "compare_gradient_conflict", "compare_relearning"])
def test_only_what_was_unlearned_has_a_budget_in_the_committed_records(page):
    for value in recorded(page).all():
        unlearned = value.method not in ("before", "retrained")
        assert ("budget" in value.protocol) == ("batch_size" in value.protocol) == unlearned, value.claim
        assert value.protocol["process"] == "ddpm" and value.protocol["forget"] == "1"
        assert ("unseen" in value.protocol["base"]) == (value.method == "retrained")


def test_titles_are_of_all_that_can_be_measured():
    assert titles([]) == {"before": "before", "retrained": "Retrained"}
    assert titles(["sgu_orthogonal"])["sgu_orthogonal"] == "SGU orthogonal"


def test_samples_of_all_begin_at_the_same_noise_and_are_those_that_were_measured(tmp_path, monkeypatch):
    """A run with a learning rate near zero gives the base model's samples, up to rounding of pixels."""
    monkeypatch.setattr(benches, "retrained", lambda bench: "")
    rates = {"finetune": 1e-12, "neggrad": 1e-3}
    monkeypatch.setattr(benches, "settings", lambda bench, name: {"lr": rates[name]})
    store, bench = Store(tmp_path), tiny()
    checkpoints = models(store, bench, list(rates), 5)
    found = {name: measure(store, bench, checkpoint, 5) for name, checkpoint in checkpoints.items()}
    assert list(found) == ["before", "finetune", "neggrad"]
    monkeypatch.setattr(UNet, "forward", None)
    drawn = {name: first_samples(store, bench, one, 5, 7).float() for name, one in checkpoints.items()}
    assert {tuple(x.shape) for x in drawn.values()} == {(7, 1, 8, 8)}
    apart = {name: (x - drawn["before"]).abs() for name, x in drawn.items()}
    assert apart["finetune"].max() <= 1 and apart["neggrad"].mean() > 1
    ur, pul = (found["finetune"][what]["value"] for what in ("UR", "PUL"))
    assert ur == found["before"]["UR"]["value"] and pul == 0
    before = checkpoints["before"]
    assert torch.equal(first_samples(store, bench, before, 5, 3), first_samples(store, bench, before, 5, 7)[:3])
