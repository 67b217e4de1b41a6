"""What the three papers print, cell by cell, and the comparison of it with what was measured."""

from companion.claims.printed import KEYS, Claim, Metric, join, load, matches, metrics, rivals, split, tolerance

__all__ = ["KEYS", "Claim", "Metric", "join", "load", "matches", "metrics", "rivals", "split", "tolerance"]
