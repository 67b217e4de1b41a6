"""Features of images: the output of a network, one vector per image.

A distance between sets of images is one between their features, so a number without the network's name is meaningless.
Statistics and results carry the name; only with pytorch-fid's Inception network is a distance an FID.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from paperlib.checks import need_images
from paperlib.data.images import model_input
from paperlib.extras import need

__all__ = ["INCEPTION", "MissingWeights", "Network", "features", "inception", "penultimate"]

#: The name of the one network whose Frechet distance is called FID.
INCEPTION = "Inception pool3 of pytorch-fid"


class MissingWeights(FileNotFoundError):
    """Raised if a network's weights are not on this machine."""


@dataclass(frozen=True)
class Network:
    """A feature network.

    Args:
        name: its name in results, such as ``"classifier-mnist"``.
        extract: maps uint8 images [B, C, H, W] to features [B, D].
    """

    name: str
    extract: Callable[[Tensor], Tensor]


@torch.no_grad()
def features(images: Tensor, network: Network, batch_size: int = 50) -> Tensor:
    """Return the features [N, D] of uint8 images [N, C, H, W], on the CPU, computed ``batch_size`` images at a time."""
    need_images("images", images)
    if batch_size < 1:
        raise ValueError(f"batch_size={batch_size} is below 1")
    return torch.cat([network.extract(part).cpu() for part in images.split(batch_size)])


def penultimate(classifier: nn.Module, name: str) -> Network:
    """Return the input of a classifier's last layer as a feature network: its ``.features`` of images in [-1, 1].

    The classifier must be in evaluation mode. Images are moved to its device.
    """
    if name == INCEPTION:
        raise ValueError(f"the name {INCEPTION!r} belongs to the network of pytorch-fid: give the classifier its own")
    if classifier.training:
        raise ValueError(f"{name} is in training mode: call its .eval() first")
    device = next(classifier.parameters()).device
    return Network(name, lambda images: classifier.features(model_input(images.to(device))))


def inception(device: torch.device | str = "cpu", dims: int = 2048) -> Network:
    """Return pytorch-fid's network of FID (Heusel et al., 2017): the 2048 features after the last pooling.

    With ``dims`` 64, 192 or 768 the features are from an earlier block, averaged over its pixels: a distance in these
    features is on another scale and is not FID, whatever a script prints.

    Images are prepared as by pytorch-fid's command: pixels u8 / 255, grey images repeated to three channels, resized to
    299 x 299 inside the network (bilinear, without antialiasing).

    Raises:
        MissingWeights: if the weights are not on this machine; the message says how to get them.
    """
    need("images", "pytorch_fid")
    from pytorch_fid.inception import FID_WEIGHTS_URL, InceptionV3  # late: only FID needs it

    if dims not in InceptionV3.BLOCK_INDEX_BY_DIM:
        raise ValueError(f"dims={dims} is not one of {', '.join(map(str, InceptionV3.BLOCK_INDEX_BY_DIM))}")
    file = Path(torch.hub.get_dir()) / "checkpoints" / FID_WEIGHTS_URL.rsplit("/", 1)[-1]
    if not file.is_file():
        raise MissingWeights(
            f"the weights of FID's Inception network are not at {file}. Download them from {FID_WEIGHTS_URL}, by hand "
            'or with: python -c "from pytorch_fid.inception import fid_inception_v3; fid_inception_v3()". '
            "Without them, a classifier's features give a Frechet distance (not an FID)."
        )
    model = InceptionV3([InceptionV3.BLOCK_INDEX_BY_DIM[dims]]).eval().to(device)
    name = INCEPTION if dims == 2048 else f"Inception's first {dims} features"
    return Network(name, lambda images: model(rgb(images.to(device)).float() / 255)[0].mean((2, 3)))


def rgb(images: Tensor) -> Tensor:
    """Return images [B, 1 or 3, H, W] with three channels; grey ones are repeated."""
    if images.shape[1] not in (1, 3):
        raise ValueError(f"images have {images.shape[1]} channels, neither 1 nor 3")
    return images.expand(-1, 3, -1, -1)
