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
# (sgu-fig2)=
# # SGU, Figure 2: learned scores on the Gaussian mixture
#
# **The claim.** SGU {cite}`sgu` draws the learned score field at $t = 0.08$ over the density of the data (its text cites the figure as Figure 5):
#
# > The results show that the scores for both Unseen Re-training and Standard VESDE are quite similar, while our method alters the score distribution of NSFG data, causing the model to steer away
# > from high probability density areas
#
# Here the exact field is known at every time, so that each model's field can be drawn beside it, and its error measured.

# %% tags=["parameters"]
profile = "smoke"  # smoke | laptop | paper: how much is trained
seed = 0  # the first seed; further ones are seed + 1, seed + 2, ...
seeds = 0  # how many; 0: as many as the profile has
t = 0.08  # where the field is drawn: the paper's "randomly selected" time

# %% tags=["hide-input"]
from companion.page import Page
from companion.studies.mixture import P_F, P_G, SHARED, MixtureSettings, load, protocol, train
from companion.studies.mixture_measures import score_error

NAME = "sgu_fig2_mixture_scores"
page = Page(NAME, vars())
settings = MixtureSettings.of(profile, seeds=seeds)
if not isinstance(t, float | int) or not 0 < t <= 1:
    raise ValueError(f"t={t!r} is not allowed: a time in (0, 1] expected")
page.banner("the exact mixture")

# %% [markdown]
# ## The exact score
#
# The process takes a mixture of Gaussians to another one, with means $\alpha_t\mu_k$ and variance $v_t = \alpha_t^2 + \sigma_t^2$. Its score is a closed form:
#
# ```{math}
# :label: eq-exact-score
# \nabla \log p_t(x) = -\sum_k p(k \mid x)\, \frac{x - \alpha_t \mu_k}{v_t}, \qquad p(k\mid x) \propto w_k\, \Normal(x;\, \alpha_t\mu_k, v_t I).
# ```

# %%
import torch

from paperlib.denoiser import ExactDenoiser
from paperlib.processes import VE

process = VE(sigma_min=0.01, sigma_max=50.0)
exact = ExactDenoiser(P_G, process)
x = torch.tensor([[0.35, 0.35], [-0.35, -0.35]])
print(f"sigma at t = {t}: {process.sigma(torch.tensor(t)):.4f}")
print(exact(x, torch.tensor(t)).score)  # both components pull outwards, towards the retained means

# %% [markdown]
# At $t = 0.08$ the noise is tiny against the data: this is a picture of the data's own score. And in the middle the retained components alone already push outwards. That is what the
# paper wants from unlearning, and what *Unseen* should have learnt.
#
# ## The run

# %%
runs = range(seed, seed + settings.seeds)
models = {
    name: [load(train(page.store, settings, method, run), settings) for run in runs]
    for name, method in SHARED.items()
}

# %% [markdown]
# A model's error is the distance of its noise prediction from the exact one, $\sigma_t\,(s_\theta - s)$, as a root mean square over noisy points of one side of the data. *Standard* is held against
# $p_{data}$, all others against $p_g$, which is what a perfectly retrained model would have learnt:

# %%
from paperlib.data.mixture import SGU_MIXTURE

grid_t = [0.02, 0.08, 0.15, 0.25, 0.35, 0.42, 0.5, 0.58, 0.65, 0.75, 0.85, 0.95]
sides = {"D_g": P_G, "D_f": P_F}
target = {name: SGU_MIXTURE if name == "standard" else P_G for name in SHARED}


def errors(name, side, run, model):
    """The model's error on one side of the data, along t."""
    x0 = sides[side].sample(settings.test_points, torch.Generator().manual_seed(run))
    return [score_error(model, target[name], x0, at, run) for at in grid_t]


curves = {
    side: {
        name: [errors(name, side, run, model) for run, model in zip(runs, found)]
        for name, found in models.items()
    }
    for side in sides
}

# %% tags=["hide-input"]
from companion.records import measured

METHOD = {"orthogonal": "sgu_orthogonal", "obtuse": "sgu_obtuse"}
values = [
    measured(
        f"ours.{NAME}/{side}/{name}",
        [sum(curve) / len(curve) for curve in curves[side][name]],
        seeds=list(runs),
        unit="rms of sigma_t (s - exact), mean over the listed t",
        n=settings.test_points,
        dataset="mixture",
        method=METHOD.get(name, name),
        protocol=protocol(settings, method)
        | {
            "metric": "score error",
            "against": "p_data" if name == "standard" else "p_g",
            "t": grid_t,
        },
    )
    for name, method in SHARED.items()
    for side in sides
]
axis = torch.linspace(-4, 4, 15)
points = torch.cartesian_prod(axis, axis)
fields = {"p_data": ExactDenoiser(SGU_MIXTURE, process), "p_g": exact} | {
    name: found[0] for name, found in models.items()
}
with torch.no_grad():
    arrows = {
        name: model(points, torch.tensor(t)).score.mul(1000).round().div(1000)
        for name, model in fields.items()
    }
mean_curve = {
    side: {name: torch.tensor(c).mean(0) for name, c in of.items()} for side, of in curves.items()
}
record = page.write(
    values=values, series={"points": points, "fields": arrows, "t": grid_t, "errors": mean_curve}
)

# %% [markdown]
# ## The error

# %% tags=["hide-input"]
import pandas as pd

from companion import plots

now = {value.claim: value for value in values}
table = pd.DataFrame({
    f"{plots.LABELS[name]}, {side}": {
        "recorded": plots.interval(page.recorded, f"ours.{NAME}/{side}/{name}", decimals=3),
        "this run": plots.interval(record, f"ours.{NAME}/{side}/{name}", decimals=3),
    }
    for name in SHARED
    for side in sides
}).T  # fmt: skip
table.style.set_table_attributes('class="comparison"')

# %% mystnb={"figure": {"caption": "Recorded. Error of the score along t. Standard is held against the score of the whole mixture, all others against that of the retained data.", "name": "fig-sgu-fig2-errors-recorded"}, "image": {"alt": "Each model's score error along t on both sides of the data, as recorded", "width": "680px"}} tags=["hide-input"]
if page.recorded:
    plots.score_errors(page.recorded, title=page.recorded.title)

# %% mystnb={"figure": {"caption": "This run. Error of the score along t. Standard is held against the score of the whole mixture, all others against that of the retained data.", "name": "fig-sgu-fig2-errors"}, "image": {"alt": "Each model's score error along t on both sides of the data, in this run", "width": "680px"}} tags=["hide-input"]
figure = plots.score_errors(record, title=f"This run, profile {profile}")
# %% [markdown]
# ## The fields

# %% mystnb={"figure": {"caption": "Recorded. Score fields over the density of the data; arrows are coloured by the nearest mean, and long ones are cut.", "name": "fig-sgu-fig2-recorded"}, "image": {"alt": "Score fields of the exact densities and of each model over the density of the data, as recorded", "width": "680px"}} tags=["hide-input"]
if page.recorded:
    plots.score_fields(
        page.recorded,
        density=SGU_MIXTURE,
        title=f"{page.recorded.title}, t = {page.recorded.parameters['t']}",
    )

# %% mystnb={"figure": {"caption": "This run. Score fields over the density of the data; arrows are coloured by the nearest mean, and long ones are cut.", "name": "fig-sgu-fig2"}, "image": {"alt": "Score fields of the exact densities and of each model over the density of the data, in this run", "width": "680px"}} tags=["hide-input"]
figure = plots.score_fields(
    record, density=SGU_MIXTURE, title=f"This run, profile {profile}, t = {t}"
)
# %% [markdown]
# ## What to notice

# %% tags=["hide-input"]
from companion.page import Markdown

best = page.recorded or record
err = {name: {side: best[f"ours.{NAME}/{side}/{name}"].value for side in sides} for name in SHARED}
at_middle = torch.tensor([[0.5, 0.5]])
with torch.no_grad():
    pull = {
        name: model(at_middle, torch.tensor(t)).score.sum().item()
        for name, model in (("p_data", fields["p_data"]), ("p_g", exact))
    }
source = f"recorded, `{page.recorded.profile}`" if page.recorded else f"this run, `{profile}`"
Markdown(rf"""
- **Standard and Unseen are not alike.** At $(0.5, 0.5)$ and $t = {t}$ the exact scores, summed over both coordinates, are {pull["p_data"]:+.2f} for $p_{{data}}$ and {pull["p_g"]:+.2f} for $p_g$. They differ only
  in the middle, which a field drawn over the whole plane hardly shows.
- **The errors lie where nobody trained** ({source}). Unseen's error on $D_f$ is {err["unseen"]["D_f"]:.3f}, on $D_g$ {err["unseen"]["D_g"]:.3f}. A retrained model has seldom looked at noisy forgotten points, and that is
  where {{py:mod}}`paperlib.unlearning.redirect` asks it to.
- **What SGU's losses do is not subtle**: against $p_g$, orthogonal is off by {err["orthogonal"]["D_f"]:.3f} on $D_f$ and by {err["orthogonal"]["D_g"]:.3f} on $D_g$; obtuse by {err["obtuse"]["D_f"]:.3f} and {err["obtuse"]["D_g"]:.3f}.
  Where the two sides overlap, the retained one is damaged with the forgotten one.
- **Redirect departs from $p_g$ on purpose** ({err["redirect"]["D_f"]:.3f} on $D_f$): its target is not $p_g$ but $p_g$ with the middle carved out.
""")

# %% [markdown]
# ```{exercise} Obtuse, in closed form
# :label: ex-obtuse-minimiser
# Minimise Eq. 11 with the obtuse loss point by point: for one $x$ and $t$ it is $\alpha p_g \lVert s - s_g\rVert^2 + (1-\alpha)\, p_f\, s\cdot s_f$ up to a constant. Find $s$, and its value at $(0.5, 0.5)$
# for $\alpha = 0.8$. What happens where $p_g$ is small?
# ```

# %% [markdown] tags=["solution"]
# ````{solution-start} ex-obtuse-minimiser
# :class: dropdown
# ````
# The gradient in $s$ is zero at $s = s_g - \frac{1-\alpha}{2\alpha}\,\frac{p_f}{p_g}\, s_f$. Where $p_g$ is small the ratio grows: up to $e^4$ on the mixture, and beyond any bound on images, whose classes hardly
# overlap.

# %% tags=["solution"]
alpha, sigma = 0.8, process.sigma(torch.tensor(t))
r = (P_F.log_density(at_middle, 1.0, sigma) - P_G.log_density(at_middle, 1.0, sigma)).exp()
s = P_G.score(at_middle, 1.0, sigma) - (1 - alpha) / (2 * alpha) * r * P_F.score(
    at_middle, 1.0, sigma
)
with torch.no_grad():
    print("closed form:", s, " learned:", models["obtuse"][0](at_middle, torch.tensor(t)).score)

# %% [markdown] tags=["solution"]
# ````{solution-end}
# ````
