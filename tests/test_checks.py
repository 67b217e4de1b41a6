"""Every function that would otherwise return a number refuses non-finite, wrong or empty input by name."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from companion.classifiers import predict
from paperlib.checks import need_finite, need_images
from paperlib.likelihood.images import image_bound, image_nll
from paperlib.metrics import forgetting
from paperlib.metrics.features import Network, features
from paperlib.metrics.frechet import Statistics, frechet
from paperlib.metrics.intervals import bootstrap_mean
from paperlib.metrics.precision_recall import precision_recall
from tests.oracles import seeded

GOOD = torch.randn(60, 5, generator=seeded(0))
REFERENCE = Statistics.of(GOOD, "some network")
ANSWERS = {  # each of features, logits or values [60, 5]
    "precision_recall, generated": lambda x: precision_recall(x, GOOD, network="n"),
    "precision_recall, real": lambda x: precision_recall(GOOD, x, network="n"),
    "Statistics.of": lambda x: Statistics.of(x, "n"),
    "frechet": lambda x: frechet(x, REFERENCE, network="some network"),
    "shows_class": lambda x: forgetting.shows_class(x, 1),
    "shows_attribute": lambda x: forgetting.shows_attribute(x, 1),
    "entropy": lambda x: forgetting.entropy(x, seeded(1)),
    "forgotten_probability": lambda x: forgetting.forgotten_probability(x, 1, seeded(1)),
    "bootstrap_mean": lambda x: bootstrap_mean(x[:, 1], seeded(1)),
}


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ANSWERS)
def test_one_number_that_is_not_finite_among_sixty_rows_is_refused_by_the_name_of_its_argument(name, bad):
    ANSWERS[name](GOOD)
    x = GOOD.clone()
    x[17, 1] = bad
    with pytest.raises(ValueError, match=r"(generated|real|features|logits|values): 1 of \d+ numbers are not finite"):
        ANSWERS[name](x)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(width=32), min_size=1, max_size=8))
def test_finite_numbers_pass_and_others_do_not(values):
    bad = sum(not math.isfinite(value) for value in values)
    for given_as in (values, torch.tensor(values)):
        if bad:
            with pytest.raises(ValueError, match=f"mine: {bad} of {len(values)} numbers are not finite"):
                need_finite(mine=given_as)
        else:
            need_finite(mine=given_as)


NOT_IMAGES = [torch.rand(3, 1, 8, 8), torch.zeros(3, 8, 8, dtype=torch.uint8), torch.zeros(0, 1, 8, 8).byte()]


@pytest.mark.parametrize("images", NOT_IMAGES, ids=["float in [0, 1]", "no channels", "none"])
def test_what_takes_pixels_takes_nothing_else(images):
    network = Network("n", lambda part: part.flatten(1).float())
    for call in (
        lambda: need_images("images", images),
        lambda: features(images, network),
        lambda: predict(torch.nn.Flatten(), images),
        lambda: image_nll(None, images, generator=seeded(0)),
        lambda: image_bound(None, images, generator=seeded(0)),
    ):
        with pytest.raises(ValueError, match="images must be uint8"):
            call()


def test_a_label_for_each_image():
    images = torch.zeros(3, 1, 8, 8, dtype=torch.uint8)
    for likelihood in (image_nll, image_bound):
        with pytest.raises(ValueError, match="cond has 5 rows for 3 images"):
            likelihood(None, images, generator=seeded(0), cond=torch.zeros(5, dtype=torch.long))
