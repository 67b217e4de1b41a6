import hashlib
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
    assert len(list(tmp_path.iterdir())) == 2


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


def test_weights_that_fp16_would_make_infinite_are_refused_and_nothing_is_written(tmp_path):
    model = SmallCNN(1, 3, width=4)
    with torch.no_grad():
        next(model.parameters()).flatten()[0] = 7e4
    with pytest.raises(ValueError, match="reaches 70000: fp16 ends at 65504"):
        checkpoints.save(model, "tiny", {}, tmp_path)
    assert not list(tmp_path.iterdir())


def _cut(file, share):
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])


@pytest.mark.parametrize("share", [0, 0.25, 0.5, 0.75])
@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
def test_a_file_cut_short_is_named(tmp_path, suffix, share):
    file = checkpoints.save(SmallCNN(1, 3, width=4), "tiny", {}, tmp_path).with_suffix(suffix)
    _cut(file, share)
    with pytest.raises(checkpoints.DamagedCheckpoint, match=f"tiny{suffix} is no"):
        checkpoints.load(SmallCNN(1, 3, width=4), "tiny", tmp_path)


@pytest.mark.parametrize("share", [0, 0.25, 0.5, 0.75])
def test_weights_cut_short_are_named_though_their_card_agrees(tmp_path, share):
    file = checkpoints.save(SmallCNN(1, 3, width=4), "tiny", {}, tmp_path)
    _cut(file, share)
    checkpoints.amend("tiny", tmp_path, sha256=hashlib.sha256(file.read_bytes()).hexdigest())
    with pytest.raises(checkpoints.DamagedCheckpoint, match="tiny.safetensors cannot be read"):
        checkpoints.load(SmallCNN(1, 3, width=4), "tiny", tmp_path)


@pytest.mark.parametrize("text", ["null", "[1]", '"words"', "3"])
def test_a_card_that_is_no_table_of_facts_is_named(tmp_path, text):
    file = checkpoints.save(SmallCNN(1, 3, width=4), "tiny", {}, tmp_path).with_suffix(".json")
    file.write_text(text)
    with pytest.raises(checkpoints.DamagedCheckpoint, match="tiny.json is no card of a checkpoint, but"):
        checkpoints.card("tiny", tmp_path)


def test_weights_of_another_network_are_named_with_the_first_difference(tmp_path):
    checkpoints.save(SmallCNN(1, 3, width=4), "tiny", {}, tmp_path)
    with pytest.raises(checkpoints.DamagedCheckpoint, match="tiny.safetensors is of another network than SmallCNN: "):
        checkpoints.load(SmallCNN(1, 3, width=8), "tiny", tmp_path)
