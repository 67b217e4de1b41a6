"""Each real set from tiny files in its official layout, through torchvision's own loader, without a network."""

import gzip
import hashlib
import pickle
import socket
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision.datasets as tv
from PIL import Image

from paperlib.data import cache, sets, sources
from paperlib.data.__main__ import main

RNG = np.random.default_rng(0)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Make a data folder without network access and without official hashes, for tiny sets."""

    def offline(*_args, **_kwargs):
        raise OSError("no network")

    monkeypatch.setattr(socket, "getaddrinfo", offline)
    monkeypatch.setattr(socket.socket, "connect", offline)
    monkeypatch.setattr(cache, "KNOWN_SHA256", {})
    monkeypatch.setenv("PAPERLIB_DATA", str(tmp_path))
    return tmp_path


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def pixels(*shape: int) -> np.ndarray:
    return RNG.integers(256, size=shape, dtype=np.uint8)


def mnist(folder, monkeypatch):
    """Write gzipped idx files: magic number, sizes as big-endian int32, bytes."""
    raw, made, resources = folder / "MNIST" / "raw", {}, []
    raw.mkdir(parents=True)
    for part, stem, n in (("train", "train", 7), ("test", "t10k", 5)):
        images, labels = pixels(n, 28, 28), RNG.integers(10, size=n, dtype=np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
            path = raw / f"{stem}-{kind}-ubyte.gz"
            path.write_bytes(gzip.compress(header + array.tobytes()))
            resources.append((path.name, md5(path)))
        made[part] = (images[:, None], labels)
    monkeypatch.setattr(tv.MNIST, "resources", resources)
    return made


def cifar10(folder, monkeypatch):
    """Write pickles into the official archive: rows of 3072 bytes, the red, green and blue planes in turn."""
    base, made = folder / "cifar-10-batches-py", {"train": [], "test": []}
    base.mkdir()
    names = [f"data_batch_{k}" for k in range(1, 6)] + ["test_batch"]
    for name in names:
        images, labels = pixels(3, 3, 32, 32), RNG.integers(10, size=3).tolist()
        (base / name).write_bytes(pickle.dumps({"data": images.reshape(3, 3072), "labels": labels}))
        made["test" if name == "test_batch" else "train"].append((images, labels))
    (base / "batches.meta").write_bytes(pickle.dumps({"label_names": list(sources.SOURCES["cifar10"].classes)}))
    sums = {name: md5(base / name) for name in [*names, "batches.meta"]}
    monkeypatch.setattr(tv.CIFAR10, "train_list", [[name, sums[name]] for name in names[:5]])
    monkeypatch.setattr(tv.CIFAR10, "test_list", [["test_batch", sums["test_batch"]]])
    monkeypatch.setattr(tv.CIFAR10, "meta", tv.CIFAR10.meta | {"md5": sums["batches.meta"]})
    archive = folder / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(base, base.name)
    for path in sorted(base.iterdir()):
        path.unlink()
    base.rmdir()  # a download leaves only the archive
    monkeypatch.setattr(tv.CIFAR10, "tgz_md5", md5(archive))
    return {part: tuple(np.concatenate(list(column)) for column in zip(*rows)) for part, rows in made.items()}


def stl10(folder, monkeypatch):
    """Write binary files: images column by column, one plane per colour; labels start at 1."""
    base, made, sums = folder / "stl10_binary", {}, {}
    base.mkdir()
    for part, n in (("train", 4), ("test", 3)):
        images, labels = pixels(n, 3, 96, 96), RNG.integers(10, size=n, dtype=np.uint8)
        (base / f"{part}_X.bin").write_bytes(images.transpose(0, 1, 3, 2).tobytes())
        (base / f"{part}_y.bin").write_bytes((labels + 1).tobytes())
        made[part] = (images, labels)
    (base / "unlabeled_X.bin").write_bytes(pixels(2, 3, 96, 96).tobytes())
    (base / "class_names.txt").write_text("\n".join(sources.SOURCES["stl10"].classes))
    sums = {path.name: md5(path) for path in base.glob("*.bin")}
    for name in ("train_list", "test_list"):
        monkeypatch.setattr(tv.STL10, name, [[file, sums[file]] for file, _ in getattr(tv.STL10, name)])
    return made


NAMES = [f"Attribute_{k}" for k in range(39)] + ["Bangs"]


def celeba(folder, monkeypatch):
    """Write JPEGs of 178 x 218 and text files: attributes with a count and a header, and partitions 0, 1, 2."""
    base, n, made = folder / "celeba", 9, {}
    (base / "img_align_celeba").mkdir(parents=True)
    files, partition = [f"{k + 1:06}.jpg" for k in range(n)], [0, 0, 0, 0, 1, 1, 2, 2, 2]
    values = RNG.integers(2, size=(n, 40)) * 2 - 1
    greys = RNG.integers(256, size=n)
    for file, grey in zip(files, greys):
        Image.new("RGB", (178, 218), (int(grey),) * 3).save(base / "img_align_celeba" / file)
    texts = {
        "list_attr_celeba.txt": [str(n), " ".join(NAMES) + " "],
        "list_bbox_celeba.txt": [str(n), "image_id x_1 y_1 width height"],
        "list_landmarks_align_celeba.txt": [str(n), "lefteye_x lefteye_y"],
        "identity_CelebA.txt": [],
        "list_eval_partition.txt": [],
    }
    for row, file in enumerate(files):
        texts["list_attr_celeba.txt"].append(f"{file} " + " ".join(f"{value:2d}" for value in values[row]))
        texts["list_bbox_celeba.txt"].append(f"{file}    1   2  3  4")
        texts["list_landmarks_align_celeba.txt"].append(f"{file} 1  2")
        texts["identity_CelebA.txt"].append(f"{file} {row}")
        texts["list_eval_partition.txt"].append(f"{file} {partition[row]}")
    for name, lines in texts.items():
        (base / name).write_text("\n".join(lines) + "\n")
    sums = {name: md5(base / name) for name in texts}
    listed = [(key, sums.get(name, "no zip"), name) for key, _, name in tv.CelebA.file_list]
    monkeypatch.setattr(tv.CelebA, "file_list", listed)
    for number, part in enumerate(("train", "valid", "test")):
        rows = [k for k in range(n) if partition[k] == number]
        images = np.broadcast_to(greys[rows, None, None, None], (len(rows), 3, 64, 64)).astype(np.uint8)
        made[part] = (images, values[rows] > 0)
    return made


WNIDS = sorted(tv.Imagenette._WNID_TO_CLASS)


def imagenette(folder, monkeypatch):
    """Write one folder per class, named by its WordNet id, with JPEGs whose shorter side is 160."""
    made = {}
    for part, official in (("train", "train"), ("test", "val")):
        greys = []
        for number, wnid in enumerate(WNIDS):
            (folder / "imagenette2-160" / official / wnid).mkdir(parents=True)
            for k, size in enumerate([(160, 213), (240, 160)][: 2 if part == "train" else 1]):
                grey = int(RNG.integers(256))
                path = folder / "imagenette2-160" / official / wnid / f"{wnid}_{k}.JPEG"
                Image.new("L" if number == 3 else "RGB", size, grey if number == 3 else (grey,) * 3).save(path)
                greys.append((grey, number))
        values, labels = np.array(greys).T
        made[part] = (np.broadcast_to(values[:, None, None, None], (len(values), 3, 64, 64)).astype(np.uint8), labels)
    return made


OFFICIAL = {"mnist": mnist, "cifar10": cifar10, "stl10": stl10, "celeba": celeba, "imagenette": imagenette}
TOLERANCE = {"celeba": 2, "imagenette": 2}  # JPEG


def test_every_source_is_tried():
    assert OFFICIAL.keys() == sources.SOURCES.keys()


@pytest.mark.parametrize("name", OFFICIAL)
def test_official_files_become_a_cache_that_is_read(name, folder, monkeypatch, capsys):
    made = OFFICIAL[name](folder, monkeypatch)
    assert main([name]) == 0
    assert "preparing it in" in capsys.readouterr().out
    for part, (images, target) in made.items():
        read = sets.load(name, part)
        assert (read.images.int() - torch.from_numpy(images).int()).abs().max() <= TOLERANCE.get(name, 0)
        assert torch.equal(read.target, torch.from_numpy(np.asarray(target)).to(read.target.dtype))
    assert set(made) == set(sets.parts(name))
    assert main([name]) == 0
    assert "is there, content" in capsys.readouterr().out


def test_class_names_are_those_of_torchvision():
    ours = {name: source.classes for name, source in sources.SOURCES.items()}
    assert [name.split(" - ")[0] for name in tv.MNIST.classes] == list(ours["mnist"])
    assert [tv.Imagenette._WNID_TO_CLASS[wnid][0] for wnid in WNIDS] == list(ours["imagenette"])
    assert ours["celeba"] == () and len(ours["stl10"]) == len(ours["cifar10"]) == 10


def test_celeba_keeps_names_and_ids(folder, monkeypatch):
    celeba(folder, monkeypatch)
    main(["celeba"])
    arrays = cache.read("celeba64-test", "")
    assert arrays["names"].tolist() == NAMES and arrays["ids"].tolist() == [7, 8, 9]
    assert arrays["attributes"].dtype == np.int8 and set(np.unique(arrays["attributes"])) == {-1, 1}
    assert sets.load("celeba", "test").attribute("Bangs").dtype == torch.bool


def test_images_are_cropped_to_their_central_square_before_they_are_resized(folder, monkeypatch):
    imagenette(folder, monkeypatch)
    wide = np.zeros((160, 240, 3), np.uint8)
    wide[:, :30], wide[:, 210:], wide[:, 45:195] = 255, 255, 100  # white only well outside the square
    path = folder / "imagenette2-160" / "val" / WNIDS[0] / f"{WNIDS[0]}_0.JPEG"
    Image.fromarray(wide).save(path, quality=95)
    main(["imagenette"])
    image = sets.load("imagenette", "test").images[0]
    assert image.max() < 130 and (image[:, :, 5:-5].int() - 100).abs().max() <= 3


@pytest.mark.parametrize("name", OFFICIAL)
def test_without_a_network_the_error_names_set_folder_and_command(name, folder, capsys):
    assert main([name]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {name}: ") and str(folder) in error
    assert f"python -m paperlib.data {name}" in error or "pip install gdown" in error
    assert not list(folder.glob("*.npz"))


def test_one_set_that_fails_does_not_stop_the_next(folder, monkeypatch, capsys):
    mnist(folder, monkeypatch)
    assert main(["cifar10", "mnist"]) == 1
    assert (folder / "mnist-test.npz").is_file() and "error: cifar10" in capsys.readouterr().err


def test_tiny_images_are_not_the_official_set(folder, monkeypatch, capsys):
    mnist(folder, monkeypatch)
    monkeypatch.setattr(cache, "KNOWN_SHA256", {"mnist-train": "0" * 64})
    assert main(["mnist"]) == 1
    assert "these are not the official images" in capsys.readouterr().err
    assert not list(folder.glob("*.npz"))


@pytest.mark.parametrize(
    "name, file", [("mnist", "MNIST/raw/train-images-idx3-ubyte.gz"), ("stl10", "stl10_binary/train_X.bin")]
)
def test_a_truncated_official_file_is_refused(name, file, folder, monkeypatch, capsys):
    OFFICIAL[name](folder, monkeypatch)
    (folder / file).write_bytes((folder / file).read_bytes()[:-50])
    assert main([name]) == 1
    error = capsys.readouterr().err
    assert f"error: {name}: " in error and f"a file in {(folder / file).parent} was cut short, remove" in error


def test_a_file_that_was_unpacked_and_then_cut_is_not_blamed_on_the_network_alone(folder, monkeypatch, capsys):
    mnist(folder, monkeypatch)
    main(["mnist"])  # leaves the unpacked files, which torchvision uses without checking
    for made in folder.glob("mnist-*.npz"):
        made.unlink()
    cut = folder / "MNIST" / "raw" / "t10k-images-idx3-ubyte"
    cut.write_bytes(cut.read_bytes()[:100])
    assert main(["mnist"]) == 1
    assert f"a file in {cut.parent} was cut short, remove that folder" in capsys.readouterr().err
    assert not (folder / "mnist-test.npz").exists()


def test_a_truncated_photograph_is_refused_by_its_number(folder, monkeypatch, capsys):
    celeba(folder, monkeypatch)
    path = folder / "celeba" / "img_align_celeba" / "000002.jpg"
    path.write_bytes(path.read_bytes()[:300])
    assert main(["celeba"]) == 1
    assert "celeba64-train: image 1 cannot be read" in capsys.readouterr().err


def test_an_unknown_set_is_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit):
        main(["lsun"])
    assert "mnist" in capsys.readouterr().err
