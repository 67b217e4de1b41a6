"""Networks conditioned on words, and which of their weights are trained."""

from contextlib import contextmanager

import pytest
import torch

from companion import captioned
from paperlib.data import captions
from paperlib.denoiser import reinitialise, trainable
from paperlib.nets.cross_attention import attention_maps, cross_attentions
from paperlib.nets.parameters import CHOICES, train_only
from paperlib.nets.text import Prompted
from paperlib.unlearning.forget_me_not import forget_me_not
from paperlib.unlearning.replay import Samples
from tests.oracles import seeded

PROMPTS = ["a red disc", "a blue ring", "a star"]
X, T = torch.randn(4, 3, 12, 12, generator=seeded()), torch.linspace(0.1, 0.9, 4)


@pytest.fixture(scope="module")
def whole():
    model = captioned.architecture()
    reinitialise(model, seeded())
    with torch.no_grad():  # no layer is zero
        for k, p in enumerate(model.parameters()):
            p.add_(0.05 * torch.randn(p.shape, generator=seeded(k)))
    return model


@pytest.fixture
def model(whole):
    yield captioned.prompted(whole, PROMPTS)
    whole.requires_grad_(True)


def test_a_prompt_by_number_is_the_prompt_in_words(whole, model):
    cond = torch.tensor([0, 1, 2, 3])
    told = whole(X, T, captions.tokens([*PROMPTS, ""])).eps
    assert torch.allclose(model(X, T, cond).eps, told, atol=1e-5)
    assert model.net.classes == model.net.null == 3
    assert torch.allclose(model(X, T).eps, model(X, T, torch.full((4,), 3)).eps)


def test_words_arrive_through_cross_attention_alone(model):
    layers = cross_attentions(model)
    assert len(layers) == 4  # at 6 x 6: one down, one in the middle, two up
    with torch.no_grad():
        for layer in layers.values():
            layer.to_v.weight.zero_(), layer.to_k.weight.zero_()
    assert torch.allclose(model(X, T, torch.tensor([0] * 4)).eps, model(X, T, torch.tensor([2] * 4)).eps, atol=1e-6)


def test_maps_are_distributions_over_words_and_give_the_layers_output(model):
    layer = next(iter(cross_attentions(model).values()))
    inputs = {}
    hook = layer.register_forward_hook(lambda _, given, out: inputs.update(x=given[0], context=given[1], out=out))
    with attention_maps(model) as maps:
        model(X, T, torch.tensor([0, 1, 2, 3]))
    hook.remove()
    A, (x, context, out) = maps[0], inputs.values()
    assert all(torch.allclose(one.sum(3), torch.ones(()), atol=1e-5) for one in maps)
    v = layer.to_v(context).unflatten(2, (layer.heads, -1)).transpose(1, 2)
    h = (A @ v).transpose(1, 2).flatten(2).transpose(1, 2).reshape(x.shape)
    assert torch.allclose(x + layer.to_out(h), out, atol=1e-5)


def test_each_choice_names_its_weights_and_an_unknown_one_is_refused(model):
    total = sum(p.numel() for p in model.parameters())
    counts = {which: train_only(model, which) for which in CHOICES if which != "selfattn"}
    assert counts["full"] == total and counts["xattn"] + counts["noxattn"] < counts["notime"] + 1 <= total
    assert counts["xattn"] == sum(p.numel() for one in cross_attentions(model).values() for p in one.parameters())
    with pytest.raises(ValueError, match="which='all' is not one of full"):
        train_only(model, "all")
    with pytest.raises(ValueError, match="which='selfattn': this network has no such weights"):
        train_only(model, "selfattn")


def test_forget_me_not_takes_the_attention_from_the_words_and_from_no_others(model, monkeypatch):
    seen = []

    @contextmanager
    def watched(model):
        with attention_maps(model) as maps:
            seen.append(maps)
            yield maps

    monkeypatch.setattr("paperlib.unlearning.forget_me_not.attention_maps", watched)
    forget = Samples(X, torch.zeros(4, dtype=torch.long))
    train_only(model, "xattn")
    run = forget_me_not(
        model, forget, generator=seeded(), steps=25, places={0: [2]}, lr=3e-3, ema=0, batch_size=4, clip=0
    )
    losses = [step.losses["loss"] for step in run]
    assert losses[0] == pytest.approx(sum(A[..., 2].square().mean().item() for A in seen[0]))
    with attention_maps(model) as before, attention_maps(run.model) as after, torch.no_grad():
        model(X, T, torch.zeros(4, dtype=torch.long)), run.model(X, T, torch.zeros(4, dtype=torch.long))
    assert losses[-1] < losses[0] / 2
    assert sum(A[..., 2].mean() for A in after) < 0.5 * sum(A[..., 2].mean() for A in before)
    assert len(trainable(run.model)) == len(trainable(model))


@pytest.mark.parametrize("places", [{}, {0: []}, {0: [10]}, {1: [2]}])
def test_forget_me_not_refuses_words_that_no_prompt_has(model, places):
    with pytest.raises(ValueError, match="places of label 0: .* are not tokens from 0 to 9"):
        forget_me_not(model, Samples(X, torch.zeros(4, dtype=torch.long)), generator=seeded(), steps=1, places=places)


def test_the_table_is_the_model_s_own(whole):
    table = torch.randn(3, 10, 96, requires_grad=True)
    model = Prompted(whole.net.unet, table, whole.net.shape)
    kept = model.table.clone()
    with torch.no_grad():
        table.zero_()
    assert torch.equal(model.table, kept) and not model.table.requires_grad


def test_a_table_without_the_empty_prompt_is_refused(whole):
    with pytest.raises(ValueError, match=r"\[K \+ 1, L, E\] with K >= 1"):
        Prompted(whole.net.unet, torch.zeros(1, 10, 96), whole.net.shape)
