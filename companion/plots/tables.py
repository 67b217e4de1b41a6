"""All tables other than the comparisons with a paper, in one style."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    import pandas

__all__ = ["of", "over_interval", "table"]


def table(
    rows: Mapping[Any, Mapping[str, str]], caption: str = "", *, size: float = 0.8, words: bool = False
) -> "pandas.io.formats.style.Styler":
    """Return a table for the book, a pandas Styler that can be styled further.

    Args:
        rows: row name -> column name -> cell. A cell is shown as it is, HTML included. A tuple as a row name makes an
            index of several levels.
        caption: the text above the table.
        size: font size in rem; smaller for a table with many columns.
        words: whether the cells are words, aligned left, instead of numbers.
    """
    cells = {"font-size": f"{size}rem", "padding": f"{size / 4:.2f}rem {size / 2:.2f}rem", "white-space": "normal"}
    cells |= {"text-align": "left", "vertical-align": "top"} if words else {}
    styles = {
        "th, td": cells,
        "small": {"font-size": f"{0.85 * size:.2f}rem", "font-weight": "normal", "white-space": "nowrap"},
    }
    style = pd.DataFrame(rows).T.style.set_caption(caption).set_table_attributes('class="comparison"')
    return style.set_table_styles([{"selector": at, "props": list(props.items())} for at, props in styles.items()])


def of(data: str, forget: str, process: str = "") -> str:
    """Return a data set's title with what is forgotten from it below, as a row's name."""
    words = ", ".join(filter(None, [process, forget.replace(",", " and ")]))
    return f"{data}<br><small>{words}</small>"


def over_interval(value: float, low: float, high: float, decimals: int = 2) -> str:
    """Return a number with its interval on a line below it."""
    number, below, above = (f"{one:.{decimals}f}" for one in (value, low, high))
    return f"{number}<br><small>[{below},&thinsp;{above}]</small>"
