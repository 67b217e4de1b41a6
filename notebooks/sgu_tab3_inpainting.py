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
# (sgu-tab3)=
# # SGU, Table 3 and Figure 4: inpainting
#
# Half an image is a strong hint. SGU {cite}`sgu` hides the upper half of test images, lets each model fill it in, and asks a classifier whether the class is still that of the original. On the retained side $D_g$ it should be; on the forgotten side $D_f$ a model that has forgotten should fill in something else. *Standard* was trained on everything, *Unseen* without the data to forget.

# %% tags=["parameters"]
profile = "smoke"  # recorded | smoke | laptop | paper
seeds = ""  # of unlearning and of inpainting, such as "0,1,2"
dataset = "all"  # all | mnist | cifar10 | stl10 | celeba, or several: the settings
forget = ""  # classes other than the setting's own; needs a single dataset
known = "lower"  # the half that is given: lower (the paper's) | upper | left | right
alpha = 0.0  # weight of L_g; 0: for each loss the one that the search found; the paper prints none
variant = "paper"  # paper | code | corrected: the reading of L_f
lr = 2e-4  # Adam's; the public code's
steps = 0  # updates of unlearning; 0: as many as the profile has
clip_weights = ""  # a file with CLIP's weights, or "openai" to download them; empty: no CLIP

# %%
from companion.page import Page

page = Page("sgu_tab3_inpainting", vars())
budget = page.budget(
    smoke=dict(steps=2, batch_size=4, evaluations=4, n=4, stops=2, resamples=2)
    | dict(rows=["mnist", "celeba"]),
    # the models of Table 2's page; resamples 0: without RePaint, which costs three times as much
    laptop=dict(steps=120, batch_size=32, evaluations=10, n=100, stops=50, resamples=0, seeds=3),
    # updates, batches: each row's own, as in Table 2, whose models these are; images: Table 3;
    # stops: score_sde's N; resamples: RePaint's own r
    paper=dict(steps=0, batch_size=0, evaluations=1000, n=5000, stops=1000, resamples=10),
)

# %% tags=["hide-input"]
from companion.studies.inpainting_measures import restored_by
from companion.studies.sgu_readings import paired, said

NAMES = ("standard", "unseen", "sgu_orthogonal", "sgu_obtuse")


def percents(values, side):
    """Write the four models' percentages of one side."""
    *rest, last = (f"{values[name, side]:.0f}" for name in NAMES)
    return f"{', '.join(rest)} and {last} %"


def beside_unseen(found):
    """By how much Orthogonal and Obtuse restore more of D_f than Unseen."""
    one, *both = (found[name, "D_f"].per_seed for name in NAMES[1:])
    return [paired(values, one) for values in both]


# %% tags=["hide-input"]
def glance(record):
    """What was found, on what it rests, and the conditions."""
    found = restored_by(record, "cifar10")
    back = {key: one.value for key, one in found.items()}
    run, D_f = found["sgu_obtuse", "D_f"], [one for one in found if one[1] == "D_f"]
    ends = [found[one].interval for one in D_f if one[0] != "clean"]
    apart = beside_unseen(found)
    return dict(
        found=f"On CIFAR-10 Standard, Unseen, Orthogonal and Obtuse restore {percents(back, 'D_f')} of $D_f$ and {percents(back, 'D_g')} of $D_g$ (of the originals the classifier recognises {back['clean', 'D_f']:.0f} and {back['clean', 'D_g']:.0f} %). Fine-tuning alone restores {back['finetune', 'D_f']:.0f} % of $D_f$, exact negation {back['negate', 'D_f']:.0f} %. Against Unseen, seed by seed: Orthogonal {said(apart[0], 0)} points, Obtuse {said(apart[1], 0)}: no two models can be told apart.",
        rests=f"{run.n} test images per side, the same for all; {len(run.seeds)} runs of each model of {{ref}}`sgu-tab2` (one of fine-tuning and negation), {run.protocol['updates']} updates of {run.protocol['batch_size']} images per side from the trained model; a small network, {run.protocol['inpainting_steps']} stops.",
        holds=[
            max(low for low, _ in ends) < min(high for _, high in ends),
            back["standard", "D_f"] - min(back[name, "D_f"] for name in NAMES) < 5,
            len(run.seeds) == 3 and all(low < 0 < high for _, low, high in apart),
        ],
    )


# %% tags=["hide-input", "key"]
page.verdict(
    claim="Of CIFAR-10's dogs and automobiles 75.0 % keep their class with Standard, 59.7 % with Unseen, 57.2 % with Orthogonal, 49.6 % with Obtuse; of $D_g$ some 75 % with all. So SGU would be harder to lead back to the class than a model that never saw it; for STL-10's airplanes this holds only for Obtuse (50.3, Unseen 54.9, Orthogonal 59.5 %).",
    found=glance,
    verdict="*Another protocol*, so no number of SGU is judged. The printed drop of 18 and 25 points does not appear: SGU's models, which generate fewer dogs and automobiles of their own, complete half of one about as often as Standard does. So does Unseen, which never saw either: here the measure tells nothing about what a model knows.",
)

# %% [markdown]
# ## Filling in the hidden half
#
# ```{math}
# :label: eq-tab3-inpainting
# x \sim p_\theta\bigl( x \mid x_{\text{lower}} = y_{\text{lower}} \bigr), \qquad
# \text{accuracy} = \Pr\bigl[ \text{class}(x) = \text{class}(y) \bigr], \quad y \in D_g \text{ or } D_f .
# ```
#
# This conditional cannot be sampled exactly. Both inpainting methods follow a sampler's chain and, at every stop $s$, insert the known half at that noise level, $\alpha_s y + \sigma_s z$. *Replacement* is score_sde's. (The paper does not say how it inpaints; its code builds on score_sde.) For VE its predictor is reverse diffusion, and one Langevin step per stop repairs mismatches; for VP it has no such step, and we take its other predictor, ancestral sampling: with the 50 stops of `laptop`, reverse diffusion fills the hidden half of CIFAR-10's images with coloured noise. *RePaint* {cite}`lugmayr2022` repeats every stretch of ten stops several times so that the two halves agree; with a single pass it is replacement by ancestral sampling. It is computed in `smoke` and `paper` only. By hand, with a small model of scikit-learn's digits:

# %%
import torch

from companion import bases
from companion.classifiers import classifier, predict
from paperlib.data.images import model_input, to_uint8
from paperlib.editing import half, repaint, replacement

model, digits = bases.load("digits-ve"), bases.images("digits", "test")
noise = torch.Generator().manual_seed(page.seeds[0])
y = model_input(digits.images[:20], noise, dequantise=True)  # [20, 1, 8, 8]
mask = half(digits.shape, known)  # True where a pixel is known
for draw in (replacement, repaint):
    *_, last = draw(model, y, mask, steps=20, generator=noise)
    x = torch.where(mask, digits.images[:20], to_uint8(last.x, dequantised=True))
    kept = predict(classifier("digits"), x).argmax(1) == digits.labels[:20]
    print(f"{draw.__name__:12} {int(kept.sum())} of 20 keep their class")

# %% [markdown]
# ## The models
#
# The models of {ref}`sgu-tab2`, at the $\alpha$ found by the search ({ref}`sgu-alpha`), with fine-tuning on $D_g$ alone ($\alpha$ = 1) as the control and exact negation ({ref}`ours-negation`) as our column. Where the paper's data set is not available, a synthetic one replaces it in `smoke`, under its own name: shapes for CIFAR-10 and STL-10, avatars for the faces of Figure 4.

# %%
from companion.studies.sgu_models import ROWS, sgu_models

chosen = page.chosen("dataset", ROWS)


def models(row, seed):
    """Standard, the unlearned models, and Unseen, which never saw D_f; the first seed also has the others."""
    run = {name: page.parameters[name] for name in ("forget", "alpha", "variant", "lr")}
    run |= dict(updates=budget.steps, batch_size=budget.batch_size, evaluations=budget.evaluations)
    return sgu_models(row, profile=profile, seed=seed, others=seed == page.seeds[0], **run)


# %% [markdown]
# ## The measures
#
# *Accuracy*: the share of restored images that the classifier assigns to the original's class. The paper also prints a "CLIP distance" between restored and original images of $D_g$ without defining it; if CLIP's weights are available, we compute 100 (1 - cosine).

# %%
import itertools

from companion.machine import pick_device
from companion.studies.inpainting_measures import accuracy, clean, clip_distance, drawn, replaced
from paperlib.metrics import clip

common = dict(n=budget.n, known=known, steps=budget.stops)
repainted = common | dict(way="repaint", resamples=budget.resamples, steps=min(budget.stops, 250))
SIDES = {"D_g": "retain", "D_f": "forget"}
judge = clip.load(weights=clip_weights, device=pick_device()) if clip_weights else None


def ways(model):
    """How the hidden half is filled in: replacement as score_sde has it, and RePaint."""
    own = common | replaced(model.kind.process)
    return [own, repainted] if budget.resamples else [own]


def present(row, seed):
    """The available models, each with what it was to forget."""
    found = [one for one in models(row, seed) if one[0].method != "sgu_code"]
    return [(model, D_f) for model, D_f in found if not model.missing]


# %%
def rows():
    """Every number of the table."""
    for row, seed in itertools.product(chosen, page.seeds):
        found = present(row, seed)
        for (model, D_f), side in itertools.product(found, SIDES):
            for way in ways(model):
                yield accuracy(model, D_f, side, seed=seed, **way)
            if judge and side == "D_g":
                yield clip_distance(judge, model, D_f, side, seed=seed, **ways(model)[0])
        for (standard, D_f), side in itertools.product(found[:1], SIDES):
            if seed == page.seeds[0]:
                yield clean(standard, D_f, side, n=budget.n)


# %%
def missing(claim):
    """Why a printed cell was not run."""
    if profile == "smoke" or claim.dataset not in chosen or forget:
        return "this run computes on other data"
    tried = models(claim.dataset, 0)
    why = next((m.missing for m, _ in tried if claim.method in (m.method, "clean")), "")
    return why or "CLIP's weights are not at hand"


# %%
from companion import plots

SHOWN = [row for row in ("mnist", "cifar10", "celeba") if row in chosen]


def sheets():
    """For the first seed: the originals, and what each model fills in for the hidden half."""
    found, seed = {}, page.seeds[0]
    for row, side in itertools.product(SHOWN, SIDES):
        sheet = {}
        for model, D_f in present(row, seed):
            originals, restored = drawn(model, D_f, side, seed=seed, **ways(model)[0])
            sheet |= {"original": originals, model.method: restored}
        if sheet:
            found[f"{row}-{SIDES[side]}"] = plots.contact_sheet(sheet, scale=2)
    return found


TABLES = ["sgu.tab3_accuracy", "sgu.tab3_clip"]
result = page.measure(rows, images=sheets, tables=TABLES, missing=missing)

# %% [markdown]
# ## The table
#
# The paper prints CIFAR-10 and STL-10; its numbers are below ours.

# %%
page.show(plots.inpainting_table)
page.compare(*TABLES)

# %% [markdown]
# ## The figures


# %%
def grid(what, words):
    """One side's images."""
    page.show(lambda record: plots.restored_images(record, page.image_of(record, what), words))


# %% mystnb={"figure": {"caption": "CIFAR-10's dogs and automobiles: the original, and what each model fills in for the hidden half, by replacement. First seed, not selected. {run}.", "name": "fig-sgu-tab3-forget"}, "image": {"alt": "Restored dogs and automobiles", "width": "640px"}} tags=["key"]
grid("cifar10-forget", "dogs and automobiles, to be forgotten")

# %% mystnb={"figure": {"caption": "The same for CIFAR-10's other classes, which are retained. {run}.", "name": "fig-sgu-tab3-retain"}, "image": {"alt": "Restored images of the retained classes", "width": "640px"}}
grid("cifar10-retain", "the other classes, retained")

# %% [markdown]
# MNIST is ours (`-p dataset mnist`). Avatars with and without bangs replace the faces of Figure 4; no weights trained on CelebA are kept here because of its licence. They, and digits in MNIST's place, are computed in `smoke` only and shown in the fold at the end of the page.

# %%
grid("mnist-retain", "digits, retained")
grid("mnist-forget", "digits, to be forgotten")
grid("celeba-retain", "without bangs, retained")
grid("celeba-forget", "with bangs, to be forgotten")

# %% [markdown]
# ## What to notice


# %% tags=["hide-input"]
def noticed(record):
    """The sentences and their conditions."""
    found = restored_by(record, "cifar10")
    back = {key: one.value for key, one in found.items()}
    both = [back[name, "D_f"] for name in ("sgu_orthogonal", "sgu_obtuse")]
    kept = [back[name, "D_g"] for name in ("sgu_orthogonal", "sgu_obtuse", "standard")]
    return dict(
        sentences=[
            f"**The class is in the given half.** Unseen restores {back['unseen', 'D_f']:.0f} % of dogs and automobiles without ever having seen one; Standard restores {back['standard', 'D_f']:.0f} %. Only the difference between the two could be memory of the class; in the paper it is 15 of 75 points.",
            f"**Not to generate is not the same as not to complete.** Orthogonal and Obtuse restore {both[0]:.0f} and {both[1]:.0f} % of $D_f$. A likely reason: a sampler that starts from noise decides on the class early, where the image is hardly visible; here half of the image has decided it.",
            f"**An accuracy on $D_f$ needs the one on $D_g$ beside it**: {kept[0]:.0f} and {kept[1]:.0f} %, Standard's {kept[2]:.0f} %. A model that fills the half with noise would have a low number on both.",
            "**Look at the images before the numbers.** With 50 stops score_sde's other predictor, reverse diffusion, fills CIFAR-10's hidden halves with coloured noise, whatever the model: it adds the noise of the whole step, which is right for a thousand stops and too much for fifty. Ancestral sampling adds what the posterior has.",
        ],
        holds=[
            abs(back["unseen", "D_f"] - back["standard", "D_f"]) < 5,
            min(both) > back["standard", "D_f"] - 5,
            min(kept[:2]) > kept[2] - 10,
            found["unseen", "D_f"].protocol["predictor"] == "ancestral sampling",
        ],
    )


page.say(noticed)

# %% [markdown]
# ```{exercise} The other half
# :label: ex-tab3-half
# How much of the class is in the given half? Cut the test images of the forgotten class in two, mirror each half to make a whole image, and classify the result. Which half would you hide?
# ```

# %% [markdown] tags=["solution"]
# ````{solution-start} ex-tab3-half
# :class: dropdown
# ````

# %% tags=["solution"]
from companion.evaluation.judge import right
from paperlib.data.splits import split

data = split(digits, "3,7").forget  # scikit-learn's, which are always available
middle = data.images.shape[2] // 2
upper, lower = data.images[:, :, :middle], data.images[:, :, middle:]
whole = {
    "lower half and its mirror image": torch.cat([lower.flip(2), lower], 2),
    "upper half and its mirror image": torch.cat([upper, upper.flip(2)], 2),
}
for name, images in whole.items():
    hits = right(predict(classifier("digits"), images), data, "3,7")
    print(f"{name}: {100 * hits.double().mean().item():.0f} % keep their class")

# %% [markdown] tags=["solution"]
# This is a crude measure, since no such image is a digit; but it shows that the two halves are not equally informative, and that accuracy after inpainting is also a statement about the mask.
#
# ````{solution-end}
# ````

# %% [markdown]
# ## This run

# %% tags=["hide-output"]
page.this_run()
