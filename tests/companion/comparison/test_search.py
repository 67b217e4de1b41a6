"""The search for settings: its rule, its winner and its file, without any runs."""

import json

import pytest

from companion.comparison import search as module
from companion.comparison.entrants import ENTRANTS
from companion.comparison.search import Budget, Candidate, Search, committed, main, search
from paperlib.metrics.rule import score

BEFORE = {"update": 0, "ur": 9.0, "distance": 2.0}
BUDGET = Budget(evaluations=8)
PROVENANCE = {"commit": "unknown", "dirty": True, "source_sha256": "0", "versions": {}, "device": "none"}
PROVENANCE |= {"seconds": 1.0, "peak_memory_mb": 1.0, "date": "today"}


def candidates(scores, entrant="sgu_obtuse"):
    facts = {"entrant": entrant, "ur": 1.0, "distance": 1.0}
    return tuple(Candidate(settings={"lr": k + 1.0}, score=one, **facts) for k, one in enumerate(scores))


def of(*tried, base="digits-ddpm", forget="3"):
    facts = {"base": base, "forget": forget, "budget": BUDGET, "ur": 9.0, "distance": 2.0}
    return Search(candidates=tried, provenance=PROVENANCE, **facts)


@pytest.fixture
def runs(monkeypatch):
    """Collect the requested courses; each look has a UR of the rate in units of 1e-6, and a distance of 1."""
    asked = []

    def look(wanted):
        return [BEFORE, {"update": 4, "ur": 1e6 * wanted.lr, "distance": 1.0}]

    monkeypatch.setattr(module, "course", lambda store, wanted: asked.append(wanted) or wanted)
    monkeypatch.setattr(module, "looks", look)
    return asked


@pytest.mark.parametrize(
    "scores, winner",
    [((3.0, 1.5, 2.0), 2.0), ((2.0, 1.0, 1.0), 2.0), ((None, 7.0, None), 2.0), ((None, None), 1.0)],
)
def test_the_smallest_score_wins_the_first_of_ties_and_none_is_last(scores, winner):
    found = of(*candidates([0.1], "unseen"), *candidates(scores))
    assert found.best("sgu_obtuse").settings["lr"] == winner and len(found.of("sgu_obtuse")) == len(scores)
    with pytest.raises(ValueError, match="'vdu' is not in this search; in it are: sgu_obtuse, unseen"):
        found.best("vdu")


def test_every_candidate_is_a_course_of_the_budget_on_held_out_images(runs):
    budget = Budget(evaluations=24, batch_size=5, n=30, sampler=4)
    said = []
    found = search(None, "digits-ddpm", "3", budget, ["salun", "sgu_orthogonal"], said.append)
    tried = [(name, one) for name in ("salun", "sgu_orthogonal") for one in ENTRANTS[name].candidates()]
    assert [(one.entrant, one.settings) for one in found.candidates] == tried and len(runs) == len(said) == 12
    for (name, one), wanted in zip(tried, runs):
        assert wanted.held_out and wanted.unit == "evaluations" and wanted.looks == (24,)
        assert (wanted.batch_size, wanted.n, wanted.evaluations, wanted.probes) == (5, 30, 4, 0)
        assert (wanted.base, wanted.forget, wanted.method) == ("digits-ddpm", "3", ENTRANTS[name].method)
        assert wanted.settings | {"lr": wanted.lr} == ENTRANTS[name].settings() | one
    assert (found.ur, found.distance) == (9.0, 2.0)
    assert found.candidates[0].score == pytest.approx(3 * 20 / 9)  # for a rate of 2e-5
    assert found.best("salun").settings == {"lr": 2e-5, "alpha": 3.0}


def test_more_candidates_go_where_the_scores_point(runs):
    """UR is proportional to the rate here, so the smallest rate wins and the search moves down from it."""
    found = search(None, "digits-ddpm", "3", BUDGET, ["finetune"], lambda text: None, more=3)
    grid, (*more,) = ENTRANTS["finetune"].candidates(), found.of("finetune")[6:]
    assert [one.settings for one in found.of("finetune")[:6]] == grid and found.best("finetune") == more[-1]
    assert [one.settings["lr"] for one in more] == pytest.approx([3e-5, 3.333e-6, 1.111e-6])


def test_a_run_that_broke_before_its_look_has_no_score(runs, monkeypatch):
    monkeypatch.setattr(module, "looks", lambda entry: [BEFORE])
    found = search(None, "digits-ddpm", "3", BUDGET, ["neggrad"], lambda text: None)
    assert [one.score for one in found.candidates] == [None] * 6


def test_the_search_of_the_same_classes_comes_before_any_other(tmp_path):
    assert committed("digits-ddpm", "3,7", tmp_path) is None
    for name, lr in {"digits-ddpm-forget-1": 1.0, "digits-ddpm-forget-3-7": 2.0, "digits-ve-forget-5": 3.0}.items():
        (tmp_path / f"{name}.json").write_text(of(*candidates([lr])).model_dump_json())
    found = {forget: committed("digits-ddpm", forget, tmp_path) for forget in ("7,3", "1", "5")}
    assert {forget: one.candidates[0].score for forget, one in found.items()} == {"7,3": 2.0, "1": 1.0, "5": 1.0}
    assert committed("digits-ve", "1", tmp_path).candidates[0].score == 3.0


def test_the_command_writes_what_is_read_again(runs, tmp_path, capsys):
    main(["digits-ddpm", "--forget", "7, 3", "--folder", str(tmp_path / "search")])
    (file,) = (tmp_path / "search").iterdir()
    assert file.name == "digits-ddpm-forget-3-7.json" and capsys.readouterr().out.endswith(f"{file}\n")
    found = committed("digits-ddpm", "3,7", tmp_path / "search")
    assert found.entrants == set(ENTRANTS) and len(found.candidates) == 12 * len(ENTRANTS) == len(runs)
    assert all(len(found.of(name)) == 12 for name in ENTRANTS)
    assert found.budget == module.BUDGETS["digits"] and json.loads(file.read_text())["provenance"]["versions"]["torch"]


def test_a_committed_search_is_read_without_the_data(monkeypatch):
    monkeypatch.setattr(module.sets, "load", None)
    found = committed("cifar10-vp", "dog,automobile", module.FOLDER / "sgu")
    assert (found.base, found.forget) == ("cifar10-vp", "dog,automobile")
    assert committed("cifar10-vp", "1,5", module.FOLDER / "sgu") == found


def test_a_part_of_the_entrants_is_unfinished_and_the_search_goes_on_from_it(runs, tmp_path, capsys):
    asked = ["digits-ddpm", "--forget", "3", "--folder", str(tmp_path / "search")]
    main([*asked, "--only", "vdu", "finetune"])
    (begun,) = (tmp_path / "search").iterdir()
    assert begun.name == "digits-ddpm-forget-3.unfinished" and len(runs) == 24
    said = capsys.readouterr()
    assert said.err.startswith(f"{begun}: not all candidates of unseen, neggrad, ")
    assert "vdu" not in said.err and "sgu_obtuse" in said.err and len(said.out.splitlines()) == 24
    main([*asked, "--go-on"])
    found = committed("digits-ddpm", "3", tmp_path / "search")
    assert all(len(found.of(name)) == 12 for name in ENTRANTS) and not begun.exists()
    assert set(found.earlier) == {"vdu", "finetune"}
    assert {one.method for one in runs[24:]} == {one.method for one in ENTRANTS.values()} - {"vdu", "finetune"}


def test_known_candidates_count_and_are_not_run_again(runs):
    def find(more, known=None):
        return search(None, "digits-ddpm", "3", BUDGET, ["finetune"], lambda text: None, more=more, known=known)

    half = find(2)
    runs.clear()
    assert find(4, half).candidates == find(4).candidates and len(runs) == 2 + 10
    assert find(4, half).earlier == {"finetune": half.provenance} and not find(4).earlier


def test_a_search_of_another_base_model_is_not_taken(runs):
    said, half = [], search(None, "digits-ddpm", "3", BUDGET, ["vdu"], lambda text: None)
    for changed in ({"ur": 9.25}, {"distance": 2.001}):
        found = search(
            *(None, "digits-ddpm", "3", BUDGET, ["finetune"], said.append), known=half.model_copy(update=changed)
        )
        assert found.entrants == {"finetune"} and not found.earlier
        assert said[-7].startswith("begun anew: the base model has UR 9.0 %, distance 2.0, in the search to go on")
    rounded = half.model_copy(update={"distance": 2.0 * (1 + 1e-7)})
    found = search(None, "digits-ddpm", "3", BUDGET, ["finetune"], said.append, known=rounded)
    assert found.entrants == {"vdu", "finetune"}
    with pytest.raises(ValueError, match="a search of digits-ddpm with evaluations=8 .* cannot go on with .*=9"):
        search(None, "digits-ddpm", "3", Budget(evaluations=9), ["vdu"], known=half)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["digits-ddpm", "--forget", "eleven"], "digits has no class 'eleven'"),
        (["digits-ddpm", "--forget", "0,1,2,3,4,5,6,7,8,9"], "every class of digits is forgotten"),
        (["mnist-ddpm", "--forget", "1"], "mnist-test"),
        (["digits-ddpm-labels", "--forget", "1"], "invalid choice: 'digits-ddpm-labels'"),
        (["digits-ddpm-unseen-1", "--forget", "1"], "invalid choice: 'digits-ddpm-unseen-1'"),
        (["digits-ddpm", "--forget", "1", "--only", "sgu"], "invalid choice: 'sgu'"),
        (["digits-ddpm"], "required: --forget"),
    ],
)
def test_the_command_says_what_is_wrong_before_any_run(arguments, message, runs, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PAPERLIB_DATA", str(tmp_path / "empty"))
    with pytest.raises(SystemExit) as stopped:
        main([*arguments, "--folder", str(tmp_path / "search")])
    assert message in f"{stopped.value}{capsys.readouterr().err}" and not runs
    assert not (tmp_path / "search").exists()


@pytest.mark.parametrize("wrong", [{"evaluations": 7}, {"batch_size": 0}, {"n": 19}, {"sampler": 0}])
def test_a_budget_too_small_is_refused(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"{name}={wrong[name]} is not allowed"):
        Budget.checked(**{"evaluations": 8} | wrong)


JOINED_LATER = {"siss", "retrack", "negate"}  # after the committed searches; the next ones include them


def test_every_committed_search_has_every_entrant_and_was_made_by_committed_code():
    files = sorted(module.FOLDER.glob("*-forget-*.json"))
    assert files
    for file in files:
        found = module.Search.model_validate_json(file.read_text(encoding="utf-8"))
        assert file.stem == f"{found.base}-forget-{found.forget.replace(',', '-')}"
        assert set(ENTRANTS) - JOINED_LATER <= found.entrants <= set(ENTRANTS) and not found.provenance.dirty
        for one in found.candidates:
            before = {"ur": found.ur, "distance": found.distance}
            assert one.score == score(one.ur, one.distance, before)


def test_the_score_s_noise_is_that_of_ur_where_the_class_is_just_forgotten():
    """With 400 images and 9 % before, 3 % are 12 images with a binomial error of 0.85 points; 3 / 9 of that is 0.28."""
    found = of(*candidates([1.0])).model_copy(update={"budget": Budget(evaluations=8, n=400)})
    assert found.noise == pytest.approx(3 / 9 * 100 * (0.03 * 0.97 / 400) ** 0.5, rel=1e-12)
