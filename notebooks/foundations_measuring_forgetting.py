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
# (foundations-measuring)=
# # Foundations: measuring forgetting
#
# **The claim.** Each paper proves forgetting by one or two numbers. SGU {cite}`sgu` prints the unlearning ratio UR, VDU {cite}`vdu` the percentage of unlearning PUL beside u-FID, EraseDiff {cite}`erasediff` the
# probability $P(c_f \mid x_f)$ beside FID, precision and recall; Selective Amnesia {cite}`heng2023`, which they compare with, the entropy of a classifier. A low UR, a high PUL, a high entropy are read as: *it has
# forgotten*. What would each number say of a model that draws one picture for ever, or answers with noise?
#
# On this page nothing is unlearned. We put models together whose truth is known, measure them as the papers do, and count which measure is fooled by which model, and which *pairs* of measures are not.

# %% tags=["parameters"]
profile = "smoke"  # smoke | laptop | paper: how many images
seed = 0  # of samples, noise and bootstrap
dataset = ""  # digits | mnist; empty: digits in smoke, mnist otherwise
source = ""  # real | a base model with labels; empty: a model of digits, real MNIST
forget = "3"  # the class that is to be forgotten, or several: "3,7"
n = 0  # samples of each model; 0: as many as the profile has
k = 3  # neighbours of precision and recall

# %% tags=["hide-input"]
from companion.page import Page

NAME = "foundations_measuring_forgetting"
page = Page(NAME, vars())
forget = str(forget)
dataset = dataset or ("digits" if profile == "smoke" else "mnist")
if dataset not in ("digits", "mnist"):
    raise ValueError(f"dataset={dataset!r} is not one of digits, mnist")
source = source or {"digits": "digits-ddpm-labels", "mnist": "real"}[dataset]
n = n or {"smoke": 300, "laptop": 2000, "paper": 3000}[profile]
m = n // 4  # images that were asked for by the forgotten class
stands = "real training images" if source == "real" else f"samples of `{source}`"
page.banner(f"{dataset}, {stands} standing for the models' samples")

# %% [markdown]
# ## Nine models
#
# A case is two sets of images: $n$ samples, every class as often as the model has it, and $m$ answers to the request for the forgotten class $c_f$. Their classes are known without a classifier, from the label that was
# asked for, or from the data set. So each case's truth is known too.

# %%
from companion.studies.known_cases import CASES, known_cases

known = known_cases(page.store, dataset=dataset, source=source, forget=forget, n=n, m=m, seed=seed)
for case in known.cases:
    label, forgot, kept = CASES[case.name]
    print(f"{label:32} forgot: {forgot!s:6} kept the rest: {kept!s:6}", case.good)

# %% tags=["hide-input"]
import torch

from companion import plots

shown = {case.label: torch.cat([case.samples[:10], case.samples[-2:]]) for case in known.cases}
scale = 3 if dataset == "digits" else 1
sheet = plots.contact_sheet(shown, scale=scale)
image = plots.save_sheet(sheet, page.image_path("cases"))
title = f"This run, profile {profile}: ten samples of each, and the last two"
picture = plots.picture(image, names=list(shown), title=title)

# %% [markdown]
# The forgotten class, where a model still draws it, or what it draws in its place, stands last.
#
# ## What a classifier still finds
#
# Four numbers start from a classifier $p(c \mid x)$. Of all samples,
#
# ```{math}
# :label: eq-ur
# \mathrm{UR} = \frac{\#\{x : \arg\max_c p(c \mid x) = c_f\}}{n}, \qquad
# \mathrm{PUL} = 1 - \frac{\mathrm{UR}_{\text{after}}}{\mathrm{UR}_{\text{before}}},
# ```
#
# and of the answers $x_f$ to the request for $c_f$,
#
# ```{math}
# :label: eq-entropy
# \begin{aligned}
# P(c_f \mid x_f) &= \frac1m \sum_{x_f} p(c_f \mid x_f), \\
# H &= -\frac1m \sum_{x_f} \sum_c p(c \mid x_f) \log p(c \mid x_f).
# \end{aligned}
# ```
#
# A classifier errs, so a perfect model does not get 0. The *floor* is the share of real, retained images that it takes for $c_f$: at the floor a ratio has said all that it can. Here is UR in full, for the model that
# forgets half:

# %%
from companion.studies.known_verdicts import Judge
from paperlib.metrics.intervals import wilson

judge = Judge(known, dataset, k=k, seed=seed)
half = next(case for case in known.cases if case.name == "half")
tables = {"UR": judge.shown(half.samples), "floor": judge.floor}
for name, shown in tables.items():
    hits, of = int(shown.sum()), len(shown)
    low, high = wilson(hits, of)
    print(f"{name:5} {hits / of:6.2%}  [{low:.2%}, {high:.2%}]  {hits} of {of}")

# %% [markdown]
# ## What the samples look like
#
# Three numbers compare the samples with real images in a network's features $\phi(x)$. Here they are our classifier's; in those of pytorch-fid's Inception network the first is called FID {cite}`heusel2017`, and only
# there. With means $\mu$ and covariances $C$ of both sets of features,
#
# ```{math}
# :label: eq-frechet
# d^2 = \lVert \mu_1 - \mu_2 \rVert^2 + \operatorname{tr}\bigl(C_1 + C_2 - 2\,(C_1 C_2)^{1/2}\bigr).
# ```
#
# VDU's *u-* means that $c_f$ is taken out of the real images. Precision and recall {cite}`kynkaanniemi2019` put a ball about every feature vector, as wide as its distance to the $k$-th nearest of its own kind:
#
# ```{math}
# :label: eq-precision
# \begin{aligned}
# \text{precision} &= \Pr\bigl(\phi(x) \text{ in a ball of a real image}\bigr), \\
# \text{recall} &= \Pr\bigl(\phi(x_{\text{real}}) \text{ in a ball of a sample}\bigr).
# \end{aligned}
# ```

# %%
from paperlib.metrics.features import features
from paperlib.metrics.precision_recall import radii, within

one = next(case for case in known.cases if case.name == "class")
real = features(known.retained[:n], judge.network).double()
own = features(one.samples, judge.network).double()
precision = within(own, real, radii(real, k)).double().mean()
recall = within(real, own, radii(own, k)).double().mean()
print(f"one class only: precision {precision:.2f}, recall {recall:.2f}")

# %% [markdown]
# ## One question for all
#
# *Did this model forget $c_f$, and keep the rest?* A measure accepts a model unless its interval rules that out. For UR, PUL and $P(c_f \mid x_f)$ the interval must reach the floor. Entropy must have risen: its whole
# interval above that before unlearning. Distance, precision and recall must be no worse, towards the retained images, than the model before unlearning was towards all images. These are bounds of ours: no paper
# states when its number is good enough.

# %%
judged = {case.name: judge.all(case) for case in known.cases}
before = judge.all(known.before)
good = {case.name: case.good for case in known.cases}

# %% [markdown]
# Two measures accept what both accept. A pair is wrong about a case where that is not the truth.

# %%
from companion.studies.known_verdicts import MEASURES, wrong

accepts = {
    case: {measure: found.accepts for measure, found in measures.items()}
    for case, measures in judged.items()
}
pairs = wrong(accepts, good)
for name in MEASURES:
    print(f"{name:10} is wrong about:", *pairs[name, name])

# %% tags=["hide-input"]
from dataclasses import asdict

from companion.records import measured

network = f"{dataset} classifier"
facts = {"metric": "forgetting", "forget": forget, "source": source, "network": network}
values = [
    measured(
        f"ours.{NAME}/{case}/{name}",
        [found.value],
        seeds=[seed],
        unit=MEASURES[name][1],
        n=found.n,
        dataset=dataset,
        method=case,
        protocol=facts | {"metric": name, "ci95_images": [found.low, found.high], "k": k},
    )
    for case, measures in {"before": before, **judged}.items()
    for name, found in measures.items()
]
record = page.write(
    values=values,
    series={
        "order": list(good),
        "measures": list(MEASURES),
        "names": {name: said for name, (said, _, _) in MEASURES.items()},
        "units": {name: unit for name, (_, unit, _) in MEASURES.items()},
        "labels": {case.name: case.label for case in [known.before, *known.cases]},
        "good": good,
        "judged": {
            case: {name: asdict(found) for name, found in measures.items()}
            for case, measures in {"before": before, **judged}.items()
        },
        "pairs": [[a, b, cases] for (a, b), cases in pairs.items()],
    },
    images=[image],
)

# %% [markdown]
# ## The table
#
# Each cell has the value and its 95 % interval; ✓ where the measure accepts the model, ✗ where it rejects it, red where that is wrong. UR and PUL are in percent, entropy in nats. The first row is the model before unlearning,
# the last one the bound.

# %% tags=["hide-input"]
import pandas as pd
from IPython.display import display

FORMATS = {"%": "{:.1f}", "share": "{:.2f}", "nats": "{:.3f}", "probability": "{:.3f}"}
FORMATS["squared distance"] = "{:.1f}"


def table(record, title):
    """The cases of a record, with what every measure says of them."""
    series = record.series
    math = {"p_forget": "P(<i>c<sub>f</sub></i>&hairsp;|&hairsp;<i>x<sub>f</sub></i>)"}
    head = {name: math.get(name, series["names"][name]) for name in series["measures"]}
    form = {name: FORMATS.get(series["units"][name], "{:.3g}") for name in series["measures"]}
    rows, marks = {}, {}
    for case in ["before", *series["order"]]:
        label, known_truth = series["labels"][case], series["good"].get(case)
        for name, column in head.items():
            one = series["judged"][case][name]
            value, *ends = (form[name].format(one[e]) for e in ("value", "low", "high"))
            said = "" if known_truth is None else " ✓" if one["accepts"] else " ✗"
            text = f"{value}{said}<br><small>[{',&thinsp;'.join(ends)}]</small>"
            rows.setdefault(label, {})[column] = text
            wrongly = known_truth is not None and one["accepts"] != known_truth
            colour = "background-color: #f6c9a8; color: black" if wrongly else ""
            marks.setdefault(label, {})[column] = colour
    first = series["judged"][series["order"][0]]
    rows["bound"] = {
        column: form[name].format(first[name]["bound"]) for name, column in head.items()
    }
    marks["bound"] = dict.fromkeys(rows["bound"], "")
    style, colours = plots.table(rows, title, size=0.75), pd.DataFrame(marks).T
    return style.apply(lambda cells: colours.loc[cells.index, cells.columns], axis=None)


if page.recorded:
    display(table(page.recorded, page.recorded.title))
display(table(record, f"This run, profile {profile}"))

# %% [markdown]
# ## The figures

# %% mystnb={"figure": {"caption": "Recorded. Every measure of every model: value and 95 % interval, filled where the measure accepts the model. Red: it accepts a bad one or rejects a good one. Dashed: the bound.", "name": "fig-measuring-recorded"}, "image": {"alt": "Seven measures of nine models whose truth is known, as recorded", "width": "640px"}} tags=["hide-input"]
if page.recorded:
    title = page.recorded.title
    plots.case_intervals(page.recorded, title=title)

# %% mystnb={"figure": {"caption": "This run. Every measure of every model: value and 95 % interval, filled where the measure accepts the model. Red: it accepts a bad one or rejects a good one. Dashed: the bound.", "name": "fig-measuring"}, "image": {"alt": "Seven measures of nine models whose truth is known, this run", "width": "640px"}} tags=["hide-input"]
this = f"This run, profile {profile}, {dataset}"
figure = plots.case_intervals(record, title=this)

# %% mystnb={"figure": {"caption": "Recorded. How many of the nine models each pair of measures judges wrongly; on the diagonal, one measure alone.", "name": "fig-pairs-recorded"}, "image": {"alt": "Wrong verdicts of each pair of measures, as recorded", "width": "560px"}} tags=["hide-input"]
if page.recorded:
    plots.fooled_pairs(page.recorded, title=title)

# %% mystnb={"figure": {"caption": "This run. How many of the nine models each pair of measures judges wrongly; on the diagonal, one measure alone.", "name": "fig-pairs"}, "image": {"alt": "Wrong verdicts of each pair of measures, this run", "width": "560px"}} tags=["hide-input"]
figure = plots.fooled_pairs(record, title=this)

# %% [markdown]
# ## What to notice

# %% tags=["hide-input"]
from companion.page import Markdown

best = page.recorded or record
told = best.series["judged"]
source_of = f"recorded, `{page.recorded.profile}`" if page.recorded else f"this run, `{profile}`"
name_of = best.series["names"]
fooled = {(a, b): cases for a, b, cases in best.series["pairs"]}
never = [
    f"{name_of[a]} with {name_of[b]}" for (a, b), cases in fooled.items() if a != b and not cases
]
alone = [name_of[a] for (a, b), cases in fooled.items() if a == b and not cases]
bad = [case for case, ok in best.series["good"].items() if not ok]


def listed(name, ok):
    """In words, the good or bad models that a measure judges wrongly."""
    words = best.series["labels"]
    cases = [c for c in fooled[name, name] if best.series["good"][c] == ok]
    return "; ".join(f"*{words[case]}*" for case in cases) or "none"


finders = ("ur", "pul", "p_forget")
passed = [case for case in bad if all(told[case][name]["accepts"] for name in finders)]
ends = "; ".join(f"*{best.series['labels'][case]}*" for case in passed) or "none"
agree = sum(len({told[c][name]["accepts"] for name in finders}) == 1 for c in told)
value = {case: {name: found["value"] for name, found in of.items()} for case, of in told.items()}
Markdown(rf"""
- **What finds the forgotten sees nothing else** ({source_of}). UR, PUL and $P(c_f \mid x_f)$ all accept {len(passed)} of the {len(bad)} bad models: {ends}. Not one of these shows $c_f$, and not one draws the rest as
  before. A table with such columns alone cannot tell success from collapse. On {agree} of {len(told)} rows the three say the same: a second one adds little to the first.
- **Entropy asks for something else.** It rejects good models: {listed("entropy", True)}. It accepts bad ones: {listed("entropy", False)}. A model that answers the request for $c_f$ with a clear picture of another class
  has forgotten, and the classifier is sure of what it sees: {value["all"]["entropy"]:.3f} nats, of $\log 10 = 2.3$. Nor need noise look undecided to a classifier that has never seen any: {value["noise"]["entropy"]:.2g} nats.
- **Precision is fooled by collapse.** One retained picture for ever has precision {value["image"]["precision"]:.2f} and recall {value["image"]["recall"]:.2f}. Bad models that precision accepts: {listed("precision", False)}.
- **Recall is fooled by what is added**, since what a model draws beyond the retained images costs no recall: {value["nothing"]["recall"]:.2f} where nothing is forgotten, {value["before"]["recall"]:.2f} before. Bad models
  that it accepts: {listed("recall", False)}.
- **The distance sees both sides**: what should be gone and what is missing both move a mean or a covariance. It is {value["nothing"]["frechet"]:.2f} where nothing is forgotten, {value["half"]["frechet"]:.2f} where half is,
  {value["all"]["frechet"]:.2f} where all is, {value["image"]["frechet"]:.0f} for one picture. But it does not say which of the two happened, and its error at this $n$ decides how much passes. Bad models that it accepts:
  {listed("frechet", False)}.
- **Measures that are not fooled alone:** {", ".join(alone) or "none"}. **Pairs that are not fooled:** {"; ".join(never) or "none"}. One measure of forgetting and one of quality is the least that a comparison needs: UR or
  PUL with its floor, and a distance with its value before unlearning.
- **None of the seven sees** a model that learnt its training images by heart (the *real retained images* are what it draws), or one that still knows $c_f$ in its weights and does not show it.
""")

# %% [markdown]
# ```{exercise} How small a rest is seen?
# :label: ex-rest
# Mix a share $p$ of the forgotten class into the samples of the model that forgot all, for $p$ = 1 %, 2 %, 4 % and 8 %. From which share on does UR reject the model, from which u-Fréchet, from which precision? What must $n$
# be for UR to see 1 %? (Hint: `judge.ur`, `judge.frechet` and `judge.precision` take a `Case`; the model before unlearning has samples of $c_f$ that nobody has used.)
# ```

# %% [markdown] tags=["solution"]
# ````{solution-start} ex-rest
# :class: dropdown
# ````

# %% tags=["solution"]
from companion.studies.known_cases import Case

perfect = next(case for case in known.cases if case.name == "all")
rest = known.before.asked  # real or drawn images of the forgotten class
for p in (0.01, 0.02, 0.04, 0.08):
    few = round(p * n)
    mixed = Case("half", torch.cat([perfect.samples[few:], rest[:few]]), perfect.asked)
    judges = {"UR": judge.ur, "u-Frechet": judge.frechet, "precision": judge.precision}
    said = {name: judged_by(mixed) for name, judged_by in judges.items()}
    print(
        f"{p:.0%}:",
        *(f"{name} {'accepts' if one.accepts else 'rejects'};" for name, one in said.items()),
    )
floor = judge.ur(perfect).bound / 100
sizes = (size for size in range(100, 10**6, 100) if wilson(size // 100, size)[0] > floor)
print(f"floor's upper end {floor:.2%}; samples for UR to see 1 %: {next(sizes, 'no number')}")

# %% [markdown] tags=["solution"]
# UR counts, so its error is that of a count: the interval of $p$ must clear the floor's, which needs $n$ of the order of $4/p$ where the floor is low, and no $n$ is enough where $p$ lies below the upper end of the floor.
# More real images sharpen the floor; only a better classifier lowers it. The distance weighs all features at once and sees a small rest late.
#
# ````{solution-end}
# ````
