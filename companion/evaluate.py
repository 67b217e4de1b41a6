"""Measure a checkpoint: ``python -m companion evaluate mnist-ve --metrics fid,precision-recall,nll``.

The checkpoint is a base model's name, or the path of a ``.safetensors`` file with its card beside it. The record goes
to ``--out`` (default: below the build folder), a table to the screen.
"""

import argparse
import sys
from pathlib import Path
from typing import get_args

import torch

from companion.evaluation.measures import METRICS
from companion.evaluation.report import evaluate, prepare, write
from companion.evaluation.subject import Protocol
from companion.folders import build_folder
from companion.machine import pick_device

__all__ = ["main"]

HELP = {
    "n": "samples",
    "sampler": "as on the page about sampling: iPNDM, DDIM, DDPM, Heun, ...",
    "evaluations": "of the network, an image",
    "guidance": "weight of classifier-free guidance",
    "features": "network of precision and recall",
    "k": "neighbours of precision and recall",
    "reference": "part of the set that distances and neighbours are taken to",
    "reference_n": "its first so many images, 0 for all",
    "resamples": "of the distances' bootstrap",
    "forget": "what is to be forgotten: 3, or 3,7, or dog",
    "forget_n": "samples conditioned on it",
    "before": "the checkpoint before unlearning, for pul",
    "images": "test images of likelihoods",
    "tolerance": "of the likelihood's ODE solver",
    "strata": "of the bound's steps, 0 for every step",
    "seed": "of all that is random",
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 0 where everything was measured, 1 where some of it could not be, 2 where nothing can."""
    parser = argparse.ArgumentParser(prog="python -m companion evaluate", description=__doc__.partition("\n")[0])
    parser.add_argument("checkpoint")
    parser.add_argument("--metrics", required=True, help=f"some of {','.join(METRICS)}")
    for name, text in HELP.items():
        field = Protocol.model_fields[name]
        choices = get_args(field.annotation) or None
        kind = str if choices else field.annotation
        text = f"{text} (default: {field.default})" if field.default != "" else text
        parser.add_argument(f"--{name.replace('_', '-')}", default=field.default, type=kind, choices=choices, help=text)
    parser.add_argument("--device", choices=["cpu", "cuda"], help="default: a GPU where there is one")
    parser.add_argument("--out", type=Path, help="default: evaluations/<checkpoint>-<sha256>.json in the build folder")
    options = parser.parse_args(arguments)
    try:
        if options.out and options.out.is_dir():
            raise ValueError(f"--out {options.out} is a folder: name the file in it")
        metrics = tuple(name.strip() for name in options.metrics.split(",") if name.strip())
        protocol = Protocol.checked(metrics=metrics, **{name: getattr(options, name) for name in HELP})
        subject = prepare(options.checkpoint, protocol, device=pick_device(options.device))
    except (ValueError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if subject.device.type == "cuda":
        torch.set_float32_matmul_precision("high")
    evaluation = evaluate(subject, lambda text: print(text, file=sys.stderr, flush=True))
    name = f"{subject.checkpoint.name}-{subject.checkpoint.sha256[:8]}.json"
    file = write(evaluation, options.out or build_folder() / "evaluations" / name)
    print(evaluation.table(), "", evaluation.details(), "", f"record: {file}", sep="\n")
    return 1 if evaluation.absent else 0


if __name__ == "__main__":
    sys.exit(main())
