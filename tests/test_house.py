"""The files around the package: the Makefile, the lock file, the book's configuration."""

import ast
import builtins
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from companion.__main__ import COMMANDS, main

ROOT = Path(__file__).parents[1]


def make(*arguments):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "--dry-run", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["book", "PROFILE=huge"], "PROFILE='huge' is not one of recorded, smoke, laptop, paper"),
        (["book", "PROFILE="], "PROFILE='' is not one of recorded, smoke, laptop, paper"),
        (["book", "PROFILE=smoke laptop"], "PROFILE='smoke laptop' is not one of recorded, smoke, laptop, paper"),
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


@pytest.mark.parametrize("profile", ["recorded", "smoke", "laptop", "paper"])
def test_make_book_passes_its_values_on(profile):
    done = make("book", f"PROFILE={profile}", "JOBS=3", "SOLUTIONS=no")
    assert f"companion book --profile {profile} --jobs 3 --solutions no" in done.stdout


def test_make_record_means_laptop_unless_told_otherwise():
    assert "companion record a --profile laptop" in make("record", "PAGE=a").stdout
    assert "companion record a --profile paper" in make("record", "PAGE=a", "PROFILE=paper").stdout
    assert "companion record a --profile laptop --seeds 0,1,2" in make("record", "PAGE=a", "SEEDS=0,1,2").stdout


def test_lock_pins_everything_and_names_no_index():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert [line for line in lines if not re.match(r"[a-z0-9][a-z0-9._-]*==\S+( ; .+)?$", line)] == []
    assert any(line.startswith("uv==") for line in lines)  # read by the Makefile


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
    generated = {"models", "findings", "scorecard", "reach"}  # from cards, pages and records, when the book is built
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


def test_no_comment_on_a_name_begins_like_a_type():
    """Sphinx parses text before a colon in the first line as a type, and refuses it."""
    for path in [*ROOT.glob("paperlib/**/*.py"), *ROOT.glob("companion/**/*.py")]:
        lines = ["", *map(str.strip, path.read_text().splitlines())]
        first = [line for before, line in zip(lines, lines[1:]) if line.startswith("#:") > before.startswith("#:")]
        assert [line for line in first if ": " in line.removeprefix("#: ")] == [], path


# --- the pages

PAGES = sorted((ROOT / "notebooks").glob("*.py"))
SHORT = [path for path in PAGES if "page.this_run()" in path.read_text()]  # those that show their record


def code_cells(path):
    """Return, for each code cell, the first line with its tags and metadata, and its lines."""
    cells = ("\n" + path.read_text()).split("\n# %%")[1:]
    return [cell.partition("\n")[::2] for cell in cells if not cell.startswith(" [markdown]")]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_parameter_is_one_line_that_other_values_can_be_put_into(path):
    [cell] = [source for head, source in code_cells(path) if '"parameters"' in head]
    assert [node for node in ast.parse(cell).body if node.lineno != node.end_lineno] == []
    assert all(re.match(r"\w+(: \w+)? = ", line) for line in cell.splitlines() if line)
    assert 'profile = "smoke"' in cell


@pytest.mark.parametrize("path", SHORT, ids=lambda path: path.stem)
def test_a_caption_ends_with_what_its_figure_rests_on(path):
    captions = [
        re.search(r'"caption": "((?:[^"\\]|\\.)*)"', head) for head, _ in code_cells(path) if '"caption"' in head
    ]
    assert [found[1] for found in captions if not found[1].endswith(" {run}.")] == []


@pytest.mark.parametrize("path", SHORT, ids=lambda path: path.stem)
def test_a_page_opens_with_its_box_and_ends_with_its_run(path):
    cells = code_cells(path)
    keys = [source for head, source in cells if '"key"' in head]
    assert "page.verdict(" in keys[0] and '"hide-input"' in next(head for head, _ in cells if '"key"' in head)
    head, source = cells[-1]
    assert source.strip() == "page.this_run()" and '"hide-output"' in head
    assert "page.banner" not in path.read_text()


@pytest.mark.parametrize("path", SHORT, ids=lambda path: path.stem)
def test_visible_cells_need_no_name_that_only_folded_ones_define(path):
    visible = "\n".join(source for head, source in code_cells(path) if "hide-input" not in head)
    nodes = list(ast.walk(ast.parse(visible)))
    defined = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    defined |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    defined |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    names = [alias for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names]
    defined |= {(alias.asname or alias.name).partition(".")[0] for alias in names}
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    assert used - defined - set(dir(builtins)) == set()


def test_every_command_is_a_main_of_ours():
    for module, _ in COMMANDS.values():
        tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text())
        assert "main" in [node.name for node in tree.body if isinstance(node, ast.FunctionDef)], module


@pytest.mark.parametrize(("word", "status"), [("--help", 0), ("boook", 2)])
def test_the_command_lists_what_there_is(capsys, word, status):
    assert main([word]) == status
    said = capsys.readouterr()
    assert all(name in said.out + said.err for name in COMMANDS)
