"""Every table that is no comparison with a paper, in one style."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    import pandas

__all__ = ["over_interval", "table"]


def table(
    rows: Mapping[Any, Mapping[str, str]], caption: str = "", *, size: float = 0.8, words: bool = False
) -> "pandas.io.formats.style.Styler":
    """Return a table for the book, pandas's own: it can be styled further.

    Args:
        rows: each row's name, and its cells by their columns' names. A cell is shown as it is, HTML included. A name
            that is a tuple makes an index of several levels.
        caption: stands above it.
        size: of the letters, in rem; smaller for a table of many columns.
        words: the cells are words, which stand at the left, and not numbers.
    """
    cells = {"font-size": f"{size}rem", "padding": f"{size / 4:.2f}rem {size / 2:.2f}rem", "white-space": "normal"}
    cells |= {"text-align": "left", "vertical-align": "top"} if words else {}
    styles = {
        "th, td": cells,
        "small": {"font-size": f"{0.85 * size:.2f}rem", "font-weight": "normal", "white-space": "nowrap"},
    }
    style = pd.DataFrame(rows).T.style.set_caption(caption).set_table_attributes('class="comparison"')
    return style.set_table_styles([{"selector": at, "props": list(props.items())} for at, props in styles.items()])


def over_interval(value: float, low: float, high: float, decimals: int = 2) -> str:
    """A number, and its interval on a line of its own below it."""
    number, below, above = (f"{one:.{decimals}f}" for one in (value, low, high))
    return f"{number}<br><small>[{below},&thinsp;{above}]</small>"
