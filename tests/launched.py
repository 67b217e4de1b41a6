"""Run a few updates of a small conditional U-Net, in one or several processes, and write the results."""

import os
from pathlib import Path

import torch
from accelerate import PartialState

from paperlib.data import sets
from paperlib.denoiser import Denoiser, reinitialise
from paperlib.losses import score_matching
from paperlib.nets.presets import unet
from paperlib.processes import VP
from paperlib.training import Training
from tests.oracles import seeded

DATA = sets.load("digits")


def objective(model, generator, index):
    x0, labels = DATA.batch(8, generator, dequantise=True)
    return {"loss": score_matching(model, x0, generator, cond=labels, antithetic=index == 1).mean()}


def updates(process: int = 0) -> dict[str, torch.Tensor]:
    """Return losses and gradients of three updates; the rate is zero except for the last, so momentum has no effect."""
    net = unet("small-8", predicts="preconditioned", classes=10, channels=8)
    model = Denoiser(net, VP())
    reinitialise(model, seeded(process))  # different weights in each process; those of the first one must be used
    with torch.no_grad():
        for p in model.parameters():  # zero weights in the last layers would hide all other gradients
            p += 0.02
    run = Training(model, objective, steps=3, lr=1e-3, clip=0, generator=seeded(5))
    found = {}
    for step in run:
        found[f"{step.index} loss"] = torch.tensor(step.losses["loss"])
        found |= {f"{step.index} {name}": p.grad.clone() for name, p in run.network.named_parameters()}
    return found | {f"trained {name}": p for name, p in run.model.state_dict().items()}


def one_of(rank: int, count: int, port: int, folder: Path) -> None:
    """Run the updates of one of several processes, with the environment that ``accelerate launch`` sets."""
    where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
    os.environ.update({name: str(value) for name, value in (where | {"RANK": rank, "LOCAL_RANK": rank}).items()})
    PartialState._reset_state()  # a fork inherits its parent's
    processes = PartialState(cpu=True)
    found = updates(processes.process_index) | {"processes": torch.tensor(processes.num_processes)}
    torch.save(found, folder / str(rank))
    processes.destroy_process_group()
