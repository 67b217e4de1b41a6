"""Training images per second of our U-Net beside the public ones, on this machine.

Each pair has the same channels at each resolution, the same batch, and floating-point operations within 5 %. A step is
forward, mean squared error, backward and Adam. The contestants take turns, step by step, so that whatever else the
machine does falls on all alike; the median of each is printed. The public networks run as they come and, in a second
row, with channels_last weights, as ours are.

    python benchmarks/unet_training.py --threads 2
"""

import time

import torch
from _measure import interleaved, machine, options
from denoising_diffusion_pytorch import Unet
from diffusers import UNet2DModel
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from paperlib.nets.presets import unet

SIZE, CHANNELS, MULTIPLIERS = 28, 32, (1, 2, 2)


class Sample(nn.Module):
    """diffusers' network returning a tensor."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x, time):
        return self.net(x, time, return_dict=False)[0]


def diffusers() -> nn.Module:
    """UNet2DModel in the layout of our preset small-28: one block, no attention, groups of 4 channels at full size."""
    levels = len(MULTIPLIERS)
    return Sample(
        UNet2DModel(
            sample_size=SIZE,
            in_channels=1,
            out_channels=1,
            block_out_channels=tuple(CHANNELS * m for m in MULTIPLIERS),
            layers_per_block=1,
            norm_num_groups=8,
            down_block_types=("DownBlock2D",) * levels,
            up_block_types=("UpBlock2D",) * levels,
            add_attention=False,
        )
    )


def denoising_diffusion() -> nn.Module:
    """Unet: two blocks, linear attention above and full attention at 7 x 7; heads of 40 for 32, to match operations."""
    return Unet(CHANNELS, dim_mults=MULTIPLIERS, channels=1, attn_dim_head=40)


def ours(**changes) -> nn.Module:
    return unet("small-28", predicts="eps", **changes)


PAIRS = {
    "diffusers UNet2DModel": (diffusers, ours),
    "denoising-diffusion-pytorch Unet": (
        denoising_diffusion,
        lambda: ours(blocks=2, attention=(7,), heads=4, scale_shift=True),
    ),
}


def operations(make, batch: int = 2) -> float:
    """Floating-point operations of a forward and backward pass, in millions an image; nothing is computed."""
    with torch.device("meta"):
        net, x, t = make(), torch.zeros(batch, 1, SIZE, SIZE), torch.zeros(batch)
        with FlopCounterMode(display=False) as counter:
            net(x, t).square().mean().backward()
    return counter.get_total_flops() / batch / 1e6


class Contestant:
    def __init__(self, net: nn.Module, batch: int):
        self.net = net.train()
        self.optimizer = torch.optim.Adam(net.parameters(), lr=1e-4, fused=True)
        self.x, self.t = torch.randn(batch, 1, SIZE, SIZE), 1000 * torch.rand(batch)

    def __call__(self) -> float:
        """One step; its seconds."""
        start = time.perf_counter()
        self.optimizer.zero_grad()
        (self.net(self.x, self.t) - self.x).square().mean().backward()
        self.optimizer.step()
        return time.perf_counter() - start


def main() -> None:
    chosen = options(__doc__, batch=64, rounds=9)
    print("## Training a U-Net, images a second\n")
    print(f"{machine()}; batch {chosen.batch} of {SIZE} x {SIZE}, median of {chosen.rounds} interleaved steps\n")
    print("| network | Mflop an image | M parameters | images/s | ours is faster by |\n|---|---|---|---|---|")
    for name, (theirs, make_ours) in PAIRS.items():
        flops = {name: operations(theirs), "ours": operations(make_ours)}
        if abs(flops["ours"] / flops[name] - 1) > 0.05:
            raise SystemExit(f"{name}: operations differ by more than 5 %: {flops}")
        nets = {name: theirs(), f"{name}, channels_last": theirs().to(memory_format=torch.channels_last)}
        nets["ours"] = make_ours()
        contestants = {label: Contestant(net, chosen.batch) for label, net in nets.items()}
        seconds = interleaved(contestants, chosen.rounds)
        for label, net in nets.items():
            millions = sum(p.numel() for p in net.parameters()) / 1e6
            faster = "" if label == "ours" else f"{(ratio := seconds[label] / seconds['ours']):.2f}"
            faster += " (behind)" if faster and ratio < 1 else ""
            operations_here = flops["ours" if label == "ours" else name]
            speed = chosen.batch / seconds[label]
            print(f"| {label} | {operations_here:.0f} | {millions:.2f} | {speed:.1f} | {faster} |")


if __name__ == "__main__":
    main()
