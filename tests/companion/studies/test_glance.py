"""A look at a run: the same noise, the counted cost, and measures that tell an unchanged model from one that forgot."""

import copy
from types import SimpleNamespace

import pytest
import torch

from companion.evaluation.observer import GREY
from companion.plots.glance import strip_of
from companion.plots.images import save_sheet
from companion.studies.glance import TITLES, Glance
from paperlib.training import Training
from paperlib.unlearning.finetune import finetune
from paperlib.unlearning.methods import METHODS
from paperlib.unlearning.salun import salun
from tests.oracles import seeded

N = 40
SETTINGS = {"batch_size": 4, "lr": 1e-3, "ema": 0.0}


@pytest.fixture(scope="module")
def glance():
    return Glance("digits-ddpm-labels", "3", n=N, evaluations=6, seed=0)


def nothing(model, steps=0):
    """Return a run that changes no weight."""

    def objective(model, generator, index):
        return {"loss": 0.0 * sum(p.sum() for p in model.parameters())}

    return Training(model, objective, steps=steps, lr=0.0, generator=seeded())


def shifted(model, by):
    """Return a run without updates whose model is ``model`` with ``by`` added to every weight."""
    run = nothing(model)
    with torch.no_grad():
        for p in [*run.network.parameters(), *run.average.module.parameters()]:
            p.add_(by)
    return run


def test_a_model_that_did_not_change_is_seen_as_it_was(glance):
    seen, before = glance.look("finetune", nothing(glance.model)).seen, glance.before
    assert torch.equal(seen.images, before.images) and torch.equal(seen.shown, before.shown)
    assert (seen.ur.value, seen.distance) == (before.ur.value, before.distance)
    assert (seen.updates, seen.evaluations, seen.beforehand) == (0, 0, 0)
    assert before.asked.value > 90 and before.ur.value == pytest.approx(10, abs=5)
    assert len(before.images) == N and before.asked.n == N / 10 and before.distance.n == N - N / 10


def test_the_distance_is_that_of_the_images_that_were_not_asked_for_the_forgotten(glance):
    before, kept = glance.before, glance.labels != 3
    assert torch.equal(glance.measured, kept)
    assert glance.observer.distance(before.images[kept]).value == before.distance.value
    assert glance.labels[glance.columns][:4].tolist() == [3] * 4  # all of the 40
    assert 3 not in glance.labels[glance.columns][4:]
    assert glance.real.n == before.distance.n and 3 not in glance.observer.retained.labels


def test_the_cost_is_what_the_run_counted(glance):
    run = finetune(glance.model, None, glance.D_g, generator=seeded(), steps=3, **SETTINGS)
    seen = glance.look("finetune", run).seen
    assert seen.facts == {"lr": SETTINGS["lr"], "updates": 3, "evaluations": 3, "beforehand": 0}
    run = salun(glance.model, glance.D_f, glance.D_g, generator=seeded(), steps=3, **SETTINGS | {"batch_size": 60})
    look = glance.look("salun", lambda: run)
    seen = look.seen
    passes = -(-len(glance.D_f) // 60)  # for the saliency
    assert (seen.updates, seen.evaluations, seen.beforehand) == (3, 3 * METHODS["salun"].passes, passes)
    assert run.gradient_evaluations == seen.evaluations + seen.beforehand
    assert f"{passes} more for preparation" in str(look) and "salun" in glance.looks
    assert "data:image/png;base64," in look._repr_html_() and 'alt="SalUn' in look._repr_html_()
    assert glance.before.facts == {}  # without a run there is no rate


def test_a_ruined_model_is_far_from_real_images_and_is_measured_all_the_same(glance):
    seen = glance.look("neggrad", shifted(glance.model, 0.5)).seen
    assert seen.distance.value > 10 * glance.before.distance.value + 5
    seen = glance.look("neggrad", shifted(glance.model, float("nan"))).seen
    assert (seen.images == GREY).all() and seen.ur.n == N


def test_a_run_that_ends_in_no_number_says_so_and_leaves_the_weights_before(glance):
    def objective(model, generator, index):
        return {"loss": sum(p.sum() for p in model.parameters()) * (1.0 if index < 2 else float("inf"))}

    run = Training(glance.model, objective, steps=5, lr=0.0, ema=0.0, generator=seeded())
    seen = glance.look("vdu", run).seen
    assert seen.updates == 2 and "update 3" in seen.stopped and seen.stopped in str(seen)
    assert torch.equal(seen.images, glance.before.images)


def test_what_was_not_asked_for_is_not_run():
    glance = Glance("digits-ddpm-labels", "3", n=20, evaluations=6, seed=0, methods=["salun"])
    run = nothing(glance.model, steps=3)
    assert glance.look("redirect", run).seen is None
    assert glance.look("redirect", lambda: pytest.fail("this was not to be run")).seen is None
    assert run.index == 0 and glance.looks == {}
    with pytest.raises(ValueError, match="name='sgu' is not one of unseen, .*sgu_orthogonal"):
        glance.look("sgu", run)


def test_an_unconditional_model_is_measured_on_all_its_images():
    glance = Glance("digits-ve", "3", n=20, evaluations=6, seed=0)
    assert glance.labels is None and glance.before.asked is None and glance.before.distance.n == 20
    assert len(glance.columns) == 15


def test_the_same_noise_for_every_base_model_of_a_kind_and_another_for_another_seed(glance):
    assert torch.equal(
        Glance("digits-ddpm-labels", "7", n=N, evaluations=6, seed=0).observer.noise, glance.observer.noise
    )
    assert not torch.equal(
        Glance("digits-ddpm-labels", "3", n=N, evaluations=6, seed=1).observer.noise, glance.observer.noise
    )


def test_names_are_all_methods_and_both_losses_of_sgu():
    assert [name for name in TITLES if not name.startswith("sgu")] == [
        name for name, one in METHODS.items() if name != "sgu" and one.serving(conditional=False) is not None
    ]
    assert TITLES["sgu_obtuse"] == "SGU obtuse" and "sgu_orthogonal" in TITLES
    with pytest.raises(ValueError, match="n=5 is below 20"):
        Glance("digits-ve", "3", n=5, evaluations=6, seed=0)


def test_looking_leaves_the_model_alone(glance):
    before = copy.deepcopy(glance.model.state_dict())
    glance.look("redirect", shifted(glance.model, 0.1))
    assert all(torch.equal(value, glance.model.state_dict()[name]) for name, value in before.items())


def test_a_page_that_computes_nothing_shows_the_recorded_images_of_that_method(glance, tmp_path):
    glance.look("finetune", nothing(glance.model))
    glance.look("redirect", shifted(glance.model, 0.1))
    record = SimpleNamespace(series=glance.series(), title="recorded digits")
    file = save_sheet(glance.sheet(), tmp_path / "samples.png")
    assert strip_of(record, file, "finetune").shape == strip_of(record, file, "redirect").shape
    upper, lower = (rows[:, :, :3] for rows in (strip_of(record, file, name) for name in ("finetune", "redirect")))
    assert (upper == lower)[: len(upper) // 2].all()  # the images before
    assert (upper[: len(upper) // 2] == upper[len(upper) // 2 :]).all() and (upper != lower).any()
    page = SimpleNamespace(computes=False, recorded=record, image_of=lambda *_: file, profile="recorded")
    idle = Glance("digits-ddpm-labels", "3", n=N, evaluations=6, seed=0, page=page)
    look = idle.look("redirect", lambda: pytest.fail("nothing is to be computed"))
    assert look.seen is None and "recorded digits" in look.html and "this run" not in look.html
