"""Runs with looks: the outcome of each, in the order in which they ran, with seeds kept apart."""

from types import SimpleNamespace

import pytest

from companion.plots import course_curves, courses_table, endings


def look(update, ur, distance=None, error=0.1):
    kept = {} if distance is None else {"distance": distance, "distance_interval": [0.9 * distance, 1.1 * distance]}
    return {"update": update, "ur": ur, "ur_interval": [0.9 * ur, 1.1 * ur], "L_f": error, **kept}


def record(*seeds):
    looks = [look(0, 9.0, 2.0), look(5, 3.0, 8.0), look(10, 3.1, 2.5), look(20, 0.0)]
    run = {"process": "ve", "method": "redirect", "looks": looks, "window": [10], "stopped": ""}
    return SimpleNamespace(
        title="digits", series={"runs": [run | ({"seed": seed} if seeds[1:] else {}) for seed in seeds]}
    )


def test_a_class_is_forgotten_from_a_third_of_the_share_before_on():
    assert endings(record(0))["ve", "redirect"]["forgotten"] == [5, 20]


def test_distances_are_in_that_of_the_base_model_as_far_as_there_are_any():
    end = endings(record(0))["ve", "redirect"]
    assert end["farthest"] == pytest.approx(4) and end["ur"] == 0.0 and end["kept"] == [10]
    assert "distance" not in end and "farther" not in end  # of the last look
    assert courses_table(record(0)).data.loc[("VE", "redirect"), "relative distance"] == ""


def test_each_seed_has_a_row_and_each_method_one_line_of_the_legend():
    assert list(endings(record(0, 3))) == [("ve", "redirect, seed 0"), ("ve", "redirect, seed 3")]
    figure = course_curves(record(0, 3), title="")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["redirect"]
    assert len(figure.axes[0].lines) == 3  # two runs and the bound
