"""Runs on a disk that is really full (a small tmpfs): a run ends with an error, nothing is half-written, and with more
space the next run continues to the result of an undisturbed one."""

import subprocess

import pytest

from tests.long.children import status_of
from tests.long.works import WORKS, Book


@pytest.fixture
def disk(tmp_path):
    """Return a folder, and a function that sets its size in KB. This needs the permission to mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = False

    def give(kilobytes):
        nonlocal mounted
        options = ["-o", f"{'remount,' if mounted else ''}size={kilobytes}k"]
        result = subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", folder], capture_output=True, text=True)
        if result.returncode and not mounted:
            pytest.skip(f"no disk can be mounted here: {result.stderr.strip()}")
        result.check_returncode()
        mounted = True

    yield folder, give
    if mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)


def met_a_full_disk(work, tmp_path, disk, share):
    folder, give = disk
    undisturbed = tmp_path / "undisturbed"
    work.run(undisturbed)
    needed = sum(file.stat().st_blocks for file in undisturbed.rglob("*")) // 2  # KB
    give(max(4, int(share * needed)))
    assert status_of(lambda: work.run(folder)) == 1
    work.check(folder, undisturbed, False)
    give(20 * needed)
    assert status_of(lambda: work.run(folder)) == 0
    work.check(folder, undisturbed, True)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("name", WORKS)
def test_what_met_a_full_disk_goes_on_when_there_is_room(tmp_path, disk, name, share):
    met_a_full_disk(WORKS[name](), tmp_path, disk, share)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_book_that_met_a_full_disk_goes_on_when_there_is_room(tmp_path, disk, share):
    met_a_full_disk(Book(tmp_path / "checkout"), tmp_path, disk, share)
