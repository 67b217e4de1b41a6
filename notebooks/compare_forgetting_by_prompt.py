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
# (compare-prompts)=
# # Forgetting by prompt, on a model that was trained here
#
# In text-to-image models a class is forgotten by the words that name it. EraseDiff {cite}`erasediff`, SalUn {cite}`fan2024` and ESD {cite}`esd` show that Stable Diffusion no longer draws a tench when it is asked for *an image of a tench*. Whether the model has forgotten the fish, or the word, such a table does not say. Here is a text-to-image model small enough to ask: it draws ten shapes in six colours, from captions in five kinds of words.

# %% tags=["parameters"]
profile = "smoke"  # recorded | smoke | laptop | paper
seeds = ""  # such as "0,1,2"; empty: as many as the profile has
forget = "disc"  # a class of the shapes, forgotten by its name
methods = "all"  # all | some of the table's rows, with commas between
gradients = 0  # gradient evaluations of each run; 0: as many as the profile has

# %%
from companion.page import Page
from companion.studies.latent_entrants import METHODS
from paperlib.data.shapes import CLASSES

page = Page("compare_forgetting_by_prompt", vars())
budget = page.budget(
    smoke=dict(gradients=4, batch_size=8, n=6, evaluations=4),
    laptop=dict(gradients=48, batch_size=16, n=24, evaluations=8, seeds=3),  # the search's
    paper=dict(gradients=48, batch_size=16, n=300, evaluations=20, seeds=3),  # no paper has it
)
chosen = page.chosen("methods", METHODS)

# %% tags=["hide-input", "key"]
shown = {
    (one.method, one.protocol["test"]): one.value
    for one in (page.recorded.all(metric="shown") if page.recorded else [])
}
percent = {key: f"{value:.0f} %" for key, value in shown.items()}
page.verdict(
    claim="Text-to-image models forget a class by the prompts that name it, and keep the others.",
    found=f"Most of these methods forgot more than the word: where the name draws no disc, German draws {percent.get(('esd_x', 'german'))} (ESD-x) or {percent.get(('erasediff_noxattn', 'german'))} (EraseDiff without cross-attention). What it costs is seen at the ring: {percent.get(('esd_u', 'neighbour'))} are left under ESD-u, {percent.get(('erasediff', 'neighbour'))} under EraseDiff with full weights, {percent.get(('esd_x', 'neighbour'))} under ESD-x.",
    verdict="Words that were not forgotten leak little here, where the text encoder puts words of one meaning side by side. A classifier that no longer says *disc* is not a disc that is gone: see the pictures.",
    rests="A small model, one seed, 24 images a share, and settings that nobody searched for: differences of 20 points mean little.",
    holds=[
        shown.get(("esd_x", "german"), 9) < 5 < shown.get(("erasediff_noxattn", "german"), 0) < 20,
        shown.get(("esd_u", "neighbour"), 0) < 75 < shown.get(("esd_x", "neighbour"), 0),
        shown.get(("erasediff", "neighbour"), 0) < 75,
    ],
)

# %% [markdown]
# ## The model, and its words
#
# A text encoder of 0.2 million weights learned first to tell class and colour from captions, and was frozen; then a U-Net of 0.7 million learned the images, hearing the caption through cross-attention, as Stable Diffusion's does. Each training image had a caption drawn anew: by the name of its class, by a synonym, by a paraphrase, in German or in French.

# %%
from paperlib.data.captions import KINDS, caption

label = CLASSES.index(forget)
{kind: caption(label, "red", kind) for kind in KINDS}

# %% [markdown]
# A *prompt is a class*: a table of prompts, embedded once, turns a text-to-image model into a class-conditional one ({py:class}`paperlib.nets.text.Prompted`), and the methods of this book take it unchanged. $D_f$ are images of the class, labelled with the prompts that name it; $D_r$ are all other images under their own names. A synonym is in neither.

# %%
from companion import captioned
from companion.studies.latent_prompts import NAMES, labelled

model = captioned.prompted(captioned.load(), NAMES)
D_f, D_r = labelled(label)
print(f"{model.net.classes} prompts, D_f {len(D_f)} images, D_r {len(D_r)}")

# %% [markdown]
# ## What is trained
#
# ESD-x trains the cross-attention layers; ESD-u, and EraseDiff for nudity, train everything but them, the time's and the output's layers. The others train all weights. Every method has the same updates, batch and rate; **nobody searched for any method's best**, so the table compares what methods do to words rather than how good they can be.

# %%
import pandas as pd

from paperlib.nets.parameters import train_only

pd.Series(
    {which: train_only(model, which) for which in ("full", "noxattn", "xattn")}, name="weights"
)

# %% [markdown]
# One run, as the equations have it: Forget-Me-Not lowers the cross-attention at the word, $L = \sum_l \overline{|A_l[:, S]|^2}$.

# %%
import torch

from paperlib.unlearning.forget_me_not import forget_me_not

places = {k: [1 if k % 7 == 0 else 2] for k in range(7 * label, 7 * label + 7)}  # the class's word
draws = torch.Generator().manual_seed(page.seeds[0])
run = forget_me_not(
    model, D_f, generator=draws, steps=2, places=places, batch_size=8, lr=2e-6, ema=0
)
[round(step.losses["loss"], 4) for step in run]

# %% [markdown]
# ## The runs
#
# Each model draws under guidance from the same noise, and the classifier of the shapes says what is seen. A row is a share of images that show what was asked.

# %%
from companion.studies.latent_prompts import rows_of
from companion.studies.latent_search import asked, settings_of

facts = dict(dataset="captioned", process="vp", forget=forget, checkpoint=captioned.NAME)
amounts = dict(gradients=budget.gradients, batch_size=budget.batch_size)


def run_of(name, seed):
    """A method's run, with the rate that the search found."""
    return asked(name, forget, settings=settings_of(name, forget), seed=seed, **amounts)


def rows():
    """Every method, asked for the class in each kind of words and for the rest by name."""
    for seed in page.seeds:
        for name in chosen:
            looks = dict(n=budget.n, evaluations=budget.evaluations)
            own = facts | dict(sampler="iPNDM")
            yield from rows_of(page.store, run_of(name, seed), **looks, facts=own)


# %%
from companion import plots
from companion.claims.names import method_title
from companion.studies.latent_prompts import asked_prompts, drawn


def sheets():
    """Of each method the first four images by name, by synonym, in German, and of the neighbour."""
    found, wanted = {}, asked_prompts(label, budget.n)
    prompts = [prompt for several, _ in wanted.values() for prompt in several]
    for name in chosen:
        images = drawn(page.store, run_of(name, page.seeds[0]), prompts, budget.evaluations)
        by = dict(zip(wanted, images.split(budget.n)))
        shown = ("name", "synonym", "german", "neighbour")
        found[name] = torch.cat([by[what][:4] for what in shown])
    return {"drawn": plots.contact_sheet(found, columns=16, scale=3)}


result = page.measure(rows, images=sheets, by=["trains"])

# %% [markdown]
# ## What came of it

# %% mystnb={"figure": {"caption": "For each method the share of images that still show the forgotten class when it is asked for by the name that was forgotten (dot) and by other words (bars), and that show the kept classes (squares). {run}.", "name": "fig-prompts-plane"}, "image": {"alt": "Share of images that show what was asked, by method and kind of words", "width": "680px"}} tags=["key"]
page.figure(plots.prompts_plane)

# %%
page.show(plots.prompts_table)


# %% mystnb={"figure": {"caption": "First images, not chosen: four asked for by name, four by a synonym, four in German, four of the neighbour. {run}.", "name": "fig-prompts-drawn"}, "image": {"alt": "Images drawn by every method under four kinds of prompts", "width": "680px"}}
def names(record):
    """The sheet's rows."""
    methods = dict.fromkeys(one.method for one in record.all(metric="shown"))
    return [method_title(method) for method in methods]


page.picture("drawn", names)

# %% [markdown]
# ## What to notice

# %% tags=["hide-input"]
value = {(one.method, one.protocol["test"]): one.value for one in result.all(metric="shown")}
page.say(
    f"**The model knows its words.** Before forgetting, {value['standard', 'name']:.0f} % of what is asked for by name is a disc, and {value['standard', 'german']:.0f} % in German; {value['standard', 'neighbour']:.0f} % of the rings are rings.",
    f"**A share of 0 % can be a disc.** Under Selective Amnesia the classifier sees a disc in {value['selective_amnesia', 'name']:.0f} %; in the picture it is a disc with noise on it, which is what its surrogate taught. SalUn and EraseDiff, whose targets are a mixture of all other shapes, leave a blob in the colour that was asked for. UA counts each as forgotten.",
    f"**NegGrad breaks everything** ({value['neggrad', 'others']:.0f} % of the other shapes are left): it has nothing that holds the rest.",
    f"**Forget-Me-Not turns a disc into a square, mostly under its name.** A disc is left in {value['forget_me_not', 'name']:.0f} % by name and in {value['forget_me_not', 'synonym']:.0f} % by a synonym, {value['forget_me_not', 'german']:.0f} % in German: it forgets where the word stands, and the rest of the sentence still says something round.",
    f"**Cross-attention or not is a choice about the neighbour.** ESD through cross-attention keeps the ring ({value['esd_x', 'neighbour']:.0f} %), through everything else it does not ({value['esd_u', 'neighbour']:.0f} %). EraseDiff is the other way round: {value['erasediff_noxattn', 'neighbour']:.0f} % without cross-attention, {value['erasediff', 'neighbour']:.0f} % with all weights.",
    f"**Fine-tuning forgets nothing**: {value['finetune', 'name']:.0f} % by name.",
    holds=[
        min(value["standard", "name"], value["standard", "neighbour"]) > 90,
        value["selective_amnesia", "name"] < 5 and value["selective_amnesia", "neighbour"] > 85,
        value["neggrad", "others"] < 10,
        value["forget_me_not", "name"] < value["forget_me_not", "synonym"] < 40,
        value["esd_x", "neighbour"] - value["esd_u", "neighbour"] > 20,
        value["erasediff_noxattn", "neighbour"] - value["erasediff", "neighbour"] > 20,
        value["finetune", "name"] > 75,
    ],
)

# %% [markdown]
# ```{exercise} Which words would you forget?
# :label: ex-prompts-words
# Of the five kinds of words, only names are in $D_f$. How would you widen $D_f$ so that a synonym is forgotten too, without a list of synonyms? (Hint: the text encoder puts words with one meaning close together. Measure the distance of `"a red disc"` to the other captions in the table of embeddings.)
# ```

# %% [markdown] tags=["solution"]
# ````{solution-start} ex-prompts-words
# :class: dropdown
# ````

# %% tags=["solution"]
from paperlib.data.captions import tokens

texts = [caption(label, "red", kind) for kind in KINDS] + ["a red ring", "a blue disc"]
with torch.no_grad():
    z = captioned.load().net.text(tokens(texts)).mean(1)
pd.Series(
    torch.cosine_similarity(z[:1], z).numpy(), index=texts, name="cosine with the name"
).round(2)

# %% [markdown] tags=["solution"]
# Neighbours in the space of embeddings can be drawn as points of their own: add noise to the embedding of the name, or take the prompts whose images the *given* model draws alike. Either way the borderline is the one between a disc and a ring, and what is beyond it is lost by the same stroke.
#
# ````{solution-end}
# ````

# %% [markdown]
# ## This run

# %% tags=["hide-output"]
page.this_run()
