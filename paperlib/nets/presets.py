"""Named U-Nets: the networks of the papers, and small ones for a CPU.

``unet("small-28", predicts="eps", classes=10)`` builds one; any setting of :class:`~paperlib.nets.unet.UNet` may be
changed. ``predicts`` must be the same as for the :class:`~paperlib.denoiser.Denoiser`: it determines the time that a
denoiser passes to its network, and so the frequencies that resolve it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paperlib.nets.text import TextUNet
from paperlib.nets.unet import UNet

__all__ = ["FREQUENCIES", "PRESETS", "Preset", "unet"]

# The largest frequency, in radians per unit of the time that the network is given: 1000 t, or log(sigma / alpha) / 4.
FREQUENCIES = {"eps": 1.0, "x0": 1.0, "preconditioned": 16.0}

# GroupNorm in groups of 8: faster on a CPU than groups of 4.
_CPU = dict(blocks=1, per_group=8)


@dataclass(frozen=True)
class Preset:
    """A U-Net's settings, where they come from, and its number of parameters (tested)."""

    source: str
    parameters: int
    settings: Mapping[str, Any]
    network: type[UNet] = UNet


PRESETS = {
    # Its blocks are built differently: learned 4 x 4 up- and downsampling, a 1 x 1 convolution on every shortcut, two
    # residual layers per block, one skip connection per resolution; 10,188,081 parameters. Ours is the nearest in
    # size with its widths 64-128-256, its two halvings, and its attention with 4 heads at every resolution.
    "explainingai-mnist": Preset(
        "explainingai-code/DDPM-Pytorch, config/default.yaml; VDU's network for MNIST",
        11_164_737,
        dict(size=28, image_channels=1, channels=64, multipliers=(1, 2, 4), blocks=1, attention=(28, 14, 7), heads=4),
    ),
    # The source has three more output channels, for the learned variance: 52,546,438 parameters.
    "improved-diffusion-cifar10": Preset(
        "openai/improved-diffusion, README.md, unconditional CIFAR-10; VDU's network for CIFAR-10",
        52_542_979,
        dict(size=32, blocks=3, attention=(16, 8), heads=4, scale_shift=True, dropout=0.3),
    ),
    "shared-cifar10": Preset(
        "clear-nus/selective-amnesia, ddpm/configs/cifar10_sample.yml; also SalUn's and EraseDiff's",
        38_632_323,
        dict(size=32, attention=(16,), dropout=0.1, classes=10, clock=(1.0, -1.0), padding="end"),
    ),
    "score-sde-ddpm": Preset(
        "yang-song/score_sde_pytorch, models/ddpm.py; SGU's network: its public code, configs/vp/ddpm/*_continuous.py",
        35_746_307,
        dict(size=32, attention=(16,), dropout=0.1, clock=(0.999, 0.0), padding="end"),
    ),
    "score-sde-ddpm++": Preset(
        "yang-song/score_sde_pytorch, configs/vp/cifar10_ddpmpp_continuous.py; the deep one has blocks=8",
        61_804_419,
        dict(size=32, blocks=4, attention=(16,), dropout=0.1, layout="ddpm++", clock=(0.999, 0.0)),
    ),
    # shared-cifar10 at 56 channels for 128: with its ten classes 7.4 M, in fp16 a checkpoint of 15 MB.
    "small-cifar10": Preset(
        "ours, the layout of shared-cifar10",
        7_410_315,
        dict(size=32, channels=56, attention=(16,), dropout=0.1, classes=10),
    ),
    # About 1 M parameters and no attention: what two CPU cores train in an hour. Half the channels at 64 x 64, so
    # that its first resolution costs what the first of 32 x 32 costs.
    "small-8": Preset("ours", 634_273, dict(size=8, image_channels=1, channels=32, multipliers=(1, 2), **_CPU)),
    "small-16": Preset("ours", 1_046_883, dict(size=16, channels=32, multipliers=(1, 2, 2), **_CPU)),
    "small-28": Preset("ours", 1_045_729, dict(size=28, image_channels=1, channels=32, multipliers=(1, 2, 2), **_CPU)),
    "small-32": Preset("ours", 1_458_339, dict(size=32, channels=32, multipliers=(1, 2, 2, 2), **_CPU)),
    # On patches of 2 x 2 pixels, with more features where pixels are few: more than twice as many images per second as
    # small-32, and at equal processor time the lowest error on held-out images (results/search/cifar10-recipes.json).
    "patched-32": Preset("ours", 2_476_076, dict(size=32, channels=32, multipliers=(1, 2, 4), patch=2, **_CPU)),
    # Conditioned on words by cross-attention at 6 x 6; ``text`` is the number of features of a word.
    "text-12": Preset(
        "ours", 718_883, dict(size=12, channels=32, multipliers=(1, 2), attended=6, text=96, **_CPU), TextUNet
    ),
    "small-64": Preset("ours", 1_418_611, dict(size=64, channels=16, multipliers=(1, 2, 4, 4, 4), **_CPU)),
}


def unet(name: str, *, predicts: str, **changes: Any) -> UNet:
    """Return the preset ``name`` with ``changes`` to its settings, for a denoiser with the same ``predicts``."""
    if name not in PRESETS:
        raise ValueError(f"{name!r} is not one of {', '.join(PRESETS)}")
    if predicts not in FREQUENCIES:
        raise ValueError(f"predicts={predicts!r} is not one of {', '.join(FREQUENCIES)}")
    own = {"clock": (1.0, 0.0)} if predicts == "preconditioned" else {}  # its time is not a step number
    return PRESETS[name].network(**{**PRESETS[name].settings, "frequency": FREQUENCIES[predicts], **own, **changes})
