"""VDU's Table 1 as tables: two numbers at once, printed and measured."""

import itertools
from collections.abc import Iterator
from statistics import fmean
from typing import Any

from companion import claims
from companion.claims.names import data_title, method_title
from companion.claims.verdicts import Verdict, ordering, step
from companion.plots.tables import over_interval, table
from companion.plots.vdu import bias, over
from paperlib.metrics.rule import verdict

__all__ = [
    "ends",
    "few_pairs",
    "orders",
    "orders_table",
    "rival_pairs",
    "rival_title",
    "rivals_table",
    "same_noise_table",
    "short_title",
    "ufid_steps",
    "ways_at",
]

PAIR = ("selective_amnesia", "vdu")
METRIC = {"all": "u-frechet", "rest": "rest-frechet"}


def ends(record: Any) -> Iterator[tuple[Any, Any, Any, dict[str, float]]]:
    """Yield, for every unlearned model, PUL, both distances, and the distances "all" and "rest" of the model before,
    for the same seeds."""
    for pul in record.all(metric="pul"):
        facts = {"dataset": pul.dataset, "method": pul.method, "forget": pul.protocol["forget"]}
        facts |= {key: pul.protocol[key] for key in ("images",) if key in pul.protocol}
        of = {"dataset": pul.dataset, "method": "pretrained", "forget": pul.protocol["forget"]}
        before = {name: over(record.find(metric=m, **of), pul.seeds) for name, m in METRIC.items()}
        found = [_one(record.all(metric=m, **facts), "images" in facts) for m in METRIC.values()]
        yield pul, *found, before


def _one(values: list[Any], few: bool) -> Any:
    return next(one for one in values if few or "images" not in one.protocol)


def rival_pairs(record: Any) -> dict[tuple[str, str], tuple[float, float, float]]:
    """Return PUL and the distances of all samples and of the rest relative to before, by class and method."""
    return {
        (pul.protocol["forget"], pul.method): (pul.value, whole.value / before["all"], rest.value / before["rest"])
        for pul, whole, rest, before in ends(record)
        if "images" not in pul.protocol
    }


def few_pairs(record: Any) -> dict[tuple[str, str, int], tuple[Any, float]]:
    """Return PUL, with its interval, and the relative distance of the rest for the runs that saw only some images of
    D_f, by data set, method and number of images."""
    return {
        (pul.dataset, pul.method.removesuffix("_few"), pul.protocol["images"]): (pul, rest.value / before["rest"])
        for pul, _, rest, before in ends(record)
        if "images" in pul.protocol
    }


def ways_at(record: Any, evaluations: int) -> dict[str, tuple[float, float]]:
    """Return PUL and the relative distance of the rest after so many evaluations, by method, averaged over seeds."""
    found = {}
    for name, seeds in record.series["ways"].items():
        there = [one for way in seeds for one in way if one["evaluations"] == evaluations]
        found[name] = tuple(fmean(one[key] for one in there) for key in ("pul", "rest"))
    return found


def ufid_steps(record: Any) -> dict[tuple[str, str], tuple[float, float]]:
    """Return u-FID, and that of the model before for the same seeds, by class and method."""
    found, start = {}, {one.protocol["forget"]: one for one in record.all(metric="ufid", method="pretrained")}
    for one in record.all(metric="ufid"):
        D_f = one.protocol["forget"]
        found[D_f, one.method] = one.value, over(start[D_f], one.seeds)
    return found


def orders(record: Any) -> dict[tuple[str, str, str], tuple[float, tuple[float, ...], Verdict]]:
    """Return, for each data set, class and metric of Table 1 that both methods have here, VDU's number minus Selective
    Amnesia's: as printed, and ours over paired seeds (:func:`companion.claims.verdicts.step`); and the verdict on the
    printed order."""
    cells = [claim for claim in claims.load().values() if claims.split(claim.id)[0] == "vdu.tab1"]
    ours, found = {one.claim: one for one in record.values if hasattr(one, "value")}, {}
    for sa, vdu in itertools.product(*([one for one in cells if one.method == name] for name in PAIR)):
        row = (vdu.dataset, vdu.forget, vdu.metric)
        if row == (sa.dataset, sa.forget, sa.metric) and {sa.id, vdu.id} <= ours.keys():
            less, more = sorted((sa, vdu), key=lambda claim: claim.value)
            judged = ordering(ours[less.id], ours[more.id])
            found[row] = vdu.value - sa.value, step(ours[sa.id], ours[vdu.id]), judged
    return found


def orders_table(record: Any) -> Any:
    """One row per class: VDU's PUL and u-FID minus Selective Amnesia's, printed and ours over paired seeds, and whether
    the printed order holds; nothing if no pair was measured."""
    lines: dict[Any, dict[str, str]] = {}
    for (dataset, D_f, metric), (printed, (mean, *ends), judged) in orders(record).items():
        name, row = claims.metrics()[metric].label, lines.setdefault((data_title(dataset), D_f), {})
        row[f"{name}, printed"] = f"{printed:+.1f}"
        row[f"{name}, ours"] = over_interval(mean, *ends, 1) if ends else f"{mean:.1f}<br><small>one seed</small>"
        row[f"order of {name}"] = str(judged)
    return (
        table(lines, "VDU minus Selective Amnesia. In brackets: 95 % intervals over paired seeds.") if lines else None
    )


def rivals_table(record: Any) -> Any:
    """One row per class and method: PUL, u-FID, both distances, their multiples of those before, and the rule's
    verdict."""
    lines: dict[Any, dict[str, str]] = {}
    ufids = ufid_steps(record)
    for pul, whole, rest, before in ends(record):
        many, D_f = pul.protocol.get("images"), pul.protocol["forget"]
        two = {"distance, all samples": (whole.value, before["all"])}
        two |= {"distance, other samples": (rest.value, before["rest"])}
        two |= {"u-FID": ufids.get((D_f, "" if many else pul.method))} if ufids else {}
        lines[D_f, _row_title(pul, many)] = {
            "PUL, %": over_interval(pul.value, *(pul.interval or (pul.value,) * 2), 1),
            **{name: _times(*pair) if pair else "" for name, pair in two.items()},
            "rule": verdict(100 - pul.value, rest.value, {"ur": 100.0, "distance": before["rest"]}),
        }
    return table(
        dict(sorted(lines.items(), key=lambda one: one[0][0])), f"{record.title}. {bias(record)}".strip(), size=0.75
    )


def _row_title(pul: Any, images: int | None) -> str:
    name, _, kind = pul.method.rpartition("_")
    if kind == "few":
        return f"{method_title(name)}, {images} images"
    return {"unseen": "retrained in full"}.get(pul.method, method_title(pul.method))


def _times(value: float, before: float) -> str:
    return f"{value:.2f}<br><small>{value / before:.2f} × before</small>"


def rival_title(method: str) -> str:
    """Return a method's name in the legend."""
    return {"unseen": "retrained"}.get(method, method_title(method))


def short_title(method: str) -> str:
    """Return a short name of a method, for where there is little room."""
    return {"selective_amnesia": "SA"}.get(method, rival_title(method))


def same_noise_table(record: Any) -> Any:
    """One row per class and method: UR before and after, how many of the class's samples still show it, how many others
    changed, and what the class's samples became (the series ``went``)."""
    lines: dict[Any, dict[str, str]] = {}
    for D_f, methods in record.series["went"].items():
        of = {"forget": D_f}
        before = record.find(metric="ur", method="pretrained", **of)
        for method, found in methods.items():
            after, left, others = (record.find(metric=m, method=method, **of) for m in ("ur", "left", "others changed"))
            note = f"of {others.n}; {found['came']} now show it"
            became = ", ".join(f"{word}: {count}" for word, count in list(found["went"].items())[:4])
            lines[D_f, method_title(method)] = {
                "UR before, %": over_interval(before.value, *(before.interval or (before.value,) * 2), 1),
                "UR after, %": over_interval(after.value, *(after.interval or (after.value,) * 2), 1),
                "class samples that still show it, %": f"{left.value:.0f}<br><small>of {left.n}</small>",
                "other samples changed, %": f"{others.value:.1f}<br><small>{note}</small>",
                "class samples became": became,
            }
    return table(lines, f"{record.title}.", size=0.75)
