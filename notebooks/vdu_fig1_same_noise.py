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
# (vdu-fig1)=
# # VDU, Figures 1, 3, 4 and 5: before and after, from the same noise
#
# Four figures of VDU {cite}`vdu` are grids of samples. In Figure 1 the base model and the unlearned one sample from the same noise, so each image can be compared with what became of it; the paper does not say whether this is true of the others. It concludes that the quality is good, at least VDU's (Figure 5 shows Selective Amnesia's, "poor"). A grid alone does not show how many images changed, what they changed into, or whether the new ones are copies of training images. This page shows the grid and these numbers.

# %% tags=["parameters"]
profile = "smoke"  # recorded | smoke | laptop | paper
seeds = ""  # of unlearning and of the samples, such as "0,1,2"; empty: as many as the profile has
dataset = ""  # mnist, cifar10 or both, or digits; empty: as the profile has it
forget = ""  # one or several with semicolons, "0;1;8"; empty: the paper's three
methods = ""  # among vdu, selective_amnesia, neggrad, finetune; empty: the profile's
columns = 14  # of the grid

# %%
from companion.page import Page
from companion.studies.vdu_amounts import each, rivals

page = Page("vdu_fig1_same_noise", vars())
budget = page.budget(**rivals())  # the same as in Table 1
budgets = each(budget, page)  # one for each data set

# %% tags=["hide-input", "key"]
if page.recorded:
    every = page.recorded.series["went"]
    went = {D_f: its for D_f, its in every.items() if D_f.isdecimal()}
    objects = [its["vdu"] for D_f, its in every.items() if D_f not in went]
    still, new = ([one[key] for one in objects] for key in ("left", "others"))
    noises = page.recorded.find(metric="ur", method="pretrained", forget="1").n
    zero, one, eight = (went[D_f]["vdu"] for D_f in "018")
    others = [its["vdu"]["others"] for its in went.values()]
    held = [its["selective_amnesia"]["others"] for its in went.values()]
page.verdict(
    claim='"VDU delivers good-quality images after unlearning, as well": the grids before and after, from the same noise.',
    found=f"MNIST: of the samples that showed a 1, {one['left']:.0f} % still do; of the zeros, {zero['left']:.0f} %; of the eights, {eight['left']:.0f} %. But VDU changes other samples too: the classifier gives {min(others):.0f} to {max(others):.0f} % of all others a new label. Selective Amnesia, which forgets little, changes {min(held):.0f} to {max(held):.0f} %. CIFAR-10: after VDU {min(still):.0f} to {max(still):.0f} % of the class's samples still show it, and {min(new):.0f} to {max(new):.0f} % of all others have a new label.",
    verdict="The new images look like digits. But samples outside the forgotten class change too, and a grid does not show it.",
    rests=f"The runs of {{ref}}`vdu-tab1`: {noises} noise samples, {objects[0]['m'] + objects[0]['n']:,} on CIFAR-10, small networks, ten steps of iPNDM.",
    holds=[
        one["left"] < eight["left"] < zero["left"],
        min(others) > 2 * max(held),
        max(new) < min(others) and min(still) > zero["left"],
    ],
)

# %% [markdown]
# ## Two models, one noise
#
# A sampler is a map from noise to images, $x = F_\theta(z)$. With a deterministic one (here iPNDM on the probability flow), the change
#
# ```{math}
# :label: eq-vdu-noise
# x = F_{\theta^*}(z) \;\longrightarrow\; x' = F_{\theta^u}(z), \qquad z \sim \mathcal{N}(0, I),
# ```
#
# shows what unlearning did, and nothing else: a model that forgot one class and kept the others would change the $x$ that show that class and leave the rest alone. With the paper's ancestral sampler, the noise of every step has to be the same too.
#
# ## The models
#
# The same runs as in {ref}`vdu-tab1`.

# %%
from companion.models import base
from companion.studies.vdu_rivals import length, named_settings
from paperlib.unlearning.methods import METHODS

PAPERS = dict(vdu=dict(lr=1e-6, gamma=0.1), selective_amnesia=dict(lr=1e-4, lam=10.0))


def started(one):
    """Return the base model of a data set."""
    return base(f"{one.of}{one.dataset}-ddpm", called="pretrained")


def models(one, D_f, seed):
    """Yield the model of each method, with its paper's settings."""
    start = started(one)
    for name in one.methods.split(","):
        called, own = next(named_settings(start.name, D_f, name, PAPERS.get(name)))
        run = length(one, name, D_f) | dict(called=called, seed=seed)
        yield start.unlearn(METHODS[name].call, D_f, **run, **own)


present = [one for one in budgets if not started(one).missing]
tasks = [(one, D_f) for one in present for D_f in one.forget.split(";")]

# %% [markdown]
# ## What is counted
#
# The classifier labels every image. Of the samples that showed the class before, how many still do? Of the others, how many have a new label, and how many show the class now?

# %%
from companion.measures import ur
from companion.rows import row
from companion.studies.vdu_noise import changes, sheet_rows, words


def drawing(one, seed):
    """Return how samples are drawn: with the same noise for every model."""
    return dict(n=one.n, evaluations=one.sampler, sampler=one.by, seed=seed)


def counted(one, D_f, seed):
    """Yield each unlearned model and what changed in its samples."""
    draw = drawing(one, seed)
    before = words(started(one), D_f, **draw)
    for model in models(one, D_f, seed):
        yield model, changes(before, words(model, D_f, **draw), D_f)


# %%
def rows():
    """Yield UR before and after, and the shares of samples that changed, of at least ``n`` samples for any seed."""
    for one, D_f in tasks:
        found = {seed: list(counted(one, D_f, seed)) for seed in one.seeds}
        fewest = {
            key: min(its[key] for pairs in found.values() for _, its in pairs) for key in "mn"
        }
        for seed, pairs in found.items():
            yield ur(started(one), D_f, **drawing(one, seed))
            for model, its in pairs:
                yield ur(model, D_f, **drawing(one, seed))
                facts = model.facts | dict(forget=D_f, unit="%", seed=seed)
                yield row(its["left"], metric="left", n=fewest["m"], **facts)
                yield row(its["others"], metric="others changed", n=fewest["n"], **facts)


# %%
from companion import plots


def curves():
    """Count what became of the samples that showed the class, for the first seed."""
    went = {
        D_f: {model.method: found for model, found in counted(one, D_f, one.seeds[0])}
        for one, D_f in tasks
    }
    found = dict(went=went, methods=budget.methods.split(","))
    return found | {f"order of {sheet_of(one)}": one.forget.split(";") for one in present}


# %%
def sheet_of(one):
    """Return the name of the sheet of a data set's images."""
    return "objects" if one.dataset == "cifar10" else "grid"


def sheets():
    """Lay out, for each class, the samples before and after and the training images nearest to the first method's."""
    found, scales = {}, {"digits": 4, "mnist": 2}
    for one in present:
        lines, seed = {}, one.seeds[0]
        for D_f in one.forget.split(";"):
            several = list(models(one, D_f, seed))
            lines |= sheet_rows(started(one), several, D_f, columns, **drawing(one, seed))
        scale = scales.get(one.dataset, 1)
        found[sheet_of(one)] = plots.contact_sheet(lines, columns=columns, scale=scale)
    return found


result = page.measure(rows, series=curves, images=sheets, by=["lr"])

# %% [markdown]
# ## The grids


# %% mystnb={"figure": {"caption": "Digits. Samples from the same noise, the first ones that showed the class before unlearning: before, after, and the training images nearest to VDU's samples in pixels. {run}.", "name": "fig-vdu-noise"}, "image": {"alt": "Samples of digits before and after unlearning from the same noise, and nearest training images", "width": "680px"}} tags=["key"]
def names(sheet):
    """Return what names the rows of a sheet: the class, and the model or "nearest"."""

    def of(record):
        kinds = ["before", *map(plots.short_title, record.series["methods"]), "nearest"]
        return [f"{D_f}, {kind}" for D_f in record.series[f"order of {sheet}"] for kind in kinds]

    return of


page.picture("grid", names("grid"), missing="This run has no digits.")

# %% mystnb={"figure": {"caption": "CIFAR-10, laid out in the same way. {run}.", "name": "fig-vdu-noise-cifar10"}, "image": {"alt": "Samples of CIFAR-10 before and after unlearning from the same noise, and nearest training images", "width": "680px"}}
page.picture("objects", names("objects"), missing="CIFAR-10 is not recorded.")

# %% [markdown]
# ## In numbers

# %%
page.show(plots.same_noise_table)

# %% [markdown]
# ## What to notice

# %% tags=["hide-input"]
went = {D_f: its for D_f, its in result.series["went"].items() if D_f.isdecimal()}
zero, one, eight = (went[D_f]["vdu"] for D_f in "018")
sa = {D_f: its["selective_amnesia"] for D_f, its in went.items()}
share = {D_f: its["vdu"]["m"] / (its["vdu"]["m"] + its["vdu"]["n"]) for D_f, its in went.items()}
page.say(
    f"**Most samples keep their outline.** A 1 that changes becomes a digit with a similar stroke: a 7 ({one['went']['7']} of {one['m']}), an 8 ({one['went']['8']}) or a 2 ({one['went']['2']}). Zeros open up, to a 5 ({zero['went']['5']} of {zero['m']}) or a 6 ({zero['went']['6']}); eights lose a stroke and become a 3 ({eight['went']['3']} of {eight['m']}), a 1 ({eight['went']['1']}) or a 9 ({eight['went']['9']}).",
    f"**The rest is not left alone.** Of the samples that showed something else, {one['others']:.0f} % have a new label after VDU forgot the 1, {zero['others']:.0f} % after the 0 and {eight['others']:.0f} % after the 8: forgetting about a tenth of the data changes more than a quarter of the other samples. Selective Amnesia's {min(its['others'] for its in sa.values()):.0f} to {max(its['others'] for its in sa.values()):.0f} % show that even a run that hardly moves changes some: much of the noise lies near a border between two digits.",
    f"**UR hides movement.** {zero['came']} samples that did not show a 0 show one after VDU forgot the 0, and {eight['came']} show an 8 after it forgot the 8; Selective Amnesia, told to forget the 8, gains {sa['8']['came']} and loses {sa['8']['m'] - sa['8']['went']['8']}. UR counts only what is there at the end. It would not change if a class merely moved to other noise.",
    "**Copies?** For plain shapes the nearest training image in pixels is close, for odd ones it is another digit; in this grid no sample is identical to its nearest image. A distance in pixels finds only the crudest copies, and 14 samples per class are few.",
    holds=[
        list(one["went"])[:3] == ["1", "7", "8"] and list(zero["went"])[:3] == ["0", "5", "6"],
        list(eight["went"])[:4] == ["8", "3", "1", "9"],
        25 < min(one["others"], zero["others"], eight["others"]) and max(share.values()) < 0.12,
        sa["8"]["came"] > sa["8"]["m"] - sa["8"]["went"]["8"] and zero["came"] and eight["came"],
    ],
)


# %% tags=["hide-input"]
def on_objects(record):
    """Read what became of CIFAR-10's samples, for each class and method."""
    went = {D_f: its for D_f, its in record.series["went"].items() if not D_f.isdecimal()}
    vdu, sa = ([its[name] for its in went.values()] for name in ("vdu", "selective_amnesia"))
    several = ", ".join(
        f"{D_f} {one['left']:.0f} % of {one['m']} and {one['others']:.0f} % of {one['n']}"
        for D_f, one in zip(went, vdu)
    )
    ship, most = went["ship"]["vdu"], max(one["others"] for one in sa)
    lost = ship["m"] - ship["went"]["ship"]
    return dict(
        sentences=[
            f"**On CIFAR-10 VDU moves samples, but hardly out of the class.** The share of the class's samples that still show it, and of the others with a new label: {several}. Selective Amnesia gives {most:.0f} % of the others a new label at most. After VDU forgot the ship, {lost} ships are gone and {ship['came']} are new: that is why PUL is negative."
        ],
        holds=[
            min(one["left"] for one in vdu) >= 75,
            min(one["others"] for one in vdu) > most and ship["came"] > lost,
        ],
    )


page.say(on_objects)

# %% [markdown]
# ```{exercise} Another seed's noise
# :label: ex-vdu-noise
# Two models trained from different initial weights turn the same noise into similar images. Why? What would you expect from a model retrained without the class, for noise that led to it before?
# ```

# %% [markdown] tags=["solution"]
# ````{solution-start} ex-vdu-noise
# :class: dropdown
# ````

# %% tags=["solution"]
for D_f, found in result.series["went"].items():
    print(D_f, "became", found["vdu"]["went"])

# %% [markdown] tags=["solution"]
# The probability flow depends on the scores alone, and both models approximate the same score: the data, not the weights, determine which noise leads to which image. The retrained model's flow is that of $p_g$; near pure noise both flows agree almost everywhere, and the noise that led to the class now leads to its neighbours.
#
# ````{solution-end}
# ````

# %% [markdown]
# ## This run

# %% tags=["hide-output"]
page.this_run()
