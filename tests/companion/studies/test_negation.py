import pytest
import torch

from companion import bases, classifiers
from companion.evaluation.samples import drawn
from companion.models import base
from companion.noisy_classifiers import noisy_classifier
from companion.page import recorded
from companion.seeds import generator
from companion.studies.negation import look, measures, nearest, others
from companion.studies.pulls import compared_pulls
from paperlib.data.images import to_uint8
from paperlib.negation import Without
from paperlib.sampling import ipndm, sample


def test_a_negated_models_samples_begin_at_the_noise_of_its_own():
    model = base("digits-ddpm")
    own, negated = (look(model, "1", n=20, evaluations=5, seed=3, w=w) for w in (0.0, 2.0))
    network = bases.load("digits-ddpm")
    noise = network.process.prior_std() * torch.randn(20, 1, 8, 8, generator=generator(3, "evaluation/0", "noise"))
    for asked, by in ((own, network), (negated, Without(network, noisy_classifier("digits"), (1,), 2.0))):
        x = sample(by, noise.shape, noise=noise, sampler=ipndm, steps=5, generator=torch.Generator()).x
        assert torch.equal(drawn(asked.samples), to_uint8(x))


def test_both_judges_count_the_same_samples():
    subject = look(base("digits-ddpm"), "0", n=40, evaluations=8, seed=0)
    found, images = measures(subject), drawn(subject.samples)
    for metric, name in {"ur": "digits", "ur by the judge": "digits-judge"}.items():
        shown = classifiers.predict(classifiers.classifier(name), images).argmax(1) == 0
        assert found[metric].value == pytest.approx(100 * shown.float().mean().item())


def test_the_nearest_training_image_of_a_training_image_is_itself():
    train = bases.images("digits", "train").images
    assert torch.equal(nearest(train[5:8], "digits"), train[5:8])


def test_others_are_those_of_the_same_task_in_units_of_its_base_model():
    record = recorded("compare_all_methods")
    found = {one["method"]: one for one in others("mnist-ddpm", "1")}
    rest = {one.method: one.value for one in record.all(metric="distance")}
    assert found["salun"]["rest"] == pytest.approx(rest["salun"] / rest["before"]) and "retrained" not in found
    assert others("mnist-ddpm", "8") == others("mnist-ve", "1") == []


def test_the_training_sets_own_pull_has_the_classifiers_direction_among_forgotten_digits():
    rows = compared_pulls(base("digits-ddpm"), "1", levels=(2.0,), n=30, seed=0)
    assert [row["side"] for row in rows] == ["forget", "retain"]
    assert rows[0]["cosine"] > 0.5 and 0.5 < rows[0]["w"] < 1.5 and rows[0]["exact"] > rows[1]["exact"]
