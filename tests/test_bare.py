"""The wheel in an environment with only the core dependencies: README's promises hold, and missing extras are named."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]

# Hides every installed package except those that the core requires.
BARE = """
import sys
from importlib import metadata

ALLOWED = set({allowed!r})
HIDDEN = {{name for name, owners in metadata.packages_distributions().items()
          if not ALLOWED & {{owner.lower().replace("_", "-") for owner in owners}}}}

class Hiding:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        hidden = name.partition(".")[0] in HIDDEN - {{"paperlib", "companion"}}
        return None if hidden else self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = [Hiding(finder) for finder in sys.meta_path]
sys.path.insert(0, {wheel!r})
"""


def core() -> list[str]:
    """Return the distributions that paperlib's core dependencies require, including themselves."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found, left = set(), [Requirement(line) for line in project["dependencies"]]
    while left:
        one = left.pop()
        name = one.name.lower().replace("_", "-")
        if name in found:
            continue
        found.add(name)
        try:
            lines = metadata.requires(name) or []
        except metadata.PackageNotFoundError:  # for another platform
            continue
        wanted = (Requirement(line) for line in lines)
        left += [r for r in wanted if r.marker is None or r.marker.evaluate({"extra": ""})]
    return sorted(found)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # a copy, because building leaves files behind
    for package in ("paperlib", "companion"):
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-c", f"import setuptools.build_meta as m; m.build_wheel({str(folder)!r})"]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        archive.extractall(folder / "site")
    shutil.copytree(ROOT / "checkpoints", folder / "site" / "checkpoints")  # as in a checkout
    return folder / "site"


def run(wheel, script, tmp_path):
    text = BARE.format(allowed=core(), wheel=str(wheel)) + script
    file = tmp_path / "script.py"
    file.write_text(text)
    return subprocess.run([sys.executable, "-P", str(file)], cwd=tmp_path, capture_output=True, text=True)


@pytest.mark.slow
def test_what_readme_promises_of_the_core_works_and_the_rest_names_its_extra(wheel, tmp_path):
    found = run(wheel, PROMISES, tmp_path)
    assert found.returncode == 0, found.stderr
    refused = re.findall(r"REFUSED (\S+): (.*)", found.stdout)
    for module, message in refused:
        assert re.search(r"pip install 'paperlib\[\w+\]'", message), f"{module}: {message}"
    assert any(module == "companion.plots" for module, _ in refused)
    assert not [module for module, _ in refused if module.startswith("paperlib.") and "plots" not in module]


PROMISES = """
import importlib, pkgutil

import torch
import companion, paperlib

for package in (paperlib, companion):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + ".", onerror=lambda name: None):
        if module.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            print(f"REFUSED {module.name}: {error}")

from companion import checkpoints, classifiers
from companion.bases import BASES
from companion.campaign import samples
from paperlib.data import sets

test = sets.load("digits", "test")
logits = classifiers.predict(classifiers.classifier("digits"), test.images)
assert (logits.argmax(1) == test.labels).double().mean() > 0.9
samples.SAMPLES = 64
samples.SampleCheck(BASES["digits-vp"], torch.device("cpu"), checkpoints.FOLDER).work()
assert checkpoints.card("digits-vp")["samples"]["n"] == 64 and (checkpoints.FOLDER / "digits-vp.png").is_file()
"""
