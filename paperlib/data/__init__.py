"""Data: the exact mixture; embedded and real image sets come with the image pages."""
