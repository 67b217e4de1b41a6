import json

import pytest
import torch

from companion import checkpoints
from paperlib.nets.classifier import SmallCNN


def test_what_is_read_back_is_the_rounded_model(tmp_path):
    model = SmallCNN(1, 3, width=4).eval()
    file = checkpoints.save(model, "tiny", {"data": "none"}, tmp_path)
    back = checkpoints.load(SmallCNN(1, 3, width=4), "tiny", tmp_path)
    for name, value in back.state_dict().items():
        stored = model.state_dict()[name]
        assert torch.equal(value, stored.half().float() if stored.is_floating_point() else stored)
    card = json.loads(file.with_suffix(".json").read_text())
    assert card["data"] == "none" and card["parameters"] == sum(p.numel() for p in model.parameters())
    assert not list(tmp_path.glob("*.partial"))


def test_weights_may_be_read_by_whoever_may_read_their_card(tmp_path):
    file = checkpoints.save(SmallCNN(1, 3, width=4), "tiny", {}, tmp_path)
    assert file.stat().st_mode == file.with_suffix(".json").stat().st_mode


def test_an_altered_checkpoint_is_refused(tmp_path):
    file = checkpoints.save(SmallCNN(1, 3, width=4), "tiny", {}, tmp_path)
    raw = bytearray(file.read_bytes())
    raw[-1] ^= 1
    file.write_bytes(raw)
    with pytest.raises(ValueError, match="is not the file of its card"):
        checkpoints.load(SmallCNN(1, 3, width=4), "tiny", tmp_path)


def test_a_missing_checkpoint_names_those_that_are_there(tmp_path):
    checkpoints.save(SmallCNN(1, 3, width=4), "tiny", {}, tmp_path)
    with pytest.raises(FileNotFoundError, match="no checkpoint 'large' .* there are: tiny"):
        checkpoints.load(SmallCNN(1, 3, width=4), "large", tmp_path)


def test_a_checkpoint_that_is_too_large_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "LARGEST", 100)
    with pytest.raises(ValueError, match="a checkpoint has 100 at most"):
        checkpoints.save(SmallCNN(1, 3, width=4), "tiny", {}, tmp_path)
    assert not list(tmp_path.iterdir())
