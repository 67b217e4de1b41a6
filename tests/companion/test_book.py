import nbformat
import pytest
import yaml

from companion import book


@pytest.fixture
def page():
    solution = nbformat.v4.new_code_cell("6 * 7", metadata={"tags": ["solution"]})
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# One"), solution])


def test_solutions_are_left_out_on_request(page):
    assert [cell.source for cell in book.without_solutions(page).cells] == ["# One"]


def test_contents_leave_out_pages_that_do_not_exist_and_empty_parts():
    parts = [
        {"caption": "a", "chapters": [{"file": "reading"}, {"file": "pages/one"}, {"file": "pages/two"}]},
        {"caption": "b", "chapters": [{"file": "pages/two"}]},
    ]
    shown = book.table_of_contents({"root": "intro", "parts": parts}, {"one"})
    assert shown == {
        "root": "intro",
        "parts": [{"caption": "a", "chapters": [{"file": "reading"}, {"file": "pages/one"}]}],
    }


def test_every_module_with_a_docstring_has_its_section_on_the_page_of_its_package():
    found = book.modules()
    assert found["companion"][0] == "companion" and "companion.book" in found["companion"]
    assert "paperlib.nets.unet" in found["paperlib.nets"] and "paperlib.nets" not in found["paperlib"]
    names = [name for several in found.values() for name in several]
    assert len(names) == len(set(names)) and not [name for name in names if name.endswith("__")]
    text = book.reference("a.b", ["a.b", "a.b.c"])
    assert [line for line in text.splitlines() if line.startswith(("#", ".. "))] == [
        *("# a.b", ".. automodule:: a.b", "## c", ".. automodule:: a.b.c"),
    ]


@pytest.mark.parametrize(("address", "buttons"), [("", False), ("https://example.org/a/b", True)])
def test_buttons_that_need_the_address_are_shown_only_with_one(tmp_path, monkeypatch, address, buttons):
    (tmp_path / "book").mkdir()
    (tmp_path / "book/_toc.yml").write_text("root: intro\nparts: []\n")
    config = yaml.safe_load((book.ROOT / "_config.yml").read_text())
    config["repository"]["url"] = address
    (tmp_path / "_config.yml").write_text(yaml.safe_dump(config))
    monkeypatch.setattr(book, "ROOT", tmp_path)
    book.assemble("smoke", "yes", tmp_path / "source")
    html = yaml.safe_load((tmp_path / "source/_config.yml").read_text())["html"]
    assert (html["use_repository_button"], html["use_issues_button"]) == (buttons, buttons)
