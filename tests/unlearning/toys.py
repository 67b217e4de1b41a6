"""Three well-separated classes of points in the plane, and small models of them: tasks that every method must solve."""

import functools
import math

import torch
from torch import nn

from paperlib.denoiser import Denoiser, reinitialise
from paperlib.losses import batch_loss
from paperlib.nets.mlp import MLP
from paperlib.nets.unet import UNet
from paperlib.processes import DDPM, VP
from paperlib.sampling import sample
from paperlib.training import Training
from paperlib.unlearning.replay import Samples
from tests.oracles import seeded

CENTRES = 2.0 * torch.tensor([[math.cos(a), math.sin(a)] for a in (0.0, 2.1, 4.2)])
SPREAD = 0.25


class LabelledMLP(nn.Module):
    """An MLP that is given the class, 0, 1, 2 or 3 for none, as a vector added to its input."""

    def __init__(self, classes: int = 3, width: int = 48):
        super().__init__()
        self.classes, self.null = classes, classes
        self.labels = nn.Embedding(classes + 1, 2)
        self.mlp = MLP(4, width=width, depth=2)
        self.last = nn.Linear(4, 2)

    def forward(self, x, time, cond=None):
        cond = torch.full((len(x),), self.null) if cond is None else cond
        return self.last(self.mlp(torch.cat([x, self.labels(cond)], dim=1), time))


def points(n: int, classes: tuple[int, ...], seed: int = 0) -> Samples:
    """Return n points of each class."""
    labels = torch.tensor(classes).repeat_interleave(n)
    return Samples(CENTRES[labels] + SPREAD * torch.randn(len(labels), 2, generator=seeded(seed)), labels)


FORGET, RETAIN = points(300, (0,), 1), points(300, (1, 2), 2)


def fresh(conditional: bool, seed: int = 0) -> Denoiser:
    """Return an untrained model without zero weights."""
    with torch.random.fork_rng(devices=[]):  # layers are initialised from the global generator
        model = Denoiser(LabelledMLP() if conditional else MLP(2, width=48, depth=2), VP(), data_std=1.5)
    reinitialise(model, seeded(seed))
    with torch.no_grad():
        for i, p in enumerate(model.parameters()):
            p.add_(0.05 * torch.randn(p.shape, generator=seeded(100 + i)))
    return model


@functools.cache
def trained(conditional: bool) -> Denoiser:
    """Return a model of all three classes, trained in seconds and shared by all tests: do not change it."""
    data = Samples(torch.cat([FORGET.x, RETAIN.x]), torch.cat([FORGET.labels, RETAIN.labels]))

    def objective(model, generator, index):
        return {"loss": batch_loss(model, data, 128, generator).mean()}

    settings = {"steps": 250, "lr": 2e-2, "decay": True, "ema": 0.95, "generator": seeded(7)}
    return Training(fresh(conditional), objective, **settings).run()


def share_of(model: Denoiser, centre: int, label: int | None = None, n: int = 200) -> float:
    """Return the share of the model's samples (under ``label``) within six spreads of a class's centre."""
    cond = None if label is None else torch.full((n,), label)
    with torch.no_grad():
        x = sample(model, (n, 2), generator=seeded(11), steps=10, cond=cond).x
    return ((x - CENTRES[centre]).norm(dim=1) < 6 * SPREAD).float().mean().item()


def images(n: int = 12, classes: tuple[int, ...] = (0, 1, 2), seed: int = 0) -> Samples:
    """Return noise in the shape of one-channel images of 8 x 8."""
    labels = torch.tensor(classes).repeat_interleave(n)
    return Samples(torch.rand(len(labels), 1, 8, 8, generator=seeded(seed)) * 2 - 1, labels)


def small_unet(classes: int = 3, dropout: float = 0.1) -> Denoiser:
    """Return a U-Net on a DDPM with a few thousand weights, none of them zero."""
    with torch.random.fork_rng(devices=[]):
        net = UNet(8, 1, channels=8, multipliers=(1, 2), blocks=1, classes=classes, dropout=dropout)
    model = Denoiser(net, DDPM.linear(T=50), predicts="eps")
    reinitialise(model, seeded(3))
    with torch.no_grad():
        for i, p in enumerate(model.parameters()):
            p.add_(0.05 * torch.randn(p.shape, generator=seeded(200 + i)))
    return model


def exact_classifier(y, log_s):
    """Return each class's log-density at noisy points y [B, 2], up to a constant, as a perfect classifier would."""
    variance = SPREAD**2 + (2 * log_s).exp()
    return -(y[:, None] - CENTRES).square().sum(2) / (2 * variance.expand(len(y))[:, None])
