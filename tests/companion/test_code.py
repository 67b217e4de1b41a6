import shutil
from pathlib import Path

import pytest

from companion.code import CHECKOUT, imported_files, source_sha256

FILES = {
    "__init__.py": "",
    "plain.py": "import json\n",
    "claims/__init__.py": "",
    "claims/facts.yaml": "a: 1\n",
    "a.py": "import json\nfrom scratch import plain\nfrom .b import function\n",
    "b.py": "def function():\n    from . import deep\n",
    "deep/__init__.py": "from .core import value\n",
    "deep/core.py": "from ..claims import load\nvalue = 1\n",
    "unused.py": "import scratch.a\n",
}


@pytest.fixture
def package(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / "scratch" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "scratch"


def names(files, package):
    return {path.relative_to(package).as_posix() for path in files}


EVERYTHING_FROM_A = set(FILES) - {"unused.py"}


def test_every_way_of_importing_is_followed(package):
    assert names(imported_files("scratch.a", packages=[package]), package) == EVERYTHING_FROM_A


def test_a_module_that_imports_nothing_counts_alone(package):
    assert names(imported_files("scratch.plain", packages=[package]), package) == {"__init__.py", "plain.py"}


def test_a_package_is_a_start_too(package):
    found = names(imported_files("scratch.deep", packages=[package]), package)
    assert found == {"__init__.py", "deep/__init__.py", "deep/core.py", "claims/__init__.py", "claims/facts.yaml"}


@pytest.mark.parametrize(
    "line", ["import scratch.a", "import scratch.a as a", "from scratch import a", "from scratch.a import *"]
)
def test_a_percent_script_is_followed_and_not_listed(package, tmp_path, line):
    script = tmp_path / "page.py"
    script.write_text(f"# %% [markdown]\n# text\n\n# %%\n{line}\n")
    assert names(imported_files(script, packages=[package]), package) == EVERYTHING_FROM_A
    assert imported_files(str(script), packages=[package]) == imported_files(script, packages=[package])


def test_a_circle_ends(package):
    (package / "plain.py").write_text("from scratch import a\n")
    assert names(imported_files("scratch.plain", packages=[package]), package) == EVERYTHING_FROM_A


@pytest.mark.parametrize("start", ["scratch.nothing", "scratch.plain.value", "json", "nothing.py"])
def test_an_unknown_start_is_an_error(package, start):
    with pytest.raises((ModuleNotFoundError, FileNotFoundError), match=start):
        imported_files(start, packages=[package])


def test_the_hash_does_not_depend_on_place_or_order(package, tmp_path):
    before = imported_files("scratch.a", packages=[package])
    moved = Path(shutil.copytree(package, tmp_path / "elsewhere" / "scratch"))
    after = imported_files("scratch.a", packages=[moved])
    assert source_sha256(before) == source_sha256(reversed(after))


@pytest.mark.parametrize("name", ["a.py", "deep/core.py", "claims/facts.yaml"])
def test_the_hash_changes_with_every_file_that_counts(package, name):
    files = imported_files("scratch.a", packages=[package])
    before = source_sha256(files)
    (package / name).write_text(FILES[name] + "changed: 2\n")
    assert source_sha256(files) != before


FUNCTION = 'LIMIT = 3\n\n\ndef function(x=1):\n    return "text", x\n'


def said(package, text, name="b.py"):
    (package / name).write_text(text)
    return source_sha256([package / name])


@pytest.mark.parametrize(
    "better",
    [
        '"""A module."""\n\n' + FUNCTION,
        FUNCTION.replace("    return", '    """Says more."""\n    return'),
        "# why\n" + FUNCTION.replace("(x=1):", "(x=1):  # one"),
        FUNCTION.replace("\n\n\n", "\n"),
        FUNCTION.replace('"text", x', "(\n        'text',\n        x,\n    )"),
    ],
)
def test_words_about_code_do_not_change_the_hash(package, better):
    assert said(package, better) == said(package, FUNCTION)


@pytest.mark.parametrize(
    ("old", "new"), [("x=1", "x=2"), ("text", "texts"), ("LIMIT = 3", "LIMIT = 3.0"), ("x\n", "-x\n"), ("(x", "(y, x")]
)
def test_what_code_does_changes_the_hash(package, old, new):
    assert said(package, FUNCTION.replace(old, new)) != said(package, FUNCTION)


def test_a_docstring_is_no_code_and_every_other_text_is(package):
    words = 'class A:\n    """Words."""\n\n    async def f(self):\n        """Words."""\n'
    assert said(package, words) == said(package, words.replace("Words", "Other words"))
    assert said(package, words) != said(package, words.replace("f(self)", "g(self)"))
    assert said(package, 'x = """Words."""\n') != said(package, 'x = """Other words."""\n')


def test_what_is_not_python_counts_to_the_byte(package):
    assert said(package, "a: 1\n", "facts.yaml") != said(package, "a: 1  # why\n", "facts.yaml")


def test_prose_of_a_page_computes_nothing_anew(package, tmp_path):
    def page(text):
        (tmp_path / "page.py").write_text(text)
        return source_sha256([tmp_path / "page.py", *imported_files(tmp_path / "page.py", packages=[package])])

    text = "# %% [markdown]\n# Words.\n\n# %%\nimport scratch.a\n"
    assert page(text) == page(text.replace("Words", "Other words"))
    assert page(text) != page(text.replace("import scratch.a", "import scratch.b"))


def test_of_several_packages_those_count_that_are_named(package):
    other = package.parent / "other"
    other.mkdir()
    (other / "__init__.py").touch()
    (other / "use.py").write_text("from scratch import b\nimport json\n")
    own = {"other/__init__.py", "other/use.py"}
    theirs = {f"scratch/{name}" for name in EVERYTHING_FROM_A - {"a.py", "plain.py"}}
    assert names(imported_files("other.use", packages=[package, other]), package.parent) == own | theirs
    assert names(imported_files("other.use", packages=[other]), package.parent) == own


def test_a_renamed_file_changes_the_hash(package):
    before = source_sha256([package / "plain.py"])
    (package / "plain.py").rename(package / "other.py")
    assert source_sha256([package / "other.py"]) != before


def test_both_packages_of_the_checkout_are_followed():
    found = [path.relative_to(CHECKOUT).as_posix() for path in imported_files("companion.claims.verdicts")]
    assert {"companion/claims/sgu.yaml", "companion/claims/verdicts.py", "paperlib/intervals.py"} <= set(found)
    assert [path.name for path in imported_files("companion.seeds")] == ["__init__.py", "seeds.py"]
