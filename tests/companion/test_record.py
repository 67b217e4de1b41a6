import json
import subprocess
from pathlib import Path

import pytest

from companion import page as page_module
from companion import parameters, provenance
from companion import record as module
from companion.page import Page
from companion.record import main
from companion.records import NotRun, Record, measured, plain

SCRIPT = '# %% tags=["parameters"]\nprofile = "smoke"\nforget = "1"\n\n# %%\nimport companion.seeds\n'
KNOWN = {"metric": "nll", "process": "vesde", "forget": "middle", "test": "D_g"}
FACTS = {"unit": "bits/dim + 8", "n": 9, "dataset": "mixture", "method": "standard"}


def git(checkout, *command):
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    done = subprocess.run(["git", "-C", checkout, *who, *command], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture(autouse=True)
def checkout(tmp_path, monkeypatch):
    """Make a committed checkout with two pages and the paperlib under test."""
    for part in (module, page_module, parameters, provenance):
        monkeypatch.setattr(part, "CHECKOUT", tmp_path)
    monkeypatch.setenv("PAPERLIB_BUILD", str(tmp_path / "_build"))
    (tmp_path / "notebooks").mkdir()
    for name in ("first", "second"):
        (tmp_path / "notebooks" / f"{name}.py").write_text(SCRIPT)
    (tmp_path / ".gitignore").write_text("/_build/\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "start")
    return tmp_path


def value(claim="sgu.tab1/D_g/standard"):
    return measured(claim, [10.6, 10.61], seeds=[0, 1], protocol=KNOWN, **FACTS)


def run(name="first", profile="laptop", values=None, images=()):
    page = Page(name, {"profile": profile, "forget": "1"})
    for image in images:
        page.image_path(image).write_bytes(image.encode())
    paths = [page.image_path(image) for image in images]
    return page.write(values=[value()] if values is None else values, images=paths)


def refused(capsys, *arguments):
    capsys.readouterr()
    assert main([*arguments]) == 1
    output = capsys.readouterr()
    assert output.out == "" and output.err.count("\n") == 1
    return output.err


def edit(checkout, change, name="first"):
    path = checkout / "_build" / "records" / "laptop" / f"{name}.json"
    facts = json.loads(path.read_text())
    change(facts)
    path.write_text(json.dumps(facts))


def test_a_sound_record_and_its_images_are_copied(checkout, capsys):
    made = run(images=["grid"])
    assert main(["first"]) == 0
    assert "recorded: " in capsys.readouterr().out
    assert Record.read(checkout / "results" / "laptop" / "first.json") == made
    assert made.provenance.commit == git(checkout, "rev-parse", "HEAD") and not made.provenance.dirty
    assert (checkout / "results" / "laptop" / "first-grid.png").read_bytes() == b"grid"


def test_recording_again_replaces_the_images_of_before(checkout):
    run(images=["old", "both"])
    assert main(["first"]) == 0
    run(images=["both", "new"])  # files in results/ do not make the checkout dirty
    assert main(["first"]) == 0
    names = sorted(path.name for path in (checkout / "results" / "laptop").iterdir())
    assert names == ["first-both.png", "first-new.png", "first.json"]


def test_smoke_and_unknown_profiles_are_refused(capsys):
    run(profile="smoke")
    assert "smoke is never recorded" in refused(capsys, "first", "--profile", "smoke")
    assert "profile='huge' is not one of laptop, paper" in refused(capsys, "first", "--profile", "huge")


def test_some_classes_alone_cannot_replace_the_others(capsys):
    assert "--measures or --methods" in refused(capsys, "first", "--forget", "3")


def test_a_missing_record_is_refused_with_the_command_to_run(capsys):
    assert "run `make page PAGE=first PROFILE=laptop` again" in refused(capsys, "first")


def test_a_run_with_uncommitted_changes_is_refused(checkout, capsys):
    (checkout / "new.py").write_text("")
    run()
    assert "uncommitted changes: commit them" in refused(capsys, "first")


def test_code_that_changed_since_the_run_is_refused(checkout, capsys):
    run()
    (checkout / "notebooks" / "first.py").write_text(SCRIPT + "x = 1\n")
    assert "has changed since the run: run `make page" in refused(capsys, "first")


def test_a_change_that_the_page_does_not_import_is_no_obstacle(checkout):
    run()
    (checkout / "notebooks" / "second.py").write_text(SCRIPT + "x = 1\n")
    assert main(["first"]) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda facts: facts["values"][0].update(claim="sgu.tab1/D_g/typo"), "neither a claim of the papers nor"),
        (lambda facts: facts["values"][0].update(value=None), "None"),
        (lambda facts: facts["values"][0].update(value=float("nan")), "nan"),
        (lambda facts: facts["series"].update(curve=[None]), "series.curve.0 is null"),
        (lambda facts: facts["values"].append(facts["values"][0]), "stands 2 times"),
        (lambda facts: facts.update(images=["first-grid.png"]), "an image that is not there"),
        (lambda facts: facts.update(page="second", values=[]), "is the record of second"),
    ],
)
def test_a_record_that_is_not_valid_is_refused(checkout, capsys, change, message):
    run()
    edit(checkout, change)
    assert message in refused(capsys, "first")
    assert not (checkout / "results").exists()


def test_one_page_owns_an_id(checkout, capsys):
    run("first")
    assert main(["first"]) == 0
    run("second", values=[NotRun(claim="sgu.tab1/D_g/standard", reason="no time")])
    assert "sgu.tab1/D_g/standard is recorded by first" in refused(capsys, "second")
    assert main(["first"]) == 0  # ids that it has recorded itself do not matter


def test_a_run_without_git_is_accepted_where_a_clean_checkout_has_its_code(checkout, capsys):
    (checkout / ".git").rename(checkout / "_git")
    run()
    assert "commit them first" in refused(capsys, "first")
    (checkout / "_git").rename(checkout / ".git")
    assert main(["first"]) == 0
    made = Record.read(checkout / "results" / "laptop" / "first.json").provenance
    assert (made.commit, made.dirty) == (git(checkout, "rev-parse", "HEAD"), False)
    (checkout / "new.py").write_text("")
    assert "uncommitted changes" in refused(capsys, "first")


def test_every_committed_record_is_valid():
    results = Path(__file__).parents[2] / "results"
    owners = {}
    files = sorted(file for profile in module.RECORDED for file in results.glob(f"{profile}/*.json"))
    assert files and sorted(results.glob("[!s]*/*.json")) == files  # a search's result is not a record
    for file in files:
        made = Record.read(file)
        assert (made.profile, made.page) == (file.parent.name, file.stem)
        assert not made.provenance.dirty
        for image in made.images:
            assert (file.parent / image).is_file()
        for one in made.values:
            assert owners.setdefault((made.profile, one.claim), made.page) == made.page


def with_seeds(checkout, default='""'):
    """Give the first page seeds."""
    script = SCRIPT.replace("forget = ", f"seeds = {default}\nforget = ")
    (checkout / "notebooks" / "first.py").write_text(script)
    git(checkout, "commit", "-qam", "seeds")


@pytest.mark.parametrize(("run_with", "asked"), [("0,1", "0,1"), ("0, 1", "0,1"), ([0, 1], "0, 1"), (3, "3")])
def test_a_run_with_other_seeds_is_recorded_by_their_name(checkout, capsys, run_with, asked):
    with_seeds(checkout)
    page = Page("first", {"profile": "laptop", "seeds": run_with, "forget": 1})
    page.image_path("grid").write_bytes(b"grid")
    made = page.write(values=[value()], images=[page.image_path("grid")])
    Page("first", {"profile": "laptop", "seeds": run_with, "forget": 3}).write(values=[])  # no page's record
    assert "there is no record" in refused(capsys, "first")
    assert 'ARGS="-p seeds 0,2"' in refused(capsys, "first", "--seeds", "0,2")
    assert main(["first", "--seeds", asked]) == 0
    assert Record.read(checkout / "results" / "laptop" / "first.json") == made
    assert (checkout / "results" / "laptop" / "first-grid.png").read_bytes() == b"grid"


def test_seeds_that_are_the_page_s_own_name_its_own_run(checkout):
    with_seeds(checkout, '"0,1"')
    made = Page("first", {"profile": "laptop", "seeds": "0,1", "forget": "1"}).write(values=[value()])
    assert main(["first", "--seeds", "0,1"]) == 0
    assert Record.read(checkout / "results" / "laptop" / "first.json") == made


def test_seeds_of_a_page_that_has_none_are_refused(checkout, capsys):
    run()
    assert "seeds='0,1': first has no parameter seeds" in refused(capsys, "first", "--seeds", "0,1")
    assert "there is no page third" in refused(capsys, "third", "--seeds", "0,1")
    with_seeds(checkout, "0")
    assert "seeds='0,1' is not allowed: an integer expected" in refused(capsys, "first", "--seeds", "0,1")


def test_a_run_on_one_data_set_joins_the_record_of_the_others(checkout, capsys):
    script = SCRIPT.replace("forget = ", 'dataset = "all"\nforget = ')
    (checkout / "notebooks" / "first.py").write_text(script)
    git(checkout, "commit", "-qam", "data sets")
    before = Page("first", {"profile": "laptop", "forget": "1"})
    before.write(values=[value()])
    assert main(["first"]) == 0
    other = measured("ours.first/cifar10/nll", [3.0], seeds=[0], protocol=KNOWN, **FACTS | {"dataset": "cifar10"})
    page = Page("first", {"profile": "laptop", "dataset": "cifar10", "forget": "1"})
    page.image_path("grid").write_bytes(b"grid")
    page.write(values=[other], images=[page.image_path("grid")])
    assert main(["first", "--dataset", "cifar10"]) == 0
    made = Record.read(checkout / "results" / "laptop" / "first.json")
    assert [one.dataset for one in made.values] == ["mixture", "cifar10"] and made.parameters["dataset"] == "all"
    assert made.provenance == page.run.provenance
    assert made.series["earlier"] == {"mixture": plain(before.run.provenance)}
    assert (checkout / "results" / "laptop" / "first-grid.png").read_bytes() == b"grid"


def test_a_run_of_some_methods_joins_the_record_of_the_others(checkout):
    script = SCRIPT.replace("forget = ", 'methods = ""\nmeasures = ""\nforget = ')
    (checkout / "notebooks" / "first.py").write_text(script)
    git(checkout, "commit", "-qam", "methods")
    Page("first", {"profile": "laptop", "forget": "1"}).write(values=[value()])
    assert main(["first"]) == 0
    other = measured("ours.first/mixture/negate/nll", [3.0], seeds=[0], protocol=KNOWN, **FACTS)
    Page("first", {"profile": "laptop", "forget": "1", "methods": "negate"}).write(values=[other])
    assert main(["first", "--methods", "negate"]) == 0
    made = Record.read(checkout / "results" / "laptop" / "first.json")
    assert [one.claim for one in made.values] == [value().claim, other.claim]
    assert made.parameters["methods"] == made.parameters["measures"] == ""


CHECKOUT = Path(__file__).parents[2]
PAGES = sorted(path.stem for path in (CHECKOUT / "notebooks").glob("*.py"))


@pytest.mark.parametrize("name", [name for name in PAGES if "seeds" in parameters.defaults(name)])
def test_make_record_looks_where_the_page_s_own_run_with_these_seeds_writes(name, monkeypatch):
    for part in (module, page_module, parameters, provenance):
        monkeypatch.setattr(part, "CHECKOUT", CHECKOUT)
    monkeypatch.setattr(page_module, "Origin", lambda page: None)
    for seeds in ("0,1,2", "4"):
        run = Page(name, parameters.defaults(name) | {"profile": "laptop", "seeds": seeds})
        assert run.seeds == [int(seed) for seed in seeds.split(",")]
        asked = module._source(name, "laptop", {"seeds": seeds})
        assert asked == run.record_path != module._source(name, "laptop", {})
