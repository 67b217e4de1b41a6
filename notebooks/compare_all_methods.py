# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (compare-all-methods)=
# # All methods on one bench
#
# **The claims.** SGU {cite}`sgu` forgets more than retraining does and keeps the rest; VDU {cite}`vdu` beats Selective Amnesia {cite}`heng2023` in quality and needs no retained data; EraseDiff {cite}`erasediff` keeps quality where gradient ascent ruins it. Each was measured on
# its own models, data and classifiers, with its own number of updates. Side by side they have never stood.
#
# **Here they do**: one base model, one class to forget, one budget, one search for everybody's settings, one set of measures. What a paper's order is worth can then be asked.
#
# ```{math}
# :label: eq-compare-two
# \begin{aligned}
# \text{forgotten: } & \mathrm{UR} = \Pr\bigl[\text{a sample shows } c_f\bigr] \to \text{floor}, \\
# \text{kept: } & d\bigl(p_\theta,\, p_{D_g}\bigr) \to d\bigl(p_{\text{retrained}},\, p_{D_g}\bigr) .
# \end{aligned}
# ```
#
# Neither number says anything without the other, and the retrained model is the reference for both.

# %% tags=["parameters"]
profile = "smoke"  # smoke | laptop | paper: data, budget, samples
seed = 0  # of training and noise
seeds = ""  # several in its place: "0,1,2"; intervals are over seeds then
forget = "1"  # the class that is to be forgotten, or several: "3,7"
process = "ddpm"  # ddpm | ve: which base model
dataset = ""  # digits | mnist; empty: as the profile has it
methods = "all"  # or some, separated by commas: "sgu_obtuse,redirect"
budget = 0  # gradient evaluations of each; 0: as many as the profile has

# %% tags=["hide-input"]
from companion.comparison.bench import Bench
from companion.comparison.entrants import chosen
from companion.page import Page
from companion.seeds import listed

NAME = "compare_all_methods"
page = Page(NAME, vars())
SEEDS, names = listed(seeds, seed), chosen(methods)
bench = Bench.of(profile, dataset=dataset, process=process, forget=str(forget), budget=budget)
page.banner({"digits": "scikit-learn's digits", "mnist": "MNIST"}[bench.kind.dataset])

# %% [markdown]
# The papers have no such experiment; `paper` computes what `laptop` does.
#
# ## The rules
#
# - **One base model**, unconditional, trained on all classes. Methods that know only conditional models use the form that serves an unconditional one ({ref}`methods-at-a-glance` has the equations): the target of multi-objective and EraseDiff is noise, SalUn climbs.
# - **One budget**, in *gradient evaluations*: passes of one batch forward and back. What a method does before its first update counts: BlindSpot's teacher takes half of the budget, the Fisher information, SalUn's mask and VDU's posterior a twelfth each.
# - **One search for all.** Six settings each, three rates by two values of the method's own dial (or six rates), every one a whole run of the budget, judged on training images that were held out. The rule takes the run whose worse miss is smallest:
#
# ```{math}
# :label: eq-compare-score
# \text{score} = \max\Bigl( \frac{3\, \mathrm{UR}}{\mathrm{UR}_{\text{before}}},\; \frac{d}{1.5\, d_{\text{before}}} \Bigr) .
# ```
#
# Up to 1 the class is forgotten and the rest kept. `python -m companion.comparison.search` made the search; its file with all candidates is committed. The test images of this page played no part in it.

# %% tags=["hide-input"]
from companion import plots
from companion.comparison.bench import settings
from companion.comparison.entrants import ENTRANTS
from companion.comparison.search import committed
from companion.page import Markdown

found = committed(bench.base, bench.forget)
lines = {}
for name in names:
    entrant, own = ENTRANTS[name], settings(bench, name)
    tried = {one.settings["lr"]: one for one in found.of(name)} if found else {}
    lines[entrant.title] = {
        "rate": f"{own['lr']:g}",
        "dial": f"{entrant.dial} = {own[entrant.dial]:g}" if entrant.dial else "",
        "score": f"{found.best(name).score:.2f}" if tried else "not searched",
        "of the six": ", ".join(
            "none" if one.score is None else f"{one.score:.1f}"
            for one in (found.of(name) if found else [])
        ),
    }
plots.table(lines)

# %% tags=["hide-input"]
if found:
    same = found.forget == bench.forget and found.budget.evaluations == bench.budget
    text = (
        f"Settings from the search on `{found.base}`, class {found.forget},"
        f" {found.budget.evaluations} evaluations of batches of"
        f" {found.budget.batch_size}."
    )
    text += "" if same else " **This run forgets or spends something else.**"
else:
    text = f"**Nobody has searched for `{bench.base}`**: each method's first setting."
Markdown(text)

# %% [markdown]
# ## The runs
#
# Every entrant starts from the same weights, and every model draws from the same noise.

# %%
from companion.comparison.compared import Compared

compared = Compared(page.store, bench, names, SEEDS)
print("\n".join(compared.run(name) for name in names))

# %% tags=["hide-input"]
SHOWN = 14
rows = {name: compared.samples(name, SHOWN) for name in compared.found}
scale = 2 if bench.kind.dataset == "mnist" else 4
sheet = plots.contact_sheet(rows, columns=SHOWN, scale=scale)
image = plots.save_sheet(sheet, page.image_path("samples"))
record = page.write(values=compared.values(NAME), series=compared.series(), images=[image])

# %% [markdown]
# ## What came of them

# %% tags=["hide-input"]
from IPython.display import display

from companion.comparison.compared import MEASURES

this = f"This run, profile {profile}, {bench.base}"
recorded = page.recorded and page.recorded.title


def interval(point, key, decimals):
    """A mean, and its interval below it."""
    ends = (point[f"{key}_{end}"] for end in ("low", "high"))
    return plots.over_interval(point[key], *ends, decimals)


def measures(record, title):
    """Every measure of every model."""
    titles, looked = record.series["titles"], record.series["looked"]
    lines = {
        titles[name]: {
            f"{metric}{f', {unit}' if unit in ('%', 'bits/dim') else ''}": interval(
                point, "ur" if metric == "UR" else metric, decimals
            )
            for metric, (unit, decimals) in MEASURES.items()
        }
        for name, point in ((name, looked[name]) for name in ["before", *record.series["order"]])
    }
    return plots.table(lines, title, size=0.72)


if page.recorded:
    display(measures(page.recorded, recorded))
display(measures(record, this))

# %% [markdown]
# *Distance*: a Fréchet distance in the classifier's features, of the samples that do not show the forgotten class from real images of the retained ones: what became of the rest. *Distance of all*: the same of all samples, which is VDU's u-FID with another network; it blames a model once more for what UR counts. Neither is an FID, which takes Inception's 2,048 features and more samples than features: `python -m companion.evaluate --metrics fid,u-fid` computes it for the model of any run. *Precision* and *recall*: against the same images, k = 3. *Entropy*: how unsure the classifier is of an image. *bits*: the variational bound of a DDPM,
# the likelihood by the probability-flow ODE of an SDE model, on test images of each side. In brackets: 95 %, over images with one seed and over seeds with three. {ref}`foundations-measuring` says what each of them sees and what fools it.

# %% mystnb={"figure": {"caption": "Recorded. UR against the distance, with 95 % intervals. Black star: the model that was retrained in full. Grey band: the share of real retained images that the classifier takes for the forgotten class; dashed: the distance that as many samples of a perfect model would have.", "name": "fig-compare-plane-recorded"}, "image": {"alt": "Forgetting against quality, as recorded", "width": "640px"}} tags=["hide-input"]
if page.recorded:
    plots.forgetting_plane(page.recorded, title=recorded)

# %% mystnb={"figure": {"caption": "This run. UR against the distance, with 95 % intervals. Black star: the model that was retrained in full. Grey band: the share of real retained images that the classifier takes for the forgotten class; dashed: the distance that as many samples of a perfect model would have.", "name": "fig-compare-plane"}, "image": {"alt": "Forgetting against quality, this run", "width": "640px"}} tags=["hide-input"]
figure = plots.forgetting_plane(record, title=this)

# %% mystnb={"figure": {"caption": "Samples of every model from the same noise, of the first seed, not chosen.", "name": "fig-compare-samples"}, "image": {"alt": "Samples before, of the retrained model and of every method", "width": "640px"}} tags=["hide-input"]
best, told = page.recorded or record, recorded or this
file = page.recorded_image("samples") if page.recorded else image
rows = [best.series["titles"][name] for name in ["before", *best.series["order"]]]
figure = plots.picture(file, names=rows, title=told)

# %% [markdown]
# ## On the way
#
# When to stop is part of a method. Each run is looked at on its way, with fewer samples.

# %% mystnb={"figure": {"caption": "Recorded. UR and the distance of the samples that do not show the forgotten class, each in that of the base model, against gradient evaluations. Dotted: a third of the one, 1.5 times the other.", "name": "fig-compare-courses-recorded"}, "image": {"alt": "Forgetting and damage during every run, as recorded", "width": "720px"}} tags=["hide-input"]
if page.recorded:
    plots.course_panels(page.recorded, title=recorded)

# %% mystnb={"figure": {"caption": "This run. UR and the distance of the samples that do not show the forgotten class, each in that of the base model, against gradient evaluations. Dotted: a third of the one, 1.5 times the other.", "name": "fig-compare-courses"}, "image": {"alt": "Forgetting and damage during every run", "width": "720px"}} tags=["hide-input"]
figure = plots.course_panels(record, title=this)

# %% tags=["hide-input"]
from statistics import fmean


def costs(record, title):
    """What every run took."""
    series, lines = record.series, {}
    for name in (name for name in series["order"] if name in series["costs"]):
        ones = series["costs"][name]
        mean = {what: fmean(one[what] for one in ones) for what in ones[0]}
        broke = next((text for text in series["stopped"][name] if text), "")
        lines[series["titles"][name]] = {
            "gradient evaluations": f"{mean['gradient_evaluations']:.0f}",
            "updates": f"{mean['updates']:.0f}",
            "seconds": f"{mean['seconds']:.1f}",
            "peak memory, MB": f"{mean['peak_mb']:.0f}",
            "ended early": broke,
        }
    if not any(line["ended early"] for line in lines.values()):
        for line in lines.values():
            del line["ended early"]
    return plots.table(lines, title)


if page.recorded:
    display(costs(page.recorded, recorded))
display(costs(record, this))

# %% [markdown]
# Memory is the most that an update's tensors hold at once beside the model and the data, counted tensor by tensor; seconds are the runs' own, on a machine that may have had other work.
#
# ## Which orderings hold?
#
# What the papers' tables are printed for is an order. Every pair of methods that a row orders and this page has is asked again. The verdict needs three paired seeds; with fewer it stays open, whatever the means say.

# %% tags=["hide-input"]
from companion.comparison.orderings import PRINTED, pairs


def held(record):
    """Of each printed row: its pairs here."""
    values = {}
    for value in record.values:
        if hasattr(value, "value"):
            values.setdefault(value.claim.rpartition("/")[2], {})[value.method] = value
    found = {}
    for row in PRINTED:
        measured = values.get(row.measure.replace(" ", "_"), {})
        if several := pairs(row, measured):
            found[row.where] = several
    return found


asked = held(best)
titles = best.series["titles"]
lines = {}
for where, several in asked.items():
    turned = [one for one in several if not one.holds]
    words = [str(one.verdict) for one in several]
    lines[where] = {
        "pairs": f"{len(several)}",
        "same order here": f"{len(several) - len(turned)}",
        "turned round": "; ".join(
            f"{titles[one.worse]} before {titles[one.better]}" for one in turned
        ),
        "verdicts": ", ".join(f"{words.count(w)} {w}" for w in dict.fromkeys(words)),
    }
plots.table(lines, told, words=True)

# %% [markdown]
# ## What to notice

# %% tags=["hide-input"]
from paperlib.metrics.rule import FARTHER, FEWER, verdict

series = best.series
looked, titles, facts = series["looked"], series["titles"], series["bench"]
start, truth = looked["before"], looked.get("retrained")


def ruled(series):
    """The methods of each verdict of the rule, the nearest to real images first."""
    looked, found = series["looked"], {}
    for n in sorted(series["courses"], key=lambda n: max(looked[n]["distance"], 0)):
        words = verdict(looked[n]["ur"], looked[n]["distance"], looked["before"])
        found.setdefault(words, []).append(n)
    return found


def said(some, looked=looked):
    """Titles with UR and distance."""
    return (
        ", ".join(
            f"{titles[n]} ({looked[n]['ur']:.1f} %, {looked[n]['distance']:.1f})" for n in some
        )
        or "none"
    )


by_rule = ruled(series)
both = by_rule.get("forgotten and kept", [])
third, bound = max(start["ur"], 0.01) / FEWER, FARTHER * start["distance"]
entered = list(series["courses"])


OURS = {"signed", "redirect"}
score = {n: max(looked[n]["ur"] / third, looked[n]["distance"] / bound) for n in entered}
order = sorted(entered, key=score.get)
ours = [n for n in order if n in OURS]
theirs = [n for n in order if n not in OURS]
points = [
    f"**Forgotten and kept** (UR at most a third of the {start['ur']:.1f} % before,"
    f" distance at most 1.5 times the {start['distance']:.1f} before): {said(both)}.",
    f"**Forgotten and damaged**: {said(by_rule.get('forgotten and damaged', []))}.",
    f"**Kept and not forgotten**: {said(by_rule.get('kept and not forgotten', []))}.",
]
if rest := by_rule.get("neither"):
    points += [f"**Neither**: {said(rest)}."]
if page.recorded:
    own = ruled(record.series).get("forgotten and kept", [])
    words = said(own, record.series["looked"])
    points += [f"**In this run**, profile `{profile}`, forgotten and kept: {words}."]
if truth:
    near = [n for n in both if looked[n]["distance_low"] <= truth["distance_high"]]
    points += [
        f"**The retrained model** has UR {truth['ur']:.1f} % and distance"
        f" {truth['distance']:.1f}. Of those that forgot and kept, its quality is"
        f" reached, as far as the intervals tell, by {said(near)}."
    ]
else:
    points += ["There is no retrained model of this kind: no reference."]

# %% tags=["hide-input"]
ranks = ", ".join(f"{titles[n]} {score[n]:.2f}" for n in order[:5])
points += [f"**By the rule of the search, on test images**: {ranks}."]
ones = {(v.method, v.protocol["metric"]): v.per_seed for v in best.values}


def per_seed(name):
    """The score with each seed."""
    ur, rest = (
        [one / max(old, 0.01) for one, old in zip(ones[name, what], ones["before", what])]
        for what in ("UR", "distance")
    )
    return [max(3 * u, d / 1.5) for u, d in zip(ur, rest)]


if ours and theirs:
    first, other = ours[0], theirs[0]
    wins = score[first] < score[other]
    one, two = looked[first], looked[other]
    overlap = one["distance_low"] <= two["distance_high"]
    overlap &= two["distance_low"] <= one["distance_high"]
    by_ur = one["ur"] / third > one["distance"] / bound
    what, allowed = ("ur", third) if by_ur else ("distance", bound)
    ahead = sum(a < b for a, b in zip(per_seed(first), per_seed(other)))
    count = len(series["seeds"])
    points += [
        f"**Ours** {'comes first' if wins else 'does not come first'}: {said([first])}"
        f" against {said([other])}, the best of the others, with scores of"
        f" {score[first]:.2f} and {score[other]:.2f}. The intervals of their distances"
        f" {'overlap: it is a tie' if overlap else 'do not overlap'}."
        + (f" Its score is the lower one in {ahead} of {count} seeds." if count > 1 else "")
        + " The larger term of"
        f" the score of {titles[first]} is its {'UR' if by_ur else 'distance'}:"
        f" {one[what]:.1f} where the rule allows {allowed:.1f}. "
        + (
            "It leaves too much of the class."
            if by_ur and one[what] > allowed
            else "It pays for forgetting with quality."
            if not by_ur and one[what] > start["distance"]
            else f"Before, it was {start[what]:.1f}: nothing was paid."
        )
    ]
alike = " or ".join(
    titles[n] for n in both if looked[n]["distance_low"] <= looked[both[0]]["distance_high"]
)
without = [n for n in both if ENTRANTS[n].of.retained == "unused"]
points += [
    "**Which one when.** With retained data at hand: "
    + (f"{alike}. " if both else "none within this budget. ")
    + "Without them: "
    + (
        f"{said(without)}."
        if without
        else "none of NegGrad and VDU forgot and kept here; both need a stop in time, "
        "and no setting of the search found one."
    ),
    f"**The budget** is {facts['budget']} passes of {facts['batch_size']} images. A"
    " longer one favours retraining and whatever needs preparation; which method wins"
    " is a statement about this budget.",
]
every = [one for several in asked.values() for one in several]
if every:
    same = sum(one.holds for one in every)
    points += [
        f"**The papers' orders**: {same} of {len(every)} printed pairs have the same"
        " order here. Their tables rest on other data, and most give one number a"
        " cell without an interval."
    ]
Markdown(f"From: {told}.\n\n" + "\n".join(f"- {point}" for point in points))

# %% [markdown]
# ```{exercise} Another judge
# :label: ex-compare-judge
# The rule weighs forgetting and keeping by two numbers that we chose, a third and 1.5. Take the measures of this run, and find for each method the weights with which it would come first. Which methods come first for no weights at all?
# ```

# %% [markdown] tags=["solution"]
# ````{solution-start} ex-compare-judge
# :class: dropdown
# ````

# %% tags=["solution"]
points = {name: (looked[name]["ur"], looked[name]["distance"]) for name in entered}
front = [
    name
    for name, (ur, distance) in points.items()
    if not any(u <= ur and d <= distance and (u, d) != (ur, distance) for u, d in points.values())
]
print("on the Pareto front:", ", ".join(titles[name] for name in front))

# %% [markdown] tags=["solution"]
# A method comes first for some weights of a maximum exactly if nobody is better in both numbers: it lies on the Pareto front. The others lose under every such rule, and no discussion of weights can save them. (A weighted *sum* is harder still: it sees only the front's convex part.)
#
# ````{solution-end}
# ````
