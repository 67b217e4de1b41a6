"""The figure and the table of alpha: printed numbers are those of the claims, and belong to their data alone."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import pytest

from companion.plots.sgu_sweep import alpha_sweep, alpha_table, at, best, printed_steps

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


def test_the_figure_has_a_line_a_loss_and_lines_of_what_is_printed():
    figure = alpha_sweep(RECORD, title="x")
    ur, distance, D_g, D_f = figure.axes
    drawn = {line.get_label(): line for line in ur.get_lines()}
    assert {"orthogonal, paper", "obtuse, paper", "printed: obtuse", "the rule's bound"} <= drawn.keys()
    assert list(drawn["orthogonal, paper"].get_xdata()) == pytest.approx([0.07, 0.89])
    assert list(drawn["orthogonal, paper"].get_ydata()) == [6.0, 0.0] and drawn["printed: obtuse"].get_ydata()[0] == 5.1
    assert next(iter(D_f.get_lines())).get_ydata()[0] == 5.0
    plt.close(figure)
