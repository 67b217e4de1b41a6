import time

import pytest
import torch

from companion import bases, cards, checkpoints
from companion.campaign import evaluation, plan
from companion.campaign.evaluation import BaseEvaluation, protocol
from companion.evaluation.measures import METRICS
from paperlib.data import cache

CPU = torch.device("cpu")
NAME = "digits-ve"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Make a model of two updates, and a protocol that takes seconds."""
    tiny = {"n": 20, "evaluations": 2, "resamples": 3, "images": 2}
    monkeypatch.setattr(evaluation, "protocol", lambda base: protocol(base).model_copy(update=tiny))
    make(tmp_path / "checkpoints")
    return tmp_path / "checkpoints"


def make(folder, steps=2):
    base = bases.BASES[NAME]
    run = bases.training(base, bases.Budget(steps=steps, batch_size=4, lr=1e-3))
    facts = {"base": base.model_dump(), "samples_seen": 8, "network": base.preset, "seconds": 1.0}
    checkpoints.save(run.run(), NAME, facts, folder)


def test_the_campaign_evaluates_a_checkpoint_once_and_the_models_page_shows_it(folder, monkeypatch, capsys):
    run = BaseEvaluation(bases.BASES[NAME], CPU, folder)
    assert run.left() == 1 and not run.go_on(time.monotonic() - 1)
    assert "## Base models, measured" not in cards.models_page(folder)
    plan.main(["--device", "cpu", "--folder", str(folder), "--only", f"{NAME}-evaluation"])
    assert run.left() == 0 and "recall" in capsys.readouterr().out
    found = checkpoints.card(NAME, folder)
    results = {one["name"].partition(" in ")[0]: one for one in found["evaluation"]["results"]}
    assert list(results) == ["Frechet distance", "precision", "recall", "NLL"]
    assert found["evaluation"]["protocol"]["n"] == 20 and found["evaluation"]["provenance"]["seconds"] > 0
    page = cards.models_page(folder)
    assert "| model | Frechet distance | precision | recall | NLL, bits/dim |" in page
    low, high = results["NLL"]["interval"]
    assert f"| {results['NLL']['value']:.4g} [{low:.4g}, {high:.4g}] |" in page
    assert "20 samples by iPNDM with 2 evaluations" in page and "10,000 train images" in page
    monkeypatch.setattr(evaluation, "protocol", protocol)
    assert run.left() == 1  # another protocol
    make(folder, steps=3)
    assert "## Base models, measured" not in cards.models_page(folder)


def test_a_twins_measures_stand_in_the_columns_of_the_others():
    base = {"name": "FID", "value": 2.0, "interval": [1.5, 2.5], "unit": "squared distance", "n": 5000}
    base["details"] = {"feature_network": "Inception", "perfect_model": 1.25}
    rate = {"name": "UR", "value": 1.0, "interval": None, "unit": "%", "n": 5000, "details": {}}
    twin = {"results": [{**base, "name": "u-FID"}, rate]}
    table = cards._measures({"a": {"results": [base]}, "b": twin}).splitlines()
    assert table[0] == "| model | FID | UR, % |"
    assert table[2] == "| `a` | 2 [1.5, 2.5]; perfect 1.25 |  |"
    assert table[3] == "| `b` | u- 2 [1.5, 2.5]; perfect 1.25 | 1 |"


@pytest.mark.parametrize("base", bases.BASES.values(), ids=lambda base: base.name)
def test_every_base_model_has_a_protocol_that_it_can_answer(base):
    asked = protocol(base)
    needs = set.union(*(METRICS[name][1] for name in asked.metrics))
    assert ("forget" in needs) == bool(base.unseen) == bool(asked.forget)
    assert ("ddpm" in needs) == (base.process == "ddpm")
    assert "labels" not in needs and "before" not in needs
    assert asked.n == 5000 and ("inception" in needs) == (base.dataset in ("mnist", "cifar10"))


def test_what_is_missing_ends_the_campaign_with_one_line(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("PAPERLIB_DATA", str(tmp_path / "empty"))
    monkeypatch.setattr(cache, "CHECKOUT", tmp_path)
    base = bases.BASES["mnist-ddpm"]
    model = bases.architecture(base)
    checkpoints.save(model, base.name, {"base": base.model_dump()}, folder)
    for name, message in {"mnist-ddpm": "paperlib.data mnist", "mnist-ve": "campaign --only mnist-ve"}.items():
        with pytest.raises(SystemExit, match=f"{name}-evaluation: .*{message}"):
            plan.main(["--device", "cpu", "--folder", str(folder), "--only", f"{name}-evaluation"])
