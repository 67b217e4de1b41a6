import pytest

from companion.studies.sampler_measures import distance, real_distance, reference
from paperlib.data import sets


def test_the_distance_of_the_test_images_from_themselves_is_zero():
    images, real = sets.load("digits", "test").images, reference("digits")
    assert distance(images, "digits", real).value == pytest.approx(0.0, abs=1e-6)


def test_fewer_real_images_are_further_away():
    # The bias of a Frechet distance falls with the number of images: what a perfect model gets is no zero.
    few, many = (real_distance("digits", n).value for n in (50, 1000))
    assert few > many > 0
