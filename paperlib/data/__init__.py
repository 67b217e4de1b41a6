"""Data: the exact Gaussian mixture, and embedded and real image sets."""
