"""Runs on Stable Diffusion: from images and prompts to an unlearned pipeline and the images that it draws.

``smoke`` and rehearsals run the same code on a tiny pipeline with random weights (:mod:`paperlib.latent.tiny`) and on
drawn shapes, with random projections as judges.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from companion import rehearsal
from companion.folders import page_store
from companion.machine import pick_device
from companion.seeds import generator
from companion.settings import Settings
from paperlib.data import cache as data_cache
from paperlib.data import shapes
from paperlib.denoiser import Denoiser
from paperlib.guidance import Guided
from paperlib.latent.lora import add_lora
from paperlib.latent.pipeline import decode, denoiser, load, put_back
from paperlib.latent.precomputed import Precomputed, encoders_sha256, precompute
from paperlib.latent.tiny import tiny_pipeline
from paperlib.metrics.features import Network, inception
from paperlib.metrics.imagenet import IMAGENETTE, classifier
from paperlib.nets.parameters import train_only
from paperlib.sampling import ddim, prior, sample_batches
from paperlib.training import Training
from paperlib.unlearning.erasediff import erasediff
from paperlib.unlearning.esd import esd
from paperlib.unlearning.forget_me_not import forget_me_not
from paperlib.unlearning.replay import Samples
from paperlib.unlearning.salun import salun
from paperlib.unlearning.selective_amnesia import selective_amnesia

__all__ = [
    "METHODS",
    "Way",
    "draw_images",
    "forgotten_by_prompt",
    "imagenette",
    "imagenette_folder",
    "judge",
    "network",
    "open_pipeline",
    "precomputed",
]

KEPT = "encoded.safetensors"
GUIDANCE = 6.5  # the weight w; Stable Diffusion's scale of 7.5 is 1 + w


@dataclass(frozen=True)
class Way:
    """How a method is applied to Stable Diffusion: its function, the weights that it trains, and its settings."""

    call: Callable[..., Training]
    trains: str
    settings: Mapping[str, Any]


#: Settings from the public codes, SalUn's from its code for a DDPM. The forgotten prompt is label 0, for which the way
#: that EraseDiff's code samples another class is correct.
METHODS = {
    "forget_me_not": Way(forget_me_not, "xattn", {}),
    "esd": Way(esd, "xattn", dict(guidance=2.0)),
    "selective_amnesia": Way(selective_amnesia, "full", dict(replays=8, fisher_samples=8, fisher_times=8)),
    "salun": Way(salun, "full", dict(variant="code")),
    "erasediff": Way(erasediff, "full", dict(variant="code", lam=1.0, K=1)),
}


def small(profile: str) -> bool:
    """Return whether the tiny pipeline stands in for the real one."""
    return profile == "smoke" or rehearsal.factor() > 1


def open_pipeline(profile: str, model: str):
    """Open the pipeline that a page's run starts from."""
    if small(profile):
        return tiny_pipeline()
    device = pick_device()
    return load(model, device=device, dtype=torch.float32)


@cache
def judge(profile: str) -> Callable[[Tensor], Tensor]:
    """Return the function from uint8 images [N, 3, H, W] to ImageNet's classes [N]."""
    if not small(profile):
        return classifier(pick_device())
    W = torch.randn(192, 1000, generator=torch.Generator().manual_seed(0))
    return lambda images: (F.adaptive_avg_pool2d(images.float(), 8).flatten(1) @ W).argmax(1)


@cache
def network(profile: str, dims: int) -> Network:
    """Return Inception's network with ``dims`` features, or 16 random features for the tiny pipeline."""
    if not small(profile):
        return inception(pick_device(), dims)
    W = torch.randn(192, 16, generator=torch.Generator().manual_seed(0))
    return Network("random features", lambda images: F.adaptive_avg_pool2d(images.float() / 255, 8).flatten(1) @ W)


def imagenette_folder() -> Path:
    """Return the folder that contains torchvision's Imagenette.

    Raises:
        FileNotFoundError: if it is not there; the message says how to get it.
    """
    root = Path(data_cache.folders()[0])
    if not (root / "imagenette2").is_dir():
        fetch = f"Imagenette('{root}', size='full', download=True) of torchvision.datasets"
        raise FileNotFoundError(f"Imagenette's images are not in {root}. Where there is a network: {fetch}")
    return root


def imagenette(profile: str, size: int, per_class: int) -> tuple[Tensor, Tensor]:
    """Return ``per_class`` training images of each class, uint8 [N, 3, size, size], and their labels in the order of
    :data:`paperlib.metrics.imagenet.IMAGENETTE`. They are torchvision's, from the data folder; shapes stand in for
    them where the pipeline is tiny."""
    if small(profile):
        labels = torch.arange(10).repeat_interleave(per_class)
        return shapes.draw(labels, torch.Generator().manual_seed(0), size), labels
    from torchvision.datasets import Imagenette
    from torchvision.transforms.functional import center_crop, pil_to_tensor, resize

    data, images, labels = Imagenette(imagenette_folder(), split="train", size="full"), [], []
    for index, (_, label) in enumerate(data._samples):
        if labels.count(label) < per_class:
            picture = data[index][0].convert("RGB")
            images.append(center_crop(resize(pil_to_tensor(picture), size, antialias=True), [size, size]))
            labels.append(label)
    return torch.stack(images), torch.tensor(labels)


class Precomputing(Settings, arbitrary_types_allowed=True):
    """What is precomputed. The encoders and images are inputs of the step, identified by their contents."""

    prompts: tuple[str, ...]
    pipeline: Any = Field(exclude=True)
    images: Any = Field(exclude=True)


def precomputed(pipeline, images: Tensor, prompts: Sequence[str]) -> Precomputed:
    """Return the latents' posterior and the prompts' embeddings, from the store that all pages share or computed now.

    The order of the prompts does not matter, so all ten classes and all methods of a table share one entry.
    """
    wanted = Precomputing(prompts=tuple(sorted(prompts)), pipeline=pipeline, images=images)
    contents = hashlib.sha256(images.contiguous().numpy().data).hexdigest()
    entry = page_store().step("latent-precomputed", wanted, _precompute, [encoders_sha256(pipeline), contents])
    return Precomputed.load(entry.path / KEPT, pipeline)


def _precompute(folder: Path, wanted: Precomputing) -> None:
    precompute(wanted.pipeline, wanted.images, wanted.prompts).save(folder / KEPT)


def forgotten_by_prompt(
    pipeline,
    method: str,
    prompts: Sequence[str],
    images: Tensor,
    labels: Tensor,
    *,
    kept: Sequence[int],
    amounts: Mapping[str, Any],
    words: str,
    trains: str = "",
    lora: int = 0,
    seed: int = 0,
    **changes: Any,
) -> Denoiser:
    """Return a model that has forgotten the images whose labels are not in ``kept``.

    Args:
        prompts: the prompt of each label.
        images, labels: the training images, uint8 [N, 3, H, W], and their labels [N].
        kept: the labels of the retained side.
        amounts: ``updates``, ``batch_size`` and ``lr``; ``own`` has other values for single methods.
        words: the forgotten concept as it is written in the prompts; Forget-Me-Not needs the places of its tokens.
        trains: the weights to train, if not the method's own choice.
        lora: rank of adapters that are trained in place of full weights; 0 for none.
        seed: seed of the latents and of the run.
        changes: changes to the method's settings.
    """
    way, tiny = METHODS[method], pipeline.unet.config.sample_size < 64
    device = pipeline.unet.device
    encoded, checkpointing = precomputed(pipeline, images, prompts), not tiny and method != "forget_me_not"
    model = denoiser(pipeline, prompts, embeddings=encoded.embeddings(prompts), checkpointing=checkpointing)
    if lora:
        add_lora(model, lora)
    else:
        train_only(model, trains or way.trains)
    z = encoded.latents(generator(seed, "latent_runs/latents", "noise")).to(device)
    labels = labels.to(device)
    retained = torch.isin(labels, torch.tensor(list(kept), device=device))
    D_f, D_r = (Samples(z[side], labels[side]) for side in (~retained, retained))
    settings = dict(way.settings) | changes
    if way.call is forget_me_not:
        settings["places"] = {k: places(pipeline.tokenizer, prompts[k], words) for k in D_f.labels.unique().tolist()}
    if way.call is esd:
        settings["evaluations"] = amounts["evaluations"]
    own = {name: amounts[name] for name in ("updates", "batch_size", "lr")} | amounts.get("own", {}).get(method, {})
    draws = generator(seed, f"latent_runs/{method}", "noise", device)
    precision = "bf16" if device.type == "cuda" else "float32"
    how = dict(steps=own["updates"], batch_size=own["batch_size"], lr=own["lr"], ema=0, precision=precision)
    return way.call(model, D_f, D_r, generator=draws, **how, **settings).run()


def places(tokenizer, prompt: str, words: str) -> list[int]:
    """Return the positions of the tokens of ``words`` in a prompt."""
    before = prompt[: prompt.index(words)].rstrip()
    start = len(tokenizer(before).input_ids) - 1 if before else 1
    return list(range(start, start + len(tokenizer(words).input_ids) - 2))


def draw_images(
    pipeline,
    model: Denoiser,
    labels: Tensor,
    *,
    evaluations: int,
    seed: int,
    batch: int = 8,
    only: Tensor | None = None,
) -> Tensor:
    """Draw one image per label, uint8 [N, 3, H, W], by DDIM under Stable Diffusion's guidance.

    All models start from the same noise. ``only`` has the indices of the images to draw, each from the noise that it
    has when all are drawn; None draws all.
    """
    model.eval()
    draws = generator(seed, "latent_runs/samples", "noise")
    noise = prior(model, (len(labels), *model.net.shape), draws)
    if only is not None:
        labels, noise = labels[only], noise[only]
    asked = dict(sampler=ddim, steps=evaluations, cond=labels.to(noise.device), noise=noise)
    states = sample_batches(Guided(model, GUIDANCE), noise.shape, batch=batch, generator=draws, **asked)
    return torch.cat([decode(pipeline, torch.nan_to_num(state.x)) for state in states])


def save(model: Denoiser, pipeline, folder: str) -> None:
    """Save the pipeline in diffusers' layout if ``folder`` is not empty."""
    if folder:
        put_back(model, pipeline).save_pretrained(folder)


CLASSES = [name.lower().replace(" ", "_") for name in IMAGENETTE]  # as in the ids of the papers' cells
