"""Copy a record to ``results/``, ready to commit: ``python -m companion record PAGE --profile laptop``.

``make record PAGE=...`` does the same. A record is made with the page's default parameters; ``--seeds 0,1,2`` takes the
run with ``-p seeds 0,1,2`` and defaults for the rest. ``--dataset cifar10`` takes the run with ``-p dataset cifar10``
and keeps what the committed record has of other data sets, ``--measures inception`` or ``--methods unseen`` the run of
some measures or methods alone and keeps what it did not measure (:mod:`companion.joined`). The page's record and the
images it names are copied from the build folder to ``results/<profile>/``, after checks that the scorecard relies on.
Refused, each with one sentence: a missing record, the profile ``smoke``, an invalid record (an unknown id, a null, a
duplicate id), an id that another page has recorded, code that has changed since the run, and a run with uncommitted
changes.

A run on a copy without git cannot name its commit. Its record is accepted if its ``source_sha256`` is that of a
checkout without uncommitted changes: the code that ran is then the code of that commit, and the copied record names it.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path

from companion.folders import build_folder, run_folder
from companion.joined import joined
from companion.parameters import defaults, normalised
from companion.provenance import CHECKOUT, git_state, page_sha256
from companion.records import Record, RecordError

__all__ = ["record"]

RECORDED = ("laptop", "paper")


def record(page: str, profile: str, **others: str) -> Path:
    """Copy a page's record to ``results/`` and return its new path; ``others`` selects a run with other seeds, or on
    some data sets alone.

    Raises a :class:`~companion.records.RecordError` if the record is refused.
    """
    others = {name: value for name, value in others.items() if value}
    if "forget" in others and not others.keys() & {"measures", "methods"}:
        raise RecordError("a run on some classes is recorded with --measures or --methods: it would replace the others")
    told = " ".join(f"-p {name} {value}" for name, value in others.items())
    again = f"run `make page PAGE={page} PROFILE={profile}" + (f' ARGS="{told}"' if told else "") + "` again"
    if profile == "smoke":
        raise RecordError("smoke is never recorded: it only shows that the page works")
    if profile not in RECORDED:
        raise RecordError(f"profile={profile!r} is not one of {', '.join(RECORDED)}")
    source = _source(page, profile, others)
    if not source.is_file():
        raise RecordError(f"there is no record {source}: {again}")
    made = Record.read(source)
    if (made.page, made.profile) != (page, profile):
        raise RecordError(f"{source} is the record of {made.page} in {made.profile}, not of {page} in {profile}")
    if made.provenance.source_sha256 != page_sha256(page):
        raise RecordError(f"the page, or paperlib code that it imports, has changed since the run: {again}")
    made = _vouched(made, again)
    folder = CHECKOUT / "results" / profile
    _check_owners(made, folder)
    images = [source.parent / image for image in made.images]
    for image in images:
        if not image.is_file():
            raise RecordError(f"the record names an image that is not there, {image}: {again}")
    if others.keys() & {"dataset", "measures", "methods"} and (folder / f"{page}.json").is_file():
        made = joined(made, Record.read(folder / f"{page}.json"))

    folder.mkdir(parents=True, exist_ok=True)
    for name in set(_images_before(folder / f"{page}.json")) - set(made.images):
        (folder / name).unlink(missing_ok=True)
    for image in images:
        shutil.copyfile(image, folder / image.name)
    made.write(folder / f"{page}.json")
    return folder / f"{page}.json"


def _source(page: str, profile: str, others: dict[str, str]) -> Path:
    """Return where the run wrote its record."""
    if not others:
        return build_folder() / "records" / profile / f"{page}.json"
    try:
        own = defaults(page)
    except FileNotFoundError:
        raise RecordError(f"there is no page {page}") from None
    for name, value in others.items():
        if name not in own:
            raise RecordError(f"{name}={value!r}: {page} has no parameter {name}")
    try:
        parameters = normalised(own, {"profile": profile} | others)
    except ValueError as error:
        raise RecordError(f"{page}: {error}") from None
    if parameters == own | {"profile": profile}:
        return _source(page, profile, {})
    return run_folder(build_folder(), page, parameters) / "record.json"


def _vouched(made: Record, again: str) -> Record:
    """Return the record with the commit of the code that ran."""
    commit, dirty = git_state(CHECKOUT)
    if made.provenance.commit != "unknown":
        if made.provenance.dirty:
            raise RecordError(f"the run was made with uncommitted changes: commit them and {again}")
        return made
    if dirty:
        raise RecordError("the run has no commit, and this checkout has uncommitted changes: commit them first")
    source = made.provenance.model_copy(update={"commit": commit, "dirty": False})
    return made.model_copy(update={"provenance": source})


def _check_owners(made: Record, folder: Path) -> None:
    ours = {value.claim for value in made.values}
    for file in sorted(folder.glob("*.json")):
        if file.stem != made.page:
            twice = ours.intersection(value.claim for value in Record.read(file).values)
            if twice:
                raise RecordError(f"{', '.join(sorted(twice))} is recorded by {file.stem}: an id belongs to one page")


def _images_before(file: Path) -> list[str]:
    return Record.read(file).images if file.is_file() else []


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m companion record", description="Copy a page's record to results/, ready to commit."
    )
    parser.add_argument("page")
    parser.add_argument("--profile", default="laptop")
    parser.add_argument(
        "--seeds", default="", help="take a run with these seeds instead of the page's own, such as 0,1,2"
    )
    parser.add_argument(
        "--dataset", default="", help="take a run on some of the page's data sets and keep the record of the others"
    )
    parser.add_argument(
        "--measures", default="", help="take a run of some of the page's measures and keep the record of the others"
    )
    parser.add_argument(
        "--methods", default="", help="take a run of some of the page's methods and keep the record of the others"
    )
    parser.add_argument("--forget", default="", help="with either: of a run on some classes alone")
    options = parser.parse_args(arguments)
    others = {name: getattr(options, name) for name in ("seeds", "dataset", "measures", "methods", "forget")}
    try:
        print(f"recorded: {os.path.relpath(record(options.page, options.profile, **others))}")
    except RecordError as error:
        print(f"{options.page} was not recorded: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
