"""A page's run: its parameters checked at once, its folders, and the record that it writes.

A run with the page's own parameters makes the book's record. Any other run has a folder of its own, so it cannot
overwrite what the book shows.
"""

import ast
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paperlib.runs.provenance import CHECKOUT, Origin
from paperlib.runs.records import NotRun, Record, Value, plain
from paperlib.runs.store import Store

__all__ = ["PROFILES", "Markdown", "Page", "build_folder", "page_defaults", "recorded", "run_folder"]

PROFILES = ("smoke", "laptop", "paper")
LARGEST_IMAGE = 500_000  # bytes: a record's images are committed


def build_folder() -> Path:
    """Return the folder of everything computed: ``PAPERLIB_BUILD``, else ``_build`` below the current folder."""
    return Path(os.environ.get("PAPERLIB_BUILD") or "_build").absolute()


def page_defaults(name: str) -> dict[str, Any]:
    """Return the plain literals of the ``parameters`` cell of ``notebooks/<name>.py``, ``profile`` among them."""
    script = CHECKOUT / "notebooks" / f"{name}.py"
    cells = ("\n" + script.read_text(encoding="utf-8")).split("\n# %%")
    cell = next((cell for cell in cells if '"parameters"' in cell.partition("\n")[0]), None)
    if cell is None:
        raise ValueError(f"{script} has no cell that is tagged parameters")
    defaults = {}
    for statement in ast.parse(cell.partition("\n")[2]).body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for target in targets:
                try:
                    defaults[target.id] = ast.literal_eval(statement.value)
                except (ValueError, AttributeError):
                    raise ValueError(f"{script}: the parameters cell holds plain literals only") from None
    return defaults


def run_folder(build: Path, name: str, parameters: Mapping[str, Any]) -> Path:
    """Return the folder of a run with other parameters than the page's own; ``parameters`` hold ``profile`` too."""
    digest = hashlib.sha256(json.dumps(plain(dict(parameters)), sort_keys=True).encode()).hexdigest()
    return Path(build) / "runs" / f"{name}-{digest[:8]}"


def recorded(name: str) -> Record | None:
    """Return the committed record of a page: ``paper`` where there is one, else ``laptop``, else None."""
    for profile in ("paper", "laptop"):
        file = CHECKOUT / "results" / profile / f"{name}.json"
        if file.is_file():
            return Record.read(file)
    return None


class Markdown(str):
    """Text that a notebook renders."""

    def _repr_markdown_(self) -> str:
        return str(self)


class Page:
    """One run of a page.

    Args:
        name: the page's, as its file in ``notebooks/``.
        profile: ``smoke``, ``laptop`` or ``paper``.
        parameters: every other parameter of the page, by name.
    """

    def __init__(self, name: str, *, profile: str, **parameters: Any) -> None:
        if profile not in PROFILES:
            raise ValueError(f"profile={profile!r} is not one of {', '.join(PROFILES)}")
        for parameter, value in parameters.items():
            if value is None:
                raise ValueError(f"{parameter}=None is not allowed: a number, a text or a list expected")
        if "seed" in parameters:
            from paperlib.runs.seeds import generator  # late: it imports torch, and `make book` needs only the folders

            generator(parameters["seed"], name, "noise")  # refuses what is no seed
        self.name, self.profile, self.parameters = name, profile, parameters
        build = build_folder()
        if self.is_default:
            self.record_path = build / "records" / profile / f"{name}.json"
        else:
            self.record_path = run_folder(build, name, {**parameters, "profile": profile}) / "record.json"
        self.folder = self.record_path.parent
        self.store = Store(build / "store")
        self.origin = Origin(name)

    @property
    def is_default(self) -> bool:
        """Whether the parameters are those that the page has in this checkout, ``profile`` apart."""
        try:
            defaults = page_defaults(self.name)
        except FileNotFoundError:
            return False
        defaults.pop("profile", None)
        return plain(self.parameters) == plain(defaults)

    @property
    def recorded(self) -> Record | None:
        """The committed record of this page, or None."""
        return recorded(self.name)

    def banner(self, data: str = "") -> Markdown:
        """Say what this run is worth; ``data`` is what it computes on, where the page's title does not say it."""
        if self.profile == "smoke":
            subject = f" on {data}" if data else ""
            return Markdown(
                f"> **Profile `smoke`.** This run only proves that the page works{subject}: small networks, few "
                "updates and samples. Its numbers reproduce nothing and are never recorded."
            )
        seed, seeds = (self.parameters.get(name, "") for name in ("seed", "seeds"))
        if isinstance(seeds, int):  # how many, on the mixture's pages; 0: as many as the profile has
            said = f"{seeds or 'several'} seeds from {seed} on"
        else:
            said = f"seeds {seeds}" if "," in seeds else f"seed {seeds or seed}"
        said += f", on {data}" if data else ""
        return Markdown(f"> **Profile `{self.profile}`**, {said}. This run's numbers were measured by the code below.")

    def recorded_image(self, what: str) -> Path:
        """Return where an image of the committed record is."""
        if self.recorded is None:
            raise FileNotFoundError(f"{self.name} has no record yet")
        return CHECKOUT / "results" / self.recorded.profile / f"{self.name}-{what}.png"

    def image_path(self, what: str) -> Path:
        """Return where an image of the record belongs: ``<page>-<what>.png`` beside it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / f"{self.name}-{what}.png"

    def write(
        self,
        *,
        values: Sequence[Value | NotRun],
        series: Mapping[str, Any] | None = None,
        images: Sequence[Path | str] = (),
    ) -> Record:
        """Check and write this run's record, and return it.

        Args:
            values: what was measured, and what was not run.
            series: curves and the like, by name; tensors and arrays become lists.
            images: paths of small PNG files that were written to :meth:`image_path`.
        """
        for image in images:
            file = self.folder / Path(image).name
            if not file.is_file():
                raise FileNotFoundError(f"no such image of the record: {file}")
            if (size := file.stat().st_size) > LARGEST_IMAGE:
                raise ValueError(f"{file.name} has {size} bytes; a record's image has {LARGEST_IMAGE} at most")
        record = Record.checked(
            page=self.name,
            profile=self.profile,
            parameters=plain(self.parameters),
            provenance=self.origin.provenance(),
            values=list(values),
            series=plain(series or {}),
            images=[Path(image).name for image in images],
        )
        record.write(self.record_path)
        return record
