"""The comparison's figures, made from values and their intervals, for any record of the page."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import pytest

from companion import plots
from companion.comparison.relearning import BACK
from companion.page import recorded
from companion.records import measured


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def drawn(values, **series):
    """Return a record with these values and series."""
    record = SimpleNamespace(values=values, series=series)
    record.all = lambda **facts: [value for value in values if value.has(**facts)]
    return record


def value(method, metric, *per_seed, unit="%", **facts):
    seeds, claim = range(len(per_seed)), f"ours.x/{method}/{metric[:5]}-{facts.get('images', '')}"
    known = {"metric": metric} | facts
    return measured(claim, per_seed, seeds=seeds, unit=unit, n=10, dataset="digits", method=method, protocol=known)


def test_no_interval_of_the_plane_leaves_what_can_be():
    """The committed series ``looked`` has intervals such as UR [-1.1, 2.9]; the values do not."""
    axes = plots.compared_plane(recorded("compare_all_methods"), title="").axes[0]
    ends = [segment for one in axes.collections if hasattr(one, "get_segments") for segment in one.get_segments()]
    assert len(ends) == 30 and all(x > 0 and y >= 0 for segment in ends for x, y in segment)


def test_a_single_seed_without_an_interval_is_drawn():
    values = [value(m, what, 2.0, unit=u) for m in ("before", "vdu") for what, u in (("UR", "%"), ("distance", "x"))]
    real = {"ur": 0.1, "ur_low": 0.0, "ur_high": 0.2, "distance": 1.0}
    record = drawn(values, real=real, titles={"before": "before", "vdu": "VDU"})
    labels = plots.compared_plane(record, title="").legends[0].get_texts()
    assert [one.get_text() for one in labels][-2:] == ["before", "VDU"]


def test_the_grid_says_the_median_of_the_seeds_and_what_is_not_back():
    late = {("vdu", 1): (2.0, 4.0, 32.0), ("vdu", 0): (16.0, 16.0, 8.0), ("salun", 1): (0.0, 0.0, 2.0)}
    late |= {("salun", 0): (4.0, 16.0, 16.0)}
    values = [value(m, BACK, *n, unit="updates", images=k, looks=[2, 4, 8]) for (m, k), n in late.items()]
    record = drawn(values, titles={"vdu": "VDU", "salun": "SalUn"})
    axes = plots.relearning_grid(record, BACK, title="").axes[0]
    assert [one.get_text() for one in axes.texts] == ["4", "> 8", "0", "> 8"]
    assert [one.get_text() for one in axes.get_yticklabels()] == ["VDU", "SalUn"]


def test_a_way_may_lack_a_distance_and_begin_without_the_class():
    looks = [{"gradient_evaluations": k, "ur": float(k)} | ({"distance": 2.0} if k < 2 else {}) for k in range(3)]
    record = drawn([], courses={"vdu": [looks]}, titles={"vdu": "VDU"})
    lines = plots.course_panels(record, title="").axes[0].get_lines()
    assert [len(line.get_xdata()) for line in lines[:2]] == [3, 2]


def test_every_cosine_is_drawn():
    record = recorded("compare_gradient_conflict")
    panels = plots.conflict_panels(record, title="").axes
    assert sum(len(panel.get_lines()) == 7 for panel in panels) == len(record.series["probes"])
