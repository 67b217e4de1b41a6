"""Classifiers that decide which class a generated image belongs to.

Images are [B, C, H, W] in [-1, 1], as for the diffusion models. Both networks return logits [B, outputs]; an output is
one of several exclusive classes or an independent attribute, which :func:`classification_loss` distinguishes by the
targets. ``features`` are the input of the last, linear layer.
"""

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["CifarResNet", "SmallCNN", "classification_loss"]


def classification_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the loss of each image, [B], for logits [B, outputs].

    - Integer targets [B]: cross-entropy between exclusive classes.
    - Floating targets in [0, 1], [B, outputs]: binary cross-entropy of independent attributes, summed over them.
    """
    if targets.is_floating_point():
        return F.binary_cross_entropy_with_logits(logits, targets, reduction="none").sum(1)
    return F.cross_entropy(logits, targets, reduction="none")


def _conv(channels_in: int, channels: int, stride: int = 1) -> nn.Sequential:
    """Return a 3 x 3 convolution and BatchNorm, which has the bias."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(channels)
    )


class SmallCNN(nn.Module):
    """A CNN of three pairs of 3 x 3 convolutions at full, half and quarter size, a mean over pixels and a linear layer.

    It is for images from 8 x 8 (digits) to 64 x 64 (avatars). With ``width=32`` it has 288,170 parameters for MNIST.

    Args:
        image_channels: C.
        outputs: classes or attributes.
        width: features of the first pair; the second and third have twice and four times as many.
        dropout: probability of dropout on the features.
    """

    def __init__(self, image_channels: int, outputs: int, *, width: int = 32, dropout: float = 0.2):
        super().__init__()
        layers, c = [], image_channels
        for level, w in enumerate([width, 2 * width, 4 * width]):
            layers += [nn.MaxPool2d(2)] if level else []
            layers += [_conv(c, w), nn.ReLU(), _conv(w, w), nn.ReLU()]
            c = w
        self.layers = nn.Sequential(*layers)
        self.dropout, self.head = nn.Dropout(dropout), nn.Linear(c, outputs)
        self.image_channels = image_channels

    def features(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> [B, 4 width]."""
        _check(x, self.image_channels)
        return self.layers(x).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> logits [B, outputs]."""
        return self.head(self.dropout(self.features(x)))


class _Block(nn.Module):
    """A residual block, relu(shortcut(x) + conv(relu(conv(x))))."""

    def __init__(self, channels_in: int, channels: int, stride: int):
        super().__init__()
        self.conv1, self.conv2 = _conv(channels_in, channels, stride), _conv(channels, channels)
        self.shortcut = nn.Identity()
        if stride != 1 or channels_in != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride=stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.shortcut(x) + self.conv2(F.relu(self.conv1(x))))


class CifarResNet(nn.Module):
    """The ResNet for CIFAR-10 of He et al. (2016, Section 4.2): 6n + 2 layers at 32, 16 and 8 pixels.

    Where the size changes, the shortcut is a 1 x 1 convolution (their option B). ``depth=20`` has 272,474 parameters.

    Args:
        image_channels: C.
        outputs: classes or attributes.
        depth: 20, 32, 44, 56, ...
        width: features at full size; the lower resolutions have twice and four times as many.
    """

    def __init__(self, image_channels: int = 3, outputs: int = 10, *, depth: int = 20, width: int = 16):
        super().__init__()
        if depth < 8 or (depth - 2) % 6:
            raise ValueError(f"depth={depth} is not 6n + 2")
        self.image_channels = image_channels
        layers, c = [_conv(image_channels, width), nn.ReLU()], width
        for level, w in enumerate([width, 2 * width, 4 * width]):
            for block in range((depth - 2) // 6):
                layers.append(_Block(c, w, stride=2 if level and not block else 1))
                c = w
        self.layers, self.head = nn.Sequential(*layers), nn.Linear(c, outputs)

    def features(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> [B, 4 width]."""
        _check(x, self.image_channels)
        return self.layers(x).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> logits [B, outputs]."""
        return self.head(self.features(x))


def _check(x: Tensor, image_channels: int) -> None:
    if x.ndim != 4 or x.shape[1] != image_channels or min(x.shape[2:]) < 4:  # halved twice
        raise ValueError(f"images must be [B, {image_channels}, H, W] of at least 4 x 4, not {tuple(x.shape)}")
