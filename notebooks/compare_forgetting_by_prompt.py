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
# In text-to-image models a class is forgotten by the words that name it. EraseDiff {cite}`erasediff`, SalUn {cite}`fan2024` and ESD {cite}`esd` show that Stable Diffusion no longer generates a tench when it is asked for *an image of a tench*. Such a table does not show whether the model has forgotten the fish or the word. This page uses a text-to-image model small enough to find out: it generates ten shapes in six colours, from captions in five kinds of words.

# %% tags=["parameters"]
profile = "smoke"  # recorded | smoke | laptop | paper
seeds = ""  # such as "0,1,2"; empty: as many as the profile has
forget = "disc"  # a class of the shapes, forgotten by its name
methods = "all"  # all | some of the table's rows, with commas between
gradients = 0  # gradient evaluations of each run; 0: as many as the profile has

# %%
from companion.page import Page
from companion.studies.latent_entrants import METHODS, SMALL
from paperlib.data.shapes import CLASSES

page = Page("compare_forgetting_by_prompt", vars())
budget = page.budget(
    smoke=dict(gradients=4, batch_size=4, n=4, evaluations=2, own=SMALL),
    laptop=dict(gradients=48, batch_size=16, n=24, evaluations=8, seeds=3, own={}),  # the search's
    paper=dict(gradients=48, batch_size=16, n=300, evaluations=20, seeds=3, own={}),  # none has it
)
chosen = page.chosen("methods", METHODS)

# %% tags=["hide-input", "key"]
from companion.studies.latent_search import committed, word_gap

search = committed(forget)
every = page.recorded.all(metric="shown") if page.recorded else []
shown = {(one.method, one.protocol["test"]): one.value for one in every}
per_seed = {(one.method, one.protocol["test"]): one.per_seed for one in every}
gap, amnesia = word_gap(shown), per_seed.get(("selective_amnesia", "name"), [0])
esd = {what: shown.get(("esd_x", what), 0) for what in ("name", "neighbour", "others")}
page.verdict(
    claim="Text-to-image models forget a class by the prompts that name it, and keep the others.",
    found=f"With rates searched with equal effort, ESD through cross-attention (ESD-x) leaves {esd['name']:.0f} % of the discs and keeps {esd['neighbour']:.0f} % of the rings and {esd['others']:.0f} % of the rest. No method forgets only the word: under synonyms, paraphrases, German and French together a disc is left as often as under its name, to within {gap:.1f} points.",
    verdict="If the text encoder places words of the same meaning close together, forgetting by name is forgetting by meaning. That the classifier no longer says *disc* does not mean that the disc is gone: see the pictures.",
    rests=f"A small model, 24 images per share and seed. Four rates per method, chosen on a different seed: the one for Selective Amnesia leaves between {min(amnesia):.0f} and {max(amnesia):.0f} % here.",
    holds=[esd["name"] < 2 and esd["neighbour"] > 90, gap < 5, max(amnesia) - min(amnesia) > 30],
)

# %% [markdown]
# ## The model, and its words
#
# A text encoder of 0.2 million weights was first trained to predict class and colour from captions, and then frozen; after that a U-Net of 0.7 million learned the images, with the caption entering through cross-attention, as in Stable Diffusion. Each time a training image was used its caption was sampled anew: the name of its class, a synonym, a paraphrase, German or French.

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
# ESD-x trains the cross-attention layers; ESD-u, and EraseDiff for nudity, train everything except the cross-attention, time and output layers. The others train all weights.

# %%
import pandas as pd

from paperlib.nets.parameters import train_only

pd.Series(
    {which: train_only(model, which) for which in ("full", "noxattn", "xattn")}, name="weights"
)

# %% [markdown]
# ## Which rates
#
# Every run has 48 gradient evaluations of 16 images: 48 updates for ESD, 24 for SalUn, whose update takes two, and 12 for EraseDiff, whose update takes four. The rate is **searched with equal effort**: four for each method, a factor of two apart (NegGrad's are lower, since its loss has no bound), each a whole run. The search asks for *a disc*, *a ring*, without the colours of this page, with other noise, and compares with images that no model has seen; the book's rule chooses ({py:mod}`companion.studies.latent_search`). **Nothing else was searched**: the weights of losses, $\eta$, $\lambda$ and the choice of layers come from papers and codes, or are ours where these are for other sizes.

# %%
from companion import plots
from companion.studies.latent_search import committed

found = committed(forget)
plots.prompts_search_table(found) if found else "not searched"

# %% [markdown]
# As an example, here is one run by the equations: Forget-Me-Not lowers the cross-attention at the word, $L = \sum_l \overline{|A_l[:, S]|^2}$.

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
# All models sample with guidance from the same noise, and the classifier of the shapes labels the images. A row is the share of images that show what was asked.

# %%
from companion.studies.latent_prompts import rows_of
from companion.studies.latent_search import asked, settings_of

facts = dict(dataset="captioned", process="vp", forget=forget, checkpoint=captioned.NAME)
amounts = dict(gradients=budget.gradients, batch_size=budget.batch_size)


def run_of(name, seed):
    """Return a method's run, with the rate that the search found."""
    settings = settings_of(name, forget) | budget.own.get(name, {})
    return asked(name, forget, settings=settings, seed=seed, **amounts)


def rows():
    """Test every method, asked for the class in each kind of words and for the rest by name."""
    for seed in page.seeds:
        for name in chosen:
            looks = dict(n=budget.n, evaluations=budget.evaluations)
            own = facts | dict(sampler="iPNDM")
            yield from rows_of(page.store, run_of(name, seed), **looks, facts=own)


# %%
from companion.claims.names import method_title
from companion.studies.latent_prompts import asked_prompts, drawn


def sheets():
    """Lay out each method's first four images by name, by synonym, in German, and of the neighbour."""
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
# ## Results

# %% mystnb={"figure": {"caption": "For each method the share of images that still show the forgotten class when it is asked for by the forgotten name (dot) and by other words (bars), and the share that show the kept classes (squares). {run}.", "name": "fig-prompts-plane"}, "image": {"alt": "Share of images that show what was asked, by method and kind of words", "width": "680px"}} tags=["key"]
page.figure(plots.prompts_plane)

# %%
page.show(plots.prompts_table)


# %% mystnb={"figure": {"caption": "First images, not selected: four asked for by name, four by a synonym, four in German, four of the neighbour. {run}.", "name": "fig-prompts-drawn"}, "image": {"alt": "Images drawn by every method under four kinds of prompts", "width": "680px"}}
def names(record):
    """Name the rows of the sheet."""
    methods = dict.fromkeys(one.method for one in record.all(metric="shown"))
    return [method_title(method) for method in methods]


page.picture("drawn", names)

# %% [markdown]
# ## What to notice

# %% tags=["hide-input"]
value = {(one.method, one.protocol["test"]): one.value for one in result.all(metric="shown")}
name, ring = ({m: v for (m, what), v in value.items() if what == w} for w in ("name", "neighbour"))
best = {m: search.best(m).score for m in search.entrants}
page.say(
    f"**The model knows its words.** Before forgetting, {name['standard']:.0f} % of the images asked for by name show a disc, and {value['standard', 'german']:.0f} % in German; {ring['standard']:.0f} % of the rings are rings.",
    f"**Other words leak nothing here.** No method has seen a synonym, a paraphrase, German or French, yet each forgets them as it forgets the name. Forget-Me-Not, which lowers attention at the word's position, leaves {name['forget_me_not']:.0f} % by name and {value['forget_me_not', 'french']:.0f} % in French, which is no difference with three seeds.",
    f"**Training cross-attention or not is a choice about the neighbour.** ESD through cross-attention keeps the ring ({ring['esd_x']:.0f} %); through everything else it keeps {ring['esd_u']:.0f} %, with as little left of the disc.",
    f"**The search may have failed a method.** EraseDiff's best scores, {best['erasediff']:.2f} and {best['erasediff_noxattn']:.2f}, are above 1: none of its four rates forgets and keeps. It has 12 updates where ESD has 48. For both ESDs the lowest rate was the best, so a lower one may be better still.",
    f"**One seed does not choose well.** Selective Amnesia's rate left 10 % in the search, and leaves {name['selective_amnesia']:.0f} % in the mean of three seeds.",
    f"**NegGrad and fine-tuning hardly forget** at the rates that keep most ({name['neggrad']:.0f} and {name['finetune']:.0f} % left): the one pushes away without preserving the rest, the other preserves without pushing.",
    "**A share of 0 % can mean many things.** In the pictures ESD-x leaves pieces of an arc, ESD-u other shapes in other colours than asked, and Forget-Me-Not squares.",
    holds=[
        min(name["standard"], ring["standard"]) > 90,
        word_gap(value) < 5 and abs(value["forget_me_not", "french"] - name["forget_me_not"]) < 10,
        ring["esd_x"] - ring["esd_u"] > 10 and max(name["esd_x"], name["esd_u"]) < 2,
        min(best["erasediff"], best["erasediff_noxattn"]) > 1
        and all(search.best(m) == search.of(m)[0] for m in ("esd_x", "esd_u")),
        name["selective_amnesia"] > 25 and round(search.best("selective_amnesia").ur) == 10,
        min(name["neggrad"], name["finetune"]) > 60,
    ],
)

# %% [markdown]
# ```{exercise} Which words would you forget?
# :label: ex-prompts-words
# Of the five kinds of words, only names are in $D_f$. How would you extend $D_f$ so that a synonym is forgotten too, without a list of synonyms? (Hint: the text encoder puts words of the same meaning close together. Measure the distance of `"a red disc"` to the other captions in the table of embeddings.)
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
# Neighbours in the embedding space can be sampled as points of their own: add noise to the embedding of the name, or take the prompts for which the *base* model generates similar images. Either way the boundary is the one between a disc and a ring, and whatever lies on the wrong side is lost as well.
#
# ````{solution-end}
# ````

# %% [markdown]
# ## This run

# %% tags=["hide-output"]
page.this_run()
