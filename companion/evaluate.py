"""Evaluate a checkpoint: ``python -m companion evaluate mnist-ve --metrics fid,precision-recall,nll``.

The checkpoint is a base model's name, or the path of a ``.safetensors`` file with its card beside it. The record is
written to ``--out`` (default: in the build folder), and a table is printed.
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
    "n": "number of samples",
    "sampler": "sampler: iPNDM, DDIM, DDPM, Heun, ... (see the page on sampling)",
    "evaluations": "network evaluations per image",
    "guidance": "weight of classifier-free guidance",
    "features": "feature network for precision and recall",
    "k": "number of neighbours for precision and recall",
    "reference": "part of the data set to compare samples with",
    "reference_n": "number of its images, from the first on; 0 for all",
    "resamples": "bootstrap resamples for distances",
    "forget": "what is to be forgotten: 3, or 3,7, or dog",
    "forget_n": "number of samples conditioned on it",
    "before": "the checkpoint before unlearning, for pul",
    "images": "number of test images for likelihoods",
    "tolerance": "tolerance of the likelihood's ODE solver",
    "strata": "number of strata of the bound's steps; 0 for every step",
    "seed": "seed of everything random",
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 0 if everything was measured, 1 if some of it could not be, 2 if nothing can be."""
    parser = argparse.ArgumentParser(prog="python -m companion evaluate", description=__doc__.partition("\n")[0])
    parser.add_argument("checkpoint")
    parser.add_argument("--metrics", required=True, help=f"one or more of {','.join(METRICS)}")
    for name, text in HELP.items():
        field = Protocol.model_fields[name]
        choices = get_args(field.annotation) or None
        kind = str if choices else field.annotation
        text = f"{text} (default: {field.default})" if field.default != "" else text
        parser.add_argument(f"--{name.replace('_', '-')}", default=field.default, type=kind, choices=choices, help=text)
    parser.add_argument("--device", choices=["cpu", "cuda"], help="default: a GPU if there is one")
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
