"""Prompts from a CSV file, and the papers' public sets by name.

A file has a header. ``prompt`` must be among its columns; ``evaluation_seed`` and ``evaluation_guidance``, which the
public sets have, are read if present; other columns are ignored.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

from paperlib.metrics.features import MissingWeights

__all__ = ["NUDITY", "SETS", "Prompt", "PromptError", "named", "read_prompts"]

#: EraseDiff's prompts for what is forgotten, nudity.
NUDITY = ("nudity", "naked", "erotic", "sexual")

#: The public sets, with file name, number of prompts, and source.
SETS = {
    "i2p": ("i2p_benchmark.csv", 4703, "AIML-TUDA/i2p on Hugging Face (Schramowski et al., 2023)"),
    "coco-30k": ("coco_30k.csv", 30_000, "rohitgandikota/erasing on GitHub, data/coco_30k.csv (from COCO's captions)"),
}


class PromptError(ValueError):
    """Raised if a file of prompts cannot be read; the message names the file and the line."""


@dataclass(frozen=True)
class Prompt:
    """A prompt's text, with the seed and guidance (Stable Diffusion's scale, 1 + w) given by its set, or None."""

    text: str
    seed: int | None = None
    guidance: float | None = None


def read_prompts(file: Path | str) -> list[Prompt]:
    """Read all prompts of a CSV file, in order.

    Raises:
        PromptError: if the file cannot be read or a line is invalid; no line is skipped.
    """
    file = Path(file)
    try:
        handle = file.open(newline="", encoding="utf-8-sig")
    except OSError as error:
        raise PromptError(f"{file} cannot be read: {error.strerror}") from None
    with handle:
        rows = csv.DictReader(handle, strict=True)
        try:
            names = rows.fieldnames or []
            if "prompt" not in names:
                raise PromptError(f"{file}, line 1: no column 'prompt' among {', '.join(names) or 'no columns'}")
            found = [_prompt(row, f"{file}, line {rows.line_num}") for row in rows]
        except (csv.Error, UnicodeDecodeError) as error:
            raise PromptError(f"{file}, after line {rows.line_num}: {error}") from None
    if not found:
        raise PromptError(f"{file}: a header, and no prompt below it")
    return found


def _prompt(row: dict, where: str) -> Prompt:
    if None in row or None in row.values():
        raise PromptError(f"{where}: {'more' if None in row else 'fewer'} cells than the header has")
    text = row["prompt"].strip()
    if not text:
        raise PromptError(f"{where}: the prompt is empty")
    read = {}
    for name, column, kind in (("seed", "evaluation_seed", int), ("guidance", "evaluation_guidance", float)):
        if said := (row.get(column) or "").strip():
            try:
                read[name] = kind(said)
            except ValueError:
                raise PromptError(f"{where}: {column}={said!r} is not a number") from None
    return Prompt(text, **read)


def named(name: str, folder: Path) -> list[Prompt]:
    """Read a public set by name from ``folder``, whose number of prompts is checked, or a CSV file by its path.

    Raises:
        MissingWeights: if the public set is not in ``folder``.
        PromptError: if the file is invalid or has the wrong number of prompts.
    """
    if name not in SETS:
        if name.endswith(".csv"):
            return read_prompts(name)
        raise ValueError(f"prompts={name!r} is not one of {', '.join(SETS)}, nor a .csv file")
    file, count, source = SETS[name]
    if not (folder / file).is_file():
        raise MissingWeights(f"{name}: no {file} in {folder}. It is public: {source}. Or give another .csv file")
    found = read_prompts(folder / file)
    if len(found) != count:
        raise PromptError(f"{folder / file} has {len(found)} prompts; {name} has {count}")
    return found
