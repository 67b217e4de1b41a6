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
# (ours-negation)=
# # Exact negation
#
# Most methods push a model away from what it is to forget, and then repair what the push broke. But the score of what is to be kept is *known*: it is the model's own score and the gradient of a classifier. Dynamic negative guidance {cite}`dng` (Koulischer et al., 2025) uses it while sampling, with the classifier read off a
# conditional model; ESD {cite}`esd` teaches a model a cruder form of it, with one constant in the place of the classifier. Here it is distilled into the weights of any model. As far as we have found nobody has done that.

# %% tags=["parameters"]
profile = "smoke"  # recorded | smoke | laptop | paper
seeds = ""  # of unlearning and of the samples, such as "0,1,2"; empty: as many as the profile has
dataset = ""  # digits | mnist; empty: as the profile has it
tasks = ""  # process:classes, several with semicolons: "ddpm:1;ve:3,7"; empty: the profile's
lr = 2e-4  # Adam's; a tenth of the base model's

# %%
from companion.page import Page

page = Page("ours_exact_negation", vars())
most = dict(dataset="mnist", tasks="ddpm:1", updates=120, batch_size=32, fit=1000)
budget = page.budget(
    smoke=dict(dataset="digits", tasks="ddpm:1", updates=2, batch_size=8, fit=250)
    | dict(n=40, sampler=5, sampling="1", weights="1", own="1", finer=0, fid=0),
    laptop=most | dict(n=500, sampler=10, sampling="1,4", weights="1", own="2", finer=0, fid=0),
    paper=most  # ours
    | dict(n=5000, sampler=50, sampling="1,2,4", weights="1,2", own="1,2", finer=200, fid=9000)
    | dict(seeds=3),
)
lr = page.parameters["lr"]

# %% tags=["hide-input", "key"]
page.verdict(
    claim="Ours: with a classifier of noisy images a model can be made to forget a class as if it had never seen it, while it is sampled or for good, in minutes and without a step that breaks anything.",
    found="",
    verdict="",
)

# %% [markdown]
# ## The idea
#
# Call the classes that are to be forgotten $f$ and the rest $g$, and let $\pi_f(x_t) = P(f \mid x_t)$ be what a perfect classifier of *noisy* images would say. Then at every noise level and for every process
#
# ```{math}
# :label: eq-negation
# \nabla \log p_{g,t}(x_t) = \nabla \log p_t(x_t) + \nabla \log \bigl(1 - \pi_f(x_t)\bigr), \qquad
# \epsilon_g = \epsilon - \underbrace{\sigma_t \nabla \log \bigl(1 - \pi_f(x_t)\bigr)}_{\text{the pull}} .
# ```
#
# **Proof.** Noise is added to each image on its own, so $p_t = \pi_f\, p_{f,t} + (1 - \pi_f)\, p_{g,t}$ with the same $\pi_f = P(f)$ at all $t$. By Bayes' rule $1 - \pi_f(x_t) = (1 - \pi_f)\, p_{g,t}(x_t) / p_t(x_t)$. Take logarithms and the gradient; $1 - \pi_f$ is a constant. $\square$
#
# **Nothing blows up.** Since $s = \pi_f(x_t)\, s_f + (1 - \pi_f(x_t))\, s_g$, the pull is $\sigma_t\, \pi_f(x_t)\, (s_g - s_f)$. Far from forgotten images it is nothing; among them it is the whole way from one score to the other. A minus sign before a score, as in {ref}`ours-signed-images`, has no such end. At low noise that way grows as
# $\alpha_t \lVert x_{0,g} - x_{0,f} \rVert / \sigma_t$; a sampler that was turned away earlier never comes there.
#
# On the mixture, $\pi_f(x_t)$ is known. The largest error of the wrapped model's score, over all noise levels:

# %%
import torch

from paperlib.data.mixture import SGU_MIXTURE
from paperlib.denoiser import ExactDenoiser
from paperlib.negation import ExactClassifier, Without
from paperlib.processes import VE

process, p_g = VE(), SGU_MIXTURE.only(0, 2)
model = Without(ExactDenoiser(SGU_MIXTURE, process), ExactClassifier(SGU_MIXTURE), forget=[1])
t = torch.linspace(0, 1, 1000, dtype=torch.float64)
x_t = process.perturb(SGU_MIXTURE.sample(1000, torch.Generator().manual_seed(0)), t, torch.ones(2))
error = (model(x_t, t).score - ExactDenoiser(p_g, process)(x_t, t).score).norm(dim=1)
print(f"{(error * process.sigma(t)).max().item():.1e}, in units of the noise")

# %% [markdown]
# ## The classifier
#
# For images it is a small network ({py:mod}`paperlib.nets.noisy_classifier`) that is given $y = x_t / \alpha_t$ and $\log(\sigma_t / \alpha_t)$. At equal $\sigma_t / \alpha_t$ all processes show the same noisy image, so that one classifier serves VE, VP and DDPM; trained on all classes once, it serves every choice of what is to be forgotten. It is made by
# `python -m companion noisy-classifier mnist` and committed. How good it is at each noise level:

# %%
import pandas as pd

from companion import checkpoints

card = checkpoints.card(f"noisy-classifier-{budget.dataset}")
pd.DataFrame(card["levels"]).round(3)

# %% [markdown]
# *Error* is the expected calibration error; *temperature* what its logits would have to be divided by: near 1, it is as sure as it should be.
#
# ## Into the weights
#
# What is left to do is regression, where the answer has changed most and where it must not change ({py:mod}`paperlib.unlearning.negate`):
#
# ```{math}
# :label: eq-negate
# \begin{aligned}
# L &= \E_{D_g} \lVert z - \epsilon_\theta(x_t, t) \rVert^2 + \mu\, \E_{D_f} \lVert \epsilon_g(x_t) - \epsilon_\theta(x_t, t) \rVert^2, \\
# \epsilon_g(x_t) &= \epsilon_{\theta_0}(x_t, t) - w\, \sigma_t \nabla \log \bigl(1 - \pi_f(x_t)\bigr) .
# \end{aligned}
# ```
#
# With $w = 1$ and a perfect classifier both squares have one minimiser, the score of the retained data. In a target the pull has a longest length, that of noise: at low noise, amid forgotten images, no network follows further. *Without data* both terms are regressions at noised samples of the old model itself, sorted by the classifier, with
# $\epsilon_g$ as the target of both.
#
# ## The models
#
# Before, retrained in full without the class, negated while sampling, and negated in the weights. Every model draws from the same noise within a seed.

# %%
from companion.models import base
from companion.studies.negation import look

drawing = dict(n=budget.n, evaluations=budget.sampler)


def sampled(process, forget, seed):
    """Facts and samples of the models that learn nothing: before, retrained, negated on the way."""
    standard = base(f"{budget.dataset}-{process}")
    at = dict(forget=forget, seed=seed, **drawing)
    for model in (standard, standard.retrained(without=forget)):
        if not model.missing:
            yield model.facts, look(model, **at)
    for w in map(float, budget.sampling.split(",")):
        yield standard.facts | dict(method="without", w=w), look(standard, **at, w=w)
    if budget.finer and seed == page.seeds[0]:
        at |= dict(evaluations=budget.finer)
        yield standard.facts | dict(method="without_finer", w=1.0), look(standard, **at, w=1.0)


# %%
from paperlib.unlearning.negate import negate

amounts = dict(updates=budget.updates, batch_size=budget.batch_size, lr=lr)


def taught(process, forget, seed):
    """Facts and samples of the models that learn it, from data and from their own samples."""
    standard = base(f"{budget.dataset}-{process}")
    for called, points in (("negate", "data"), ("negate_own", "own")):
        asked = {"data": budget.weights, "own": budget.own}[points]
        for w in map(float, filter(None, asked.split(","))):
            own = dict(w=w, points=points, called=called, seed=seed)
            model = standard.unlearn(negate, forget, **own, **amounts)
            yield model.facts, look(model, forget=forget, seed=seed, **drawing)


def models(process, forget, seed):
    """All of a task."""
    yield from sampled(process, forget, seed)
    yield from taught(process, forget, seed)


# %%
from companion.rows import row
from companion.studies.negation import fid_of_the_rest, measures

inception = ("standard", "unseen", "negate")  # FID is the slowest measure
asked = [task.split(":") for task in budget.tasks.split(";")]


def rows():
    """Both judges' UR and the distance of the rest; FID of the rest for the first seed."""
    for process, forget in asked:
        for seed in page.seeds:
            for facts, subject in models(process, forget, seed):
                found = measures(subject)
                if budget.fid and seed == page.seeds[0] and facts["method"] in inception:
                    found["fid of the rest"] = fid_of_the_rest(subject, budget.fid)
                facts = facts | dict(process=process, forget=forget)
                facts |= dict(sampler_evaluations=subject.protocol.evaluations)
                for metric, one in found.items():
                    how = dict(metric=metric, n=one.n, interval=one.interval, unit=one.unit)
                    yield row(one.value, **how, seed=seed, **facts)


# %%
from companion.studies.negation import fitted_weights, others
from companion.studies.pulls import compared_pulls

levels = (0.2, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0, 5.0)


def curves():
    """The pull's best weight at each noise level, and what other methods did on the same task."""
    names = {f"{process}:{forget}": (process, forget) for process, forget in asked}
    at = dict(levels=levels, n=budget.fit, seed=page.seeds[0])
    weights = {
        name: fitted_weights(base(f"{budget.dataset}-{p}"), f, **at)
        for name, (p, f) in names.items()
    }
    at |= dict(levels=(1.0, 2.0, 3.0, 5.0, 8.0), n=budget.fit // 5)
    pulls = {
        name: compared_pulls(base(f"{budget.dataset}-{p}"), f, **at)
        for name, (p, f) in names.items()
    }
    beside = {name: others(f"{budget.dataset}-{p}", f) for name, (p, f) in names.items()}
    return {
        "weights": weights,
        "pulls": pulls,
        "others": beside,
        "amounts": amounts,
        "classifier": card["gradient_evaluations"],
    }


# %%
from companion import plots
from companion.evaluation.samples import drawn
from companion.studies.negation import nearest


def sheets():
    """The first task's samples from the same noise, and beside the last model's the nearest training images."""
    shown = {
        f"{facts['method']} {facts.get('w', '')}": drawn(subject.samples)[:14]
        for facts, subject in models(*asked[0], page.seeds[0])
    }
    scale = 2 if budget.dataset == "mnist" else 4
    last = [name for name in shown if name.startswith("negate ")][-1]
    sheet = plots.contact_sheet(shown, columns=14, scale=scale)
    beside = {"samples": shown[last], "nearest": nearest(shown[last], budget.dataset)}
    return {"samples": sheet, "nearest": plots.contact_sheet(beside, columns=14, scale=scale)}


result = page.measure(rows, series=curves, images=sheets, by=["w"])

# %% [markdown]
# ## What came of it

# %% mystnb={"figure": {"caption": "UR against the distance of the other classes from real images, in that of the model before; w stands at the points. Crosses: the methods of {ref}`compare-all-methods`, each with its searched settings, at 240 gradient evaluations as here. Dotted: 1.1 times the distance before. {run}.", "name": "fig-negation-plane"}, "image": {"alt": "Forgetting against distance for several weights, beside other methods", "width": "720px"}} tags=["key"]
page.figure(plots.negation_plane)

# %%
page.show(plots.negation_table)

# %% [markdown]
# A classifier did the guiding, and a classifier counts. So a second judge of another architecture, initialisation and order of data counts too, and FID looks with Inception's eyes. An adversarial pattern would fool the first and leave the class in sight of the other two.


# %% mystnb={"figure": {"caption": "Samples from the same noise, not chosen. {run}.", "name": "fig-negation-samples"}, "image": {"alt": "Samples of all models from the same noise", "width": "640px"}}
def names(record):
    """The sheet's rows."""
    process, forget = plots.negation.tasks(record)[0]
    return [
        plots.negation.model_title(one.method, facts)
        for one, facts in plots.negation.models(record, process, forget)
    ]


page.picture("samples", names)

# %% mystnb={"figure": {"caption": "Samples of the last model that was taught with data, and for each the nearest of all training images. {run}.", "name": "fig-negation-nearest"}, "image": {"alt": "Samples and their nearest training images", "width": "640px"}}
page.picture("nearest", ["samples", "nearest training images"])

# %% [markdown]
# ## Why does a larger weight help?
#
# In {eq}`eq-negation` there is no $w$: exact is 1. If 2 does better, either the classifier's gradient is too small, or the model's density is not the data's. The first can be measured without any model of ours being right. On held-out *retained* images, the noise that is expected is $\epsilon_g$; so among all $\epsilon - w\, u$, $u$ the pull,
# the one that comes nearest to $z$ has
#
# ```{math}
# :label: eq-negation-fit
# w^* = \frac{\E_{D_g} \langle \epsilon_\theta - z,\; u \rangle}{\E_{D_g} \lVert u \rVert^2},
# ```
#
# and with an exact model and an exact classifier that is 1 at every noise level. Above 1 the pull is too short there, below 1 too long.

# %% mystnb={"figure": {"caption": "The weight that held-out retained images give the pull, with 95 % intervals, and the pull's root mean square among them. {run}.", "name": "fig-negation-weights"}, "image": {"alt": "The fitted weight against the noise level", "width": "560px"}}
page.figure(plots.pull_weights)

# %% [markdown]
# ## What it cannot do
#
# - **A class that the classifier cannot see stays.** Everything hangs on $\pi_f(x_t)$. What it confuses is kept or lost with what it takes it for.
# - **It forgets a class, not an image.** For single images there is no $\pi_f$ that a classifier could learn; SISS {cite}`siss` and ReTrack {cite}`retrack` are made for that.
# - **It does not hide.** The weights have moved a little, and how fast the class comes back under fine-tuning is another question ({ref}`compare-relearning`). At sampling time nothing is forgotten at all: whoever has the model has the class.
# - **The classifier costs.** Its training is not in the budget of 240 gradient evaluations. It is paid once for a data set, whatever is forgotten later and of which model.
# - **Prompts.** For text there is no list of classes whose probabilities sum to one; negative prompting and ESD put a constant there.
#
# ```{exercise} A classifier from the model itself
# :label: ex-negation-faces
# A conditional model has $s(x_t \mid c)$ and $s(x_t)$. Write {eq}`eq-negation` with these two and $\pi_f(x_t)$, without a gradient of a classifier. What has to be put in the place of $\pi_f / (1 - \pi_f)$ to get negative prompting, and where on the mixture is that furthest from the truth?
# ```

# %% [markdown] tags=["solution"]
# ````{solution-start} ex-negation-faces
# :class: dropdown
# ````

# %% tags=["solution"]
x = torch.stack([torch.linspace(-4, 4, 9, dtype=torch.float64)] * 2, 1)
pi_f = SGU_MIXTURE.log_joint(x, 1.0, 0.5)[0].softmax(1)[:, 1]
s, s_f, s_g = (one.score(x, 1.0, 0.5) for one in (SGU_MIXTURE, SGU_MIXTURE.only(1), p_g))
exact = s - (pi_f / (1 - pi_f))[:, None] * (s_f - s)
constant = s - 1.0 * (s_f - s)
pd.DataFrame(
    {
        "along": x[:, 0].numpy(),
        "pi_f": pi_f.numpy(),
        "error of the exact form": (exact - s_g).norm(dim=1).numpy(),
        "of weight 1": (constant - s_g).norm(dim=1).numpy(),
    }
).round(3)

# %% [markdown] tags=["solution"]
# From $s = \pi_f s_f + (1 - \pi_f) s_g$ follows $s_g = s - \frac{\pi_f}{1 - \pi_f} (s_f - s)$, which is the form of dynamic negative guidance. Negative prompting and ESD have a constant there. It is right where $\pi_f(x_t) = 1/2$ alone. Far from the forgotten component the exact weight is nothing, and the constant goes on pushing, the harder the
# farther: it drives samples out of the retained data.
#
# ````{solution-end}
# ````

# %% [markdown]
# ## This run

# %% tags=["hide-output"]
page.this_run()
