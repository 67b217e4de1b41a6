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
# (sgu-tab2)=
# # SGU, Table 2: forgetting and likelihood
#
# SGU {cite}`sgu` makes score models forget classes of three data sets, and bangs on a fourth. It measures UR, the share of samples that a classifier assigns to what was forgotten, and the likelihood of test images from both sides, by the probability-flow ODE. *Standard* was trained on everything, *Unseen* without the data to forget.

# %% tags=["parameters"]
profile = "smoke"  # recorded | smoke | laptop | paper
seeds = ""  # of unlearning and of the samples, such as "0,1,2"
dataset = "all"  # all | mnist | cifar10 | stl10 | celeba: rows of the table
forget = ""  # classes other than the row's own; needs a single dataset
process = ""  # ve | vp | ddpm instead of the row's own
start = ""  # retrain | finetune; empty: at paper as Table 2 has it, from fresh weights
alpha = 0.0  # weight of L_g; 0: for each loss the one that the search found; the paper prints none
variant = "paper"  # paper | code | corrected: the reading of L_f
lr = 2e-4  # Adam's; the public code's
steps = 0  # updates; 0: as many as the profile has

# %%
from companion.page import Page

page = Page("sgu_tab2_unlearning_and_nll", vars())
both = dict(recipes=["flow", "noised flow"])  # of a likelihood, below
budget = page.budget(
    smoke=dict(steps=2, batch_size=4, n=40, sampler=4, images=2, tolerance=5.0, recipes=["flow"])
    | dict(rows=["mnist", "stl10"]),
    # the search's budget: its alphas are the best for runs of this length
    laptop=both
    | dict(steps=120, batch_size=32, n=1000, sampler=10, images=32, tolerance=1e-3, seeds=3)
    | dict(cifar10=dict(n=500, images=16, recipes=["flow"])),  # for each of its seeds
    # updates, batches, sampler: each row's own (below); n: text; images: the whole test set,
    # tolerance: score_sde's, on whose code the public one rests
    paper=both | dict(steps=0, batch_size=0, n=10_000, sampler=1000, images=10_000, tolerance=1e-5),
)

# %% tags=["hide-input"]
from companion.plots.sgu_sweep import printed_steps
from companion.studies.sgu_readings import gap, readings, said

if page.recorded:
    mnist, ten = (readings(page.recorded, name) for name in ("mnist", "cifar10"))
    run = page.recorded.find(metric="ur", forget="3,7", method="sgu_orthogonal")
    there = page.recorded.find(metric="ur", forget="dog,automobile", method="sgu_orthogonal")
    both, images = ("sgu_orthogonal", "sgu_obtuse"), page.recorded.series["rows"]["cifar10"]
    fewer, gaps = len(images["standard"]["bits"]["D_f"]), [gap(images, name) for name in both]
    own = dict(dataset="cifar10", process="vp", forget="dog,automobile")
    up, rest = (printed_steps(own, side) for side in ("D_f", "D_g"))
    printed = [up[loss] - rest[loss] for loss in ("orthogonal", "obtuse")]
    below = [ten.against(name, "unseen") for name in both]

# %% tags=["hide-input", "key"]
page.verdict(
    claim='SGU "achieves the lowest unlearning rate compared to Unseen" and, unlike Unseen, makes the forgotten data unlikely: on MNIST from 2.78 to 13.23 bits per dimension (Unseen: 3.01), on CIFAR-10 from 3.20 to 5.94 (Unseen: 3.21).',
    found=f"*MNIST*: with $\\alpha$ found by search, Orthogonal and Obtuse leave {mnist.ur['sgu_orthogonal']:.1f} and {mnist.ur['sgu_obtuse']:.1f} % of 3 and 7 (before {mnist.ur['standard']:.1f} %, Unseen {mnist.ur['unseen']:.1f} %). By the noised flow, $D_f$ becomes {mnist.rise['sgu_orthogonal', 'D_f']:.1f} and {mnist.rise['sgu_obtuse', 'D_f']:.1f} bits less likely (Unseen: {mnist.rise['unseen', 'D_f']:.2f}), at a cost of {mnist.rise['sgu_orthogonal', 'D_g']:.2f} and {mnist.rise['sgu_obtuse', 'D_g']:.2f} bits on $D_g$. *CIFAR-10*: they leave {ten.ur['sgu_orthogonal']:.1f} and {ten.ur['sgu_obtuse']:.1f} % of dogs and automobiles (before {ten.ur['standard']:.1f} %, Unseen {ten.ur['unseen']:.1f} % and a floor of {ten.floor:.1f} %); against Unseen, paired by seeds, {said(below[0], 1)} and {said(below[1], 1)} points.",
    verdict=f"*Reproduced in kind on MNIST, with a cost that the paper does not print. On CIFAR-10 SGU halves UR, three seeds do not place it below Unseen, and the likelihoods do not part.* The other samples are {mnist.times['sgu_orthogonal']:.1f} and {mnist.times['sgu_obtuse']:.1f} times as far from real ones as before on MNIST, {ten.times['sgu_orthogonal']:.1f} and {ten.times['sgu_obtuse']:.1f} on CIFAR-10 (Unseen: {ten.times['unseen']:.1f}). There, the rise on $D_f$ exceeds that on $D_g$ by {said(gaps[0], 2)} and {said(gaps[1], 2)} bits, where the paper has {printed[0]:.1f} and {printed[1]:.1f}.",
    rests=f"{run.protocol['updates']} updates of {run.protocol['batch_size']} images per side from the trained model, where the paper trains from scratch. MNIST: seed 0, {run.n:,} samples. CIFAR-10: {there.n} samples a seed; likelihoods ({fewer} test images per side) and controls of the first; a small network, one Unseen.",
    holds=[
        max(mnist.ur[name] for name in both) < mnist.ur["unseen"] and len(run.seeds) == 1,
        min(mnist.rise[name, "D_f"] for name in both) > 3 > 30 * mnist.rise["unseen", "D_f"],
        max(mnist.rise[name, "D_g"] for name in both) < 0.1 and mnist.times["sgu_orthogonal"] > 1.9,
        all(0.4 < ten.ur[name] / ten.ur["standard"] < 0.55 for name in both),
        all(value < 0 < high for value, _, high in below),
        all(low < 0 < high < min(printed) / 2 for _, low, high in gaps),
        ten.times["unseen"] < min(ten.times[name] for name in both) < 1.5,
    ],
)

# %% [markdown]
# ## The losses
#
# ```{math}
# :label: eq-tab2-sgu
# \begin{aligned}
# L &= \alpha\, L_g + (1 - \alpha)\, L_f, \qquad
# L_g = \E_{D_g} \lVert z - \epsilon_\theta(x_t, t) \rVert^2, \\
# L_f^{\text{orthogonal}} &= \E_{D_f} \bigl( \epsilon_\theta(x_t, t) \cdot z \bigr)^2, \qquad
# L_f^{\text{obtuse}} = \E_{D_f}\, \epsilon_\theta(x_t, t) \cdot z .
# \end{aligned}
# ```
#
# **Which $\alpha$?** The paper prints none. The public code has 0.99, but for a different loss: it sums the squares of the per-pixel products, whereas Eq. 9 squares their sum over all $D$ = 784 pixels, which is $(D + 2) / 3$ times larger if the output is the noise itself. With the printed losses, 0.99 lets Eq. 9 drown out $L_g$ and gives Eq. 10 hardly any effect. {ref}`sgu-alpha` puts all losses on one axis and searches on held-out training images; we use what it found.
#
# The paper's settings with their source, and ours:
#
# | | paper | from | here |
# |---|---|---|---|
# | training | from fresh weights, with {eq}`eq-tab2-sgu` from the start | text | from the trained model (as in its Table 5) |
# | $\alpha$ | 0.99 | public code | what the search found; the code's own setting as a row |
# | batches | 400 + 400 (CIFAR-10), 150 + 150 (CelebA), 400 + 100 (STL-10) | public code | 32 + 32 |
# | updates | 660,000 (CIFAR-10), 1,300,001 (STL-10, CelebA), none given for MNIST; fine-tuning 80,000 (VP), 30,000 (DDPM) | public code; Sec. 4.4 | 120 |
# | rate | 2e-4, warm-up 5,000 | public code | 2e-4 |
# | samples | 10,000, by 1,000 steps of Euler-Maruyama (STL-10, CelebA) or an adaptive solver of the flow (CIFAR-10) | text, public code | 1,000, by iPNDM |
# | classifier | external, or CLIP | text | our own |
#
# ## The models
#
# A row is a data set and what is forgotten from it. At `paper` each row uses the network, training and sampler of the text and the public code (`companion/studies/sgu_rows.py`). Where the paper's data set is not available, a synthetic one replaces it in `smoke`, under its own name.

# %%
from companion.studies.sgu_models import ROWS, sgu_models
from companion.studies.sgu_rows import amounts, drawing

chosen = page.chosen("dataset", ROWS)


def models(row, seed):
    """Standard, the unlearned models, and Unseen, which never saw D_f; the first seed also has the others."""
    own = amounts(budget, row, steps=steps)
    given = ("forget", "process", "start", "alpha", "variant", "lr")
    run = {name: page.parameters[name] for name in given}
    run |= dict(updates=own.steps, batch_size=own.batch_size, evaluations=budget.sampler)
    return sgu_models(row, profile=profile, seed=seed, others=seed == page.seeds[0], **run)


# %% [markdown]
# We add exact negation ({ref}`ours-negation`), whose weight $w$ had as many tries, and two controls: the public code's own setting, and fine-tuning on $D_g$ alone, which is $\alpha$ = 1.
#
# ## The measures
#
# UR of the forgotten classes, together and one by one, from the same samples. The *distance*, in the classifier's features, of the samples that do not show them from real images without them: it shows what happened to the rest. Bits per dimension of test images from both sides, by the paper's recipe, the *flow* at the image; and by the *noised flow*, at images with the noise of $t_{min}$, by which models should be judged ({ref}`foundations-sampling` explains why: the paper's recipe evaluates the network where it was never trained, so differences of several bits are meaningful and of a few hundredths are not).

# %%
from companion.measures import distance, nll, nll_per_image, ur


def rows():
    """Every number of the table."""
    for row in chosen:
        own = amounts(budget, row)
        for seed in page.seeds:
            solve = dict(images=own.images, tolerance=own.tolerance, seed=seed)
            for model, D_f in models(row, seed):
                if model.missing:
                    continue
                words = D_f.split(",")
                draw = drawing(model, budget.sampler, profile) | dict(n=own.n, seed=seed)
                for word in dict.fromkeys([*words, D_f]):  # 3, then 7, then 3,7
                    yield ur(model, word, **draw)
                yield distance(model, D_f, **draw)
                for recipe in own.recipes if seed == page.seeds[0] else ():
                    yield from nll(model, D_f, recipe=recipe, **solve)


# %%
def curves():
    """Bits per dimension of every test image for the first seed."""
    found = {}
    for row in chosen:
        own = amounts(budget, row)
        solve = dict(images=own.images, tolerance=own.tolerance, seed=page.seeds[0])
        for model, D_f in models(row, page.seeds[0]):
            if not model.missing:
                bits = nll_per_image(model, D_f, **solve)
                found.setdefault(model.kind.dataset, {})[model.method] = {"bits": bits}
    return {"rows": found, "steps": budget.steps}


def missing(claim):
    """Why a printed cell was not run."""
    if profile == "smoke" or claim.dataset not in chosen or forget:
        return "this run computes on other data"
    return next((m.missing for m, _ in models(claim.dataset, 0) if m.method == claim.method), "")


# %%
TABLES = ["sgu.tab2_ur", "sgu.tab2_nll"]
result = page.measure(rows, series=curves, tables=TABLES, missing=missing)

# %% [markdown]
# ## The paper's cells and ours
#
# A likelihood depends on its network, so only the change from Standard can be compared; unlearning is judged together with its cost, the distance of the other samples ({py:func}`companion.claims.judge.judge`).

# %%
page.compare(*TABLES)

# %% [markdown]
# All measurements. *Floor*: the share of real retained images that the classifier takes for what is forgotten, below which UR says nothing. *Rule*: forgotten if UR is at most a third of Standard's; kept if the distance is at most 1.5 times Standard's.

# %%
from companion import plots

SIDES = ("D_g", "D_f")
told = {"NLL": dict(metric="nll"), "noised": dict(metric="noised nll", some=True)}
COLUMNS = {"UR, %": dict(metric="ur")}
for name, facts in told.items():
    COLUMNS |= {f"{name} {side}": dict(test=side, decimals=2) | facts for side in SIDES}
COLUMNS |= {"distance": dict(metric="rest-frechet")}
page.show(
    lambda record: plots.measures_table(record, COLUMNS, title=record.caption, more=plots.ruled)
)

# %% [markdown]
# ## The likelihoods, image by image
#
# The figure is at the top of the page.

# %% mystnb={"figure": {"caption": "Bits per dimension of every test image from both sides; a row per data set, a column per model; first seed. {run}.", "name": "fig-sgu-tab2-bits"}, "image": {"alt": "Histograms of bits per dimension", "width": "720px"}} tags=["key"]
page.figure(plots.side_histograms)

# %% [markdown]
# ## What to notice
#
# ### On MNIST

# %% tags=["hide-input"]
from paperlib.unlearning.shrinkage import shrinkage

seen = readings(result, "mnist")
share, rise, rest = seen.ur, seen.rise, seen.times
page.say(
    f"**The paper's pattern is real.** Orthogonal makes $D_f$ {rise['sgu_orthogonal', 'D_f']:.1f} bits less likely at a cost of {rise['sgu_orthogonal', 'D_g']:.2f} on $D_g$, Obtuse {rise['sgu_obtuse', 'D_f']:.1f} at {rise['sgu_obtuse', 'D_g']:.2f}. The paper's own Orthogonal costs 1.10 bits on $D_g$, some 860 bits per image.",
    f"**It is not free.** The other samples are {rest['sgu_orthogonal']:.1f} and {rest['sgu_obtuse']:.1f} times as far from real digits as before; after equally long fine-tuning alone it is {rest['finetune']:.1f}. A likelihood of test images does not show this: {{ref}}`sgu-fig3` shows specks where there was a 3 or a 7.",
    f"**At this length the code's 0.99 does no more than the control**: {share['sgu_code']:.1f} %, compared with {share['finetune']:.1f} % for fine-tuning alone. Its loss has $c$ = {shrinkage(0.99, loss='orthogonal', variant='code', dims=784):.2f}, on the near side of the cliff of {{ref}}`sgu-alpha`, and acts only in every fourth update.",
    f"**Unseen is not a failure.** {share['unseen']:.1f} % of its samples are 3 or 7 though it has never seen one, and $D_f$ is as likely as under Standard ({rise['unseen', 'D_f']:+.2f} bits): strokes of other digits seem to be enough for both, and a likelihood does not show which model has seen the class.",
    f"**Forgotten and kept**: Unseen ({share['unseen']:.1f} %, {rest['unseen']:.1f} times the distance) and exact negation ({share['negate']:.1f} %, {rest['negate']:.1f} times), which changes what is generated and leaves $D_f$ as likely as it was ({rise['negate', 'D_f']:+.2f}).",
    "**The printed table does not support the paper's sentence.** Obtuse is worse than Unseen on 7 (3.6 against 2.3), on 3 and 7 (5.1 against 4.1) and on dog (11.5 against 10.8).",
    holds=[
        rise["sgu_orthogonal", "D_f"] > 3 and abs(rise["sgu_orthogonal", "D_g"]) < 0.2,
        rest["sgu_orthogonal"] > 1.4 * rest["finetune"],
        abs(share["sgu_code"] - share["finetune"]) < 5,
        abs(rise["unseen", "D_f"]) < 0.1 and abs(rise["negate", "D_f"]) < 0.1,
        max(rest["unseen"], rest["negate"]) < 1.5,
    ],
)

# %% [markdown]
# ### On CIFAR-10

# %% tags=["hide-input"]
from companion.studies.sgu_search import searched

ten = readings(result, "cifar10")
tried = searched("cifar10-vp", "dog,automobile")
tries = [tried.best(f"{name}_paper").ur for name in ("sgu_orthogonal", "sgu_obtuse")]
dog, car = (
    {one.method: one for one in result.all(metric="ur", dataset="cifar10", forget=word)}
    for word in ("dog", "automobile")
)
sides = [(ten.rise["finetune", side], ten.rise["negate", side]) for side in SIDES]

# %% tags=["hide-input"]
page.say(
    f"**Below Unseen?** In three runs Orthogonal leaves {ten.runs('sgu_orthogonal')} %, Obtuse {ten.runs('sgu_obtuse')} %; Unseen, one model with the noise of each seed, {ten.runs('unseen')} %. Both are above it in the first run and below it in the others. The search's own runs at these weights left less, {tries[0]:.1f} and {tries[1]:.1f} % ({{ref}}`sgu-alpha`), each the best of its tries: so near the cliff, a run's chance decides as much as the weight.",
    f"**Both sides become less likely together**, as with fine-tuning alone in such small batches ({sides[0][0]:.2f} on $D_g$, {sides[1][0]:.2f} on $D_f$), and the sides' difference cannot be told from zero. A likely reason: with noise, a dog looks much like other animals, so the losses move the output on both sides; {{ref}}`sgu-alpha` shows all weights.",
    f"**UR has a floor, and it belongs beside it.** Dogs: {dog['standard'].value:.1f} % before, {dog['finetune'].value:.1f} after fine-tuning alone, {dog['sgu_orthogonal'].value:.1f} and {dog['sgu_obtuse'].value:.1f} with SGU, {dog['unseen'].value:.1f} by Unseen, which never saw one; of real retained images {dog['standard'].protocol['floor']:.1f} % are taken for dogs. Automobiles cannot be judged: our base model shows them in {car['standard'].value:.1f} % of its samples (floor {car['standard'].protocol['floor']:.1f} %; the paper's: 11.2 %).",
    f"**Nobody passes the book's rule**, a third of {ten.ur['standard']:.1f} %: SGU keeps the rest ({ten.times['sgu_orthogonal']:.2f} and {ten.times['sgu_obtuse']:.2f} times the distance), and so does exact negation (ours), which leaves {ten.ur['negate']:.1f} % at {ten.times['negate']:.2f} times. The public code's setting leaves {ten.ur['sgu_code']:.1f} %, fine-tuning alone {ten.ur['finetune']:.1f} %, one run of each.",
    holds=[
        all(
            [a > b for a, b in zip(ten.spread[name], ten.spread["unseen"])] == [True, False, False]
            for name in ("sgu_orthogonal", "sgu_obtuse")
        )
        and max(tries) < min(ten.spread["sgu_orthogonal"] + ten.spread["sgu_obtuse"]),
        abs(ten.rise["sgu_orthogonal", "D_f"] - sides[1][0]) < 0.1
        and abs(ten.rise["sgu_obtuse", "D_f"] - sides[1][0]) < 0.1,
        dog["unseen"].value > dog["sgu_orthogonal"].value > 2 * dog["standard"].protocol["floor"]
        and car["standard"].value < 3,
        min(ten.ur.values()) > ten.ur["standard"] / 3 and max(ten.times.values()) < 1.5,
    ],
)

# %% [markdown]
# ```{exercise} How much can UR tell?
# :label: ex-tab2-floor
# The paper's Unseen never saw a dog, yet 10.8 % of its samples count as dogs. Take a classifier with a false-positive rate of $f$ on retained classes and a true-positive rate of 1. What is the UR of a perfect model? And of a model that forgot half of a class with initial share $s$? How many samples are needed to distinguish the two, for $f$ = 10 % and $s$ = 10 %?
# ```

# %% [markdown] tags=["solution"]
# ````{solution-start} ex-tab2-floor
# :class: dropdown
# ````

# %% tags=["solution"]
from paperlib.metrics.intervals import wilson

f, s = 0.10, 0.10
perfect, half = f, s / 2 + (1 - s / 2) * f
print(f"perfect {100 * perfect:.1f} %, half forgotten {100 * half:.1f} %")
for n in (100, 300, 1000, 3000, 10_000):
    low, high = (wilson(round(n * share), n) for share in (perfect, half))
    print(f"{n:6} samples: {'distinguishable' if low[1] < high[0] else 'not distinguishable'}")

# %% [markdown] tags=["solution"]
# A perfect model has $f$, and one that forgot half of the class $s/2 + (1 - s/2) f$: 10 against 14.5 %. The paper's dog, 13.4 % before and 10.0 (Orthogonal), 11.5 (Obtuse) and 10.8 % (Unseen) after, ends up at about its own floor; with 10,000 samples the intervals of 10.8 and 10.0 % still overlap.
#
# ````{solution-end}
# ````

# %% [markdown]
# ## This run

# %% tags=["hide-output"]
page.this_run()
