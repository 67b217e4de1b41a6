import pytest
import torch

from paperlib.processes import DDPM, VE
from paperlib.runs import bases, checkpoints, sampler_measures
from paperlib.runs.sampler_measures import SAMPLERS, Drawing, draw, images, steps, timing
from paperlib.runs.store import Store
from tests.oracles import network, seeded


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("evaluations", [5, 10, 20])
@pytest.mark.parametrize("process", [VE(), DDPM.linear()])
def test_a_sampler_takes_the_most_steps_that_its_evaluations_allow(sampler, evaluations, process):
    function, cost = SAMPLERS[sampler]
    model, x = network(process), torch.randn(2, 2, generator=seeded())
    n = steps(sampler, evaluations)
    spent = [list(function(model, x, steps=k, generator=seeded()))[-1].evaluations for k in (n, n + 1)]
    assert spent[0] == cost(n) <= evaluations < spent[1]


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """A base model of two updates, as if it were committed."""
    folder = tmp_path / "checkpoints"
    base = bases.BASES["digits-ve"]
    budget = bases.Budget(steps=2, batch_size=4, lr=1e-3)
    checkpoints.save(bases.training(base, budget).run(), base.name, {"samples_seen": 8}, folder)
    model = checkpoints.load(bases.architecture(base), base.name, folder)
    monkeypatch.setattr(bases, "load", lambda name: model)
    return Store(tmp_path / "store")


def test_every_sampler_starts_from_the_same_noise_and_counts_what_it_spent(tiny, monkeypatch):
    starts = []

    def records(model, shape, *, noise, **settings):
        starts.append(noise)
        return original(model, shape, noise=noise, **settings)

    original = sampler_measures.sample_batches
    monkeypatch.setattr(sampler_measures, "sample_batches", records)
    for sampler in ("DDIM", "Heun"):
        entry = draw(tiny, Drawing(base="digits-ve", sampler=sampler, evaluations=5, n=3))
        assert images(entry).shape == (3, 1, 8, 8) and images(entry).dtype == torch.uint8
        assert timing(entry)["evaluations"] == 5 and timing(entry)["seconds"] > 0
    assert torch.equal(*starts)


def test_an_unknown_sampler_is_named(tiny):
    with pytest.raises(ValueError, match="sampler='Euler' is not one of DDPM, DDIM,"):
        draw(tiny, Drawing(base="digits-ve", sampler="Euler", evaluations=5, n=3))
