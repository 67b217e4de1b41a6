"""Import published weights for a base model: ``python -m companion weights NAME SOURCE``.

``NAME`` is a base model of a paper's size, such as ``erasediff-cifar10-ddpm-labels``. ``SOURCE`` is a diffusers folder,
the name of one on its hub (``google/ddpm-cifar10-32``, which needs a network), or a checkpoint in the layout of SA,
SalUn and EraseDiff or of score_sde (:mod:`paperlib.nets.published`). The weights are copied beside the data, with a
card that says where they come from. Every page then starts from them, and the campaign does not train this model.
"""

import argparse
import sys
from pathlib import Path

from companion import bases, checkpoints
from companion.bases import BASES
from paperlib.nets.published import layout_of, read, renamed

__all__ = ["bring", "main"]


def bring(name: str, source: str) -> Path:
    """Copy the weights at ``source`` to the place of the base model ``name``."""
    able = [base.name for base in BASES.values() if base.paper and not base.of]
    if name not in able:
        raise ValueError(f"name={name!r} is not one of {', '.join(able)}")
    state = read(_local(source))
    model = bases.architecture(BASES[name])
    model.net.load_state_dict(renamed(state, model.net))
    budget = bases.budget(BASES[name], "cpu")
    card = {
        "base": BASES[name].model_dump(),
        "network": BASES[name].preset,
        "source": source,
        "layout": layout_of(state),
        "samples_seen": budget.samples,  # as many as in the campaign, which then has nothing left to do
    }
    return checkpoints.save(model, name, card, BASES[name].folder, precise=True)


def _local(source: str) -> Path:
    """Return a folder or file as it is; otherwise download the folder from the hub."""
    if Path(source).exists() or source.count("/") != 1 or source.startswith("."):
        return Path(source)
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(source, allow_patterns=["*.json", "*.safetensors", "*.bin"]))


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m companion weights", description=__doc__.partition("\n")[0])
    parser.add_argument("name", help="the base model")
    parser.add_argument("source", help="a folder, a file, or a name on the hub")
    options = parser.parse_args(arguments)
    try:
        print(bring(options.name, options.source))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
