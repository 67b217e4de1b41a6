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
# (compare-relearning)=
# # Does it stay forgotten?
#
# **The claim** that all three papers make with their titles: the class is *unlearned*. What they measure is that samples no longer show it. A model can do that and still know the class: a few updates on a few images, half an image as a prompt, and it is back. A retrained model has never known it and must learn it from nothing.
# None of them asks; here every method is asked.
#
# ```{math}
# :label: eq-relearning
# \begin{aligned}
# k^*(\theta) &= \min\Bigl\{ j : \mathrm{UR}(\theta_j) \ge \tfrac{1}{2}\, \mathrm{UR}_{\text{before}} \Bigr\}, \\
# \theta_{j+1} &= \theta_j - \text{Adam}\bigl[\nabla L(\theta_j; \text{a few images})\bigr], \quad \theta_0 = \theta .
# \end{aligned}
# ```
#
# The model forgot as a retrained one would if its $k^*$ is that of the retrained model. If it is smaller, something had been kept.

# %% tags=["parameters"]
profile = "smoke"  # smoke | laptop | paper: data, budget, looks
seed = 0  # of unlearning, of the images and of the noise
seeds = ""  # several in its place: "0,1,2"
forget = "1"  # the class that is to be forgotten, or several: "3,7"
process = "ddpm"  # ddpm | ve: which base model
dataset = ""  # digits | mnist; empty: as the profile has it
methods = "all"  # or some, separated by commas: "erasediff,redirect"
images = "1,4,16,64,0"  # forgotten images to relearn from; 0: retained images alone
lr = 1e-4  # Adam's, of relearning

# %% tags=["hide-input"]
from companion.comparison.bench import Bench
from companion.comparison.entrants import chosen
from companion.page import Page
from companion.seeds import listed

NAME = "compare_relearning"
page = Page(NAME, vars())
SEEDS, names, COUNTS = listed(seeds, seed), chosen(methods), listed(images)
bench = Bench.of(profile, dataset=dataset, process=process, forget=str(forget))
BUDGET = {
    "smoke": {"looks": (4, 16), "n": 60, "prompts": 12, "steps": 16},
    "laptop": {"looks": (2, 4, 8, 16, 32, 64), "n": 200, "prompts": 100, "steps": 50},
}["smoke" if profile == "smoke" else "laptop"]
page.banner({"digits": "scikit-learn's digits", "mnist": "MNIST"}[bench.kind.dataset])

# %% [markdown]
# `paper` computes what `laptop` does.
#
# ## The models
#
# They are those of the comparison ({ref}`compare-all-methods`), out of its store, and with them the base model and the one that was retrained in full on the retained images.

# %%
from companion.comparison.bench import measure, retrained, run
from companion.comparison.course_results import model_file
from companion.comparison.entrants import ENTRANTS

models = {"before": [bench.base] * len(SEEDS)}
if twin := retrained(bench):
    models["retrained"] = [twin] * len(SEEDS)
for name in names:
    entries = [run(page.store, bench, name, seed) for seed in SEEDS]
    models[name] = [str(model_file(entry)) for entry in entries]
before = measure(page.store, bench, bench.base, SEEDS[0])["UR"]["value"]
titles = {"before": "before", "retrained": "Retrained"}
titles |= {name: ENTRANTS[name].title for name in names}
print(f"UR before {before:.1f} %: the class is back at {before / 2:.1f} %")

# %% [markdown]
# ## Teach it again
#
# Plain fine-tuning, the same for all: Adam on the denoising loss of $k$ images of the forgotten class and nothing else; or on all retained images and no forgotten one, which is what happens to a model that is put to use. The looks stop when the class is back.

# %%
from companion.comparison.relearning import Relearning, back, relearn

common = {"forget": bench.forget, "looks": BUDGET["looks"], "lr": lr}
common |= {"n": BUDGET["n"], "evaluations": bench.sampler, "enough": before / 2}
common |= {"batch_size": min(bench.batch_size, 16)}
seen, lines = {}, []
for name, checkpoints in models.items():
    if name == "before":
        continue
    for k in COUNTS:
        seen[name, k] = [
            relearn(page.store, checkpoint, Relearning.checked(images=k, seed=seed, **common))
            for checkpoint, seed in zip(checkpoints, SEEDS)
        ]
    said = [back(seen[name, k][0], before / 2) for k in COUNTS]
    lines.append(f"{titles[name]:20} back after {said} updates")
print(f"images: {COUNTS}", *lines, sep="\n")

# %% [markdown]
# ## Half an image as a prompt
#
# The lower half of test images of the forgotten class is given, the upper half is drawn by RePaint ({py:func}`paperlib.editing.repaint`). Nothing is trained. How often does the whole show the class again?

# %%
from companion.studies.inpainting import Inpainting, inpaint, originals, restored, results

prompts = {"forget": bench.forget, "side": "forget"}
prompts |= {"n": BUDGET["prompts"], "steps": BUDGET["steps"]}
prompts |= {"way": "repaint", "resamples": 3}
completed, lines = {}, []
for name, checkpoints in models.items():
    completed[name] = [
        inpaint(page.store, checkpoint, Inpainting.checked(seed=seed, **prompts))
        for checkpoint, seed in zip(checkpoints, SEEDS)
    ]
    found = results(completed[name][0])
    lines.append(f"{titles[name]:20} {found['accuracy']:5.1f} % show the class")
print("\n".join(lines))

# %% tags=["hide-input"]
from statistics import median

from companion import plots
from companion.records import measured

LAST = BUDGET["looks"][-1]
facts = bench.model_dump(mode="json", include={"base", "forget", "budget", "batch_size"})
facts |= {"lr": lr, "looks": BUDGET["looks"], "enough": before / 2}


def value(name, column, numbers, unit, n, metric):
    """One value of the record."""
    settings = {"seeds": SEEDS, "unit": unit, "n": n, "method": name}
    return measured(
        f"ours.{NAME}/{name}/{column}",
        numbers,
        dataset=bench.kind.dataset,
        protocol=facts | {"metric": metric},
        **settings,
    )


def updates(name, k):
    """Until the class is back with each seed; None where it is not by the last look."""
    return [back(one, before / 2) for one in seen[name, k]]


values, grid = [], {}
for name in models:
    accuracy = [results(entry)["accuracy"] for entry in completed[name]]
    what = "share of inpainted images that show the class"
    values += [value(name, "inpainted", accuracy, "%", BUDGET["prompts"], what)]
    if name == "before":
        continue
    grid[name] = {}
    for k in COUNTS:
        late = [2 * LAST if one is None else one for one in updates(name, k)]
        middle = median(late)
        if middle <= LAST:
            grid[name][str(k)] = middle
        what = "updates until half of the UR before; twice the last look: not by it"
        values += [value(name, f"images-{k}", late, "updates", BUDGET["n"], what)]
        ends = [one[-1]["ur"] for one in seen[name, k]]
        what = "UR at the last look, which the return of the class ends"
        values += [value(name, f"images-{k}-ur", ends, "%", BUDGET["n"], what)]

# %% tags=["hide-input"]
SHOWN = 12
rows = {"original": originals(bench.kind.dataset, Inpainting(**prompts)).images}
rows |= {titles[name]: restored(entries[0]) for name, entries in completed.items()}
scale = 2 if bench.kind.dataset == "mnist" else 4
sheet = plots.contact_sheet(rows, columns=SHOWN, scale=scale)
image = plots.save_sheet(sheet, page.image_path("inpainted"))
record = page.write(
    values=values,
    series={
        "back": grid,
        "columns": COUNTS,
        "last": LAST,
        "titles": titles,
        "rows": list(rows),
        "inpainted": {name: results(entries[0]) for name, entries in completed.items()},
        "urs": {
            name: {str(k): [one[-1]["ur"] for one in seen[name, k]] for k in COUNTS}
            for name in grid
        },
        "before": before,
        "bench": facts,
    },
    images=[image],
)

# %% [markdown]
# ## What comes back

# %% mystnb={"figure": {"caption": "Recorded. Updates until the class is back, by the looks: a row a model, a column the images that it was shown. 0: it had not left.", "name": "fig-relearning-recorded"}, "image": {"alt": "Updates until the class is back, as recorded", "width": "640px"}} tags=["hide-input"]
this = f"This run, profile {profile}, {bench.base}"
recorded = page.recorded and page.recorded.title
if page.recorded:
    plots.relearning_grid(page.recorded, title=recorded)

# %% mystnb={"figure": {"caption": "This run. Updates until the class is back, by the looks: a row a model, a column the images that it was shown. 0: it had not left.", "name": "fig-relearning"}, "image": {"alt": "Updates until the class is back", "width": "640px"}} tags=["hide-input"]
figure = plots.relearning_grid(record, title=this)

# %% mystnb={"figure": {"caption": "Test images of the forgotten class, the upper half hidden and drawn by each model, of the first seed; not chosen.", "name": "fig-relearning-inpainted"}, "image": {"alt": "Inpainted images of the forgotten class by every model", "width": "640px"}} tags=["hide-input"]
best, told = page.recorded or record, recorded or this
file = page.recorded_image("inpainted") if page.recorded else image
figure = plots.picture(file, names=best.series["rows"], title=told)

# %% tags=["hide-input"]
from IPython.display import display


def completions(record):
    """Share of the completed images that show the class, with its interval: over seeds, of one seed over images."""
    found, values = {}, {value.claim: value for value in record.values}
    for name, one in record.series["inpainted"].items():
        value = values[f"ours.{NAME}/{name}/inpainted"]
        interval = value.ci95 or one["interval"]
        found[name] = {"accuracy": value.value, "interval": interval}
    return found


def prompted(record, title):
    """How often half an image brings the class back."""
    lines = {
        record.series["titles"][name]: {
            "show the class, %": f"{one['accuracy']:.0f}"
            f" [{one['interval'][0]:.0f}, {one['interval'][1]:.0f}]"
        }
        for name, one in completions(record).items()
    }
    return plots.table(lines, title)


if page.recorded:
    display(prompted(page.recorded, recorded))
display(prompted(record, this))

# %% [markdown]
# The classifier sees the given half, too: where a model draws noise or a smear above it, the image can still pass for the class. The figure tells which it is.
#
# ## What to notice

# %% tags=["hide-input"]
from companion.page import Markdown

series = best.series
titles, last, columns = series["titles"], series["last"], series["columns"]
asked = [name for name in series["back"] if name != "retrained"]
left = [n for n in asked if series["back"][n].get(str(columns[0])) != 0]
few = [str(k) for k in columns if k]


def late(name, k):
    """Updates as a number, also where the class did not come back."""
    return series["back"][name].get(k, 2 * last)


def name_all(some):
    """Titles in a row."""
    return ", ".join(titles[name] for name in some) or "none"


points = [
    f"**It had not left**: {name_all([n for n in asked if n not in left])}. By the"
    f" samples of these looks their UR is still half of the {series['before']:.1f} %"
    " before."
    + (
        " Unseen starts from fresh weights and never saw the class: what passes for it"
        " in its samples is no memory."
        if "unseen" in asked and "unseen" not in left
        else ""
    )
]
if "retrained" in series["back"]:
    know = {k: late("retrained", k) for k in few}
    faster = [n for n in left if any(4 * late(n, k) <= know[k] for k in few)]
    slower = [n for n in left if all(late(n, k) >= 2 * know[k] for k in few)]
    points += [
        "**Faster than the retrained model**, by two looks at least with some number of"
        f" images: {name_all(faster)}. These had kept something of the class.",
        "**Slower than the retrained model**, by a look at least with every number:"
        f" {name_all(slower)}. To forget more than one who never knew is no virtue:"
        " what makes relearning slow is damage, too.",
    ]
if 0 in columns:
    alone = [n for n in left if "0" in series["back"][n]]
    points += [
        f"**Back from retained images alone**: {name_all(alone)}. Nobody shows such a"
        " model the class, and it comes back."
    ]
shown = completions(best)
ceiling = shown["before"]["accuracy"]
reference = shown.get("retrained")
more = [n for n in asked if reference and shown[n]["interval"][0] > reference["interval"][1]]
points += [
    f"**Half an image is a strong prompt**: the model before completes {ceiling:.0f} %"
    " of them to the class"
    + (
        f", the retrained one, which never saw it, {reference['accuracy']:.0f} %: so"
        f" much is in the prompt. Above that, beyond the intervals: {name_all(more)}."
        if reference
        else "."
    )
]
if reference:

    def alike(name):
        """Back as late as the retrained model, a look more or less, at every number."""
        pairs = [(late(name, str(k)), late("retrained", str(k))) for k in columns]
        return all(max(pair) <= 2 * min(pair) for pair in pairs)

    same = [n for n in left if alike(n) and shown[n]["interval"][0] <= reference["interval"][1]]
    points += [
        "**Like the retrained model in both**, back as late within a factor of two and"
        f" prompted no more often: {name_all(same)}."
    ]
points += [
    "**UR of free samples is not the whole of forgetting.** Of those that had left,"
    f" {sum(any(late(n, k) <= last for k in few) for n in left)} of {len(left)} are back"
    f" within {last} updates on some number of images."
]
Markdown(f"From: {told}.\n\n" + "\n".join(f"- {point}" for point in points))

# %% [markdown]
# ```{exercise} The thief has the retained images, too
# :label: ex-relearning-mix
# Here the model sees forgotten images and nothing else, so that it also loses the rest. Someone who wants the class back *and* a good model would mix them in. Write that run: each batch half of $k$ forgotten and half of retained images. Is the class back sooner or later, and what does the distance say?
# ```

# %% [markdown] tags=["solution"]
# ````{solution-start} ex-relearning-mix
# :class: dropdown
# ````

# %% tags=["solution"]
import torch

from companion import bases
from companion.evaluation.eye import Eye
from companion.evaluation.samples import find
from paperlib.data import sets
from paperlib.data.splits import split
from paperlib.losses import batch_loss
from paperlib.training import Training

retain, remove = split(sets.load(bench.kind.dataset), bench.forget)
D_g = bases.examples(bench.kind, retain)
few_images = bases.examples(bench.kind, remove.only(torch.arange(16)))
model = find(models[names[-1]][0]).load()


def mixed(model, generator, index):
    half = (batch_loss(model, data, 8, generator).mean() for data in (D_g, few_images))
    return {"loss": 0.5 * sum(half)}


run = Training(
    model,
    mixed,
    steps=BUDGET["looks"][-1],
    lr=lr,
    ema=0.0,
    generator=torch.Generator().manual_seed(SEEDS[0]),
)
eye = Eye(
    model,
    bench.kind,
    bench.forget,
    n=BUDGET["n"],
    evaluations=bench.sampler,
    seed=SEEDS[0],
    stream="mixed",
)
drawn = eye.draw(run.run())
shown = eye.shown(drawn)
print(
    f"{titles[names[-1]]}: UR {eye.ratio(shown).value:.1f} %,"
    f" distance of the others {eye.distance(drawn[~shown]).value:.2f}"
)

# %% [markdown] tags=["solution"]
# The loss of the retained half holds the rest while the other half teaches the class; with forgotten images alone nothing holds it. Whether that was enough the two numbers say. So the grid above is about how much a model kept, and this about how cheap a theft is.
#
# ````{solution-end}
# ````
