import os
import shutil
from types import SimpleNamespace

import nbformat
import pytest

from companion import execute, page, parameters
from companion.records import Record
from tests.companion.pages import write_page


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "PYTHONHASHSEED", "PYTHONPATH", "IPYTHONDIR"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # put back after the test
    monkeypatch.setattr(execute, "ROOT", tmp_path)
    for module in (page, parameters):
        monkeypatch.setattr(module, "CHECKOUT", tmp_path)
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
    assert "a log line" in capsys.readouterr().err

    first = target.read_bytes()
    execute.main(["one"])
    assert target.read_bytes() == first
    assert list((checkout / "_build/locks").glob("tmp*")) == []


def test_other_parameters_go_elsewhere(checkout):
    assert execute.main(["one", "--profile", "laptop", "-p", "alpha", "2"]) == 0
    [target] = (checkout / "_build/runs").glob("one-*/one.ipynb")
    assert printed(target) == "laptop 3.0 float\n"  # papermill reads an integer, but the page's value is not one
    assert not (checkout / "_build/pages/laptop/one.ipynb").exists()


def test_a_relative_build_folder_is_one_place_for_the_command_line_and_the_page(checkout, monkeypatch):
    write_page(checkout / "notebooks", "two", "from companion.folders import build_folder; print(build_folder())")
    (checkout / "elsewhere").mkdir()
    monkeypatch.chdir(checkout / "elsewhere")
    monkeypatch.setenv("PAPERLIB_BUILD", "made/here")
    assert execute.main(["two"]) == 0
    assert list(checkout.rglob("two.ipynb")) == [
        checkout / "elsewhere/made/here/pages/smoke/two.ipynb",
        checkout / "notebooks/two.ipynb",
    ]
    assert printed(checkout / "elsewhere/made/here/pages/smoke/two.ipynb").startswith(
        f"{checkout / 'elsewhere/made/here'}\n"
    )


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
        (["one", "-p", "alhpa", "1"], "one: alhpa is not a parameter; there are profile, alpha, steps"),
        (["one", "--profile", "huge"], "one: profile='huge' is not one of recorded, smoke, laptop, paper"),
        (["one", "-p", "profile", "huge"], "one: profile='huge' is not one of recorded, smoke, laptop, paper"),
        (["one", "-p", "alpha", "much"], "one: alpha='much' is not allowed: a number expected, such as 0.5"),
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


# --- cleaning an executed notebook


def code(source, *tags, outputs=(), **metadata):
    cell = nbformat.v4.new_code_cell(source, outputs=[nbformat.v4.new_output("stream", text=text) for text in outputs])
    cell.metadata = {"papermill": {"duration": 1}, **metadata} | ({"tags": list(tags)} if tags else {})
    return cell


def cleaned(*cells, title=""):
    title_cell = nbformat.v4.new_markdown_cell("# A page")
    return execute.clean(nbformat.v4.new_notebook(cells=[title_cell, *cells]), title).cells[1:]


OWN = """\
# a line of words
profile = "smoke"  # recorded | smoke | laptop
seeds: str = ""  # "0,1,2"; empty: as many as the profile has
alpha = 0.5  # a # b
sizes = [1, 2]
alphabet = 1"""


def test_a_page_has_one_cell_of_parameters_which_is_the_reader_s_to_edit():
    injected = code(
        '# Parameters\nprofile = "laptop"\nseeds = "0,1"\nsizes = [3]\nalpha = -2.0\n', "injected-parameters"
    )
    found = cleaned(code(OWN, "parameters"), injected, code("print(alpha)"))
    assert [cell.source for cell in found[1:]] == ["print(alpha)"] and found[0].metadata.tags == ["parameters"]
    names = {}
    exec(found[0].source, names)
    del names["__builtins__"], names["__annotations__"]
    assert names == {"profile": "laptop", "seeds": "0,1", "alpha": -2.0, "sizes": [3], "alphabet": 1}
    before, after = ([line.partition("  #")[2] for line in text.splitlines()] for text in (OWN, found[0].source))
    assert before == after  # every comment is where it was
    exec(found[0].source.replace("-2.0", "7"), names)
    assert names["alpha"] == 7  # nothing below overrides the edit


def test_without_other_parameters_the_cell_stays_as_it_is():
    assert cleaned(code(OWN, "parameters"))[0].source == OWN
    assert cleaned(code(OWN, "parameters"), code("# Parameters\n", "injected-parameters"))[0].source == OWN


def test_what_key_cells_show_stands_below_the_title_and_their_code_where_it_was():
    figure = {"mystnb": {"figure": {"name": "fig-a", "caption": "A. {run}."}}}
    found = cleaned(
        nbformat.v4.new_markdown_cell("words"),
        code("page.verdict()", "hide-input", "key", outputs=["box"]),
        code("rest()", outputs=["rest"]),
        code("page.figure()", "key", outputs=["figure"], **figure),
        title="MNIST, seed 0, profile laptop",
    )
    shown = [[output.text for output in cell.outputs] if cell.cell_type == "code" else cell.source for cell in found]
    assert shown == [["box"], ["figure"], "words", [], ["rest"], []]
    assert [cell.source for cell in found[3:]] == ["page.verdict()", "rest()", "page.figure()"]
    assert found[0].metadata.tags == found[1].metadata.tags == ["remove-input"]
    # a figure's name labels only the cell that shows it
    assert found[1].metadata.mystnb.figure == {"name": "fig-a", "caption": "A. MNIST, seed 0, profile laptop."}
    assert [cell for cell in found if "mystnb" in cell.metadata] == [found[1]]
    assert len({cell.id for cell in found}) == len(found)


@pytest.mark.parametrize("made_by", ["record", "run", "other run", "nothing"])
def test_captions_name_the_committed_record_and_else_the_run_s(tmp_path, monkeypatch, made_by):
    """{run} in a caption names the record behind the figure."""

    def title(record):
        return SimpleNamespace(title=record)

    build = tmp_path / "_build"
    monkeypatch.setattr(execute, "recorded", lambda name: title("the record") if made_by == "record" else None)
    monkeypatch.setattr(Record, "read", lambda path: title(f"the run's {path.relative_to(build)}"))
    target = build / ("runs/one-0123" if made_by == "other run" else "pages/smoke") / "one.ipynb"
    files = {
        "record": "records/smoke/one.json",
        "run": "records/smoke/one.json",
        "other run": "runs/one-0123/record.json",
    }
    if made_by != "nothing":
        (build / files[made_by]).parent.mkdir(parents=True)
        (build / files[made_by]).touch()
    words = {"record": "the record", "nothing": "this run"}.get(made_by) or f"the run's {files[made_by]}"
    assert execute._title("one", target) == words
