"""CLIP measures on tiny, random networks of open_clip's classes, compared with open_clip's own functions."""

import json

import numpy as np
import open_clip
import pytest
import torch

from paperlib.metrics.clip import Clip, clip_distance, clip_score, load, zero_shot
from paperlib.metrics.features import MissingWeights
from paperlib.metrics.forgetting import shows_class
from paperlib.metrics.frechet import features
from tests.oracles import seeded

CLASSES, TEMPLATES = ["dog", "ship", "tench"], ["a photo of a {}.", "a drawing of the {}."]

TINY = {
    "embed_dim": 8,
    "vision_cfg": {"layers": 1, "width": 32, "head_width": 16, "patch_size": 8, "image_size": 24},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module")
def clip():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Clip(open_clip.CLIP(**TINY).eval(), open_clip.get_tokenizer("ViT-B-32"), "tiny")


def pictures(n=5, channels=3, size=40, seed=0):
    return torch.randint(256, (n, channels, size, size), generator=seeded(seed), dtype=torch.uint8)


def theirs(clip, images):
    """Compute embeddings with open_clip's own preprocessing of PIL images."""
    from PIL import Image

    transform = open_clip.image_transform(24, is_train=False)
    batch = torch.stack([transform(Image.fromarray(image.permute(1, 2, 0).numpy())) for image in images])
    with torch.no_grad():
        return batch, clip.model.encode_image(batch)


@pytest.mark.parametrize("size", [16, 24, 40])
def test_preprocessing_is_open_clips(clip, size):
    """For sizes below, equal to and above the network's; bicubic weights may round differently by one level."""
    ours, (expected, embedded) = clip.preprocess(pictures(size=size)), theirs(clip, pictures(size=size))
    level = 1 / 255 / min(open_clip.OPENAI_DATASET_STD)
    assert (ours - expected).abs().max() < 1.01 * level
    assert torch.allclose(clip.images(pictures(size=size)), embedded, atol=0.02)


def test_grey_images_are_repeated(clip):
    grey = pictures(channels=1)
    assert torch.equal(clip.images(grey), clip.images(grey.repeat(1, 3, 1, 1)))


def test_batches_change_nothing(clip):
    assert torch.allclose(clip.images(pictures(), 2), clip.images(pictures()), atol=1e-5)


def test_zero_shot_logits_are_open_clips(clip):
    templates = [lambda name, t=t: t.format(name) for t in TEMPLATES]
    weights = open_clip.build_zero_shot_classifier(clip.model, clip.tokenizer, CLASSES, templates, device="cpu")
    embedded = clip.images(pictures())
    expected = clip.model.logit_scale.exp() * torch.nn.functional.normalize(embedded, dim=1) @ weights
    found = zero_shot(clip, pictures(), CLASSES, TEMPLATES)
    assert torch.allclose(found, expected, atol=1e-4) and not found.requires_grad
    assert shows_class(found, [0, 2]).shape == (5,)


def test_the_distance_of_images_from_themselves_is_zero(clip):
    for variant in ("cosine", "euclidean"):
        assert clip_distance(clip, pictures(), pictures(), seeded(), variant=variant).value == pytest.approx(
            0, abs=1e-4
        )


def test_distances_are_their_formulas_pair_by_pair(clip):
    a, b = clip.images(pictures()).numpy(), clip.images(pictures(seed=1)).numpy()
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    found = clip_distance(clip, pictures(), pictures(seed=1), seeded())
    assert found.value == pytest.approx(100 * (1 - cosine).mean(), rel=1e-4)
    assert found.interval[0] <= found.value <= found.interval[1] and found.n == 5
    found = clip_distance(clip, pictures(), pictures(seed=1), seeded(), variant="euclidean")
    assert found.value == pytest.approx(np.linalg.norm(a - b, axis=1).mean(), rel=1e-4)


def test_the_score_is_a_hundred_times_the_positive_part_of_the_cosine(clip):
    prompts = ["a dog", "a ship", "noise", "a cat", "a tench"]
    image, text = (torch.nn.functional.normalize(x, dim=1) for x in (clip.images(pictures()), clip.texts(prompts)))
    cosines = (image * text).sum(1)
    assert cosines.min() < 0 < cosines.max()  # otherwise the clipping at 0 would not be tested
    found = clip_score(clip, pictures(), prompts, seeded())
    assert found.value == pytest.approx(100 * cosines.clamp(min=0).mean().item(), rel=1e-4)


def test_the_image_side_is_a_feature_network(clip):
    assert clip.network.name == "tiny"
    assert torch.allclose(features(pictures(), clip.network, 2), clip.images(pictures()), atol=1e-5)


def test_wrong_input_is_refused(clip):
    with pytest.raises(ValueError, match="5 images, but 4 prompts"):
        clip_score(clip, pictures(), ["x"] * 4, seeded())
    with pytest.raises(ValueError, match="5 images, but 3 originals"):
        clip_distance(clip, pictures(), pictures(3), seeded())
    with pytest.raises(ValueError, match="variant='dot' is not one of cosine, euclidean"):
        clip_distance(clip, pictures(), pictures(), seeded(), variant="dot")
    with pytest.raises(ValueError, match="square"):
        clip.images(pictures()[:, :, :20])
    with pytest.raises(ValueError, match="every template with {}"):
        zero_shot(clip, pictures(), CLASSES, ["a photo"])


def test_weights_are_loaded_from_a_file(clip, tmp_path):
    (tmp_path / "tiny-of-the-tests.json").write_text(json.dumps(TINY))
    open_clip.add_model_config(tmp_path / "tiny-of-the-tests.json")
    torch.save(clip.model.state_dict(), tmp_path / "own.pt")
    loaded = load("tiny-of-the-tests", str(tmp_path / "own.pt"))
    assert loaded.name == "CLIP tiny-of-the-tests, own.pt" and not loaded.model.training
    assert torch.equal(zero_shot(loaded, pictures(), CLASSES), zero_shot(clip, pictures(), CLASSES))


def test_missing_weights_are_named_with_a_way_to_get_them(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(MissingWeights, match=r"(?s)'openai' of CLIP's ViT-B-32-quickgelu.*create_model.*weights='path"):
        load(folder=tmp_path)


def test_weights_are_looked_for_in_the_folder_that_is_named(clip, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(open_clip, "download_pretrained", lambda config, cache_dir: asked.append(cache_dir))
    monkeypatch.setattr(
        open_clip, "create_model", lambda *_, cache_dir=None, **__: asked.append(cache_dir) or clip.model
    )
    load(folder=tmp_path)
    assert asked == [str(tmp_path)] * 2


def test_unknown_networks_and_weights_are_named():
    with pytest.raises(ValueError, match="architecture='ViT-Z' is not one of .*ViT-B-32"):
        load("ViT-Z")
    with pytest.raises(ValueError, match="weights='nobody' is neither a file nor one of ViT-B-32's: openai"):
        load("ViT-B-32", "nobody")
