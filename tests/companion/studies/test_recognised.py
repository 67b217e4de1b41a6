import pytest
import torch

from companion import bases, classifiers
from companion.evaluation.samples import drawn
from companion.models import base
from companion.noisy_classifiers import noisy_classifier
from companion.studies.negation import look
from companion.studies.recognised import recognised, surely
from paperlib.data.images import model_input
from paperlib.data.splits import split


def test_without_noise_it_is_the_classifiers_recall_and_its_false_alarms():
    test, network = bases.images("digits", "test"), noisy_classifier("digits")
    (row,) = recognised("digits", "3,7", n=10_000, levels=(1e-3,))
    for side, name in (("forget", "hit"), ("retain", "false")):
        with torch.no_grad():
            classes = network(model_input(getattr(split(test, "3,7"), side).images), torch.tensor(1e-3).log()).argmax(1)
        assert abs(row[name] - torch.isin(classes, torch.tensor([3, 7])).double().mean().item()) < 0.01


def test_more_noise_leaves_less_to_recognise():
    rows = recognised("digits", "1", n=200, levels=(0.5, 2.0, 20.0))
    hits = [row["hit"] for row in rows]
    assert hits[0] > 0.95 and hits[0] > hits[1] > hits[2] and hits[2] < 0.1
    assert rows[0]["false"] < 0.01


def test_both_judges_have_to_be_sure():
    subject = look(base("digits-ddpm"), "3,7", n=40, evaluations=8, seed=0)
    seen = []
    for name in ("digits", "digits-judge"):
        shares = classifiers.predict(classifiers.classifier(name), drawn(subject.samples)).softmax(1)
        seen.append(shares[:, 3] + shares[:, 7])
    for above in (0.5, 0.95):
        wanted = ((seen[0] > above) & (seen[1] > above)).float().mean().item()
        assert surely(subject, above).value == pytest.approx(100 * wanted)
    assert surely(subject).value > 0 and surely(subject).details["floor"] < 1
