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
# (erasediff-tab1)=
# # EraseDiff, Table 1: eight models of CIFAR-10
#
# A conditional DDPM of CIFAR-10 is to forget airplanes. Table 1 of EraseDiff {cite}`erasediff` has the model before ("Unscrubbed") and seven methods, with FID, precision and recall of the nine retained classes, and $P(c_f \mid x_f)$, the probability that a classifier gives to "airplane" on images that were asked to show one. The retrained model, which the table leaves out, is the measure of all of them.

# %% tags=["parameters"]
profile = "smoke"  # recorded | smoke | laptop | paper
seeds = ""  # of unlearning and of the samples, such as "0,1,2"; empty: as many as the profile has
dataset = ""  # cifar10, mnist, digits: any with a conditional DDPM; empty: the profile's
forget = ""  # such as "airplane" or "3,7"; empty: the profile's
methods = ""  # some of the names in the table below; empty: the profile's
guidance = 0.0  # w of (1 + w) c - w u, in place of the profile's

# %%
from companion.page import Page
from companion.studies.erasediff_amounts import PUBLISHED, amounts, recipe

page = Page("erasediff_tab1_cifar10", vars())
budget = page.budget(**amounts(dataset))  # the paper's, each with its source

# %% tags=["hide-input", "key"]
page.verdict(claim="open", found="open", verdict="open")

# %% [markdown]
# ## What is measured
#
# ```{math}
# :label: eq-erasediff-tab1
# P(c_f \mid x_f) = \E_{x_f} P_\psi(y = c_f \mid x_f), \qquad x_f \sim p_\theta(\cdot \mid c_f), \qquad
# d^2 = \lVert \mu - \mu_r \rVert^2 + \operatorname{tr}\bigl( C + C_r - 2 (C\, C_r)^{1/2} \bigr) .
# ```
#
# $\mu, C$ are mean and covariance of features of images that were asked for the retained classes in turn, $\mu_r, C_r$ those of real images with these labels. $d^2$ is FID in Inception's features; in those of our classifier it is called the distance, and precision and recall have that network too. Whoever forgot has a low $P(c_f \mid x_f)$; whoever kept has a distance as before.
#
# ## The methods

# %%
import pandas as pd

from paperlib.unlearning.methods import METHODS

table = {
    name: dict(method=METHODS[method].title, minimises=METHODS[method].equation, **settings)
    for name, (method, settings, _) in PUBLISHED.items()
}
pd.DataFrame(table).T.fillna("")

# %% [markdown]
# Each has its published settings. In profile `laptop` each has the same budget of gradient evaluations, and what comes before the first update counts: BlindSpot's teacher takes half of it, Selective Amnesia's Fisher information and SalUn's mask a twelfth. Selective Amnesia rehearses real images here, where its paper draws a replay.

# %%
from companion.models import base

start = base(f"{budget.of}{budget.dataset}-ddpm-labels", called="unscrubbed")


def models(seed):
    """The model before, the retrained one where there is one, and what each method makes."""
    twin = start.retrained(without=budget.forget)
    yield from [start] if twin.missing else [start, twin]
    for name in budget.methods.split(","):
        run = recipe(name, budget) | dict(called=name, seed=seed)
        yield start.unlearn(METHODS[PUBLISHED[name][0]].call, budget.forget, **run)


# %% [markdown]
# ## The run

# %%
from companion.studies import erasediff_measures

drawing = dict(n=budget.n, forget_n=budget.asked, sampler=budget.sampler, guidance=budget.guidance)
drawing |= dict(evaluations=budget.steps * (2 if budget.guidance else 1))
drawing |= dict(features=budget.features, reference_n=budget.reference_n)


def rows():
    """All measures of all models; nothing without a base model."""
    for seed in page.seeds if not start.missing else []:
        for model in models(seed):
            yield from erasediff_measures.rows_of(model, budget.forget, seed=seed, **drawing)


def curves():
    """How the distance of the model before moves with the protocol, and what was not there."""
    if start.missing:
        return {}
    told = dict(features=budget.features, sampler=budget.sampler, seed=page.seeds[0])
    found = erasediff_measures.moves(start, budget.forget, **budget.moves, **told)
    return dict(moves=found, no_twin=start.retrained(without=budget.forget).missing)


def missing(claim):
    """Why a printed cell was not run."""
    theirs = base("erasediff-cifar10-ddpm-labels").missing
    return start.missing or theirs or f"this run forgets {budget.forget} of {budget.dataset}"


result = page.measure(rows, series=curves, tables=["erasediff.tab1"], missing=missing)

# %% [markdown]
# ## The paper's cells

# %%
page.compare("erasediff.tab1")

# %% [markdown]
# ## What came of it

# %% mystnb={"figure": {"caption": "What is left of the forgotten class against the distance of images of the retained ones from real ones, each with a 95 % interval. Good is at the lower left. {run}.", "name": "fig-erasediff-plane"}, "image": {"alt": "Probability of the forgotten class against distance", "width": "640px"}} tags=["key"]
from companion import plots

page.figure(plots.erased_plane)

# %%
page.show(plots.erased_table)

# %% [markdown]
# ## How much is a difference of 0.3?
#
# Table 1 ranks methods by FIDs that differ by tenths: SalUn's 9.16 and BlindSpot's 9.12, Fine-tune's 8.21 and Selective Amnesia's 8.19. One model, nothing unlearnt, by three things that a protocol decides: the sampler's steps, the guidance $w$, and the number of images.

# %% mystnb={"figure": {"caption": "The distance of one model, Unscrubbed, by steps, guidance w and number of images n, from the same noise; shaded: the 95 % interval of the largest n. {run}.", "name": "fig-erasediff-protocol"}, "image": {"alt": "Distance of one model under several protocols", "width": "640px"}}
page.figure(plots.protocol_moves)

# %% [markdown]
# ## What to notice

# %% tags=["hide-input"]
page.say()

# %% [markdown]
# ```{exercise} A perfect model's distance
# :label: ex-erasediff-n
# Even images from the data distribution itself have a distance above zero when there are only $n$ of them. How does it fall with $n$? Take the model before at the most steps, and fit $d^2(n) = d_\infty^2 + c / n$ to its three numbers of images.
# ```

# %% [markdown] tags=["solution"]
# ````{solution-start} ex-erasediff-n
# :class: dropdown
# ````

# %% tags=["solution"]
import numpy as np

moves = [one for one in result.series["moves"] if not one["guidance"]]
most = [one for one in moves if one["steps"] == max(one["steps"] for one in moves)]
c, limit = np.polyfit([1 / one["n"] for one in most], [one["value"] for one in most], 1)
print(f"c = {c:.0f}; with infinitely many images {limit:.2f}")

# %% [markdown] tags=["solution"]
# Mean and covariance are estimated with errors of order $1 / n$ in the square, so the excess falls as $1 / n$ (Chong and Forsyth extrapolate in this way). A distance at one $n$ must not be held against one at another.
#
# ````{solution-end}
# ````

# %% [markdown]
# ## This run

# %% tags=["hide-output"]
page.this_run()
