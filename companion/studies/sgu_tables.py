"""The settings of SGU's Tables 2 and 3, what stands for them here, and the models that they compare."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from companion import bases, checkpoints
from companion.comparison.course_results import model_file
from companion.comparison.courses import Course, course
from companion.store import Store
from paperlib.data.splits import forgotten

__all__ = ["METHODS", "SETTINGS", "Models", "Setting", "chosen"]

#: The tables' columns, and ours; with their titles.
METHODS = {
    "standard": "Standard",
    "sgu_orthogonal": "Orthogonal",
    "sgu_obtuse": "Obtuse",
    "unseen": "Unseen",
    "redirect": "redirect (ours)",
}


@dataclass(frozen=True)
class Setting:
    """One data set of the tables.

    Args:
        paper: as the claims name data set and process.
        words: what is to be forgotten, in the paper's words.
        small: a base model of an embedded set that stands for it, and its words.
        real: the base model of the data themselves; empty where there is none, and ``why``.
    """

    paper: str
    words: tuple[str, ...]
    small: tuple[str, tuple[str, ...]]
    real: str = ""
    why: str = ""


SETTINGS = {
    "mnist": Setting("mnist/vesde", ("3", "7"), ("digits-ve", ("3", "7")), "mnist-ve"),
    "cifar10": Setting("cifar10/vpsde", ("dog", "automobile"), ("shapes-vp", ("square", "disc")), "cifar10-vp"),
    "stl10": Setting(
        "stl10/vpsde",
        ("airplane",),
        ("shapes-vp", ("arrow",)),
        why="neither STL-10 nor a model of it is at hand",
    ),
    "celeba": Setting(
        "celeba/vpsde",
        ("bangs",),
        ("avatars-vp", ("bangs",)),
        why="no weights trained on CelebA are kept here, for its licence; avatars stand for it",
    ),
}


def chosen(dataset: str, forget: str) -> list[str]:
    """The settings that a page's parameters ask for, "all" or names with commas between; another ``forget`` belongs
    to one of them."""
    asked = list(SETTINGS) if dataset == "all" else [name.strip() for name in dataset.split(",")]
    if unknown := [name for name in asked if name not in SETTINGS]:
        raise ValueError(f"dataset={unknown[0]!r} is not one of all, {', '.join(SETTINGS)}")
    if len(asked) > 1 and forget:
        raise ValueError(f"forget={forget!r} belongs to one data set: dataset={dataset!r} has its own for each")
    return [name for name in SETTINGS if name in asked]


@dataclass
class Models:
    """The models of one setting: found, or trained now, or the reason why there is none.

    Args:
        setting: of ``SETTINGS``.
        small: whether an embedded set stands for it.
        forget: other words than the setting's, for another class.
    """

    store: Store
    setting: Setting
    small: bool
    forget: str = ""
    base: str = field(init=False)
    words: tuple[str, ...] = field(init=False)
    missing: str = field(init=False)

    def __post_init__(self):
        own = self.setting.small if self.small else (self.setting.real, self.setting.words)
        self.base, self.words = own
        if self.forget:
            self.words = tuple(word.strip() for word in self.forget.split(","))
        self.missing = self.setting.why if not self.base else ""
        if self.base and not checkpoints.card(self.base):
            self.missing = f"its base model, {self.base}, has not been trained yet"

    @property
    def together(self) -> str:
        """What is forgotten, as a page's parameter."""
        return ",".join(self.words)

    def checkpoint(self, method: str, **training) -> tuple[str, str]:
        """A checkpoint to be measured, or else the reason why there is none; one of both is empty.

        ``training`` is of :class:`companion.comparison.courses.Course`, for the methods that unlearn.
        """
        if self.missing:
            return "", self.missing
        if method == "standard":
            return self.base, ""
        if method == "unseen":
            twin = self._twin()
            return twin, "" if twin else f"no model was trained without {self.together}"
        name = "sgu" if method.startswith("sgu") else method
        own = training.pop("settings", {}) | {"loss": method.removeprefix("sgu_")} if name == "sgu" else {}
        training["settings"] = own  # those handed in are SGU's
        wanted = Course.checked(base=self.base, method=name, forget=self.together, **training)
        return str(model_file(course(self.store, wanted))), ""

    def of_seeds(self, method: str, seeds: Sequence[int], **training) -> tuple[list[str], str]:
        """One checkpoint for each seed, or why there is none; Standard and Unseen have one for all seeds."""
        several = [self.checkpoint(method, seed=seed, **training) for seed in seeds]
        return [checkpoint for checkpoint, _ in several], several[0][1]

    def _twin(self) -> str:
        kind = bases.BASES[self.base]
        data = bases.images(kind.dataset, "test")
        asked = forgotten(data, self.together)
        for name, base in bases.BASES.items():
            alike = kind.model_copy(update={"unseen": base.unseen}) == base
            if base.unseen and alike and checkpoints.card(name) and bool((forgotten(data, base.unseen) == asked).all()):
                return name
        return ""
