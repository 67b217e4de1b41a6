"""Committed checkpoints: fp16 safetensors files, each with a card, evaluated as they are read back."""

import datetime
import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import nn

from companion import loaded
from companion.folders import models_folder
from companion.provenance import CHECKOUT, device, git_state, versions
from paperlib.files import whole

__all__ = ["FOLDER", "LARGEST", "DamagedCheckpoint", "amend", "card", "load", "rounded", "save"]

FOLDER = CHECKOUT / "checkpoints"
LARGEST = 20_000_000  # bytes of one file


class DamagedCheckpoint(ValueError):
    """A checkpoint file does not contain what its name or card says."""


def rounded(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return the state of ``model`` as it is stored: contiguous, floating point as fp16. Values that fp16 would round
    to infinity are refused."""
    state = {name: (v.half() if v.is_floating_point() else v).contiguous() for name, v in model.state_dict().items()}
    for name, value in state.items():
        if value.is_floating_point() and not value.isfinite().all():
            largest = model.state_dict()[name].abs().max().item()
            raise ValueError(f"{name} reaches {largest:g}: fp16 ends at 65504, and a checkpoint holds finite numbers")
    return state


def save(model: nn.Module, name: str, facts: dict[str, Any], folder: Path = FOLDER, *, precise: bool = False) -> Path:
    """Write ``<name>.safetensors`` and its card ``<name>.json``, which says what it was trained on, how long, how well.

    ``precise`` keeps the full precision, for two cases: a step of the store continues from the weights, where fp16
    would round away small updates; or the file is not committed, and may then have any size.
    """
    target = folder / f"{name}.safetensors"
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    data = to_bytes(state if precise else rounded(model))  # its save_file makes a file that only the owner may read
    if len(data) > LARGEST and not precise:
        raise ValueError(f"{name} has {len(data)} bytes; a checkpoint has {LARGEST} at most")
    commit, dirty = git_state(CHECKOUT)
    sha256, before = hashlib.sha256(data).hexdigest(), card(name, folder) or {}
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    facts = {
        **facts,
        "sha256": sha256,
        "parameters": sum(p.numel() for p in model.parameters()),
        "commit": commit,
        "dirty": dirty,
        "device": device(),
        "versions": versions(),
        "date": before.get("date", now) if before.get("sha256") == sha256 else now,  # of the weights: companion.stale
    }
    # Both are written before either is moved, and the card is moved last: a file with an older card is not read.
    with whole(target.with_suffix(".json")) as card_draft, whole(target) as draft:
        card_draft.write_text(_text(facts), encoding="utf-8")
        draft.write_bytes(data)
    return target


def card(name: str, folder: Path = FOLDER) -> dict[str, Any] | None:
    """Return the card of a checkpoint, or None if there is no such checkpoint."""
    file = folder / f"{name}.json"
    if not file.is_file() or not file.with_suffix(".safetensors").is_file():
        return None
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DamagedCheckpoint(f"{file} is no card of a checkpoint ({error}): restore or remove it") from error
    if not isinstance(facts, dict):
        raise DamagedCheckpoint(f"{file} is no card of a checkpoint, but {type(facts).__name__}: restore or remove it")
    if folder in (FOLDER, models_folder()):
        loaded.found(name, facts.get("sha256", ""))
    return facts


def amend(name: str, folder: Path = FOLDER, **facts: Any) -> None:
    """Add later measurements to a checkpoint's card."""
    with whole(folder / f"{name}.json") as draft:
        draft.write_text(_text({**(card(name, folder) or {}), **facts}), encoding="utf-8")


def _text(facts: dict[str, Any]) -> str:
    return json.dumps(facts, indent=2, sort_keys=True) + "\n"


def load(model: nn.Module, name: str, folder: Path = FOLDER) -> nn.Module:
    """Load a checkpoint into ``model``, after checking the sha256 in its card; return it in evaluation mode."""
    file = folder / f"{name}.safetensors"
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in folder.glob("*.safetensors"))) or "none"
        raise FileNotFoundError(f"there is no checkpoint {name!r} in {folder}; there are: {known}")
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    if sha256 != (card(name, folder) or {}).get("sha256"):
        raise DamagedCheckpoint(f"{file} is not the file of its card: its sha256 differs")
    loaded.use(sha256)
    try:
        state = {name: v.float() if v.is_floating_point() else v for name, v in load_file(file).items()}
    except SafetensorError as error:
        raise DamagedCheckpoint(f"{file} cannot be read ({error}): restore it, or train it again") from error
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip()
        raise DamagedCheckpoint(f"{file} is of another network than {type(model).__name__}: {first}") from error
    return model.eval()
