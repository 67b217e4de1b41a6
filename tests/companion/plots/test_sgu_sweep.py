"""The figure and the table of alpha: printed numbers are those of the claims, and belong to their data alone."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import pytest

from companion.plots.sgu_sweep import alpha_sweep, alpha_table, at, best, printed_steps, searched_table

BEFORE = {"ur": 24.0, "distance": 4.0, "D_g": 1.5, "D_f": 1.25}
RUNS = [
    {"entrant": "sgu_orthogonal_paper", "alpha": 0.9999, "c": 0.93, "ur": 6.0, "distance": 8.0, "score": 1.33},
    {"entrant": "sgu_orthogonal_paper", "alpha": 0.99, "c": 0.11, "ur": 0.0, "distance": 80.0, "score": 13.3},
    {"entrant": "sgu_obtuse_paper", "alpha": 0.9, "c": 0.94, "ur": 9.0, "distance": 7.0},
    {"entrant": "control", "alpha": 1.0, "ur": 20.0, "distance": 5.0, "score": 2.5},
    {"entrant": "negate", "w": 1.0, "ur": 4.0, "distance": 5.0, "score": 0.83},
]
SWEEP = {"dataset": "mnist", "process": "ve", "forget": "3,7", "before": BEFORE, "runs": RUNS}
SWEEP["budget"] = {"evaluations": 120, "batch_size": 16, "n": 200, "sampler": 10}
RECORD = SimpleNamespace(series={"sweep": SWEEP}, title="MNIST")
for one in RUNS[:2]:
    one |= {"D_g": 2.0, "D_f": 6.25}


def test_printed_steps_are_the_paper_s_from_standard_and_of_its_own_data_only():
    assert printed_steps(SWEEP, "ur") == {"orthogonal": 1.2, "obtuse": 5.1}
    assert printed_steps(SWEEP, "D_g") == pytest.approx({"orthogonal": 1.10, "obtuse": 0.88})
    assert printed_steps(SWEEP, "D_f") == pytest.approx({"orthogonal": 10.45, "obtuse": 9.30})
    assert printed_steps(SWEEP, "distance") == {}
    assert printed_steps(SWEEP | {"dataset": "digits"}, "ur") == {}


def test_the_best_of_each_is_the_one_with_the_smallest_score():
    found = best(SWEEP)
    assert list(found) == ["sgu_orthogonal_paper", "sgu_obtuse_paper", "control", "negate"]
    assert found["sgu_orthogonal_paper"]["alpha"] == 0.9999


def test_runs_at_a_c_are_of_both_losses_and_of_no_neighbour():
    """alpha is rounded to two digits of 1 - alpha, so c is near the requested value but hardly ever equal to it."""
    left = {"sgu_orthogonal_paper": (0.9899, 0.9747, 0.9401), "sgu_obtuse_paper": (0.9898, 0.9748, 0.9382)}
    runs = [{"entrant": name, "c": c} for name, several in left.items() for c in several]
    runs += [{"entrant": "sgu_orthogonal_code", "c": 0.975}, {"entrant": "control"}]
    for k, c in enumerate((0.99, 0.975, 0.94)):
        assert [one["c"] for one in at({"runs": runs}, c)] == [several[k] for several in left.values()]
    assert at({"runs": runs}, 0.5) == []


def test_the_table_has_a_row_a_run_in_steps_from_standard():
    text = alpha_table(RECORD).to_html()
    assert "orthogonal, paper" in text and "fine-tuning alone" in text and "w = 1" in text
    assert "+0.50" in text and "+5.00" in text and "2.00" in text  # D_g, D_f, and twice the distance


def test_the_figure_has_a_column_a_loss_a_line_a_reading_and_what_is_printed():
    code = [one | {"entrant": "sgu_orthogonal_code", "ur": one["ur"] + 1} for one in RUNS[:2]]
    record = SimpleNamespace(series={"sweep": SWEEP | {"runs": RUNS + code}}, title="MNIST")
    figure = alpha_sweep(record, title="x")
    panels = [{line.get_label(): line for line in axis.get_lines()} for axis in figure.axes]
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["orthogonal", "obtuse"] + [""] * 6
    assert {"orthogonal, paper", "orthogonal, code", "printed", "the rule's bound"} <= panels[0].keys()
    assert "obtuse, paper" in panels[1] and "orthogonal, paper" not in panels[1]
    assert list(panels[0]["orthogonal, paper"].get_xdata()) == pytest.approx([0.07, 0.89])
    assert list(panels[0]["orthogonal, paper"].get_ydata()) == [6.0, 0.0]
    assert list(panels[0]["orthogonal, code"].get_ydata()) == [7.0, 1.0]
    assert [panels[k]["printed"].get_ydata()[0] for k in (0, 1)] == [1.2, 5.1] and "printed" not in panels[2]
    assert panels[6]["orthogonal, paper"].get_ydata()[0] == 5.0
    plt.close(figure)


def test_the_search_s_table_has_a_row_a_reading_and_its_best_in_bold():
    tried = [SimpleNamespace(entrant="sgu_obtuse_code", ur=u, distance=d) for u, d in ((5.0, 6.0), (None, None))]
    other = SimpleNamespace(entrant="control", ur=9.0, distance=5.0)
    search = SimpleNamespace(base="mnist-ve", forget="3,7", ur=24.0, distance=4.0, budget=SimpleNamespace(n=400))
    search.candidates, search.of, search.best = [*tried, other], lambda name: tried, lambda name: tried[0]
    text = searched_table(search, (0.9, 0.5)).to_html()
    assert "<b>5.0 %, 1.50</b>" in text and "broke" in text and "c = 0.9" in text and "control" not in text
    with pytest.raises(ValueError, match="shorter"):
        searched_table(search, (0.9, 0.5, 0.1))
