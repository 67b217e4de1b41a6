"""The command that a page prints for Table 3's row on a GPU of 24 GB: it uses the page's parameters, and runs with the
tiny pipeline."""

import re

import matplotlib
import pytest

pytest.importorskip("diffusers")

from diffusers import StableDiffusionPipeline
from papermill.cli import _resolve_type as resolve_type

from companion.code import CHECKOUT
from companion.rehearse import rehearse, rehearsing
from companion.studies import latent_runs
from companion.studies.latent_classes import BATCH, BUDGETS, UPDATES, updates_of

matplotlib.use("Agg")
PAGE = "erasediff_tab3_imagenette"


@pytest.fixture(scope="module")
def said():
    """Return the command's parameters, as papermill reads them."""
    text = (CHECKOUT / "notebooks" / f"{PAGE}.py").read_text(encoding="utf-8")
    (command,) = re.findall(rf"`papermill notebooks/{PAGE}\.ipynb out\.ipynb( [^`]*)`", text)
    return {name: resolve_type(value) for name, value in re.findall(r" -p (\S+) (\S+)", command)}


def test_smaller_batches_show_as_many_images(said):
    seen = BUDGETS["paper"]["seen"]
    assert updates_of(seen, BATCH) == UPDATES and updates_of(seen, said["batch_size"]) == 4 * UPDATES
    assert updates_of(1, 16) == 1


def test_the_printed_command_goes_its_way_to_the_row_and_a_saved_pipeline(said, tmp_path, monkeypatch):
    assert said.pop("profile") == "paper" and said["forget"] == "tench" and said["lora"] > 0
    adapters, add = [], latent_runs.add_lora
    monkeypatch.setattr(latent_runs, "add_lora", lambda model, rank: adapters.append(rank) or add(model, rank))
    monkeypatch.setattr("companion.rehearse._needed", lambda *_: [])  # it needs no base model of the book
    with rehearsing(tmp_path / "rehearsal"):
        record = rehearse(PAGE, save=str(tmp_path / "forgot"), **said)
    row = {one.claim: one for one in record.values if hasattr(one, "value") and "/tench/" in one.claim}
    assert row.keys() >= {f"erasediff.tab3/tench/erasediff_{what}" for what in ("ua", "fid")}
    assert adapters == [said["lora"]]
    assert {one.protocol["batch_size"] for one in row.values()} == {said["batch_size"]}
    StableDiffusionPipeline.from_pretrained(tmp_path / "forgot", safety_checker=None)
