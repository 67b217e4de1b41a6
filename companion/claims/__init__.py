"""What the three papers print, cell by cell, compared with what was measured."""

from companion.claims.printed import KEYS, Claim, Metric, join, load, matches, metrics, rivals, split, tolerance

__all__ = ["KEYS", "Claim", "Metric", "join", "load", "matches", "metrics", "rivals", "split", "tolerance"]
