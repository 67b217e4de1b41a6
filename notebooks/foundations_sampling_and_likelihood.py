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
# (foundations-sampling)=
# # Foundations: sampling and likelihood
#
# Every page of this book samples from a model before and after it forgets, and many measure how likely real images are under it.
# Both results depend on *how* they are computed: on the sampler, on how often it evaluates the network, and on how the likelihood is defined.
# This page compares the options on one pair of models. SGU {cite}`sgu` says that a DDPM's likelihood cannot be calculated, and prints a
# backslash in its place; below we also show what can be calculated and what cannot.

# %% tags=["parameters"]
profile = "smoke"  # recorded | smoke | laptop | paper: images, evaluations
seeds = ""  # such as "0,1,2"; empty: as many as the profile has
dataset = ""  # digits | mnist; empty: the profile's

# %%
from companion.page import Page

page = Page("foundations_sampling_and_likelihood", vars())
small = dict(dataset="digits", evaluations=[5, 10], levels=20, turns=2, tolerance=0.05)
mnist = dict(dataset="mnist", evaluations=[5, 10, 20, 50], levels=50, turns=5, tolerance=1e-3)
budget = page.budget(
    smoke=small | dict(n=12, chain=20, images=2),
    laptop=mnist | dict(n=400, chain=250, images=256, seeds=1),
    # VDU: 5,000 samples; Ho et al.: a chain of 1,000 steps; the rest is ours
    paper=mnist | dict(n=5000, chain=1000, images=2000, seeds=3),
)
MODELS = {process: f"{budget.dataset}-{process}" for process in ("ve", "ddpm")}

# %% tags=["hide-input", "key"]
from companion.studies.sampler_measures import reached

if page.recorded:
    ode = page.recorded.find(process="ddpm", metric="nll").value
    chain = page.recorded.find(process="ddpm", metric="variational bound")
    few, many, ancestral, long = (
        reached(page.recorded)["ddpm", name, evaluations]
        for name, evaluations in [("iPNDM", 10), ("iPNDM", 50), ("DDPM", 50), ("DDPM", 250)]
    )
page.verdict(
    claim='SGU leaves out a DDPM\'s NLL, since "the DDPM architecture cannot calculate exact NLL values", and sampling from a DDPM is often said to take its 1,000 steps.',
    found=f"Read as a score, the DDPM has an NLL like any SDE, {ode:.2f} bits/dim, and its chain has a bound, {chain.value:.2f}. iPNDM is as far from real images with 10 evaluations ({few:.1f}) as with 50 ({many:.1f}); ancestral sampling with 50 is closer ({ancestral:.1f}) and gains nothing from 250 ({long:.1f}).",
    verdict="The backslash in SGU's Table 5 could be a number. Compare models with the same sampler and number of evaluations, say which, and compare only likelihoods of the same kind.",
    rests=f"Likelihoods of {chain.n} test images. The distance is a Fréchet distance in our classifier's features, not FID.",
    holds=[abs(few - many) < 0.2, ancestral < 0.7 * many, long > ancestral - 0.1],
)

# %% [markdown]
# ## Two reverse equations
#
# A process turns data into noise, $x_t = \alpha_t x_0 + \sigma_t z$. Two equations go back through the same densities $p_t$ ({ref}`sgu-fig1` uses the second):
#
# ```{math}
# :label: eq-back
# \begin{aligned}
# dx &= \bigl[f(t)\,x - g(t)^2\,s(x, t)\bigr]\,dt + g(t)\,dw, \\
# dx &= \bigl[f(t)\,x - \tfrac12\,g(t)^2\,s(x, t)\bigr]\,dt .
# \end{aligned}
# ```
#
# The second has no noise: it maps each $x_T$ to one $x_0$. Divided by $\alpha_t$, it becomes simple. With $r = \sigma_t / \alpha_t$,
#
# ```{math}
# :label: eq-ddim
# \frac{d}{dr}\,\frac{x}{\alpha_t} = \varepsilon(x, t),
# ```
#
# and Euler's method for this equation is DDIM {cite}`song2021ddim`. Here it is in full, for a DDPM of scikit-learn's digits:

# %%
import torch

from companion import bases
from paperlib.sampling import prior, time_grid

model = bases.load("digits-ddpm")
draw = torch.Generator().manual_seed(0)
x = prior(model, (8, *model.net.shape), draw)

t = time_grid(model, 20, "index").float()  # 21 times from t_max to t_min
with torch.no_grad():
    for now, then in zip(t, t[1:]):
        views = model(x, now)  # one network evaluation: x0 and eps
        x = model.process.alpha(then) * views.x0 + model.process.sigma(then) * views.eps
print(f"{len(x)} images, values from {x.min():.2f} to {x.max():.2f}")

# %% [markdown]
# All samplers in {py:mod}`paperlib.sampling` have the same signature, for models trained as an SDE or as a DDPM, and yield a state after every step:
# `for state in ddim(model, x, steps=20): ...`. Those that solve the first equation add noise along the way; those that solve the second do not.
#
# | sampler | equation | order | evaluations in $n$ steps |
# |---|---|---|---|
# | DDPM {cite}`ho2020`, ancestral | first, exact Gaussian steps | 1 | $n$ |
# | Euler-Maruyama | first | 1 | $n$ |
# | predictor-corrector {cite}`song2021` | first, with Langevin steps | 1 | $2n$ |
# | DDIM {cite}`song2021ddim` | second, in $r$ | 1 | $n$ |
# | Heun {cite}`karras2022` | second, in $r$ | 2 | $2n - 1$ |
# | DPM-Solver++(2M) {cite}`lu2022` | second, in $\log r$ | 2 | $n$ |
# | iPNDM {cite}`zhang2023` | second, in $r$, remembers three slopes | 2 | $n$ |
#
# ## How likely is an image?
#
# Along the second equation the change of volume is known, and therefore the density too {cite}`song2021`:
#
# ```{math}
# :label: eq-nll
# \log p_0(x_0) = \log p_T(x_T) + \int_0^T \nabla\!\cdot\!\Bigl[f(t)\,x - \tfrac12\,g(t)^2\,s(x, t)\Bigr]\,dt .
# ```
#
# Pixels are integers, and a density over integers is meaningless. So each pixel $u$ becomes a random point in its interval, $2(u + U[0,1))/256 - 1$,
# and the density is integrated over the cube of side $1/128$: by Jensen's inequality the mean of $-\log_2 p$ is at least $-\log_2$ of the
# probability of the 8-bit image, minus 7 bits for every dimension. Hence the unit: bits per dimension, plus 7. (For data scaled to $[0, 1]$ the
# side is $1/256$ and the offset 8. {ref}`sgu-tab1` shows what the offset does to data without pixels.)
#
# The divergence is estimated with one random vector per image. This vector and the point within the pixel's interval make the value random; both are
# sampled twice, to separate this randomness from the spread over images.
#
# A DDPM trained on a grid of 1,000 steps has such a likelihood too, if it is read as a score between its grid points. But its own chain of
# Gaussian steps is a different model with a different likelihood, and that likelihood has a bound {cite}`ho2020`:
#
# ```{math}
# :label: eq-bound
# \begin{aligned}
# -\log p(x_0) \;\le\;& \underbrace{\KL\bigl(q(x_T | x_0) \,\|\, p(x_T)\bigr)}_{L_T}
# \\ &+ \sum_{t > 1} \underbrace{\E\,\KL\bigl(q(x_{t-1} | x_t, x_0) \,\|\, p(x_{t-1} | x_t)\bigr)}_{L_{t-1}}
# + \underbrace{\E\bigl[-\log p(x_0 | x_1)\bigr]}_{L_0} .
# \end{aligned}
# ```
#
# Every term is Gaussian, and $L_0$ is a probability of pixel levels, so there is no offset.
#
# So there are three recipes, which are likelihoods *of* different things ({py:mod}`paperlib.likelihood.recipes`):
#
# | recipe | a likelihood of | minimum bits/dim, $\sigma_{t_{min}}$ = 0.01 |
# |---|---|---|
# | *flow*: {eq}`eq-nll` from the dequantised image, as score_sde has it and SGU prints it | the flow, which has a density for any network; it starts where no network was trained | 1.68 with exact scores; a network can be lower |
# | *noised flow*: {eq}`eq-nll` from the image noised to $t_{min}$ | the diffusion at $t_{min}$, evaluated where the network was trained | 2.40 for any network: the entropy of that noise |
# | *bound*: {eq}`eq-bound` | the chain; a code length for the 8-bit image | 0 |
#
# Unlearning should be judged by the second or the third: they evaluate the model only on images of the kind it has seen, and no damage to the network makes them better than the data allow. With the first, differences of several bits are real, but a few hundredths may only reflect how two networks extrapolate. Here are two of the numbers, roughly, for four digits:

# %%
from companion.studies.likelihood_measures import test_images
from paperlib.likelihood.images import image_bound, image_nll

digits = test_images("digits-ddpm", 4).images
found = image_nll(model, digits, generator=draw, dequantisations=2, steps=8)
print(f"NLL {found.mean:.2f} bits/dim after {found.evaluations:.0f} evaluations")
for what, (low, high) in {"other": found.interval, "these": found.repeat_interval}.items():
    print(f"    [{low:.2f}, {high:.2f}] for {what} images")

found = image_bound(model, digits, generator=draw, strata=16)
L_T, L_steps, L_0 = found.prior, found.steps.sum(1), found.decoder
bits = L_T + L_steps + L_0
print(f"bound {bits.mean():.2f}: {L_T.mean():.5f} + {L_steps.mean():.2f} + {L_0.mean():.2f}")

# %% [markdown]
# ## The run
#
# Both models are evaluated on the same test images.

# %%
import itertools
from statistics import fmean

from companion.rows import row
from companion.studies.likelihood_measures import Measured, bound, nll, per_image, step_terms

REPEATS = {"flow": 2, "noised flow": 1}  # dequantisations per image
METRIC = {"flow": "nll", "noised flow": "noised nll"}


def likelihoods(process, measure, **more):
    """A measure's results, one per seed."""
    facts = dict(base=MODELS[process], n=budget.images, tolerance=budget.tolerance) | more
    return [measure(page.store, Measured(**facts, seed=seed)) for seed in page.seeds]


# %%
def rows():
    """The NLL of both models by the ODE, at images and at noised images, and the bound of the DDPM's chain."""
    for process, (recipe, repeats) in itertools.product(MODELS, REPEATS.items()):
        found = likelihoods(process, nll, recipe=recipe, repeats=repeats)
        spent = fmean(one.evaluations for one in found)
        how = dict(process=process, recipe=recipe, dequantisations=repeats, probes=1)
        how |= dict(tolerance=budget.tolerance, evaluations=spent)
        yield from of_seeds(found, metric=METRIC[recipe], **how)
    how = dict(process="ddpm", recipe="bound", variance="small", strata=64)
    yield from of_seeds(likelihoods("ddpm", bound), metric="variational bound", **how)


def of_seeds(found, **facts):
    """A row for each seed."""
    facts |= dict(dataset=budget.dataset, method="standard", split="test", unit="bits/dim")
    facts |= dict(shared="test images")
    for seed, one in zip(page.seeds, found):
        yield row(one.mean, n=budget.images, seed=seed, interval=one.interval, **facts)


# %% [markdown]
# Every sampler starts from the same noise. The distance is the Fréchet distance {eq}`eq-frechet` to the test images in the features of our
# own classifier, so it is not FID; the dashed line is the distance of as many real images.

# %%
from companion.evaluation.samplers import SAMPLERS
from companion.studies.likelihood_measures import traces
from companion.studies.sampler_measures import distances, draws, real_distance

counts = {sampler: budget.evaluations for sampler in SAMPLERS}
counts["DDPM"] = [*budget.evaluations, budget.chain]


def curves():
    """Distances of every sampler and bits per dimension of every image, means over seeds."""
    of = dict(counts=counts, n=budget.n, seeds=page.seeds)
    real = [real_distance(budget.dataset, budget.n, seed).value for seed in page.seeds]
    chain = likelihoods("ddpm", bound)
    return {
        "samplers": {name: distances(page.store, base, **of) for name, base in MODELS.items()},
        "floor": fmean(real),
        "nll": per_image(likelihoods("ve", nll, repeats=2)),
        "nll_ddpm": per_image(likelihoods("ddpm", nll, repeats=2)),
        "bound": per_image(chain),
        "bound_terms": step_terms(chain),
        "traces": {key: traces(base, budget.images, page.seeds[0]) for key, base in MODELS.items()},
        "rows": {what: list(sheet) for what, sheet in shown().items()},
    }


# %% [markdown]
# The same models can also fill in missing pixels, though they were never trained to ({py:mod}`paperlib.editing`). The lower half is given.
# *Replacement* {cite}`song2021` inserts the known pixels at every noise level; *RePaint* {cite}`lugmayr2022` repeats each stretch several
# times so that the two halves agree.

# %%
from companion.studies.likelihood_measures import Inpainting, inpaint


def halves():
    """The test images, and two new upper halves of each."""
    given = test_images(MODELS["ve"], 12).images.clone()
    given[:, :, : given.shape[2] // 2] = 128
    found = {"given": given}
    for way, turns in {"replacement": 1, "RePaint": budget.turns}.items():
        facts = dict(base=MODELS["ve"], way=way, n=12, steps=budget.levels, turns=turns)
        found[way] = inpaint(page.store, Inpainting(**facts, seed=page.seeds[0]))
    return found


# %%
from companion import plots
from companion.evaluation.samples import drawn


def shown():
    """What the contact sheets show, for the first seed."""
    few = dict(n=budget.n, seed=page.seeds[0])
    asked = [("DDPM", 10), ("DDPM", budget.chain)]
    asked += [(sampler, 10) for sampler in SAMPLERS if sampler != "DDPM"]
    entries = {pair: draws(page.store, MODELS["ddpm"], *pair, **few) for pair in asked}
    samples = {f"{name}, {count}": drawn(entry) for (name, count), entry in entries.items()}
    return {"samplers": samples, "inpainting": halves()}


def sheets():
    """The contact sheets of samples and of inpainting."""
    scale = 3 if budget.dataset == "digits" else 1
    return {what: plots.contact_sheet(one, scale=scale) for what, one in shown().items()}


result = page.measure(rows, series=curves, images=sheets)

# %% [markdown]
# ## What an evaluation buys

# %% mystnb={"figure": {"caption": "The Fr\u00e9chet distance of each sampler's images from the test images, in our classifier's features. Bands: 95 % over bootstrap samples of the images. {run}.", "name": "fig-samplers"}, "image": {"alt": "Distance against evaluations for seven samplers", "width": "640px"}} tags=["key"]
page.figure(plots.sampler_curves)

# %% [markdown]
# All rows start from the same noise, with sampler and evaluations on the left. The second row is ancestral sampling with its long chain; the
# others use ten evaluations. Samplers that add noise along the way end at different images; those that follow the second equation end at nearly
# the same ones.

# %% mystnb={"image": {"alt": "Images of every sampler from the same noise", "width": "640px"}}
page.picture("samplers", lambda record: record.series["rows"]["samplers"])

# %% [markdown]
# ## How likely the test images are

# %%
page.show(plots.likelihood_table)

# %% [markdown]
# Which of the three should judge a model? The derivative of $x_0(x_t, t) = \E[x_0 \mid x_t]$ is a covariance: with $y = x_t / \alpha_t$ and $r = \sigma_t / \alpha_t$,
#
# ```{math}
# :label: eq-trace
# \frac{\partial x_0}{\partial y} = \frac{1}{r^2} \operatorname{Cov}(x_0 \mid x_t), \qquad
# \operatorname{tr} \frac{\partial x_0}{\partial y} \ge 0 .
# ```
#
# The ODE's divergence sums this trace. Where a network's trace is negative, its field is not that of a diffusion, and its contribution to the likelihood only reflects how the network extrapolates. The ODE of the first recipe starts at the image itself, where no network was trained.

# %% mystnb={"figure": {"caption": "Trace of the denoiser's derivative, per dimension, against the noise level, at test images as they are and noised as in training. An exact denoiser's trace lies above the line at 0. {run}.", "name": "fig-traces"}, "image": {"alt": "Trace of the denoiser's derivative at images and at noised images", "width": "560px"}}
page.figure(plots.trace_curves)

# %% mystnb={"figure": {"caption": "Bits per dimension of every test image: three measures for two models; lines are means. {run}.", "name": "fig-nll"}, "image": {"alt": "Histograms of bits per dimension", "width": "640px"}}
page.figure(plots.nll_histograms)

# %% mystnb={"figure": {"caption": "Where the bound's bits are: the terms of the chain against t, summed over strata of equal width in log(sigma / alpha). {run}.", "name": "fig-bound"}, "image": {"alt": "The terms of the variational bound", "width": "640px"}}
page.figure(plots.bound_terms)

# %% [markdown]
# ## Half an image

# %% mystnb={"figure": {"caption": "The lower half is given, the upper half generated by the VE model. {run}.", "name": "fig-inpainting"}, "image": {"alt": "Inpainting the upper half", "width": "640px"}}
page.picture("inpainting", lambda record: record.series["rows"]["inpainting"])

# %% [markdown]
# ## What to notice

# %% tags=["hide-input"]
from paperlib.likelihood.images import mean_interval
from paperlib.likelihood.recipes import floor

at = reached(result)
nats = {process: result.find(process=process, metric="nll") for process in ("ve", "ddpm")}
whole = result.find(metric="variational bound").value
steps = sum(term for _, term in result.series["bound_terms"])
gap = torch.tensor(result.series["nll_ddpm"]) - torch.tensor(result.series["nll"])
low, high = mean_interval(gap)
sharpest = floor(bases.PROCESSES["ve"](), "flow")
page.say(
    f"**Ten evaluations solve the second equation for the DDPM.** iPNDM has a distance of {at['ddpm', 'iPNDM', 10]:.2f} with ten and {at['ddpm', 'iPNDM', 50]:.2f} with fifty; Heun and DPM-Solver++ end at {at['ddpm', 'Heun', 49]:.2f} and {at['ddpm', 'DPM-Solver++(2M)', 50]:.2f}. What is left is the network's error, not the solver's. The VE model needs twenty evaluations ({at['ve', 'iPNDM', 20]:.2f}; fifty: {at['ve', 'iPNDM', 50]:.2f}). Most pages of this book sample with iPNDM.",
    f"**The noise of the ancestral steps helps.** With fifty of them the DDPM reaches {at['ddpm', 'DDPM', 50]:.2f}, closer than any solver of the second equation, and five times as many gain nothing ({at['ddpm', 'DDPM', 250]:.2f}); the VE model's best, {at['ve', 'DDPM', 250]:.2f}, is ancestral too. Fresh noise lets later steps correct earlier errors, including those of the network {{cite}}`karras2022`. Our ancestral steps also clip the predicted image to $[-1, 1]$, which the other samplers do not.",
    f"**Noise alone is not enough.** Euler-Maruyama with twenty evaluations is at {at['ddpm', 'Euler-Maruyama', 20]:.0f}, predictor-corrector with fifty at {at['ddpm', 'predictor-corrector', 50]:.0f}: a comparison of models with few such steps compares samplers. Real images have {result.series['floor']:.2f}: no sampler makes up for these small networks.",
    f"**Three numbers, two models.** The ODE gives the VE model {nats['ve'].value:.3f} bits/dim and the DDPM {nats['ddpm'].value:.3f}; the DDPM's chain has the bound {whole:.3f}, of which {whole - steps:.2f} come from its very last step, $L_0$. The ODE gives the density of dequantised pixels at the noise level of $t_{{min}}$; the bound is a code length for the 8-bit image. Only numbers of the same kind can be compared.",
    f"**Paired on the same images, models can be distinguished better than their intervals suggest.** The intervals of the two NLLs overlap; yet image by image the DDPM needs {gap.mean():.3f} bits/dim more [{low:.3f}, {high:.3f}]. With this recipe, so small a difference does not say whether one model knows less or extrapolates worse.",
    f"**Both NLLs are below what exact scores allow**, {sharpest:.2f} bits/dim. They are still likelihoods, since the flow of any smooth field has a normalised density, but likelihoods of the flow: the integral starts at images without noise, where the networks were never trained, so part of these numbers reflects how they extrapolate. They can compare models that differ by bits, but not by hundredths.",
    holds=[
        abs(at["ddpm", "iPNDM", 10] - at["ddpm", "iPNDM", 50]) < 0.2,
        abs(at["ve", "iPNDM", 20] - at["ve", "iPNDM", 50]) < 0.2,
        min(at[key] for key in at if key[0] == "ddpm") == at["ddpm", "DDPM", 50],
        min(at[key] for key in at if key[0] == "ve") == at["ve", "DDPM", 250],
        nats["ve"].interval[1] > nats["ddpm"].interval[0] and low > 0,
        max(one.value for one in nats.values()) < sharpest,
    ],
)

# %% [markdown]
# ```{exercise} The order of a sampler
# :label: ex-order
# Solve the second equation from the same noise with 10, 20 and 40 steps of DDIM and of Heun's method in $\sigma/\alpha$, and measure
# how far the results are from those of 100 Heun steps. By what factor does each error fall when the step is halved? What does that imply at
# equal numbers of evaluations?
# ```

# %% [markdown] tags=["solution"]
# ````{solution-start} ex-order
# :class: dropdown
# ````

# %% tags=["solution"]
from functools import partial

from paperlib.sampling import ddim, heun, sample

model = bases.load("digits-ve")
noise = prior(model, (1, *model.net.shape), torch.Generator().manual_seed(0))
second = partial(heun, variable="noise", spacing="karras", denoise=True)
first = partial(ddim, spacing="karras")
end = partial(sample, model, noise.shape, noise=noise, generator=torch.Generator().manual_seed(0))
exact = end(sampler=second, steps=100).x
for name, sampler in {"DDIM": first, "Heun": second}.items():
    errors = [
        (end(sampler=sampler, steps=steps).x - exact).square().mean().sqrt().item()
        for steps in (10, 20, 40)
    ]
    print(name, *(f"{error:.4f}" for error in errors))

# %% [markdown] tags=["solution"]
# DDIM's error roughly halves each time and Heun's falls to a quarter or less, as their orders one and two predict. With equal evaluations Heun
# takes half the steps: DDIM with 20 is still a little better than Heun with 10, but Heun with 20 beats DDIM with 40. With few steps the
# constants decide, not the orders.
#
# ````{solution-end}
# ````

# %% [markdown]
# ## This run

# %% tags=["hide-output"]
page.this_run()
