"""The frontier of forgetting in the unit of SGU's Table 1, and a table of how far models get towards it."""

from typing import Any

import numpy as np

from companion.claims.table import NOTHING
from companion.plots.style import LABELS
from companion.plots.tables import over_interval, table
from companion.records import Record, Value
from companion.studies.mixture_measures import in_nats, in_table
from paperlib.data.frontier import LAMBDA_MIN, frontier, largest_forgetting

__all__ = ["curve", "frontier_table", "largest"]


def largest(kept: float) -> float:
    """Return the largest D_f of any density with a D_g of ``kept``, in bits/dim + 8.

    No density has a D_g below the entropy of p_g, but a measured one may, by the error of its test points; the answer
    is then that of p_g itself.
    """
    least = in_table(frontier(1)[0, 0]) + 1e-9
    return in_table(largest_forgetting(in_nats(max(kept, least))))


def curve() -> np.ndarray:
    """Return (D_g, D_f) along the frontier in bits/dim + 8, [N, 2]: the curved part and the end of the line after
    it."""
    curved = [(in_table(kept), in_table(forgotten)) for kept, forgotten in frontier()]
    return np.array([*curved, (11.2, largest(11.2))])


def frontier_table(record: Record) -> Any:
    """Return a table with one row per model of the record: its setting, its pair, and how much of the way from the
    retrained model's D_f to the frontier it covers, at its own D_g and at the page's price."""
    retrained = record.find(method="unseen", test="D_f").value
    rows = {}
    for kept in record.all(test="D_g"):
        forgotten = record.find(method=kept.method, test="D_f")
        ends = [largest(kept.value), largest(record.parameters["price"])]
        parts = [f"{100 * (forgotten.value - retrained) / (end - retrained):.0f} %" for end in ends]
        rows[LABELS[kept.method.removeprefix("sgu_")]] = {
            "setting": _setting(kept),
            "D_g": _number(kept, 3),
            "D_f": _number(forgotten, 2),
            "frontier": f"{ends[0]:.2f}",
            **dict(zip(("of the way", "at the price"), [NOTHING] * 2 if kept.method == "unseen" else parts)),
        }
    return table(rows, f"{record.title}. In bits/dim + 8; in brackets: 95 % intervals over seeds.")


def _number(value: Value, decimals: int) -> str:
    return over_interval(value.value, *value.interval, decimals) if value.interval else f"{value.value:.{decimals}f}"


def _setting(value: Value) -> str:
    if "alpha" in value.protocol:
        return f"α = {value.protocol['alpha']:g}"
    if "w" in value.protocol:
        return f"w = {value.protocol['w']:g}"
    if "lam" not in value.protocol:
        return "retrained"
    lam = value.protocol["lam"]
    stopped = value.method == "signed" and lam < LAMBDA_MIN
    return f"λ = {lam:g}" + "<br><small>early-stopped</small>" * stopped
