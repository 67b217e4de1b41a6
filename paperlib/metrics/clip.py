"""CLIP (Radford et al., 2021) as a judge: zero-shot classes, distances between images, agreement with a prompt.

The networks are open_clip's, with weights that others trained on images from the web. None come with this package;
:func:`load` says how to get them. A number is only valid for its network: report the ``name`` of the :class:`Clip` with
it.

- Zero-shot logits are used like a trained classifier's, in :mod:`paperlib.metrics.forgetting`. SGU's unlearning ratios
  (Section 4.1) were measured this way or with a trained classifier: the paper does not say which.
- The CLIP distance of a restored image from its original (SGU, Tables 3 and 4) is not defined in the paper.
  100 (1 - cosine) and the length of the difference of unnormalised embeddings both have the magnitude of the printed
  values, 6.7 to 8.5.
- The CLIP score is 100 max(cosine, 0) of an image and its prompt (Hessel et al., 2021, without their factor of 2.5):
  the scale of EraseDiff's Table 2.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paperlib.checks import need_images
from paperlib.extras import need
from paperlib.metrics.features import MissingWeights, Network, rgb
from paperlib.metrics.intervals import Measured, bootstrap_mean

__all__ = ["DISTANCES", "TEMPLATES", "Clip", "clip_distance", "clip_score", "load", "zero_shot"]

#: Prompt templates for a class. Radford et al. (2021, Section 3.1.4) find them better than the name alone.
TEMPLATES = ("a photo of a {}.",)

DISTANCES = ("cosine", "euclidean")


@dataclass(frozen=True)
class Clip:
    """A CLIP network and its tokenizer.

    Args:
        model: a network of open_clip, in evaluation mode.
        tokenizer: maps texts to tokens [K, L].
        name: architecture and weights.
    """

    model: nn.Module
    tokenizer: Callable[[list[str]], Tensor]
    name: str

    @torch.no_grad()
    def images(self, images: Tensor, batch_size: int = 64) -> Tensor:
        """Return embeddings [N, E] of uint8 images [N, 1 or 3, S, S], on the CPU, not normalised."""
        need_images("images", images)
        if images.shape[2] != images.shape[3]:
            raise ValueError(f"images must be square, [N, C, S, S]; got {list(images.shape)}")
        parts = images.split(batch_size)
        return torch.cat([self.model.encode_image(self.preprocess(part)).float().cpu() for part in parts])

    @torch.no_grad()
    def texts(self, texts: Sequence[str]) -> Tensor:
        """Return embeddings [K, E] of texts, on the CPU, not normalised."""
        return self.model.encode_text(self.tokenizer(list(texts)).to(self.device)).float().cpu()

    @property
    def device(self) -> torch.device:
        """The network's device."""
        return self.model.logit_scale.device

    def preprocess(self, images: Tensor) -> Tensor:
        """Preprocess images as open_clip does: bicubic to the network's size, then its own mean and standard deviation;
        grey images are repeated."""
        from open_clip import get_model_preprocess_cfg  # late: only CLIP needs it
        from open_clip.transform import PreprocessCfg

        setting = PreprocessCfg(**get_model_preprocess_cfg(self.model))
        size = setting.size if isinstance(setting.size, tuple | list) else (setting.size, setting.size)
        images = rgb(images.to(self.device)).contiguous()
        resized = F.interpolate(images, size, mode=setting.interpolation, antialias=True)  # rounds, as on pictures
        mean, std = (torch.tensor(one, device=self.device)[:, None, None] for one in (setting.mean, setting.std))
        return (resized.float() / 255 - mean) / std

    @property
    def network(self) -> Network:
        """The image encoder as a feature network, for the Frechet distance, precision and recall."""
        return Network(self.name, lambda images: self.images(images, len(images)))


def load(
    architecture: str = "ViT-B-32-quickgelu",
    weights: str = "openai",
    *,
    device: torch.device | str = "cpu",
    folder: Path | str | None = None,
) -> Clip:
    """Load a network of open_clip with pretrained weights, which are downloaded if they are not on this machine.

    Args:
        architecture: one of ``open_clip.list_models()``.
        weights: one of ``open_clip.list_pretrained_tags_by_model(architecture)``, or a file.
        folder: where downloads are kept, by default open_clip's own folder.

    Raises:
        MissingWeights: if the weights could not be downloaded.
        ValueError: if the architecture or the weights are unknown.
    """
    need("images", "open_clip")
    import open_clip

    if architecture not in open_clip.list_models():
        raise ValueError(f"architecture={architecture!r} is not one of {', '.join(open_clip.list_models())}")
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    if weights not in tags and not Path(weights).is_file():
        raise ValueError(f"weights={weights!r} is neither a file nor one of {architecture}'s: {', '.join(tags)}")
    folder = None if folder is None else str(folder)
    if weights in tags:
        try:
            open_clip.download_pretrained(open_clip.get_pretrained_cfg(architecture, weights), cache_dir=folder)
        except OSError as error:
            raise MissingWeights(
                f"the weights {weights!r} of CLIP's {architecture} are not on this machine and could not be downloaded "
                f'({error}). Where there is a network: python -c "import open_clip; '
                f"open_clip.create_model('{architecture}', '{weights}')\". Then copy its cache here "
                "(~/.cache/huggingface or ~/.cache/clip), or the file alone: weights='path/to/file'."
            ) from error
    model = open_clip.create_model(architecture, pretrained=weights, device=device, cache_dir=folder)
    name = f"CLIP {architecture}, {weights if weights in tags else Path(weights).name}"
    return Clip(model.eval(), open_clip.get_tokenizer(architecture), name)


def zero_shot(
    clip: Clip, images: Tensor, classes: Sequence[str], templates: Sequence[str] = TEMPLATES, batch_size: int = 64
) -> Tensor:
    """Return the logits [N, K] of uint8 images for classes given by name.

    A class is represented by the mean of its templates' unit embeddings (Radford et al., 2021, Section 3.1.4); a logit
    is the cosine times the network's own scale.
    """
    if not classes or not templates or any("{}" not in template for template in templates):
        raise ValueError(
            f"classes={list(classes)} and templates={list(templates)}: some of each, every template with {{}}"
        )
    said = [unit(clip.texts([template.format(name) for template in templates])).mean(0) for name in classes]
    scale = clip.model.logit_scale.detach().exp().cpu()
    return scale * unit(clip.images(images, batch_size)) @ unit(torch.stack(said)).T


def clip_distance(
    clip: Clip, images: Tensor, originals: Tensor, generator: torch.Generator, *, variant: str = "cosine"
) -> Measured:
    """Return the mean CLIP distance of uint8 images from their originals, with a bootstrap interval over pairs.

    Args:
        variant: "cosine" is 100 (1 - cosine), from 0 to 200; "euclidean" is the length of the embeddings' difference.
    """
    if variant not in DISTANCES:
        raise ValueError(f"variant={variant!r} is not one of {', '.join(DISTANCES)}")
    _paired(len(images), len(originals), "originals")
    a, b = clip.images(images), clip.images(originals)
    each = 100 * (1 - F.cosine_similarity(a, b)) if variant == "cosine" else (a - b).norm(dim=1)
    return bootstrap_mean(each, generator)


def clip_score(clip: Clip, images: Tensor, prompts: Sequence[str], generator: torch.Generator) -> Measured:
    """Return the mean CLIP score of uint8 images with their prompts, with a bootstrap interval over pairs."""
    _paired(len(images), len(prompts), "prompts")
    each = F.cosine_similarity(clip.images(images), clip.texts(prompts))
    return bootstrap_mean(100 * each.clamp(min=0), generator)


def unit(x: Tensor) -> Tensor:
    """Scale the rows to length 1."""
    return F.normalize(x, dim=-1)


def _paired(images: int, others: int, what: str) -> None:
    if images != others:
        raise ValueError(f"{images} images, but {others} {what}: one each")
