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
# (erasediff-fig5)=
# # EraseDiff, Figure 5: the ablation of K and eta
#
# EraseDiff {cite}`erasediff` has two dials: $K$ inner steps, which approximate the least erasing loss, and $\eta$, which weighs the constraint. Its Figure 5 (a) says that FID rises with both: "a larger number of iterations $K$ leads to more thorough erasure". And the entropy of the classifier's answer on the forgotten class "remains close to 2.02" nats. {ref}`erasediff-fig2` shows that by the paper's own algorithm $K$ cannot matter. Then what does the figure show?

# %% tags=["parameters"]
profile = "smoke"  # recorded | smoke | laptop | paper
seeds = ""  # of unlearning and of the samples, such as "0,1,2"; empty: as many as the profile has
dataset = ""  # cifar10, mnist, digits: any with a conditional DDPM; empty: the profile's
forget = ""  # such as "airplane" or "3,7"; empty: the profile's
target = "noise"  # the figure's; or rl

# %%
from companion.page import Page

page = Page("erasediff_fig5_ablation", vars())
small = dict(of="", dataset="digits", forget="3", updates=3, batch_size=8, n=45, asked=20, steps=8)
small |= dict(etas=[0.1], Ks=[1, 3], sampler="iPNDM", guidance=0.0)
small |= dict(features="classifier", reference_n=0)
budget = page.budget(
    smoke=small,
    laptop=small
    | dict(updates=20, batch_size=16, n=90, asked=40, steps=10)
    | dict(etas=[1e-4, 0.1, 1.0], Ks=[1, 5]),
    paper=small
    | dict(of="erasediff-", dataset="cifar10", forget="airplane", updates=288)
    | dict(batch_size=128, n=45_000, asked=500, steps=1000, sampler="DDPM", guidance=2.0, seeds=3)
    | dict(features="inception", etas=[1e-4, 1e-3, 0.01, 0.1, 1.0], Ks=[1, 2, 5, 10]),
)

# %% tags=["hide-input", "key"]
page.verdict(claim="open", found="open", verdict="open")

# %% [markdown]
# ## Where the dials are
#
# ```{math}
# :label: eq-fig5-dials
# \lambda_t = \max\Bigl(0,\ \frac{a_t - \nabla g \cdot \nabla L_r}{\lVert \nabla g \rVert^2}\Bigr), \qquad
# a_t = \begin{cases} \eta\, \lVert \nabla g \rVert^2 & \text{as printed} \\ \eta\, g / \xi & \text{ours, "corrected"} \end{cases}
# ```
#
# and in the public code $\lambda_t = 0.1$, a constant. $K$ enters through the *value* of $g = L_f(\theta) - L_f(\phi^K)$: as printed nowhere, in "corrected" through $a_t$, and in the code through the optimiser, which remembers the inner steps. $\eta$ is in the code's default nowhere.
#
# ## The runs

# %%
from companion.models import base
from paperlib.unlearning.erasediff import erasediff

start = base(f"{budget.of}{budget.dataset}-ddpm-labels", called="unscrubbed")
common = dict(updates=budget.updates, batch_size=budget.batch_size, lr=1e-4, target=target)


def run(variant, seed, **dials):
    """EraseDiff with these dials; as printed with its code's is the one that other pages call so."""
    printed = (variant, dials.get("eta"), dials["K"]) == ("paper", 0.1, min(budget.Ks))
    called = "erasediff" if printed else "erasediff_ablation"
    own = common | dict(variant=variant, seed=seed, called=called) | dials
    return start.unlearn(erasediff, budget.forget, **own)


def models(seed):
    """Along eta with the least K, then along K with eta = 0.1; as printed, the least K and the most."""
    least, *more = sorted(budget.Ks)
    for eta in budget.etas:
        yield run("paper", seed, eta=eta, K=least)
        yield run("corrected", seed, eta=eta, K=least)
    yield run("code", seed, lam=0.1, K=least)
    for K in more:
        yield run("code", seed, lam=0.1, K=K)
        yield run("corrected", seed, eta=0.1, K=K)
    for K in more[-1:]:
        yield run("paper", seed, eta=0.1, K=K)


# %%
from companion import checkpoints
from companion.studies import erasediff_measures

drawing = dict(n=budget.n, forget_n=budget.asked, sampler=budget.sampler, guidance=budget.guidance)
drawing |= dict(evaluations=budget.steps * (2 if budget.guidance else 1))
drawing |= dict(features=budget.features, reference_n=budget.reference_n)


def rows():
    """The distance of the retained classes, entropy and P(c_f | x_f) of every run, and of the model before."""
    for seed in page.seeds if not start.missing else []:
        for model in [start, *models(seed)]:
            yield from erasediff_measures.rows_of(model, budget.forget, seed=seed, **drawing)


def curves():
    """Whether the printed algorithm's weights know K: the checkpoints' hashes are the same, or not."""
    if start.missing:
        return {}
    ends = (min(budget.Ks), max(budget.Ks))
    folders = [run("paper", page.seeds[0], eta=0.1, K=K).made().path for K in ends]
    first, second = (checkpoints.card("model", folder)["sha256"] for folder in folders)
    return dict(same=first == second, Ks=ends)


def missing(claim):
    """Why a printed cell was not run."""
    return base("erasediff-cifar10-ddpm-labels").missing or "an ablation has no one value"


by = ["eta", "lam", "K"]
tables = ["erasediff.text_entropy"]
result = page.measure(rows, series=curves, tables=tables, missing=missing, by=by)

# %% [markdown]
# ## The figure

# %% mystnb={"figure": {"caption": "Above: the distance of images of the retained classes from real ones; below: the entropy of the classifier's answer on images that were asked for the forgotten class. Left against eta, right against K; dotted: before. Mean of the seeds, with each seed as a point. {run}.", "name": "fig-erasediff-ablation"}, "image": {"alt": "Distance and entropy against eta and K for three variants", "width": "700px"}} tags=["key"]
from companion import plots

page.figure(plots.ablation_curves)

# %%
page.show(plots.ablation_table)

# %% [markdown]
# ## The paper's entropy

# %%
page.compare("erasediff.text_entropy")

# %% [markdown]
# ## What to notice

# %% tags=["hide-input"]
page.say()

# %% [markdown]
# ```{exercise} How uncertain is 2.02 nats?
# :label: ex-fig5-entropy
# Ten classes alike have $\log 10 = 2.30$ nats. Which answer of a classifier has 2.02: how many classes alike, or how much for one class if the other nine share the rest?
# ```

# %% [markdown] tags=["solution"]
# ````{solution-start} ex-fig5-entropy
# :class: dropdown
# ````

# %% tags=["solution"]
import math

from scipy.optimize import brentq


def entropy(p):
    """Of one class with p and nine that share the rest."""
    return -p * math.log(p) - (1 - p) * math.log((1 - p) / 9)


print(
    f"{math.exp(2.02):.1f} classes alike, or one with {brentq(lambda p: entropy(p) - 2.02, 0.1, 0.9):.2f}"
)

# %% [markdown] tags=["solution"]
# It is the entropy of an answer to one image. An image of another class, which is what "rl" aims at, has an entropy near 0: a high one says that the image shows nothing, and is a fact about the target "noise".
#
# ````{solution-end}
# ````

# %% [markdown]
# ## This run

# %% tags=["hide-output"]
page.this_run()
