"""UA on Imagenette, with an ImageNet classifier as the judge of generated images.

UA of a forgotten class is the share of images generated from its prompt that the classifier assigns to any other of
ImageNet's 1,000 classes (EraseDiff, Table 3). So whatever is not recognised counts as forgotten, even noise: UA says
nothing about what was generated instead.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from paperlib.checks import need_images
from paperlib.intervals import wilson
from paperlib.metrics.features import MissingWeights, rgb
from paperlib.metrics.intervals import Measured

__all__ = ["IMAGENETTE", "classifier", "unlearning_accuracy"]

#: Imagenette's classes, and their indices among ImageNet's 1,000.
IMAGENETTE = {
    "tench": 0,
    "English springer": 217,
    "cassette player": 482,
    "chain saw": 491,
    "church": 497,
    "French horn": 566,
    "garbage truck": 569,
    "gas pump": 571,
    "golf ball": 574,
    "parachute": 701,
}

#: A function from uint8 images [N, 3, H, W] to the predicted classes, [N].
Judge = Callable[[Tensor], Tensor]


def classifier(device: torch.device | str = "cpu", file: Path | None = None) -> Judge:
    """Return torchvision's ResNet-50 with its second ImageNet weights (80.9 % accuracy), as in SalUn's public code.

    Raises:
        MissingWeights: if the weights are not on this machine; the message says how to get them.
    """
    from torchvision.models import ResNet50_Weights, resnet50

    weights = ResNet50_Weights.IMAGENET1K_V2
    file = file or Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rsplit("/", 1)[-1]
    if not file.is_file():
        fetch = "python -c \"from torchvision.models import resnet50; resnet50(weights='IMAGENET1K_V2')\""
        raise MissingWeights(f"ResNet-50's ImageNet weights are not at {file}. Where there is a network: {fetch}")
    network = resnet50()
    network.load_state_dict(torch.load(file, weights_only=True))
    network, preprocess = network.eval().to(device), weights.transforms()

    @torch.no_grad()
    def judge(images: Tensor) -> Tensor:
        parts = rgb(images).split(32)
        return torch.cat([network(preprocess(part.to(device))).argmax(1).cpu() for part in parts])

    return judge


def unlearning_accuracy(images: Tensor, forgotten: str, judge: Judge) -> Measured:
    """Return UA, in percent, of images generated from the forgotten class's prompt, with Wilson's interval."""
    need_images("images", images)
    if forgotten not in IMAGENETTE:
        raise ValueError(f"forgotten={forgotten!r} is not one of {', '.join(IMAGENETTE)}")
    missed = int((judge(images) != IMAGENETTE[forgotten]).sum())
    low, high = wilson(missed, len(images))
    return Measured(100 * missed / len(images), (100 * low, 100 * high), len(images))
