"""Half an image as a prompt: the known half stays, and the numbers come from the classifier."""

import pytest
import torch
from scipy.stats import binomtest

from companion.classifiers import classifier, predict
from companion.store import Store
from companion.studies.inpainting import Inpainting, inpaint, originals, restored, results
from paperlib.data import sets
from paperlib.editing import half
from paperlib.nets.unet import UNet

KEPT = {"upper": (slice(0, 4), slice(None)), "lower": (slice(4, 8), slice(None))}
KEPT |= {"left": (slice(None), slice(0, 4)), "right": (slice(None), slice(4, 8))}
TINY = {"forget": "3,7", "side": "retain", "n": 12, "steps": 5}


def wanted(**changes):
    return Inpainting.checked(**TINY | changes)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("store"))


CASES = [
    ("digits-ddpm", {"known": "lower", "way": "replacement"}),
    ("digits-ddpm", {"known": "left", "way": "repaint", "resamples": 2}),
    ("digits-ve", {"known": "upper", "way": "repaint", "resamples": 1, "side": "forget"}),
    ("digits-ve", {"known": "right", "way": "replacement", "corrections": 0}),
    ("digits-ddpm-labels", {"side": "forget", "corrections": 2}),
]


@pytest.mark.parametrize("base, changes", CASES, ids=[f"{base}-{len(one)}" for base, one in CASES])
def test_the_known_half_is_the_originals_to_the_bit_and_the_accuracy_the_classifiers(base, changes, store):
    setting = wanted(**changes)
    data, entry = originals("digits", setting), inpaint(store, base, setting)
    images, found = restored(entry), results(entry)
    known = KEPT[setting.known]
    assert images.shape == data.images.shape == (12, 1, 8, 8) and images.dtype == torch.uint8
    assert torch.equal(images[..., *known], data.images[..., *known])
    hidden = ~half((1, 8, 8), setting.known)
    assert (images != data.images)[:, hidden].float().mean() > 0.3
    judge = classifier("digits")
    hits, clean = (int((predict(judge, x).argmax(1) == data.labels).sum()) for x in (images, data.images))
    assert found["accuracy"] == pytest.approx(100 * hits / 12) and found["clean"] == pytest.approx(100 * clean / 12)
    interval = binomtest(hits, 12).proportion_ci(method="wilson")
    assert found["interval"] == pytest.approx([100 * interval.low, 100 * interval.high])
    assert found["n"] == 12 and found["seconds"] > 0


@pytest.mark.parametrize("changes, each", [({"corrections": 0}, 1), ({"corrections": 2}, 3)])
def test_evaluations_are_counted_by_the_network(changes, each, store, monkeypatch):
    rows, forward = [], UNet.forward

    def counted(self, x, *inputs):
        rows.append(len(x))
        return forward(self, x, *inputs)

    monkeypatch.setattr(UNet, "forward", counted)
    found = results(inpaint(store, "digits-ddpm", wanted(seed=7, **changes)))
    assert found["evaluations"] == len(rows) == 5 * each and set(rows) == {12}


def test_originals_come_from_all_classes_of_a_side_in_turn():
    kept = [0, 1, 2, 4, 5, 6, 8, 9]
    assert originals("digits", wanted()).labels.tolist() == (kept + kept)[:12]
    assert originals("digits", wanted(side="forget", n=5)).labels.tolist() == [3, 7, 3, 7, 3]
    test = sets.load("digits", "test")
    assert torch.equal(originals("digits", wanted()).images[0], test.images[test.labels == 0][0])
    assert len(originals("digits", wanted(n=10_000))) == int((~torch.isin(test.labels, torch.tensor([3, 7]))).sum())


def test_a_seed_draws_other_halves_and_the_same_one_is_found_again(store, monkeypatch):
    first, other = (restored(inpaint(store, "digits-ddpm", wanted(seed=seed))) for seed in (0, 1))
    assert not torch.equal(first, other)
    monkeypatch.setattr(UNet, "forward", None)
    assert torch.equal(restored(inpaint(store, "digits-ddpm", wanted())), first)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"side": "all"}, "side='all' is not one of retain, forget"),
        ({"known": "middle"}, "known='middle' is not one of upper, lower, left, right"),
        ({"way": "magic"}, "way='magic' is not one of replacement, repaint"),
        ({"n": 1}, "n=1 is not allowed"),
        ({"resamples": 0}, "resamples=0 is not allowed"),
    ],
)
def test_wrong_settings_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wanted(**wrong)
