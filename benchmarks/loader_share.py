"""The loader's share of a training step: batches drawn from one uint8 tensor, flipped and dequantised, on the CPU.

A step is the package's own training (denoising score matching, backward, clipping, Adam, average) of its small presets
for MNIST's and CIFAR-10's sizes. The loader is timed inside the very steps that it is a share of. The images are
embedded ones, repeated up to the number of the real set and stored in the order of its file, so that a batch is
gathered from as much memory.

    python benchmarks/loader_share.py --threads 2
"""

import statistics
import time

import torch
from _measure import interleaved, machine, options

from paperlib.data import sets
from paperlib.data.images import Images
from paperlib.denoiser import Denoiser
from paperlib.losses import score_matching
from paperlib.nets.presets import unet
from paperlib.processes import VP
from paperlib.training import Training

AIM = 0.02


def repeated(data: Images, n: int) -> Images:
    """``n`` images, in the files' order of bytes: colour last."""
    many = data.only(torch.arange(n) % len(data))
    return Images(many.name, many.images.contiguous(memory_format=torch.channels_last), many.classes, many.labels)


class Steps:
    """The training of one preset, step by step, and what its loader took in each."""

    def __init__(self, preset: str, data: Images, batch: int, total: int):
        self.data, self.batch, self.loading = data, batch, []
        model = Denoiser(unet(preset, predicts="eps"), VP(), predicts="eps")
        generator = torch.Generator().manual_seed(0)
        self.training = iter(Training(model, self.objective, steps=total, lr=1e-4, generator=generator))

    def objective(self, model, generator: torch.Generator, index: int) -> dict[str, torch.Tensor]:
        start = time.perf_counter()
        x0, _ = self.data.batch(self.batch, generator, flip=True, dequantise=True)
        self.loading.append(time.perf_counter() - start)
        return {"loss": score_matching(model, x0, generator).mean()}

    def __call__(self) -> float:
        start = time.perf_counter()
        next(self.training)
        return time.perf_counter() - start


def main() -> None:
    chosen = options(__doc__, batch=64, rounds=15)
    smoke, warmup = chosen.smoke, 2
    sources = {  # the real set's number of images
        "small-28": repeated(sets.load("digits", "test", size=28), 200 if smoke else 60_000),
        "small-32": repeated(sets.load("shapes", "test", size=32, n=100), 200 if smoke else 50_000),
    }
    total = warmup + chosen.rounds
    steps = {name: Steps(name, data, chosen.batch, total) for name, data in sources.items()}
    seconds = interleaved(steps, chosen.rounds, warmup)
    print("## The loader's share of a training step\n")
    print(f"{machine()}; batch {chosen.batch}, median of {chosen.rounds} interleaved steps; the aim is {AIM:.0%}\n")
    print("| network | images | loader, ms | step, ms | share | aim |\n|---|---|---|---|---|---|")
    for name, data in sources.items():
        loader = statistics.median(steps[name].loading[warmup:])
        share = loader / seconds[name]
        channels, height, width = data.shape
        of = f"{len(data):,} of {height} x {width} x {channels}"
        verdict = "met" if share <= AIM else "missed"
        print(f"| {name} | {of} | {1e3 * loader:.2f} | {1e3 * seconds[name]:.0f} | {share:.2%} | {verdict} |")


if __name__ == "__main__":
    main()
