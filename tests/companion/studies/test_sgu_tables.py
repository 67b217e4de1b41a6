"""SGU's settings: who stands for whom, and why somebody is missing."""

import pytest

from companion import bases
from companion.claims import load
from companion.store import Store
from companion.studies import sgu_tables
from companion.studies.sgu_tables import METHODS, SETTINGS, Models, chosen


def test_every_row_and_column_of_the_printed_tables_has_its_setting():
    for claim in load().values():
        if claim.id.startswith("sgu.tab2"):
            setting = SETTINGS[claim.dataset]
            assert setting.paper == f"{claim.dataset}/{claim.process}" and claim.method in METHODS
            assert set(claim.forget.split(",")) <= set(setting.words)


def test_every_base_model_named_is_one_and_knows_the_words():
    for setting in SETTINGS.values():
        for base, words in (setting.small, (setting.real, setting.words)):
            if base:
                assert base in bases.BASES and not bases.BASES[base].unseen
        data = bases.images(bases.BASES[setting.small[0]].dataset, "test")
        assert sgu_tables.forgotten(data, ",".join(setting.small[1])).any()


def test_the_standard_and_the_unseen_model_are_committed_ones(tmp_path):
    models = Models(Store(tmp_path), SETTINGS["mnist"], small=True)
    assert models.checkpoint("standard") == ("digits-ve", "")
    assert models.checkpoint("unseen") == ("digits-ve-unseen-3-7", "")
    assert models.of_seeds("unseen", [0, 1]) == (["digits-ve-unseen-3-7"] * 2, "")
    assert Models(Store(tmp_path), SETTINGS["mnist"], True, "7,3").checkpoint("unseen")[0] == "digits-ve-unseen-3-7"
    other = Models(Store(tmp_path), SETTINGS["mnist"], True, "5")
    assert other.checkpoint("unseen") == ("", "no model was trained without 5")
    assert other.of_seeds("unseen", [0])[1] == "no model was trained without 5"


def test_what_is_missing_says_why(tmp_path, monkeypatch):
    assert "for its licence" in Models(Store(tmp_path), SETTINGS["celeba"], small=False).checkpoint("standard")[1]
    monkeypatch.setattr(sgu_tables.checkpoints, "card", lambda name: None)
    missing = Models(Store(tmp_path), SETTINGS["cifar10"], small=False).checkpoint("redirect")
    assert missing == ("", "its base model, cifar10-vp, has not been trained yet")


def test_methods_are_trained_with_their_own_settings(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(sgu_tables, "course", lambda store, wanted: asked.append(wanted))
    monkeypatch.setattr(sgu_tables, "model_file", lambda entry: "file")
    models = Models(Store(tmp_path), SETTINGS["mnist"], small=True)
    training = {"looks": (3,), "batch_size": 4, "lr": 1e-4, "n": 20, "evaluations": 3, "settings": {"alpha": 0.9}}
    for method in ("sgu_orthogonal", "sgu_obtuse", "redirect"):
        assert models.checkpoint(method, **training) == ("file", "")
    assert [one.method for one in asked] == ["sgu", "sgu", "redirect"]
    assert [one.settings for one in asked] == [
        {"alpha": 0.9, "loss": "orthogonal"},
        {"alpha": 0.9, "loss": "obtuse"},
        {},
    ]
    assert models.of_seeds("redirect", [0, 2], **training) == (["file", "file"], "")
    assert [one.seed for one in asked[3:]] == [0, 2]
    assert training["settings"] == {"alpha": 0.9}


def test_one_data_set_or_some_or_all():
    assert chosen("all", "") == list(SETTINGS) and chosen("mnist", "5") == ["mnist"]
    assert chosen("celeba, mnist", "") == ["mnist", "celeba"]
    with pytest.raises(ValueError, match="dataset='svhn' is not one of all, mnist, cifar10"):
        chosen("mnist,svhn", "")
    with pytest.raises(ValueError, match="forget='5' belongs to one data set"):
        chosen("all", "5")
