"""Evaluation of a model: its samples, its likelihoods, and every measure with its interval and protocol."""
