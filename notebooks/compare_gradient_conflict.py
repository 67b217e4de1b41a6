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
# (compare-gradient-conflict)=
# # Do forgetting and keeping pull apart?
#
# **The claim.** EraseDiff's Figure 2 {cite}`erasediff` shows that the update of the plain sum of both losses often stands at an obtuse angle to one of the two gradients, and that its own update does not. That is told of one method and one rival, each with the gradients of its own terms. Here is the same
# question for every method of the bench ({ref}`compare-all-methods`), with one yardstick.
#
# ```{math}
# :label: eq-conflict
# \begin{aligned}
# \text{keeps} &= \cos\bigl(\Delta\theta,\, -\nabla L_g\bigr), \qquad
# \text{erases} = \cos\bigl(\Delta\theta,\, +\nabla L_f\bigr), \\
# \text{agree} &= \cos\bigl(-\nabla L_g,\, +\nabla L_f\bigr), \qquad
# L_i = \E_{x_0 \sim D_i} \lVert z - \epsilon_\theta(x_t, t) \rVert^2 .
# \end{aligned}
# ```
#
# $\Delta\theta$ is what the optimiser really did to the weights, not the gradient that it was handed. $L_g$ and $L_f$ are the denoising losses of retained and forgotten data, on batches that the run does not see. An update that does what it should lowers the first and raises the second: both cosines are positive.

# %% tags=["parameters"]
profile = "smoke"  # smoke | laptop | paper: data, budget, probes
seed = 0  # of training and of the probes
seeds = ""  # several in its place: "0,1,2"
forget = "1"  # the class that is to be forgotten, or several: "3,7"
process = "ddpm"  # ddpm | ve: which base model
dataset = ""  # digits | mnist; empty: as the profile has it
methods = "all"  # or some, separated by commas: "erasediff,multi_objective"

# %% tags=["hide-input"]
from companion.comparison.bench import Bench
from companion.comparison.entrants import ENTRANTS, chosen
from companion.page import Page
from companion.seeds import listed

NAME = "compare_gradient_conflict"
page = Page(NAME, vars())
SEEDS, names = listed(seeds, seed), chosen(methods)
bench = Bench.of(profile, dataset=dataset, process=process, forget=str(forget))
page.banner({"digits": "scikit-learn's digits", "mnist": "MNIST"}[bench.kind.dataset])

# %% [markdown]
# EraseDiff's figure itself, with its variants, is a page of its own. `paper` computes what `laptop` does.
#
# ## The runs
#
# They are those of the comparison, out of its store: same base model, same budget, settings from the same search. At evenly spread updates the gradients were taken before the update and the move of the weights after it.

# %%
from companion.comparison.bench import run
from companion.comparison.course_results import probes
from companion.comparison.probes import conflict

found, lines = {}, []
for name in names:
    found[name] = [probes(run(page.store, bench, name, seed)) for seed in SEEDS]
    shares = conflict([one for seen in found[name] for one in seen])
    said = (f"{what} {share:3.0f} %" for what, share in shares.items())
    lines.append(f"{ENTRANTS[name].title:20} {'   '.join(said)}")
print("\n".join(lines))

# %% tags=["hide-input"]
from companion import plots
from companion.records import measured

facts = bench.model_dump(mode="json", include={"base", "forget", "budget", "batch_size"})
values = []
for name, per_seed in found.items():
    shares = [conflict(seen) for seen in per_seed]
    for what in ("gradients", "harms", "restores"):
        values.append(
            measured(
                f"ours.{NAME}/{name}/{what}",
                [one[what] for one in shares],
                seeds=SEEDS,
                unit="%",
                n=len(per_seed[0]),
                dataset=bench.kind.dataset,
                method=name,
                protocol=facts | {"metric": f"share of probed updates, {what}"},
            )
        )
titles = {name: ENTRANTS[name].title for name in names}
series = {"probes": found, "titles": titles, "forget": bench.forget}
record = page.write(values=values, series=series | {"bench": facts})

# %% [markdown]
# ## The directions

# %% mystnb={"figure": {"caption": "Recorded. The cosines of every probed update with both gradients. Above zero it helps, to first order.", "name": "fig-conflict-recorded"}, "image": {"alt": "Cosines of the updates of every method, as recorded", "width": "720px"}} tags=["hide-input"]
this = f"This run, profile {profile}, {bench.base}"
recorded = page.recorded and page.recorded.title
if page.recorded:
    plots.conflict_panels(page.recorded, title=recorded)

# %% mystnb={"figure": {"caption": "This run. The cosines of every probed update with both gradients. Above zero it helps, to first order.", "name": "fig-conflict"}, "image": {"alt": "Cosines of the updates of every method", "width": "720px"}} tags=["hide-input"]
figure = plots.conflict_panels(record, title=this)

# %% tags=["hide-input"]
from statistics import fmean

from IPython.display import display


def shares(record, title):
    """How often each method is in conflict, and how its updates lie on average."""
    lines = {}
    probed = record.series["probes"]
    for name, per_seed in probed.items():
        seen = [one for several in per_seed for one in several]
        share = conflict(seen)
        lines[record.series["titles"][name]] = {
            "updates probed": f"{len(seen)}",
            "gradients disagree, %": f"{share['gradients']:.0f}",
            "update harms the kept, %": f"{share['harms']:.0f}",
            "update restores the forgotten, %": f"{share['restores']:.0f}",
            "keeps, mean": f"{fmean(one['keeps'] for one in seen):+.2f}",
            "erases, mean": f"{fmean(one['erases'] for one in seen):+.2f}",
        }
    return plots.table(lines, title)


if page.recorded:
    display(shares(page.recorded, recorded))
display(shares(record, this))

# %% [markdown]
# ## What to notice

# %% tags=["hide-input"]
from companion.page import Markdown

best, told = page.recorded or record, recorded or this
seen = {
    name: [one for several in per_seed for one in several]
    for name, per_seed in best.series["probes"].items()
}
share = {name: conflict(one) for name, one in seen.items()}
titles = best.series["titles"]
mean = {
    what: {name: fmean(one[what] for one in ones) for name, ones in seen.items()}
    for what in ("keeps", "erases", "agree")
}


def ranked(what, count=3):
    """The methods that do it most often."""
    order = sorted(share, key=lambda name: -share[name][what])[:count]
    return ", ".join(f"{titles[name]} {share[name][what]:.0f} %" for name in order)


every = [one["agree"] for ones in seen.values() for one in ones]
against = 100 * sum(one < 0 for one in every) / len(every)
points = [
    "**The two gradients disagree** at"
    f" {against:.0f} % of all probed moments of the runs, with a mean cosine of"
    f" {fmean(every):+.2f}: what lowers the error on retained images"
    + (
        " mostly lowers it on forgotten ones too, since both are images of the same kind."
        if fmean(every) < 0
        else " does not lower it on forgotten ones."
    ),
    f"**Updates that harm the kept**: {ranked('harms')}.",
    f"**Updates that restore the forgotten**: {ranked('restores')}.",
]
if {"erasediff", "multi_objective"} <= share.keys():
    pair = {
        name: f"harms {share[name]['harms']:.0f} %, restores {share[name]['restores']:.0f} %"
        for name in ("erasediff", "multi_objective")
    }
    fewer = (
        share["erasediff"]["harms"] + share["erasediff"]["restores"]
        < share["multi_objective"]["harms"] + share["multi_objective"]["restores"]
    )
    points += [
        f"**EraseDiff against the plain sum**: {pair['erasediff']}, against"
        f" {pair['multi_objective']}: EraseDiff is"
        f" {'less' if fewer else 'not less'} often in conflict by this yardstick. Its"
        " theorem speaks of the gradient that Adam is handed and of its own erasing"
        " loss, and neither is the weights' move nor $L_f$."
    ]
both = [titles[name] for name in seen if mean["keeps"][name] > 0 and mean["erases"][name] > 0]
points += [
    "**On average both at once**, keeping and erasing: " + (", ".join(both) or "no method") + ".",
    "**A first-order picture.** A cosine says where a small step would lead. Steps of"
    " Adam at these rates are not small, and what a model draws depends on more than"
    " two losses: the comparison, not this figure, says who forgets.",
]
Markdown(f"From: {told}.\n\n" + "\n".join(f"- {point}" for point in points))

# %% [markdown]
# ```{exercise} Whose fault is it?
# :label: ex-conflict-adam
# Adam divides each gradient by its own running size, weight by weight, so that its move can harm what the gradient would not. Take one method of two terms, run it for some updates with `cosines=True`, and compare the cosines of the gradient that Adam is handed (`step.cosines`) with those of its move (`step.move_cosines`). How
# often do the signs differ?
# ```

# %% [markdown] tags=["solution"]
# ````{solution-start} ex-conflict-adam
# :class: dropdown
# ````

# %% tags=["solution"]
import torch

from companion import bases
from paperlib.data import sets
from paperlib.data.splits import split
from paperlib.unlearning.sgu import sgu

train = split(sets.load(bench.kind.dataset), bench.forget)
D_g, D_f = (bases.examples(bench.kind, side) for side in train)
steps = list(
    sgu(
        bases.load(bench.base),
        D_f,
        D_g,
        loss="obtuse",
        steps=20,
        batch_size=bench.batch_size,
        lr=1e-4,
        ema=0.0,
        cosines=True,
        generator=torch.Generator().manual_seed(SEEDS[0]),
    )
)
for term in ("L_g", "L_f"):
    handed = [step.cosines[term] for step in steps]
    moved = [step.move_cosines[term] for step in steps]
    other = sum((a > 0) != (b > 0) for a, b in zip(handed, moved))
    print(
        f"{term}: handed {fmean(handed):+.2f}, moved {fmean(moved):+.2f},"
        f" other sign {other} of {len(steps)}"
    )

# %% [markdown] tags=["solution"]
# The move is nearer to zero in both: it has memory, of gradients of other batches, and other lengths in every coordinate. Where a method promises something of $\delta$, it promises it of plain gradient descent.
#
# ````{solution-end}
# ````
