"""The pages as a reader meets them: each runs from any folder on its committed record, and so does a student's copy of
its visible cells. A sentence that the record no longer supports fails here."""

import re
from pathlib import Path

import jupytext
import matplotlib
import pytest

from companion.page import Page, recorded

matplotlib.use("Agg")
NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
PAGES = sorted(path.stem for path in NOTEBOOKS.glob("*.py"))
HIDDEN = {"hide-input", "hide-cell", "remove-input", "remove-cell", "solution"}


def code_cells(page):
    cells = [cell for cell in jupytext.read(NOTEBOOKS / f"{page}.py").cells if cell.cell_type == "code"]
    return [(cell.source, set(cell.metadata.get("tags", []))) for cell in cells]


def run(page, keep, folder, monkeypatch):
    """Execute the cells that ``keep`` selects, with profile "recorded", from an empty folder."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PAPERLIB_BUILD", str(folder / "build"))
    names = {"__name__": "__main__"}
    for source, tags in code_cells(page):
        if "parameters" in tags:
            source = re.sub(r'^profile = "\w+"', 'profile = "recorded"', source, flags=re.MULTILINE)
        if keep(tags):
            exec(compile(source, page, "exec"), names)
    return names


@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs_on_its_record_and_every_sentence_is_true_of_it(page, tmp_path, monkeypatch):
    names = run(page, lambda tags: True, tmp_path, monkeypatch)
    assert isinstance(names["page"], Page) and names["page"].run is None
    assert not (tmp_path / "build" / "records").exists()  # nothing was measured


@pytest.mark.parametrize("page", PAGES)
def test_the_visible_cells_of_a_page_run_in_order_with_nothing_but_the_packages(page, tmp_path, monkeypatch):
    run(page, lambda tags: not tags & HIDDEN, tmp_path, monkeypatch)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_recorded_opens_with_its_box_and_ends_with_this_run(page):
    cells = code_cells(page)
    assert recorded(page) is not None
    box = [tags for source, tags in cells if "page.verdict(" in source]
    assert len(box) == 1 and "key" in box[0]
    assert "page.this_run()" in cells[-1][0] and "hide-output" in cells[-1][1]


@pytest.mark.parametrize("page", PAGES)
def test_a_box_leaves_the_number_of_seeds_to_the_record(page):
    """The record states it already; a typed number would be wrong as soon as more seeds are recorded."""
    (box,) = [source for source, _ in code_cells(page) if "page.verdict(" in source]
    assert not re.search(r"\b(one|two|three|five|\d+) seeds?\b", box.partition("rests=")[2], re.IGNORECASE)


@pytest.mark.parametrize("page", PAGES)
def test_cells_are_short(page):
    for source, tags in code_cells(page):
        lines = [line for line in source.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        assert len(lines) <= 25 or "solution" in tags, source[:200]
