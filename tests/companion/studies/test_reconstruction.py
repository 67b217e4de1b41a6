"""Reconstruction: the same noise level on every process, nearly all of an image at low noise, little at high noise."""

import pytest
import torch

from companion import claims
from companion.models import Model
from companion.store import Store
from companion.studies.reconstruction import Reconstruction, accuracy, feature_distance, level, originals, returned
from paperlib.processes import VP

ASKED = {"n": 12, "steps": 8, "seed": 0}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return Model("digits-ve", store=Store(tmp_path_factory.mktemp("store")))


def test_the_level_of_vp_at_the_paper_s_time_by_hand():
    """The integral of beta to 0.02 is 0.1 * 0.02 + 19.9 / 2 * 0.02^2 = 0.00598; (sigma / alpha)^2 = e^0.00598 - 1."""
    assert level(0.02) == pytest.approx(0.07745, rel=1e-3)
    assert level(0.5) == pytest.approx((VP().sigma(torch.tensor(0.5)) / VP().alpha(torch.tensor(0.5))).item(), rel=1e-5)


def test_little_noise_gives_the_image_back_and_much_noise_another(model):
    rows = [feature_distance(model, "3,7", "D_f", t=t, **ASKED) for t in (0.005, 0.9)]
    assert rows[0].value < rows[1].value / 3
    assert accuracy(model, "3,7", "D_f", t=0.005, **ASKED).value > 80
    wanted = Reconstruction(forget="3,7", side="forget", t=0.005, **ASKED)
    before, after = originals("digits", wanted).images.int(), returned(model, wanted).int()
    assert before.shape == after.shape and (before - after).abs().float().mean() < 8  # of 255


def test_the_latent_way_comes_back_near_the_image(model):
    near, far = (feature_distance(model, "3,7", "D_g", t=t, way="latent", **ASKED) for t in (0.005, 0.9))
    assert near.value < far.value and near.facts["way"] == "latent"


@pytest.mark.parametrize(
    ("t", "way", "cell"),
    [(0.02, "image", "sgu.tab4_accuracy/cifar10/D_f/standard"), (0.02, "latent", ""), (0.1, "image", "")],
)
def test_only_the_text_s_reading_at_its_time_is_a_printed_cell(t, way, cell, model):
    found = accuracy(model, "3,7", "D_f", t=t, way=way, **ASKED)
    assert found.facts["t"] == t and found.n == 12 and not {"alpha", "updates"} & found.facts.keys()
    there = {"dataset": "cifar10", "process": "vp", "forget": "automobile,dog"}
    facts = {**found.facts, "metric": found.metric, "unit": found.unit, **there}
    assert claims.join(facts, ["sgu.tab4_accuracy", "sgu.tab4_clip"]) == cell


@pytest.mark.parametrize(("wrong", "message"), [({"t": 1.5}, "t=1.5"), ({"way": "pixel"}, "way='pixel' is not one of")])
def test_what_is_no_way_is_refused(wrong, message, model):
    with pytest.raises(ValueError, match=message):
        accuracy(model, "3,7", "D_f", **ASKED | wrong)
