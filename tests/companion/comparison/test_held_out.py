"""The observer of a search: it uses no image that the run learns from, and none of a report for its candidates."""

import pytest
import torch

from companion import bases
from companion.comparison import held_out
from companion.evaluation.observer import Observer
from companion.seeds import generator

TINY = {"n": 60, "evaluations": 4, "seed": 0}


def _bytes(images):
    return {bytes(one.flatten().tolist()) for one in images}


def _observer(base="digits-ddpm", forget="1", **settings):
    model = bases.load(base)
    return model, held_out.observer(model, base, forget, **TINY | settings)


def test_losses_are_of_images_that_the_run_does_not_learn_from(monkeypatch):
    monkeypatch.setattr(held_out, "OWN", 40)
    used, kept = held_out.parts("digits-ddpm")
    _, observer = _observer()
    assert torch.equal(observer.real.images, kept.images)
    assert not _bytes(used.images) & _bytes(kept.images)


def test_a_distance_is_from_the_base_models_own_samples_of_what_is_kept(monkeypatch):
    """They come from other noise than the candidates', none shows D_f, and their distance from themselves is 0."""
    monkeypatch.setattr(held_out, "OWN", 40)
    model, observer = _observer()
    assert 20 < len(observer.near) <= 40 and not observer.shown(observer.near).any()
    assert not _bytes(observer.near) & _bytes(observer.draw(model))
    assert observer.distance(observer.near).value == pytest.approx(0, abs=1e-3)


def test_the_rule_allows_a_multiple_of_the_distance_from_real_test_images(monkeypatch):
    monkeypatch.setattr(held_out, "OWN", 40)
    model, observer = _observer()
    images = observer.draw(model)
    value, (low, high) = held_out.from_real(observer, images)
    kept = images[~observer.shown(images)]
    test = Observer("digits", "1")
    assert value == test.distance(kept, generator(0, "course/held-out/bootstrap", "evaluation")).value
    assert low < value < high


@pytest.mark.realdata
@pytest.mark.parametrize(
    "base, forget, serve", [("mnist-ddpm", "1", True), ("digits-ddpm", "1", False), ("cifar10-ddpm", "airplane", True)]
)
def test_held_out_images_serve_where_the_classifier_sees_them_as_new_ones(base, forget, serve):
    """They serve if real test images are much nearer to them than the base model's samples are to test images; only
    such a set may be in ``ALIKE``."""
    model, kind = bases.load(base), bases.BASES[base]
    observer = Observer(kind.dataset, forget, real=held_out.parts(base)[1])
    new = Observer(kind.dataset, forget).retained.images[:400]
    apart = observer.distance(new, generator(0, "alike", "evaluation")).value
    looking = held_out.observer(model, base, forget, n=400, evaluations=10, seed=0)
    drawn, _ = held_out.from_real(looking, looking.draw(model))
    assert (apart < drawn / 2) == serve
    assert serve or kind.dataset not in held_out.ALIKE
