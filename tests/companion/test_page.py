import pytest

from companion import page as module
from companion import provenance
from companion.page import Page, build_folder, page_defaults, run_folder
from companion.records import NotRun, Record, measured

SCRIPT = """
# ---
# jupyter: {}
# ---

# %% [markdown]
# # Title

# %% tags=["parameters"]
profile = "smoke"  # a comment
seed: int = 0
alpha = -0.5
forget = "3,7"
sizes = [1, 2]

# %%
derived = seed + 1
"""
DEFAULTS = {"seed": 0, "alpha": -0.5, "forget": "3,7", "sizes": [1, 2]}


@pytest.fixture(autouse=True)
def checkout(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHECKOUT", tmp_path)
    monkeypatch.setattr(provenance, "CHECKOUT", tmp_path)
    monkeypatch.setenv("PAPERLIB_BUILD", str(tmp_path / "build"))
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "example.py").write_text(SCRIPT)
    return tmp_path


def some(value=1.0):
    facts = {"unit": "nats", "n": 1, "dataset": "mixture", "method": "ours", "protocol": {}}
    return measured("ours.example/a/b", [value], seeds=[0], **facts)


def test_defaults_are_the_literals_of_the_parameters_cell():
    assert page_defaults("example") == {"profile": "smoke", **DEFAULTS}


@pytest.mark.parametrize("text", ["# %%\nx = 1\n", '# %% tags=["parameters"]\nx = 1 + y\n'])
def test_a_page_without_plain_parameters_is_an_error(checkout, text):
    (checkout / "notebooks" / "bad.py").write_text(text)
    with pytest.raises(ValueError, match="parameters"):
        page_defaults("bad")


@pytest.mark.parametrize("profile", ["smoke", "laptop", "paper"])
def test_the_pages_own_parameters_make_the_books_record(checkout, profile):
    page = Page("example", profile=profile, **DEFAULTS)
    assert page.is_default
    assert page.record_path == checkout / "build" / "records" / profile / "example.json"
    assert page.store.folder == checkout / "build" / "store"


@pytest.mark.parametrize("change", [{"seed": 1}, {"sizes": [1]}, {"more": 1}, None])
def test_other_parameters_get_a_folder_of_their_own(checkout, change):
    parameters = DEFAULTS | change if change else {"seed": 0}
    page = Page("example", profile="smoke", **parameters)
    assert not page.is_default
    assert page.folder == run_folder(checkout / "build", "example", {"profile": "smoke", **parameters})
    assert page.folder.parent == checkout / "build" / "runs"
    assert page.record_path == page.folder / "record.json"
    assert page.folder != Page("example", profile="laptop", **parameters).folder


def test_a_page_without_a_file_is_not_the_default():
    assert not Page("mine", profile="smoke").is_default


def test_plain_papermill_writes_below_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("PAPERLIB_BUILD")
    monkeypatch.chdir(tmp_path)
    assert build_folder() == tmp_path / "_build"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"profile": "huge"}, "profile='huge' is not one of smoke, laptop, paper"),
        ({"profile": "smoke", "seed": -1}, "seed=-1 is not allowed: an integer of at least 0 expected"),
        ({"profile": "smoke", "seed": "a"}, "seed='a' is not allowed: "),
        ({"profile": "smoke", "forget": None}, "forget=None is not allowed: "),
    ],
)
def test_a_wrong_parameter_is_refused_at_once(parameters, message):
    with pytest.raises(ValueError) as caught:
        Page("example", **parameters)
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


def test_what_is_written_reads_back(checkout):
    page = Page("example", profile="laptop", **DEFAULTS)
    page.image_path("grid").write_bytes(b"png")
    made = page.write(values=[some()], series={"curve": (1, 2)}, images=[page.image_path("grid")])
    assert Record.read(page.record_path) == made
    assert made.parameters == DEFAULTS and made.images == ["example-grid.png"]
    assert made.provenance.commit == "unknown" and made.provenance.dirty


def test_the_code_is_that_of_the_runs_start(checkout):
    page = Page("example", profile="laptop", **DEFAULTS)
    before = provenance.page_sha256("example")
    (checkout / "notebooks" / "example.py").write_text(SCRIPT + "x = 1\n")
    assert page.write(values=[some()]).provenance.source_sha256 == before != provenance.page_sha256("example")


def test_a_missing_or_large_image_is_refused():
    page = Page("example", profile="laptop", **DEFAULTS)
    with pytest.raises(FileNotFoundError, match="example-grid.png"):
        page.write(values=[some()], images=[page.image_path("grid")])
    page.image_path("grid").write_bytes(bytes(600_000))
    with pytest.raises(ValueError, match="600000 bytes"):
        page.write(values=[some()], images=["example-grid.png"])
    assert not page.record_path.exists()


def test_recorded_is_paper_else_laptop_and_never_smoke(checkout):
    page = Page("example", profile="smoke", **DEFAULTS)
    made = page.write(values=[NotRun(claim="ours.example/a/b", reason="no time")])
    for profile, expected in (("smoke", None), ("laptop", "laptop"), ("paper", "paper")):
        made.model_copy(update={"profile": profile}).write(checkout / "results" / profile / "example.json")
        assert (page.recorded and page.recorded.profile) == expected


def test_the_banner_says_what_the_run_is_worth():
    smoke = Page("example", profile="smoke", **DEFAULTS).banner("drawn shapes")
    assert "only proves that the page works on drawn shapes" in smoke
    laptop = Page("example", profile="laptop", seed=3).banner("MNIST")
    assert "`laptop`" in laptop and "seed 3" in laptop and "MNIST" in laptop and "proves" not in laptop
    said = {
        "seed 3.": {"seed": 3, "seeds": ""},
        "seed 4.": {"seed": 3, "seeds": "4"},
        "seeds 0,1,2.": {"seed": 3, "seeds": "0,1,2"},
        "several seeds from 3 on.": {"seed": 3, "seeds": 0},
        "5 seeds from 3 on.": {"seed": 3, "seeds": 5},
    }
    for words, parameters in said.items():
        assert f"`paper`**, {words}" in Page("example", profile="paper", **parameters).banner()
    assert smoke._repr_markdown_() == smoke
