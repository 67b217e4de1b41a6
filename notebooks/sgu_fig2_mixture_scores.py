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
# SGU {cite}`sgu` plots the score field of each model at $t = 0.08$, a "randomly selected" time, over the density of the data, and concludes from it why unlearning forgets and retraining does
# not (the text cites the figure as Figure 5). On the mixture of {ref}`sgu-tab1` the exact field is known at every time, so we can plot each model's field beside it and measure
# its error.

# %% tags=["parameters"]
profile = "smoke"  # recorded | smoke | laptop | paper
seeds = ""  # such as "0,1,2"; empty: as many as the profile has
t = 0.08  # in (0, 1], where the field is plotted: the paper's "randomly selected" time

# %%
from companion.page import Page
from companion.studies.mixture import BUDGETS, SHARED, MixtureSettings, facts, trained
from companion.studies.mixture_measures import score_error

page = Page("sgu_fig2_mixture_scores", vars())
budget = page.budget(**BUDGETS)
settings = MixtureSettings.checked(**vars(budget))
if not 0 < t <= 1:
    raise ValueError(f"t={t!r} is not allowed: a time in (0, 1] expected")

# %% tags=["hide-input", "key"]
points, fields = (page.recorded.series[name] for name in ("points", "fields"))
near = min(range(len(points)), key=lambda k: abs(points[k][0] - 0.57) + abs(points[k][1] - 0.57))
out = {name: sum(field[near]) / 2**0.5 for name, field in fields.items()}  # outwards
lost = {side: page.recorded.find(method="sgu_obtuse", test=side).value for side in ("D_g", "D_f")}
page.verdict(
    claim='"the scores for both Unseen Re-training and Standard VESDE are quite similar", while the paper\'s method steers away from the forgotten data.',
    found=f"They differ where it matters. At (0.57, 0.57), near the forgotten mean, Unseen's score pushes outwards by {out['unseen']:.2f} (exact: {out['p_g']:.2f}), Standard's by {out['standard']:.2f} (exact: {out['p_data']:.2f}). Obtuse does push harder, by {out['obtuse']:.2f}, and is off on both sides: by {lost['D_f']:.2f} on $D_f$ and {lost['D_g']:.2f} on $D_g$; the noise itself has 1.41.",
    verdict='"Quite similar" holds for most of the plane, but not around $D_f$, where the argument needs it. Unlearning does change the score there, with damage on $D_g$.',
    rests="Five models per seed, compared with the exact score of the mixture.",
    holds=[
        out["unseen"] > 1.5 and abs(out["standard"]) < 0.5,
        out["obtuse"] > out["unseen"] and lost["D_f"] > lost["D_g"] > 0.1,
    ],
)

# %% [markdown]
# ## The exact score
#
# The process turns a mixture of Gaussians into another one, with means $\alpha_t\mu_k$ and variance $v_t = \alpha_t^2 + \sigma_t^2$. Its score has a closed form:
#
# ```{math}
# :label: eq-exact-score
# \nabla \log p_t(x) = -\sum_k p(k \mid x)\, \frac{x - \alpha_t \mu_k}{v_t}, \qquad p(k\mid x) \propto w_k\, \Normal(x;\, \alpha_t\mu_k, v_t I).
# ```

# %%
import torch

from paperlib.data.mixture import SGU_MIXTURE
from paperlib.denoiser import ExactDenoiser
from paperlib.processes import VE

p_g, p_f = SGU_MIXTURE.only(0, 2), SGU_MIXTURE.only(1)
process = VE(sigma_min=0.01, sigma_max=50.0)
exact = {"p_data": ExactDenoiser(SGU_MIXTURE, process), "p_g": ExactDenoiser(p_g, process)}

at, x = torch.tensor(t), torch.tensor([[0.5, 0.5], [-0.5, -0.5]])
print(f"sigma at t = {t}: {process.sigma(at):.4f}")
for name, model in exact.items():
    print(name, model(x, at).score, sep="\n")

# %% [markdown]
# At $t = 0.08$ the noise is tiny compared with the data, so this is essentially the score of the data. In the middle, the retained components alone already push outwards. That is what the
# paper wants from unlearning, and what *Unseen* should have learnt.
#
# ## The run
#
# A model's error is the root-mean-square distance of its noise prediction from the exact one, over noisy points from one side of the data:
#
# ```{math}
# :label: eq-score-error
# \mathrm{error}(t) = \sqrt{\E\,\lVert \sigma_t\,(s_\theta(x_t, t) - \nabla\log p_t(x_t))\rVert^2}, \qquad x_t = \alpha_t x_0 + \sigma_t z,\quad x_0 \sim p_g \text{ or } p_f .
# ```
#
# The noise itself has a root mean square of $\sqrt2$. *Standard* is compared with $p_{data}$, all others with $p_g$, which a perfectly retrained model would have learnt.

# %%
grid_t = [0.02, 0.08, 0.15, 0.25, 0.35, 0.42, 0.5, 0.58, 0.65, 0.75, 0.85, 0.95]
sides = {"D_g": p_g, "D_f": p_f}
target = {name: SGU_MIXTURE if name == "standard" else p_g for name in SHARED}


def errors(name, side, seed):
    """A model's error as a function of t, at noisy points from one side of the data."""
    model = trained(page.store, settings, SHARED[name], seed)
    x0 = sides[side].sample(settings.test_points, torch.Generator().manual_seed(seed))
    return [score_error(model, target[name], x0, at, seed) for at in grid_t]


# %%
import itertools

from companion.rows import row


def rows():
    """Each model's error on both sides, averaged over the times of the grid."""
    for seed, name, side in itertools.product(page.seeds, SHARED, sides):
        along = errors(name, side, seed)
        error = facts(settings, SHARED[name]) | dict(metric="score error", t=grid_t, test=side)
        error["against"] = "p_data" if name == "standard" else "p_g"
        error["unit"] = "rms of sigma_t (s - exact), mean over the listed t"
        yield row(sum(along) / len(along), n=settings.test_points, seed=seed, **error)


# %%
def curves():
    """Each model's errors as a function of t, averaged over seeds, and its field on a grid of points."""
    mean = {side: {} for side in sides}
    for side, name in itertools.product(sides, SHARED):
        several = [errors(name, side, seed) for seed in page.seeds]
        mean[side][name] = torch.tensor(several).mean(0)
    points = torch.cartesian_prod(*[torch.linspace(-4, 4, 15)] * 2)
    models, fields = dict(exact), {}
    for name, method in SHARED.items():
        models[name] = trained(page.store, settings, method, page.seeds[0])
    with torch.no_grad():
        for name, model in models.items():
            score = model(points, torch.tensor(t)).score
            fields[name] = score.mul(1000).round().div(1000)
    return {"points": points, "fields": fields, "t": grid_t, "errors": mean}


result = page.measure(rows, series=curves)

# %% [markdown]
# ## The error

# %%
from companion import plots
from companion.claims.names import method_title
from companion.claims.table import number


def mean_errors(record):
    """Each model's error on both sides of the data, averaged over the times of the grid."""
    lines = {}
    for value in record.all(metric="score error"):
        cell = number(value.value, value.interval, decimals=3)
        lines.setdefault(method_title(value.method), {})[value.protocol["test"]] = cell
    return plots.table(lines, record.caption)


page.show(mean_errors)

# %% mystnb={"figure": {"caption": "Error of the score against t. Standard is compared with the score of the whole mixture, all others with that of the retained data. {run}.", "name": "fig-sgu-fig2-errors"}, "image": {"alt": "Each model's score error against t on both sides of the data", "width": "680px"}}
page.figure(plots.score_errors)

# %% [markdown]
# ## The fields

# %% mystnb={"figure": {"caption": "Score fields of the first seed over the density of the data; arrows are coloured by the nearest mean; long arrows are cut. {run}.", "name": "fig-sgu-fig2"}, "image": {"alt": "Score fields of the exact densities and of each model over the density of the data", "width": "680px"}} tags=["key"]
page.figure(plots.score_fields)

# %% [markdown]
# ## What to notice

# %% tags=["hide-input"]
err = {(v.method, v.protocol["test"]): v.value for v in result.all(metric="score error")}
late = result.series["errors"]["D_g"]["orthogonal"][-1]
peak = max(result.series["errors"]["D_f"]["redirect"])
page.say(
    f"**Standard and Unseen differ only between the retained means.** There $p_{{data}}$ is nearly flat and $p_g$ has a valley. Each model learnt its own field: the errors on $D_f$ are {err['standard', 'D_f']:.3f} and {err['unseen', 'D_f']:.3f}, where the noise has 1.41. A plot of the whole plane hardly shows the difference.",
    f"**A retrained model is worst where it has seen few points**: {err['unseen', 'D_f']:.3f} on $D_f$ against {err['unseen', 'D_g']:.3f} on $D_g$. Both are small because on this mixture retained data reach into the middle. {{py:mod}}`paperlib.unlearning.redirect` trains at exactly these points.",
    f"**SGU's losses change the retained side too.** Compared with $p_g$, orthogonal is off by {err['sgu_orthogonal', 'D_f']:.3f} on $D_f$ and {err['sgu_orthogonal', 'D_g']:.3f} on $D_g$, obtuse by {err['sgu_obtuse', 'D_f']:.3f} and {err['sgu_obtuse', 'D_g']:.3f}. At high noise the two sides cannot be distinguished, and orthogonal's error stays at {late:.2f} there: its samples never find their way back to the data ({{ref}}`sgu-fig1`).",
    f"**Redirect departs from $p_g$ on purpose**, and the furthest of all: {err['redirect', 'D_f']:.3f} on $D_f$, up to {peak:.2f} at some $t$. Its target is not $p_g$ but $p_g$ with the middle carved out, and at low noise this has a cost on $D_g$ too ({err['redirect', 'D_g']:.3f}). This error says how far a model is from retraining, not how well it forgets.",
    holds=[
        max(err["standard", "D_f"], err["unseen", "D_f"]) < 0.05,
        err["unseen", "D_f"] > 1.5 * err["unseen", "D_g"],
        min(err["sgu_orthogonal", "D_g"], err["sgu_obtuse", "D_g"]) > 5 * err["unseen", "D_g"],
        max(err, key=err.get) == ("redirect", "D_f") and late > 0.3,
    ],
)

# %% [markdown]
# ```{exercise} Obtuse, in closed form
# :label: ex-obtuse-minimiser
# Minimise Eq. 11 with the obtuse loss pointwise: for fixed $x$ and $t$ it is $\alpha p_g \lVert s - s_g\rVert^2 + (1-\alpha)\, p_f\, s\cdot s_f$ up to a constant. Find $s$, and its value at $(0.5, 0.5)$
# for $\alpha = 0.8$. What happens where $p_g$ is small?
# ```

# %% [markdown] tags=["solution"]
# ````{solution-start} ex-obtuse-minimiser
# :class: dropdown
# ````
# The gradient with respect to $s$ is zero at $s = s_g - \frac{1-\alpha}{2\alpha}\,\frac{p_f}{p_g}\, s_f$. Where $p_g$ is small the ratio grows: up to $e^4$ on the mixture, and without bound on images, whose classes hardly
# overlap. Compare with the arrows of *obtuse* around that point in the figure.

# %% tags=["solution"]
alpha, sigma, x = 0.8, process.sigma(torch.tensor(t)), torch.tensor([[0.5, 0.5]])
r = (p_f.log_density(x, 1.0, sigma) - p_g.log_density(x, 1.0, sigma)).exp()
pull = (1 - alpha) / (2 * alpha) * r * p_f.score(x, 1.0, sigma)
print("closed form:", p_g.score(x, 1.0, sigma) - pull)

# %% [markdown] tags=["solution"]
# ````{solution-end}
# ````

# %% [markdown]
# ## This run

# %% tags=["hide-output"]
page.this_run()
