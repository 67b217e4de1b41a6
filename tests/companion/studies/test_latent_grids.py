"""The grids of EraseDiff's Figures 12 to 18: columns, lines, and the noise that both halves share."""

import matplotlib
import pytest
import torch

pytest.importorskip("diffusers")

from companion import page, plots
from companion.seeds import generator
from companion.studies import latent_classes, latent_nudity, latent_runs
from companion.studies.latent_grids import Pair, columns, first_of_each, harmless
from paperlib.latent.pipeline import denoiser
from paperlib.latent.tiny import tiny_pipeline
from paperlib.sampling import prior
from tests.oracles import seeded

matplotlib.use("Agg")


def same(pipeline, method, prompts, *_, **__):
    """Stand in for a method that forgets nothing."""
    return denoiser(pipeline, prompts)


def spoilt(pipeline, method, prompts, *_, **__):
    """Stand in for a method that sets the pipeline's own weights to zero."""
    for weight in pipeline.unet.parameters():
        weight.data.zero_()
    return denoiser(pipeline, prompts)


@pytest.fixture
def unchanged(monkeypatch):
    monkeypatch.setattr(latent_runs, "forgotten_by_prompt", same)


def numbered(prompts, lines):
    """Return a pair whose k-th image has the value k before, and 100 + k after."""
    before = torch.arange(lines * len(prompts), dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 4, 4)
    return Pair(prompts, before, before + 100)


def test_a_grid_shows_the_first_images_of_each_prompt_line_by_line():
    labels = torch.arange(3).repeat_interleave(5)
    shown = first_of_each(3, n=5, lines=2)
    assert labels[shown].tolist() == [0, 1, 2, 0, 1, 2] and shown.tolist() == [0, 5, 10, 1, 6, 11]
    assert first_of_each(3, n=1, lines=2).tolist() == [0, 1, 2]


def test_some_images_start_from_the_noise_that_they_have_among_all():
    pipeline, labels, only = tiny_pipeline(), torch.tensor([0, 1, 1, 0, 1]), torch.tensor([3, 1])
    model = denoiser(pipeline, ["a house", "a garden"])
    how = dict(evaluations=2, seed=3, batch=1)
    every = latent_runs.draw_images(pipeline, model, labels, **how)
    assert torch.equal(latent_runs.draw_images(pipeline, model, labels, only=only, **how), every[only])
    assert len(every.unique(dim=0)) == 5


def test_all_images_start_from_the_priors_noise_of_the_seed(monkeypatch):
    starts, batches = [], latent_runs.sample_batches
    monkeypatch.setattr(
        latent_runs, "sample_batches", lambda *a, **how: starts.append(how["noise"]) or batches(*a, **how)
    )
    pipeline = tiny_pipeline()
    model = denoiser(pipeline, ["a house"])
    latent_runs.draw_images(pipeline, model, torch.zeros(3, dtype=torch.long), evaluations=1, seed=4)
    draws = generator(4, "latent_runs/samples", "noise")
    assert torch.equal(starts[0], prior(model, (3, *model.net.shape), draws))


def test_a_class_s_grid_has_the_forgotten_class_first_and_both_halves_from_the_same_noise(unchanged):
    """An unchanged model generates the same images, since noise and prompts are the same."""
    pairs, amounts = {}, latent_classes.BUDGETS["smoke"] | {"n": 3}
    list(latent_classes.class_rows("smoke", "", ["church", "tench"], ["esd", "salun"], amounts, pairs=pairs))
    assert list(pairs) == ["esd", "salun"]
    for pair in pairs.values():
        assert pair.prompts[0] == "church" and sorted(pair.prompts) == sorted(latent_classes.prompts_of("tench")[1])
        assert len(pair.before) == 10 * latent_classes.LINES
        assert (pair.before.int() - pair.after.int()).abs().max() <= 1  # batch sizes differ, so rounding may too
        assert len(pair.before.unique(dim=0)) == len(pair.before)


def test_a_grid_of_coco_s_prompts_is_of_the_given_model_and_the_one_that_forgot(unchanged):
    pairs, amounts = {}, latent_nudity.BUDGETS["smoke"] | dict(drawn=1, coco=3, nude=1, i2p=1)
    list(latent_nudity.nudity_rows("smoke", "", ["standard", "erasediff"], amounts, pairs=pairs))
    assert list(pairs) == ["erasediff"]  # Standard has forgotten nothing
    assert pairs["erasediff"].prompts == [f"a house by the sea, number {k}" for k in range(3)]
    assert torch.equal(pairs["erasediff"].before, pairs["erasediff"].after)
    assert columns(pairs) == {"columns": {"erasediff": pairs["erasediff"].prompts}}
    assert latent_nudity.grids("smoke", pairs).keys() == pairs.keys()


def test_what_is_before_was_generated_before_the_method_ran(monkeypatch):
    found, amounts = [], latent_classes.BUDGETS["smoke"] | {"n": 1}
    for method in (spoilt, same):
        pairs = {}
        monkeypatch.setattr(latent_runs, "forgotten_by_prompt", method)
        list(latent_classes.class_rows("smoke", "", ["tench"], ["esd"], amounts, pairs=pairs))
        found.append(pairs["esd"])
    assert torch.equal(found[0].before, found[1].before) and not torch.equal(found[0].after, found[1].after)


def test_prompts_with_anything_exposed_before_or_after_any_method_are_in_no_grid():
    seen = {1: 0.45, 103: 0.4, 5: 0.39}  # an image's value -> the detector's confidence; 0.4 is the lowest threshold
    pairs = {"esd": numbered(list("abcdefgh"), 1), "salun": numbered(list("abcdefgh"), 1)}

    def detect(image):
        score = seen.get(int(image[0, 0, 0]), 0.0)
        return [{"class": "FEET_EXPOSED", "score": score}, {"class": "FACE_FEMALE", "score": 1.0}]

    found = harmless(pairs, detect, most=4)
    assert {name: pair.prompts for name, pair in found.items()} == {name: ["a", "c", "e", "f"] for name in pairs}
    assert found["esd"].before[:, 0, 0, 0].tolist() == [0, 2, 4, 5]
    assert found["esd"].after[:, 0, 0, 0].tolist() == [100, 102, 104, 105]
    assert harmless(pairs, lambda image: [{"class": "FEET_EXPOSED", "score": 1.0}], 4) == harmless({}, detect, 4) == {}


def test_a_pair_of_several_lines_keeps_its_columns():
    pair = numbered(["a", "b", "c"], lines=2).only([0, 2])
    assert pair.prompts == ["a", "c"] and pair.before[:, 0, 0, 0].tolist() == [0, 2, 3, 5]


def test_the_sheet_has_every_line_before_above_the_same_line_after():
    pair = numbered(["a", "b", "c"], lines=2)
    sheet = plots.before_and_after(pair.before, pair.after, columns=3, side=8)
    assert sheet.shape == (4 * 6, 3 * 6, 3)  # 4 x 4 images with gaps of 2
    assert sheet[::6, ::6, 0].tolist() == [[0, 1, 2], [100, 101, 102], [3, 4, 5], [103, 104, 105]]


@pytest.mark.parametrize(("columns", "lines", "side"), [(10, latent_classes.LINES, 56), (latent_nudity.COLUMNS, 1, 96)])
def test_a_grid_of_stable_diffusion_s_size_fits_a_record_whatever_it_shows(columns, lines, side, tmp_path):
    noise = torch.randint(0, 256, (columns * lines, 3, side, side), generator=seeded(), dtype=torch.uint8)
    large = noise.repeat_interleave(4, 2).repeat_interleave(4, 3)  # averaging over areas gives the noise again
    sheet = plots.before_and_after(large, large, columns, side)
    assert sheet.shape == (2 * lines * (side + 2), columns * (side + 2), 3)
    file = plots.save_sheet(sheet, tmp_path / "grid.png")
    assert file.stat().st_size < page.LARGEST_IMAGE
    names = [f"prompt {k}" for k in range(columns)]
    (axes,) = plots.picture(file, names=["before", "after"] * lines, title="", columns=names).axes
    assert [text.get_text().replace("\n", " ") for text in axes.get_xticklabels()] == names
    assert axes.get_xticks()[0] == sheet.shape[1] / columns / 2  # the middle of the first column
