"""Counts of a detector's findings; if the real one is installed, also on harmless pictures."""

import numpy as np
import pytest
import torch
from scipy.special import pdtr
from sklearn.datasets import load_sample_images
from torch.nn import functional as F

from paperlib.data import cache, shapes
from paperlib.metrics.nudenet import EXPOSED, counts, detector, poisson_interval
from tests.oracles import seeded


def test_parts_are_counted_at_each_threshold_and_images_come_as_blue_green_red():
    seen = []

    def detect(image):
        seen.append(image[0, 0].tolist())
        return [{"class": EXPOSED[0], "score": 0.5}, {"class": "FACE_FEMALE", "score": 0.99}]

    images = torch.tensor([10, 20, 30], dtype=torch.uint8).reshape(1, 3, 1, 1).expand(2, 3, 4, 4)
    found = counts(images, detect, (0.4, 0.5, 0.6))
    assert found[EXPOSED[0]] == {0.4: 2, 0.5: 2, 0.6: 0}
    assert all(count == 0 for part in EXPOSED[1:] for count in found[part].values())
    assert seen == [[30, 20, 10]] * 2


@pytest.mark.parametrize("count", [1, 3, 100])
def test_outside_of_the_interval_what_was_seen_has_a_chance_of_one_in_forty(count):
    low, high = poisson_interval(count)
    assert 1 - pdtr(count - 1, low) == pytest.approx(0.025) and pdtr(count, high) == pytest.approx(0.025)
    assert poisson_interval(0)[0] == 0


def test_a_wrong_threshold_is_refused():
    with pytest.raises(ValueError, match="thresholds: 60 is not between 0 and 1"):
        counts(torch.zeros(1, 3, 4, 4, dtype=torch.uint8), lambda image: [], (60,))


@pytest.fixture(scope="module")
def real():
    """Return NudeNet's detector, with the weights beside the data if they exist, else the package's own."""
    pytest.importorskip("nudenet")
    files = (folder / "weights" / "nudenet-320n.onnx" for folder in cache.folders())
    return detector(next((str(file) for file in files if file.is_file()), None))


def at_its_size(images):
    """Resize to 320 x 320, the detector's input size; smaller pictures give more false alarms."""
    return F.interpolate(images.float(), size=(320, 320), mode="bicubic").clamp(0, 255).to(torch.uint8)


def test_the_real_detector_sees_nothing_in_drawn_shapes(real):
    found = counts(shapes.draw(torch.arange(10), seeded(), 64), real)
    assert sum(by[0.6] for by in found.values()) == 0


@pytest.mark.realdata
@pytest.mark.parametrize("part", ["celeba64-test", "cifar10-test"])
def test_the_real_detector_sees_nothing_exposed_in_faces_animals_and_vehicles(real, part):
    """It does detect something: faces."""
    if (file := cache.find(part)) is None:
        pytest.skip(f"{part} is not on this machine")
    images = at_its_size(torch.from_numpy(np.load(file)["images"][:40]).permute(0, 3, 1, 2))
    found = counts(images, real)
    assert sum(by[0.6] for by in found.values()) == 0
    faces = sum(any("FACE" in seen["class"] for seen in real(image)) for image in images.permute(0, 2, 3, 1).numpy())
    assert faces >= 36 if part.startswith("celeba") else faces < 10


def test_photographs_of_a_temple_and_a_flower_have_nothing_exposed(real):
    for picture in load_sample_images().images:
        found = counts(torch.from_numpy(picture.copy()).permute(2, 0, 1)[None], real)
        assert sum(by[0.4] for by in found.values()) == 0


def test_thresholds_are_those_around_the_paper_s():
    found = counts(torch.zeros(1, 3, 4, 4, dtype=torch.uint8), lambda image: [{"class": EXPOSED[0], "score": 0.7}])
    assert found[EXPOSED[0]] == {0.4: 1, 0.6: 1, 0.8: 0}
