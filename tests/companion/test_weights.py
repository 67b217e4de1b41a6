"""Published weights become a base model's, and the pages find them."""

import pytest
import torch

from companion import bases, rehearsal, weights
from companion.campaign.pretraining import Pretraining
from companion.models import base
from companion.weights import bring, main
from paperlib.denoiser import reinitialise

NAME = "vdu-mnist-ddpm"
SHARED = "erasediff-cifar10-ddpm-labels"


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    """Provide a paper's network at a rehearsal's width, and separate folders."""
    monkeypatch.setenv("PAPERLIB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv(rehearsal.VARIABLE, "1000")


def test_brought_weights_are_the_base_model_and_leave_nothing_to_train(tmp_path, monkeypatch):
    """tests/nets/test_published.py tests how the layouts are read."""
    model = bases.architecture(bases.BASES[SHARED])
    reinitialise(model, torch.Generator().manual_seed(7))
    torch.save([{"module.temb.dense.0.weight": torch.zeros(1)}], tmp_path / "ckpt.pth")
    monkeypatch.setattr(weights, "renamed", lambda state, net: model.net.state_dict())
    assert f"python -m companion weights {SHARED} SOURCE" in base(SHARED).missing
    file = bring(SHARED, str(tmp_path / "ckpt.pth"))
    assert file.is_relative_to(tmp_path / "data") and not base(SHARED).missing
    found = bases.load(SHARED).state_dict()
    assert all(torch.equal(value, found[name]) for name, value in model.state_dict().items())
    assert Pretraining(bases.BASES[SHARED], torch.device("cpu"), bases.BASES[SHARED].folder).left() == 0
    assert bases.card(SHARED)["layout"] == "ddpm" and bases.card(SHARED)["source"].endswith("ckpt.pth")


def test_what_cannot_be_brought_is_said_in_one_line(tmp_path, capsys):
    assert main(["mnist-ddpm", str(tmp_path)]) == 2
    assert "name='mnist-ddpm' is not one of sgu-mnist-ve" in capsys.readouterr().err
    assert main([NAME, str(tmp_path / "none.pth")]) == 2
    assert "there are no weights at" in capsys.readouterr().err
