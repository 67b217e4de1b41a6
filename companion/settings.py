"""The base class of every page's settings: frozen, strict about names, with one-line errors."""

from typing import Any, Self

import pydantic

__all__ = ["Settings"]


class Settings(pydantic.BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """A frozen model that refuses unknown fields. Use :meth:`checked` for values that come from a reader."""

    @classmethod
    def checked(cls, **values: Any) -> Self:
        """Make the settings, or raise a one-line ``ValueError`` with the parameter, its value, and what is allowed."""
        try:
            return cls(**values)
        except pydantic.ValidationError as error:
            message = "; ".join(_sentence(cls, problem) for problem in error.errors(include_url=False))
        raise ValueError(message)  # outside the except block, so that pydantic's own text is not shown above it


def _sentence(settings: type[Settings], problem: Any) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    text = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "missing":
        return f"{name} is missing"
    if problem["type"] == "extra_forbidden":
        return f"{name} is not a parameter; there are {', '.join(settings.model_fields)}"
    if problem["type"] == "value_error":  # from one of our own validators, whose message is a sentence already
        return f"{name}={problem['input']!r} is not allowed: {text}" if name else text
    if problem["type"] == "literal_error":
        return f"{name}={problem['input']!r} is not one of {_choices(problem['ctx']['expected'])}"
    expected = text.removeprefix("Input should be ").removeprefix("a ").removeprefix("an ")
    return f"{name}={problem['input']!r} is not allowed: {expected} expected"


def _choices(expected: str) -> str:
    return expected.replace(" or ", ", ").replace("'", "")
