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
# (vdu-tab2)=
# # VDU, Table 2: the sweep of gamma
#
# **The claim** {cite}`vdu`. The hyper-parameter $\gamma$ weighs staying against forgetting. Table 2 prints, for digit 1 of MNIST, PUL 75.06, 72.15, 55.21 and 71.67 % at $\gamma$ = 0.1, 0.3, 0.6 and 0.8, with u-FID 14.43, 14.33, 11.54 and 13.12. A weight that is turned one way should turn the result one way. It does until 0.6, and at 0.8 it comes back. Is that noise, and does $\gamma$ do anything at all?
#
# ```{math}
# :label: eq-vdu-tab2
# \begin{aligned}
# \mathcal{L}(\theta) &= -(1 - \gamma)\, A(\theta) + \gamma\, B(\theta), \\
# A &= \sum_{x_0 \in D_f} \sum_{t} w_t \lVert \epsilon_0 - \epsilon_\theta(x_t, t) \rVert^2, \\
# B &= \sum_{i=1}^{n} \frac{(\theta_i - \mu_i^*)^2}{2 \sigma_i^{*2}}, \qquad
# w_t = \frac{1 - \alpha_t}{\alpha_t (1 - \bar\alpha_{t-1})} .
# \end{aligned}
# ```
#
# $A$, the plasticity inducer, has no upper bound. $B$, the stability regulariser, is all that holds the model: its Gaussian comes from several trained models.

# %% tags=["parameters"]
profile = "smoke"  # smoke | laptop | paper: data, samples, models
seed = 0  # of unlearning and of the samples
seeds = ""  # several in its place: "0,1,2"; intervals are over seeds then
forget = "1"  # the class that is to be forgotten, or several: "3,7"
dataset = ""  # digits | mnist; empty: as the profile has it
gamma = "0.1,0.3,0.6,0.8"  # the paper's four; or others, between 0 and 1
lr = 0.0  # Adam's, beside the paper's 1e-6; 0: chosen on held-out images
normalised = False  # means in place of Eq. 3's sums

# %% tags=["hide-input"]
from companion.page import Page
from companion.seeds import listed

NAME = "vdu_tab2_gamma_sweep"
page = Page(NAME, vars())
SEEDS, forget = listed(seeds, seed), str(forget)
BUDGET = {
    "smoke": {"n": 60, "sampler": 6, "batch": 16, "fine": [], "train": 24, "apart": 2},
    "laptop": {
        "n": 2000,
        "sampler": 10,
        "batch": 128,
        "fine": [0.0, 0.45, 0.9, 0.97, 0.99],
        "train": 1500,
        "apart": 10,
    },
}["smoke" if profile == "smoke" else "laptop"]
dataset = dataset or ("digits" if profile == "smoke" else "mnist")
if dataset not in ("digits", "mnist"):
    raise ValueError(f"dataset={dataset!r} is not one of digits, mnist")
try:
    GAMMAS = [float(word) for word in str(gamma).split(",")]
except ValueError:
    raise ValueError(f"gamma={gamma!r} are not numbers with commas between") from None
if outside := [one for one in GAMMAS if not 0 <= one <= 1]:
    raise ValueError(f"gamma={outside[0]:g} is not in [0, 1]")
if lr < 0:
    raise ValueError(f"lr={lr} is negative")
page.banner({"digits": "scikit-learn's digits", "mnist": "MNIST"}[dataset])

# %% [markdown]
# The paper's MNIST setting, which is small enough to be run: DDPM with $T = 1000$ and a linear schedule, one epoch of $D_f$ in batches of 128, Adam with a rate of 1e-6. Its network is not described; ours has a million weights. Its posterior comes from five models, of which it does not say whether they share a training. `paper` computes what `laptop` does.
#
# ## One run
#
# The posterior is that of five snapshots of further training on all images; why not of five seeds, the last section shows. Every update has a random batch in place of the whole sum.

# %%
import math

from companion import bases
from companion.comparison.course_results import looks, model_file
from companion.comparison.courses import Course, course
from paperlib.data import sets
from paperlib.data.splits import split

base = bases.BASES[f"{dataset}-ddpm"]
D_f = split(sets.load(dataset, "train"), forget).forget
EPOCH = math.ceil(len(D_f) / BUDGET["batch"])
PAPER_LR = 1e-6


def vdu(gamma, lr, seed, **other):
    """One epoch of VDU, stored."""
    own = {"gamma": gamma, "normalised": float(normalised)}
    settings = {"base": base.name, "method": "vdu", "settings": own, "lr": lr}
    settings |= {"forget": forget, "looks": (EPOCH,), "batch_size": BUDGET["batch"]}
    settings |= {"n": 60, "evaluations": BUDGET["sampler"], "seed": seed}
    settings |= {"apart": BUDGET["apart"]}
    return course(page.store, Course.checked(**settings | other))


print(f"{len(D_f)} images to forget, {EPOCH} updates an epoch")

# %% [markdown]
# ## A rate
#
# At 1e-6 Adam moves no weight by more than 1e-6 an update. So beside the paper's rate stands one that was chosen, at $\gamma = 0.1$, with training images that were held out and the rule of the comparison's search ({eq}`eq-compare-score`).

# %%
import torch

from companion.evaluation.samples import find
from paperlib.metrics.rule import score, verdict


def moved(entry):
    """The largest change of a weight, and the root mean square."""
    pairs = [
        dict(find(name).load().named_parameters()) for name in (base.name, str(model_file(entry)))
    ]
    change = torch.cat([(pairs[1][n] - p).flatten() for n, p in pairs[0].items()])
    return change.abs().max().item(), change.square().mean().sqrt().item()


RATES = [3e-6, 1e-5, 3e-5, 1e-4] if profile != "smoke" else [1e-5, 1e-4]
tried = {}
if not lr:
    for rate in RATES:
        before, last = looks(vdu(0.1, rate, 0, held_out=True, n=400 if profile != "smoke" else 60))
        tried[rate] = score(last["ur"], last["distance"], before)
        print(f"rate {rate:g}: score {tried[rate]}")
known = {rate: found for rate, found in tried.items() if found is not None}
lr = lr or min(known, key=known.get)
print(f"chosen: {lr:g}")

# %% [markdown]
# ## The sweep
#
# PUL is the share of the forgotten class's samples that is gone; the distance is that of all samples from real images of the other classes (the paper's u-FID, in the features of our classifier). Both before and after from the same noise.

# %%
from companion.evaluation.report import evaluate, prepare
from companion.evaluation.subject import Protocol


def measured_of(checkpoint, seed):
    """PUL and distance of one model, with their intervals."""
    protocol = Protocol(
        metrics=("pul", "u-frechet", "rest-frechet"),
        n=BUDGET["n"],
        evaluations=BUDGET["sampler"],
        forget=forget,
        before=base.name,
        seed=seed,
    )
    device = torch.device("cpu")
    subject = prepare(checkpoint, protocol, device=device, store=page.store)
    return dict(zip(("pul", "distance", "rest"), evaluate(subject).results))


start = {seed: measured_of(base.name, seed) for seed in SEEDS}
swept = {}
for rate in (PAPER_LR, lr):
    for one in sorted({*GAMMAS, *BUDGET["fine"]}):
        entries = [vdu(one, rate, seed) for seed in SEEDS]
        swept[rate, one] = [
            measured_of(str(model_file(entry)), seed) | {"moved": moved(entry)}
            for entry, seed in zip(entries, SEEDS)
        ]
        first = swept[rate, one][0]
        print(
            f"rate {rate:g}, gamma {one:4}: PUL {first['pul'].value:6.1f} %,"
            f" distance {first['distance'].value:6.2f},"
            f" largest move {first['moved'][0]:.1e}"
        )

# %% [markdown]
# ## The posterior
#
# Two ways to five models. *Snapshots* of one training go on from the base model. *Seeds* are models of their own, trained from fresh weights on the same data (on digits, whose models are small; the paper does not say which it means). Of each Gaussian: is its mean a model, and how wide is it?

# %%
from companion.studies.posteriors import Study, study

ways = study(
    page.store,
    Study.checked(
        base="digits-ddpm",
        forget=forget,
        models=3 if profile == "smoke" else 5,
        steps=BUDGET["train"],
        apart=BUDGET["apart"],
        batch_size=BUDGET["batch"],
        n=max(60, BUDGET["n"] // 4),
        sampler=BUDGET["sampler"],
        images=300,
    ),
)
for name, found in ways.items():
    print(
        f"{name:10} loss of a member {found['members']['loss']:.3f}, of the mean"
        f" {found['mean']['loss']:.3f}; pull at the start {found['pull']:.2g} a weight"
    )

# %% [markdown]
# ## What gamma weighs
#
# $A$ is a sum over data and steps, $B$ over weights. Take a quarter of the data, or weights that are all one $\sigma^*$ off, and the same $\gamma$ weighs something else. Means in place of sums (`normalised=True`: a pixel's error against a weight's displacement in units of $\sigma^*$) do not move:

# %%
from paperlib.unlearning.posterior import Posterior
from paperlib.unlearning.vdu import vdu as method

model = bases.load(base.name)
count = sum(p.numel() for p in model.parameters())
gaussian = Posterior.isotropic(model, 1e-3)
moved_by = {name: mean + 1e-3 for name, mean in gaussian.mean.items()}
off = Posterior(moved_by, gaussian.variance, 0, 0.0)  # every weight one sigma away
quarter = D_f.only(torch.arange(len(D_f)) % 4 == 0)
terms = {}
for name, data in {"all of D_f": D_f, "a quarter": quarter}.items():
    for means in (False, True):
        draws = torch.Generator().manual_seed(SEEDS[0])
        settings = {"posterior": off, "normalised": means, "batch_size": 64, "lr": 1e-6}
        forgotten = bases.examples(base, data)
        run = method(model, forgotten, generator=draws, steps=1, **settings)
        losses = next(iter(run)).losses
        terms[name, means] = losses["plasticity"], losses["stability"]
        print(
            f"{name:11} {'means' if means else 'sums '}: A {losses['plasticity']:.4g},"
            f" B {losses['stability']:.4g}"
        )

# %% tags=["hide-input"]
from companion import plots
from companion.claims.printed import load
from companion.records import NotRun, measured
from paperlib.intervals import over_seeds

facts = {"forget": forget, "process": "ddpm", "base": base.name, "updates": EPOCH}
facts |= {"batch_size": BUDGET["batch"], "sampler": "iPNDM", "normalised": normalised}
facts |= {"sampler_evaluations": BUDGET["sampler"], "split": "test"}
facts |= {"posterior": "5 snapshots", "apart": BUDGET["apart"]}
claims = load()
official = dataset == "mnist" and forget == "1" and not normalised
values = []


def sweep_value(claim, name, rate, one, what, unit):
    """One value of the sweep, over the seeds."""
    ones = [found[what] for found in swept[rate, one]]
    return measured(
        claim,
        [found.value for found in ones],
        seeds=SEEDS,
        unit=unit,
        n=BUDGET["n"],
        dataset=dataset,
        method="vdu",
        protocol=facts
        | {"metric": name, "lr": rate, "gamma": one}
        | {"ci95_images": [list(found.interval) for found in ones]},
    )


for (rate, one), _ in swept.items():
    printed = f"vdu.tab2/mnist/1/{one:g}/pul"
    own = f"ours.{NAME}/{rate:g}/{one:g}"
    if official and rate == PAPER_LR and printed in claims:
        values += [sweep_value(printed, "pul", rate, one, "pul", "percent")]
    else:
        values += [sweep_value(f"{own}/pul", "PUL", rate, one, "pul", "percent")]
    unit = "squared distance"
    for what, name in {"distance": "u-Frechet", "rest": "rest-Frechet"}.items():
        values += [sweep_value(f"{own}/{what}", name, rate, one, what, unit)]
have = {value.claim for value in values}
TABLE = [name for name in claims if name.startswith("vdu.tab2/")]
for name in TABLE:
    if name in have:
        continue
    reason = (
        "CIFAR-10: the paper's models, trained with 4,000 steps, are not at hand"
        if "cifar10" in name
        else "u-FID takes Inception's features of 5,000 samples for each gamma; the"
        " distance in the classifier's stands beside it"
        if name.endswith("ufid")
        else f"this run has {dataset}, class {forget}"
    )
    values.append(NotRun(claim=name, reason=reason))


def spread(rate, one, what):
    """Mean, and interval over seeds or, of one seed, over images."""
    ones = [found[what] for found in swept[rate, one]]
    return over_seeds([found.value for found in ones], ones[0].interval)


record = page.write(
    values=values,
    series={
        "sweep": [
            {"rate": rate, "gamma": one, "moved": found[0]["moved"]}
            | {what: spread(rate, one, what) for what in ("pul", "distance", "rest")}
            for (rate, one), found in swept.items()
        ],
        "start": start[SEEDS[0]]["distance"].value,
        "start_rest": start[SEEDS[0]]["rest"].value,
        "rates": [PAPER_LR, lr],
        "tried": {f"{rate:g}": found for rate, found in tried.items() if found is not None},
        "ways": ways,
        "terms": {
            f"{name}, {'means' if means else 'sums'}": pair for (name, means), pair in terms.items()
        },
        "weights": count,
        "seeds": SEEDS,
        "printed": {
            one: [claims[f"vdu.tab2/mnist/1/{one}/{what}"].value for what in ("pul", "ufid")]
            for one in ("0.1", "0.3", "0.6", "0.8")
        },
    },
)

# %% [markdown]
# ## The table

# %% tags=["hide-input"]
from companion.claims.table import comparison, reasons, style

style(comparison(TABLE, page.recorded or record))

# %% tags=["hide-input"]
from companion.page import Markdown

Markdown("\n".join(f"- {why}" for why in reasons((page.recorded or record).values)))

# %% [markdown]
# ## The curves

# %% mystnb={"figure": {"caption": "Recorded. Against gamma: PUL, with the paper's as crosses, and the distance of all samples (dotted: before) and of those that do not show the class (dashed); for the paper's rate and the chosen one, with 95 % intervals. On the right a point a gamma; dotted: the rule, whose corner is the upper left one.", "name": "fig-vdu-sweep-recorded"}, "image": {"alt": "The sweep of gamma, as recorded", "width": "720px"}} tags=["hide-input"]
this = f"This run, profile {profile}, {base.name}"
recorded = page.recorded and page.recorded.title
if page.recorded:
    plots.gamma_sweep(page.recorded, title=recorded)

# %% mystnb={"figure": {"caption": "This run. Against gamma: PUL, with the paper's as crosses, and the distance of all samples (dotted: before) and of those that do not show the class (dashed); for the paper's rate and the chosen one, with 95 % intervals. On the right a point a gamma; dotted: the rule, whose corner is the upper left one.", "name": "fig-vdu-sweep"}, "image": {"alt": "The sweep of gamma, this run", "width": "720px"}} tags=["hide-input"]
figure = plots.gamma_sweep(record, title=this)

# %% mystnb={"figure": {"caption": "The standard deviations of both Gaussians, tensor by tensor (medians), from the network's input to its output.", "name": "fig-vdu-posterior"}, "image": {"alt": "Standard deviations of the weights, layer by layer", "width": "640px"}} tags=["hide-input"]
best, told = page.recorded or record, recorded or this
figure = plots.posterior_widths(best, title=told)

# %% [markdown]
# ## What to notice

# %% tags=["hide-input"]
series = best.series
slow, chosen = series["rates"]
rows = {(row["rate"], row["gamma"]): row for row in series["sweep"]}
sweep = sorted(series["sweep"], key=lambda row: row["gamma"])
paper = [row for row in sweep if row["rate"] == slow]
other = [row for row in sweep if row["rate"] == chosen]


def ruled(series, rate):
    """The gammas that pass the rule at a rate. What PUL leaves of the class is UR in that of the base model."""
    before = {"ur": 100.0, "distance": series["start_rest"]}
    passed = [
        f"{row['gamma']:g} (PUL {row['pul'][0]:.0f} %, {row['rest'][0]:.2f})"
        for row in series["sweep"]
        if row["rate"] == rate
        and verdict(100 - row["pul"][0], row["rest"][0], before) == "forgotten and kept"
    ]
    return ", ".join(passed) or "no gamma"


def along(rows):
    """From the smallest gamma to the largest, in words."""
    ends = {what: (rows[0][what][0], rows[-1][what][0]) for what in ("pul", "rest")}
    column = [row["pul"][0] for row in rows]
    rises = sum(a < b for a, b in zip(column, column[1:]))
    return (
        f"PUL goes from {ends['pul'][0]:.0f} to {ends['pul'][1]:.0f} % as gamma goes"
        f" from {rows[0]['gamma']:g} to {rows[-1]['gamma']:g}, and rises in {rises} of"
        f" {len(rows) - 1} steps; the distance of the rest goes from"
        f" {ends['rest'][0]:.2f} to {ends['rest'][1]:.2f}"
    )


def agree(rate):
    """The printed gammas whose PUL lies in our interval at a rate, and the others."""
    found = {gamma: rows[rate, float(gamma)]["pul"] for gamma in series["printed"]}
    hit = [g for g, pul in found.items() if pul[1] <= series["printed"][g][0] <= pul[2]]
    miss = [g for g in found if g not in hit]
    return f"{', '.join(hit) or 'none'} inside, {', '.join(miss) or 'none'} outside"


printed = [pair[0] for pair in series["printed"].values()]
ones = 5000 / 10  # samples of the digit before unlearning, one class of ten


def error(pul):
    """The standard error of a printed PUL, in points: both counts are Poisson."""
    left = ones * (1 - pul / 100)
    return 100 * (left / ones**2 + left**2 / ones**3) ** 0.5


gaps = [abs(a - b) / math.hypot(error(a), error(b)) for a, b in zip(printed, printed[1:])]
asked = {float(gamma) for gamma in series["printed"]} <= {row["gamma"] for row in paper}
held = f" Of the paper's PULs, in our intervals: at gamma {agree(slow)}." if asked else ""
held_too = f" The paper's: at gamma {agree(chosen)}." if asked else ""
points = [
    f"**At the paper's rate, {slow:g}**, no weight moves by more than"
    f" {max(row['moved'][0] for row in paper):.1e}. Still {along(paper)} (before:"
    f" {series['start_rest']:.2f}).{held}",
    f"**At the chosen rate, {chosen:g}**, {along(other)}.{held_too}",
    "**Forgotten and kept**, by the rule of this book (at most a third of the class left,"
    " and the distance of the samples that do not show it at most 1.5 times the"
    f" {series['start_rest']:.2f} before): {ruled(series, slow)} at the"
    f" paper's rate, {ruled(series, chosen)} at the chosen one."
    + (
        f" In this run, profile `{profile}`: {ruled(record.series, PAPER_LR)} and"
        f" {ruled(record.series, lr)}."
        if page.recorded
        else ""
    ),
    "**Is the printed column noise?** From 5,000 samples a PUL has a standard error of"
    f" {min(map(error, printed)):.1f} to {max(map(error, printed)):.1f} points. The"
    f" printed steps are {', '.join(f'{gap:.1f}' for gap in gaps)} standard errors of a"
    f" difference: {sum(gap > 2 for gap in gaps)} of {len(gaps)} are more than the"
    " sampling noise of one model. They can still be noise of the *run*, of which the"
    " paper has one for each gamma; our runs share their batches and their noise, so"
    " that nothing but gamma differs.",
]
snap, seed = series["ways"]["snapshots"], series["ways"]["seeds"]
points += [
    "**The mean of five seeds is"
    f" {'no model' if seed['mean']['loss'] > 2 * seed['members']['loss'] else 'a model'}**:"
    f" its loss is {seed['mean']['loss']:.2f} a pixel, that of a member"
    f" {seed['members']['loss']:.2f}; a model that answers 0 has 1. The mean of"
    f" snapshots has {snap['mean']['loss']:.3f}, a member {snap['members']['loss']:.3f}.",
    "**The stability term before any update** is"
    f" {seed['pull']:.2g} a weight around the mean of seeds and {snap['pull']:.2g}"
    " around that of snapshots, where a weight of the Gaussian itself has 1/2. So the"
    " regulariser pulls away from the trained model from the start, and with seeds"
    " towards something that is no model. The snapshots' Gaussian is so narrow"
    f" that {100 * snap['floored']:.0f} % of its variances had to be raised to a floor.",
]
sums = [series["terms"][f"{name}, sums"] for name in ("all of D_f", "a quarter")]
means = [series["terms"][f"{name}, means"] for name in ("all of D_f", "a quarter")]
points += [
    f"**Gamma has no unit.** With a quarter of the data A falls from {sums[0][0]:.3g}"
    f" to {sums[1][0]:.3g}, and B, with all {series['weights']:,} weights one sigma"
    f" off, stays at {sums[0][1]:.3g}: the same gamma weighs four times as much for"
    f" staying. Of means, A is {means[0][0]:.3g} and {means[1][0]:.3g}, B"
    f" {means[0][1]:.3g}."
]
Markdown(f"From: {told}, seeds {series['seeds']}.\n\n" + "\n".join(f"- {p}" for p in points))

# %% [markdown]
# ```{exercise} A gamma for two sizes
# :label: ex-vdu-gamma
# A network with $n$ weights unlearns $N$ images with Eq. 3 and $\gamma = 0.8$. Which $\gamma'$ gives the same balance with $N/4$ images? With $4n$ weights? Check the first with the terms above.
# ```

# %% [markdown] tags=["solution"]
# ````{solution-start} ex-vdu-gamma
# :class: dropdown
# ````


# %% tags=["solution"]
def same_balance(gamma, data=1.0, weights=1.0):
    """The gamma that keeps (1 - gamma) A / (gamma B) when both sums grow by these factors."""
    odds = gamma / (1 - gamma) * data / weights
    return odds / (1 + odds)


print(f"a quarter of the data: {same_balance(0.8, data=0.25):.3f}")
print(f"four times the weights: {same_balance(0.8, weights=4):.3f}")
for name, own in (("all of D_f", 0.8), ("a quarter", 0.8), ("a quarter", 0.5)):
    A, B = terms[name, False]
    print(f"{name:11} gamma {own}: (1 - gamma) A / (gamma B) = {(1 - own) * A / own / B:.3g}")

# %% [markdown] tags=["solution"]
# What matters is $(1 - \gamma) A / (\gamma B)$. A quarter of the data makes a quarter of $A$, so that the odds $\gamma / (1 - \gamma)$ must be a quarter, too; four times the weights make four times $B$, and ask for the same. So 0.8 becomes 0.5 in both cases. Adam hides a common factor of both terms, but not their balance.
#
# ````{solution-end}
# ````
