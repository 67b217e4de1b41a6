"""The tables of the comparison pages, each made from its page's record."""

from statistics import fmean
from typing import Any

from companion.comparison.compared import MEASURES
from companion.comparison.entrants import ENTRANTS
from companion.comparison.orderings import asked
from companion.comparison.probes import conflict
from companion.comparison.relearning import COMPLETED
from companion.comparison.search import committed
from companion.plots import over_interval, table

__all__ = ["chosen_settings", "completions", "costs", "measures", "orders", "shares"]


def measures(record: Any) -> Any:
    """Return a table of every measure of every model, with its 95 % interval below it."""
    titles, lines = record.series["titles"], {}
    for metric, (unit, decimals) in MEASURES.items():
        column = f"{metric}, {unit}" if unit in ("%", "bits/dim") else metric
        for value in record.all(metric=metric):
            numbers = (value.value, *(value.interval or (value.value, value.value)))
            cell = over_interval(*(round(one, decimals) + 0.0 for one in numbers), decimals)  # no "-0"
            lines.setdefault(titles[value.method], {})[column] = cell
    return table(lines, record.caption, size=0.72)


def chosen_settings(record: Any) -> Any:
    """Return a table of the settings of the record's runs, and the scores of the candidates in their search."""
    bench, lines = record.series["bench"], {}
    found = committed(bench["base"], bench["forget"])
    for name, own in record.series["settings"].items():
        entrant, tried = ENTRANTS[name], found.of(name) if found else []
        scores = ["none" if one.score is None else f"{one.score:.1f}" for one in tried]
        lines[record.series["titles"][name]] = {
            "rate": f"{own['lr']:g}",
            "dial": f"{entrant.dial} = {own[entrant.dial]:g}" if entrant.dial else "",
            "best score": f"{found.best(name).score:.2f}" if tried else "not searched",
            "all scores": ", ".join(scores),
        }
    spent = "{forget}, {budget} gradient evaluations of {batch_size} images".format(**bench)
    search = (
        f"; search: class {found.forget}, {found.budget.evaluations} evaluations of {found.budget.batch_size} images, "
        f"scores from {found.budget.n} images, so that one of 1 has a standard error of {found.noise:.2f}"
        if found
        else ""
    )
    return table(lines, f"{record.title}. Class {spent}{search}")


def costs(record: Any) -> Any:
    """Return a table of the cost of every run, averaged over seeds."""
    series, lines = record.series, {}
    for name, ones in series["costs"].items():
        mean = {what: fmean(one[what] for one in ones) for what in ones[0]}
        lines[series["titles"][name]] = {
            "gradient evaluations": f"{mean['gradient_evaluations']:.0f}",
            "updates": f"{mean['updates']:.0f}",
            "seconds": f"{mean['seconds']:.1f}",
            "peak memory, MB": f"{mean['peak_mb']:.0f}",
            "ended early": next((text for text in series["stopped"][name] if text), "no"),
        }
    return table(lines, record.title)


def orders(record: Any) -> Any:
    """Return a table of how many pairs of each printed row have the same order here, and the verdict if it can be
    judged."""
    titles, lines = record.series["titles"], {}
    for row, several in asked(record).items():
        turned = [one for one in several if not one.holds]
        words = [str(one.verdict) for one in several]
        other = {one.verdict.because for one in several if str(one.verdict) == "another protocol"}
        counted = [f"{words.count(word)} {word}" for word in dict.fromkeys(words)]
        unseen = any("retrained" in (one.better, one.worse) for one in several)
        about = "; Unseen is one model, whatever the seed" if unseen else ""
        lines[row.where] = {
            "pairs": f"{len(several)}",
            "same order here": f"{len(several) - len(turned)}",
            "reversed here": "; ".join(f"{titles[one.worse]} before {titles[one.better]}" for one in turned),
            "verdict": f"another protocol: {min(other)}" if other else ", ".join(counted) + about,
        }
    return table(lines, record.title, words=True)


def shares(record: Any) -> Any:
    """Return a table of how often each method's updates are in conflict, and their average cosines."""
    lines = {}
    for name, per_seed in record.series["probes"].items():
        seen = [one for several in per_seed for one in several]
        share = conflict(seen)
        lines[record.series["titles"][name]] = {
            "updates probed": f"{len(seen)}",
            "gradients disagree, %": f"{share['gradients']:.0f}",
            "update raises the retained loss, %": f"{share['harms']:.0f}",
            "update lowers the forgotten loss, %": f"{share['restores']:.0f}",
            "keeps, mean": f"{fmean(one['keeps'] for one in seen):+.3f}",
            "erases, mean": f"{fmean(one['erases'] for one in seen):+.3f}",
        }
    return table(lines, record.title)


def completions(record: Any) -> Any:
    """Return a table of how often inpainting half an image brings the class back."""
    lines = {}
    for value in record.all(metric=COMPLETED):
        numbers = (value.value, *(value.interval or (value.value, value.value)))
        lines[record.series["titles"][value.method]] = {"show the class, %": "{:.0f} [{:.0f}, {:.0f}]".format(*numbers)}
    return table(lines, record.caption)
