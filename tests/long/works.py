"""Long runs for the tests of kills and full disks: each can be started in a folder, and checks whether its files are
complete and, at the end, whether the result is that of an undisturbed run.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import torch

from companion import bases, checkpoints
from companion.campaign import plan
from companion.comparison.course_results import images, looks
from companion.comparison.courses import Course, course
from companion.comparison.search import Budget, Search, search, write
from companion.records import Record
from companion.store import Store, _problem

__all__ = ["WORKS", "Book", "Campaign", "CourseOfAMethod", "SearchAndItsFile"]

ROOT = Path(__file__).parents[2]


class Campaign:
    """A base model, trained with a snapshot at every update, and its samples."""

    name = "digits-ve"

    def run(self, folder: Path) -> None:
        os.environ["PAPERLIB_BUILD"] = str(folder / "build")
        plan.main(["--device", "cpu", "--folder", str(folder / "checkpoints"), "--only", self.name])

    def weights(self, folder: Path) -> dict[str, torch.Tensor]:
        model = bases.architecture(bases.BASES[self.name])
        return checkpoints.load(model, self.name, folder / "checkpoints").state_dict()

    def check(self, folder: Path, undisturbed: Path, done: bool) -> None:
        card = checkpoints.card(self.name, folder / "checkpoints")  # readable or absent
        if done:
            expected = self.weights(undisturbed)
            assert all(torch.equal(value, expected[name]) for name, value in self.weights(folder).items())
            assert card["samples_seen"] == 96


class CourseOfAMethod:
    """A step of the store that resumes from its own snapshots."""

    course = Course(
        base="digits-ddpm", method="neggrad", forget="1", lr=1e-4, looks=(2, 4, 6), batch_size=4, n=20, evaluations=2
    )

    def run(self, folder: Path) -> None:
        course(Store(folder / "store"), self.course)

    def seen(self, folder: Path) -> tuple[list[dict], torch.Tensor]:
        entry = course(Store(folder / "store"), self.course)  # it can be read
        kept = [{key: value for key, value in one.items() if key != "seconds"} for one in looks(entry)]
        return kept, torch.as_tensor(images(entry))

    def check(self, folder: Path, undisturbed: Path, done: bool) -> None:
        whole_entries(folder / "store")
        if done:
            (kept, drawn), (expected, same) = self.seen(folder), self.seen(undisturbed)
            assert kept == expected and torch.equal(drawn, same)


class SearchAndItsFile:
    """Steps of the store, and the file of settings that is committed."""

    budget = Budget(evaluations=8, batch_size=4, n=20, sampler=2)

    def run(self, folder: Path) -> None:
        found = search(Store(folder / "store"), "digits-ddpm", "7", self.budget, ["finetune", "neggrad"], str)
        write(found, folder / "search")

    def check(self, folder: Path, undisturbed: Path, done: bool) -> None:
        whole_entries(folder / "store")
        files = list((folder / "search").glob("*.json"))
        assert files or not done
        for file in files:  # complete, whenever the run ended
            (expected,) = (undisturbed / "search").glob("*.json")
            found, same = (Search.model_validate_json(one.read_text()) for one in (file, expected))
            assert found.candidates == same.candidates


class Book:
    """``make book`` in a checkout with two pages and a shared step: workflow, server, pages and kernels."""

    pages = ("sgu_tab1_mixture_nll", "sgu_fig1_mixture_samples")

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout
        for package in ("paperlib", "companion"):
            shutil.copytree(ROOT / package, checkout / package, ignore=shutil.ignore_patterns("__pycache__"))
        for pattern in ("Snakefile", "requirements.lock", *(f"*/**/{page}*" for page in self.pages)):
            for file in (file for file in ROOT.glob(pattern) if file.relative_to(ROOT).parts[0] in KEPT):
                copy = checkout / file.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, copy)

    def run(self, folder: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(self.checkout), "PAPERLIB_BUILD": str(folder)}
        command = [sys.executable, "-m", "companion", "book", "--profile", "smoke", "--only", ",".join(self.pages)]
        subprocess.run(command, cwd=self.checkout, env=environment, check=True, stdout=subprocess.DEVNULL)

    def check(self, folder: Path, undisturbed: Path, done: bool) -> None:
        whole_entries(folder / "store")
        for stamp in folder.glob("steps/smoke/*.page"):
            assert (folder / "pages/smoke" / f"{stamp.stem}.ipynb").is_file() and len(stamp.read_text().split()) == 2
        for page in self.pages:
            executed, record = folder / "pages/smoke" / f"{page}.ipynb", folder / "records/smoke" / f"{page}.json"
            assert executed.is_file() and record.is_file() or not done
            if executed.is_file():
                nbformat.validate(nbformat.read(executed, as_version=4))
            if record.is_file():
                found, same = (Record.read(file) for file in (record, undisturbed / record.relative_to(folder)))
                assert (found.values, found.series) == (same.values, same.series)


KEPT = ("Snakefile", "requirements.lock", "notebooks", "results")
WORKS = {"campaign": Campaign, "course": CourseOfAMethod, "search": SearchAndItsFile}


def whole_entries(store: Path) -> None:
    """Check that every finished entry has the files in its manifest."""
    for entry in (path for path in store.glob("*-*") if path.is_dir() and path.suffix != ".partial"):
        manifest = json.loads((entry / "manifest.json").read_text())
        assert manifest["files"] and _problem(entry) == ""
