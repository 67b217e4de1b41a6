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
# (erasediff-fig19)=
# # EraseDiff, Figure 19: every class, before and after
#
# This figure of EraseDiff {cite}`erasediff` shows CIFAR-10 samples after airplanes were forgotten. It is meant to show two things: one class is gone, and nine are not. This page has the grid for any class and any method of {ref}`erasediff-tab1`. For each row it gives the share of images that a classifier takes for the requested class, and for the forgotten row its most frequent label. What does a model generate when it is asked for what it has forgotten?

# %% tags=["parameters"]
profile = "smoke"  # recorded | smoke | laptop | paper
seeds = ""  # of unlearning and of the samples, such as "0,1,2"; empty: as many as the profile has
dataset = ""  # cifar10, mnist, digits: any with a conditional DDPM; empty: the profile's
forget = ""  # such as "airplane" or "3,7"; empty: the profile's
methods = "erasediff_rl,erasediff_noise"  # among those of Table 1
guidance = 0.0  # w of (1 + w) c - w u, in place of the profile's
columns = 5  # images of each class and model

# %%
from companion.page import Page
from companion.studies.erasediff_amounts import PUBLISHED, amounts, recipe, size

page = Page("erasediff_fig19_samples", vars())
budget = page.budget(**amounts(dataset))  # the same as in Table 1

# %% tags=["hide-input", "key"]
if page.recorded:
    share = {(v.method, v.protocol["asked"]): v.value for v in page.recorded.all(metric="obeyed")}
    MODELS = ("unscrubbed", "erasediff_rl", "erasediff_noise")
    retained = {
        name: sum(share[one] for one in share if one[0] == name and one[1] != "airplane") / 9
        for name in MODELS
    }
    run = page.recorded.find(metric="obeyed", method="erasediff_rl", asked="airplane").protocol
page.verdict(
    claim='On DDPM, "generated examples when forgetting the class" airplane: no airplanes, and nine classes as before.',
    found=f"CIFAR-10, asked for an airplane: the classifier sees one in {share['unscrubbed', 'airplane']:.0f} % of the images before, in {share['erasediff_rl', 'airplane']:.0f} % after EraseDiff with other labels (rl), in {share['erasediff_noise', 'airplane']:.0f} % with noise. In the other nine rows it sees the requested class in {retained['unscrubbed']:.0f} % before, {retained['erasediff_rl']:.0f} % after rl, and {retained['erasediff_noise']:.0f} % after noise, whose images are nearly black.",
    verdict="With other labels as targets nine rows stay, as printed, and half of the tenth. With noise none does: what is learnt under one label does not stay there.",
    rests=f"The runs of {{ref}}`erasediff-tab1`: {run['evaluations']} gradient evaluations of {run['batch_size']} images at published settings, where the public code has 288 updates of 128, and {size('cifar10-ddpm-labels')}.",
    holds=[
        0.4 < share["erasediff_rl", "airplane"] / share["unscrubbed", "airplane"] < 0.6,
        retained["erasediff_rl"] > 0.9 * retained["unscrubbed"],
        retained["erasediff_noise"] < retained["unscrubbed"] / 3,
    ],
)

# %% [markdown]
# ## What is learnt under the forgotten label
#
# ```{math}
# :label: eq-fig19-targets
# \text{rl:}\quad \epsilon_\theta(x_t \mid c_f) \to \epsilon_\theta(x_t \mid c_m),\ c_m \ne c_f, \qquad
# \text{noise:}\quad \epsilon_\theta(x_t \mid c_f) \to u,\ u \sim U[0, 1]^d .
# ```
#
# The first target is the prediction for another class *at a noisy image of the forgotten class*; the second is no prediction of anything. Both are trained only on noised images of the forgotten class. At high noise these are what a sampler starts from; later it may be elsewhere.
#
# ## The models
#
# The runs and samples are those of {ref}`erasediff-tab1`.

# %%
from companion.models import base
from paperlib.unlearning.methods import METHODS

start = base(f"{budget.of}{budget.dataset}-ddpm-labels", called="unscrubbed")


def models(seed):
    """Yield the base model, and what each method makes of it."""
    yield start
    for name in page.chosen("methods", PUBLISHED):
        run = recipe(name, budget) | dict(called=name, seed=seed)
        yield start.unlearn(METHODS[PUBLISHED[name][0]].call, budget.forget, **run)


# %% [markdown]
# ## The run

# %%
from companion.rows import row
from companion.studies.erasediff_grids import obeyed

drawing = dict(n=budget.n, forget_n=budget.asked, sampler=budget.sampler, guidance=budget.guidance)
drawing |= dict(evaluations=budget.steps * (2 if budget.guidance else 1))


def rows():
    """Yield, for each model and class, the share of the images asked for the class that show it."""
    for seed in page.seeds if not start.missing else []:
        for model in models(seed):
            for name, found in obeyed(model, budget.forget, **drawing, seed=seed).items():
                told = dict(metric="obeyed", unit="%", n=found["n"], seed=seed)
                yield row(found["share"], asked=name, forget=budget.forget, **told, **model.facts)


# %%
def curves():
    """Find the classifier's most frequent label for each row, for the first seed."""
    if start.missing:
        return {}
    told = drawing | dict(seed=page.seeds[0])
    found = {model.method: obeyed(model, budget.forget, **told) for model in models(page.seeds[0])}
    words = {name: {row: one["word"] for row, one in rows.items()} for name, rows in found.items()}
    return dict(words=words, forget=budget.forget)


# %%
from companion import plots
from companion.studies.erasediff_grids import rows_by_class


def sheets():
    """Lay out the grid."""
    told = drawing | dict(seed=page.seeds[0])
    several = [] if start.missing else list(models(page.seeds[0]))
    if not several:
        return {}
    grid = rows_by_class(several, budget.forget, columns, **told)
    width = len(several) * (columns + 1) - 1
    scale = 4 if budget.dataset == "digits" else 1
    return dict(grid=plots.contact_sheet(grid, columns=width, scale=scale))


result = page.measure(rows, series=curves, images=sheets, by=["asked"])

# %% [markdown]
# ## The grid

# %%
from companion.claims.names import method_title


# %% mystnb={"figure": {"caption": "One row per requested class, one block of columns per model, from the same noise, for the first seed. {run}.", "name": "fig-erasediff-grid"}, "image": {"alt": "Samples of every class before and after unlearning", "width": "720px"}} tags=["key"]
def names(record):
    """Name the rows of the grid and mark what was forgotten."""
    classes = record.series["words"]["unscrubbed"]
    forgotten = record.series["forget"].split(",")
    return [f"{name}, forgotten" if name in forgotten else name for name in classes]


def blocks(record):
    """Name the models, one block of columns each."""
    return [method_title(name) for name in record.series["words"]]


page.picture("grid", names, columns=blocks)

# %% [markdown]
# ## The classifier's labels

# %%
page.show(plots.obeyed_table)

# %% [markdown]
# ## What to notice

# %% tags=["hide-input"]
share = {(one.method, one.protocol["asked"]): one.value for one in result.all(metric="obeyed")}
words = result.series["words"]
few = result.find(metric="obeyed", method="erasediff_rl", asked="deer").n
page.say(
    f"**Rows differ before anything is forgotten.** Asked for a frog the base model draws one in {share['unscrubbed', 'frog']:.0f} % of the images, asked for a bird in {share['unscrubbed', 'bird']:.0f} %. Read every row beside the same row before.",
    f"**What rl takes from an airplane is the sky.** From the same noise the shapes stay, and the blue behind them turns grey and brown; the classifier's most frequent word for the row is still {words['erasediff_rl']['airplane']}. The target is the prediction for another label at a noisy *airplane*, and late in sampling that prediction completes what is there.",
    f"**The other rows move little.** Automobiles go from {share['unscrubbed', 'automobile']:.0f} to {share['erasediff_rl', 'automobile']:.0f} %, ships from {share['unscrubbed', 'ship']:.0f} to {share['erasediff_rl', 'ship']:.0f} %, deer from {share['unscrubbed', 'deer']:.0f} to {share['erasediff_rl', 'deer']:.0f} %, from {few} images per row and seed.",
    f"**Noise spreads.** The network learns uniform noise, which is positive, under the forgotten label, and predicts it under all of them; subtracted step by step, it leaves black images. The classifier still calls {share['erasediff_noise', 'automobile']:.0f} % of one row automobiles: a label does not prove that an image shows anything.",
    holds=[
        share["unscrubbed", "bird"] < 30 < 80 < share["unscrubbed", "frog"],
        words["erasediff_rl"]["airplane"] == "airplane",
        share["erasediff_noise", "automobile"] > 40,
    ],
)

# %% [markdown]
# ```{exercise} A row of anything
# :label: ex-fig19-entropy
# A model that was retrained without a class has never learnt what to generate for its label. What would a *good* forgotten row look like: noise, one other class, or all nine in turn? Compute the entropy of the labels for each, and compare it with $\log 9$.
# ```

# %% [markdown] tags=["solution"]
# ````{solution-start} ex-fig19-entropy
# :class: dropdown
# ````

# %% tags=["solution"]
import math

print(f"always the same class: 0 nats; all nine equally often: {math.log(9):.2f} nats")

# %% [markdown] tags=["solution"]
# The unconditional distribution, $p_g$, is the honest answer, since the model does not know what was asked for. All nine in turn have $\log 9 = 2.20$ nats over the images, while each image by itself is near 0. A high entropy of *each* image, as EraseDiff's Figure 5 reports it, means that the images show nothing.
#
# ````{solution-end}
# ````

# %% [markdown]
# ## This run

# %% tags=["hide-output"]
page.this_run()
