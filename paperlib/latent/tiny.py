"""A tiny Stable Diffusion pipeline with random weights, built from configurations: nothing is downloaded.

It generates noise. With it the whole path, from prompts to a saved folder, runs anywhere in seconds.
"""

import string
from typing import TYPE_CHECKING

import torch

from paperlib.extras import need

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

__all__ = ["tiny_pipeline"]

LENGTH = 77  # tokens, as Stable Diffusion's; here a token is a letter


def tiny_pipeline(seed: int = 0, *, width: int = 16, size: int = 8) -> "StableDiffusionPipeline":
    """Return a pipeline for images of 4 ``size`` x 4 ``size`` pixels, 32 x 32 by default, with latents of 4 x ``size``
    x ``size``; ``width`` is the number of features of its narrowest layers."""
    need("latent", "diffusers", "transformers")
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer = _letters()
        text = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokenizer),
                hidden_size=2 * width,
                intermediate_size=4 * width,
                num_hidden_layers=2,
                num_attention_heads=2,
                max_position_embeddings=LENGTH,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        )
        unet = UNet2DConditionModel(
            sample_size=size,
            block_out_channels=(width, 2 * width),
            layers_per_block=1,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
            cross_attention_dim=2 * width,
            attention_head_dim=2,
            norm_num_groups=4,
        )
        vae = AutoencoderKL(
            block_out_channels=(width, width, 2 * width),
            down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3,
            latent_channels=4,
            norm_num_groups=4,
        )
    scheduler = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )
    parts = {"unet": unet, "vae": vae, "text_encoder": text, "tokenizer": tokenizer, "scheduler": scheduler}
    none = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    pipeline = StableDiffusionPipeline(**parts, **none)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _letters():
    """Return CLIP's tokenizer with letters as tokens: without merges, no vocabulary has to be downloaded."""
    from transformers import CLIPTokenizer

    signs = string.ascii_lowercase + string.digits + ".,'-"
    names = ["<|startoftext|>", "<|endoftext|>", *signs, *(f"{sign}</w>" for sign in signs)]
    tokenizer = CLIPTokenizer(vocab={name: place for place, name in enumerate(names)}, merges=[])
    tokenizer.model_max_length = LENGTH
    return tokenizer
