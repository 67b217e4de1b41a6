import numpy as np
import pytest

from companion.page import recorded
from companion.plots import LABELS
from companion.studies.mixture_frontier import curve, frontier_table, largest
from companion.studies.mixture_measures import in_table
from paperlib.data.frontier import LAMBDA_MIN, touching_point


@pytest.mark.parametrize("lam", [LAMBDA_MIN + 0.1, 60.0, 1000.0])
def test_the_largest_forgetting_at_a_touching_points_price_is_its_own(lam):
    kept, forgotten = (in_table(nats) for nats in touching_point(lam))
    assert largest(kept) == pytest.approx(forgotten, abs=1e-4)


def test_a_pair_below_the_entropy_of_p_g_is_granted_what_p_g_has():
    assert largest(10.0) == largest(10.5) == pytest.approx(in_table(touching_point(1e9)[1]), abs=1e-2)


def test_the_frontier_rises_with_the_price_and_bends_down():
    points = curve()
    slopes = np.diff(points[:, 1]) / np.diff(points[:, 0])
    assert (np.diff(points, axis=0) > 0).all() and (np.diff(slopes) < 1e-3 * slopes[:-1]).all()


def test_the_table_has_a_row_a_model_and_the_retrained_one_is_where_the_way_begins():
    record = recorded("ours_mixture_frontier")
    cells = frontier_table(record).data
    assert len(cells) == len(record.all(test="D_g"))
    assert list(cells.loc[LABELS["unseen"], ["setting", "of the way", "at the price"]]) == ["retrained", "—", "—"]
    assert "early-stopped" in cells.loc["signed (after SISS)", "setting"]  # lambda is below e^4
    assert cells.loc["redirect (after ReTrack)", "setting"] == "λ = 25"
