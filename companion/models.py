"""Models as recipes that know their facts::

    standard = base("mnist-ve")
    standard.unlearn(sgu, "3,7", loss="obtuse", alpha=0.9, updates=300, batch_size=32, lr=2e-4, seed=0)
    standard.retrained(without="3,7")

A recipe computes nothing until its :meth:`Model.checkpoint` is asked for; what it computes is stored. Where a model
cannot be had, :attr:`Model.missing` says why. :attr:`Model.facts` come from the recipe itself: a setting stands there
only if this model was made with it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from companion import bases
from companion.bases import BASES
from companion.comparison.course_results import model_file
from companion.comparison.courses import SNAPSHOTS, Course, course
from companion.comparison.unlearned import unlearned
from companion.folders import page_store
from companion.store import Entry, Store
from paperlib.data.splits import forgotten
from paperlib.unlearning.methods import METHODS

__all__ = ["Model", "base"]


@dataclass(frozen=True)
class Model:
    """A base model, its twin that never saw D_f, or what unlearning made of it.

    Args:
        name: of the base model it is, or starts from; empty where there is none, and ``missing`` says why.
        method: what it is called in tables and records.
        forgot: what was forgotten, as a page's parameter.
        run: of a model that unlearning made, everything that makes it what it is.
        missing: why there is no such model; empty where there is.
        images: of D_f that the run is given, the first ones; 0: all.
    """

    name: str
    method: str = "standard"
    forgot: str = ""
    run: Course | None = None
    missing: str = ""
    images: int = 0
    store: Store = field(default_factory=page_store, compare=False)

    def unlearn(
        self,
        method: Callable,
        forget: str,
        *,
        updates: int,
        batch_size: int,
        lr: float,
        seed: int = 0,
        called: str = "",
        looks: int = 20,
        evaluations: int = 10,
        apart: int = 0,
        unit: str = "updates",
        images: int = 0,
        **settings: Any,
    ) -> "Model":
        """This model made to forget, from its own weights.

        Args:
            method: a function of :mod:`paperlib.unlearning`.
            forget: what D_f is, as a page's parameter.
            updates, batch_size, lr: of Adam, without averaging.
            seed: of the run.
            called: its name in tables and records, where that is not the function's.
            looks: samples of the look at the end of the run.
            evaluations: of the network, for each of them.
            apart: updates between the snapshots behind VDU's posterior; 0: a sixtieth of the run.
            unit: what ``updates`` counts; "evaluations" of a gradient include what precedes the first update.
            images: of D_f that it is given, the first ones; 0: all.
            settings: the method's own.
        """
        name = next((name for name, one in METHODS.items() if one.call is method), "")
        if not name:
            raise ValueError(f"{getattr(method, '__name__', method)} is not one of {', '.join(METHODS)}")
        if self.missing:
            return replace(self, method=called or name, forgot=forget)
        run = Course.checked(
            base=self.name,
            method=name,
            forget=forget,
            looks=(updates,),
            batch_size=batch_size,
            lr=lr,
            seed=seed,
            n=looks,
            evaluations=evaluations,
            apart=apart,
            unit=unit,
            settings=settings,
        )
        return replace(self, method=called or name, forgot=forget, run=run, images=images)

    def retrained(self, *, without: str, called: str = "unseen") -> "Model":
        """The twin that was trained in the same way on D_g alone, where one is committed."""
        if self.missing:
            return replace(self, method=called, forgot=without)
        data = bases.images(self.kind.dataset, "test")
        asked = forgotten(data, without)
        for name, twin in BASES.items():
            alike = self.kind.model_copy(update={"unseen": twin.unseen}) == twin
            if alike and twin.unseen and bool((forgotten(data, twin.unseen) == asked).all()):
                found = base(name)
                return replace(found, method=called, forgot=without)
        return replace(self, method=called, forgot=without, missing=f"no model was trained without {without}")

    @property
    def kind(self) -> bases.Base:
        """Of what kind it is."""
        return BASES[self.name]

    def made(self) -> Entry:
        """What unlearning left in the store, made now if need be."""
        if self.run is None:
            raise ValueError(f"{self.method} is a base model: no run has made it")
        if self.kind.labels or self.images:
            return unlearned(self.store, self.run, self.images)
        return course(self.store, self.run)

    def checkpoint(self) -> str:
        """What :mod:`companion.evaluation` measures: a committed name, or a file, made now if need be."""
        if self.missing:
            raise FileNotFoundError(f"{self.method}: {self.missing}")
        return str(model_file(self.made())) if self.run else self.name

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Data set, process, method, base model, and of a run every setting that it had."""
        found = {"dataset": self.kind.dataset, "process": self.kind.process, "method": self.method}
        if self.run is None:
            card = bases.card(self.name) or {}
            found |= {"checkpoint": self.name, "images_seen": card.get("samples_seen", 0)}
        else:
            run = self.run
            found |= {"base": self.name, "start": "finetune", run.unit: run.looks[-1], "batch_size": run.batch_size}
            found |= {"lr": run.lr} | run.settings | ({"images": self.images} if self.images else {})
            found |= {"held_out": True} if run.held_out else {}
            if run.method == "vdu" and "posterior" not in run.settings:
                found |= {"posterior": f"{SNAPSHOTS} snapshots"} | ({"apart": run.apart} if run.apart else {})
        return found | ({"model_forgot": self.forgot} if self.forgot else {})


def base(name: str, called: str = "standard") -> Model:
    """A base model by its name, in tables ``called`` so; without a checkpoint, a recipe that says so."""
    if name not in BASES:
        larger = [one for one in BASES if BASES[one].paper and one.partition("-")[2] == name]
        why = f"there is no base model {name!r}" + (f"; profile paper has {', '.join(larger)}" if larger else "")
        return Model("", called, missing=why)
    if bases.card(name) is None:
        network = BASES[name].network.name
        why = f"{network} has not been trained: python -m companion campaign --only {network}"
        if BASES[name].paper:
            why += f", or, with weights of others, python -m companion weights {network} SOURCE"
        return Model(name, called, missing=why)
    return Model(name, called)
