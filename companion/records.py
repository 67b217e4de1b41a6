"""The record of a page: what was measured, how, and by which code.

A record is one JSON file, written by the page and checked whenever it is read: no null, no NaN, no duplicate id. An id
of the papers (``sgu.tab1/D_g/standard``) may be used only for what that cell is about: its data set, forgotten class,
method, metric and unit. Everything else belongs to the page, as ``ours.<page>/<row>/<column>``.
"""

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any, Literal, Self

import pydantic

from companion import claims
from companion.claims.names import data_title
from companion.units import WITHOUT, seed_interval, sources
from paperlib.files import write_whole

__all__ = ["NotRun", "Provenance", "Record", "RecordError", "Value", "interval_over_seeds", "measured", "plain"]


class RecordError(ValueError):
    """An invalid record; the message is one sentence for the page's author."""


class _Strict(pydantic.BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    pass


class Value(_Strict):
    """One measured number.

    ``protocol`` says how it was measured, where that differs from the paper or matters. For a paper's id it must
    contain ``metric`` and, if the claim has one, ``forget``.
    """

    claim: str
    value: float
    unit: str
    n: int = pydantic.Field(gt=0)  # samples behind the value of one seed
    ci95: tuple[float, float] | None  # None with a single seed, and for units without an interval
    seeds: list[int] = pydantic.Field(min_length=1)
    per_seed: list[float]
    dataset: str
    method: str
    protocol: dict[str, Any]

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval over seeds or, with a single seed, over its images; None if neither is known."""
        images = self.protocol.get("ci95_images")  # [low, high], or one such pair per seed
        if self.ci95 or not images:
            return self.ci95
        return tuple(images[0] if isinstance(images[0], list | tuple) else images)

    def has(self, **facts: Any) -> bool:
        """Return whether the value has all these facts."""
        own = {"dataset": self.dataset, "method": self.method, "unit": self.unit}
        return all((own | self.protocol).get(name) == value for name, value in facts.items())

    @pydantic.model_validator(mode="after")
    def _seeds_agree(self) -> Self:
        if len(self.seeds) != len(self.per_seed) or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"{self.claim}: one value for each seed, and no seed twice")
        if (self.ci95 is None) != (len(self.seeds) == 1 or self.unit in WITHOUT):
            raise ValueError(f"{self.claim}: ci95 is null with one seed and of {', '.join(WITHOUT)}, and only there")
        if self.ci95 is not None and not self.ci95[0] <= self.value <= self.ci95[1]:
            raise ValueError(f"{self.claim}: the value {self.value} lies outside of its interval")
        return self


class NotRun(_Strict):
    """A number that was not measured, and why."""

    claim: str
    status: Literal["not run"] = "not run"
    reason: str = pydantic.Field(min_length=1)


class Provenance(_Strict):
    """Where a record comes from."""

    commit: str  # "unknown" on a copy without git
    dirty: bool  # uncommitted changes outside results/ and checkpoints/; true if unknown
    source_sha256: str  # the paperlib modules that the page imports, and the page
    versions: dict[str, str]
    device: str
    seconds: float
    peak_memory_mb: float
    date: str
    checkpoints: dict[str, str] = {}  # those used, with the beginning of their sha256; not in old records


def _kind(value: Any) -> str:
    return "not run" if isinstance(value, NotRun) or (isinstance(value, dict) and "status" in value) else "value"


class Record(_Strict, populate_by_name=True):
    """Everything that a page measured in one run."""

    schema_: Literal[1] = pydantic.Field(1, alias="schema")
    page: str
    profile: Literal["smoke", "laptop", "paper"]
    parameters: dict[str, Any]
    provenance: Provenance
    values: list[
        Annotated[
            Annotated[Value, pydantic.Tag("value")] | Annotated[NotRun, pydantic.Tag("not run")],
            pydantic.Discriminator(_kind),
        ]
    ]
    series: dict[str, Any] = {}
    images: list[str] = []

    @pydantic.model_validator(mode="after")
    def _is_sound(self) -> Self:
        for claim, count in Counter(value.claim for value in self.values).items():
            if count > 1:
                raise ValueError(f"{claim} stands {count} times in the record")
        for value in self.values:
            _check_claim(value, self.page)
            for place, part in _leaves(getattr(value, "protocol", {}), f"{value.claim}: protocol"):
                _check_leaf(place, part)
        for place, part in [*_leaves(self.parameters, "parameters"), *_leaves(self.series, "series")]:
            _check_leaf(place, part)
        for image in self.images:
            if Path(image).name != image or not (image.startswith(self.page) and image.endswith(".png")):
                raise ValueError(f"images: {image!r} is not of the form {self.page}-<what>.png")
        return self

    def __getitem__(self, claim: str) -> Value | NotRun:
        """Return the value measured for a claim's id."""
        for value in self.values:
            if value.claim == claim:
                return value
        raise KeyError(claim)

    @property
    def title(self) -> str:
        """The data sets, seeds and profile behind its numbers. Data sets whose seeds differ have each their own."""
        seeds: dict[str, set[int]] = {}
        for value in self.values:
            if isinstance(value, Value):
                seeds.setdefault(data_title(value.dataset), set()).update(value.seeds)
        alike = len(set(map(frozenset, seeds.values()))) == 1
        parts = [name if alike else f"{name} ({_seeds(own)})" for name, own in seeds.items()]
        parts += [_seeds(next(iter(seeds.values())))] if alike else []
        return ", ".join([*parts, f"profile {self.profile}"])

    @property
    def caption(self) -> str:
        """The title, and what the intervals are taken over."""
        held = sources([value for value in self.values if isinstance(value, Value)])
        return f"{self.title}. {held}".strip()

    def find(self, **facts: Any) -> Value:
        """Return the one value with these facts (``dataset``, ``method``, and those of its protocol), or raise."""
        found = [value for value in self.values if isinstance(value, Value) and value.has(**facts)]
        if len(found) != 1:
            told = ", ".join(f"{name}={value!r}" for name, value in facts.items())
            raise KeyError(f"{len(found)} values of {self.page} have {told}; one is asked for")
        return found[0]

    def all(self, **facts: Any) -> list[Value]:
        """Return every value with these facts, in the record's order."""
        return [value for value in self.values if isinstance(value, Value) and value.has(**facts)]

    @classmethod
    def checked(cls, **facts: Any) -> Self:
        """Make a record, or raise a :class:`RecordError` whose message has one sentence per problem."""
        try:
            return cls(**facts)
        except pydantic.ValidationError as error:
            problems = [_sentence(problem) for problem in error.errors(include_url=False)]
        raise RecordError("; ".join(problems))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read and check the record at ``path``."""
        try:
            return cls.checked(**json.loads(Path(path).read_text(encoding="utf-8")))
        except (RecordError, json.JSONDecodeError, TypeError) as error:
            raise RecordError(f"{path}: {error}") from None

    def write(self, path: Path) -> None:
        """Write the record atomically: a reader sees the old file or the new one."""
        write_whole(Path(path), _layout(self.model_dump(mode="json", by_alias=True)))


def measured(
    claim: str,
    per_seed: Sequence[float],
    *,
    seeds: Sequence[int],
    unit: str,
    n: int,
    dataset: str,
    method: str,
    protocol: dict[str, Any],
) -> Value:
    """Return the mean over seeds with its 95 % interval (:func:`companion.units.seed_interval`), if there are several.

    Args:
        claim: an id of the papers, or ``ours.<page>/<row>/<column>``.
        per_seed: one value for each of ``seeds``, in their order.
        unit: as in the claim, for a paper's id.
        n: the number of samples behind the value of one seed.
        dataset: as in the claim, for a paper's id.
        method: as in the claim, for a paper's id.
        protocol: how it was measured; ``metric`` and ``forget`` are required for a paper's id. ``shared`` names the
            images that all seeds use, if they use the same ones; ``ci95_images`` has each seed's own interval.
    """
    numbers = [float(value) for value in per_seed]
    if not numbers or not all(math.isfinite(number) for number in numbers):
        raise RecordError(f"{claim}: finite numbers expected, not {numbers}")
    facts = {"unit": unit, "n": n, "dataset": dataset, "method": method, "protocol": plain(protocol)}
    try:
        return Value(
            claim=claim,
            value=fmean(numbers),
            ci95=interval_over_seeds(numbers, unit=unit, n=n, protocol=protocol),
            seeds=[*seeds],
            per_seed=numbers,
            **facts,
        )
    except pydantic.ValidationError as error:
        problems = [f"{claim}: {_sentence(problem)}" for problem in error.errors(include_url=False)]
    raise RecordError("; ".join(problems))


def _seeds(several: set[int]) -> str:
    """Write seeds: "seed 0", "seeds 0, 1, 2", "seeds 0 to 19"."""
    numbers = sorted(several)
    words = ", ".join(map(str, numbers)) if len(numbers) < 6 else f"{numbers[0]} to {numbers[-1]}"
    return f"seed{'s' * (len(numbers) > 1)} {words}"


def interval_over_seeds(
    values: Sequence[float], *, unit: str, n: int, protocol: dict[str, Any]
) -> tuple[float, float] | None:
    """Return the ``ci95`` that follows from a value's other facts."""
    images = protocol.get("ci95_images", ())
    known = [one for one in images if isinstance(one, list | tuple)]  # leaves out a single seed's [low, high]
    facts = {"metric": protocol.get("metric", ""), "shared": bool(protocol.get("shared"))}
    return seed_interval(values, unit=unit, n=n, images=known, **facts)


def plain(value: Any) -> Any:
    """Turn tensors, arrays, tuples and settings into JSON types; anything else is refused when the record is made."""
    if isinstance(value, pydantic.BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value.tolist() if hasattr(value, "tolist") else value


def _check_claim(value: Value | NotRun, page: str) -> None:
    table, _, _ = claims.split(value.claim)
    if table == f"ours.{page}":
        return
    claim = claims.load().get(value.claim)
    if claim is None:
        raise ValueError(f"{value.claim} is neither a claim of the papers nor of the form ours.{page}/<row>/<column>")
    if isinstance(value, NotRun):
        return
    own = {"dataset": value.dataset, "method": value.method, "unit": value.unit}
    if differs := claims.matches(claim, value.protocol | own):
        raise ValueError(f"{value.claim} is about {differs}: record it as ours.{page}/...")


def _leaves(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict | list | tuple):
        for name, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(part, f"{place}.{name}")
    else:
        yield place, value


def _check_leaf(place: str, value: Any) -> None:
    if value is None:
        raise ValueError(f"{place} is null")
    if not isinstance(value, bool | int | float | str):
        raise ValueError(f"{place} is a {type(value).__name__}, not a number, text, list or dict")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{place} is {value}")


def _sentence(problem: Any) -> str:
    place = ".".join(str(part) for part in problem["loc"])
    text = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "value_error":
        return text
    if problem["type"] == "missing":
        return f"{place} is missing"
    return f"{place}={problem['input']!r}: {text[:1].lower()}{text[1:]}"


def _layout(value: Any, indent: str = "") -> str:
    """Format as JSON. Keys keep their order, which figures use; a list of numbers takes one line."""
    inner = indent + " "
    if isinstance(value, dict) and value:
        lines = [f"{inner}{json.dumps(name)}: {_layout(part, inner)}" for name, part in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(part, dict | list) for part in value):
        return "[\n" + ",\n".join(inner + _layout(part, inner) for part in value) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
