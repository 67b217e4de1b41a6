"""The cells that a page covers are computed, not declared; no printed cell on pixels is left out."""

import json

import pytest

from companion.claims import load
from companion.reach import FILE, WITHOUT_A_PAGE, needs, on_images, on_pixels, reach_page, reached
from companion.reaching import every
from companion.rehearse import ROWS


def test_the_committed_file_is_of_every_row():
    rows = [{"page": page, "parameters": parameters} for page, several in ROWS.items() for parameters in several]
    committed = [{name: one[name] for name in ("page", "parameters")} for one in json.loads(FILE.read_text())]
    assert committed == rows, "python -m companion reach"


@pytest.mark.slow
def test_the_committed_file_is_what_the_pages_reach(monkeypatch):
    """One row of each page is checked here; `python -m companion reach` does all of them."""
    monkeypatch.setenv("MPLBACKEND", "Agg")
    committed = json.loads(FILE.read_text())
    for one in every({page: several[-1:] for page, several in ROWS.items()}):
        assert one in committed, "python -m companion reach"


def test_every_printed_cell_on_pixels_is_reached_by_a_page_or_named_as_without_one():
    known = reached()
    lacking = {claim.id for claim in load().values() if on_pixels(claim)} - known.keys()
    assert {cell.partition("/")[0] for cell in lacking} == set(WITHOUT_A_PAGE), sorted(lacking)
    assert not {cell.partition("/")[0] for cell in known} & set(WITHOUT_A_PAGE)  # now there is a page: remove it here


def test_every_printed_cell_of_stable_diffusion_is_reached():
    cells = {claim.id for claim in load().values() if claim.process == "sd14"}
    assert len(cells) == 142 and cells <= reached().keys()


def test_the_table_of_what_is_reached_has_a_line_for_every_cell():
    text, cells = reach_page(), [claim for claim in load().values() if on_images(claim)]
    assert text.count("\n| ") - text.count("| cell |") == len(cells)
    assert text.count("| no page yet |") == sum(claim.id.partition("/")[0] in WITHOUT_A_PAGE for claim in cells)


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [
        ("sgu.tab2_ur/stl10/vpsde/airplane/unseen", {"stl10", "sgu-stl10-vp-unseen-airplane", "a classifier"}),
        ("vdu.tab1/cifar10/ship/sa_ufid", {"cifar10", "vdu-cifar10-ddpm4000", "FID's Inception"}),
        ("sgu.tab3_clip/cifar10/D_g/standard", {"cifar10", "sgu-cifar10-vp", "CLIP"}),
        ("erasediff.tab3/tench/esd_ua", {"Stable Diffusion 1.4", "imagenette", "ResNet-50 of ImageNet"}),
    ],
)
def test_what_a_cell_needs_is_named(cell, wanted):
    assert wanted <= set(needs(load()[cell]))
