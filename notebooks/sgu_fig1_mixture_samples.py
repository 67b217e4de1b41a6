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
# SGU {cite}`sgu` shows samples from three models of the mixture of {ref}`sgu-tab1`: *Standard* was trained on everything, *Unseen* on the
# retained side $D_g$ alone, and *Unlearning* is the paper's method. A scatter plot cannot show whether a point in the middle is "forgotten data": the
# retained components reach there too. But we can count the share of samples that lie closer to the forgotten mean than to either retained
# mean, and for $p_{data}$ and $p_g$ this share is known exactly.

# %% tags=["parameters"]
profile = "smoke"  # recorded | smoke | laptop | paper
seeds = ""  # such as "0,1,2"; empty: as many as the profile has
samples_per_model = 5000  # from each model and seed

# %%
from companion.page import Page
from companion.studies.mixture import BUDGETS, P_G, SHARED, MixtureSettings, facts
from companion.studies.mixture_measures import nearest_to_forgotten, samples, share_of

page = Page("sgu_fig1_mixture_samples", vars())
budget = page.budget(**BUDGETS)
settings = MixtureSettings.checked(**vars(budget))

# %% tags=["hide-input", "key"]
unseen, obtuse = (page.recorded.find(method=name).value for name in ("unseen", "sgu_obtuse"))
retained = 100 * share_of(P_G)
drawn = page.recorded.find(method="unseen").n
page.verdict(
    claim='*Unseen* still generates forgotten data, "inadvertently", although "trained on pure SFG data"; samples of the paper\'s method "almost do not contain" them.',
    found=f"{unseen:.1f} % of Unseen's samples lie nearest to the forgotten mean. For $p_g$ itself, which contains no forgotten data, the share is {retained:.1f} %. With the obtuse loss it is {obtuse:.1f} %, less than in the retained data: some of these are lost too.",
    verdict="The picture is reproduced, its interpretation is not: the points in the middle are the edges of the retained components.",
    rests=f"{drawn:,} samples per model and seed, by the probability-flow ODE. The paper does not name the loss in its panel (c); we show both.",
    holds=[
        abs(unseen - retained) < 1,
        obtuse < retained - 3,
        all(value.n == 5000 for value in page.recorded.all()),
    ],
)

# %% [markdown]
# ## The right answer
#
# With means at $(-2,-2)$, $(0,0)$ and $(2,2)$, a point is nearest to the middle one when $|u| < \sqrt2$, where $u = (x_1 + x_2)/\sqrt2$. Along $u$ each component is
# normal with variance 1 and mean $c_k \in \{-2\sqrt2, 0, 2\sqrt2\}$, so
#
# ```{math}
# :label: eq-share
# P(\text{nearest to the forgotten mean}) = \sum_k w_k\,\bigl[\Phi(\sqrt2 - c_k) - \Phi(-\sqrt2 - c_k)\bigr].
# ```

# %%
from paperlib.data.mixture import SGU_MIXTURE

exact = {"standard": 100 * share_of(SGU_MIXTURE), "unseen": 100 * share_of(P_G)}
print(f"p_data: {exact['standard']:.2f} %    p_g: {exact['unseen']:.2f} %")

# %% [markdown]
# So even a model that has forgotten *perfectly* puts several percent of its samples there. They are not forgotten data but the edges of the retained components.
#
# ## The run
#
# Samples come from the probability-flow ODE {eq}`eq-flow`, solved from noise to data with Heun's method. With the exact score of $p_g$ in place of a network:

# %%
import torch

from paperlib.denoiser import ExactDenoiser
from paperlib.processes import VE
from paperlib.sampling import heun, sample

noise = torch.Generator().manual_seed(page.seeds[0])
perfect = ExactDenoiser(P_G, VE())
drawn = sample(perfect, (5, 2), generator=noise, sampler=heun, steps=60)
print(drawn.x, f"\n{drawn.evaluations} network evaluations")

# %% [markdown]
# Besides Standard and Unseen we sample from models trained with each of the paper's losses and with {py:mod}`paperlib.unlearning.redirect`, after ReTrack {cite}`retrack`. All models of a seed start from the same noise.
# Standard, Unseen and SGU's two losses train from fresh weights, SGU's with $\alpha = 0.8$ as in {ref}`sgu-tab1`; redirect fine-tunes Standard with $\lambda = 20$ for a quarter of the updates.

# %%
import itertools

from scipy.stats import binomtest

from companion.rows import row


def rows():
    """Each model's share of samples nearest to the forgotten mean, in percent."""
    for seed, method in itertools.product(page.seeds, SHARED.values()):
        x = samples(page.store, settings, method, seed, samples_per_model)
        hits = nearest_to_forgotten(x)
        wilson = binomtest(int(hits.sum()), len(x)).proportion_ci(method="wilson")
        share = dict(metric="share", unit="percent", n=len(x), seed=seed)
        share |= dict(interval=[100 * end for end in wilson])
        how = facts(settings, method) | dict(sampler="heun", evaluations=drawn.evaluations)
        yield row(100 * hits.double().mean(), **share, **how)


# %%
from companion.seeds import generator


def curves():
    """600 data points, and 600 samples of each model for the first seed."""
    seed = page.seeds[0]
    points = {"p_data": SGU_MIXTURE.sample(600, generator(seed, page.name, "data"))}
    for name, method in SHARED.items():
        points[name] = samples(page.store, settings, method, seed, samples_per_model)[:600]
    return {"points": {name: x.mul(100).round().div(100) for name, x in points.items()}}


result = page.measure(rows, series=curves)

# %% [markdown]
# ## The share, counted

# %% mystnb={"figure": {"caption": "Samples of the first seed, coloured by the nearest mean. {run}.", "name": "fig-sgu-fig1"}, "image": {"alt": "Samples of each model, coloured by the nearest of the three means", "width": "680px"}} tags=["key"]
from companion import plots

page.figure(plots.sample_panels)

# %%
from companion.claims.names import method_title
from companion.claims.table import number


def shares(record):
    """The counted share of each model, beside the exact one where it is known."""
    lines = {
        method_title(value.method): {
            "exact, %": number(exact.get(value.method)),
            "counted, %": number(value.value, value.interval),
        }
        for value in record.all(metric="share")
    }
    return plots.table(lines, record.caption)


page.show(shares)

# %% [markdown]
# ## What to notice

# %% tags=["hide-input"]
share = {value.method: value.value for value in result.all(metric="share")}
outside = {
    name: 100 * (torch.tensor(points).abs() > 6).any(1).double().mean().item()
    for name, points in result.series["points"].items()
}
page.say(
    f"**Unseen generates what is in $p_g$**: {share['unseen']:.2f} % of its samples lie in the middle, and the exact share is {exact['unseen']:.2f} %. Retraining forgot the middle component; what is left there belongs to the other two.",
    f"**A smaller share than that of $p_g$ means giving up retained data.** Obtuse has {share['sgu_obtuse']:.2f} % there and redirect {share['redirect']:.2f} %: each missing sample is one that $p_g$ would generate. The cost in likelihood is the subject of {{ref}}`ours-frontier`.",
    f"**Orthogonal does not empty the middle, it breaks the model**: {outside['orthogonal']:.0f} % of its samples lie outside the panel, and none of Unseen's do. Eq. 9 shrinks the score wherever noisy forgotten points lie, and at high noise they lie everywhere: nothing brings the samples back. The {share['sgu_orthogonal']:.2f} % near the middle say nothing about forgetting.",
    "**A picture cannot rank obtuse and redirect.** They were trained for different numbers of updates, and neither's weight was chosen for this count. {ref}`ours-frontier` compares them at the same budget and cost.",
    holds=[
        abs(share["unseen"] - exact["unseen"]) < 1,
        max(share["sgu_obtuse"], share["redirect"]) < exact["unseen"] - 2,
        outside["orthogonal"] > 30 and outside["unseen"] == 0,
    ],
)

# %% [markdown]
# ```{exercise} Forget by filter
# :label: ex-filter
# Draw 20,000 samples from $p_g$ and discard those nearest to the forgotten mean. What share of $p_g$ is lost? What is the average log-likelihood ratio
# between $p_g$ and the filtered density on the retained data that remain, and on those that were discarded?
# ```

# %% [markdown] tags=["solution"]
# ````{solution-start} ex-filter
# :class: dropdown
# ````

# %% tags=["solution"]
x = P_G.sample(20_000, torch.Generator().manual_seed(page.seeds[0]))
lost = nearest_to_forgotten(x).double().mean()
print(f"lost: {100 * lost:.2f} %")
print(f"log(filtered / p_g) on what remains: {-torch.log1p(-lost):.4f} nats")
print("and on what was discarded: minus infinity")

# %% [markdown] tags=["solution"]
# Filtering is cheap for what remains and infinitely expensive for what was discarded: the NLL of $D_g$ is a mean over both. A weight above zero bounds the cost; this is the purpose of
# `floor` in {py:func}`paperlib.unlearning.redirect.carving`.
#
# ````{solution-end}
# ````

# %% [markdown]
# ## This run

# %% tags=["hide-output"]
page.this_run()
