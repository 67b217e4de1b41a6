"""The bench: what it refuses, which settings it uses, its twin, and measures equal to the evaluation's."""

import shutil

import pytest
import torch

from companion import checkpoints, rehearsal
from companion.comparison import bench as module
from companion.comparison.bench import AMOUNTS, Bench, measure, retrained, run, settings
from companion.comparison.entrants import ENTRANTS
from companion.comparison.search import Candidate, Search
from companion.evaluation.report import evaluate, prepare
from companion.evaluation.subject import Protocol
from companion.parameters import defaults
from companion.store import Store
from paperlib.nets.unet import UNet
from tests.companion.comparison.test_search import PROVENANCE

TINY = {"budget": 8, "batch_size": 2, "looks": 2, "probes": 1, "glimpse": 20}
TINY |= {"n": 24, "sampler": 3, "images": 4, "strata": 4}
ASKED = {"dataset": "", "process": "ddpm", "forget": "1", "seeds": "0,2"}


def tiny(base="digits-ddpm", forget="8", **changes):
    """Return a small bench: of its 24 samples, three evaluations each, a third or more show an 8."""
    return Bench.checked(base=base, forget=forget, **TINY | changes)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def measured(store):
    return measure(store, tiny(), "digits-ddpm", 3)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"dataset": "coins"}, "dataset='coins' and process='ddpm' have no base model; there are: .*'digits-ddpm'"),
        ({"process": "vpx"}, "dataset='digits' and process='vpx' have no base model; there are: .*'digits-vp'"),
        ({"process": "ddpm-labels"}, "process='ddpm-labels' have no base model; there are: "),
        ({"forget": "eleven"}, "forget='eleven': digits has no class 'eleven'; valid: 0"),
        ({"forget": ""}, "a name or an index is missing"),
        ({"budget": 7}, "budget=7 is not allowed: .*greater than 7 expected"),
        ({"budget": -1}, "budget=-1 is not allowed"),
    ],
)
def test_what_makes_no_bench_is_refused_with_what_is_allowed(wrong, message):
    with pytest.raises(ValueError, match=message) as raised:
        Bench.of("smoke", **{"dataset": "digits", "process": "ddpm", "forget": "1"} | wrong)
    assert "-labels'," not in str(raised.value) and "unseen" not in str(raised.value)


@pytest.mark.parametrize(
    "wrong", [{"glimpse": 19}, {"n": 19}, {"images": 1}, {"looks": 0}, {"probes": -1}, {"strata": -1}]
)
def test_a_bench_too_small_is_refused(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=f"{name}={value} is not allowed"):
        tiny(**wrong)


def test_a_profile_has_its_own_set_and_budget_unless_told_otherwise():
    smoke = Bench.of("smoke", dataset="", process="ve", forget="3,7")
    assert smoke.base == "digits-ve" and smoke.budget == AMOUNTS["smoke"]["budget"] and smoke.kind.process == "ve"
    laptop = Bench.of("laptop", dataset="digits", process="ddpm", forget="1", budget=50)
    assert laptop.base == "digits-ddpm" and laptop.budget == 50 and laptop.n == AMOUNTS["laptop"]["n"]
    assert laptop.model_copy(update={"budget": 240}) == Bench.of(
        "recorded", dataset="digits", process="ddpm", forget="1"
    )
    paper = Bench.of("paper", dataset="digits", process="ddpm", forget="1")
    assert paper.n > laptop.n and paper.sampler > laptop.sampler and paper.images > laptop.images
    assert AMOUNTS["paper"]["seeds"] > AMOUNTS["laptop"]["seeds"] >= 3  # orderings need three


def test_a_rehearsal_of_paper_has_smoke_s_amounts(monkeypatch):
    monkeypatch.setenv(rehearsal.VARIABLE, "100000")
    told = {"dataset": "digits", "process": "ddpm", "forget": "1"}
    assert Bench.of("paper", **told) == Bench.of("smoke", **told)


@pytest.mark.parametrize("profile", ["recorded", "laptop"])
def test_a_bench_is_described_without_data(profile, monkeypatch):
    monkeypatch.setattr(module.sets, "load", None)
    bench = Bench.of(profile, dataset="", process="ddpm", forget="1")
    assert bench.base == "mnist-ddpm" and module.retrained(bench) == "mnist-ddpm-unseen-1"
    assert module.committed("mnist-ddpm", "1").forget == "1"


def test_facts_are_those_of_the_model_alone(monkeypatch):
    bench = tiny("digits-ddpm", "1")
    entrant, before, twin = (bench.facts(name) for name in ("vdu", "before", "retrained"))
    assert before.keys() == twin.keys() == {"dataset", "process", "forget", "method", "base"}
    assert (before["base"], twin["base"]) == ("digits-ddpm", "digits-ddpm-unseen-1")
    assert entrant["settings"] == settings(bench, "vdu") and entrant["budget"] == 8


def test_settings_are_the_searchs_and_else_the_first_that_it_would_try(monkeypatch):
    def one(entrant, lr, score, **own):
        return Candidate(entrant=entrant, settings={"lr": lr, **own}, ur=1.0, distance=1.0, score=score)

    tried = (one("salun", 1.0, 2.0, alpha=5.0), one("salun", 2.0, 0.5, alpha=7.0))
    facts = {"budget": {"evaluations": 8}, "ur": 9.0, "distance": 2.0, "provenance": PROVENANCE}
    found = Search(base="digits-ddpm", forget="8", candidates=tried, **facts)
    asked = []
    monkeypatch.setattr(module, "committed", lambda *names: asked.append(names) or found)
    assert settings(tiny(), "salun") == {"erase": "ascent", "lr": 2.0, "alpha": 7.0}
    assert settings(tiny(), "sgu_obtuse") == {"loss": "obtuse"} | ENTRANTS["sgu_obtuse"].candidates()[0]
    assert asked == [("digits-ddpm", "8")] * 2
    monkeypatch.setattr(module, "committed", lambda *names: None)
    assert settings(tiny(), "salun") == {"erase": "ascent"} | ENTRANTS["salun"].candidates()[0]


@pytest.mark.parametrize("budget, looks, marks", [(8, 2, (4, 8)), (64, 3, (21, 43, 64)), (8, 8, tuple(range(1, 9)))])
def test_a_run_is_the_course_of_an_entrant_with_the_benchs_budget(budget, looks, marks, monkeypatch):
    monkeypatch.setattr(module, "course", lambda store, wanted: wanted)
    chosen = {"loss": "obtuse", "lr": 3.0, "alpha": 0.5}
    monkeypatch.setattr(module, "settings", lambda bench, name: dict(chosen))
    wanted = run(None, tiny(budget=budget, looks=looks), "sgu_obtuse", 5)
    assert wanted.looks == marks and wanted.unit == "evaluations" and not wanted.held_out
    assert (wanted.method, wanted.lr, wanted.settings) == ("sgu", 3.0, {"loss": "obtuse", "alpha": 0.5})
    assert (wanted.seed, wanted.probes, wanted.batch_size, wanted.n, wanted.evaluations) == (5, 1, 2, 20, 3)


def test_a_twin_has_not_seen_the_same_classes_in_any_order(monkeypatch):
    monkeypatch.setattr(checkpoints, "card", lambda name, folder=None: {"sha256": name})
    expected = {
        ("digits-ddpm", "1"): "digits-ddpm-unseen-1",
        ("digits-ve", "3,7"): "digits-ve-unseen-3-7",
        ("digits-ve", " 7, 3,7"): "digits-ve-unseen-3-7",
        ("digits-ve", "3"): "",
        ("digits-ve", "1"): "",
        ("digits-ddpm", "3,7"): "",
        ("digits-vp", "3,7"): "",
    }
    assert {key: retrained(tiny(*key)) for key in expected} == expected
    monkeypatch.setattr(checkpoints, "card", lambda name, folder=None: None)
    assert retrained(tiny("digits-ve", "3,7")) == ""


def test_measures_are_those_of_the_evaluation(measured, tmp_path):
    metrics = ("entropy", "bound", "u-precision-recall", "u-frechet", "rest-frechet", "pul", "ur")
    facts = {"n": 24, "evaluations": 3, "images": 4, "strata": 4, "seed": 3, "forget": "8", "before": "digits-ddpm"}
    subject = prepare(
        "digits-ddpm", Protocol(metrics=metrics, **facts), device=torch.device("cpu"), store=Store(tmp_path)
    )
    names = {"rest-Frechet distance in the digits classifier's features": "distance"}
    names |= {"u-Frechet distance in the digits classifier's features": "distance of all"}
    names |= {"u-precision": "precision", "u-recall": "recall", "bound D_g": "bits D_g", "bound D_f": "bits D_f"}
    results = evaluate(subject).model_dump(mode="json")["results"]
    assert {names.get(one["name"], one["name"]): one for one in results} == measured
    assert measured["PUL"]["value"] == 0 and measured["bits D_g"]["n"] == 4 and measured["UR"]["n"] == 24


def test_measured_again_nothing_is_computed_not_for_the_same_file_elsewhere_either(
    measured, store, tmp_path, monkeypatch
):
    for suffix in (".safetensors", ".json"):
        shutil.copy(checkpoints.FOLDER / f"digits-ddpm{suffix}", tmp_path / f"mine{suffix}")
    monkeypatch.setattr(UNet, "forward", None)
    assert measure(store, tiny(), "digits-ddpm", 3) == measured
    assert measure(store, tiny(budget=100, glimpse=40, looks=7), str(tmp_path / "mine.safetensors"), 3) == measured
    with pytest.raises(TypeError):
        measure(store, tiny(), "digits-ddpm", 4)


def test_a_ddpm_has_a_bound_of_strata_and_any_other_process_a_likelihood():
    asked = []

    class Stops(Store):
        def step(self, name, config, compute, inputs=()):
            asked.append(config.protocol)
            raise InterruptedError

    for base in ("digits-ddpm", "digits-ve"):
        with pytest.raises(InterruptedError):
            measure(Stops("unused"), tiny(base), base, 0)
    assert [one.metrics[-1] for one in asked] == ["bound", "nll"] and [one.strata for one in asked] == [4, 0]
    assert asked[1].before == "digits-ve" and asked[0].metrics[:-1] == asked[1].metrics[:-1]


def test_the_command_runs_and_measures_what_the_page_asks_for(monkeypatch, capsys):
    ran, seen = [], []
    monkeypatch.setattr(module, "defaults", lambda name: ASKED)
    monkeypatch.setattr(module, "run", lambda store, bench, name, seed: ran.append((name, seed)) or f"{name}/{seed}")
    monkeypatch.setattr(module, "model_file", lambda entry: f"{entry}/model")
    monkeypatch.setattr(module, "retrained", lambda bench: "twin")
    values = {"UR": {"value": 1.0}, "distance": {"value": 2.0}}
    monkeypatch.setattr(module, "measure", lambda store, bench, what, seed: seen.append((what, seed)) or values)
    module.main(["--only", "vdu", "unseen"])
    assert ran == [("vdu", 0), ("unseen", 0), ("vdu", 2), ("unseen", 2)]
    of = [
        (what, seed) for seed in (0, 2) for what in ("digits-ddpm", "twin", f"vdu/{seed}/model", f"unseen/{seed}/model")
    ]
    assert seen == of and capsys.readouterr().out.count("UR 1.0 %, distance 2.00") == 4
    ran.clear()
    module.main(["--only", "vdu", "--profile", "recorded"])  # computes nothing
    assert not ran
    monkeypatch.setattr(module, "defaults", defaults)  # the page's own: one seed
    module.main(["--only", "vdu"])
    assert ran == [("vdu", 0)]
