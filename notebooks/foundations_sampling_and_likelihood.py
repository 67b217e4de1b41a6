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
# Every page of this book draws samples from a model, before and after it has forgotten, and asks how likely real images are under it. Both answers depend on *how* one asks: on the sampler, on how often it asks the
# network, on how a likelihood is computed. This page compares the ways on one pair of models, so that the pages after it can choose one and say what it costs. SGU {cite}`sgu` says that a DDPM's likelihood
# cannot be calculated, and prints a backslash in its place; what can be, and what cannot, is below too.

# %% tags=["parameters"]
profile = "smoke"  # smoke | laptop | paper: images, evaluations
seed = 0  # of noise, dequantisation and probes
dataset = ""  # digits | mnist; empty: digits in smoke, mnist otherwise

# %% tags=["hide-input"]
import torch

from companion import bases
from companion.page import Page

NAME = "foundations_sampling_and_likelihood"
page = Page(NAME, vars())
dataset = dataset or ("digits" if profile == "smoke" else "mnist")
if dataset not in ("digits", "mnist"):
    raise ValueError(f"dataset={dataset!r} is not one of digits, mnist")
BUDGET = {
    "smoke": {"n": 60, "evaluations": [5, 10, 20], "chain": 50, "images": 24},
    "laptop": {"n": 400, "evaluations": [5, 10, 20, 50], "chain": 250, "images": 256},
    "paper": {"n": 5000, "evaluations": [5, 10, 20, 50], "chain": 1000, "images": 2000},
}[profile]
MODELS = {process: f"{dataset}-{process}" for process in ("ve", "ddpm")}
page.banner(dataset)

# %% [markdown]
# ## Two equations back
#
# A process takes data to noise, $x_t = \alpha_t x_0 + \sigma_t z$. Two equations lead back along the same densities $p_t$ ({ref}`sgu-fig1` uses the first):
#
# ```{math}
# :label: eq-back
# \begin{aligned}
# dx &= \bigl[f(t)\,x - g(t)^2\,s(x, t)\bigr]\,dt + g(t)\,dw, \\
# dx &= \bigl[f(t)\,x - \tfrac12\,g(t)^2\,s(x, t)\bigr]\,dt .
# \end{aligned}
# ```
#
# The second has no noise: it moves each $x_T$ to one $x_0$. Divided by $\alpha_t$ it is simpler than it looks. With $r = \sigma_t / \alpha_t$,
#
# ```{math}
# :label: eq-ddim
# \frac{d}{dr}\,\frac{x}{\alpha_t} = \varepsilon(x, t),
# ```
#
# and Euler's method for it is DDIM {cite}`song2021ddim`. Here it is in full, on the model that the rest of the page uses:

# %%
from paperlib.sampling import prior, time_grid

model = bases.load(MODELS["ddpm"])
generator = torch.Generator().manual_seed(seed)
x = prior(model, (8, *model.net.shape), generator)

t = time_grid(model, 20, "index").float()  # 21 times from t_max to t_min
with torch.no_grad():
    for now, then in zip(t, t[1:]):
        views = model(x, now)  # one network evaluation: x0 and eps
        x = model.process.alpha(then) * views.x0 + model.process.sigma(then) * views.eps
print(f"{len(x)} images, values from {x.min():.2f} to {x.max():.2f}")

# %% [markdown]
# All samplers of {py:mod}`paperlib.sampling` are called alike, on a model trained as an SDE or as a DDPM, and yield a state after every step: `for state in ddim(model, x, steps=20): ...`. Those that solve
# the first equation draw noise on the way; those that solve the second do not.
#
# | sampler | equation | order | evaluations of $n$ steps |
# |---|---|---|---|
# | DDPM {cite}`ho2020`, ancestral | first, exact Gaussian steps | 1 | $n$ |
# | Euler-Maruyama | first | 1 | $n$ |
# | predictor-corrector {cite}`song2021` | first, with Langevin steps | 1 | $2n$ |
# | DDIM {cite}`song2021ddim` | second, in $r$ | 1 | $n$ |
# | Heun {cite}`karras2022` | second, in $r$ | 2 | $2n - 1$ |
# | DPM-Solver++(2M) {cite}`lu2022` | second, in $\log r$ | 2 | $n$ |
# | iPNDM {cite}`zhang2023` | second, in $r$, three slopes remembered | 2 | $n$ |
#
# ## What an evaluation buys
#
# Every sampler starts from the same noise. The distance is the Fréchet distance to the test images in the features of our own classifier, so it is no FID; real images, as many as are drawn here, have the
# distance of the dashed line.

# %%
from companion.evaluation.samplers import SAMPLERS
from companion.evaluation.samples import draw, drawn, find, timing
from companion.studies.sampler_measures import distance, real_distance, reference

real, cpu = reference(dataset), torch.device("cpu")
curves, entries = {}, {}
for process, base in MODELS.items():
    for sampler in SAMPLERS:
        counts = BUDGET["evaluations"] + [BUDGET["chain"]] * (sampler == "DDPM")
        for evaluations in counts:
            wanted = {"sampler": sampler, "evaluations": evaluations, "n": BUDGET["n"]}
            entries[process, sampler, evaluations] = draw(
                page.store, find(base), cpu, **wanted, guidance=0, classes=(), seed=seed
            )

# %%
for (process, sampler, _), entry in entries.items():
    found, cost = distance(drawn(entry), dataset, real, seed), timing(entry)
    low, high = found.interval
    point = {"distance": found.value, "low": low, "high": high}
    point["evaluations"] = cost["evaluations"]
    point["seconds"] = cost["seconds"] / BUDGET["n"]
    curves.setdefault(process, {}).setdefault(sampler, []).append(point)
floor = real_distance(dataset, BUDGET["n"], seed).value

# %% [markdown]
# ## How likely is an image?
#
# Along the second equation the change of volume is known, so a density is too {cite}`song2021`:
#
# ```{math}
# :label: eq-nll
# \log p_0(x_0) = \log p_T(x_T) + \int_0^T \nabla\!\cdot\!\Bigl[f(t)\,x - \tfrac12\,g(t)^2\,s(x, t)\Bigr]\,dt .
# ```
#
# Pixels are integers, and a density of integers means nothing. So each pixel $u$ becomes a random point of its interval, $2(u + U[0,1))/256 - 1$, and the density is integrated over that cube, of side $1/128$:
# by Jensen's inequality the mean of $-\log_2 p$ is at least $-\log_2$ of the probability of the 8-bit image, minus 7 bits for every dimension. Hence the unit: bits a dimension, plus 7. (On data scaled to
# $[0, 1]$ the side is $1/256$ and the offset 8. {ref}`sgu-tab1` shows what becomes of it on data that have no pixels.)
#
# The divergence is estimated by one random vector an image. That, and the point within the pixel's interval, make a value random; they are drawn twice here, to tell this part from the spread over images.

# %%
from companion.studies.likelihood_measures import Measured, array, bound, nll
from paperlib.likelihood.images import ImageNLL

likelihoods = {
    process: ImageNLL(array(entry, "values"), float(array(entry, "evaluations")), 0.0)
    for process, base in MODELS.items()
    for entry in [nll(page.store, Measured(base=base, n=BUDGET["images"], seed=seed, repeats=2))]
}
for process, found in likelihoods.items():
    low, high = found.interval
    again = found.repeat_interval
    print(
        f"{process:>5}: {found.mean:.3f} bits/dim, {found.evaluations:.0f} evaluations\n"
        f"       [{low:.3f}, {high:.3f}] for other images\n"
        f"       [{again[0]:.3f}, {again[1]:.3f}] for these, drawn anew"
    )

# %% [markdown]
# A DDPM trained on a grid of 1,000 steps has such a likelihood too, read as a score between its grid points. But its own chain of Gaussian steps is another model, with another likelihood, and that one has a bound
# {cite}`ho2020`:
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
# Every term is a Gaussian's, and $L_0$ a probability of levels: there is no offset. So the backslash in SGU's tables stands where a number could.

# %%
parts = bound(page.store, Measured(base=MODELS["ddpm"], n=BUDGET["images"], seed=seed))
L_T, L_steps, L_0 = (array(parts, name) for name in ("prior", "steps", "decoder"))
bits = L_T + L_steps.sum(1) + L_0
print(f"bound {bits.mean():.3f} bits/dim")
for name, part in {"L_T": L_T, "steps": L_steps.sum(1), "L_0": L_0}.items():
    print(f"{name:>6} {part.mean():.4f}")

# %% [markdown]
# ## Half an image
#
# The same models fill in what is missing, though they were never trained to ({py:mod}`paperlib.editing`). The lower half is given. *Replacement* {cite}`song2021` puts the known pixels in at every noise level;
# *RePaint* {cite}`lugmayr2022` goes every stretch several times, so that both halves agree.

# %%
from companion.studies.likelihood_measures import Inpainting, inpaint, test_images

shown = {"given": test_images(MODELS["ve"], 12).images.clone()}
height = shown["given"].shape[2]
shown["given"][:, :, : height // 2] = 128
for way, turns in {"replacement": 1, "RePaint": 5}.items():
    wanted = Inpainting(base=MODELS["ve"], way=way, n=12, steps=50, turns=turns, seed=seed)
    shown[way] = array(inpaint(page.store, wanted), "images")

# %% tags=["hide-input"]
from companion import plots
from companion.records import measured

rows = {
    f"{sampler}, {count}": drawn(entry)
    for (process, sampler, count), entry in entries.items()
    if process == "ddpm" and count in (10, BUDGET["chain"])
}
scale = 3 if dataset == "digits" else 1
sheets = {"samplers": rows, "inpainting": shown}
files = [
    plots.save_sheet(plots.contact_sheet(sheet, scale=scale), page.image_path(what))
    for what, sheet in sheets.items()
]
facts = {"seeds": [seed], "unit": "bits/dim", "n": BUDGET["images"], "dataset": dataset}
protocol = {"metric": "nll", "split": "test", "dequantisations": 2, "probes": 1}
values = [
    measured(
        f"ours.{NAME}/nll/{process}",
        [found.mean],
        method=process,
        protocol=protocol | {"ci95_images": found.interval, "evaluations": found.evaluations},
        **facts,
    )
    for process, found in likelihoods.items()
]
values.append(
    measured(
        f"ours.{NAME}/bound/ddpm",
        [bits.mean().item()],
        method="ddpm",
        protocol={"metric": "variational bound", "split": "test", "variance": "small"},
        **facts,
    )
)
strata = torch.stack([array(parts, "times").mean(0), L_steps.mean(0)], 1)
record = page.write(
    values=values,
    series={
        "samplers": curves,
        "floor": floor,
        "nll": likelihoods["ve"].per_image,
        "nll_ddpm": likelihoods["ddpm"].per_image,
        "bound": bits,
        "bound_terms": strata,
        "rows": {what: list(sheet) for what, sheet in sheets.items()},
    },
    images=files,
)

# %% [markdown]
# ## What was measured

# %% mystnb={"figure": {"caption": "Recorded. The Fr\u00e9chet distance of each sampler's images from the test images, in our classifier's features. Bands: 95 % over bootstrap draws of the images.", "name": "fig-samplers-recorded"}, "image": {"alt": "Distance against evaluations for seven samplers, as recorded", "width": "640px"}} tags=["hide-input"]
if page.recorded:
    title = page.recorded.title
    plots.sampler_curves(page.recorded, title=title)

# %% mystnb={"figure": {"caption": "This run. The Fr\u00e9chet distance of each sampler's images from the test images, in our classifier's features. Bands: 95 % over bootstrap draws of the images.", "name": "fig-samplers"}, "image": {"alt": "Distance against evaluations for seven samplers, this run", "width": "640px"}} tags=["hide-input"]
this = f"This run, profile {profile}, {dataset}"
figure = plots.sampler_curves(record, title=this)

# %% [markdown]
# The same noise, seen by every sampler with 10 evaluations; the first row has the whole chain. Those that draw noise on the way end at other images; those that follow the second equation end at nearly the same.

# %% mystnb={"image": {"alt": "Images of every sampler from the same noise", "width": "640px"}} tags=["hide-input"]


def sheet(what, title):
    """A contact sheet, the recorded one where there is one, with the names of its rows."""
    if page.recorded:
        names, file = page.recorded.series["rows"][what], page.recorded_image(what)
        return plots.picture(file, names=names, title=f"Recorded. {title}")
    names, file = record.series["rows"][what], page.image_path(what)
    return plots.picture(file, names=names, title=f"This run. {title}")


figure = sheet("samplers", "DDPM: sampler, evaluations")

# %% mystnb={"figure": {"caption": "Recorded. Bits a dimension of every test image: three numbers for two models.", "name": "fig-nll-recorded"}, "image": {"alt": "Histograms of bits per dimension, as recorded", "width": "640px"}} tags=["hide-input"]
if page.recorded:
    plots.nll_histograms(page.recorded, title=title)

# %% mystnb={"figure": {"caption": "This run. Bits a dimension of every test image: three numbers for two models.", "name": "fig-nll"}, "image": {"alt": "Histograms of bits per dimension, this run", "width": "640px"}} tags=["hide-input"]
figure = plots.nll_histograms(record, title=this)

# %% mystnb={"figure": {"caption": "Where the bound's bits are: the terms of the chain, summed over strata even in log(sigma / alpha), against t.", "name": "fig-bound"}, "image": {"alt": "The terms of the variational bound", "width": "640px"}} tags=["hide-input"]
figure = plots.bound_terms(page.recorded or record, title=title if page.recorded else this)

# %% mystnb={"figure": {"caption": "The lower half is given, the upper half drawn by the VE model.", "name": "fig-inpainting"}, "image": {"alt": "Inpainting the upper half", "width": "640px"}} tags=["hide-input"]
figure = sheet("inpainting", "VE: the upper half drawn anew")

# %% [markdown]
# ## What to notice

# %% tags=["hide-input"]
from companion.page import Markdown

best = page.recorded or record
source = f"recorded, `{page.recorded.profile}`" if page.recorded else f"this run, `{profile}`"


def near(process, most):
    """The sampler with the smallest distance within so many evaluations, and the whole chain's."""
    points = {
        name: min((p["distance"] for p in curve if p["evaluations"] <= most), default=1e9)
        for name, curve in best.series["samplers"][process].items()
    }
    name = min(points, key=points.get)
    return name, points[name]


chain = max(best.series["samplers"]["ddpm"]["DDPM"], key=lambda p: p["evaluations"])
few = {process: near(process, 10) for process in MODELS}
nll_of = {process: best[f"ours.{NAME}/nll/{process}"].value for process in MODELS}
bound_of = best[f"ours.{NAME}/bound/ddpm"].value
Markdown(rf"""
- **Ten evaluations go a long way** ({source}): {few["ddpm"][0]} reaches a distance of {few["ddpm"][1]:.2f} on the DDPM, where {chain["evaluations"]} ancestral steps reach
  {chain["distance"]:.2f}; on the VE model {few["ve"][0]} is best within ten, with {few["ve"][1]:.2f}. As many real images have {best.series["floor"]:.2f}.
- **Ancestral sampling and Euler-Maruyama need their many steps**, since each is of first order and adds noise that later steps must remove. A comparison of models that draws few such steps compares samplers.
- **Three numbers, two models.** The ODE gives the VE model {nll_of["ve"]:.3f} bits/dim and the DDPM {nll_of["ddpm"]:.3f}; the DDPM's chain has the bound {bound_of:.3f}. They answer different questions: the ODE's
  density is integrated over dequantised pixels at the noise level of $t_{{min}}$, the bound is a code length of the 8-bit image. Only numbers of one kind are to be compared.
- **The interval over images is the wide one.** Drawing probes and dequantisation anew moves the mean far less, so that two models seen on the *same* images can be told apart more finely than their intervals suggest.
""")

# %% [markdown]
# ```{exercise} The order of a sampler
# :label: ex-order
# Follow the second equation from the same eight noises with 20, 40 and 80 steps of DDIM, and of Heun's method in $\sigma/\alpha$, and measure how far the ends are from those of 320 steps of Heun. By what factor does each
# error fall when the step is halved? What does that say about equal evaluations?
# ```

# %% [markdown] tags=["solution"]
# ````{solution-start} ex-order
# :class: dropdown
# ````

# %% tags=["solution"]
from functools import partial

from paperlib.sampling import ddim, heun, sample

model = bases.load("digits-ve")  # small, so that many steps cost little
noise = prior(model, (8, *model.net.shape), torch.Generator().manual_seed(seed))
second = partial(heun, variable="noise", spacing="karras", denoise=True)
first = partial(ddim, spacing="karras")
end = partial(sample, model, noise.shape, noise=noise, generator=torch.Generator().manual_seed(0))
exact = end(sampler=second, steps=320).x
for name, sampler in {"DDIM": first, "Heun": second}.items():
    errors = [
        (end(sampler=sampler, steps=steps).x - exact).square().mean().sqrt().item()
        for steps in (20, 40, 80)
    ]
    print(name, *(f"{error:.5f}" for error in errors))

# %% [markdown] tags=["solution"]
# Heun's error falls to about a quarter, as its order two says. DDIM's falls to somewhat more than a half: these steps are not small enough yet for its order one to show. At equal evaluations Heun has half the steps, and still wins as soon as the step is small; with very few steps the constants decide, not the orders.
#
# ````{solution-end}
# ````
