"""Cache files: found, checked by their content, and refused by name if damaged."""

import errno
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from paperlib.data import cache, sets

COMMAND = "python -m paperlib.data stl10"
PART = "stl10-train"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty data folder."""
    monkeypatch.setenv("PAPERLIB_DATA", str(tmp_path / "sets"))
    (tmp_path / "sets").mkdir()
    return tmp_path / "sets"


def some(n=6, seed=0):
    rng = np.random.default_rng(seed)
    return {"images": rng.integers(256, size=(n, 96, 96, 3), dtype=np.uint8), "labels": rng.integers(10, size=n)}


def test_what_is_written_is_read_and_its_hash_recorded(folder):
    arrays = some()
    sha256 = cache.write(folder, PART, arrays)
    read = cache.read(PART, COMMAND)
    assert all(np.array_equal(read[name], arrays[name]) for name in arrays)
    assert (folder / f"{PART}.sha256").read_text() == f"{sha256}  content of {PART}.npz\n"
    assert not [file for file in folder.glob(".*.npz")]
    images = sets.load("stl10")
    assert images.shape == (3, 96, 96) and images.classes[0] == "airplane"
    assert torch.equal(images.images, torch.from_numpy(arrays["images"]).permute(0, 3, 1, 2))
    assert images.images.is_contiguous(memory_format=torch.channels_last)  # a view, not a copy
    assert sets.load("stl10", size=48, n=2).images.shape == (2, 3, 48, 48)


def test_the_content_hash_is_that_of_the_bytes_of_images_and_labels():
    import hashlib

    arrays = some()
    expected = hashlib.sha256(arrays["images"].tobytes() + arrays["labels"].astype("<i8").tobytes()).hexdigest()
    assert cache.content_sha256(arrays) == expected
    turned = {"images": np.asfortranarray(arrays["images"]), "labels": arrays["labels"].astype(np.int32)}
    assert cache.content_sha256(turned) == expected


def test_a_missing_set_names_the_set_the_folders_and_the_command(folder, monkeypatch, tmp_path):
    with pytest.raises(cache.MissingData) as raised:
        sets.load("mnist")
    for words in ("mnist-train is not on this machine", str(folder), "python -m paperlib.data mnist", "PAPERLIB_DATA"):
        assert words in str(raised.value)
    monkeypatch.delenv("PAPERLIB_DATA")
    monkeypatch.setattr(cache, "CHECKOUT", tmp_path / "checkout")
    (tmp_path / "checkout").mkdir()
    monkeypatch.chdir(tmp_path)
    assert cache.folders() == [tmp_path / "data"]  # installed: no checkout around it
    (tmp_path / "checkout" / "pyproject.toml").touch()
    assert cache.folders() == [tmp_path / "checkout" / "data", tmp_path / "data"]
    with pytest.raises(cache.MissingData, match=f"{tmp_path}/checkout/data, {tmp_path}/data"):
        sets.load("celeba", "valid")


def test_the_first_folder_that_has_the_part_is_read(monkeypatch, tmp_path):
    monkeypatch.delenv("PAPERLIB_DATA", raising=False)
    monkeypatch.setattr(cache, "CHECKOUT", tmp_path / "checkout")
    monkeypatch.chdir(tmp_path)
    cache.write(tmp_path / "data", PART, some(seed=1))
    (tmp_path / "checkout").mkdir()
    (tmp_path / "checkout" / "pyproject.toml").touch()
    assert cache.find(PART) == tmp_path / "data" / f"{PART}.npz"
    cache.write(tmp_path / "checkout" / "data", PART, some(seed=2))
    assert cache.find(PART) == tmp_path / "checkout" / "data" / f"{PART}.npz"


def truncate(path: Path):
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path):
    path.write_bytes(b"")


def flip_a_bit(path: Path):
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def other_text(path: Path):
    path.write_text("<html>not found</html>")


def swap_two_images(path: Path):
    arrays = dict(np.load(path))
    arrays["images"][[0, 1]] = arrays["images"][[1, 0]]
    np.savez(path, **arrays)


def change_a_label(path: Path):
    arrays = dict(np.load(path))
    arrays["labels"][0] = (arrays["labels"][0] + 1) % 10
    np.savez(path, **arrays)


def lose_labels(path: Path):
    np.savez(path, images=np.load(path)["images"])


def lose_an_image(path: Path):
    arrays = dict(np.load(path))
    np.savez(path, images=arrays["images"][1:], labels=arrays["labels"])


def floats(path: Path):
    arrays = dict(np.load(path))
    np.savez(path, images=arrays["images"] / 255, labels=arrays["labels"])


def pickled(path: Path):
    np.savez(path, images=np.array([object()]), labels=np.zeros(1, np.int64))


DAMAGES = [truncate, empty, flip_a_bit, other_text, swap_two_images, change_a_label, lose_labels, lose_an_image, floats]


@pytest.mark.parametrize("damage", [*DAMAGES, pickled])
def test_a_damaged_file_is_refused_by_name_with_the_way_out(folder, damage):
    cache.write(folder, PART, some())
    damage(folder / f"{PART}.npz")
    with pytest.raises(cache.DamagedData) as raised:
        sets.load("stl10")
    assert str(folder / f"{PART}.npz") in str(raised.value)
    assert "emove it, then run: python -m paperlib.data stl10" in str(raised.value)


@pytest.mark.parametrize("trouble", [errno.EACCES, errno.EIO, errno.EMFILE])
def test_the_machine_s_trouble_is_not_the_file_s_damage(folder, monkeypatch, trouble):
    cache.write(folder, PART, some())

    def refuse(path, **settings):
        raise OSError(trouble, os.strerror(trouble), str(path))

    monkeypatch.setattr(np, "load", refuse)
    with pytest.raises(OSError, match=f"{PART}.npz") as raised:  # the message does not say to remove it
        sets.load("stl10")
    assert raised.value.errno == trouble


def test_other_images_under_an_official_name_are_refused_on_writing_and_reading(folder):
    wrong = {"images": np.zeros((2, 28, 28, 1), np.uint8), "labels": np.zeros(2, np.int64)}
    with pytest.raises(
        cache.DamagedData, match="mnist-train: the content hash is .* these are not the official images"
    ):
        cache.write(folder, "mnist-train", wrong)
    assert not list(folder.iterdir())
    np.savez(folder / "mnist-train.npz", **wrong)
    with pytest.raises(cache.DamagedData, match="was altered: its content hash is .*, not d18cfd46"):
        sets.load("mnist")


def test_a_set_prepared_elsewhere_is_read_with_a_warning_until_its_hash_is_recorded(folder):
    path = folder / f"{PART}.npz"
    np.savez(path, **some())
    with pytest.warns(
        UserWarning, match="no hash is known to check it by; to record one: python -m paperlib.data stl10"
    ):
        sets.load("stl10")
    sha256 = cache.record(PART, COMMAND)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sets.load("stl10")
    assert cache.record(PART, COMMAND) == sha256
    change_a_label(path)
    with pytest.raises(cache.DamagedData, match="was altered"):
        cache.record(PART, COMMAND)


def test_celeba_s_layout_is_read(folder):
    values = np.array([[1, -1], [-1, -1], [1, 1]], np.int8)
    arrays = {
        "images": np.zeros((3, 64, 64, 3), np.uint8),
        "attributes": values,
        "names": np.array(["Bangs", "Smiling"]),
        "ids": np.arange(3),
    }
    cache.write(folder, "celeba64-test", arrays)
    images = sets.load("celeba", "test")
    assert images.attributes == ("Bangs", "Smiling") and images.labels is None
    assert images.values.tolist() == [[True, False], [False, False], [True, True]]
    with pytest.raises(cache.DamagedData, match="celeba64-test lacks ids, names"):
        cache.write(folder, "celeba64-test", {"images": arrays["images"], "attributes": values})
    with pytest.raises(cache.DamagedData, match="attributes, 1 names"):
        cache.write(folder, "celeba64-test", arrays | {"names": np.array(["Bangs"])})
    words = {"ids": np.array(["182638", "182639", "182640"])}  # prepared elsewhere, by the names of CelebA's files
    np.savez(folder / "celeba64-test.npz", **arrays | words)
    assert torch.equal(sets.load("celeba", "test").values, images.values)
    np.savez(folder / "celeba64-test.npz", **arrays | {"ids": np.array(["1", "2", "3b"])})
    with pytest.raises(cache.DamagedData, match="ids are .* not whole numbers"):
        sets.load("celeba", "test")


@pytest.mark.realdata
def test_real_faces_have_celeba_s_attributes():
    if cache.find("celeba64-test") is None:
        pytest.skip("celeba64-test is not on this machine: CelebA may not be passed on")
    faces = sets.load("celeba", "test")
    assert faces.shape == (3, 64, 64) and len(faces.attributes) == 40
    share = faces.attribute("Bangs").double().mean().item()
    assert 0.1 < share < 0.2  # 15 % of all 202,599 faces


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_real_sets_are_the_official_ones(name):
    count, shape, first = {
        "mnist": (60_000, (1, 28, 28), [5, 0, 4, 1, 9]),
        "cifar10": (50_000, (3, 32, 32), [6, 9, 9, 4, 1]),
    }[name]
    train, test = sets.load(name), sets.load(name, "test")  # both are compared with the known hashes
    assert (len(train), len(test)) == (count, 10_000) and train.shape == test.shape == shape
    assert train.labels[:5].tolist() == first
    assert {f"{name}-train", f"{name}-test"} <= cache.KNOWN_SHA256.keys()


def altered(**arrays):
    return some() | arrays


WRONG = {
    "labels are words": (altered(labels=np.array(list("abcdef"))), "labels are <U1"),
    "labels are fractions": (altered(labels=np.linspace(0, 1, 6)), "labels are float64"),
    "labels are one-hot": (altered(labels=np.eye(6, dtype=int)), r"labels are int64 \[6, 6\]"),
    "a label is negative": (altered(labels=np.arange(6) - 1), "the label -1 is negative"),
    "channels first": (altered(images=some()["images"].transpose(0, 3, 1, 2)), r"not uint8 \[N, H, W, 1 or 3\]"),
}


@pytest.mark.parametrize("name", WRONG)
def test_arrays_of_another_kind_are_refused_when_they_are_read_and_when_they_are_written(folder, name):
    arrays, words = WRONG[name]
    with pytest.raises(cache.DamagedData, match=words):
        cache.write(folder, PART, arrays)
    assert not list(folder.glob("[!.]*"))
    np.savez(folder / f"{PART}.npz", **arrays)
    with pytest.raises(cache.DamagedData, match=f"{PART}.npz: .*{words}.*Remove it, then run: {COMMAND}"):
        cache.read(PART, COMMAND)


def test_one_array_under_an_archives_name_is_damaged(folder):
    np.save(folder / "array.npy", some()["images"])
    (folder / "array.npy").rename(folder / f"{PART}.npz")
    with pytest.raises(cache.DamagedData, match="one array, and no archive"):
        cache.read(PART, COMMAND)


@pytest.mark.parametrize("text", ["", "no hash", "0123"])
def test_a_recorded_hash_that_is_none_is_named(folder, text):
    cache.write(folder, PART, some())
    (folder / f"{PART}.sha256").write_text(text)
    with pytest.raises(cache.DamagedData, match=f"{PART}.sha256 has no sha256 but"):
        cache.read(PART, COMMAND)
    (folder / f"{PART}.sha256").unlink()
    with pytest.warns(UserWarning, match="no hash is known"):
        cache.read(PART, COMMAND)
