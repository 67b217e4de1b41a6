"""Rehearsals: one number divides all amounts and nothing else; a page at ``paper`` runs to its end."""

import contextlib
from types import SimpleNamespace

import matplotlib
import pytest
import torch

from companion import bases, reach, rehearsal
from companion import rehearse as module
from companion.budgets import PAPER
from companion.models import base
from companion.rehearse import ROWS, _logits, _needed, rehearse, rehearsing
from paperlib.nets.presets import unet
from tests.oracles import seeded

matplotlib.use("Agg")


def test_amounts_are_divided_down_to_smoke_s_and_nothing_else_is(monkeypatch):
    paper = {"n": 10_000, "steps": 80_000, "tolerance": 1e-5, "dataset": "mnist", "looks": (5, 400, 800)}
    paper |= {"study": {"models": 5, "lr": 1e-4}, "by": "DDPM", "flag": True, "rates": [1e-4, 1e-5]}
    smoke = {"n": 40, "steps": 2, "tolerance": 0.1, "dataset": "digits", "study": {"models": 2, "lr": 1e-4}}
    assert rehearsal.scaled(paper, smoke) == paper
    monkeypatch.setenv(rehearsal.VARIABLE, "100")
    found = rehearsal.scaled(paper, smoke)
    assert (found["n"], found["steps"], found["looks"]) == (100, 800, (1, 4, 8))
    assert found["tolerance"] == pytest.approx(1e-3) and found["study"] == {"models": 2, "lr": 1e-4}
    assert {name: found[name] for name in ("dataset", "by", "flag", "rates")} == {
        name: paper[name] for name in ("dataset", "by", "flag", "rates")
    }
    monkeypatch.setenv(rehearsal.VARIABLE, "1000000")
    lists = {"ns": [5000, 20_000, 45_000], "steps": [50, 250, 1000], "Ks": [1, 2, 5, 10], "looks": (9, 90)}
    least = {"ns": [20, 45], "steps": [4], "Ks": [1, 3]}
    expected = {"ns": [20, 45], "steps": [4], "Ks": [1, 2, 3], "looks": (1,)}  # the last minimum serves what follows
    assert rehearsal.scaled({"in": lists}, {"in": least}) == {"in": expected}
    assert rehearsal.scaled(paper, smoke)["n"] == 40 and rehearsal.scaled(paper, smoke)["tolerance"] == 0.1


@pytest.mark.parametrize("value", ["0", "-3", "many"])
def test_a_divisor_that_is_none_is_refused(monkeypatch, value):
    monkeypatch.setenv(rehearsal.VARIABLE, value)
    with pytest.raises(ValueError, match=f"PAPERLIB_REHEARSAL='{value}' is not a positive number"):
        rehearsal.factor()


def test_a_rehearsed_network_has_the_paper_s_layers_and_fewer_channels(monkeypatch):
    for one in (one for one in bases.BASES.values() if one.paper and not one.unseen):
        made = PAPER[one.paper, one.dataset]
        with torch.device("meta"):
            whole = unet(made.preset, predicts=one.predicts, classes=10 if one.labels else 0, **made.changes)
        monkeypatch.setenv(rehearsal.VARIABLE, "1000")
        small = bases.architecture(one).net
        assert small.state_dict().keys() == whole.state_dict().keys() and small.shape == whole.shape
        assert sum(p.numel() for p in small.parameters()) < 1e6 < sum(p.numel() for p in whole.parameters())


def test_every_paper_s_training_is_divided(monkeypatch):
    whole = PAPER["sgu", "cifar10"].budget
    monkeypatch.setenv(rehearsal.VARIABLE, "1000")
    part = bases.budget(bases.BASES["sgu-cifar10-vp"], "cpu")
    assert (part.steps, part.batch_size, part.warmup) == (660, 4, 5) and part.lr == whole.lr and not part.decay


def test_a_rehearsal_that_measures_less_than_is_promised_fails_and_the_others_go_on(tmp_path, monkeypatch, capsys):
    row = {"dataset": "mnist"}
    cells = sorted(reach.promised("vdu_tab2_gamma_sweep", row))
    assert len(cells) == 9 and not reach.promised("vdu_tab2_gamma_sweep", row | {"forget": "3"})
    monkeypatch.setenv("PAPERLIB_BUILD", str(tmp_path))
    monkeypatch.setattr(module, "rehearsing", lambda *_: contextlib.nullcontext())
    monkeypatch.setitem(module.ROWS, "vdu_tab2_gamma_sweep", [row, {"dataset": "cifar10"}])
    found = {"mnist": cells[1:], "cifar10": reach.promised("vdu_tab2_gamma_sweep", {"dataset": "cifar10"})}

    def rehearsed(page, dataset):
        return SimpleNamespace(values=[SimpleNamespace(claim=cell, value=1.0) for cell in found[dataset]])

    monkeypatch.setattr(module, "rehearse", rehearsed)
    assert module.main(["vdu_tab2_gamma_sweep"]) == 1
    said = capsys.readouterr()
    assert (
        f"1 printed cells were not measured: {cells[0]}" in said.err
        and "dataset=cifar10: 0 s (0 of a core), 9" in said.out
    )


@pytest.mark.slow
def test_a_page_at_paper_goes_its_whole_way(tmp_path):
    """One row of one page, which trains, unlearns, samples, classifies and computes likelihoods; `make rehearse` runs
    every page and row."""
    with rehearsing(tmp_path):
        record = rehearse("sgu_tab2_unlearning_and_nll", dataset="mnist")
    assert record.profile == "paper" and not (tmp_path / "records").exists()  # cannot be recorded
    measured = {value.claim: value for value in record.values if hasattr(value, "value")}
    assert {"sgu.tab2_ur/mnist/vesde/3+7/sgu_obtuse", "sgu.tab2_nll/mnist/vesde/D_f/unseen"} <= measured.keys()
    facts = measured["sgu.tab2_ur/mnist/vesde/3+7/sgu_obtuse"].protocol
    assert (facts["start"], facts["sampler"], facts["base"]) == ("retrain", "predictor-corrector", "sgu-mnist-ve")


def test_what_is_not_at_hand_is_refused_with_the_command_that_brings_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PAPERLIB_DATA", str(tmp_path))
    for name in ("sgu-cifar10-vp", "vdu-mnist-ddpm", "erasediff-cifar10-ddpm-labels"):
        assert f"python -m companion campaign --only {name}" in base(name).missing


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (0.05, 0.7)])
def test_the_stand_in_classifier_sees_every_class_about_as_often_and_is_often_sure(scale, shift):
    x = scale * torch.randn(2000, 1, 28, 28, generator=seeded(0)) + shift
    logits = _logits(x, torch.nn.Linear(3, 10))
    # 2,000 draws of ten classes: 200 each, with a standard deviation of 13
    assert (logits.argmax(1).bincount(minlength=10) - 200).abs().max() < 5 * 13.5
    assert ((logits.softmax(1) > 0.5).sum(0) > 60).all()


@pytest.mark.parametrize(
    ("page", "row"), [(page, row) for page, several in ROWS.items() for row in several if "dataset" in row]
)
def test_a_row_rehearsed_alone_gets_the_base_models_of_its_set(page, row):
    dataset = row["dataset"].partition("-")[0]
    needed = _needed(page, row)
    assert needed and {bases.BASES[name].dataset for name in needed} == {dataset}
