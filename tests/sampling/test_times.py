"""The times at which samplers stop, including both ends."""

import pytest
import torch

from paperlib.processes import DDPM, VE, VP
from paperlib.sampling import SPACINGS, time_grid
from paperlib.sampling.times import levels
from tests.oracles import every_process, network


@every_process
@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_a_grid_falls_from_t_max_to_t_min_or_on_to_the_data(process, spacing, steps):
    model = network(process)
    for denoise in (False, True):
        grid = time_grid(model, steps, spacing, denoise=denoise)
        assert len(grid) == steps + 1 and grid.dtype == torch.float64
        assert (grid[1:] < grid[:-1]).all() and grid[0] == process.t_max
    assert grid[-1] == 0 and (grid[:-1] >= process.t_min).all()
    assert time_grid(model, steps, spacing)[-1] == process.t_min


@every_process
def test_before_the_data_stands_the_first_grid_point_or_a_hundredth_of_noise(process):
    last = time_grid(network(process), 5, denoise=True)[-2]
    if isinstance(process, DDPM):
        assert last == 1 / 1000
    else:
        assert process.log_ratio(last).exp() == pytest.approx(0.01, rel=2e-4)  # VE at t_min has 1.0001 times that
    if type(process) is VP:
        assert last == pytest.approx(1e-3, rel=0.1)  # score_sde's


@every_process
def test_spacings_are_even_in_what_they_say(process):
    grids = {spacing: time_grid(network(process), 20, spacing) for spacing in SPACINGS}
    r = {spacing: process.log_ratio(grid).exp() for spacing, grid in grids.items()}
    for even in (grids["time"], r["snr"].log(), r["karras"] ** (1 / 7)):
        step = even.diff()
        assert torch.allclose(step, step.mean(), rtol=1e-6)
    if isinstance(process, DDPM):
        k = grids["index"] * 1000
        assert (k - k.round()).abs().max() < 1e-9 and (k - 1000 * grids["time"]).abs().max() <= 0.5 + 1e-9
    else:
        assert torch.equal(grids["index"], grids["time"])
    if isinstance(process, VE):  # a geometric ladder
        assert torch.allclose(grids["snr"], grids["time"])


@pytest.mark.parametrize("process", [DDPM.linear(), DDPM.cosine()], ids=["linear", "cosine"])
def test_a_ddpm_s_whole_grid_and_nothing_else(process):
    most = round(process.t_max * 1000)
    k = time_grid(network(process), most, "index", denoise=True) * 1000
    assert torch.equal(k.round(), torch.arange(most, -1, -1).double())
    assert torch.equal(time_grid(network(process), None, "index", denoise=True) * 1000, k)
    assert torch.equal(time_grid(network(process), None, "index") * 1000, k[:-1])
    with pytest.raises(ValueError, match=f"{most + 1} times do not fit on the DDPM's grid, which has {most} here"):
        time_grid(network(process), most + 1, "index", denoise=True)


def test_the_whole_chain_of_another_process_has_a_thousand_times():
    assert len(time_grid(network(VP()), None)) == 1000 and len(time_grid(network(VP()), None, denoise=True)) == 1001


def test_levels_on_the_grid_are_the_products_of_the_betas():
    process = DDPM.linear()
    stops = levels(process, time_grid(network(process), 1000, "index", denoise=True))
    abar = torch.cumprod(1 - process.betas, 0).flip(0)
    for stop, product in zip(stops, abar.tolist()):
        assert stop.alpha**2 == pytest.approx(product, rel=1e-10)
        assert stop.sigma**2 == pytest.approx(1 - product, rel=1e-10)
    assert stops[-1] == (0, 1, 0) and stops[-1].data and not stops[-2].data


def test_times_that_are_given_are_taken():
    times = torch.tensor([0.9, 0.5, 0.1])
    assert torch.equal(time_grid(network(VP()), times), times.double())
    for wrong in ([0.1, 0.5], [0.5], [0.5, 0.5], [[0.5, 0.1]]):
        with pytest.raises(ValueError, match="times must fall"):
            time_grid(network(VP()), torch.tensor(wrong))
    for wrong in ([1.1, 0.5], [0.5, -0.1]):
        with pytest.raises(ValueError, match=r"leave \[0, 1.0\]"):
            time_grid(network(VP()), torch.tensor(wrong))
    assert time_grid(network(VP()), 5, "snr", t_min=0.02)[-1] == 0.02


def test_wrong_settings_are_refused():
    model = network(VP())
    with pytest.raises(ValueError, match="spacing='cosine' is not one of index, time, snr, karras"):
        time_grid(model, 5, "cosine")
    with pytest.raises(ValueError, match="t_min=1.5 is not between 0 and 1.0"):
        time_grid(model, 5, t_min=1.5)
    for steps in (0, -3):
        with pytest.raises(ValueError, match=f"steps={steps}: a sampler needs at least one"):
            time_grid(model, steps)
