"""The book's page *Findings*: what each page's box claims, found and concluded, in the order of the contents.

It is read from the executed pages, so it says what they say and nothing else.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from companion.words import boxed

__all__ = ["findings_page"]

INTRODUCTION = """\
(findings)=
# Findings

What the paper says, what we found and what we conclude: the box of every page, in the order of the book. The pages say
what each finding is based on.
"""
LINES = ("The claim", "What we found", "Verdict", "Note")


def findings_page(toc: Mapping[str, Any], pages: Mapping[str, Any]) -> str:
    """Return the page as MyST Markdown, from the table of contents and the executed pages by name."""
    text = INTRODUCTION
    for part in toc["parts"]:
        names = [entry.get("file", "").rpartition("/")[2] for entry in part["chapters"]]
        found = [(name, box) for name in names if name in pages for box in _boxes(pages[name])]
        if found:
            text += f"\n## {part['caption']}\n"
        for name, box in found:
            said = "\n\n".join(f"**{line}.** {box[line]}" for line in LINES if line in box)
            text += f"\n### {{doc}}`pages/{name}`\n\n{said}\n"
    return text


def _boxes(page: Any) -> Iterator[dict[str, str]]:
    for cell in page.cells:
        for output in cell.get("outputs", []):
            if box := boxed(output.get("data", {}).get("text/markdown", "")):
                yield box
