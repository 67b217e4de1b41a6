"""The U-Net, tested on tiny networks with every part of the large ones."""

import copy

import pytest
import torch

from paperlib.denoiser import Denoiser, reinitialise
from paperlib.nets.blocks import Attention, Residual, norm
from paperlib.nets.unet import UNet, drop_labels, time_features
from paperlib.processes import VP
from tests.nets.images import images, randomised
from tests.oracles import assert_mean, seeded

SMALL = dict(size=8, image_channels=3, channels=8, multipliers=(1, 2), blocks=2, attention=(4,), classes=3)
KINDS = {
    "ddpm": {},
    "ddpm++": {"layout": "ddpm++"},
    "scale-shift, heads": {"scale_shift": True, "heads": 2},
    "unconditional, no attention": {"classes": 0, "attention": ()},
    "patches": {"patch": 2, "attention": (2,)},
}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())


def small(**changes):
    return randomised(UNet(**{**SMALL, **changes}))


def arguments(net, batch=4):
    cond = torch.arange(batch) % (net.classes + 1) if net.classes else None
    return images(batch, *net.shape), torch.linspace(1, 900, batch), cond


@every_kind
def test_output_has_the_input_s_shape(kind):
    net = small(**kind)
    assert net(*arguments(net)).shape == (4, 3, 8, 8)


@every_kind
def test_a_fresh_network_is_zero_and_its_blocks_pass_their_input_on(kind):
    net = UNet(**{**SMALL, **kind})
    assert (net(*arguments(net)) == 0).all()
    h = images(2, 8, 4, 4)
    assert torch.equal(Attention(8)(h), h)
    assert torch.equal(Residual(8, 8, 5)(h, images(2, 5)), h)


@every_kind
def test_the_gradient_reaches_every_parameter(kind):
    net = small(**kind)
    net(*arguments(net)).square().sum().backward()
    assert [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


@every_kind
def test_each_image_depends_on_its_own_input_time_and_label_alone(kind):
    net = small(**kind)
    x, time, cond = arguments(net)
    rows = [net(x[k : k + 1], time[k : k + 1], None if cond is None else cond[k : k + 1]) for k in range(4)]
    out = net(x, time, cond)
    assert torch.allclose(out, torch.cat(rows), atol=1e-4)
    order = torch.tensor([2, 0, 3, 1])
    assert torch.allclose(net(x[order], time[order], None if cond is None else cond[order]), out[order], atol=1e-4)


@every_kind
def test_time_matters(kind):
    net = small(**kind)
    x, time, cond = arguments(net)
    assert ((net(x, time, cond) - net(x, time + 50, cond)).flatten(1).norm(dim=1) > 1e-2).all()


def test_a_clock_of_its_own_reads_another_time():
    shifted = small(clock=(0.5, 3.0))
    plain = small()
    plain.load_state_dict(shifted.state_dict())
    x, t, cond = arguments(plain)
    torch.testing.assert_close(shifted(x, t, cond), plain(x, 0.5 * t + 3.0, cond))
    assert not torch.allclose(shifted(x, t, cond), plain(x, t, cond))


def test_the_class_matters_and_null_is_a_class_of_its_own():
    net = small()
    torch.nn.init.normal_(net.labels.weight, generator=seeded(1))
    x, time, _ = arguments(net, 1)
    outs = [net(x, time, torch.tensor([label])) for label in range(net.null + 1)]
    assert net.null == 3
    assert all((outs[a] - outs[b]).norm() > 1e-2 for a in range(4) for b in range(a))
    assert torch.equal(net(x, time), outs[net.null])


def test_dropping_labels_puts_null_in_their_place_at_the_rate_asked_for():
    labels = torch.arange(10).repeat(2000)
    kept = drop_labels(labels, 10, 0.1, seeded())
    assert_mean((kept == 10).float(), 0.1)
    assert torch.equal(kept[kept != 10], labels[kept != 10])
    assert torch.equal(kept, drop_labels(labels, 10, 0.1, seeded()))
    assert torch.equal(drop_labels(labels, 10, 0.0, seeded()), labels)
    assert (drop_labels(labels, 10, 1.0, seeded()) == 10).all()


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_attention_is_a_softmax_over_all_pixels(heads):
    layer, x = randomised(Attention(8, heads=heads), std=0.5).requires_grad_(False), images(2, 8, 3, 5)
    q, k, v = layer.qkv(layer.norm(x)).flatten(2).unflatten(1, (3, heads, 8 // heads)).unbind(1)  # [B, heads, c, N]
    expected = torch.zeros(2, heads, 8 // heads, 15)
    for b in range(2):
        for h in range(heads):
            for n in range(15):
                weights = torch.stack([(q[b, h, :, n] @ k[b, h, :, m] / (8 / heads) ** 0.5).exp() for m in range(15)])
                expected[b, h, :, n] = v[b, h] @ (weights / weights.sum())
    expected = x + layer.project(expected.reshape(2, 8, 3, 5))
    assert torch.allclose(layer(x), expected, atol=1e-5)
    assert torch.allclose(layer(x.contiguous(memory_format=torch.channels_last)), expected, atol=1e-5)


def test_a_block_that_halves_or_doubles_does_so():
    for how, size in {"down": 2, "up": 8}.items():
        assert randomised(Residual(8, 16, 5, resample=how))(images(2, 8, 4, 4), images(2, 5)).shape[1:] == (
            16,
            size,
            size,
        )


def test_rescaled_sums_are_divided_by_the_root_of_two():
    x, e = images(2, 8, 4, 4), images(2, 5)
    plain, rescaled = (randomised(Residual(8, 8, 5, rescale=rescale)) for rescale in (False, True))
    assert torch.allclose(rescaled(x, e), plain(x, e) / 2**0.5)
    plain, rescaled = (randomised(Attention(8, rescale=rescale)) for rescale in (False, True))
    assert torch.allclose(rescaled(x), plain(x) / 2**0.5)


def test_a_network_of_patches_is_the_small_one_of_their_values():
    net = small(patch=2, attention=(2,))
    inner = small(size=4, image_channels=12, attention=(2,))
    inner.load_state_dict(net.state_dict())
    x, time, cond = arguments(net)
    # a patch's values become channels, grouped by colour and in row order
    cut = torch.stack([x[:, c, i::2, j::2] for c in range(3) for i in (0, 1) for j in (0, 1)], 1)
    drawn = inner(cut, time, cond)
    for k, (c, i, j) in enumerate((c, i, j) for c in range(3) for i in (0, 1) for j in (0, 1)):
        assert torch.allclose(net(x, time, cond)[:, c, i::2, j::2], drawn[:, k], atol=1e-6)


def test_groups_divide_the_channels_and_hold_enough_of_them():
    assert [norm(c, 8).num_groups for c in (8, 32, 96, 144, 384)] == [1, 4, 12, 18, 32]
    net = UNet(**{**SMALL, "per_group": 8})
    assert {m.num_channels // m.num_groups for m in net.modules() if isinstance(m, torch.nn.GroupNorm)} == {8}
    assert [norm(c).num_groups for c in (4, 32, 96, 128, 144, 384)] == [1, 8, 24, 32, 24, 32]


def test_times_of_either_unit_are_told_apart_and_smoothly():
    for frequency, times in {1.0: torch.arange(0, 1000.0), 16.0: torch.linspace(-2, 2, 1000)}.items():
        features = time_features(times.double(), 32, frequency)
        distances = torch.cdist(features, features).fill_diagonal_(torch.inf)
        assert distances.min() > 0.01
        assert (features[1:] - features[:-1]).abs().max() <= frequency * (times[1] - times[0]) + 1e-6


@every_kind
def test_weights_survive_a_state_dict(kind):
    net, other = small(**kind), UNet(**{**SMALL, **kind})
    other.load_state_dict(net.state_dict())
    assert torch.equal(net(*arguments(net)), other(*arguments(net)))
    assert torch.equal(net(*arguments(net)), copy.deepcopy(net)(*arguments(net)))


def test_reinitialising_draws_every_weight_from_the_generator():
    models = [Denoiser(small(), VP()) for _ in range(2)]
    for model in models:
        reinitialise(model, seeded(5))
    assert all(torch.equal(a, b) for a, b in zip(models[0].parameters(), models[1].parameters()))
    assert (models[0].net(*arguments(models[0].net)) == 0).all()


@every_kind
def test_memory_layout_changes_nothing_but_rounding(kind):
    net = small(**kind)
    assert net.middle[0].conv1.weight.is_contiguous(memory_format=torch.channels_last)
    plain = copy.deepcopy(net).to(memory_format=torch.contiguous_format)
    assert torch.allclose(net(*arguments(net)), plain(*arguments(net)), atol=1e-4)


def test_dropout_acts_in_training_only():
    net, plain = small(dropout=0.5), small()
    x, time, cond = arguments(net)
    assert not torch.allclose(net(x, time, cond), plain(x, time, cond), atol=1e-3)
    assert torch.equal(net.eval()(x, time, cond), plain(x, time, cond))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"size": 9}, "size=9 cannot be halved 1 times"),
        ({"size": 28, "multipliers": (1, 2, 2, 2)}, "size=28 cannot be halved 3 times"),
        ({"patch": 3}, "size=8 cannot be cut into patches of patch=3"),
        ({"patch": 4, "multipliers": (1, 2, 2), "attention": ()}, "size=8, in patches of 4, cannot be halved 2 times"),
        ({"attention": (16,)}, r"attention=\(16,\) names a resolution that is not among \[8, 4\]"),
        ({"channels": 6}, "channels=6 is not a multiple of per_group=4"),
        ({"layout": "biggan"}, "layout='biggan' is not one of ddpm, ddpm"),
        ({"heads": 3}, "16 channels do not divide among 3 heads"),
    ],
)
def test_settings_that_make_no_network_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        UNet(**{**SMALL, **changes})


def test_inputs_that_do_not_fit_are_refused():
    net, time = UNet(**SMALL), torch.zeros(2)
    with pytest.raises(ValueError, match=r"for images \(3, 8, 8\), not \(3, 9, 8\)"):
        net(torch.zeros(2, 3, 9, 8), time)
    with pytest.raises(ValueError, match="one integer label an image"):
        net(torch.zeros(2, 3, 8, 8), time, torch.zeros(2, 3))
    with pytest.raises(IndexError):
        net(torch.zeros(2, 3, 8, 8), time, torch.tensor([0, 4]))
    with pytest.raises(ValueError, match="unconditional"):
        UNet(**{**SMALL, "classes": 0})(torch.zeros(2, 3, 8, 8), time, torch.tensor([0, 1]))


@pytest.mark.parametrize("predicts", ["preconditioned", "eps", "x0"])
def test_a_denoiser_takes_it_and_passes_the_class_on(predicts):
    model = Denoiser(small(), VP(), predicts=predicts)
    x, t = images(3, 3, 8, 8), torch.tensor([0.01, 0.5, 1.0])
    labels = torch.tensor([0, 1, 3])
    assert not torch.allclose(model(x, t, labels).eps, model(x, t).eps, atol=1e-3)
    assert torch.allclose(model(x, t, labels).eps[2], model(x, t).eps[2], atol=1e-3)
