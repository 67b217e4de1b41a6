"""diffusers' classes at a tiny size: our denoiser compared with the pipeline, and the conversion back."""

import time

import pytest
import torch

from paperlib.denoiser import trainable
from paperlib.guidance import Guided
from paperlib.nets.cross_attention import cross_attentions
from paperlib.nets.parameters import train_only
from paperlib.processes import normal
from paperlib.sampling import ddim
from paperlib.unlearning.erasediff import erasediff
from paperlib.unlearning.esd import esd
from paperlib.unlearning.forget_me_not import forget_me_not
from paperlib.unlearning.replay import Samples
from paperlib.unlearning.salun import salun
from paperlib.unlearning.selective_amnesia import selective_amnesia
from tests.oracles import seeded

pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from diffusers import StableDiffusionPipeline

from paperlib.latent.lora import add_lora
from paperlib.latent.pipeline import decode, denoiser, embed, encode, find, load, put_back
from paperlib.latent.tiny import tiny_pipeline
from paperlib.metrics.features import MissingWeights

PROMPTS = ["nudity", "a person wearing clothes", "a church"]
AT = dict(steps=2, batch_size=3, lr=1e-3, ema=0)


@pytest.fixture(scope="module")
def pipeline():
    return tiny_pipeline()


@pytest.fixture
def model(pipeline):
    found = denoiser(pipeline, PROMPTS)
    yield found
    train_only(found, "full")


def latents(label, n=4):
    return Samples(torch.randn(n, 4, 8, 8, generator=seeded(label)), torch.full((n,), label))


FORGET, RETAIN = latents(0), latents(1)


def test_eps_is_the_pipelines_own_at_its_step(pipeline, model):
    x = torch.randn(2, 4, 8, 8, generator=seeded())
    ours = model(x, torch.tensor([1, 1000]) / 1000, torch.tensor([0, 2])).eps
    context = embed(pipeline, [PROMPTS[0], PROMPTS[2]])
    theirs = pipeline.unet(x, torch.tensor([0, 999]), encoder_hidden_states=context).sample
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_our_ddim_under_guidance_draws_what_the_pipeline_draws(pipeline, model):
    x = torch.randn(1, 4, 8, 8, generator=seeded())
    said = dict(num_inference_steps=4, guidance_scale=7.5, output_type="latent", latents=x)
    theirs = pipeline(PROMPTS[2], **said).images
    stops = torch.tensor([752, 502, 252, 2, 1]) / 1000  # diffusers' steps, counted from 1; the last one is step 1
    *_, state = ddim(Guided(model, 6.5), x, steps=stops, cond=torch.tensor([2]), denoise=False)
    assert torch.allclose(state.x, theirs, atol=1e-4)


def test_images_become_latents_of_the_autoencoders_size_and_scale(pipeline):
    images = torch.randint(0, 256, (2, 3, 32, 32), generator=seeded(), dtype=torch.uint8)
    z = encode(pipeline, images, seeded(1))
    posterior, scale = pipeline.vae.encode(images.float() / 127.5 - 1).latent_dist, pipeline.vae.config.scaling_factor
    mean, noise = scale * posterior.mean, normal((2, 4, 8, 8), seeded(1), "cpu")
    torch.testing.assert_close(z, mean + scale * posterior.std * noise, rtol=1e-4, atol=1e-5)
    assert decode(pipeline, mean).shape == images.shape and decode(pipeline, mean).dtype == torch.uint8


METHODS = {
    "erasediff, code": lambda model: erasediff(
        model, FORGET, RETAIN, generator=seeded(), variant="code", lam=1.0, **AT
    ),
    "erasediff, wc": lambda model: erasediff(model, FORGET, RETAIN, generator=seeded(), variant="corrected", **AT),
    "salun": lambda model: salun(model, FORGET, RETAIN, generator=seeded(), **AT),
    "sa": lambda model: selective_amnesia(
        model, FORGET, RETAIN, generator=seeded(), fisher_samples=2, fisher_times=3, **AT
    ),
    "esd": lambda model: esd(model, FORGET, generator=seeded(), evaluations=2, **AT),
    "forget_me_not": lambda model: forget_me_not(model, FORGET, generator=seeded(), places={0: [1, 2]}, **AT),
}


@pytest.mark.parametrize("which", ["xattn", "noxattn"])
@pytest.mark.parametrize("method", METHODS)
def test_a_method_changes_just_the_weights_that_it_may(model, method, which):
    inside = tuple(f"{name}." for name in cross_attentions(model))
    train_only(model, which)
    after = dict(METHODS[method](model).run().named_parameters())
    moved = {name for name, p in model.named_parameters() if not torch.equal(p, after[name])}
    allowed = {name for name, p in model.named_parameters() if p.requires_grad}
    assert moved and moved <= allowed
    assert all(name.startswith(inside) == (which == "xattn") for name in moved)


def test_a_smaller_weight_moves_other_prompts_less(model):
    """All prompts share the network that the loss on the forgotten prompt changes."""
    train_only(model, "xattn")
    x, t, cond = torch.randn(32, 4, 8, 8, generator=seeded(5)), torch.full((32,), 0.7), torch.full((32,), 2)
    moved = []
    for lam in (0.0, 0.1, 10.0):
        settings = AT | dict(steps=10, lr=1e-3, clip=0)
        run = erasediff(model, FORGET, RETAIN, generator=seeded(), variant="code", lam=lam, K=0, **settings)
        moved.append(run.run()(x, t, cond).eps.detach())
    near, far = ((one - moved[0]).square().mean() for one in moved[1:])
    assert 0 < near < far / 2


@pytest.mark.parametrize("method", ["erasediff, wc", "salun"])
def test_checkpointing_computes_the_blocks_twice_and_makes_the_same_update(method, monkeypatch):
    def updated(checkpointing):
        model, calls = denoiser(tiny_pipeline(), PROMPTS, checkpointing=checkpointing), []
        block = type(model.net.net.unet.mid_block.resnets[-1])
        forward = block.forward

        def noted(self, *given, **named):
            calls.append(torch.is_grad_enabled())
            return forward(self, *given, **named)

        with monkeypatch.context() as patch:
            patch.setattr(block, "forward", noted)
            return METHODS[method](model).run().state_dict(), calls

    (kept, calls), (again, more) = updated(False), updated(True)
    # diffusers checkpoints all of the 8 blocks except the first one in the middle.
    assert sum(calls) > 0 and len(more) == len(calls) + sum(calls) * 7 // 8
    assert all(torch.allclose(value, kept[name], atol=1e-6) for name, value in again.items())


def test_in_bf16_the_weights_stay_float32_and_the_update_is_near_float32_s(model):
    given = model.state_dict()
    moved = []
    for precision in ("float32", "bf16"):
        run = erasediff(model, FORGET, RETAIN, generator=seeded(), variant="corrected", precision=precision, **AT)
        changed = run.run().state_dict()
        assert all(value.dtype == given[name].dtype and value.isfinite().all() for name, value in changed.items())
        moved.append(torch.cat([(value - given[name]).flatten() for name, value in changed.items()]))
    assert torch.cosine_similarity(*moved, dim=0) > 0.9


@pytest.mark.parametrize("adapters", [False, True])
def test_what_is_saved_loads_in_plain_diffusers_with_equal_outputs(pipeline, tmp_path, adapters):
    own = tiny_pipeline(1)
    model = denoiser(own, PROMPTS)
    if adapters:
        assert add_lora(model, 2) == sum(p.numel() for p in trainable(model)) < 5000
    after = salun(model, FORGET, RETAIN, generator=seeded(), **AT | dict(lr=1e-2)).run()
    put_back(after, own).save_pretrained(tmp_path)
    loaded = StableDiffusionPipeline.from_pretrained(tmp_path, safety_checker=None)
    x, t = torch.randn(2, 4, 8, 8, generator=seeded()), torch.tensor([0.1, 0.9])
    found, cond = denoiser(loaded, PROMPTS), torch.tensor([0, 2])
    assert torch.allclose(found(x, t, cond).eps, after(x, t, cond).eps, atol=1e-5)
    assert not torch.allclose(found(x, t, cond).eps, denoiser(tiny_pipeline(1), PROMPTS)(x, t, cond).eps, atol=1e-4)
    assert not any("lora" in name for name in loaded.unet.state_dict())
    assert load(str(tmp_path)).unet.config.sample_size == 8


def test_a_pipeline_that_is_not_here_is_said_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in (str(tmp_path), "CompVis/not-there"):
        start = time.perf_counter()
        with pytest.raises(MissingWeights, match="is not on this machine: neither a folder"):
            find(name)
        assert time.perf_counter() - start < 1


def test_prompts_and_pipelines_that_cannot_serve_are_refused(pipeline):
    with pytest.raises(ValueError, match="none twice"):
        denoiser(pipeline, ["a", "a"])
    pipeline.scheduler.register_to_config(prediction_type="v_prediction")
    with pytest.raises(ValueError, match="v_prediction on 1000 steps"):
        denoiser(pipeline, ["a"])
    pipeline.scheduler.register_to_config(prediction_type="epsilon", num_train_timesteps=500)
    with pytest.raises(ValueError, match="epsilon on 500 steps"):
        denoiser(pipeline, ["a"])
    pipeline.scheduler.register_to_config(num_train_timesteps=1000)
