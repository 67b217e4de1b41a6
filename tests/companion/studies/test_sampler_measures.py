from types import SimpleNamespace

import pytest

from companion.store import Store
from companion.studies.sampler_measures import distance, distances, reached, real_distance, reference
from paperlib.data import sets


def test_the_distance_of_the_test_images_from_themselves_is_zero():
    images, real = sets.load("digits", "test").images, reference("digits")
    assert distance(images, "digits", real).value == pytest.approx(0.0, abs=1e-6)


def test_fewer_real_images_are_further_away():
    # A Frechet distance is biased, less so for more images: a perfect model does not get zero.
    few, many = (real_distance("digits", n).value for n in (50, 1000))
    assert few > many > 0


def test_what_samplers_reach_is_a_mean_over_seeds_with_the_evaluations_spent(tmp_path):
    store, counts = Store(tmp_path), {"DDPM": [2], "Heun": [2, 4]}
    one, other, both = (
        distances(store, "digits-ddpm", counts, n=4, seeds=seeds) for seeds in ([0], [1], [0, 1])
    )  # fmt: skip
    assert [point["evaluations"] for point in both["Heun"]] == [1, 3]  # 2 n - 1, within the requested number
    for sampler, points in both.items():
        for a, b, mean in zip(one[sampler], other[sampler], points, strict=True):
            assert mean["distance"] == pytest.approx((a["distance"] + b["distance"]) / 2)
            assert a["distance"] != b["distance"] and 0 <= a["low"] <= a["distance"] <= a["high"]
    record = SimpleNamespace(series={"samplers": {"ddpm": both}})
    assert reached(record)["ddpm", "Heun", 3] == both["Heun"][1]["distance"]
