"""Execute one page, with its default parameters or others.

``python -m companion page PAGE [-p name value]... [--profile recorded|smoke|laptop|paper]``

The page's percent script is authoritative; its paired notebook must agree with it. The page runs in a fresh kernel, and
its output is cleaned before it replaces the old one: a page that fails leaves the last good output in place.
"""

import argparse
import hashlib
import os
import re
import sys
import threading
import time
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from companion import rehearsal, warm
from companion.code import CHECKOUT
from companion.environment import fix_environment
from companion.folders import build_folder, run_folder
from companion.page import recorded
from companion.parameters import PROFILES, check_profile, defaults, normalised
from companion.records import Record
from paperlib.files import write_whole

__all__ = ["PageError", "clean", "execute", "load", "output_path", "write_stamp"]

ROOT = CHECKOUT
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class PageError(RuntimeError):
    """A page cannot be executed, or failed; the message is meant for the reader."""


def load(page: str):
    """Read a page from its percent script, after checking that the paired notebook agrees."""
    import jupytext

    folder = ROOT / "notebooks"
    script, notebook = folder / f"{page}.py", folder / f"{page}.ipynb"
    if not script.exists():
        pages = ", ".join(sorted(path.stem for path in folder.glob("*.py"))) or "none yet"
        raise PageError(f"there is no page {page!r}; the pages are: {pages}")
    content = jupytext.read(script)
    if notebook.exists() and cells(jupytext.read(notebook)) != cells(content):
        raise PageError(f"{page}.py and {page}.ipynb differ; `make pair` copies the newer one over the older")
    for number, cell in enumerate(content.cells):
        cell["id"] = f"cell-{number}"  # jupytext makes random ones
    return content


def cells(notebook) -> list[tuple[str, str, list[str]]]:
    """Return what the two notebooks of a pair must agree on: each cell's kind, source and tags."""
    return [(cell.cell_type, cell.source, cell.metadata.get("tags", [])) for cell in notebook.cells]


def output_path(page: str, parameters: Mapping[str, Any]) -> Path:
    """Return the path of the executed page: in the book or, for other parameters, in its own folder.

    An unknown parameter or a value of the wrong type is an error here, before anything runs.
    """
    merged = _normalised(page, parameters)
    if rehearsal.factor() == 1 and merged == _normalised(page, {"profile": merged["profile"]}):
        return build_folder() / "pages" / merged["profile"] / f"{page}.ipynb"
    return run_folder(build_folder(), page, merged) / f"{page}.ipynb"


def _normalised(page: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return all of the page's parameters, each with the type of the page's own value."""
    try:
        check_profile(parameters["profile"])
        return normalised({"profile": "smoke"} | defaults(page), parameters)
    except ValueError as error:
        raise PageError(f"{page}: {error}") from None


def clean(notebook, title: str = ""):
    """Strip what would differ between runs or does not belong on a page; return the notebook.

    The page's standard error goes to ours, so it appears in the log and not in the book. papermill's injected
    parameters move into the page's own cell, so that whoever downloads the page has one cell to edit. The output of
    cells tagged ``key`` moves up below the title. ``{run}`` in a caption becomes ``title``.
    """
    keep = ("kernelspec", "language_info")
    notebook.metadata = {key: value for key, value in notebook.metadata.items() if key in keep}
    notebook.cells = _one_cell_of_parameters(notebook.cells)
    for number, cell in enumerate(notebook.cells):
        tags = list(cell.metadata.get("tags", []))
        shown = {key: cell.metadata[key] for key in ("mystnb",) if key in cell.metadata}  # alt texts, widths
        if caption := shown.get("mystnb", {}).get("figure", {}).get("caption"):
            shown["mystnb"]["figure"]["caption"] = caption.replace("{run}", title[:1].upper() + title[1:])
        cell.metadata = shown | ({"tags": tags} if tags else {})
        cell["id"] = f"cell-{number}"
        if cell.cell_type == "code":
            for output in cell.outputs:
                if output.get("name") == "stderr":
                    print(output.text, end="", file=sys.stderr)
            cell.outputs = _joined(output for output in cell.outputs if output.get("name") != "stderr")
    notebook.cells = _key_first(notebook.cells)
    return notebook


def _key_first(cells: list[Any]) -> list[Any]:
    """Move the output of cells tagged ``key``, the verdict's box and the key figure, right below the title. Their code
    stays where it is, so that the page still runs from top to bottom."""
    import nbformat

    first = []
    for cell in cells:
        if "key" in cell.metadata.get("tags", []) and cell.cell_type == "code":
            shown = nbformat.v4.new_code_cell("# shown first", outputs=cell.outputs)
            shown.metadata["tags"] = ["remove-input"]
            if "mystnb" in cell.metadata:
                shown.metadata["mystnb"] = cell.metadata.pop("mystnb")
            shown["id"], cell.outputs = f"{cell['id']}-key", []
            first.append(shown)
    return [*cells[:1], *first, *cells[1:]]


def _one_cell_of_parameters(cells: list[Any]) -> list[Any]:
    """Return the cells without papermill's injected one, with its values in the page's own cell."""
    injected = next((cell for cell in cells if "injected-parameters" in cell.metadata.get("tags", [])), None)
    own = next((cell for cell in cells if "parameters" in cell.metadata.get("tags", [])), None)
    if injected is None or own is None:
        return cells
    values = dict(line.split(" = ", 1) for line in injected.source.splitlines() if " = " in line)
    lines = own.source.splitlines()
    for k, line in enumerate(lines):
        if (name := line.partition(" ")[0].rstrip(":")) in values:
            before, mark, comment = line.partition("  # ")
            lines[k] = f"{before.partition('=')[0].rstrip()} = {values[name]}{mark}{comment}"
    own.source = "\n".join(lines)
    return [cell for cell in cells if cell is not injected]


def _joined(outputs: Iterable[Any]) -> list[Any]:
    """Join printed output that arrived in several pieces, as it does on a busy machine."""
    joined: list[Any] = []
    for output in outputs:
        if joined and output.get("name") == "stdout" == joined[-1].get("name"):
            joined[-1]["text"] += output["text"]
        else:
            joined.append(output)
    return joined


def last_lines(traceback: list[str], count: int = 12) -> str:
    """Return the end of a kernel's traceback, without colours and without empty lines."""
    lines = [line.rstrip() for line in ANSI.sub("", "\n".join(traceback)).splitlines()]
    return "\n".join([line for line in lines if line][-count:])


def execute(page: str, parameters: Mapping[str, Any]) -> Path:
    """Execute a page and return the path of the executed notebook; ``parameters`` must name a ``profile``."""
    import nbformat
    import papermill

    content, target = load(page), output_path(page, parameters)
    given = {name: value for name, value in _normalised(page, parameters).items() if name in parameters}
    fix_environment()
    locks = build_folder() / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    # A second run of the same page waits for the first.
    with FileLock(locks / f"{target.parent.name}-{page}.lock"):
        try:
            executed = papermill.execute_notebook(
                content,
                None,
                given,
                kernel_name="python3",
                progress_bar=False,
                cwd=str(ROOT),
                # The kernel's own messages are not the page's.
                extra_arguments=["--log-level=CRITICAL", f"--IPKernelApp.parent_handle={os.getpid()}"],
                kernel_manager_class=_kernels(),
            )
        except papermill.PapermillExecutionError as error:
            raise PageError(f"{page} failed:\n{last_lines(error.traceback)}") from error
        result = target.with_suffix(".new")
        nbformat.write(clean(executed, _title(page, target)), result)
        os.replace(result, target)
    return target


def _kernels() -> type:
    """Return the kernel manager: the stock one, but forking a process that has imported the libraries, if it can."""
    from jupyter_client import AsyncKernelManager

    class Warm(AsyncKernelManager):
        def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
            stock = super().format_kernel_cmd(extra_arguments)
            return [*warm.command("ipykernel_launcher"), *stock[stock.index("ipykernel_launcher") + 1 :]]

    return Warm


def _title(page: str, target: Path) -> str:
    """Return the title for the page's captions: the committed record's, else this run's, which is beside the page."""
    found = recorded(page)
    for file in (target.parents[2] / "records" / target.parent.name / f"{page}.json", target.parent / "record.json"):
        if found is None and file.is_file():
            found = Record.read(file)
    return found.title if found else "this run"


def end_with(process: int) -> None:
    """End this process soon after another one has ended, even if that was killed; the kernel ends with this process."""

    def watch() -> None:
        while True:
            try:
                os.kill(process, 0)
            except ProcessLookupError:
                os._exit(1)
            time.sleep(1)

    threading.Thread(target=watch, daemon=True).start()


def write_stamp(stamp: Path, made: Path) -> None:
    """Record that ``made`` is up to date, with its sha256, so that a lost or altered file is noticed."""
    write_whole(stamp, f"{hashlib.sha256(made.read_bytes()).hexdigest()}  {made.relative_to(build_folder())}")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    warnings.filterwarnings("ignore", message="IProgress not found")  # no widgets are wanted here
    from papermill.cli import _resolve_type  # so that `-p name value` is read as papermill reads it

    parser = argparse.ArgumentParser(prog="python -m companion page", description="Execute one page.")
    parser.add_argument("page")
    parser.add_argument("-p", "--parameter", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"))
    parser.add_argument("--profile", default="smoke", help=" or ".join(PROFILES))
    parser.add_argument("--stamp", type=Path, help="file to write when the page is done")
    options = parser.parse_args(arguments)
    parameters = {"profile": options.profile} | {name: _resolve_type(value) for name, value in options.parameter}
    if "PAPERLIB_WORKFLOW" in os.environ:
        end_with(int(os.environ["PAPERLIB_WORKFLOW"]))
    start = time.monotonic()
    try:
        target = execute(options.page, parameters)
    except PageError as error:
        print(error, file=sys.stderr)
        return 1
    if options.stamp:
        write_stamp(options.stamp, target)
    print(f"{options.page} took {time.monotonic() - start:.0f} s: {os.path.relpath(target)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
