"""What a classifier's logits show, for classes and for attributes."""

import pytest
import torch

from companion.bases import images
from companion.classifiers import classifier, predict
from companion.evaluation.judge import right, shows
from paperlib.data import sets
from paperlib.data.splits import forgotten


def certain(data):
    """Return the logits of a classifier that knows the true classes."""
    return torch.nn.functional.one_hot(data.labels, 10) if data.labels is not None else data.values.float() - 0.5


@pytest.mark.parametrize(
    ("name", "forget"),
    [
        *(("digits", forget) for forget in ("3", "3,7")),
        *(("avatars", forget) for forget in ("bangs", "not bangs", "bangs,hat")),
    ],
)
def test_who_knows_the_data_shows_what_is_forgotten_and_is_right(name, forget):
    data = sets.load(name, "test", n=200)
    assert torch.equal(shows(certain(data), data, forget), forgotten(data, forget))
    assert right(certain(data), data, forget).all()
    assert not right(-certain(data).float(), data, forget).any()


def test_only_the_attributes_named_have_to_be_right():
    data = sets.load("avatars", "test", n=50)
    logits = certain(data)
    logits[:, data.attributes.index("hat")] *= -1
    assert right(logits, data, "bangs").all() and not right(logits, data, "bangs,hat").any()


def test_an_unknown_attribute_is_named():
    data = sets.load("avatars", "test", n=5)
    with pytest.raises(ValueError, match="has no attribute 'nose'; valid: bangs, glasses"):
        shows(certain(data), data, "nose")


@pytest.mark.parametrize("name", ["shapes", "avatars"])
def test_the_classifier_of_a_drawn_set_sees_images_at_the_models_size(name):
    """At the models' image size the lower end of Wilson's interval is above 97 % (the cards have 99.6 % or more)."""
    data = images(name, "test").only(torch.arange(400))
    own, network = data.resized(32), classifier(name)
    logits = predict(network, data.images)
    hits = logits.argmax(1) == data.labels if data.labels is not None else right(logits, data, "bangs")
    assert hits.double().mean() > 0.97
    assert torch.equal(predict(network, own.images), predict(network.network, own.images))  # its own size: unchanged
