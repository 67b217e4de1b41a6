"""The files around the package: the Makefile, the lock, the book's frame."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]


def make(*arguments):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "--dry-run", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["book", "PROFILE=huge"], "PROFILE='huge' is not one of smoke, laptop, paper"),
        (["book", "PROFILE="], "PROFILE='' is not one of smoke, laptop, paper"),
        (["book", "PROFILE=smoke laptop"], "PROFILE='smoke laptop' is not one of smoke, laptop, paper"),
        (["book", "JOBS=0"], "JOBS='0' is not a positive number"),
        (["book", "JOBS=two"], "JOBS='two' is not a positive number"),
        (["book", "SOLUTIONS=maybe"], "SOLUTIONS='maybe' is not one of yes, no"),
        (["page"], "PAGE='' is not the name of a page"),
        (["record", "PAGE=a b"], "PAGE='a b' is not the name of a page"),
    ],
)
def test_make_refuses_a_wrong_value_with_one_message_before_anything_is_done(arguments, message):
    done = make(*arguments)
    assert done.returncode != 0 and done.stdout == ""
    assert message in done.stderr and len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("profile", ["smoke", "laptop", "paper"])
def test_make_book_passes_its_values_on(profile):
    done = make("book", f"PROFILE={profile}", "JOBS=3", "SOLUTIONS=no")
    assert f"companion.workflow --profile {profile} --jobs 3 --solutions no" in done.stdout


def test_make_record_means_laptop_unless_told_otherwise():
    assert "companion.record a --profile laptop" in make("record", "PAGE=a").stdout
    assert "companion.record a --profile paper" in make("record", "PAGE=a", "PROFILE=paper").stdout


def test_lock_pins_everything_and_names_no_index():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert [line for line in lines if not re.match(r"[a-z0-9][a-z0-9._-]*==\S+( ; .+)?$", line)] == []
    assert any(line.startswith("uv==") for line in lines)  # the Makefile reads it here


def test_lock_holds_what_the_package_asks_for():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *sum(project["optional-dependencies"].values(), [])]
    names = {re.match(r"[\w.-]+", one)[0].lower().replace("_", "-") for one in asked}
    locked = {line.split("==")[0] for line in (ROOT / "requirements.lock").read_text().splitlines()}
    assert names - locked == set()


def test_contents_list_every_page_and_only_files_that_exist():
    toc = yaml.safe_load((ROOT / "book/_toc.yml").read_text())
    files = [toc["root"], *(entry["file"] for part in toc["parts"] for entry in part["chapters"])]
    assert len(files) == len(set(files))
    pages = {f"pages/{path.stem}" for path in (ROOT / "notebooks").glob("*.py")}
    assert pages - set(files) == set()
    generated = {"models"}  # from the models' cards, when the book is built
    written = [file for file in files if not file.startswith("pages/") and file not in generated]
    assert [file for file in written if not (ROOT / f"book/{file}.md").exists()] == []


def test_citations_have_one_bibliography_and_are_in_it():
    assert list(ROOT.glob("book/**/*.bib")) == [ROOT / "book/references.bib"]
    keys = re.findall(r"@\w+\{(\w+),", (ROOT / "book/references.bib").read_text())
    assert len(keys) == len(set(keys))
    sources = [*(ROOT / "book").glob("*.md"), *(ROOT / "notebooks").glob("*.py")]
    cited = re.findall(r"\{cite(?::\w+)?\}`([\w,\s]+)`", "\n".join(path.read_text() for path in sources))
    assert {key.strip() for group in cited for key in group.split(",")} - set(keys) == set()


def test_yaml_files_can_be_read():
    for path in [ROOT / "environment.yml", ROOT / "CITATION.cff", *(ROOT / ".github/workflows").glob("*.yml")]:
        assert isinstance(yaml.safe_load(path.read_text()), dict)
