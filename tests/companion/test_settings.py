from typing import Literal

import pydantic
import pytest

from companion.settings import Settings


class Example(Settings):
    steps: int = pydantic.Field(100, gt=0)
    alpha: float = pydantic.Field(0.5, gt=0, lt=1)
    variant: Literal["paper", "code"] = "paper"

    @pydantic.field_validator("steps")
    @classmethod
    def even(cls, steps):
        if steps % 2:
            raise ValueError("an even number expected")
        return steps


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": -5}, "steps=-5 is not allowed: greater than 0 expected"),
        ({"steps": 3}, "steps=3 is not allowed: an even number expected"),
        ({"steps": "many"}, "steps='many' is not allowed: "),
        ({"alpha": 1.5}, "alpha=1.5 is not allowed: less than 1 expected"),
        ({"alpha": float("nan")}, "alpha=nan is not allowed: "),
        ({"variant": "foo"}, "variant='foo' is not one of paper, code"),
        ({"step": 4}, "step is not a parameter; there are steps, alpha, variant"),
    ],
)
def test_an_error_is_one_line_with_name_value_and_what_is_allowed(values, message):
    with pytest.raises(ValueError) as caught:
        Example.checked(**values)
    assert type(caught.value) is ValueError
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value) and "pydantic" not in str(caught.value)
    assert caught.value.__context__ is None


def test_two_errors_are_both_named():
    with pytest.raises(ValueError, match="steps=-2 .*; variant='foo'"):
        Example.checked(steps=-2, variant="foo")


def test_settings_are_frozen():
    with pytest.raises(pydantic.ValidationError):
        Example.checked().steps = 3
