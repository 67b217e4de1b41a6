"""Ticks of an axis of ratios, where 1 means unchanged."""

from collections.abc import Sequence

from matplotlib.ticker import FixedLocator

__all__ = ["Ratios"]

COARSE = (0.5, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 5, 10, 20, 50)
STEPS = (0.1, 0.05, 0.02, 0.01)
FEWEST = 3  # ticks that an axis should have


class Ratios(FixedLocator):
    """The ticks of ``coarse`` in view or, if they are fewer than three, the multiples of the largest step that gives
    three: distances near 1 are told apart as well as those up to 50."""

    def __init__(self, coarse: Sequence[float] = COARSE) -> None:
        super().__init__(coarse)

    def __call__(self) -> list[float]:
        """Return the ticks in view."""
        return self.tick_values(*sorted(self.axis.get_view_interval()))

    def tick_values(self, vmin: float, vmax: float) -> list[float]:
        """Return the ticks between two ratios."""
        for step in (0, *STEPS):
            multiples = range(int(vmin / step), int(vmax / step) + 1) if step else ()
            ticks = [round(step * k, 2) for k in multiples] or self.locs
            found = [float(tick) for tick in ticks if vmin <= tick <= vmax]
            if len(found) >= FEWEST:
                break
        return found
