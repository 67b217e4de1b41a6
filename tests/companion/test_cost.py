"""The cost of a run follows from its amounts and the measured rates; what is missing has a command."""

import dataclasses

import pytest

from companion import cost, rehearsal
from companion.cost import Rate, main, plan, works


@pytest.fixture
def rates(monkeypatch):
    """Make every network take a second per training image."""
    monkeypatch.setattr(cost, "rate", lambda name, device: Rate(1.0, 1e6, 1000))


def test_a_page_s_work_follows_its_own_amounts():
    rows = {work.base: work for work in works("sgu_tab2_unlearning_and_nll")}
    assert set(rows) == {"sgu-mnist-ve", "sgu-cifar10-vp", "sgu-stl10-vp", "sgu-celeba-vp"}
    cifar = rows["sgu-cifar10-vp"]
    # two runs of SGU and one of negation with 400 + 400 rows per update, and the likelihoods of five models
    assert cifar.trained == 3 * 660_000 * 800 + 5 * 10_000 * cost.SOLVER
    assert cifar.drawn == 5 * 10_000 * 1000 and cifar.batch == 800
    assert rows["sgu-mnist-ve"].drawn == 2 * cifar.drawn  # predictor and corrector
    assert works("sgu_tab1_mixture_nll") == []


def test_fine_tuning_costs_its_own_updates_and_the_way_back_its_stops():
    fine = {work.base: work for work in works("sgu_tab5_finetuning")}
    assert set(fine) == {"sgu-cifar10-vp", "sgu-cifar10-ddpm", "sgu-celeba-vp"}
    per_update = 3 * 800
    solved = 5 * 10_000 * cost.SOLVER
    assert fine["sgu-cifar10-vp"].trained == 80_000 * per_update + solved
    assert fine["sgu-cifar10-ddpm"].trained == 30_000 * per_update + solved
    back = {work.base: work for work in works("sgu_tab4_reconstruction")}
    # from the image at five more times, from the latent there and back; five models, both sides, 1,000 stops
    assert back["sgu-cifar10-vp"].drawn == 5 * 2 * 10_000 * 1000 * 9


def test_the_plan_names_every_page_and_the_commands_for_what_is_not_there(rates, tmp_path, monkeypatch):
    monkeypatch.setenv("PAPERLIB_DATA", str(tmp_path))
    text = plan()
    hours = sum((work.trained + work.drawn / 3) / 3600 for work in works("erasediff_fig2_gradient_conflict"))
    assert f"| erasediff_fig2_gradient_conflict | {hours:,.1f} |" in text
    for page in ("sgu_tab1_mixture_nll", "compare_all_methods", "vdu_tab2_gamma_sweep"):
        assert f"| {page} |" in text
    for command in ("campaign --only sgu-cifar10-vp |", "paperlib.data stl10", "companion classifier celeba"):
        assert command in text
    assert "campaign --only sgu-cifar10-vp-unseen-dog-automobile" in text


def test_a_rate_is_measured_once_and_grows_with_the_network(tmp_path, monkeypatch):
    monkeypatch.setenv(rehearsal.VARIABLE, "1000")
    device = cost.pick_device("cpu")
    first = cost.rate("vdu-mnist-ddpm", device)
    assert first.seconds > 0 and first.bytes_an_image > 0 and first.pixels == 784
    monkeypatch.setattr(cost, "_measured", lambda *_: pytest.fail("measured twice"))
    assert dataclasses.asdict(cost.rate("vdu-mnist-ddpm", device)) == dataclasses.asdict(first)


def test_only_the_papers_settings_are_planned(capsys):
    assert main(["--profile", "smoke"]) == 2
    assert "PLAN=yes is of PROFILE=paper" in capsys.readouterr().err
