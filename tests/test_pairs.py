"""Each page is a percent script and an equivalent notebook without outputs."""

from pathlib import Path

import jupytext
import pytest

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def cells(notebook):
    return [(cell.cell_type, cell.source, cell.metadata) for cell in notebook.cells]


@pytest.mark.parametrize("page", sorted({path.stem for end in ("py", "ipynb") for path in NOTEBOOKS.glob(f"*.{end}")}))
def test_script_and_notebook_of_a_page_are_equal_and_carry_no_outputs(page):
    script, notebook = (jupytext.read(NOTEBOOKS / f"{page}{end}") for end in (".py", ".ipynb"))
    assert cells(script) == cells(notebook), "`make pair` copies the newer one over the older"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell for cell in code if cell.outputs or cell.execution_count] == []


@pytest.mark.parametrize("page", sorted(path.stem for path in NOTEBOOKS.glob("*.py")))
def test_script_is_written_as_jupytext_writes_it(page):
    script = NOTEBOOKS / f"{page}.py"
    assert jupytext.writes(jupytext.read(script), fmt="py:percent").rstrip() == script.read_text().rstrip()
