"""EraseDiff's measures and costs: the requested images, and that every evaluation is counted once."""

import dataclasses
import math

import pytest
import torch

from companion import bases
from companion.comparison.courses import Course
from companion.evaluation import features, report
from companion.evaluation.samples import drawn
from companion.models import base
from companion.plots.erasediff_cost import ratio
from companion.store import Store
from companion.studies.erasediff_cost import COUNTS, Until, passes, until
from companion.studies.erasediff_grids import obeyed, rows_by_class
from companion.studies.erasediff_measures import kept, moves, rows_of
from paperlib.metrics.features import INCEPTION, Network

DRAW = {"n": 27, "evaluations": 8, "sampler": "iPNDM", "guidance": 0.0, "seed": 0}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return dataclasses.replace(base("digits-ddpm-labels"), store=Store(tmp_path_factory.mktemp("store")))


def test_only_retained_classes_are_asked_for_and_held_against(model):
    subject = kept(model, "3", ("u-frechet",), reference_n=200, **DRAW)
    assert subject.all_classes(subject.checkpoint) == (0, 1, 2, 4, 5, 6, 7, 8, 9)
    labels = bases.images("digits", "train").labels[:200]
    real, words = subject.kept(torch.arange(200.0)[:, None], unlearned=True)
    assert real.flatten().tolist() == [k for k in range(200) if labels[k] != 3] and "200 images" in words


def test_what_is_not_inception_s_has_other_names(model):
    rows = list(rows_of(model, "3", networks=["classifier"], fid={}, forget_n=20, reference_n=200, **DRAW))
    names = {one.metric for one in rows}
    assert names == {"rest-frechet", "classifier precision", "classifier recall", "p_forget", "entropy"}
    assert {one.facts["sampler_evaluations"] for one in rows} == {8}


def test_inception_s_rows_have_the_printed_names_and_their_own_protocol(model, monkeypatch):
    network = Network(INCEPTION, lambda images: images.float().flatten(1)[:, ::8])
    monkeypatch.setattr(features, "inception", lambda device: network)
    monkeypatch.setattr(report, "_check_inception", lambda device: None)
    fid = {"n": 36, "reference": "test", "reference_n": 100}
    own = {"networks": ["classifier", "inception"], "fid": fid, "forget_n": 20, "reference_n": 200}
    rows = list(rows_of(model, "3", **own, **DRAW))
    theirs = {one.metric: one for one in rows if one.facts.get("feature_network") == INCEPTION}
    assert set(theirs) == {"fid", "perfect fid", "precision", "recall"} and {one.n for one in theirs.values()} == {36}
    assert "100 images of digits-test" in theirs["fid"].facts["reference"]
    (own,) = [one for one in rows if one.metric == "rest-frechet"]
    assert own.n == 27 and "200 images of digits-train" in own.facts["reference"]


def test_the_protocol_s_moves_share_their_images(model):
    told = {"features": "classifier", "reference": "test", "reference_n": 0, "sampler": "iPNDM", "seed": 0}
    found = moves(model, "3", steps=[8], guidances=[0.0, 1.0], ns=[18, 27], **told)
    assert [(one["guidance"], one["n"]) for one in found] == [(0, 18), (0, 27), (1, 18), (1, 27)]
    assert all(0.5 < one["shows"] <= 1 for one in found)
    assert found[0]["perfect"] == found[2]["perfect"] > found[1]["perfect"] == found[3]["perfect"] > 0
    assert [one["low"] < one["value"] < one["high"] for one in found if one["n"] == 27] == [True, True]


def test_the_grid_has_a_row_a_class_and_the_share_is_of_its_images(model):
    draw = DRAW | {"forget_n": 20}
    rows, words = rows_by_class([model, model], "3", 2, **draw), obeyed(model, "3", **draw)
    assert list(rows) == [str(k) for k in range(10)] == list(words)
    assert all(len(images) == 5 for images in rows.values())  # two, a gap, two
    subject = kept(model, "3", ("p-forget",), **draw)
    assert torch.equal(rows["0"][:2], drawn(subject.samples)[[0, 9]]) and words["3"]["n"] == 20


@pytest.mark.parametrize(
    ("method", "settings", "before", "each", "inner"),
    [
        ("salun", {"mask_rows": 8}, 2, 2, 0),
        ("selective_amnesia", {"fisher_samples": 2, "fisher_times": 4}, 2, 2, 0),
        ("erasediff", {"K": 3}, 0, 2, 3),
    ],
)
def test_every_evaluation_is_in_one_stage(tmp_path, method, settings, before, each, inner):
    facts = {"base": "digits-ddpm-labels", "forget": "3", "looks": (2,), "batch_size": 4, "lr": 1e-9, "n": 20}
    run = Course.checked(method=method, settings=settings, evaluations=8, **facts)
    found = until(Store(tmp_path), Until(run=run, each=1, n=20, steps=8))
    assert not found["reached"] and found["updates"] == 2
    assert (found["preparation"], found["inner"]) == (before, 2 * inner)
    assert found["evaluations"] == before + 2 * (each + inner)


def test_the_published_counts_are_those_of_the_codes():
    updates = {name: passes(stages["updates"]) for name, stages in COUNTS.items()}
    assert updates["salun"] / updates["erasediff"] == pytest.approx(1000 / 288)
    assert passes((3, 3)) == 4


def test_a_ratio_s_interval_is_one_on_the_logarithm():
    middle, low, high = ratio([2.0, 4.0, 8.0], [1.0, 1.0, 1.0])
    assert middle == pytest.approx(4) and low * high == pytest.approx(16)
    assert math.log(high / 4) == pytest.approx(4.302653 * math.log(2) / math.sqrt(3), rel=1e-5)
    assert ratio([6.0], [2.0]) == pytest.approx((3, 3, 3))
