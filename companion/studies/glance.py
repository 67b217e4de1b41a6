"""A first look at any unlearning run: train it, sample before and after from the same noise, and measure both.

::

    glance = Glance("digits-ddpm-labels", "3", n=200, evaluations=10, seed=0)
    run = salun(glance.model, glance.D_f, glance.D_g, generator=generator, steps=100)
    glance.look("salun", run)

It is not a comparison of methods, which needs several seeds, enough samples and tuned settings for each.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from companion import bases
from companion.comparison.entrants import ENTRANTS
from companion.evaluation.observer import SameNoise
from companion.plots.glance import cost_and_result, strip_of, strip_page
from companion.plots.images import contact_sheet
from companion.seeds import generator
from paperlib.data.images import Examples
from paperlib.data.splits import split
from paperlib.denoiser import Denoiser
from paperlib.metrics.forgetting import Forgetting
from paperlib.metrics.frechet import Frechet
from paperlib.training import Training

if TYPE_CHECKING:
    from companion.page import Page

__all__ = ["TITLES", "Glance", "Look", "Seen"]

COLUMNS = 15  # in the strips of images

#: The titles of everything that a page looks at, by name.
TITLES: dict[str, str] = {name: entrant.title for name, entrant in ENTRANTS.items()}


@dataclass(frozen=True, eq=False)
class Seen:
    """The results of a look at one model.

    Args:
        name: "before", or a key of :data:`TITLES`.
        images: its samples, uint8 [n, C, H, W]; pixels that are not finite are grey.
        shown: which of them show D_f according to the classifier, bool [n].
        ur: their share in percent, with its interval and the classifier's floor.
        asked: the same for the images conditioned on D_f; None for an unconditional model.
        distance: the distance of the other images from real retained images in the classifier's features; for an
            unconditional model, of all its images.
        lr: the optimiser's learning rate.
        updates: the number of updates of the run.
        evaluations: gradient evaluations of all updates, as the run counted them.
        beforehand: gradient evaluations before the first update, within the run.
        seconds: the duration of the run.
        stopped: why the run ended early; empty if it did not.
    """

    name: str
    images: Tensor
    shown: Tensor
    ur: Forgetting
    asked: Forgetting | None
    distance: Frechet
    lr: float = 0.0
    updates: int = 0
    evaluations: int = 0
    beforehand: int = 0
    seconds: float = 0.0
    stopped: str = ""

    @property
    def facts(self) -> dict[str, Any]:
        """The run's facts for a record; empty for the model before."""
        names = () if self.name == "before" else ("lr", "updates", "evaluations", "beforehand")
        return {name: getattr(self, name) for name in names}

    @property
    def told(self) -> dict[str, Any]:
        """What figures and tables show, for the record's series ``looked``."""
        low, high = self.distance.interval
        found = {"ur": self.ur.value, "ur_low": self.ur.interval[0], "ur_high": self.ur.interval[1]}
        found |= {"asked": self.asked.value} if self.asked else {}
        found |= {"distance": self.distance.value, "low": low, "high": high}
        names = ("updates", "evaluations", "beforehand", "seconds", "stopped")
        return found | {name: getattr(self, name) for name in names}

    def __str__(self) -> str:
        return cost_and_result(self.told)


@dataclass(frozen=True)
class Look:
    """What a page shows for one method: the recorded result, if there is one, and what was just seen."""

    name: str
    seen: Seen | None  # None: not run
    html: str = ""

    def __str__(self) -> str:
        return str(self.seen) if self.seen else "not among the methods of this run"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.html or str(self)


class Glance:
    """One base model, the classes to forget, and the same noise for every look.

    Args:
        base: a committed base model, with or without labels.
        forget: classes, named as in a page's parameter.
        n: the number of images per look; with labels, the classes take turns.
        evaluations: network evaluations per image, by iPNDM.
        seed: the seed of the noise and of the bootstrap.
        methods: the names to look at; nothing is computed for others.
        page: the page of these looks. It may have a record to show, and if it computes nothing, nothing is run.
    """

    def __init__(
        self,
        base: str,
        forget: str,
        *,
        n: int,
        evaluations: int,
        seed: int,
        methods: Collection[str] = tuple(TITLES),
        page: "Page | None" = None,
    ):
        if n < 20:
            raise ValueError(f"n={n} is below 20")
        if base not in bases.BASES:
            raise ValueError(f"{base} is not one of {', '.join(bases.BASES)}")
        self.model: Denoiser = bases.load(base)
        self.base, self.forget, self.n, self.evaluations, self.seed = base, forget, n, evaluations, seed
        self.methods, self.page, self.kind = methods if page is None or page.computes else (), page, bases.BASES[base]
        train = bases.images(self.kind.dataset, "train")
        self.D_g, self.D_f = (bases.examples(self.kind, side) for side in split(train, forget))  # retained, forgotten
        self.everything: Examples = bases.examples(self.kind, train)
        self.labels = torch.arange(n) % len(train.classes) if self.kind.labels else None
        self.looks: dict[str, Seen] = {}

    @cached_property
    def observer(self) -> SameNoise:
        """The observer that all looks share."""
        settings = {"n": self.n, "evaluations": self.evaluations, "seed": self.seed, "stream": "glance"}
        return SameNoise(self.model, self.kind, self.forget, **settings)

    @cached_property
    def before(self) -> Seen:
        """The look at the base model."""
        return self._seen("before", self.model)

    @cached_property
    def real(self) -> Frechet:
        """The distance of real retained training images, as many as are measured for a model."""
        order = torch.randperm(len(self.D_g), generator=generator(self.seed, "glance/real", "evaluation"))
        return self.observer.distance(self.D_g.images.images[order[: int(self.measured.sum())]])

    @property
    def wanted(self) -> Tensor:
        """Which images are conditioned on D_f, bool [n]; none for an unconditional model."""
        if self.labels is None:
            return torch.zeros(self.n, dtype=torch.bool)
        return torch.isin(self.labels, torch.tensor(self.observer.classes))

    @property
    def measured(self) -> Tensor:
        """Which images the distance is taken over, bool [n]."""
        return ~self.wanted

    @property
    def columns(self) -> Tensor:
        """The images of a strip, six conditioned on D_f and then the others."""
        asked, others = (torch.nonzero(mask)[:, 0] for mask in (self.wanted, ~self.wanted))
        return torch.cat([asked[:6], others])[:COLUMNS]

    @property
    def facts(self) -> dict[str, Any]:
        """The facts that all rows of a record share."""
        own = {"base": self.base, "dataset": self.kind.dataset, "process": self.kind.process, "forget": self.forget}
        return own | {"sampler": "iPNDM", "sampler_evaluations": self.evaluations, "floor": self.before.ur.floor.value}

    def look(self, name: str, run: Training | Callable[[], Training]) -> Look:
        """Finish the run, look at its model, and keep the result in ``looks``.

        ``run`` may be a function that makes the run; it is not called if the method is not among those looked at. A run
        whose loss becomes non-finite ends there, with the weights before that update.
        """
        if name not in TITLES:
            raise ValueError(f"name={name!r} is not one of {', '.join(TITLES)}")
        if name in self.methods:
            run = run() if callable(run) else run
            self.looks[name] = self._seen(name, run.model, **_taken_to_its_end(run), lr=run.lr)
        return Look(name, self.looks.get(name), self._html(name))

    def series(self) -> dict[str, Any]:
        """Return the series that the page's figures read; ``frames`` says which images of a strip show D_f."""
        seen, floor = {"before": self.before, **self.looks}, self.before.ur.floor
        real = {"ur": floor.value, "ur_low": floor.interval[0], "ur_high": floor.interval[1]}
        return {
            "order": list(self.looks),
            "titles": {name: TITLES[name] for name in self.looks},
            "asked": [] if self.labels is None else self.labels[self.columns],
            "frames": {name: one.shown[self.columns] for name, one in seen.items()},
            "looked": {name: one.told for name, one in seen.items()},
            "real": real | {"distance": self.real.value, "high": self.real.interval[1]},
            "forget": self.forget,
        }

    def sheet(self) -> Any:
        """Return a contact sheet with one row per model, starting with the one before unlearning."""
        return self._sheet({"before": self.before, **self.looks})

    def _sheet(self, seen: Mapping[str, Seen]) -> Any:
        rows = {name: one.images[self.columns] for name, one in seen.items()}
        return contact_sheet(rows, columns=len(self.columns), scale=4)

    def _html(self, name: str) -> str:
        seen, page = self.looks.get(name), self.page
        record = page.recorded if page else None
        parts = []
        if record and name in record.series["looked"]:
            strip = strip_of(record, page.image_of(record, "samples"), name)
            parts.append(strip_page(record.series, name, strip, f"Recorded: {record.title}"))
        if seen:
            strip, wanted = self._sheet({"before": self.before, name: seen}), self.labels
            series = {"looked": {name: seen.told}, "titles": TITLES, "forget": self.forget}
            series["asked"] = [] if wanted is None else wanted[self.columns].tolist()
            where = f"this run: {self.base}" + (f", profile {page.profile}" if page else "")
            html = strip_page(series, name, strip, where[0].upper() + where[1:])
            parts.append(f"<details><summary>{where}</summary>{html}</details>" if parts else html)
        return "".join(parts)

    def _seen(self, name: str, model: Denoiser, **facts) -> Seen:
        images = self.observer.draw(model.eval(), self.labels)
        shown = self.observer.shown(images)
        asked = None if self.labels is None else self.observer.ratio(shown[self.wanted])
        facts |= {"ur": self.observer.ratio(shown), "asked": asked}
        return Seen(name, images, shown, distance=self.observer.distance(images[self.measured]), **facts)


def _taken_to_its_end(run: Training) -> dict[str, Any]:
    counted, stopped = [], ""
    try:
        for step in run:
            counted.append(step.gradient_evaluations)
    except FloatingPointError as error:
        stopped = str(error)
    # the first update's evaluations include the preparation; those of other updates do not
    updates = len(counted)
    each = counted[-1] - counted[-2] if updates > 1 else run.gradient_evaluations
    beforehand = counted[0] - each if updates > 1 else 0
    cost = {"updates": updates, "evaluations": updates * each, "beforehand": beforehand}
    return cost | {"seconds": run.seconds, "stopped": stopped}
