"""A first look at any unlearning run: train it, draw before and after from the same noise, and measure both.

::

    glance = Glance("digits-ddpm-labels", "3", n=200, evaluations=10, seed=0)
    run = salun(glance.model, glance.D_f, glance.D_g, generator=generator, steps=100)
    glance.look("salun", run)

It is no comparison of methods: that needs seeds, enough samples and a chosen setting for each.
"""

import base64
import io
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import matplotlib.pyplot as plt
import torch
from torch import Tensor

from companion import bases
from companion.comparison.entrants import ENTRANTS
from companion.evaluation.eye import Eye
from companion.plots.images import contact_sheet
from companion.seeds import generator
from paperlib.data.images import Examples
from paperlib.data.splits import split
from paperlib.denoiser import Denoiser
from paperlib.metrics.forgetting import Forgetting
from paperlib.metrics.frechet import Frechet
from paperlib.training import Training

__all__ = ["TITLES", "Glance", "NotAsked", "Seen"]

COLUMNS = 15  # of the strips of images

#: The titles of everything that a page looks at, by name.
TITLES: dict[str, str] = {name: entrant.title for name, entrant in ENTRANTS.items()}


@dataclass(frozen=True, eq=False)
class Seen:
    """One model, looked at.

    Args:
        name: "before", or a key of :data:`TITLES`.
        images: what it draws, uint8 [n, C, H, W]; pixels that are not finite are grey.
        shown: which of them show what was to be forgotten, in the classifier's eyes, bool [n].
        ur: their share in percent, with its interval and the classifier's floor.
        asked: the same of the images that were asked to show it; None of an unconditional model.
        distance: of the others, from real retained images in the classifier's features; of an unconditional model, of
            all its images.
        updates: of the run.
        evaluations: gradient evaluations of all updates, as the run counted them.
        beforehand: gradient evaluations before the first update, in the run itself.
        seconds: of the run.
        stopped: why it ended early; empty where it did not.
        strip: PNG of some images before (upper row) and after.
        order: in words, what the strip's columns were asked for; empty of an unconditional model.
    """

    name: str
    images: Tensor
    shown: Tensor
    ur: Forgetting
    asked: Forgetting | None
    distance: Frechet
    updates: int = 0
    evaluations: int = 0
    beforehand: int = 0
    seconds: float = 0.0
    stopped: str = ""
    strip: bytes = b""
    order: str = ""

    def __str__(self) -> str:
        cost = f"{self.updates} updates, {self.evaluations} gradient evaluations"
        cost += f" and {self.beforehand} before them" if self.beforehand else ""
        cost += f"; {self.stopped}" if self.stopped else ""
        return f"{cost}. UR {self.ur.value:.1f} %, distance {self.distance.value:.2f}"

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.strip).decode()
        alt = f"{TITLES[self.name]}: images before and after unlearning, from the same noise"
        style = "max-width: 100%; image-rendering: pixelated"
        picture = f'<img alt="{alt}" src="data:image/png;base64,{data}" style="{style}">'
        return (
            f"<p>{self}<br><small>above: before; below: after, from the same noise{self.order}</small><br>{picture}</p>"
        )


@dataclass(frozen=True)
class NotAsked:
    """What stands in the place of a method that was not asked for."""

    name: str

    def __str__(self) -> str:
        return f"{self.name} is not among the methods of this run"

    __repr__ = __str__


class Glance:
    """One base model, what it is to forget, and the same noise for every look.

    Args:
        base: a committed base model, with labels or without.
        forget: classes, as a page's parameter names them.
        n: images of a look; with labels, the classes take turns.
        evaluations: of the network for each image, by iPNDM.
        seed: of the noise and of the bootstrap.
        methods: names that are looked at; of others nothing is computed.
    """

    def __init__(
        self, base: str, forget: str, *, n: int, evaluations: int, seed: int, methods: Collection[str] = tuple(TITLES)
    ):
        self.model: Denoiser = bases.load(base)
        self.base, self.seed, self.methods, kind = base, seed, methods, bases.BASES[base]
        self.eye = Eye(self.model, kind, forget, n=n, evaluations=evaluations, seed=seed, stream="glance")
        train = bases.images(kind.dataset, "train")
        self.D_g, self.D_f = (bases.examples(kind, side) for side in split(train, forget))  # retained, forgotten
        self.everything: Examples = bases.examples(kind, train)
        self.labels = torch.arange(n) % len(train.classes) if kind.labels else None
        self.looks: dict[str, Seen] = {}

    @cached_property
    def before(self) -> Seen:
        """The base model."""
        return self._seen("before", self.model)

    @cached_property
    def real(self) -> Frechet:
        """The distance of real retained training images, as many as are measured of a model."""
        order = torch.randperm(len(self.D_g), generator=generator(self.seed, "glance/real", "evaluation"))
        return self.eye.distance(self.D_g.images.images[order[: int(self.measured.sum())]])

    @property
    def wanted(self) -> Tensor:
        """Which images are asked to show what is to be forgotten, bool [n]; none of an unconditional model."""
        if self.labels is None:
            return torch.zeros(len(self.eye.noise), dtype=torch.bool)
        return torch.isin(self.labels, torch.tensor(self.eye.classes))

    @property
    def measured(self) -> Tensor:
        """Whose distance is taken, bool [n]."""
        return ~self.wanted

    @property
    def columns(self) -> Tensor:
        """The images of a strip, six that are asked to show the forgotten before the others."""
        asked, others = (torch.nonzero(mask)[:, 0] for mask in (self.wanted, ~self.wanted))
        return torch.cat([asked[:6], others])[:COLUMNS]

    @property
    def _order(self) -> str:
        asked = int(self.wanted[self.columns].sum())
        names = [self.eye.test.classes[k] for k in self.eye.classes]
        return f"; the first {asked} were asked for {' or '.join(names)}" if asked else ""

    def look(self, name: str, run: Training) -> Seen | NotAsked:
        """Take the run to its end, look at its model, and keep what is seen in ``looks``.

        A run whose loss is no number any more ends there, with the weights before that update.
        """
        if name not in TITLES:
            raise ValueError(f"name={name!r} is not one of {', '.join(TITLES)}")
        if name not in self.methods:
            return NotAsked(name)
        counted, stopped = [], ""
        try:
            for step in run:
                counted.append(step.gradient_evaluations)
        except FloatingPointError as error:
            stopped = str(error)
        # the first update's evaluations include what came before it; every other update has its own alone
        updates = len(counted)
        each = counted[-1] - counted[-2] if updates > 1 else run.gradient_evaluations
        beforehand = counted[0] - each if updates > 1 else 0
        facts = {"updates": updates, "evaluations": updates * each, "beforehand": beforehand}
        self.looks[name] = self._seen(name, run.model.eval(), seconds=run.seconds, stopped=stopped, **facts)
        return self.looks[name]

    def _seen(self, name: str, model: Denoiser, **facts) -> Seen:
        images = self.eye.draw(model, self.labels)
        shown = self.eye.shown(images)
        asked = None if self.labels is None else self.eye.ratio(shown[self.wanted])
        facts |= {"ur": self.eye.ratio(shown), "asked": asked}
        if name != "before":
            facts |= {"strip": self._strip(images), "order": self._order}
        return Seen(name, images, shown, distance=self.eye.distance(images[self.measured]), **facts)

    def _strip(self, images: Tensor) -> bytes:
        rows = {"before": self.before.images[self.columns], "after": images[self.columns]}
        file = io.BytesIO()
        plt.imsave(file, contact_sheet(rows, columns=COLUMNS, scale=5), format="png")
        return file.getvalue()
