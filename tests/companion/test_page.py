"""A page's run: where it writes, what it computes, and that it shows and says what its record supports."""

import numpy as np
import pytest

from companion import page as module
from companion import parameters, provenance
from companion.folders import build_folder, run_folder
from companion.page import Page, Untrue
from companion.records import NotRun, Record
from companion.rows import row

SCRIPT = """
# %% tags=["parameters"]
profile = "smoke"
seeds = ""
forget = "3,7"
steps = 0

# %%
derived = steps + 1
"""
OWN = {"profile": "smoke", "seeds": "", "forget": "3,7", "steps": 0}
SMOKE, LAPTOP, PAPER = {"steps": 1, "points": 2}, {"steps": 10, "points": 20, "seeds": 3}, {"steps": 100, "points": 200}


@pytest.fixture(autouse=True)
def checkout(tmp_path, monkeypatch):
    for one in (module, parameters, provenance):
        monkeypatch.setattr(one, "CHECKOUT", tmp_path)
    monkeypatch.setenv("PAPERLIB_BUILD", str(tmp_path / "build"))
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "example.py").write_text(SCRIPT)
    return tmp_path


@pytest.fixture
def displayed(monkeypatch):
    """What the page shows, in order."""
    found = []
    monkeypatch.setattr(module, "_display", found.append)
    return found


def rows(value=1.0, seeds=(0,)):
    return lambda: (row(value, metric="ur", n=9, seed=seed, dataset="mnist", method="ours") for seed in seeds)


def page(profile="smoke", **changes):
    return Page("example", OWN | {"profile": profile} | changes)


def committed(checkout, profile="laptop", value=7.0):
    """Record the page as its author does."""
    made = page(profile).measure(rows(value), series=lambda: {"curve": [value]})
    made.write(checkout / "results" / profile / "example.json")
    return made


def test_a_parameter_chooses_all_or_some_in_the_order_of_the_table():
    names = ["1,2", "3,7", "9"]
    assert page(forget="all").chosen("forget", names) == names
    names = ["unseen", "sgu", "redirect"]
    assert page(forget="redirect, unseen").chosen("forget", names) == ["unseen", "redirect"]
    for wrong in ("vdu", "sgu,", ""):
        with pytest.raises(ValueError, match="is not one of all, unseen, sgu, redirect"):
            page(forget=wrong).chosen("forget", names)


# --- where a run writes


@pytest.mark.parametrize("profile", ["smoke", "laptop", "paper"])
def test_the_pages_own_parameters_make_the_books_record(checkout, profile):
    made = page(profile)
    assert made.is_default
    assert made.record_path == checkout / "build" / "records" / profile / "example.json"
    assert made.store.folder == checkout / "build" / "store"


@pytest.mark.parametrize("change", [{"seeds": "0"}, {"forget": 1}, {"steps": 3}])
def test_other_parameters_get_a_folder_of_their_own(checkout, change):
    made = page(**change)
    assert not made.is_default
    assert made.folder == run_folder(checkout / "build", "example", made.parameters | {"profile": "smoke"})
    assert made.folder.parent == checkout / "build" / "runs"
    assert made.record_path == made.folder / "record.json"
    assert len({page(profile, **change).folder for profile in ("smoke", "laptop", "paper")}) == 3


def test_a_notebook_s_other_names_are_no_parameters():
    assert page(derived=1, np=module, _=3).parameters == {"seeds": "", "forget": "3,7", "steps": 0}


def test_a_page_that_was_downloaded_alone_runs_with_its_own_names(checkout):
    alone = Page("mine", OWN | {"In": [], "print": print})
    assert alone.parameters == {"seeds": "", "forget": "3,7", "steps": 0} and alone.profile == "smoke"
    assert alone.recorded is None


@pytest.mark.parametrize("build", [None, "", "relative/build"])
def test_the_build_folder_is_absolute_and_below_the_current_one_unless_it_is_named(tmp_path, monkeypatch, build):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PAPERLIB_BUILD")
    if build is not None:
        monkeypatch.setenv("PAPERLIB_BUILD", build)
    assert build_folder() == tmp_path / (build or "_build")


# --- amounts


def test_a_budget_is_the_profile_s_and_a_parameter_that_is_set_goes_before_it(checkout):
    for profile, amounts in {"smoke": SMOKE, "laptop": LAPTOP, "paper": PAPER}.items():
        found = page(profile).budget(smoke=SMOKE, laptop=LAPTOP, paper=PAPER)
        assert (found.steps, found.points) == (amounts["steps"], amounts["points"])
        assert page(profile, steps=5).budget(smoke=SMOKE, laptop=LAPTOP, paper=PAPER).steps == 5


def test_all_rows_are_those_that_the_profile_has(checkout):
    names = ["a", "b", "c"]
    for profile, rows in {"smoke": ["b"], "laptop": names}.items():
        made = page(profile, forget="all")
        budget = made.budget(smoke=SMOKE | {"rows": ["b"]}, laptop=LAPTOP, paper=PAPER)
        assert made.chosen("forget", names) == rows and not hasattr(budget, "rows")
    made = page("smoke", forget="a")
    made.budget(smoke=SMOKE | {"rows": ["b"]}, laptop=LAPTOP, paper=PAPER)
    assert made.chosen("forget", names) == ["a"]  # what is named is taken


def test_seeds_are_the_parameter_s_and_else_as_many_as_the_profile_has(checkout):
    for profile, given, expected in [
        ("smoke", "", [0]),
        ("laptop", "", [0, 1, 2]),
        ("laptop", "4", [4]),
        ("smoke", [5, 1], [5, 1]),
    ]:
        made = page(profile, seeds=given)
        budget = made.budget(smoke=SMOKE, laptop=LAPTOP, paper=PAPER)
        assert made.seeds == expected and not hasattr(budget, "seeds")


# --- measuring


def test_what_is_measured_reads_back_and_is_the_result_of_a_page_that_nobody_recorded(checkout):
    made = page("laptop")
    found = made.measure(rows(seeds=(0, 1)), series=lambda: {"curve": (1, 2)})
    assert Record.read(made.record_path) == found == made.result == made.run
    assert found.parameters == {"seeds": "", "forget": "3,7", "steps": 0} and found.series == {"curve": [1, 2]}
    assert found.find(method="ours").seeds == [0, 1]
    assert found.provenance.commit == "unknown" and found.provenance.dirty


def test_the_committed_record_is_the_result_whatever_a_run_measures(checkout):
    recorded = committed(checkout)
    made = page()
    assert made.measure(rows(1.0)) == recorded == made.result
    assert made.run.find(method="ours").value == 1.0 and Record.read(made.record_path) == made.run


def test_profile_recorded_computes_nothing_and_writes_nothing(checkout):
    def never():
        raise AssertionError("this would compute")

    recorded = committed(checkout)
    (checkout / "build").rename(checkout / "before")
    made = page("recorded")
    assert made.budget(smoke=SMOKE, laptop=LAPTOP, paper=PAPER).points == 20  # those of the record's profile
    assert made.measure(never, series=never, images=never) == recorded
    assert made.run is None and not (checkout / "build").exists()


def test_profile_recorded_needs_a_record():
    with pytest.raises(ValueError, match="profile='recorded': example has no committed record; take smoke"):
        page("recorded")


def test_a_run_at_paper_that_can_measure_nothing_says_what_would_bring_it(checkout):
    why = "x has not been trained: python -m companion campaign --only x"
    rows = [NotRun(claim="ours.example/a/b", reason=why)]
    with pytest.raises(FileNotFoundError, match=f"example: nothing can be measured: {why}"):
        page(profile="paper").measure(lambda: rows)


def test_recorded_is_paper_else_laptop_and_never_smoke(checkout):
    made = page().measure(lambda: [NotRun(claim="ours.example/a/b", reason="no time")])
    for profile, expected in (("smoke", None), ("laptop", "laptop"), ("paper", "paper")):
        made.model_copy(update={"profile": profile}).write(checkout / "results" / profile / "example.json")
        found = page().recorded
        assert (found and found.profile) == expected


def test_the_code_is_that_of_the_runs_start(checkout):
    made = page("laptop")
    before = provenance.page_sha256("example")
    (checkout / "notebooks" / "example.py").write_text(SCRIPT + "x = 1\n")
    made.measure(rows())
    assert made.run.provenance.source_sha256 == before != provenance.page_sha256("example")


def test_a_missing_or_large_image_is_refused():
    made = page("laptop")
    with pytest.raises(FileNotFoundError, match="example-grid.png"):
        made.write(values=[], images=[made.image_path("grid")])
    made.image_path("grid").write_bytes(bytes(600_000))
    with pytest.raises(ValueError, match="600000 bytes"):
        made.write(values=[], images=["example-grid.png"])
    assert not made.record_path.exists()


def test_an_image_is_the_run_s_or_the_committed_one(checkout):
    recorded = committed(checkout)
    made = page("smoke", steps=3)
    made.measure(rows())
    assert made.image_of(recorded, "grid") == checkout / "results/laptop/example-grid.png"
    assert made.image_of(made.run, "grid") == made.folder / "example-grid.png"


# --- showing


def test_a_picture_takes_its_columns_from_the_record_and_may_be_missing(checkout, displayed, monkeypatch):
    committed(checkout)
    made, drawn = page(), []
    sheet = {"grid": np.zeros((2, 2, 3), np.uint8)}
    made.measure(rows(1.0), images=lambda: sheet, series=lambda: {"columns": ["a", "b"]})
    monkeypatch.setattr("companion.plots.picture", lambda file, **how: drawn.append(how) or file.name)
    made.picture("grid", ["before"], columns=lambda record: record.series["columns"], missing="No images here.")
    assert displayed == ["No images here."] and drawn == []
    made.this_run()
    assert displayed[2:] == ["example-grid.png"]
    assert [(how["names"], how["columns"]) for how in drawn] == [(["before"], ["a", "b"])]


def test_the_result_is_shown_once_and_this_run_in_the_fold_alone(checkout, displayed):
    committed(checkout)
    made = page()
    made.measure(rows(1.0))
    made.show(lambda record: record.find(method="ours").value)
    made.figure(lambda record, title: title)
    assert displayed == [7.0, "Recorded: MNIST, seed 0, profile laptop"]
    made.this_run()
    note, *again = displayed[2:]
    assert again == [1.0, "This run: MNIST, seed 0, profile smoke"]
    assert "**This run**: MNIST, seed 0, profile smoke" in note and "reproduce nothing" in note


def test_a_laptop_run_is_not_told_that_it_reproduces_nothing(checkout, displayed):
    committed(checkout)
    made = page("laptop")
    made.measure(rows(1.0))
    made.this_run()
    assert displayed == ["**This run**: MNIST, seed 0, profile laptop."]


def test_the_fold_says_where_nothing_was_computed(checkout, displayed):
    committed(checkout)
    made = page("recorded")
    made.measure(rows())
    made.show(lambda record: record.find(method="ours").value)
    made.this_run()
    assert displayed == [7.0, "The page was built from its record; nothing was computed."]


def test_a_page_that_nobody_recorded_shows_its_run_once(checkout, displayed):
    made = page()
    made.measure(rows(1.0))
    made.show(lambda record: record.find(method="ours").value)
    made.this_run()
    assert displayed == [1.0, "Nothing is recorded yet: the page above shows this run."]


# --- saying


def boxed(made, **changes):
    words = {"claim": "They claim.", "found": "We found.", "verdict": "Reproduced.", "rests": "Small networks."}
    return made.verdict(**words, **changes)


@pytest.mark.parametrize("profile", ["recorded", "smoke", "laptop", "paper"])
def test_words_that_the_record_does_not_bear_out_are_an_error(checkout, profile):
    committed(checkout)
    made = page(profile)
    with pytest.raises(Untrue, match="example: the record no longer bears out .* We found"):
        boxed(made, holds=[True, False])
    with pytest.raises(Untrue, match="example: condition 2 of 1 sentences no longer holds"):
        made.say("It holds.", holds=iter([True, False, True]))
    assert made.say("One.", "Two.", holds=[True]) == "- One.\n- Two."


def test_the_box_has_claim_finding_verdict_and_on_what_it_rests(checkout):
    committed(checkout)
    box = boxed(page(), holds=[True])
    assert box._repr_markdown_() == box and box.startswith(":::{admonition}")
    lines = [line for line in box.splitlines() if line.startswith("**")]
    assert lines == [
        "**The claim.** They claim.",
        "**What we found.** We found.",
        "**Verdict.** Reproduced.",
        "**Based on.** MNIST, seed 0, profile laptop. Small networks.",
    ]


def test_a_page_that_nobody_recorded_says_nothing_that_it_cannot_know():
    made = page()
    box = boxed(made, holds=[False])
    assert "They claim." in box and "Nothing is recorded yet." in box
    assert not any(words in box for words in ("We found.", "Reproduced.", "Small networks."))
    assert made.say("Untrue.", holds=[True, False]) == ""
    assert made.say("True.", holds=[True]) == "- True."


def reading(record):
    """Say something of the one row that :func:`committed` records."""
    one = record.find(metric="ur", method="ours")
    return {"found": f"UR is {one.value:.0f} %.", "holds": [one.value > 5], "verdict": "High."}


def noticing(record):
    one = record.find(metric="ur", method="ours")
    return {"sentences": [f"UR is {one.value:.0f} %.", "It is high."], "holds": [one.value > 5]}


def test_what_a_box_and_sentences_say_may_be_read_by_functions_of_the_record(checkout):
    assert "**What we found.** Nothing is recorded yet.\n\n**Verdict.** open" in page().verdict("They.", reading)
    committed(checkout)
    made = page()
    made.measure(rows(1.0))
    box = made.verdict("They.", reading, "Low.", "Few.")
    assert "UR is 7 %." in box and "**Verdict.** High." in box and box.endswith("Few.\n:::")
    assert made.say(noticing) == "- UR is 7 %.\n- It is high."


def test_what_a_function_reads_has_to_be_true_too(checkout):
    committed(checkout, value=2.0)
    made = page("recorded")
    made.measure(rows())
    with pytest.raises(Untrue, match="bears out .* UR is 2 %"):
        made.verdict("They.", reading)
    with pytest.raises(Untrue, match="condition 1 of 2"):
        made.say(noticing)


def test_a_run_goes_on_without_the_rows_that_its_sentences_need_and_a_published_page_does_not(checkout):
    committed(checkout)

    def other(record):
        return {"found": str(record.find(metric="ur", method="theirs").value), "holds": []}

    made = page()
    made.measure(rows())
    wanted = "Not recorded yet: 0 values of example have metric='ur', method='theirs'; one is asked for."
    assert wanted in made.verdict("They.", other) and made.say(other) == wanted
    made = page("recorded")
    made.measure(rows())
    for show in (lambda: made.verdict("They.", other), lambda: made.say(other)):
        with pytest.raises(KeyError, match="method='theirs'"):
            show()
