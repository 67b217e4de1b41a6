"""Figures and tables of the page on exact negation."""

from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from companion.claims.names import method_title
from companion.plots.style import COLOURS, use_style
from companion.plots.tables import over_interval, table
from companion.plots.ticks import Ratios

__all__ = [
    "Outcome",
    "by_task",
    "negation_plane",
    "negation_table",
    "negation_tasks",
    "outcomes",
    "pull_table",
    "pull_weights",
    "recognised_table",
    "sure",
]

LOOKS = {"without": (COLOURS["orthogonal"], "o"), "negate": (COLOURS["negate"], "s")}
LOOKS |= {"negate_answers": (COLOURS["obtuse"], "D"), "negate_own": (COLOURS["optimum"], "^")}
OTHERS = "#888888"
SHOWN = (("standard", ""), ("unseen", ""), ("without", 1.0), ("negate_own", 2.0))  # whose samples every task shows
UR, DISTANCE = 1.0, 1.1  # up to this UR in % a class counts as forgotten, up to this ratio the rest as kept


class Outcome(NamedTuple):
    """A model's UR in percent by both classifiers, and the distance of the rest relative to the base model's; ``most``
    is the UR that counts as forgotten by each classifier."""

    ur: float
    judge: float
    rest: float
    most: tuple[float, float] = (UR, UR)

    @property
    def reached(self) -> bool:
        """Whether it has forgotten by both classifiers and has kept the rest."""
        return self.ur <= self.most[0] and self.judge <= self.most[1] and self.rest <= DISTANCE


def tasks(record: Any) -> list[tuple[str, str]]:
    """Return every pair of process and forgotten classes in the record."""
    return list(dict.fromkeys((one.protocol["process"], one.protocol["forget"]) for one in record.all(metric="ur")))


def models(record: Any, process: str, forget: str) -> Iterable[tuple[Any, dict[str, Any]]]:
    """Yield the UR of each model of a task, with the facts that identify its other values."""
    for one in record.all(metric="ur", process=process, forget=forget):
        found = {"method": one.method, "process": process, "forget": forget}
        yield one, found | ({"w": one.protocol["w"]} if "w" in one.protocol else {})


def outcomes(record: Any, process: str, forget: str) -> dict[tuple[str, float | None], Outcome]:
    """Return the outcome of each model of a task, by method and weight. If a model was retrained without the classes,
    its UR counts as forgotten too: a model that has never seen a class still draws strokes that look like it."""
    before = record.find(metric="rest-frechet", method="standard", process=process, forget=forget)
    by_seed = dict(zip(before.seeds, before.per_seed))
    found = {}
    for ur, facts in models(record, process, forget):
        judge, rest = (record.find(metric=metric, **facts) for metric in ("ur by the judge", "rest-frechet"))
        start = fmean(by_seed[seed] for seed in rest.seeds)  # a model may have some of the seeds only
        found[ur.method, facts.get("w")] = Outcome(ur.value, judge.value, rest.value / start)
    twin = found.get(("unseen", None), Outcome(0, 0, 0))
    most = max(UR, twin.ur), max(UR, twin.judge)
    return {model: one._replace(most=most) for model, one in found.items()}


def by_task(record: Any, method: str, w: float | None = None) -> dict[tuple[str, str], Outcome]:
    """Return the outcome of one model, by task, for every task that has it."""
    found = {task: outcomes(record, *task) for task in tasks(record)}
    return {task: several[method, w] for task, several in found.items() if (method, w) in several}


def sure(record: Any, method: str, **facts: Any) -> dict[tuple[str, str], float]:
    """Return, by task, the share of a model's samples in which both classifiers are sure, in percent."""
    values = record.all(metric="surely", method=method, **facts)
    return {(one.protocol["process"], one.protocol["forget"]): one.value for one in values}


def model_title(method: str, w: float | None = None) -> str:
    """Return a model's display name, with its weight."""
    name = {"standard": "before", "unseen": "retrained in full"}.get(method, method_title(method))
    return name if w is None else f"{name}, w = {w:g}"


def task_title(process: str, forget: str) -> str:
    """Return a task's display name."""
    return f"{process.upper()}, {forget.replace(',', ' and ')}"


def shown_names(record: Any) -> list[str]:
    """Name the rows of the sheet of all tasks."""
    short = {"standard": "before", "unseen": "retrained", "without": "while sampling", "negate_own": "without data"}
    return [
        f"{task_title(*task)}: {short[method]}"
        for task in tasks(record)
        for method, w in outcomes(record, *task)
        if (method, w or "") in SHOWN
    ]


def negation_plane(record: Any, *, title: str) -> Figure:
    """UR against the distance of the rest relative to the base model, one panel per task, the first across the top; w
    grows along the lines."""
    use_style()
    first, *rest = tasks(record)
    rows = -(-(len(rest) + 1) // 3) if rest else 0  # one place is the legend's
    figure = plt.figure(figsize=(7.4, 4.4) if not rest else (9, 4.6 + 2.9 * rows))
    grid = figure.add_gridspec(1 + rows, 3, height_ratios=[4.4] + [2.9] * rows)
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    top = figure.add_subplot(grid[0, :])
    _plane(top, record, *first)
    for k, task in enumerate(rest):
        _plane(figure.add_subplot(grid[1 + k // 3, k % 3]), record, *task)
    _alike(figure.axes[1:])
    known = {label: sign for axes in figure.axes for sign, label in zip(*axes.get_legend_handles_labels())}
    signs = known.values(), known.keys()  # a model may be of some tasks only
    if rest:
        corner = figure.add_subplot(grid[rows, 2])
        corner.axis("off")
        corner.legend(*signs, loc="center", fontsize=9.5)
    else:
        figure.legend(*signs, loc="outside lower center", ncols=3, fontsize=9.5)
    return figure


def _plane(axes: Axes, record: Any, process: str, forget: str) -> None:
    lines: dict[str, list[tuple[float, float, float]]] = {}
    for (method, w), one in outcomes(record, process, forget).items():
        if method in LOOKS:
            lines.setdefault(method, []).append((w, one.rest, one.ur))
        elif method in ("standard", "unseen"):
            marker, size = {"standard": ("o", 8), "unseen": ("*", 12)}[method]
            axes.plot(one.rest, one.ur, marker, color="black", ms=size, label=model_title(method))
    for name, points in lines.items():
        colour, marker = LOOKS[name]
        xs, ys = [x for _, x, _ in points], [y for *_, y in points]
        axes.plot(xs, ys, marker=marker, color=colour, lw=1.2, ms=8, label=method_title(name))
        for w, x, y in points:
            axes.annotate(f"{w:g}", (x, y), textcoords="offset points", xytext=(6, 5), color=colour, fontsize=9)
    beside = record.series["others"].get(f"{process}:{forget}", [])
    for one in beside:
        at = (one["rest"], one["ur"])
        axes.plot(*at, "x", color=OTHERS, ms=6)
        axes.annotate(one["title"], at, textcoords="offset points", xytext=(5, -3), fontsize=7.5)
    axes.margins(x=0.1)
    axes.axvline(DISTANCE, color=OTHERS, ls=":", lw=1)
    axes.set(xscale="log", yscale="symlog", xlabel="distance relative to the base model", ylabel="UR, %")
    axes.xaxis.set_major_locator(Ratios())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_title(f"{process.upper()}, forgetting {forget.replace(',', ' and ')}", fontsize=11)
    most = max([one.value for one, _ in models(record, process, forget)] + [one["ur"] for one in beside])
    axes.set_ylim(-0.1, 1.5 * max(most, 1))
    axes.yaxis.set_major_locator(FixedLocator([0, 0.5, 1, 2, 5, 10, 20, 50, 100]))


def _alike(panels: Sequence[Axes]) -> None:
    if panels:
        left, right = zip(*(axes.get_xlim() for axes in panels))
        top = max(axes.get_ylim()[1] for axes in panels)
        for axes in panels:
            axes.set(xlim=(min(left), max(right)), ylim=(-0.1, top))
            axes.xaxis.label.set_size(8.5)


def negation_table(record: Any) -> Any:
    """The first task, one row per model: UR by two classifiers, the distance of the rest and, where measured, FID of
    the rest."""
    columns = {"UR, %": ("ur", 1), "UR by the second judge, %": ("ur by the judge", 1)}
    columns |= {"distance of other samples": ("rest-frechet", 2)}
    columns |= {"FID of other samples": ("fid of the rest", 1)} if record.all(metric="fid of the rest") else {}
    (process, forget), lines = tasks(record)[0], {}
    for one, facts in models(record, process, forget):
        cells = {}
        for head, (metric, decimals) in columns.items():
            found = record.all(metric=metric, **facts)
            value = found[0] if found else None
            ends = value and (value.interval or (value.value,) * 2)
            cells[head] = over_interval(value.value, *ends, decimals) if value else ""
        lines[model_title(one.method, facts.get("w"))] = cells
    return table(lines, f"{task_title(process, forget)}. {record.title}.", size=0.75)


def negation_tasks(record: Any) -> Any:
    """Every task in a column: for each model UR with its interval, in bold where the model has forgotten and has kept
    the rest, UR by the second judge, and the relative distance of the rest."""
    lines: dict[tuple[str, str], dict[str, str]] = {}
    for task in tasks(record):
        found, head = outcomes(record, *task), task_title(*task)
        for one, facts in models(record, *task):
            method, w = one.method, facts.get("w")
            outcome, name = found[method, w], model_title(method, w)
            text = over_interval(one.value, *(one.interval or (one.value,) * 2), 1)
            text = f"<b>{text}</b>" if outcome.reached and method != "standard" else text
            cells = {"UR, %": text, "second judge, %": f"{outcome.judge:.1f}"}
            sure = record.all(metric="surely", **facts)
            cells |= {"both sure, %": f"{sure[0].value:.1f}"} if sure else {}
            cells |= {"distance": f"{outcome.rest:.2f} ×"}
            for what, cell in cells.items():
                lines.setdefault((name, what), {})[head] = cell
    heads = [task_title(*task) for task in tasks(record)]
    lines = {name: {head: cells.get(head, "–") for head in heads} for name, cells in lines.items()}
    how = (
        f"Bold: both URs at most {UR:g} %, or those of the retrained model, and at most {DISTANCE:g} times the distance"
    )
    return table(lines, f"{how}. {record.title}.", size=0.75)


def pull_table(record: Any) -> Any:
    """One row per task: how well the classifier recognises what is to be forgotten, and how right the pull is."""
    lines: dict[str, dict[str, str]] = {}
    for process, forget in tasks(record):
        pulls = [one for one in record.series["pulls"][f"{process}:{forget}"] if one["side"] == "forget"]
        at = {one["sigma_over_alpha"]: one for one in pulls}
        seen = {one["sigma_over_alpha"]: one for one in record.series.get("recognised", {}).get(forget, [])}
        cells = lines[task_title(process, forget)] = {}
        for level in (1.0, 2.0, 3.0):
            head = f"recognised at {level:g}"
            cells[head] = f"{100 * seen[level]['hit']:.0f} %" if level in seen else "–"
        cells |= {f"cosine at {level:g}": f"{at[level]['cosine']:.2f}" for level in (2.0, 3.0, 5.0)}
        cells |= {f"fitted w at {level:g}": f"{at[level]['w']:.2f}" for level in (2.0, 3.0, 5.0)}
        cells |= {
            f"model's error at {level:g}": f"{at[level]['model'] / at[level]['pull']:.2f}" for level in (2.0, 3.0)
        }
    how = "Forgotten images at several sigma / alpha: recognised by the classifier; the cosine of its pull with the"
    how += " training set's and its best multiple; the model's error in units of the pull"
    return table(lines, f"{how}.", size=0.75)


def recognised_table(record: Any) -> Any:
    """One row per choice of classes: at each noise level, the share of their noisy test images that the classifier
    recognises, and that of the others that it takes for them."""
    lines = {}
    for forget, rows in record.series["recognised"].items():
        lines[forget.replace(",", " and ")] = {
            f"at {one['sigma_over_alpha']:g}": f"{100 * one['hit']:.0f} % ({100 * one['false']:.1f} %)" for one in rows
        }
    return table(lines, "Recognised at several sigma / alpha; in brackets, others taken for them.", size=0.75)


def pull_weights(record: Any, *, title: str) -> Figure:
    """The weight that the pull should have by two measures, at each noise level, with the lengths below; the record's
    first task."""
    use_style()
    name = next(iter(record.series["weights"]))
    figure, (upper, lower) = plt.subplots(2, 1, figsize=(6.6, 5.8), sharex=True)
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    process, forget = name.split(":")
    upper.set_title(f"{process.upper()}, forgetting {forget.replace(',', ' and ')}", fontsize=11)
    firm = [one for one in record.series["weights"][name] if one["error"] < 0.25]  # elsewhere there is no pull to fit
    levels, errors = [one["sigma_over_alpha"] for one in firm], [1.96 * one["error"] for one in firm]
    settings = {"color": COLOURS["D_g"], "capsize": 3, "label": "retained images, held-out noise"}
    upper.errorbar(levels, [one["w"] for one in firm], errors, fmt="o-", **settings)
    rows = [one for one in record.series["pulls"][name] if one["side"] == "forget"]
    levels = [one["sigma_over_alpha"] for one in rows]
    settings = {"color": COLOURS["D_f"], "label": "forgotten images, training set"}
    upper.plot(levels, [one["w"] for one in rows], "s-", **settings)
    upper.axhline(1, color="black", lw=1, ls=":")
    upper.set(ylabel="fitted w", xscale="log", ylim=(0, 2))
    upper.legend(fontsize=9.5)
    lengths = {"pull": "classifier's pull", "exact": "training set's pull", "model": "error of the model"}
    for (what, label), colour in zip(lengths.items(), (COLOURS["signed"], COLOURS["exact"], COLOURS["paper"])):
        lower.plot(levels, [one[what] for one in rows], "o-", color=colour, label=label)
    lower.set(ylabel="rms per pixel, forgotten images", xlabel=r"noise level, $\sigma_t / \alpha_t$", yscale="log")
    lower.xaxis.set_major_locator(FixedLocator([0.5, 1, 2, 5, 10]))
    lower.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    lower.xaxis.set_minor_locator(NullLocator())
    lower.legend(fontsize=9.5)
    return figure
