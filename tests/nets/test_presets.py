"""The named networks: their parameter counts, and those of the published layouts, layer by layer."""

import pytest
import torch

from paperlib.nets.presets import FREQUENCIES, PRESETS, unet
from tests.nets.images import images, parameters, randomised

SMALL = [name for name in PRESETS if name.startswith("small-") and name != "small-cifar10"]


def on_paper(name, **changes):
    with torch.device("meta"):  # shapes only, no memory
        return unet(name, predicts="eps", **changes)


@pytest.mark.parametrize("name", PRESETS)
def test_the_number_of_parameters_is_the_one_stated(name):
    assert parameters(on_paper(name)) == PRESETS[name].parameters


@pytest.mark.parametrize("name", PRESETS)
def test_output_has_the_input_s_shape(name):
    net, meta = on_paper(name), {"device": "meta"}
    words = PRESETS[name].settings.get("text")
    cond = torch.zeros(2, 5, words, **meta) if words else torch.zeros(2, dtype=torch.long, **meta)
    x = torch.zeros(2, *net.shape, **meta)
    assert net(x, torch.zeros(2, **meta), cond if words or net.classes else None).shape == x.shape


# From the sources' configurations; our own small networks have none, except the stand-in for shared-cifar10.
DROPOUT = {"improved-diffusion-cifar10": 0.3}
DROPOUT |= dict.fromkeys(("shared-cifar10", "small-cifar10", "score-sde-ddpm", "score-sde-ddpm++"), 0.1)


@pytest.mark.parametrize("name", PRESETS)
def test_networks_drop_as_much_as_their_sources_do(name):
    found = {module.p for module in on_paper(name).modules() if isinstance(module, torch.nn.Dropout)}
    assert found - {0.0} == {DROPOUT[name]} if name in DROPOUT else found <= {0.0}


@pytest.mark.parametrize("name", SMALL)
def test_small_ones_run_and_are_small(name):
    net = randomised(unet(name, predicts="preconditioned", classes=2), std=0.02)
    assert net(images(1, *net.shape), torch.zeros(1), torch.tensor([1])).isfinite().all()
    assert parameters(net) < 1.6e6


def test_the_stand_in_fits_a_checkpoint_of_20_megabytes_in_half_precision():
    assert PRESETS["small-cifar10"].parameters <= 9e6


def test_changes_are_made_and_frequencies_follow_what_is_predicted():
    assert unet("small-8", predicts="eps", image_channels=3, classes=10).shape == (3, 8, 8)
    assert {predicts: unet("small-8", predicts=predicts).frequency for predicts in FREQUENCIES} == FREQUENCIES
    assert unet("small-8", predicts="eps", frequency=2.0).frequency == 2.0


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="'small-29' is not one of .*small-28"):
        unet("small-29", predicts="eps")
    with pytest.raises(ValueError, match="predicts='noise' is not one of eps"):
        unet("small-28", predicts="noise")
    with pytest.raises(TypeError):
        unet("small-28", predicts="eps", width=3)


# The sources' layouts at 128 channels and 1-2-2-2, from their code, one line per layer.


def conv(a, b, k=3):
    return a * b * k * k + b


def linear(a, b):
    return a * b + b


def block(a, b, embedding, *, scale_shift=False, shortcut=None):
    shortcut = a != b if shortcut is None else shortcut
    embed = linear(embedding, 2 * b if scale_shift else b)
    return 2 * a + conv(a, b) + embed + 2 * b + conv(b, b) + (conv(a, b, 1) if shortcut else 0)


def attention(c):
    return 2 * c + 4 * conv(c, c, 1)


def ends(out=3):
    return conv(3, 128) + 2 * 128 + conv(128, out)


MLP = linear(128, 512) + linear(512, 512)


def test_shared_cifar10_is_selective_amnesia_s_network():
    class_table = 10 * 128 + 128  # and the null embedding
    e = 2 * 512  # time and class, concatenated
    down = 2 * block(128, 128, e) + conv(128, 128)
    down += block(128, 256, e) + block(256, 256, e) + 2 * attention(256) + conv(256, 256)
    down += 2 * block(256, 256, e) + conv(256, 256) + 2 * block(256, 256, e)
    middle = 2 * block(256, 256, e) + attention(256)
    up = 3 * block(512, 256, e) + conv(256, 256)  #                                 4 x 4
    up += 3 * block(512, 256, e) + conv(256, 256)  #                                8 x 8
    up += 2 * block(512, 256, e) + block(384, 256, e) + 3 * attention(256) + conv(256, 256)  #  16 x 16
    up += block(384, 128, e) + 2 * block(256, 128, e)  #                            32 x 32
    total = 2 * MLP + class_table + ends() + down + middle + up
    assert total == PRESETS["shared-cifar10"].parameters == 38_632_323


def test_improved_diffusion_s_network_has_beside_ours_the_channels_of_the_variance():
    def res(a, b):
        return block(a, b, 512, scale_shift=True)

    down = 3 * res(128, 128) + conv(128, 128)
    down += res(128, 256) + 2 * res(256, 256) + 3 * attention(256) + conv(256, 256)
    down += 3 * res(256, 256) + 3 * attention(256) + conv(256, 256) + 3 * res(256, 256)
    middle = 2 * res(256, 256) + attention(256)
    up = 2 * (4 * res(512, 256) + conv(256, 256)) + 4 * attention(256)  #           4 x 4, 8 x 8
    up += 3 * res(512, 256) + res(384, 256) + 4 * attention(256) + conv(256, 256)  #  16 x 16
    up += res(384, 128) + 3 * res(256, 128)  #                                      32 x 32
    total = MLP + ends(out=6) + down + middle + up
    assert total - 3 * (128 * 9 + 1) == PRESETS["improved-diffusion-cifar10"].parameters


def test_score_sde_s_ddpm_plus_plus_resamples_in_residual_blocks():
    def res(a, b, **options):
        return block(a, b, 512, **options)

    down = 4 * res(128, 128) + res(128, 128, shortcut=True)
    down += res(128, 256) + 3 * res(256, 256) + 4 * attention(256) + res(256, 256, shortcut=True)
    down += 4 * res(256, 256) + res(256, 256, shortcut=True) + 4 * res(256, 256)
    middle = 2 * res(256, 256) + attention(256)
    up = 2 * (5 * res(512, 256) + res(256, 256, shortcut=True))  #                  4 x 4, 8 x 8
    up += 4 * res(512, 256) + res(384, 256) + attention(256) + res(256, 256, shortcut=True)  #  16 x 16
    up += res(384, 128) + 4 * res(256, 128)  #                                      32 x 32
    assert MLP + ends() + down + middle + up == PRESETS["score-sde-ddpm++"].parameters
