"""Captions describe the images, each kind in its own words."""

import colorsys

import pytest
import torch

from paperlib.data import captions, shapes
from paperlib.data.captions import COLOURS, KINDS, LENGTH, Captioned, caption, split_words, tokens
from tests.oracles import seeded


def test_a_caption_is_plain_language():
    assert caption(0, "red") == "a red disc" and caption(8) == "an arrow"
    assert caption(0, "red", "german") == "Scheibe in rot" and caption(3, "green", "french") == "étoile en vert"


def test_no_two_things_are_said_alike_and_all_fit():
    said = {}
    for kind in KINDS:
        for label in range(10):
            said.setdefault(caption(label, "red", kind), set()).add(label)
    assert all(len(labels) == 1 for labels in said.values())
    assert all(len(split_words(text)) <= LENGTH for text in said)


def test_a_paraphrase_shares_no_word_with_the_name():
    for label, name in enumerate(shapes.CLASSES):
        assert name not in split_words(caption(label, None, "paraphrase"))


def test_tokens_tell_captions_apart_and_a_strange_word_is_unknown():
    first, second, strange = tokens(["a red disc", "a red ring", "a red zebra"])
    assert first[:2].tolist() == second[:2].tolist() and first[2] != second[2] and strange[2] == 1
    with pytest.raises(ValueError, match="has 11 words; a caption has 10 at most"):
        tokens(["a " * 11])


def test_a_shape_has_its_captions_colour():
    data = captions.sample(200, seeded(), 24)
    squares = data.labels == 1
    hues = [colorsys.rgb_to_hsv(*pixel)[0] for pixel in (data.images[squares, :, 12, 12] / 255).tolist()]
    wanted = torch.tensor([hue for hue, *_ in COLOURS.values()])[data.colours[squares]]
    apart = (torch.tensor(hues) - wanted).abs()
    assert len(hues) > 10 and torch.minimum(apart, 1 - apart).max() < 0.05


def test_a_batch_has_images_in_range_and_the_place_of_a_caption_that_is_true():
    data = Captioned(*(one[:1] for one in vars(captions.sample(5, seeded())).values()))
    x, said = data.batch(300, seeded(1))
    assert x.shape == (300, 3, 12, 12) and -1 <= x.min() and x.max() < 1
    label, colour = int(data.labels), list(COLOURS)[int(data.colours)]
    true = {caption(label, one, kind) for kind in KINDS for one in (None, colour)}
    assert {captions.every()[place] for place in said.tolist()} == true


@pytest.mark.parametrize(("settings", "message"), [({"kind": "dutch"}, "kind='dutch'"), ({"colour": "pink"}, "pink")])
def test_an_unknown_word_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        caption(0, **settings)
