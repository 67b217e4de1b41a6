"""Files are complete or absent: on a full disk the old file stays, and the next attempt succeeds."""

import json
import os
import platform
import resource
import signal
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from companion import checkpoints
from companion.snapshots import Resumable
from companion.store import Store
from paperlib.data import cache
from paperlib.files import whole, write_whole
from tests.companion.test_records import record
from tests.companion.test_snapshots import run


@contextmanager
def full_disk(left: int = 40):
    """Limit the size of files, so that a write fails midway, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (left, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_reader_sees_the_old_file_or_the_new_one(tmp_path):
    file = write_whole(tmp_path / "new" / "a.json", "old")
    with whole(file) as draft:
        draft.write_text("new")
        assert file.read_text() == "old\n" and draft.parent == file.parent and draft.suffix == ".json"
    assert file.read_text() == "new" and list(file.parent.iterdir()) == [file]


def test_a_draft_that_fails_is_gone_and_the_file_stays(tmp_path):
    file = write_whole(tmp_path / "a.txt", "old")
    with pytest.raises(RuntimeError), whole(file) as draft:
        draft.write_text("half")
        raise RuntimeError
    assert file.read_text() == "old\n" and list(tmp_path.iterdir()) == [file]


def test_a_killed_writer_s_draft_goes_with_the_next_writer_and_a_living_one_s_stays(tmp_path):
    file = tmp_path / "a.npz"
    writing = [
        "import os",
        "from pathlib import Path",
        "from paperlib.files import whole",
        f"with whole(Path({str(file)!r})) as draft:",
        "    draft.write_text('other')",
    ]
    killing = [*writing, "    os.kill(os.getpid(), 9)"]
    killed = subprocess.run([sys.executable, "-c", "\n".join(killing)], check=False)
    assert killed.returncode == -signal.SIGKILL and len(list(tmp_path.iterdir())) == 1
    here = f"@{platform.node()}-"
    others = [
        tmp_path / f".{os.getpid()}{here}a.npz",  # being written
        tmp_path / f".999999999{here}b.npz",  # belongs to another file
        tmp_path / ".999999999@elsewhere-a.npz",  # on a shared disk
    ]
    for other in others[1:]:
        other.write_text("half")
    with whole(file) as draft:
        assert draft == others[0]
        draft.write_text("whole")
        subprocess.run([sys.executable, "-c", "\n".join(writing)], check=True)
        assert file.read_text() == "other"
    assert file.read_text() == "whole" and sorted(tmp_path.iterdir()) == sorted([file, *others[1:]])


def save_checkpoint(folder, value):
    model = torch.nn.Linear(3, 5)
    torch.nn.init.constant_(model.weight, value)
    checkpoints.save(model, "m", {"images": value}, folder)


def read_checkpoint(folder):
    return checkpoints.load(torch.nn.Linear(3, 5), "m", folder).weight[0, 0].item()


def save_snapshot(folder, value):
    followed = Resumable(run(steps=20), folder / "a.pt")
    followed.run.optimizer.param_groups[0]["lr"] = value
    followed.save()


def read_snapshot(folder):
    return torch.load(folder / "a.pt", weights_only=True)["training"]["optimizer"]["param_groups"][0]["lr"]


def save_set(folder, value):
    images = np.full((20, 28, 28, 1), int(value), np.uint8)
    cache.write(folder, "a-set", {"images": images, "labels": np.arange(20) % 10})


def read_set(folder):
    arrays = np.load(folder / "a-set.npz")
    recorded = (folder / "a-set.sha256").read_text()[:64]
    assert cache.content_sha256(dict(arrays)) == recorded
    return float(arrays["images"][0, 0, 0, 0])


def save_record(folder, value):
    record(series={"a": [value] * 200}).write(folder / "a.json")


def read_record(folder):
    return json.loads((folder / "a.json").read_text())["series"]["a"][0]


WRITERS = {
    "checkpoint": (save_checkpoint, read_checkpoint),
    "snapshot": (save_snapshot, read_snapshot),
    "set": (save_set, read_set),
    "record": (save_record, read_record),
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("left", [0, 40, 400])
def test_on_a_full_disk_what_was_there_stays_and_later_the_new_is_written(tmp_path, name, left):
    save, read = WRITERS[name]
    save(tmp_path, 1.0)
    names = sorted(tmp_path.iterdir())
    with pytest.raises((OSError, RuntimeError)), full_disk(left):
        save(tmp_path, 2.0)
    assert read(tmp_path) == 1.0 and sorted(tmp_path.iterdir()) == names
    save(tmp_path, 3.0)
    assert read(tmp_path) == 3.0


def test_a_step_on_a_full_disk_is_computed_again(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(OSError), full_disk():
        store.step("example", {"n": 3}, write_numbers)
    assert json.loads((store.step("example", {"n": 3}, write_numbers).path / "numbers.json").read_text()) == [7] * 300


def write_numbers(folder, config):
    (folder / "numbers.json").write_text(json.dumps([7] * 300))
