import json
import os
import shutil

import nbformat
import pytest

from companion import execute, page
from tests.companion.pages import write_page


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "PYTHONHASHSEED", "PYTHONPATH", "IPYTHONDIR"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # put back after the test
    monkeypatch.setattr(execute, "ROOT", tmp_path)
    monkeypatch.setattr(page, "CHECKOUT", tmp_path)
    write_page(tmp_path / "notebooks", "one")
    return tmp_path


def printed(path):
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    return "".join(output.text for cell in cells for output in cell.outputs)


def test_default_parameters_go_to_the_book_and_the_output_is_clean(checkout, capsys):
    assert execute.main(["one", "-p", "alpha", "0.5"]) == 0
    target = checkout / "_build/pages/smoke/one.ipynb"
    assert printed(target) == "smoke 1.5 float\n"
    text = target.read_text()
    assert "papermill" not in text and str(checkout) not in text and "iopub" not in text
    injected = [cell for cell in json.loads(text)["cells"] if "injected-parameters" in cell["metadata"].get("tags", [])]
    assert ["hide-input" in cell["metadata"]["tags"] for cell in injected] == [True]
    assert "a log line" in capsys.readouterr().err

    first = target.read_bytes()
    execute.main(["one"])
    injected_alpha = b"alpha = 0.5"
    assert first.count(injected_alpha) == target.read_bytes().count(injected_alpha) + 1  # nothing else differs
    assert list((checkout / "_build/locks").glob("tmp*")) == []


def test_other_parameters_go_elsewhere(checkout):
    assert execute.main(["one", "--profile", "laptop", "-p", "alpha", "2"]) == 0
    [target] = (checkout / "_build/runs").glob("one-*/one.ipynb")
    assert printed(target) == "laptop 3 int\n"  # read as papermill reads it
    assert not (checkout / "_build/pages/laptop/one.ipynb").exists()


def test_a_failing_page_keeps_the_last_good_output_and_shows_the_error(checkout, capsys):
    execute.main(["one"])
    target = checkout / "_build/pages/smoke/one.ipynb"
    good = target.read_bytes()
    write_page(checkout / "notebooks", "one", alpha="-1")
    assert execute.main(["one", "--stamp", str(checkout / "stamp")]) == 1
    assert target.read_bytes() == good and not (checkout / "stamp").exists()
    error = capsys.readouterr().err
    assert "one failed" in error and error.rstrip().endswith("ValueError: alpha=-1 is not allowed: 0 or more expected")
    assert "\x1b" not in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["one", "-p", "alhpa", "1"], "one has no parameter 'alhpa'; it has: profile, alpha, steps"),
        (["one", "--profile", "huge"], "profile='huge' is not one of smoke, laptop, paper"),
        (["one", "-p", "profile", "huge"], "profile='huge' is not one of smoke, laptop, paper"),
        (["two"], "there is no page 'two'; the pages are: one"),
    ],
)
def test_a_wrong_call_is_refused_before_anything_runs(checkout, capsys, arguments, message):
    assert execute.main(arguments) == 1
    assert capsys.readouterr().err == message + "\n"
    assert not (checkout / "_build").exists()


def test_a_pair_that_differs_is_refused(checkout, capsys):
    write_page(checkout / "notebooks", "other", alpha="7")
    shutil.copy(checkout / "notebooks/other.ipynb", checkout / "notebooks/one.ipynb")
    assert execute.main(["one"]) == 1
    assert "one.py and one.ipynb differ; `make pair`" in capsys.readouterr().err


def test_what_was_printed_in_pieces_is_one_output():
    def text(words, name="stdout"):
        return nbformat.v4.new_output("stream", name=name, text=words)

    picture = nbformat.v4.new_output("display_data", data={"text/plain": "a figure"})
    pieces = [text("a\n"), text("log\n", "stderr"), text("b\n"), picture, text("c\n"), text("d\n")]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=pieces)])
    outputs = execute.clean(notebook).cells[0].outputs
    assert [one.get("text", "figure") for one in outputs] == ["a\nb\n", "figure", "c\nd\n"]
