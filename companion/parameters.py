"""A page's parameters, read from its parameters cell and converted to the types used there.

papermill parses ``-p forget 1`` as a number, a notebook may contain a list, a record a text: each value is converted to
the type of the page's own value, or refused by the parameter's name, before a folder is chosen or anything is run.
"""

import ast
from collections.abc import Mapping
from typing import Any

from companion.code import CHECKOUT

__all__ = ["PROFILES", "check_profile", "defaults", "normalised", "plain_values", "seed_list"]

# The profiles of a run: ``recorded`` shows committed results and computes nothing; the others compute.
PROFILES = ("recorded", "smoke", "laptop", "paper")


def check_profile(profile: Any) -> str:
    """Return the profile, or raise if it is not one."""
    if profile not in PROFILES:
        raise ValueError(f"profile={profile!r} is not one of {', '.join(PROFILES)}")
    return profile


def defaults(page: str) -> dict[str, Any]:
    """Return the plain literals of the ``parameters`` cell of ``notebooks/<page>.py``, including ``profile``."""
    script = CHECKOUT / "notebooks" / f"{page}.py"
    cells = ("\n" + script.read_text(encoding="utf-8")).split("\n# %%")
    cell = next((cell for cell in cells if '"parameters"' in cell.partition("\n")[0]), None)
    if cell is None:
        raise ValueError(f"{script} has no cell that is tagged parameters")
    found = {}
    for statement in ast.parse(cell.partition("\n")[2]).body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for target in targets:
                try:
                    value = ast.literal_eval(statement.value)
                    found[target.id] = _like(target.id, value, value)
                except (ValueError, AttributeError, KeyError):
                    raise ValueError(f"{script}: the parameters cell holds plain literals only") from None
    return found


def plain_values(names: Mapping[str, Any]) -> dict[str, Any]:
    """Return what may be a parameter among a notebook's variables, for use without the page's script."""
    kinds = (bool, int, float, str, list)
    own = {name: value for name, value in names.items() if isinstance(value, kinds)}
    return {name: value for name, value in own.items() if name.islower() and not name.startswith("_")}


def normalised(own: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ``given`` values, each converted to the type of the page's ``own``, and the page's own for the others.

    An unknown name, or a value that cannot be converted, is an error that names both.
    """
    for name in given:
        if name not in own:
            raise ValueError(f"{name} is not a parameter; there are {', '.join(own)}")
    return {name: _like(name, default, given.get(name, default)) for name, default in own.items()}


def _like(name: str, default: Any, value: Any) -> Any:
    """Return ``value`` converted to the type of ``default``."""
    kind = type(default)
    if kind is str and isinstance(value, list | tuple):
        value = ",".join(str(one) for one in value)
    if kind is str and isinstance(value, int | float | str) and not isinstance(value, bool):
        return ",".join(part.strip() for part in str(value).split(","))
    if kind is bool and isinstance(value, bool):
        return value
    if kind in (int, float) and isinstance(value, int | float) and not isinstance(value, bool):
        if kind is float or float(value).is_integer():
            return kind(value)
    if kind is list and isinstance(value, list | tuple):
        return list(value)
    words = {str: "a text", bool: "True or False", int: "an integer", float: "a number", list: "a list"}
    raise ValueError(f"{name}={value!r} is not allowed: {words[kind]} expected, such as {default!r}")


def seed_list(seeds: str, few: int = 1) -> list[int]:
    """Parse the parameter ``seeds``, such as "0,1,2", without repeats; empty means the first ``few`` from 0 on."""
    if not seeds:
        return list(range(few))
    words = seeds.split(",")
    numbers = [int(word) for word in words if word.isdecimal()]
    if len(numbers) < len(words) or len(set(numbers)) < len(numbers):
        raise ValueError(f"seeds={seeds!r} are not different integers from 0 on, separated by commas")
    return numbers
