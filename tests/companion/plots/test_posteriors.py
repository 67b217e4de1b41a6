"""The page on VDU's posterior, drawn from runs in a record."""

import pytest

from companion import plots
from companion.page import recorded

RUNS = [
    {
        **{"gamma": gamma, "count": count, "kind": kind, "pull": 2.0, "moved": 1e-5},
        "looks": [
            {
                **{"update": update, "pul": 10.0 * update, "pul_interval": [0, 90], "distance": 2.0 + update},
                **{"distance_interval": [1, 9], "L_f": 0.05 + 1e-5 * update, "L_g": 0.06},
            }
            for update in (0, 5)
        ],
        **({"explained": {"pull": 0.5, "move": 0.001}} if kind == "low rank" else {}),
    }
    for gamma, count, kind in [(0.1, 4, "diagonal"), (0.9, 2, "diagonal"), (0.9, 4, "low rank"), (0.9, 4, "halved")]
]


@pytest.fixture
def record():
    return recorded("vdu_tab2_gamma_sweep").model_copy(update={"series": {"runs": RUNS}})


def test_every_run_has_a_line_in_each_panel(record):
    left, middle, right = plots.posterior_courses(record, title="Runs").axes
    drawn = [line for line in left.lines if "snapshots" in line.get_label()]
    assert [line.get_label().partition("= ")[2] for line in drawn] == [
        "0.9, 2 snapshots, diagonal",
        "0.9, 4 snapshots, low rank",
        "0.9, 4 snapshots, halved",
        "0.1, 4 snapshots, diagonal",
    ]
    assert all(list(line.get_ydata()) == [0.0, 50.0] for line in drawn)
    assert list(middle.lines[0].get_ydata()) == [2.0, 7.0]
    assert list(right.lines[0].get_ydata()) == pytest.approx([0.0, 5.0])


def test_only_a_low_rank_explains_anything(record):
    cells = plots.posterior_runs_table(record, title="Runs").data
    assert list(cells["of it explained"]) == ["", "", "50.0 %", ""]
    assert cells["of the move explained"].iloc[2] == "0.10 %" and "50" in cells["PUL, %"].iloc[0]
    assert cells["loss on D<sub>f</sub>"].iloc[0] == "+5.0e-5" and cells["loss on D<sub>g</sub>"].iloc[0] == "+0.0e-5"


def test_a_run_without_results_has_nothing_to_draw(record):
    empty = record.model_copy(update={"series": {}})
    for draw in (plots.posterior_courses, plots.posterior_runs_table):
        assert draw(empty, title="Nothing") is None
