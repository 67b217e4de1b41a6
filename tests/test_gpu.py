"""Tests that need a GPU: ``pytest -m gpu``. On other machines they are skipped."""

import pytest
import torch

from companion import bases
from companion.classifiers import classifier, predict
from companion.comparison.course_results import looks
from companion.comparison.courses import Course, course
from companion.evaluation.samples import draw, drawn, find
from companion.folders import page_store
from companion.machine import pick_device
from companion.seeds import generator
from companion.studies.inpainting import Inpainting, inpaint, restored
from paperlib.data.images import Images
from paperlib.likelihood.images import image_nll
from paperlib.metrics.clip import Clip

pytestmark = pytest.mark.gpu
NAME = "digits-ddpm"


def test_pages_and_commands_take_the_gpu():
    assert pick_device().type == "cuda"


def test_images_are_resized_alike_on_both_devices():
    """Some versions of torch have no CUDA kernel for uint8 with antialiasing."""
    draws = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (4, 3, 96, 96), generator=draws, dtype=torch.uint8)
    images = Images("noise", pixels, classes=("a",), labels=torch.zeros(4, dtype=torch.long))
    apart = images.resized(64).images.int() - images.to("cuda").resized(64).images.cpu().int()
    assert apart.abs().max() <= 1


def test_clip_s_preprocessing_is_the_same_on_both_devices():
    import open_clip

    vision = {"image_size": 32, "layers": 1, "width": 32, "patch_size": 8, "head_width": 16}
    text = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
    model = open_clip.CLIP(embed_dim=16, vision_cfg=vision, text_cfg=text).eval()
    pixels = torch.randint(256, (4, 3, 48, 48), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    first = Clip(model, None, "small").images(pixels)
    assert torch.allclose(first, Clip(model.cuda(), None, "small").images(pixels), atol=1e-3)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("compiled", [False, True])
def test_a_training_on_the_gpu_learns_what_one_on_the_cpu_learns(precision, compiled):
    base = bases.BASES[NAME]
    budget = bases.Budget(steps=30, batch_size=64, lr=2e-3, warmup=0)
    losses = {}
    for device, changes in {"cpu": {}, "cuda": {"precision": precision, "compiled": compiled}}.items():
        run = bases.training(base, budget.model_copy(update=changes), device=device)
        losses[device] = [step.losses["loss"] for step in run][-10:]
    cpu, gpu = (sum(several) / 10 for several in losses.values())
    assert abs(cpu - gpu) < 0.1 * cpu


def test_the_same_seed_makes_the_same_run_twice_on_the_gpu():
    budget = bases.Budget(steps=3, batch_size=8, lr=1e-3)
    first, again = (bases.training(bases.BASES[NAME], budget, device="cuda").run().state_dict() for _ in range(2))
    assert all(torch.allclose(value, again[name], atol=1e-6) for name, value in first.items())


@pytest.mark.parametrize("method", ["sgu", "erasediff", "vdu", "salun", "selective_amnesia", "redirect", "blindspot"])
def test_unlearning_runs_where_the_gpu_is(method):
    from paperlib.unlearning.methods import METHODS

    own = METHODS[method].small | (METHODS[method].unconditional or {})
    own = {name: value for name, value in own.items() if isinstance(value, int | float | str)}
    wanted = Course.checked(
        base=NAME,
        method=method,
        forget="1",
        looks=(2,),
        batch_size=4,
        lr=1e-4,
        seed=0,
        n=20,
        evaluations=3,
        settings=own,
    )
    assert len(looks(course(page_store(), wanted))) == 2


def test_samples_likelihoods_and_inpaintings_agree_with_the_cpu():
    model, data = bases.load(NAME), bases.images("digits", "test")
    settings = {"sampler": "iPNDM", "evaluations": 5, "guidance": 0.0, "n": 8, "classes": (), "seed": 0}
    cpu, gpu = (drawn(draw(page_store(), find(NAME), torch.device(kind), **settings)) for kind in ("cpu", "cuda"))
    assert (cpu.int() - gpu.int()).abs().float().mean() < 1
    bits = [
        image_nll(model.to(kind), data.images[:4].to(kind), generator=generator(0, "gpu", "evaluation"), tolerance=1e-3)
        for kind in ("cpu", "cuda")
    ]
    assert abs(bits[0].mean - bits[1].mean) < 0.02
    asked = Inpainting.checked(forget="1", side="retain", n=4, steps=5)
    assert restored(inpaint(page_store(), NAME, asked)).shape == (4, *data.shape)
    judge = classifier("digits")
    assert torch.equal(predict(judge, data.images).argmax(1), predict(judge.cuda(), data.images).argmax(1))
