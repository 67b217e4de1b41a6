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
# (sgu-fig3)=
# # SGU, Figure 3: samples before and after
#
# SGU {cite}`sgu` shows what its models generate after forgetting: MNIST without 3 and 7, CelebA without bangs. A grid is persuasive but hides two things: how often the forgotten class still appears, and what happened to everything else. So here every model starts from the *same noise*, no sample is selected, and the counts are given under each grid.

# %% tags=["parameters"]
profile = "smoke"  # recorded | smoke | laptop | paper
seeds = ""  # of unlearning and of the noise, such as "0,1,2"; the grids show the first
dataset = "all"  # all | mnist | cifar10 | stl10 | celeba, or several: rows of Table 2
forget = ""  # classes other than the row's own; needs a single dataset
process = ""  # ve | vp | ddpm instead of the row's own
alpha = 0.0  # weight of L_g; 0: for each loss the one that the search found
variant = "paper"  # paper | code | corrected: the reading of L_f
lr = 2e-4  # Adam's; the public code's
steps = 0  # updates; 0: as many as the profile has

# %%
from companion.page import Page

page = Page("sgu_fig3_samples", vars())
budget = page.budget(
    smoke=dict(steps=2, batch_size=4, n=40, sampler=4, rows=["mnist"]),
    # steps 0: the runs of the search; CIFAR-10: those of Table 2
    laptop=dict(steps=0, batch_size=16, n=200, sampler=10, seeds=3)
    | dict(cifar10=dict(steps=120, batch_size=32)),
    paper=dict(steps=0, batch_size=0, n=10_000, sampler=1000),  # as Table 2
)

# %% tags=["hide-input"]
from companion.studies.sgu_samples import counts


def pair(values, decimals=1):
    """Write the numbers of both losses."""
    return " and ".join(
        f"{values[f'sgu_{loss}']:.{decimals}f}" for loss in ("orthogonal", "obtuse")
    )


SGU = ("sgu_orthogonal", "sgu_obtuse")


# %% tags=["hide-input"]
def glance(record):
    """What was found, on what it rests, and the conditions."""
    (left, moved), (ten, turned) = (counts(record, name) for name in ("mnist", "cifar10"))
    kept, same = ({name: 100 - one for name, one in all.items()} for all in (moved, turned))
    asked = dict(metric="changed class", dataset="cifar10")
    new = {one.method: one for one in record.all(**asked)}
    apart = [a - b for n in SGU for a, b in zip(new[n].per_seed, new["unseen"].per_seed)]
    seen, there = (
        record.find(metric="ur", method="sgu_obtuse", dataset=name) for name in ("mnist", "cifar10")
    )
    return dict(
        found=f"*MNIST*: 3 and 7 go from {left['standard']:.0f} to {pair(left)} % (Orthogonal, Obtuse). Of the others {pair(kept, 0)} % keep their class ({kept['finetune']:.0f} % after fine-tuning alone). Where there was a 3 or a 7, there are specks. Exact negation leaves {left['negate']:.1f} % and Unseen {left['unseen']:.1f} %, and both generate another clean digit there. *CIFAR-10*: dogs and automobiles go from {ten['standard']:.1f} to {pair(ten)} % (Unseen {ten['unseen']:.1f}, exact negation {ten['negate']:.1f}, fine-tuning alone {ten['finetune']:.1f}, real retained images {there.protocol['floor']:.1f} %), but coloured specks cover most images, and only {pair(same, 0)} % of the others keep their class (Unseen {same['unseen']:.0f}, exact negation {same['negate']:.0f}, fine-tuning alone {same['finetune']:.0f} %).",
        rests=f"{seen.n} samples per model: too few to rank SGU and Unseen. MNIST: the best runs of the search ({{ref}}`sgu-alpha`); CIFAR-10: {len(there.seeds)} new ones of SGU and Unseen, one of the others; {there.protocol['updates']} updates of {there.protocol['batch_size']} images per side. The paper trains from scratch.",
        holds=[
            max(left[name] for name in ("sgu_orthogonal", "sgu_obtuse", "negate"))
            < left["standard"] / 3,
            moved["negate"] < moved["finetune"]
            and moved["sgu_orthogonal"] < 10 + moved["finetune"],
            max(ten["sgu_orthogonal"], ten["sgu_obtuse"]) < ten["standard"] / 2,
            min(apart) > 15
            and min(new[name].per_seed[0] for name in SGU) > new["finetune"].interval[1],
            (len(seen.seeds), len(there.seeds)) == (1, 3),
            seen.n == there.n and seen.protocol["evaluations"] == 2 * there.protocol["updates"],
        ],
    )


# %% tags=["hide-input", "key"]
page.verdict(
    claim="Figure 3: samples of MNIST and CelebA from which the forgotten class, or feature, is gone.",
    found=glance,
    verdict="*The claim holds on MNIST, but not the way a reader would imagine it*: with $\\alpha$ found by search, some three quarters of the class are gone, but what replaces it is not a digit. On CIFAR-10 more than half are gone, and every class pays.",
)

# %% [markdown]
# ## From the same noise
#
# With an ODE sampler each image is a function of its noise. Passing the same noise through two models shows, image by image, what unlearning did:
#
# ```{math}
# :label: eq-fig3-noise
# x = \Phi_\theta(z), \qquad z \sim \mathcal{N}(0, \sigma_{\max}^2 I) \text{ the same for every } \theta .
# ```
#
# A model that forgot the class and kept the rest would change only the images of the forgotten class. By hand, with a small model of scikit-learn's digits and fifteen updates with Eq. 10:

# %%
import torch

from companion import bases
from companion.classifiers import classifier, predict
from paperlib.data.images import to_uint8
from paperlib.data.splits import split
from paperlib.sampling import ipndm, prior, sample
from paperlib.unlearning.sgu import sgu

model, kind = bases.load("digits-ve"), bases.BASES["digits-ve"]
D_g, D_f = (bases.examples(kind, side) for side in split(bases.images("digits", "train"), "3,7"))
draws = torch.Generator().manual_seed(page.seeds[0])
settings = dict(loss="obtuse", alpha=0.9, steps=15, batch_size=16, ema=0.0)
*_, last = (run := sgu(model, D_f, D_g, generator=draws, **settings))
z, seen = prior(model, (100, *model.net.shape), draws), {}
for name, one in {"before": model, "after": run.model}.items():
    x = sample(one, z.shape, noise=z, sampler=ipndm, steps=6, generator=draws).x
    seen[name] = predict(classifier("digits"), to_uint8(x, dequantised=True)).argmax(1)
for digit in (3, 7):
    now = seen["after"][seen["before"] == digit]
    print(
        f"{len(now)} showed a {digit}; now, by digit: {[int((now == k).sum()) for k in range(10)]}"
    )

# %% [markdown]
# ## The models
#
# As in {ref}`sgu-tab2`, at the $\alpha$ found by the search; MNIST's recorded ones are the search's own runs. Where the paper's data set is not available, a synthetic one replaces it in `smoke`, under its own name: shapes for CIFAR-10 and STL-10, avatars for faces.

# %%
from companion.studies.sgu_models import ROWS, sgu_models
from companion.studies.sgu_rows import amounts, drawing
from companion.studies.sgu_samples import changed, drawn_by

chosen = page.chosen("dataset", ROWS)


def models(row, seed):
    """Standard, the unlearned models and Unseen, each with what was forgotten; only those available."""
    own = amounts(budget, row, steps=steps)
    given = ("forget", "process", "alpha", "variant", "lr")
    run = {name: page.parameters[name] for name in given}
    run |= dict(updates=own.steps, batch_size=own.batch_size, evaluations=budget.sampler)
    run |= dict(others=row == chosen[0] and seed == page.seeds[0], seed=seed)
    found = [one for one in sgu_models(row, profile=profile, **run) if one[0].method != "sgu_code"]
    return [(model, D_f) for model, D_f in found if not model.missing]


# %% [markdown]
# ## The counts
#
# Both counts are over all samples, not only those in the grid: how many show what was to be forgotten, according to the classifier; and of the images in which Standard shows other classes, how many now show a *different* class, which perfect unlearning would leave at zero. Unseen is an independent training run and shows how many change through that alone.

# %%
from companion.measures import ur


def rows():
    """UR of each model, and the share of other images whose class changed."""
    for row in chosen:
        for seed in page.seeds:
            found = models(row, seed)
            for model, D_f in found:
                draw = drawing(model, budget.sampler, profile) | dict(n=budget.n, seed=seed)
                yield ur(model, D_f, **draw)
                if model.method != "standard":
                    yield changed(found[0][0], model, D_f, **draw)


# %%
from companion import plots


def sheets():
    """The first sixteen images of every model for the first seed, from the same noise."""
    found = {}
    for row in chosen:
        sheet = {}
        for model, _ in models(row, page.seeds[0]):
            draw = drawing(model, budget.sampler, profile) | dict(n=budget.n, seed=page.seeds[0])
            sheet[model.method] = drawn_by(model, **draw)
        if sheet:
            found[row] = plots.contact_sheet(sheet, columns=16, scale=2)
    return found


result = page.measure(rows, images=sheets)

# %% [markdown]
# ## The grids


# %%
def grid(row):
    """The images of a row of Table 2, the models one below the other."""
    page.show(lambda record: plots.sample_grid(record, page.image_of(record, row)))


# %% mystnb={"figure": {"caption": "MNIST, forgetting 3 and 7: the first sixteen samples of every model, from the same noise, not selected; under each name the share of all its samples that show a 3 or a 7. {run}.", "name": "fig-sgu-fig3-mnist"}, "image": {"alt": "Samples of every model from the same noise", "width": "720px"}} tags=["key"]
grid("mnist")

# %% mystnb={"figure": {"caption": "CIFAR-10, forgetting dogs and automobiles: the same. {run}.", "name": "fig-sgu-fig3-cifar10"}, "image": {"alt": "Samples of every model from the same noise, CIFAR-10", "width": "720px"}} tags=["key"]
grid("cifar10")

# %% [markdown]
# Synthetic sets replace the others, in `smoke` only and in the fold at the end of the page; no CelebA image is shown here because of its licence.

# %%
for row in ("stl10", "celeba"):
    grid(row)

# %% [markdown]
# ## The counts under the grids

# %%
page.show(plots.sample_counts)

# %% [markdown]
# ## What to notice

# %% tags=["hide-input"]
count, other = counts(result, "mnist")
page.say(
    f"**Look at the specks.** They are where a 3 or a 7 was, and the classifier finds no 3 in them: UR is {count['sgu_orthogonal']:.1f} and {count['sgu_obtuse']:.1f} %. The losses say what the output should not be, but not what it should be instead.",
    f"**Unseen and exact negation have about the same UR** ({count['unseen']:.1f} and {count['negate']:.1f} %), with clean digits. Where Standard generates a 3 or a 7, both generate another digit that reuses as many of its strokes as possible.",
    f"**Some change is not due to unlearning.** Fine-tuning on $D_g$ alone changes the class of {other['finetune']:.0f} % of the other images, and Unseen, an independent training run, that of {other['unseen']:.0f} %: near the border between two digits a small step decides. Only what exceeds that is damage: Orthogonal's {other['sgu_orthogonal']:.0f} % shows none, and Obtuse's {other['sgu_obtuse']:.0f} % may, though its interval overlaps with that of fine-tuning.",
    f"**Negation changes no more than that** ({other['negate']:.0f} %): its target differs from the original model's output only where the classifier sees a 3 or a 7.",
    holds=[
        abs(count["unseen"] - count["negate"]) < 5,
        abs(other["unseen"] - other["finetune"]) < 5,
        other["finetune"] < other["sgu_orthogonal"] < other["sgu_obtuse"] - 5,
        other["negate"] == min(other.values()),
    ],
)

# %% [markdown]
# ```{exercise} How many images persuade?
# :label: ex-fig3-grid
# Suppose that a figure shows 100 samples of a model that still generates the forgotten class with probability $p$. For which $p$ does a grid of 100 show none of it at least every second time? And a grid of 16?
# ```

# %% [markdown] tags=["solution"]
# ````{solution-start} ex-fig3-grid
# :class: dropdown
# ````

# %% tags=["solution"]
for count in (16, 100, 10_000):
    p = 1 - 0.5 ** (1 / count)  # (1 - p)^count = 1/2
    print(f"{count:6} images: half of all grids show none at p = {100 * p:.3f} %")

# %% [markdown] tags=["solution"]
# A grid of 100 looks clean every second time at $p$ = 0.7 %, one of 16 at 4.2 %: near the 4.1 % of the paper's Unseen. A grid shows what a model generates; only a count shows how often.
#
# ````{solution-end}
# ````

# %% [markdown]
# ## This run

# %% tags=["hide-output"]
page.this_run()
