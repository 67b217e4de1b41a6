import json
import math

import pytest
import torch

from companion import checkpoints, noisy_classifiers
from companion.noisy_classifiers import Recipe, build, calibration, make, noisy_classifier, snapshot_file, temperature
from companion.seeds import generator
from companion.snapshots import Resumable
from paperlib.data import sets
from tests.oracles import seeded


def test_the_committed_one_is_as_good_as_its_card_says_and_surer_where_there_is_less_noise():
    levels = checkpoints.card("noisy-classifier-digits")["levels"]
    assert levels[0]["accuracy"] > 0.97 and all(a["accuracy"] > b["accuracy"] for a, b in zip(levels, levels[1:]))
    model, draws = noisy_classifier("digits"), generator(0, "noisy-classifier/digits", "evaluation")
    found = calibration(model, sets.load("digits", "test"), levels[0]["sigma_over_alpha"], draws)
    assert found == pytest.approx(levels[0], abs=0.02)


@pytest.mark.parametrize("T", [0.5, 1.0, 3.0])
def test_the_temperature_that_logits_were_multiplied_by_is_found_again(T):
    logits = 2 * torch.randn(20_000, 5, generator=seeded(1), dtype=torch.float64)
    labels = torch.multinomial(logits.softmax(1), 1, generator=seeded(2))[:, 0]
    assert temperature(T * logits, labels) == pytest.approx(T, rel=0.05)


def test_a_calibrated_model_has_no_calibration_error_and_a_vain_one_has():
    data = sets.load("digits", "test")

    def always(logit):
        return lambda y, log_s: torch.nn.functional.one_hot(torch.full((len(y),), 3), 10) * logit

    share = (data.labels == 3).double().mean().item()
    honest = math.log(9 * share / (1 - share))  # its confidence equals the share of threes
    assert calibration(always(honest), data, 1.0, seeded())["error"] == pytest.approx(0, abs=1e-6)
    assert calibration(always(50.0), data, 1.0, seeded())["error"] == pytest.approx(1 - share, abs=1e-6)


def test_a_run_that_was_stopped_ends_in_the_checkpoint_of_one_that_was_not(monkeypatch, tmp_path):
    monkeypatch.setitem(
        noisy_classifiers.RECIPES, "digits", Recipe(steps=6, batch_size=8, channels=8, multipliers=(1, 2))
    )
    whole = make("digits", folder=tmp_path / "whole")
    stopped = Resumable(noisy_classifiers.training("digits"), snapshot_file("digits", 0))
    for _ in zip(range(3), stopped):
        pass
    stopped.save()
    again = make("digits", folder=tmp_path / "again")
    assert again.read_bytes() == whole.read_bytes()
    card = json.loads(again.with_suffix(".json").read_text())
    assert card["samples_seen"] == 48 and card["gradient_evaluations"] == 6 and len(card["levels"]) == 8


def test_an_unknown_set_is_named():
    with pytest.raises(ValueError, match="no classifier of noisy 'stl10'; there are: digits"):
        build("stl10")


def test_of_a_set_with_attributes_it_tells_the_combinations_apart():
    assert build("avatars").head.out_features == 32 == len(noisy_classifiers.images("avatars", "test").classes)
