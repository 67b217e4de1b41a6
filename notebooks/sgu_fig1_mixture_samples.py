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
# (sgu-fig1)=
# # SGU, Figure 1: samples on the Gaussian mixture
#
# **The claim.** SGU {cite}`sgu` shows samples of three models of the mixture: *Standard*, *Unseen Re-training* and its own *Unlearning Re-training*. It says of the second:
#
# > Figure 1 (b) demonstrates that NSFG data were inadvertently generated even when the model was trained on pure SFG data.
#
# and of the third that its samples "almost do not contain NSFG data". A scatter plot cannot settle that, because the retained components themselves reach into the middle: a
# point between them belongs to no one. What can be counted is the share of samples that lie nearer to the forgotten mean than to either retained one, and
# for $p_{data}$ and $p_g$ that share is known exactly.

# %% tags=["parameters"]
profile = "smoke"  # smoke | laptop | paper: how much is trained
seed = 0  # the first seed; further ones are seed + 1, seed + 2, ...
seeds = 0  # how many; 0: as many as the profile has
samples_per_model = 5000  # drawn from each model of each seed

# %% tags=["hide-input"]
from companion.page import Page
from companion.studies.mixture import P_G, SHARED, MixtureSettings, protocol
from companion.studies.mixture_measures import nearest_to_forgotten, samples, share_of

NAME = "sgu_fig1_mixture_samples"
page = Page(NAME, vars())
settings = MixtureSettings.of(profile, seeds=seeds)
if samples_per_model < 100:
    raise ValueError(f"samples_per_model={samples_per_model} is not allowed: at least 100 expected")
page.banner("the exact mixture")

# %% [markdown]
# ## The right answer
#
# With the means at $(-2,-2)$, $(0,0)$ and $(2,2)$, a point lies nearest to the middle one when $|u| < \sqrt2$, where $u = (x_1 + x_2)/\sqrt2$. Along $u$ each component is
# normal with variance 1 and centre $c_k \in \{-2\sqrt2, 0, 2\sqrt2\}$, so
#
# ```{math}
# :label: eq-share
# P(\text{nearest to the forgotten mean}) = \sum_k w_k\,\bigl[\Phi(\sqrt2 - c_k) - \Phi(-\sqrt2 - c_k)\bigr].
# ```

# %%
from paperlib.data.mixture import SGU_MIXTURE

exact = {"standard": share_of(SGU_MIXTURE), "unseen": share_of(P_G)}
print(f"p_data: {100 * exact['standard']:.2f} %    p_g: {100 * exact['unseen']:.2f} %")

# %% [markdown]
# So a model that has *perfectly* forgotten still puts several percent of its samples there. They are not forgotten data; they are the retained components' own edges.
#
# ## The run
#
# Beside the paper's three we draw the obtuse loss and our own method ({py:mod}`paperlib.unlearning.redirect`), from the same noise, by Heun's method on the probability-flow ODE:

# %%
import torch

from paperlib.denoiser import ExactDenoiser
from paperlib.processes import VE
from paperlib.sampling import heun, sample

perfect = ExactDenoiser(P_G, VE())
drawn = sample(
    perfect, (5, 2), generator=torch.Generator().manual_seed(seed), sampler=heun, steps=60
)
print(drawn.x, f"\n{drawn.evaluations} network evaluations")

# %%
runs = range(seed, seed + settings.seeds)
drawn = {
    name: [samples(page.store, settings, method, run, samples_per_model) for run in runs]
    for name, method in SHARED.items()
}

# %% tags=["hide-input"]
from companion.records import measured
from companion.seeds import generator

METHOD = {"orthogonal": "sgu_orthogonal", "obtuse": "sgu_obtuse"}
values = [
    measured(
        f"ours.{NAME}/nearest_to_forgotten/{name}",
        [100 * nearest_to_forgotten(x).double().mean().item() for x in drawn[name]],
        seeds=list(runs),
        unit="percent",
        n=samples_per_model,
        dataset="mixture",
        method=METHOD.get(name, name),
        protocol=protocol(settings, method)
        | {"metric": "share", "sampler": "heun", "evaluations": 120},
    )
    for name, method in SHARED.items()
]
D = SGU_MIXTURE.sample(600, generator(seed, NAME, "data"))
shown = {"p_data": D} | {name: x[0][:600] for name, x in drawn.items()}
record = page.write(
    values=values,
    series={"points": {name: x.mul(100).round().div(100) for name, x in shown.items()}},
)

# %% [markdown]
# ## The share, counted

# %% tags=["hide-input"]
import pandas as pd
from scipy.stats import binomtest

from companion import plots


def counted(name):
    """This run's samples of all seeds together, with Wilson's interval."""
    hits = torch.cat([nearest_to_forgotten(x) for x in drawn[name]])
    interval = binomtest(int(hits.sum()), len(hits)).proportion_ci(method="wilson")
    return f"{100 * hits.double().mean():.2f} [{100 * interval.low:.2f}, {100 * interval.high:.2f}]"


table = pd.DataFrame({
    plots.LABELS[name]: {
        "exact, %": f"{100 * exact[name]:.2f}" if name in exact else "—",
        "recorded, % (seeds)": plots.interval(page.recorded, f"ours.{NAME}/nearest_to_forgotten/{name}"),
        "this run, % (Wilson)": counted(name),
    }
    for name in SHARED
}).T  # fmt: skip
told = f"Recorded: intervals over seeds. This run: profile {profile}, {len(runs)} seed(s) pooled."
table.style.set_table_attributes('class="comparison"').set_caption(told)

# %% [markdown]
# ## The figure

# %% mystnb={"figure": {"caption": "Recorded. Samples of the first seed, coloured by the mean that is nearest to them.", "name": "fig-sgu-fig1-recorded"}, "image": {"alt": "Samples of each model as recorded, coloured by the nearest of the three means", "width": "680px"}} tags=["hide-input"]
if page.recorded:
    plots.sample_panels(page.recorded, title=page.recorded.title)

# %% mystnb={"figure": {"caption": "This run. Samples of the first seed, coloured by the mean that is nearest to them.", "name": "fig-sgu-fig1"}, "image": {"alt": "Samples of each model in this run, coloured by the nearest of the three means", "width": "680px"}} tags=["hide-input"]
figure = plots.sample_panels(record, title=f"This run, profile {profile}")
# %% [markdown]
# ## What to notice

# %% tags=["hide-input"]
from companion.page import Markdown

best = page.recorded or record
got = {name: best[f"ours.{NAME}/nearest_to_forgotten/{name}"].value for name in SHARED}
source = f"recorded, `{page.recorded.profile}`" if page.recorded else f"this run, `{profile}`"
outside = {
    name: 100 * (torch.tensor(points).abs() > 6).any(1).double().mean().item()
    for name, points in best.series["points"].items()
}
Markdown(rf"""
- **Unseen generates what $p_g$ has**: {got["unseen"]:.2f} % ({source}) where the exact share is {100 * exact["unseen"]:.2f} %. What the paper calls inadvertently generated data are
  the edges of the retained components.
- **Fewer than $p_g$ means giving up retained data.** Obtuse {got["obtuse"]:.2f} %, redirect {got["redirect"]:.2f} %: each sample missing from the middle
  is a sample of $p_g$ that the model does not generate. What that costs in likelihood is the subject of {{ref}}`ours-frontier`.
- **Orthogonal does not empty the middle, it breaks the model**: {outside["orthogonal"]:.0f} % of its samples lie outside of the panel ({outside["unseen"]:.0f} % of Unseen's do). Eq. 9 shrinks the score wherever noisy
  forgotten points lie, and at high noise they lie everywhere: nothing brings the samples back. Its share of {got["orthogonal"]:.2f} % near the middle says nothing about forgetting.
- Orthogonal and obtuse are trained anew with $\alpha = 0.8$, as Table 1 has it; redirect is fine-tuned from Standard with $\lambda = 20$ and a quarter of the updates.
""")

# %% [markdown]
# ```{exercise} Forget by filter
# :label: ex-filter
# Draw 20,000 samples from $p_g$ and throw away those that lie nearest to the forgotten mean. Which share of $p_g$ is lost? What is the average log-likelihood ratio
# between $p_g$ and the filtered density on the retained data that remain, and on those that were thrown away?
# ```

# %% [markdown] tags=["solution"]
# ````{solution-start} ex-filter
# :class: dropdown
# ````

# %% tags=["solution"]
x = P_G.sample(20_000, torch.Generator().manual_seed(seed))
lost = nearest_to_forgotten(x).double().mean()
print(f"lost: {100 * lost:.2f} %")
print(f"log(filtered / p_g) on what remains: {-torch.log1p(-lost):.4f} nats")
print("and on what was thrown away: minus infinity")

# %% [markdown] tags=["solution"]
# Filtering is cheap for what remains, and infinitely expensive for what was thrown away: the NLL of $D_g$ is a mean over both. A weight above zero bounds the price, and that is what
# the `floor` of {py:func}`paperlib.unlearning.redirect.carving` is for.
#
# ````{solution-end}
# ````
