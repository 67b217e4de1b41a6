"""The outputs of the autoencoder and the text encoder that training needs, computed once and kept in a file::

    kept = precompute(pipeline, images, prompts)
    kept.save("imagenette.safetensors")
    kept = Precomputed.load("imagenette.safetensors", pipeline)
    model = denoiser(pipeline, some_prompts, embeddings=kept.embeddings(some_prompts))
    D_f = Samples(kept.latents(generator)[rows], labels)

Neither network is trained, so every run on the same images and prompts would compute the same again: for 10,000 images
of 512 x 512 that takes hours. The file has the posterior, not a sample from it, so each seed samples its own latents.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import torch
from safetensors import safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from paperlib.files import whole
from paperlib.latent.pipeline import embed, posterior
from paperlib.processes import normal

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

__all__ = ["Precomputed", "encoders_sha256", "precompute"]


@dataclass(frozen=True, eq=False)
class Precomputed:
    """The posterior of the latents of images, and the embeddings of prompts, on the CPU in float32.

    Args:
        mean, std: mean and standard deviation of the scaled latents, [N, 4, H/8, W/8] each.
        prompts: the K prompts.
        embedded: embeddings of the prompts and, last, of the empty one, [K + 1, L, E].
        encoders: hash of the two networks (:func:`encoders_sha256`).
    """

    mean: Tensor
    std: Tensor
    prompts: tuple[str, ...]
    embedded: Tensor
    encoders: str

    def latents(self, generator: torch.Generator) -> Tensor:
        """Sample one latent for each image, as :func:`paperlib.latent.pipeline.encode` does."""
        return self.mean + self.std * normal(self.mean.shape, generator, "cpu")

    def embeddings(self, prompts: Sequence[str]) -> Tensor:
        """Return the embeddings of some of the prompts, in this order, and last of the empty one, as
        :func:`paperlib.latent.pipeline.denoiser` takes them.

        Raises:
            ValueError: for a prompt that was not precomputed.
        """
        if unknown := [prompt for prompt in prompts if prompt not in self.prompts]:
            raise ValueError(f"the prompt {unknown[0]!r} was not precomputed; there are: {', '.join(self.prompts)}")
        return self.embedded[[*map(self.prompts.index, prompts), len(self.prompts)]]

    def save(self, file: Path | str) -> None:
        """Write a safetensors file."""
        tensors = {"mean": self.mean, "std": self.std, "embedded": self.embedded}
        about = {"prompts": json.dumps(self.prompts), "encoders": self.encoders}
        with whole(Path(file)) as draft:
            draft.write_bytes(to_bytes({name: one.contiguous() for name, one in tensors.items()}, about))

    @classmethod
    def load(cls, file: Path | str, pipeline: "StableDiffusionPipeline") -> Self:
        """Read a file that was made with the encoders of ``pipeline``.

        Raises:
            ValueError: if it was made with other encoders.
        """
        with safe_open(file, "pt") as opened:
            about = opened.metadata() or {}
            if about.get("encoders") != encoders_sha256(pipeline):
                raise ValueError(
                    f"{file} was not made with this pipeline's autoencoder and text encoder: precompute anew"
                )
            tensors = {name: opened.get_tensor(name) for name in ("mean", "std", "embedded")}
        return cls(prompts=tuple(json.loads(about["prompts"])), encoders=about["encoders"], **tensors)


def precompute(
    pipeline: "StableDiffusionPipeline", images: Tensor, prompts: Sequence[str], batch: int = 8
) -> Precomputed:
    """Compute the outputs of both encoders for uint8 images [N, 3, H, W] and for prompts."""
    mean, std = posterior(pipeline, images, batch)
    return Precomputed(mean, std, tuple(prompts), embed(pipeline, [*prompts, ""]).cpu(), encoders_sha256(pipeline))


def encoders_sha256(pipeline: "StableDiffusionPipeline") -> str:
    """Return the sha256 of the weights of the autoencoder and the text encoder, in the order of their names."""
    found = hashlib.sha256()
    for network in (pipeline.vae, pipeline.text_encoder):
        for name, weight in sorted(network.state_dict().items()):
            found.update(name.encode())
            found.update(weight.detach().cpu().contiguous().view(torch.uint8).numpy().data)
    return found.hexdigest()
