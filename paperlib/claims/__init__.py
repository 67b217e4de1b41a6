"""What the three papers print, cell by cell, and the comparison of it with what was measured."""

from paperlib.claims.printed import Claim, Metric, load, metrics, split

__all__ = ["Claim", "Metric", "load", "metrics", "split"]
