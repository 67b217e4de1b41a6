import matplotlib
import matplotlib.pyplot as plt
import pytest

from companion.plots.ticks import COARSE, Ratios

matplotlib.use("Agg")


@pytest.mark.parametrize("limits", [(0.98, 1.02), (0.95, 1.13), (0.97, 1.3), (0.7, 1.4), (0.5, 20), (1.02, 1.18)])
def test_an_axis_of_ratios_has_three_to_twelve_ticks_all_in_view(limits):
    found = Ratios().tick_values(*limits)
    assert 3 <= len(found) <= 12 and all(limits[0] <= tick <= limits[1] for tick in found)
    assert (1 in found) == (limits[0] <= 1 <= limits[1])


def test_far_ratios_have_the_coarse_ticks():
    assert Ratios().tick_values(0.5, 20) == [tick for tick in COARSE if tick <= 20]


def test_ticks_follow_the_limits_of_a_logarithmic_axis():
    figure, axes = plt.subplots()
    axes.plot([0.97, 1.06], [1, 2])
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(Ratios())
    near = len(axes.get_xticks())
    axes.set_xlim(0.5, 60)
    assert near >= 3 and list(axes.get_xticks()) == list(COARSE)
    plt.close(figure)
