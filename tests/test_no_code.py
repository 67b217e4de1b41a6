"""Files from others are only data: reading one never runs code that its author put into it."""

import ast
import hashlib
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from companion import checkpoints
from companion.evaluation.samples import find
from companion.snapshots import Resumable
from paperlib.metrics import imagenet
from paperlib.metrics.frechet import Statistics
from paperlib.nets.published import read
from tests.companion.test_snapshots import run

ROOT = Path(__file__).parents[1]


class Runs:
    """Its pickle creates a file when loaded by code that trusts pickles."""

    def __init__(self, made):
        self.made = made

    def __reduce__(self):
        return Path.touch, (self.made,)


def pickled(file, made):
    file.write_bytes(pickle.dumps({"state_dict": Runs(made)}))


def saved_by_torch(file, made):
    torch.save({"model": Runs(made)}, file)


def array(file, made):
    np.savez(file, mu=np.array([Runs(made)]), images=np.array([Runs(made)]), labels=np.zeros(1, np.int64))


def of_a_checkpoint(file):
    card = {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    file.with_suffix(".json").write_text(json.dumps(card))
    checkpoints.load(torch.nn.Linear(3, 5), file.stem, file.parent)


READERS = {
    "published.pth": (read, [pickled, saved_by_torch]),
    "published.safetensors": (read, [pickled, saved_by_torch]),
    "checkpoint.safetensors": (of_a_checkpoint, [pickled, saved_by_torch]),
    "snapshot.pt": (lambda file: Resumable(run(), file), [pickled, saved_by_torch]),
    "resnet50.pth": (lambda file: imagenet.classifier(file=file), [pickled, saved_by_torch]),
    "statistics.npz": (Statistics.load, [array]),
}


@pytest.mark.parametrize(("name", "write"), [(name, write) for name, (_, ways) in READERS.items() for write in ways])
def test_a_file_with_code_in_it_is_refused_and_the_code_does_not_run(tmp_path, name, write):
    file, made = tmp_path / name, tmp_path / "made"
    write(file, made)
    with pytest.raises((ValueError, pickle.UnpicklingError)):
        READERS[name][0](file)
    assert not made.exists()


def test_such_a_file_does_run_code_where_pickles_are_trusted(tmp_path):
    for number, write in enumerate((pickled, saved_by_torch, array)):
        file, made = tmp_path / f"{number}.npz", tmp_path / f"made-{number}"
        write(file, made)
        if write is pickled:
            pickle.loads(file.read_bytes())
        elif write is array:
            np.load(file, allow_pickle=True)["mu"]
        else:
            torch.load(file, weights_only=False)
        assert made.exists()


def test_no_reader_trusts_a_pickle():
    for file in (file for package in ("paperlib", "companion") for file in (ROOT / package).rglob("*.py")):
        for call in (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)):
            name, given = ast.unparse(call.func), {word.arg: ast.unparse(word.value) for word in call.keywords}
            assert name != "torch.load" or given.get("weights_only") == "True", (file, call.lineno)
            assert name != "np.load" or given.get("allow_pickle", "False") == "False", (file, call.lineno)


@pytest.mark.parametrize("field", ["dataset", "process", "of", "paper"])
@pytest.mark.parametrize("text", ["../../other", "/etc/other", "mnist/../../other"])
def test_a_card_cannot_point_out_of_its_folder(tmp_path, field, text):
    base = {"dataset": "mnist", "process": "ve"} | {field: text}
    file = tmp_path / "m.safetensors"
    checkpoints.save(torch.nn.Linear(3, 5), "m", {"base": base}, tmp_path)
    with pytest.raises(ValueError, match=f"{field}.*{text}"):
        find(str(file))
