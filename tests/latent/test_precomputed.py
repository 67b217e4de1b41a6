"""Training on stored encoder outputs equals training with the encoders."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from paperlib.nets.parameters import train_only
from paperlib.unlearning.erasediff import erasediff
from paperlib.unlearning.replay import Samples
from tests.oracles import seeded

pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from paperlib.latent.pipeline import denoiser, encode
from paperlib.latent.precomputed import Precomputed, encoders_sha256, precompute
from paperlib.latent.tiny import tiny_pipeline

PROMPTS = ["a tench", "a church", "a horn"]


@pytest.fixture(scope="module")
def pipeline():
    return tiny_pipeline()


@pytest.fixture(scope="module")
def images():
    return torch.randint(0, 256, (11, 3, 32, 32), generator=seeded(), dtype=torch.uint8)


@pytest.fixture(scope="module")
def kept(pipeline, images, tmp_path_factory):
    """Return the stored outputs after a round trip through a file."""
    file = tmp_path_factory.mktemp("kept") / "encoded.safetensors"
    precompute(pipeline, images, PROMPTS, batch=4).save(file)
    return Precomputed.load(file, pipeline)


def test_latents_and_predictions_are_those_of_the_encoders(pipeline, images, kept):
    assert torch.allclose(kept.latents(seeded(3)), encode(pipeline, images, seeded(3)), atol=1e-6)
    assert not torch.equal(kept.latents(seeded(3)), kept.latents(seeded(4)))  # the posterior is stored, not a sample
    asked = PROMPTS[::-1][:2]
    x, t, cond = torch.randn(3, 4, 8, 8, generator=seeded()), torch.tensor([0.1, 0.5, 0.9]), torch.tensor([0, 1, 2])
    plain, reused = denoiser(pipeline, asked), denoiser(pipeline, asked, embeddings=kept.embeddings(asked))
    assert torch.equal(plain(x, t, cond).eps, reused(x, t, cond).eps)


def test_updates_are_those_of_the_encoders_and_the_encoders_are_not_asked(pipeline, images, kept, monkeypatch):
    labels = torch.arange(11) % 3

    def weights(latents, **said):
        model = denoiser(pipeline, PROMPTS, **said)
        train_only(model, "xattn")
        D_f, D_r = (Samples(latents[side], labels[side]) for side in (labels == 0, labels > 0))
        how = dict(steps=2, batch_size=3, lr=1e-3, ema=0, variant="corrected", generator=seeded(9))
        after = erasediff(model, D_f, D_r, **how).run()
        return [p for p in after.parameters() if p.requires_grad]

    plain = weights(encode(pipeline, images, seeded(3), batch=4))
    for network in (pipeline.vae, pipeline.text_encoder):
        monkeypatch.setattr(type(network), "forward", lambda *_, **__: pytest.fail("an encoder was asked"))
    monkeypatch.setattr(type(pipeline.vae), "encode", lambda *_, **__: pytest.fail("the autoencoder was asked"))
    reused = weights(kept.latents(seeded(3)), embeddings=kept.embeddings(PROMPTS))
    assert all(torch.equal(one, other) for one, other in zip(plain, reused, strict=True))


def test_the_hash_is_of_both_encoders_weights_and_of_their_names():
    def of(vae, text, name="a"):
        networks = (nn.ParameterDict({name: torch.full((2,), value)}) for value in (vae, text))
        return encoders_sha256(SimpleNamespace(**dict(zip(("vae", "text_encoder"), networks))))

    assert of(1.0, 2.0) == of(1.0, 2.0)
    assert len({of(1.0, 2.0), of(3.0, 2.0), of(1.0, 3.0), of(1.0, 2.0, "b")}) == 4


def test_what_does_not_fit_is_refused(pipeline, kept, tmp_path):
    with pytest.raises(ValueError, match="the prompt 'a trout' was not precomputed; there are: a tench, a church"):
        kept.embeddings(["a trout"])
    with pytest.raises(ValueError, match="embeddings: 4 of them; 1 prompts and the empty one are needed"):
        denoiser(pipeline, ["a tench"], embeddings=kept.embeddings(PROMPTS))
    kept.save(tmp_path / "other.safetensors")
    other = tiny_pipeline(1)
    assert encoders_sha256(other) != encoders_sha256(pipeline) == encoders_sha256(tiny_pipeline())
    with pytest.raises(ValueError, match=r"other.safetensors was not made with this pipeline's autoencoder"):
        Precomputed.load(tmp_path / "other.safetensors", other)
