"""Build the book from the executed pages: ``python -m companion.book --profile smoke --solutions yes``.

The sources are assembled in ``_build/source``: the prose of ``book/``, the executed pages, and generated pages (one per
module of the package, one about the committed models, the findings and the scorecard). The HTML is built beside the
last good one and replaces it only if the build succeeds.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from companion import checkpoints
from companion.cards import models_page
from companion.code import PACKAGES
from companion.execute import ROOT, write_stamp
from companion.findings import findings_page
from companion.folders import build_folder
from companion.options import positive_int
from companion.parameters import PROFILES
from companion.reach import reach_page
from companion.scorecard import cells, scorecard_page, summary_table

__all__ = ["assemble", "build", "modules", "reference"]


def modules(packages: Sequence[Path] = PACKAGES) -> dict[str, list[str]]:
    """Return the dotted names of the packages' modules by package, leaving out modules without a docstring."""
    names: dict[str, list[str]] = {}
    for package in packages:
        for path in sorted(package.rglob("*.py")):
            around = ".".join(path.relative_to(package.parent).parent.parts)
            if path.stem != "__main__" and path.read_text().lstrip().startswith(('"""', 'r"""')):
                names.setdefault(around, []).append(f"{around}.{path.stem}".removesuffix(".__init__"))
    return names


def reference(package: str, names: Sequence[str]) -> str:
    """Return the page of a package, with a section for each module, by its own name, made from its docstrings."""
    options = "   :members:\n   :undoc-members:\n"
    parts = [f"# {package}\n"]
    for name in names:
        heading = "" if name == package else f"## {name.removeprefix(f'{package}.')}\n\n"
        parts.append(f"{heading}```{{eval-rst}}\n.. automodule:: {name}\n{options}```\n")
    return "\n".join(parts)


def without_solutions(notebook):
    """Return the notebook without its cells tagged ``solution``."""
    notebook.cells = [cell for cell in notebook.cells if "solution" not in cell.metadata.get("tags", [])]
    return notebook


def table_of_contents(toc: dict, pages: set[str]) -> dict:
    """Return the table of contents without pages that do not exist yet and without empty parts."""

    def exists(entry: dict) -> bool:
        folder, _, page = entry.get("file", "").rpartition("/")
        return folder != "pages" or page in pages

    parts = [{**part, "chapters": list(filter(exists, part["chapters"]))} for part in toc["parts"]]
    return {**toc, "parts": [part for part in parts if part["chapters"]]}


def assemble(profile: str, solutions: str, folder: Path, jobs: int = 1) -> None:
    """Assemble the book's sources in ``folder``, which is recreated; ``jobs`` processes will write its pages."""
    import nbformat

    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "book", folder)
    pages = sorted((ROOT / "notebooks").glob("*.py"))
    (folder / "pages").mkdir()
    executed = {}
    for script in pages:
        notebook = nbformat.read(build_folder() / "pages" / profile / f"{script.stem}.ipynb", as_version=4)
        if solutions == "no":
            notebook = without_solutions(notebook)
        nbformat.write(notebook, folder / "pages" / f"{script.stem}.ipynb")
        executed[script.stem] = notebook

    (folder / "api").mkdir()
    for package, names in modules().items():
        (folder / "api" / f"{package}.md").write_text(reference(package, names))

    (folder / "models.md").write_text(models_page())
    every = cells()
    (folder / "scorecard.md").write_text(scorecard_page(every))
    (folder / "scorecard-summary.txt").write_text(summary_table(every))  # the home page includes it
    (folder / "reach.md").write_text(reach_page())
    (folder / "_models").mkdir()
    for grid in checkpoints.FOLDER.glob("*.png"):
        shutil.copy(grid, folder / "_models")

    toc = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text())
    toc = table_of_contents(toc, set(executed))
    (folder / "findings.md").write_text(findings_page(toc, executed))
    (folder / "_toc.yml").write_text(yaml.safe_dump(toc, sort_keys=False))

    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    address = bool(config["repository"]["url"])  # without one, no buttons that need it
    config["sphinx"]["config"]["writers"] = jobs
    config["html"] |= {"use_repository_button": address, "use_issues_button": address}
    (folder / "_config.yml").write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True))


def build(profile: str, solutions: str, jobs: int) -> Path:
    """Build the HTML with warnings as errors and return its folder; on failure, raise and keep the last good one."""
    home = build_folder()
    source, side, html, old = home / "source", home / "html-new", home / "html", home / "html-old"
    assemble(profile, solutions, source, jobs)
    shutil.rmtree(side, ignore_errors=True)
    program = str(Path(sys.executable).with_name("jupyter-book"))
    command = [program, "build", str(source), "--path-output", str(side)]
    subprocess.run([*command, "-W", "-n", "--keep-going", "--quiet"], check=True, cwd=ROOT)
    shutil.rmtree(old, ignore_errors=True)
    if html.exists():
        os.replace(html, old)
    os.replace(side / "_build" / "html", html)
    shutil.rmtree(old, ignore_errors=True)
    shutil.rmtree(side)
    return html


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m companion.book", description="Build the book's HTML.")
    parser.add_argument("--profile", choices=PROFILES, default="smoke")
    parser.add_argument("--solutions", choices=["yes", "no"], default="yes")
    parser.add_argument("--jobs", type=positive_int, default=1, help="number of processes that write pages")
    parser.add_argument("--stamp", type=Path, help="file to write when the book is built")
    options = parser.parse_args()
    try:
        html = build(options.profile, options.solutions, options.jobs)
    except subprocess.CalledProcessError:
        print("the book was not built: its warnings and errors are above", file=sys.stderr)
        return 1
    if options.stamp:
        write_stamp(options.stamp, html / "index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
