import math

import pytest
import torch

import paperlib.losses
from companion import bases
from companion.bases import BASES, Base, Budget
from paperlib.data import sets

TINY = Budget(steps=2, batch_size=4, lr=1e-3)


def test_every_base_model_has_a_name_of_its_own_and_a_budget_everywhere():
    assert all(base.name == name for name, base in BASES.items())
    for base in BASES.values():
        for device in ("cpu", "cuda"):
            assert bases.budget(base, device).samples > 0


def test_every_twin_has_its_base_before_it():
    names = list(BASES)
    twins = [base for base in BASES.values() if base.unseen]
    assert twins
    for twin in twins:
        whole = twin.model_copy(update={"unseen": ""})
        assert names.index(whole.name) < names.index(twin.name)


@pytest.mark.parametrize("process", ["ve", "vp", "ddpm"])
@pytest.mark.parametrize("labels", [False, True])
def test_a_fresh_base_model_starts_at_the_loss_of_its_prediction(process, labels):
    """The output layer starts at zero. For "eps" the prediction is 0 and the loss E z^2 = 1. A preconditioned network
    predicts the linear posterior mean for data of rms 1, with an error in eps of data_std^2 / r^2 <= 1 on average."""
    base = Base(dataset="digits", process=process, labels=labels)
    run = bases.training(base, TINY.model_copy(update={"batch_size": 64}))
    loss = next(iter(run)).losses["loss"]
    assert loss < 1.1 and (process != "ddpm" or math.isclose(loss, 1, rel_tol=0.1))
    assert run.network.net.classes == (10 if labels else 0)


def test_a_twin_never_sees_its_classes():
    base = Base(dataset="digits", process="ve", unseen="3,7")
    images = bases.data(base)
    assert set(images.labels.tolist()) == {0, 1, 2, 4, 5, 6, 8, 9}
    assert len(bases.data(base.model_copy(update={"unseen": ""}))) == len(sets.load("digits"))
    assert base.name == "digits-ve-unseen-3-7"


def test_labels_are_dropped_now_and_then_and_never_confused(monkeypatch):
    seen = []

    def records(model, x0, generator, *, cond, **_):
        seen.append(cond)
        return (x0 * next(model.parameters()).sum() * 0).flatten(1).sum(1)

    monkeypatch.setattr(paperlib.losses, "score_matching", records)
    base = Base(dataset="digits", process="ve", labels=True)
    bases.training(base, TINY.model_copy(update={"batch_size": 4000, "steps": 1})).run()
    dropped = (seen[0] == 10).double().mean().item()
    assert abs(dropped - 0.1) < 4.5 * math.sqrt(0.1 * 0.9 / 4000)
    assert set(seen[0].tolist()) == set(range(11))


def test_the_same_seed_makes_the_same_model():
    base = BASES["digits-ve"]
    first, again, other = (bases.training(base, TINY, seed=seed).run().state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert not torch.equal(first["net.first.weight"], other["net.first.weight"])


FACES = [base for base in BASES.values() if base.of]


@pytest.mark.parametrize("base", FACES, ids=[base.name for base in FACES])
def test_a_face_is_of_a_network_that_is_trained_and_never_of_another(base):
    network = base.network
    assert BASES[network.name] == network and not network.of
    assert (network.dataset, network.unseen) == (base.dataset, base.unseen)
    with pytest.raises(ValueError, match=f"{base.name} is not trained: it is a face of {network.name}"):
        bases.training(base, TINY)


def test_faces_share_one_network_s_weights_and_say_the_same_at_equal_noise():
    """At equal sigma / alpha, the DDPM face predicts what the conditional VP network predicts without a class."""
    network = Base(dataset="digits", process="vp", labels=True)
    face = Base(dataset="digits", process="ddpm", of="vp-labels")
    assert face.network == network
    model, other = bases.architecture(network), bases.architecture(face)
    randomised(model)
    other.load_state_dict(model.state_dict())  # names are the same
    k = torch.tensor([1, 30, 500, 1000])
    t = k / 1000
    u = network_time(model, other, t)
    x0, z = torch.randn(4, 1, 8, 8), torch.randn(4, 1, 8, 8)
    x0_ddpm = other(other.process.perturb(x0, t, z), t).x0
    x0_vp = model(model.process.perturb(x0, u, z), u, torch.full((4,), model.net.null)).x0
    assert torch.allclose(x0_ddpm, x0_vp, atol=2e-4)
    with pytest.raises(ValueError, match="unconditional"):
        other(x0, t, torch.zeros(4, dtype=torch.long))
    assert other.net.classes == 0 and model.net.classes == 10


def randomised(model):
    draws = torch.Generator().manual_seed(0)
    for p in model.parameters():
        p.data = 0.05 * torch.randn(p.shape, generator=draws)


def network_time(model, other, t):
    return model.process.time_of(other.process.log_ratio(t.double())).float()


def test_an_unknown_base_model_names_those_there_are():
    with pytest.raises(ValueError, match="there is no base model 'mnist-sub'; there are: digits-ve"):
        bases.load("mnist-sub")
