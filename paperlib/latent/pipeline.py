"""A Stable Diffusion pipeline as a denoiser, and back::

    pipeline = load("CompVis/stable-diffusion-v1-4", device="cuda")
    model = denoiser(pipeline, ["an image of a tench", "an image of a church"])      # prompts are labels 0 and 1
    train_only(model, "noxattn")
    run = erasediff(model, D_f, D_r, generator=..., variant="corrected", ...)        # any method of the package
    put_back(run.run(), pipeline).save_pretrained(folder)                            # loads in plain diffusers

The network's inputs are latents, images made 8 times smaller by the autoencoder, and the text encoder's output, which
is computed once (:class:`paperlib.nets.text.Prompted`). Neither of these two networks is trained:
:mod:`paperlib.latent.precomputed` keeps their outputs for the next run.
"""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from paperlib.checks import need_images
from paperlib.data.images import model_input, to_uint8
from paperlib.denoiser import Denoiser
from paperlib.extras import need
from paperlib.metrics.features import MissingWeights
from paperlib.nets.text import Prompted
from paperlib.processes import DDPM, normal

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

__all__ = ["SD14", "LatentUNet", "decode", "denoiser", "embed", "encode", "find", "load", "posterior", "put_back"]

SD14 = "CompVis/stable-diffusion-v1-4"


class LatentUNet(nn.Module):
    """diffusers' U-Net with our arguments, ``net(x, time, context)``, where time is 1000 t, the grid's step from 1."""

    def __init__(self, unet: nn.Module):
        super().__init__()
        self.unet = unet

    def forward(self, x: Tensor, time: Tensor, context: Tensor) -> Tensor:
        """x [B, 4, H, W], time [B], context [B, L, E] -> [B, 4, H, W]; diffusers counts its steps from 0."""
        return self.unet(x, time - 1, encoder_hidden_states=context.to(x.dtype)).sample


def find(model: str = SD14) -> str:
    """Return the folder of a pipeline, given as a folder in diffusers' layout or as a name that huggingface_hub has
    cached on this machine. Nothing is downloaded.

    Raises:
        MissingWeights: if the pipeline is not on this machine.
    """
    need("latent", "diffusers", "transformers", "huggingface_hub")
    if (Path(model) / "model_index.json").is_file():
        return model
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        kept = try_to_load_from_cache(model, "model_index.json")
    except HFValidationError:
        kept = None  # a path, not a name
    if isinstance(kept, str):
        return str(Path(kept).parent)
    raise MissingWeights(
        f"{model} is not on this machine: neither a folder with a model_index.json, nor kept by huggingface_hub. Where "
        f"there is a network: hf download {SD14}. Or name a folder in diffusers' layout in its place."
    )


def load(model: str = SD14, *, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32):
    """Load the pipeline that :func:`find` locates, without its safety checker, which would hide what is to be
    counted."""
    folder = find(model)
    from diffusers import StableDiffusionPipeline

    checker = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    return StableDiffusionPipeline.from_pretrained(folder, torch_dtype=dtype, **checker).to(device)


@torch.no_grad()
def embed(pipeline: "StableDiffusionPipeline", prompts: Sequence[str]) -> Tensor:
    """Return the text encoder's output, [K, L, E] in float32, for prompts padded or truncated to its length."""
    tokenizer, encoder = pipeline.tokenizer, pipeline.text_encoder
    length = min(tokenizer.model_max_length, encoder.config.max_position_embeddings)
    asked = {"padding": "max_length", "max_length": length, "truncation": True, "return_tensors": "pt"}
    return encoder(tokenizer(list(prompts), **asked).input_ids.to(encoder.device))[0].float()


def denoiser(
    pipeline: "StableDiffusionPipeline",
    prompts: Sequence[str],
    *,
    embeddings: Tensor | None = None,
    checkpointing: bool = False,
) -> Denoiser:
    """Return a pipeline's U-Net, with shared weights, on its own grid, as a model whose labels are ``prompts``.

    Args:
        embeddings: embeddings of the prompts and, last, of the empty one, [K + 1, L, E]; None computes them with the
            text encoder (:class:`paperlib.latent.precomputed.Precomputed` keeps them).
        checkpointing: compute activations twice instead of keeping them: a third more work, a fraction of the memory.

    Raises:
        ValueError: for no prompts or repeated ones, a wrong number of embeddings, or a pipeline that does not predict
            epsilon on 1000 steps.
    """
    unet, config = pipeline.unet, pipeline.scheduler.config
    if not prompts or len(set(prompts)) < len(prompts):
        raise ValueError(f"prompts={list(prompts)}: at least one, and none twice")
    if embeddings is not None and len(embeddings) != len(prompts) + 1:
        raise ValueError(f"embeddings: {len(embeddings)} of them; {len(prompts)} prompts and the empty one are needed")
    if config.prediction_type != "epsilon" or config.num_train_timesteps != 1000:
        said = f"{config.prediction_type} on {config.num_train_timesteps} steps"
        raise ValueError(f"this pipeline predicts {said}; epsilon on 1000 is what Stable Diffusion 1 does")
    if checkpointing:
        unet.enable_gradient_checkpointing()
        unet.train()  # diffusers checkpoints only in this mode
    size = unet.config.sample_size
    table = embed(pipeline, [*prompts, ""]) if embeddings is None else embeddings
    net = Prompted(LatentUNet(unet), table, (unet.config.in_channels, size, size))
    return Denoiser(net, DDPM(pipeline.scheduler.betas.double()), predicts="eps").to(unet.device)


@torch.no_grad()
def posterior(pipeline: "StableDiffusionPipeline", images: Tensor, batch: int = 8) -> tuple[Tensor, Tensor]:
    """Return the mean and standard deviation of the scaled latents of uint8 images, [N, 4, H/8, W/8] each, on the CPU
    in float32."""
    need_images("images", images)
    vae, parts = pipeline.vae, []
    for part in images.split(batch):
        found = vae.encode(model_input(part.to(vae.device)).to(vae.dtype)).latent_dist
        parts.append([vae.config.scaling_factor * one.float().cpu() for one in (found.mean, found.std)])
    # contiguous, as when read from a file: in the autoencoder's memory layout, kernels would add in another order
    mean, std = (torch.cat(several).contiguous() for several in zip(*parts))
    return mean, std


def encode(pipeline: "StableDiffusionPipeline", images: Tensor, generator: torch.Generator, batch: int = 8) -> Tensor:
    """Sample the scaled latents of uint8 images from their posterior, [N, 4, H/8, W/8], on the CPU in float32."""
    mean, std = posterior(pipeline, images, batch)
    return mean + std * normal(mean.shape, generator, "cpu")


@torch.no_grad()
def decode(pipeline: "StableDiffusionPipeline", latents: Tensor, batch: int = 4) -> Tensor:
    """Decode latents to uint8 images, on the CPU."""
    vae = pipeline.vae
    scaled = (latents / vae.config.scaling_factor).split(batch)
    return torch.cat([to_uint8(vae.decode(part.to(vae.device, vae.dtype)).sample.float().cpu()) for part in scaled])


def put_back(model: Denoiser, pipeline: "StableDiffusionPipeline") -> "StableDiffusionPipeline":
    """Return a pipeline with the weights of ``model``, with adapters merged; the rest is shared with ``pipeline``.

    Its ``save_pretrained(folder)`` writes diffusers' layout, which plain diffusers can load.
    """
    from diffusers import StableDiffusionPipeline

    unet = copy.deepcopy(model.net.net.unet).eval().requires_grad_(True)
    if any("lora_" in name for name, _ in unet.named_parameters()):
        from paperlib.latent.lora import merged

        unet = merged(unet)
    parts = pipeline.components | {"unet": unet.to(pipeline.unet.dtype)}
    return StableDiffusionPipeline(**parts, requires_safety_checker=False)
