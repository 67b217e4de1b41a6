"""The page of findings says what the pages' boxes say, in the book's order."""

import nbformat

from companion import words
from companion.findings import findings_page

TOC = {
    "parts": [
        {"caption": "Start", "chapters": [{"file": "reading"}]},
        {"caption": "Methods", "chapters": [{"file": "pages/two"}, {"file": "pages/one"}, {"file": "pages/none"}]},
    ]
}


def executed(found, verdict):
    box = words.box(
        "page", None, "It forgets.", {"found": found, "verdict": verdict, "rests": "", "holds": ()}, published=False
    )
    output = nbformat.v4.new_output("display_data", data={"text/markdown": str(box)})
    plain = nbformat.v4.new_output("display_data", data={"text/markdown": "**Verdict.** not in a box"})
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("say()", outputs=[plain, output])])


def test_a_box_is_read_as_it_was_written(monkeypatch):
    monkeypatch.setattr(words, "NOTHING", "")  # a box without a record, but with findings
    said = {"found": "**7 %** of *D_f*.", "verdict": "*Open.* See {ref}`x`.", "rests": "one seed", "holds": ()}
    box = words.box("page", None, "It forgets.", said, published=True)
    assert words.boxed(box) == {
        "The claim": "It forgets.",
        "What we found": "**7 %** of *D_f*.",
        "Verdict": "*Open.* See {ref}`x`.",
        "Based on": "one seed",
    }
    assert words.boxed("**Verdict.** not in a box") == {}


def test_findings_are_in_the_order_of_the_contents(monkeypatch):
    monkeypatch.setattr(words, "NOTHING", "")
    pages = {name: executed(f"{name} forgets", "*True.*") for name in ("one", "two", "unlisted")}
    text = findings_page(TOC, pages | {"none": nbformat.v4.new_notebook()})
    heads = [line for line in text.splitlines() if line.startswith("##")]
    assert heads == ["## Methods", "### {doc}`pages/two`", "### {doc}`pages/one`"]
    assert "**The claim.** It forgets.\n\n**What we found.** two forgets\n\n**Verdict.** *True.*\n" in text
    assert "unlisted" not in text and "not in a box" not in text
