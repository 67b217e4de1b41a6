"""A page's run: its parameters, what it measures, and how the result is shown.

::

    page = Page("sgu_tab1_mixture_nll", vars())
    budget = page.budget(smoke={"steps": 200}, laptop={"steps": 6000}, paper={"steps": 6000})
    result = page.measure(rows, series=curves)     # profile "recorded" returns the committed record, without computing
    page.compare("sgu.tab1")
    page.figure(plots.likelihoods)
    page.this_run()

A page shows its *recorded* result: tables, figures and sentences use it in every profile. What a run of smoke, laptop
or paper measures itself appears only in the fold that :meth:`Page.this_run` makes at the end of the page. A page that
has no record yet shows its run.

A run with the page's default parameters makes the book's record. Any other run has a folder of its own, so it cannot
overwrite what the book shows.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from companion import claims, rehearsal, words
from companion.claims import Claim
from companion.code import CHECKOUT
from companion.folders import build_folder, page_store, run_folder
from companion.parameters import check_profile, defaults, normalised, plain_values, seed_list
from companion.provenance import Origin
from companion.records import NotRun, Record, Value, plain
from companion.rows import Row, gather
from companion.words import Markdown, Reading, Untrue

__all__ = ["Markdown", "Page", "Untrue", "recorded"]

LARGEST_IMAGE = 500_000  # bytes: a record's images are committed


def recorded(name: str) -> Record | None:
    """Return the committed record of a page: ``paper`` if there is one, else ``laptop``, else None."""
    for profile in ("paper", "laptop"):
        file = CHECKOUT / "results" / profile / f"{name}.json"
        if file.is_file():
            return Record.read(file)
    return None


class Page:
    """One run of a page.

    Args:
        name: the page's name, that of its file in ``notebooks/``.
        names: the notebook's variables, ``vars()`` right after the parameters cell, or just the parameters.
    """

    def __init__(self, name: str, names: Mapping[str, Any]) -> None:
        self.name = name
        try:
            own = defaults(name)
            given = {parameter: names[parameter] for parameter in own if parameter in names}
        except FileNotFoundError:  # the notebook was downloaded alone: its variables are all there is
            own = given = plain_values(names)
        self.parameters = normalised(own, given)
        self.profile = check_profile(self.parameters.pop("profile", "smoke"))
        own.pop("profile", None)
        self.is_default = self.parameters == own and rehearsal.factor() == 1
        self.computes = self.profile != "recorded"
        self.recorded = recorded(name)
        if not self.computes and self.recorded is None:
            raise ValueError(f"profile='recorded': {name} has no committed record; take smoke, laptop or paper")
        self.seeds = seed_list(self.parameters.get("seeds", ""))
        self.rows: Sequence[str] = ()  # what "all" means, if not every row
        build = build_folder()
        self.store = page_store()
        if self.is_default:
            self.record_path = build / "records" / self.profile / f"{name}.json"
        else:
            self.record_path = run_folder(build, name, {**self.parameters, "profile": self.profile}) / "record.json"
        self.folder = self.record_path.parent
        self.origin = Origin(name) if self.computes else None  # a run that computes nothing writes nothing
        self.result: Record | None = self.recorded  # what the page shows
        self.run: Record | None = None  # what this run has measured
        self._shown: list[Callable[[Record], Any]] = []

    # What a run costs, and what it measures

    def budget(self, *, smoke: dict, laptop: dict, paper: dict) -> SimpleNamespace:
        """Return the profile's amounts by name. A parameter of the same name that is set (not 0, not empty) overrides
        them in every profile. The amount ``seeds`` is the number of seeds if the parameter names none; ``rows`` is what
        :meth:`chosen` takes for "all" in a profile that does not have every row."""
        amounts = {"smoke": smoke, "laptop": laptop, "paper": rehearsal.scaled(paper, smoke)}
        chosen = dict(amounts[self.recorded.profile if self.profile == "recorded" else self.profile])
        few, self.rows = chosen.pop("seeds", 1), chosen.pop("rows", ())
        if "seeds" in self.parameters:
            self.seeds = seed_list(self.parameters["seeds"], few)
        chosen |= {name: value for name, value in self.parameters.items() if name in chosen and value}
        return SimpleNamespace(**chosen)

    def chosen(self, parameter: str, names: Iterable[str]) -> list[str]:
        """Return the names that a parameter asks for: "all", or some of ``names`` separated by commas. "all" means
        those that the profile has (:meth:`budget`)."""
        known, asked = list(names), self.parameters[parameter]
        words = (self.rows or known) if asked == "all" else [word.strip() for word in asked.split(",")]
        if unknown := [word for word in words if word not in known]:
            raise ValueError(f"{parameter}={unknown[0]!r} is not one of all, {', '.join(known)}")
        return [name for name in known if name in words]

    def measure(
        self,
        rows: Callable[[], Iterable[Row | Value | NotRun]],
        *,
        series: Callable[[], Mapping[str, Any]] | None = None,
        images: Callable[[], Mapping[str, Any]] | None = None,
        tables: Sequence[str] = (),
        missing: Callable[[Claim], str] | None = None,
        by: Sequence[str] = (),
    ) -> Record:
        """Measure, write this run's record, and return the result that the page shows.

        With profile "recorded" none of the functions is called.

        Args:
            rows: yields a row for every number (:func:`companion.rows.row`), and a ``NotRun`` for each missing one.
            series: returns curves and the like, by name; called after ``rows``.
            images: returns sheets of samples (:func:`companion.plots.contact_sheet`), by name; called after ``rows``.
            tables: the papers' tables whose cells the rows may reproduce.
            missing: says why a printed cell of these tables was not run, if no row reproduces it.
            by: facts that distinguish our own rows (:func:`companion.rows.gather`).
        """
        if self.computes:
            found = list(rows())
            values = gather((one for one in found if isinstance(one, Row)), self.name, tables, by)
            values += [one for one in found if not isinstance(one, Row)]
            values += self._missing(values, tables, missing)
            if self.profile == "paper" and not any(isinstance(one, Value) for one in values):
                why = dict.fromkeys(one.reason for one in values if isinstance(one, NotRun))
                raise FileNotFoundError(f"{self.name}: nothing can be measured: {'; '.join(why) or 'no data'}")
            sheets = dict(images() if images else {})
            files = [self._save(name, sheet) for name, sheet in sheets.items()]
            self.write(values=values, series=dict(series() if series else {}), images=files)
        return self.result

    def write(
        self,
        *,
        values: Sequence[Value | NotRun],
        series: Mapping[str, Any] | None = None,
        images: Sequence[Path | str] = (),
    ) -> Record:
        """Check and write this run's record, and return it.

        Args:
            values: what was measured, and what was not run.
            series: curves and the like, by name; tensors and arrays become lists.
            images: paths of small PNG files written to :meth:`image_path`.
        """
        for image in images:
            file = self.folder / Path(image).name
            if not file.is_file():
                raise FileNotFoundError(f"no such image of the record: {file}")
            if (size := file.stat().st_size) > LARGEST_IMAGE:
                raise ValueError(f"{file.name} has {size} bytes; a record's image has {LARGEST_IMAGE} at most")
        self.run = Record.checked(
            page=self.name,
            profile=self.profile,
            parameters=plain(self.parameters),
            provenance=self.origin.provenance(),
            values=list(values),
            series=plain(series or {}),
            images=[Path(image).name for image in images],
        )
        self.run.write(self.record_path)
        self.result = self.recorded or self.run
        return self.run

    def _missing(
        self, values: Sequence[Any], tables: Sequence[str], why: Callable[[Claim], str] | None
    ) -> list[NotRun]:
        have = {value.claim for value in values}
        cells = [
            claim for claim in claims.load().values() if claims.split(claim.id)[0] in tables and claim.id not in have
        ]
        return [NotRun(claim=claim.id, reason=why(claim)) for claim in cells] if why else []

    def image_path(self, what: str) -> Path:
        """Return the path of an image of this run's record: ``<page>-<what>.png`` beside the record."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / f"{self.name}-{what}.png"

    def _save(self, what: str, sheet: Any) -> Path:
        from companion.plots import save_sheet

        return save_sheet(sheet, self.image_path(what))

    def image_of(self, record: Record, what: str) -> Path:
        """Return the path of a record's image: a committed one, or one of this run."""
        if record is self.run:
            return self.folder / f"{self.name}-{what}.png"
        return CHECKOUT / "results" / record.profile / f"{self.name}-{what}.png"

    # What a reader sees

    def verdict(
        self, claim: str, found: str | Reading, verdict: str = "", rests: str = "", *, holds: Iterable[bool] = ()
    ) -> Markdown:
        """Return the box at the top of the page. On a page without a record, it says so instead of the findings.

        Args:
            claim: what the paper says.
            found: what the record shows; or a function of the record that returns it, as a dict with ``found`` and
                ``holds``, and ``verdict`` and ``rests`` if they need the record too. A function runs only on a record,
                so a page can be computed before there is one, or one with all that its box needs.
            verdict: what to conclude from it.
            rests: what else the verdict is based on; data, seeds and profile are named anyway.
            holds: the conditions under which ``found`` and ``verdict`` are true; a record that breaks one is an error.
        """
        said = {"found": found, "verdict": verdict, "rests": rests, "holds": holds}
        if self.recorded:
            from companion import stale  # late: it needs torch, which a command that executes pages does not

            said["note"] = stale.note(self.recorded)
        return words.box(self.name, self.recorded, claim, said, published=not self.computes)

    def say(self, *sentences: str | Reading, holds: Iterable[bool] = ()) -> Markdown:
        """Return hand-written sentences as a bullet list, with their numbers read from the result. Instead of the
        sentences, a function of the result may be given, which returns a dict with ``sentences`` and ``holds``.

        ``holds`` are the conditions under which they are true. If a committed record breaks one, that is an error: the
        sentence has to be rewritten. On a page without a record, untrue sentences are not shown.
        """
        said, strict = {"sentences": sentences, "holds": holds}, self.recorded is not None
        return words.bullets(self.name, self.result, said, strict=strict, published=not self.computes)

    def show(self, make: Callable[[Record], Any]) -> None:
        """Show what ``make`` returns for the result: a table, or anything that a notebook displays. The same for this
        run is shown in the fold at the end of the page."""
        self._shown.append(make)
        _display(make(self.result))

    def figure(self, draw: Callable[..., Any], **settings: Any) -> None:
        """Plot the result with a function of :mod:`companion.plots`; the title names data, seeds and profile."""
        self.show(lambda record: draw(record, title=self._title(record), **settings))

    def picture(
        self,
        what: str,
        names: Callable[[Record], Sequence[str]] | Sequence[str] = (),
        *,
        columns: Callable[[Record], Sequence[str]] | Sequence[str] = (),
        missing: str = "",
    ) -> None:
        """Show an image of the result, with its rows labelled ``names`` and its columns ``columns``. If ``missing`` is
        given, a result without this image shows that sentence instead."""
        from companion.plots import picture

        def draw(record: Record) -> Any:
            file = self.image_of(record, what)
            if missing and file.name not in record.images:
                return Markdown(missing)
            rows, heads = (one(record) if callable(one) else one for one in (names, columns))
            return picture(file, names=list(rows), columns=list(heads), title=self._title(record))

        self.show(draw)

    def compare(self, *rows: str, **settings: Any) -> None:
        """Show the papers' cells beside ours. ``rows`` are tables of the papers or ids; ``settings`` are passed to
        :func:`companion.claims.table.comparison`."""
        from companion.claims.table import comparison, style

        self.show(lambda record: style(comparison(rows, record, title=self._title(record), **settings)))

    def _title(self, record: Record) -> str:
        return f"{'This run' if record is self.run else 'Recorded'}: {record.title}"

    def this_run(self) -> None:
        """Show what this run measured, in the page's tables and figures. Tag the cell ``hide-output``."""
        if self.run is None:
            return _display(Markdown("The page was built from its record; nothing was computed."))
        if self.run is self.result:
            return _display(Markdown("Nothing is recorded yet: the page above shows this run."))
        text = f"**This run**: {self.run.title}."
        if self.profile == "smoke":
            text += " It only shows that the page works: small networks, few updates and samples."
            text += " Its numbers reproduce nothing and are never recorded."
        _display(Markdown(text))
        for make in self._shown:
            _display(make(self.run))
        return None


def _display(what: Any) -> None:
    """Display something once: a figure left open would be shown again at the end of the cell."""
    from IPython.display import display

    if what is None:
        return
    display(what)
    if hasattr(what, "canvas"):
        import matplotlib.pyplot as plt

        plt.close(what)
