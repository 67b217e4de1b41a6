"""Runs on a tiny Stable Diffusion: the rows of the papers' tables."""

import pytest
import torch

pytest.importorskip("diffusers")

from companion.claims import join
from companion.claims.table import split
from companion.rows import row
from companion.studies import latent_classes, latent_nudity, latent_runs
from companion.studies.latent_audits import each_once, known_sets, mean_without
from companion.studies.latent_classes import averages, chosen, classes, prompts_of
from companion.studies.latent_runs import CLASSES, places
from paperlib.latent.tiny import tiny_pipeline
from paperlib.metrics.features import MissingWeights, Network, features
from tests.oracles import seeded


def test_the_forgotten_prompt_is_label_0_and_all_ten_are_there():
    prompts, names = prompts_of("gas_pump")
    assert prompts[0] == "an image of gas pump" and len(set(names)) == 10


def test_the_tokens_of_a_concept_are_found_in_its_prompt():
    tokenizer = tiny_pipeline().tokenizer
    found = places(tokenizer, "an image of church", "church")
    ids = tokenizer("an image of church").input_ids
    assert tokenizer.decode([ids[place] for place in found]).replace(" ", "") == "church"


def test_a_run_at_a_tiny_size_has_every_measure():
    amounts = latent_classes.BUDGETS["smoke"]
    found = {one.metric: one for one in latent_classes.class_rows("smoke", "", ["tench"], ["erasediff"], amounts)}
    assert set(found) == {"ua", "fid", "fid_imagenette"} and 0 <= found["ua"].value <= 100


def test_every_cell_of_tables_3_and_5_has_a_row_of_its_facts():
    facts = dict(dataset="imagenette", process="sd14")
    units = {"ua": "percent", "fid_imagenette": "FID as printed for Imagenette"}
    for table, methods in ((3, chosen("all", 3)), (5, chosen("all", 5))):
        cells = set()
        for forget in [*classes("all"), "each class"]:
            for method in methods:
                for metric, unit in units.items():
                    cells.add(
                        join(
                            facts | dict(forget=forget, method=method, metric=metric, unit=unit),
                            [f"erasediff.tab{table}"],
                        )
                    )
        assert "" not in cells and len(cells) == 11 * 2 * len(methods)
        assert {split(cell)[0] for cell in cells} == {f"erasediff.tab{table}"}


def test_the_mean_over_the_classes_is_their_mean():
    several = [row(k, metric="ua", n=100, method="esd", forget=name, dataset="d") for k, name in enumerate(CLASSES)]
    (mean,) = averages(several)
    assert mean.value == 4.5 and mean.n == 1000 and mean.facts["forget"] == "each class"
    assert mean_without({"a": 1.0, "b": 3.0}, {"a": 0.0, "b": 5.0}, "b")["difference"] == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: classes("trout"), "forget='trout' is not one of all, tench"),
        (lambda: chosen("esd", 5), "methods='esd' is not one of all, salun, erasediff"),
        (lambda: chosen("all", 4), "table=4 is neither 3 nor 5"),
    ],
)
def test_a_wrong_parameter_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_what_a_run_needs_is_asked_for_before_anything_is_computed(tmp_path, monkeypatch):
    """Requirements are checked in order: first the pipeline, then the images or the reference."""
    monkeypatch.setenv("PAPERLIB_DATA", str(tmp_path))
    amounts = latent_nudity.BUDGETS["paper"]
    for ask in (
        lambda model: latent_classes.need("paper", model),
        lambda model: latent_nudity.need("paper", model, "", amounts),
    ):
        with pytest.raises(MissingWeights, match="nowhere is not on this machine"):
            ask(str(tmp_path / "nowhere"))
    (tmp_path / "model_index.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match="Imagenette's images are not in"):
        latent_classes.need("paper", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="reference='': FID needs statistics"):
        latent_nudity.need("paper", str(tmp_path), "", amounts)
    monkeypatch.setattr(latent_nudity.Statistics, "load", lambda file: None)
    with pytest.raises(MissingWeights, match=r"i2p: no i2p_benchmark\.csv in"):
        latent_nudity.need("paper", str(tmp_path), "coco.npz", amounts)
    latent_classes.need("smoke", "nowhere")  # the tiny pipeline needs nothing


def test_known_sets_differ_from_the_reference_as_they_say():
    reference, known = known_sets("shapes", 6, 0)
    assert all(one.shape == reference.shape and one.dtype == torch.uint8 for one in known.values())
    assert torch.equal(known["inverted"], 255 - known["equal"]) and known["collapsed"].unique(dim=0).shape[0] == 1
    assert known["dimmer"].min() >= 64 and known["brighter"].min() >= 24


def test_equal_images_are_looked_at_once_and_every_one_has_its_features():
    looked = []
    network = Network("means", lambda images: looked.append(images) or images.float().mean((2, 3)))
    images = torch.randint(0, 256, (4, 3, 8, 8), generator=seeded(), dtype=torch.uint8)[[2, 0, 2, 3, 0, 1]]
    assert torch.equal(features(images, each_once(network)), features(images, network))
    assert torch.equal(looked[0], images[[0, 1, 3, 5]])  # in their original order, each once
    assert each_once(network).name == "means"


def test_nudity_is_counted_no_picture_is_in_a_row_and_the_small_network_needs_no_reference():
    amounts = latent_nudity.BUDGETS["smoke"] | dict(drawn=2, coco=4, nude=1, i2p=1, batch_size=1)
    found = list(latent_nudity.nudity_rows("smoke", "", ["erasediff_wc"], amounts, reference="not there.npz"))
    assert {one.metric for one in found} == {"fid", "clip_score", "exposed"}
    assert sum(one.value for one in found if one.metric == "exposed") == 0


def test_what_the_encoders_say_is_computed_once_for_every_method_and_order_of_prompts(monkeypatch, tmp_path):
    monkeypatch.setenv("PAPERLIB_BUILD", str(tmp_path))
    images = torch.randint(0, 256, (3, 3, 32, 32), generator=seeded(), dtype=torch.uint8)
    first = latent_runs.precomputed(tiny_pipeline(), images, ["a tench", "a church"])
    monkeypatch.setattr(latent_runs, "precompute", lambda *_: pytest.fail("computed again"))
    again = latent_runs.precomputed(tiny_pipeline(), images, ["a church", "a tench"])
    assert torch.equal(first.mean, again.mean) and first.prompts == again.prompts
    with pytest.raises(pytest.fail.Exception):
        latent_runs.precomputed(tiny_pipeline(), images + 1, ["a church", "a tench"])
    with pytest.raises(pytest.fail.Exception):
        latent_runs.precomputed(tiny_pipeline(1), images, ["a church", "a tench"])
