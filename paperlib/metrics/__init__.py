"""Measures of samples: their distance from data, their diversity, and what a classifier still finds in them.

The networks that judge images are passed in. Results are objects with a value and, where there is one, its interval.
"""
