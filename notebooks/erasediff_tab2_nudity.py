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
# (erasediff-tab2)=
# # EraseDiff, Table 2 and Figures 3, 6, 12 and 13: nudity, counted
#
# EraseDiff {cite}`erasediff` makes Stable Diffusion 1.4 forget nudity, given by four prompts. Table 2 measures what is left of everything else, by FID and CLIP score over 30,000 COCO prompts; Figures 3 and 6 show how many exposed body parts NudeNet counts, as percentages of the base model's; Figures 12 and 13 show images for COCO's prompts. This page counts nudity and shows none: its only images are of harmless prompts. Stable Diffusion's weights are not part of this book: `PROFILE=paper` runs the table where they are available.

# %% tags=["parameters"]
profile = "smoke"  # recorded | smoke | laptop | paper
seeds = ""  # such as "0,1,2"; empty: as many as the profile has
model = "CompVis/stable-diffusion-v1-4"  # kept by huggingface_hub, or a folder in diffusers' layout
methods = "erasediff"  # all | standard, esd, selective_amnesia, salun, erasediff, erasediff_wc
reference = ""  # a .npz of pytorch-fid: COCO's validation images
save = ""  # a folder: the last pipeline in diffusers' layout

# %%
from companion.page import Page
from companion.studies import latent_nudity

page = Page("erasediff_tab2_nudity", vars())
budget = page.budget(**latent_nudity.BUDGETS)
chosen = page.chosen("methods", latent_nudity.METHODS)
if page.computes and budget.updates:
    latent_nudity.need(page.profile, model, reference, vars(budget))

# %% tags=["hide-input", "key"]
run = dict(trains="noxattn", batch_size=16)
trained, memory, hours = (
    page.recorded.find(metric=metric, **run).value if page.recorded else 0.0
    for metric in ("weights", "memory", "hours")
)
page.verdict(
    claim='Nudity is erased at an FID of 17.01 and a CLIP score of 30.58, where SalUn has 25.06 and 28.91; "our method only fine-tuned the unconditional (non-cross-attention) layers".',
    found=f'No cell of the table was run here. "Only" is {100 * trained / 859_520_964:.0f} % of the weights. The whole procedure is rehearsed at a tiny size; with the real weights it needs about {memory:.0f} GiB and {hours:.0f} hours for each method, nearly all of them for the 36,503 images.',
    verdict="*Open*. The table has no row for the base model, so it does not show what forgetting cost.",
    rests="Stable Diffusion's architecture, counted without its weights.",
    holds=[0.9 < trained / 859_520_964 < 0.97, hours > 3],
)

# %% [markdown]
# ## What is trained
#
# "Our method only fine-tuned the unconditional (non-cross-attention) layers" (Section 8). In ESD's {cite}`esd` names for these choices, that is `noxattn`: everything except the cross-attention, time and output layers. The architecture shows how much of Stable Diffusion that is:

# %%
import pandas as pd

from paperlib.latent.cost import architecture, counts

weights = pd.Series(counts(architecture()), name="weights")
pd.DataFrame({"weights": weights, "percent": (100 * weights / weights["full"]).round(1)})

# %% [markdown]
# ## What a percentage of a count says
#
# Figure 3 prints changes of counts in percent. A count of $k$ has a Poisson interval: if $\mu$ are expected, the chance of seeing none is $e^{-\mu}$, so a count of zero is compatible with an expectation of up to 3.7. What "-100 %" means then depends on how many the base model had:

# %%
from paperlib.metrics.nudenet import poisson_interval


def change(before, after):
    """Format the change in percent, with the interval from the count after alone."""
    low, high = poisson_interval(after)
    return f"{100 * (after / before - 1):+.0f} [{100 * (low / before - 1):+.0f}, {100 * (high / before - 1):+.0f}]"


pd.DataFrame(
    {
        f"{before} before": {f"{after} after": change(before, after) for after in (0, 2, 5)}
        for before in (10, 50, 400)
    }
)

# %% [markdown]
# ## Prompts
#
# The public sets are read from `prompts/` in the data folder, or from any CSV file with a column `prompt`. A line that cannot be read, such as an empty prompt, raises an error with its line number; nothing is skipped silently.

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

from paperlib.latent.prompts import NUDITY, read_prompts

with TemporaryDirectory() as folder:
    file = Path(folder) / "mine.csv"
    file.write_text("prompt,evaluation_seed\na house,1\n'a garden, in May',2\n".replace("'", '"'))
    prompts = read_prompts(file)
prompts

# %% [markdown]
# ## The run
#
# $D_f$ are images that the model itself generates from the four prompts, $D_r$ images of *a person wearing clothes*. The target in place of $\epsilon$ is the model's prediction under another prompt, *a photo of pokemon*, or in EraseDiff$_{wc}$ the prompt of $D_r$:

# %%
from paperlib.latent.pipeline import denoiser
from paperlib.latent.tiny import tiny_pipeline
from paperlib.nets.parameters import train_only

tiny = denoiser(
    tiny_pipeline(), latent_nudity.PROMPTS
)  # Stable Diffusion's classes with random weights
train_only(tiny, "noxattn"), tiny.net.classes, list(NUDITY)

# %%
from companion.studies.latent_costs import costs

pairs = {}  # by method, images of COCO's first prompts before and after, from the first seed


def rows():
    """Yield what a run costs and, if there is a pipeline, the table's cells and the counts."""
    for seed in page.seeds:
        drawn = dict(images=30_000 + 4_703 + 1_000 + 800, evaluations=50)
        yield from costs(updates=latent_nudity.UPDATES, batch=16, passes=4, **drawn)
        if budget.updates:
            settings = dict(reference=reference, save=save, seed=seed, pairs=pairs)
            yield from latent_nudity.nudity_rows(
                page.profile, model, chosen, vars(budget), **settings
            )


# %%
from companion import plots
from companion.studies import latent_grids


def sheets():
    """Lay out each method's grid, small enough for a record."""
    return {
        name: plots.before_and_after(pair.before, pair.after, columns=len(pair.prompts), side=96)
        for name, pair in latent_nudity.grids(page.profile, pairs).items()
    }


result = page.measure(
    rows,
    images=sheets,
    series=lambda: latent_grids.columns(latent_nudity.grids(page.profile, pairs)),
    tables=["erasediff.tab2", "erasediff.text_wc"],
    missing=latent_nudity.missing,
    by=["trains", "batch_size", "threshold"],
)

# %% [markdown]
# ## What a run costs
#
# As in {ref}`erasediff-tab3`. Nearly all of the hours go into generating the 36,503 images, not into forgetting.

# %% tags=["key"]
page.show(plots.latent_cost_table)

# %% [markdown]
# ## The table

# %%
page.compare("erasediff.tab2", "erasediff.text_wc")

# %% [markdown]
# ## The images: Figures 12 and 13
#
# The grid shows what is kept: images for the first of COCO's prompts, before and after forgetting, from the same noise. A prompt is left out if NudeNet finds anything exposed in any of its images, at the lowest threshold. Images for the prompts of I2P and of nudity (Figures 1, 4 and 7 to 11) are not shown, because these prompts are there to provoke what this page only counts.

# %% mystnb={"image": {"alt": "Images for COCO's prompts before and after nudity was forgotten, from the same noise", "width": "720px"}}
latent_grids.show(page, [name for name in chosen if name != "standard"], lines=1)

# %% [markdown]
# ## What to notice

# %% tags=["hide-input"]
costs_of = {
    metric: result.find(metric=metric, trains="noxattn", batch_size=16).value
    for metric in ("memory", "hours")
}
most = poisson_interval(0)[1]
page.say(
    "**The table has no base model.** Without Stable Diffusion's own FID and CLIP score, 17.01 and 30.58 show which method is ahead, but not what forgetting cost.",
    "**The two measures disagree.** Selective Amnesia has the best CLIP score (31.03) and the worst FID (25.58). An FID over 30,000 prompts sees whether images look alike or odd, a CLIP score whether they show the prompt.",
    "**The substitute for nudity matters, too.** With *a person wearing clothes* in place of *a photo of pokemon*, EraseDiff's FID is 19.55 instead of 17.01, a larger gap than to ESD, another method.",
    f'**"-100 %" does not mean that nothing is left.** Seeing none where there were 10 is compatible with up to {10 * most:.0f} %, seeing none of 400 with up to {most / 4:.1f} %. Figure 3 prints the base model\'s counts; the intervals above show how much each bar can support.',
    f"**This does not run on a laptop.** It needs about {costs_of['memory']:.0f} GiB for all but the cross-attention layers in batches of 16, and {costs_of['hours']:.0f} hours on a card with 165 TFLOP/s at 40 %. Forgetting takes minutes of that.",
    holds=[costs_of["memory"] > 24, costs_of["hours"] > 3],
)

# %% [markdown]
# ```{exercise} How many images?
# :label: ex-tab2-counts
# The base model has 40 detections in 1,000 images, of which NudeNet would report 5 on harmless pictures too. A method leaves 8. Give an interval for the share of true detections that it removed.
# ```

# %% [markdown] tags=["solution"]
# ````{solution-start} ex-tab2-counts
# :class: dropdown
# ````

# %% tags=["solution"]
low, high = poisson_interval(8)
[round(100 * (1 - max(after - 5, 0) / (40 - 5))) for after in (high, 8, low)]

# %% [markdown] tags=["solution"]
# Some 91 % of the true ones, between 69 and 100, and this treats the 40 and the 5 as known.
#
# ````{solution-end}
# ````

# %% [markdown]
# ## This run

# %% tags=["hide-output"]
page.this_run()
