"""A page's parameters: every value is converted to the type of the page's own, or refused by name."""

import os

import pytest

from companion import execute, page, parameters
from companion.folders import run_folder
from companion.page import Page
from companion.parameters import defaults, normalised, plain_values, seed_list

SCRIPT = """\
# ---
# jupyter: {}
# ---

# %% [markdown]
# # Title

# %% tags=["parameters"]
profile = "smoke"  # a comment
seeds = ""
forget: str = "3,7"
alpha = -0.5
steps = 10
sizes = [1, 2]
every = True

# %%
derived = steps + 1
"""
OWN = {
    "profile": "smoke",
    "seeds": "",
    "forget": "3,7",
    "alpha": -0.5,
    "steps": 10,
    "sizes": [1, 2],
    "every": True,
}


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    for module in (parameters, page):
        monkeypatch.setattr(module, "CHECKOUT", tmp_path)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "example.py").write_text(SCRIPT)
    return tmp_path


def test_defaults_are_the_literals_of_the_parameters_cell(checkout):
    assert defaults("example") == OWN


@pytest.mark.parametrize("line", ["x = 1 + y", "x = None", "x = {}", "x.y = 1"])
def test_a_parameters_cell_holds_plain_literals_only(checkout, line):
    (checkout / "notebooks" / "bad.py").write_text(f'# %% tags=["parameters"]\n{line}\n')
    with pytest.raises(ValueError, match="bad.py: the parameters cell holds plain literals only"):
        defaults("bad")


def test_a_page_without_a_parameters_cell_is_an_error(checkout):
    (checkout / "notebooks" / "bad.py").write_text("# %%\nx = 1\n")
    with pytest.raises(ValueError, match="no cell that is tagged parameters"):
        defaults("bad")


SAME = [
    ("forget", "1", [1, "1", " 1 ", [1], ["1"], (1,)]),
    ("forget", "3,7", ["3, 7", "3 ,7", [3, 7], ["3", "7"], (3, 7)]),
    ("seeds", "0", [0, "0", [0]]),
    ("seeds", "0,1,2", ["0, 1, 2", [0, 1, 2]]),
    ("alpha", 1.0, [1, 1.0]),
    ("steps", 20, [20, 20.0]),
    ("sizes", [3], [[3], (3,)]),
    ("every", False, [False]),
]


@pytest.mark.parametrize(("name", "expected", "given"), SAME)
def test_one_value_has_one_form_however_it_is_written(name, expected, given):
    for value in given:
        found = normalised(OWN, {name: value})
        assert found == OWN | {name: expected}
        assert type(found[name]) is type(expected)
        assert normalised(OWN, found) == found  # the converted form is unchanged


@pytest.mark.parametrize(("name", "expected", "given"), SAME)
def test_the_command_line_and_the_page_s_kernel_choose_one_folder(checkout, name, expected, given):
    """papermill reads ``-p forget 1`` as a number, while a reader may type anything."""
    other = run_folder(checkout / "_build", "example", OWN | {name: expected})
    asked, made = (checkout / "_build/pages/smoke", checkout / "_build/records/smoke")
    asked, made = (asked, made) if expected == OWN[name] else (other, other)
    for value in [expected, *given]:
        assert execute.output_path("example", {"profile": "smoke", name: value}).parent == asked
        assert Page("example", OWN | {name: value}).folder == made


def test_the_page_s_own_values_in_any_form_are_the_book_s(checkout):
    for value in ("3, 7", [3, 7]):
        assert Page("example", OWN | {"forget": value}).is_default
        assert execute.output_path("example", {"profile": "laptop", "forget": value}).parent.name == "laptop"
    (checkout / "notebooks" / "example.py").write_text(SCRIPT.replace('"3,7"', '"3, 7"'))
    assert Page("example", OWN).is_default and Page("example", OWN | {"forget": "3, 7"}).is_default
    assert not Page("example", OWN | {"forget": 1}).is_default


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"alhpa": 1}, "alhpa is not a parameter; there are profile, seeds, forget, alpha"),
        ({"forget": True}, "forget=True is not allowed: a text expected, such as '3,7'"),
        ({"forget": None}, "forget=None is not allowed: a text expected"),
        ({"alpha": "much"}, "alpha='much' is not allowed: a number expected, such as -0.5"),
        ({"alpha": True}, "alpha=True is not allowed: a number expected"),
        ({"steps": 1.5}, "steps=1.5 is not allowed: an integer expected, such as 10"),
        ({"steps": "1"}, "steps='1' is not allowed: an integer expected"),
        ({"sizes": 1}, r"sizes=1 is not allowed: a list expected, such as \[1, 2\]"),
        ({"every": 1}, "every=1 is not allowed: True or False expected"),
    ],
)
def test_what_cannot_be_is_refused_by_name_before_a_folder_is_chosen(checkout, given, message):
    with pytest.raises(ValueError, match=message) as caught:
        normalised(OWN, given)
    assert "\n" not in str(caught.value)
    with pytest.raises(execute.PageError, match=message):
        execute.output_path("example", {"profile": "smoke"} | given)
    if "alhpa" not in given:  # a kernel's other variables are not parameters
        with pytest.raises(ValueError, match=message):
            Page("example", OWN | given)
    assert not (checkout / "_build").exists()


@pytest.mark.parametrize("profile", ["huge", "", None])
def test_an_unknown_profile_is_refused(checkout, profile):
    with pytest.raises(execute.PageError, match=f"profile={profile!r} is not one of recorded, smoke, laptop, paper"):
        execute.output_path("example", {"profile": profile})
    with pytest.raises(ValueError, match="profile="):
        Page("example", OWN | {"profile": profile})


def test_a_notebook_that_was_downloaded_alone_has_its_own_names():
    names = {"profile": "smoke", "alpha": 1, "seeds": "", "_i1": "x", "In": ["y"], "get": print, "os": os}
    assert plain_values(names) == {"profile": "smoke", "alpha": 1, "seeds": ""}


def test_seeds_are_named_or_counted():
    assert [seed_list(seeds) for seeds in ("0", "2,0,10")] == [[0], [2, 0, 10]]
    assert [seed_list("", few) for few in (1, 3)] == [[0], [0, 1, 2]]
    assert seed_list("5", 3) == [5]


@pytest.mark.parametrize("seeds", ["0,", "a", "-1", "0.5", "1,1", "1,01", "0 1"])
def test_what_are_no_different_seeds_is_named(seeds):
    with pytest.raises(ValueError, match=f"seeds={seeds!r} are not different integers"):
        seed_list(seeds)
