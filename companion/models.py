"""Models as recipes that know how they were made::

    standard = base("mnist-ve")
    standard.unlearn(sgu, "3,7", loss="obtuse", alpha=0.9, updates=300, batch_size=32, lr=2e-4, seed=0)
    standard.retrained(without="3,7")

A recipe computes nothing until :meth:`Model.checkpoint` is called; the result is stored. If a model is not available,
:attr:`Model.missing` says why. :attr:`Model.facts` come from the recipe itself: a setting is listed only if this model
was made with it.
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
    """A base model, a model retrained without D_f, or an unlearned model.

    Args:
        name: the base model that it is or starts from; empty if there is none, and ``missing`` says why.
        method: its name in tables and records.
        forgot: what was forgotten, written like a page's parameter.
        run: for an unlearned model, everything that determines it.
        missing: why the model does not exist; empty if it does.
        images: how many images of D_f the run is given, from the first on; 0: all.
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
        """Return the model that unlearning makes of this one, starting from its weights.

        Args:
            method: a function of :mod:`paperlib.unlearning`.
            forget: the forget set D_f, written like a page's parameter.
            updates, batch_size, lr: settings of Adam, which runs without weight averaging.
            seed: the seed of the run.
            called: its name in tables and records, if not the function's.
            looks: the number of samples evaluated at the end of the run.
            evaluations: network evaluations for each of these samples.
            apart: updates between the snapshots for VDU's posterior; 0: a sixtieth of the run.
            unit: what ``updates`` counts; gradient "evaluations" include those before the first update.
            images: how many images of D_f the run is given, from the first on; 0: all.
            settings: the method's own settings.
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
        """Return the model trained in the same way on D_g alone, if one is committed."""
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
        """The description of the base model that it is or starts from."""
        return BASES[self.name]

    def made(self) -> Entry:
        """Return the store's entry of the unlearning run, computing it if necessary."""
        if self.run is None:
            raise ValueError(f"{self.method} is a base model, not the result of a run")
        if self.kind.labels or self.images:
            return unlearned(self.store, self.run, self.images)
        return course(self.store, self.run)

    def checkpoint(self) -> str:
        """Return what :mod:`companion.evaluation` measures: a committed name, or a file, computed if necessary."""
        if self.missing:
            raise FileNotFoundError(f"{self.method}: {self.missing}")
        return str(model_file(self.made())) if self.run else self.name

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Data set, process, method, base model and, for an unlearned model, every setting of its run."""
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
    """Return a base model by name; tables call it ``called``. Without a checkpoint, the recipe says so."""
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
