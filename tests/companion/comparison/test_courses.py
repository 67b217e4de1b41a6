"""The course of a run: the results of looks, the same noise for all, and a run that breaks."""

import pytest
import torch
from torch.nn.modules.module import register_module_forward_hook

from companion import bases
from companion.comparison import courses
from companion.comparison.course_memory import peak_mb
from companion.comparison.course_results import (
    cost,
    images,
    looks,
    model_file,
    probes,
    stopped,
    window,
    without_gaps,
)
from companion.comparison.courses import Course, course
from companion.comparison.entrants import ENTRANTS
from companion.evaluation.samples import find
from companion.store import Store
from paperlib.data import sets
from paperlib.data.images import to_uint8
from paperlib.data.splits import split, validation
from paperlib.denoiser import Denoiser
from paperlib.sampling import ipndm, prior, sample
from paperlib.unlearning.prepared import flat

TINY = {"base": "digits-ve", "forget": "3", "batch_size": 4, "lr": 1e-3, "n": 40, "evaluations": 4}


DDPM = {"base": "digits-ddpm", "forget": "1", "batch_size": 2, "lr": 1e-4, "n": 20, "evaluations": 3}
SEEN = {"ur": 9.0, "distance": 2.0}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


@pytest.fixture
def blind(monkeypatch):
    """Make courses without looks or stored weights, so that only the counts are left."""
    picture = torch.zeros(20, 1, 8, 8, dtype=torch.uint8)
    monkeypatch.setattr(courses, "_before", lambda *settings: (None, (SEEN, picture)))
    monkeypatch.setattr(courses, "_look", lambda *settings: (SEEN, picture))
    monkeypatch.setattr(courses.checkpoints, "save", lambda *settings, **more: None)


@pytest.fixture
def passes():
    """Record each pass of a denoiser that keeps what a gradient needs, whether it is counted or not."""
    courses.fitted.cache_clear()
    seen = []

    def passed(module, arguments, output):
        if isinstance(module, Denoiser) and torch.is_grad_enabled():
            seen.append(module)

    hook = register_module_forward_hook(passed)
    yield seen
    hook.remove()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A course of 6 evaluations with probes, for several tests to look at."""
    wanted = Course(**DDPM | {"lr": 1e-2}, method="sgu", looks=(4, 6), unit="evaluations", probes=3)
    return course(Store(tmp_path_factory.mktemp("store")), wanted)


def test_every_look_starts_from_the_same_noise_and_the_first_is_the_base_model(store):
    wanted = Course(**TINY, method="finetune", looks=(1, 3))
    entry = course(store, wanted)
    seen = looks(entry)
    assert [one["update"] for one in seen] == [0, 1, 3] and not stopped(entry)
    assert [one["gradient_evaluations"] for one in seen] == [0, 1, 3]
    assert images(entry).shape == (3, courses.KEPT, 1, 8, 8)
    model = bases.load("digits-ve")
    noise = prior(model, (40, 1, 8, 8), courses.generator(0, "course", "noise"))
    drawn = sample(model, noise.shape, noise=noise, sampler=ipndm, steps=4, generator=torch.Generator()).x
    assert torch.equal(images(entry)[0], to_uint8(drawn[: courses.KEPT], dequantised=True))


def test_a_rate_of_nearly_zero_changes_nothing_that_is_seen(store):
    first, last = looks(course(store, Course(**TINY | {"lr": 1e-12}, method="finetune", looks=(2,))))
    for name in ("ur", "floor"):
        assert first[name] == last[name]
    for name in ("distance", "L_g", "L_f"):
        assert first[name] == pytest.approx(last[name], rel=1e-4)


def test_losses_tell_the_sides_apart(store):
    """NegGrad on 3 with large steps raises the loss on 3 more than that on the rest."""
    wanted = Course(**TINY | {"lr": 1e-4, "batch_size": 64}, method="neggrad", looks=(5,))
    first, last = looks(course(store, wanted))
    assert last["L_f"] - first["L_f"] > last["L_g"] - first["L_g"] > 0


def test_a_run_whose_loss_is_no_number_ends_there(store, monkeypatch):
    def breaks(*arguments, **settings):
        run = courses.METHODS["neggrad"].call(*arguments, **settings)
        whole = run.objective

        def objective(model, generator, index):
            losses = whole(model, generator, index)
            return losses if index < 3 else losses | {"loss": losses["loss"] * torch.nan}

        run.objective = objective
        return run

    method = courses.METHODS["finetune"]
    monkeypatch.setitem(courses.METHODS, "finetune", type(method)(breaks, *("",) * 3, passes=1))
    entry = course(store, Course(**TINY, method="finetune", looks=(1, 2, 9)))
    assert [one["update"] for one in looks(entry)] == [0, 1, 2] and "nan at update 4" in stopped(entry)


def test_the_window_needs_both():
    first = {"update": 0, "ur": 9.0, "distance": 2.0}
    both = [(1, 3.0, 3.0), (2, 3.1, 2.0), (3, 0.0, 3.1), (4, 0.0, None), (5, 0.0, 1.0)]
    rest = [{"update": update, "ur": ur, "distance": distance} for update, ur, distance in both]
    assert window([first, *rest]) == [1, 5]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"method": "magic"}, "method='magic' is not one of unseen, finetune"),
        ({"looks": (3, 2)}, "are not ascending numbers of updates from 1 on"),
        ({"looks": (0, 2)}, "are not ascending numbers of updates from 1 on"),
    ],
)
def test_wrong_settings_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        Course.checked(**TINY | {"method": "finetune", "looks": (1,)} | wrong)


def test_a_conditional_base_is_refused_before_anything_is_drawn(store):
    with pytest.raises(ValueError, match="base='digits-ve-labels' is conditional"):
        course(store, Course(**TINY | {"base": "digits-ve-labels"}, method="finetune", looks=(1,)))


SHARES = {"blindspot": 8, "selective_amnesia": 1, "salun": 1, "vdu": 5}  # of 17: a half and a twelfth


@pytest.mark.parametrize("name", ENTRANTS)
def test_no_update_exceeds_a_budget_of_evaluations(name, store, blind, passes):
    """A hook counts what is spent, and the looks follow from that count."""
    entrant, marks = ENTRANTS[name], (5, 11, 17)
    own = {key: value for key, value in entrant.candidates()[0].items() if key != "lr"}
    settings = entrant.settings() | own
    wanted = Course(**DDPM, method=entrant.method, settings=settings, looks=marks, unit="evaluations")
    seen = looks(entry := course(store, wanted))
    each, last = entrant.of.passes, seen[-1]
    before = last["gradient_evaluations"] - each * last["update"]
    assert last["gradient_evaluations"] == len(passes) and before == SHARES.get(entrant.method, 0)
    assert 17 - each < len(passes) <= 17 and not stopped(entry)
    after = [before + each * (k + 1) for k in range(last["update"])]
    due = {next((k + 1 for k, spent in enumerate(after) if spent >= mark), len(after)) for mark in marks}
    assert [one["update"] for one in seen] == [0, *sorted(due)]
    assert [one["gradient_evaluations"] for one in seen[1:]] == [after[k - 1] for k in sorted(due)]


def test_runs_of_vdu_share_a_posterior_that_each_of_them_pays_for(store, blind, passes):
    settings = {"method": "vdu", "looks": (3,), "apart": 1}
    first = looks(course(store, Course(**DDPM, **settings, settings={"gamma": 0.1})))
    fit, spent = courses.fitted("digits-ddpm", False, 0, 1, 2)[0], len(passes)
    other = looks(course(store, Course(**DDPM | {"forget": "2"}, **settings, settings={"gamma": 0.9})))
    assert first[-1]["gradient_evaluations"] == other[-1]["gradient_evaluations"] == spent == courses.SNAPSHOTS + 3
    assert len(passes) == spent + 3
    courses.fitted.cache_clear()
    again, evaluations, _ = courses.fitted("digits-ddpm", False, 0, 1, 2)
    assert evaluations == courses.SNAPSHOTS and all(map(torch.equal, fit.mean.values(), again.mean.values()))
    aside = courses.fitted("digits-ddpm", True, 0, 1, 2)[0]
    assert not all(map(torch.equal, fit.mean.values(), aside.mean.values()))  # a search fits it to its own images


@pytest.mark.parametrize(
    "method, unit, last, updates",
    [
        ("finetune", "updates", 12, [1, 4, 7, 10]),
        ("sgu", "evaluations", 16, [1, 3, 5, 7]),
        ("finetune", "updates", 7, [1, 3, 5, 7]),
        ("blindspot", "evaluations", 32, [1, 2, 5]),  # 16 evaluations, within the first update, belong to the teacher
    ],
)
def test_the_first_update_at_or_past_each_quarter_is_probed(method, unit, last, updates, store, blind):
    found = probes(course(store, Course(**DDPM, method=method, looks=(last,), unit=unit, probes=4)))
    assert [one["update"] for one in found] == updates


def test_probes_and_looks_count_the_same_evaluations(store, blind):
    entry = course(store, Course(**DDPM, method="vdu", looks=(6, 8, 10), unit="evaluations", probes=10))
    counted = {one["update"]: one["gradient_evaluations"] for one in looks(entry)[1:]}
    assert counted == {one["update"]: one["evaluations"] for one in probes(entry) if one["update"] in counted}


def test_a_search_learns_from_other_images_than_it_looks_with(store, monkeypatch):
    asked, drawn = {}, {}

    def finetune(model, forget, retain, **settings):
        asked.update(forget=forget.images, retain=retain.images)
        return whole_method.call(model, forget, retain, **settings)

    whole_method = courses.METHODS["finetune"]
    monkeypatch.setitem(courses.METHODS, "finetune", type(whole_method)(finetune, *("",) * 3, passes=1))
    train = sets.load("digits", "train")
    for held_out in (True, False):
        entry = course(store, Course(**DDPM, method="finetune", looks=(1,), held_out=held_out))
        drawn[held_out] = images(entry)[0]
        used = validation(train)[0] if held_out else train
        for side, expected in split(used, "1")._asdict().items():
            assert torch.equal(asked[side].images, expected.images)
    assert not torch.equal(drawn[True], drawn[False])


def test_the_cost_is_the_last_looks_and_the_memory_that_of_its_method(whole, store):
    found, last = cost(whole), looks(whole)[-1]
    assert (found["updates"], found["gradient_evaluations"]) == (3, 6) == (last["update"], last["gradient_evaluations"])
    assert found["seconds"] == last["seconds"] > looks(whole)[1]["seconds"] > 0
    own = {"finetune": {}, "sgu": {}, "erasediff": {"target": "noise"}}
    plain, sgu, held = (
        peak_mb(store, Course(**DDPM, method=method, settings=settings, looks=(4, 6), unit="evaluations"))
        for method, settings in own.items()
    )
    weights = 4 * flat(bases.load("digits-ddpm")).numel() / 1e6
    assert plain > 4 * weights  # the run's weights, their gradient, Adam's moments
    assert held > plain + 2 * weights  # both terms' gradients
    assert plain < sgu < held


def test_probes_are_of_the_run_and_its_weights_are_those_of_one_without(whole, store):
    assert [one["update"] for one in probes(whole)] == [1, 2, 3]
    wanted = Course(**DDPM | {"lr": 1e-2}, method="sgu", looks=(4, 6), unit="evaluations")
    entry = course(store, wanted)
    assert probes(entry) == [] and torch.equal(images(entry), images(whole))
    models = [find(str(model_file(one))).load() for one in (entry, whole)]
    assert torch.equal(*map(flat, models))


def test_the_file_at_the_end_is_the_model_of_the_last_look(whole):
    found = find(str(model_file(whole)))
    assert found.base == bases.BASES["digits-ddpm"] and found.card["unlearning"]["method"] == "sgu"
    assert found.card["updates"] == 3
    model = found.load()
    noise = prior(model, (20, 1, 8, 8), courses.generator(0, "course", "noise"))
    x = sample(model, noise.shape, noise=noise, sampler=ipndm, steps=3, generator=torch.Generator()).x
    drawn = to_uint8(x[: courses.KEPT])
    first, *_, last = images(whole)
    assert torch.equal(drawn, last) and (first.float() - last.float()).abs().mean() > 10


def test_a_run_that_breaks_at_once_has_its_first_look_alone(store):
    entry = course(store, Course(**DDPM | {"lr": 1e30}, method="finetune", looks=(4,)))
    assert [one["update"] for one in looks(entry)] == [0] and "update 2" in stopped(entry)


def test_a_record_leaves_out_what_is_no_number():
    seen = [{"update": 0, "L_g": 0.0, "stopped": ""}, {"update": 1, "L_g": None, "distance_interval": None}]
    assert without_gaps(seen) == [seen[0], {"update": 1}]
