"""Temporary pages for the tests of execution."""

from pathlib import Path

import jupytext

PAGE = """\
# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A page

# %% tags=["parameters"]
profile = "smoke"
alpha = 0.5
steps = [1, 2]

# %%
import sys

IMPORTS
print("a log line", file=sys.stderr)
if alpha < 0:
    raise ValueError(f"alpha={alpha} is not allowed: 0 or more expected")

# %%
print(profile, alpha + 1, type(alpha).__name__)

# %% [markdown] tags=["solution"]
# The solution.
"""


def write_page(folder: Path, name: str, imports: str = "", **replace: str) -> None:
    """Write a page and its pair; ``replace`` changes the defaults of parameters."""
    text = PAGE.replace("IMPORTS", imports)
    for parameter, value in replace.items():
        text = "\n".join(
            f"{parameter} = {value}" if line.startswith(f"{parameter} = ") else line for line in text.split("\n")
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(text)
    jupytext.write(jupytext.reads(text, fmt="py:percent"), folder / f"{name}.ipynb")
