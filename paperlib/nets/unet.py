"""The U-Net: residual blocks on a downward and an upward path, with skip connections between them.

One network for all image experiments, laid out as in Ho et al. (2020, Appendix B), Nichol and Dhariwal (2021) or, with
``layout="ddpm++"``, Song et al. (2021, Appendix H). In every layout the last layer of a block, the projection of an
attention and the output start at zero. :mod:`paperlib.nets.presets` has the networks of the papers, and
:mod:`paperlib.nets.published` loads published weights into them.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from paperlib.nets.blocks import Attention, Down, Layers, Residual, Up, ZeroConv2d, norm

__all__ = ["LAYOUTS", "PADDINGS", "UNet", "drop_labels", "time_features"]

LAYOUTS = ("ddpm", "ddpm++")
PADDINGS = ("even", "end")


def time_features(time: Tensor, features: int, frequency: float) -> Tensor:
    """Return the sin and cos of time [B] at frequencies that fall geometrically from ``frequency`` to a 10,000th of it.

    The result is [B, features], sines first.
    """
    decay = torch.linspace(0, -math.log(10_000), features // 2, dtype=time.dtype, device=time.device)
    phase = time[:, None] * (frequency * decay.exp())
    return torch.cat([phase.sin(), phase.cos()], dim=1)


def drop_labels(labels: Tensor, null: int, probability: float, generator: torch.Generator) -> Tensor:
    """Replace each label [B] by ``null`` with the given probability, for classifier-free guidance.

    A loss calls this, with its own generator, on the labels that it passes to the network, which itself drops none.
    """
    dropped = torch.rand(labels.shape, generator=generator, device=generator.device) < probability
    return labels.masked_fill(dropped.to(labels.device), null)


def _mlp(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(channels, 4 * channels), nn.SiLU(), nn.Linear(4 * channels, 4 * channels))


class UNet(nn.Module):
    """A U-Net: x [B, C, size, size], time [B], cond [B] or None -> [B, C, size, size].

    Args:
        size: height and width of the images; halved once for each multiplier but the first.
        image_channels: C.
        channels: features at full resolution, a multiple of ``per_group``.
        multipliers: features at each resolution, in units of ``channels``.
        blocks: residual blocks at each resolution on the way down; on the way up there is one more.
        attention: the resolutions whose pixels attend to each other; if there are any, the middle's do too.
        heads: number of heads of every attention.
        dropout: probability of dropout inside every residual block; in training only, from torch's global generator.
        classes: number of classes, 0 for none. ``cond`` has labels 0 ... classes - 1, or :attr:`null`, the label of no
            class; ``cond=None`` means null for all. An unconditional network does not accept ``cond``.
        layout: "ddpm": convolutions halve and double, attention follows every block. "ddpm++": residual blocks halve
            and double, there is one attention per resolution on the way up, and sums are divided by sqrt(2).
        scale_shift: the embedding of time and class scales and shifts instead of being added
            (:class:`~paperlib.nets.blocks.Residual`).
        per_group: smallest number of features in a group of GroupNorm (:func:`~paperlib.nets.blocks.norm`).
        frequency: the largest frequency of the time's sines, in radians per unit of ``time``. DDPM's is 1, for its time
            1000 t; for log(sigma / alpha) / 4, whose whole range is about 3, use 16. Either way the network is smooth
            in time, as the probability-flow ODE requires.
        clock: (a, b): the sines are of a time + b. DDPM's code counts steps from 0, so step k is passed as k - 1:
            (1, -1); score_sde's time runs to 999: (0.999, 0).
        padding: padding of the convolutions that halve, "even" or "end" (:class:`~paperlib.nets.blocks.Down`).
        patch: side of the squares of image pixels that form one pixel of the network, with their values as channels, as
            in a transformer of patches: a quarter of the work at 2. ``attention`` refers to the network's own pixels.

    The weights are channels_last in memory, and so are the activations: faster, with the same results up to rounding.
    """

    def __init__(
        self,
        size: int,
        image_channels: int = 3,
        *,
        channels: int = 128,
        multipliers: tuple[int, ...] = (1, 2, 2, 2),
        blocks: int = 2,
        attention: tuple[int, ...] = (),
        heads: int = 1,
        dropout: float = 0.0,
        classes: int = 0,
        layout: str = "ddpm",
        scale_shift: bool = False,
        per_group: int = 4,
        frequency: float = 1.0,
        clock: tuple[float, float] = (1.0, 0.0),
        padding: str = "even",
        patch: int = 1,
    ):
        super().__init__()
        halvings = len(multipliers) - 1
        if patch < 1 or size % patch:
            raise ValueError(f"size={size} cannot be cut into patches of patch={patch}")
        sizes = [size // patch // 2**level for level in range(halvings + 1)]
        if size // patch % 2**halvings:
            cut = f", in patches of {patch}," if patch > 1 else ""
            raise ValueError(f"size={size}{cut} cannot be halved {halvings} times, as multipliers={multipliers} asks")
        if not set(attention) <= set(sizes):
            raise ValueError(f"attention={attention} names a resolution that is not among {sizes}")
        if channels % per_group or channels < per_group:
            raise ValueError(f"channels={channels} is not a multiple of per_group={per_group}")
        if layout not in LAYOUTS:
            raise ValueError(f"layout={layout!r} is not one of {', '.join(LAYOUTS)}")
        if padding not in PADDINGS:
            raise ValueError(f"padding={padding!r} is not one of {', '.join(PADDINGS)}")
        self.shape, self.patch = (image_channels, size, size), patch
        self.channels, self.classes, self.known, self.frequency = channels, classes, classes, frequency
        self.clock = clock
        plus = layout == "ddpm++"
        widths = [channels * multiplier for multiplier in multipliers]
        embedding = 8 * channels if classes else 4 * channels  # of the time, and of the class if there is one

        def residual(a: int, b: int, resample: str | None = None) -> Residual:
            settings = {"dropout": dropout, "scale_shift": scale_shift, "per_group": per_group, "rescale": plus}
            return Residual(a, b, embedding, resample=resample, **settings)

        def attend(c: int, here: bool) -> list[Attention]:
            return [Attention(c, heads=heads, per_group=per_group, rescale=plus)] if here else []

        self.embed_time = _mlp(channels)
        if classes:
            self.labels, self.embed_class = nn.Embedding(classes + 1, channels), _mlp(channels)
        self.first = nn.Conv2d(image_channels * patch**2, channels, 3, padding=1)
        c, kept = channels, [channels]
        self.down = nn.ModuleList()  # the output of each is kept for the way up
        for level, width in enumerate(widths):
            if level:
                halve = residual(c, c, "down") if plus else Down(c, padding)
                self.down.append(Layers([halve]))
                kept.append(c)
            for _ in range(blocks):
                self.down.append(Layers([residual(c, width), *attend(width, sizes[level] in attention)]))
                c = width
                kept.append(c)
        self.middle = Layers([residual(c, c), *attend(c, bool(attention)), residual(c, c)])
        self.up = nn.ModuleList()  # each also takes one of the kept outputs, the last first
        for level, width in reversed(list(enumerate(widths))):
            for block in range(blocks + 1):
                last = block == blocks
                here = sizes[level] in attention and (last or not plus)
                double = [residual(width, width, "up") if plus else Up(width)] if level and last else []
                self.up.append(Layers([residual(c + kept.pop(), width), *attend(width, here), *double]))
                c = width
        self.last_norm, self.last = norm(c, per_group), ZeroConv2d(c, image_channels * patch**2, 3, padding=1)
        self.to(memory_format=torch.channels_last)

    @property
    def null(self) -> int:
        """The label of no class."""
        return self.known

    def unconditional(self) -> "UNet":
        """Make this network unconditional, in place: it no longer accepts ``cond``. The weights are unchanged; trained
        with label dropout, they are a model of all classes together."""
        self.classes = 0
        return self

    def forward(self, x: Tensor, time: Tensor, cond: Tensor | None = None) -> Tensor:
        """x [B, C, size, size], time [B], cond [B] labels or None -> [B, C, size, size]."""
        if x.shape[1:] != self.shape:
            raise ValueError(f"this U-Net is for images {self.shape}, not {tuple(x.shape[1:])}")
        return self.denoise(x, F.silu(self.embed(time, cond)))

    def denoise(self, x: Tensor, embedding: Tensor, context: Tensor | None = None) -> Tensor:
        """Pass x [B, C, size, size] down and up the network, with ``embedding`` [B, E] and, for cross-attention,
        ``context``."""
        if self.patch > 1:
            x = F.pixel_unshuffle(x, self.patch).contiguous(memory_format=torch.channels_last)
        h = self.first(x)
        kept = [h]
        for layers in self.down:
            h = layers(h, embedding, context)
            kept.append(h)
        h = self.middle(h, embedding, context)
        for layers in self.up:
            h = layers(torch.cat([h, kept.pop()], dim=1), embedding, context)
        return F.pixel_shuffle(self.last(F.silu(self.last_norm(h))), self.patch)

    def embed(self, time: Tensor, cond: Tensor | None) -> Tensor:
        """Embed time [B] and, if there are classes, labels [B] -> [B, E]."""
        a, b = self.clock
        features = time_features(a * time + b, self.channels, self.frequency).to(self.first.weight.dtype)
        if not self.classes and cond is not None:
            raise ValueError("this U-Net is unconditional, but cond was given")
        if not self.known:
            return self.embed_time(features)
        if cond is None:
            cond = torch.full(time.shape, self.null, device=time.device)
        if cond.shape != time.shape or cond.is_floating_point():
            raise ValueError(f"cond must hold one integer label an image, not {tuple(cond.shape)} {cond.dtype}")
        return torch.cat([self.embed_time(features), self.embed_class(self.labels(cond))], dim=1)
