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
# (methods-at-a-glance)=
# # Methods at a glance
#
# **The claim.** Every paper has one method and a row of baselines, and every method is said to erase what it should and to keep the rest: SGU {cite}`sgu` is "better than Unseen", VDU {cite}`vdu` does it without the retained data,
# EraseDiff {cite}`erasediff` in some 300 updates. The texts describe the methods in different words and symbols. How different are they? On this page each is one equation and one call, on the same small model of digits, and a
# table says what each needs and what it costs.
#
# **This is not the comparison.** One seed, one class, one learning rate for all, every other setting as its paper has it, and nothing tuned. What fails here may do well at its own setting, and the numbers say only what this budget did.

# %% tags=["parameters"]
profile = "smoke"  # smoke | laptop | paper: images, budget and batches
seed = 0  # of training, noise and bootstrap
forget = "3"  # the class that is to be forgotten, or several: "3,7"
process = "ddpm"  # ddpm | ve: which base model of digits, both with labels
methods = "all"  # or some, separated by commas: "salun,redirect"
budget = 0  # gradient evaluations of each method; 0: as many as the profile has

# %% tags=["hide-input"]
from companion.comparison.entrants import chosen
from companion.page import Page
from companion.studies.glance import TITLES, Glance

NAME = "methods_at_a_glance"
page = Page(NAME, vars())
forget = str(forget)
if process not in ("ddpm", "ve"):
    raise ValueError(f"process={process!r} is not one of ddpm, ve")
BUDGET = {
    "smoke": {"evaluations": 64, "batch": 16, "n": 200, "sampler": 8},
    "laptop": {"evaluations": 1000, "batch": 64, "n": 2000, "sampler": 20},
    "paper": {"evaluations": 1000, "batch": 64, "n": 2000, "sampler": 20},
}[profile]
if budget < 0 or 0 < budget < 8:
    raise ValueError(f"budget={budget} is not allowed: 0, or at least 8 evaluations")
budget = budget or BUDGET["evaluations"]
page.banner("scikit-learn's digits")

# %% [markdown]
# The papers have no experiment on these digits. So `paper` computes here what `laptop` does; their own data and settings belong to the comparison pages.
#
# ## One model for all
#
# A network that was trained on all ten digits, with labels. $D_f$ are the images of the class that is to be forgotten, $D_g$ all others (EraseDiff and others write $D_r$). Both losses that nearly all methods are made of are denoising score
# matching {cite}`vincent2011`, for $x_t = \alpha_t x_0 + \sigma_t z$ and the label $c$ of $x_0$:
#
# ```{math}
# :label: eq-glance-losses
# \begin{aligned}
# L_g &= \E_{x_0 \sim D_g} \lVert z - \epsilon_\theta(x_t, t, c) \rVert^2, \\
# L_f &= \E_{x_0 \sim D_f} \lVert z - \epsilon_\theta(x_t, t, c) \rVert^2 .
# \end{aligned}
# ```

# %%
glance = Glance(
    f"digits-{process}-labels",
    forget,
    n=BUDGET["n"],
    evaluations=BUDGET["sampler"],
    seed=seed,
    methods=chosen(methods),
)
model, D_f, D_g = glance.model, glance.D_f, glance.D_g
weights = sum(p.numel() for p in model.parameters())
print(f"{weights:,} weights; {len(D_g)} retained images, {len(D_f)} to forget")
found = glance.before.ur
print(f"before: UR {found.value:.1f} %, the classifier's floor {found.floor.value:.1f} %")

# %% [markdown]
# Every method is a plain call, `method(model, forget, retain, generator=..., steps=..., ...)`. It copies the model and returns an iterator, one item an update. `glance.look` iterates to the end, draws from the same noise as before, and
# measures two things ({ref}`foundations-measuring` says why it takes two): UR, the share of all images that the classifier takes for the forgotten class, and how far the images of the *other* classes are from real ones, as a Fréchet distance in the
# classifier's features.
#
# One rule for all settings: the learning rate is 2e-4, that of SGU's public code and a tenth of the base model's own; no moving average of the weights; the budget is one number of *gradient evaluations*, a batch's way through the network
# and back, whatever a method makes of them. All other settings are defaults, which are the papers'.

# %%
import torch

common = {"batch_size": BUDGET["batch"], "lr": 2e-4, "ema": 0.0}


def draws():
    """The same random numbers for every method."""
    return torch.Generator().manual_seed(seed)


print(f"{budget} gradient evaluations for each method, batches of {BUDGET['batch']}")

# %% [markdown]
# ## Retrain, or go on
#
# ### Unseen
#
# Training anew on $D_g$ alone (SGU, Eq. 8): the gold standard of forgetting, and the price that unlearning wants to save. Fresh weights get the base model's own learning rate.
#
# ```{math}
# :label: eq-glance-unseen
# \min_\theta\; L_g, \qquad \theta \text{ from fresh weights.}
# ```

# %%
from paperlib.unlearning.unseen import unseen

run = unseen(model, D_f, D_g, generator=draws(), steps=budget, **common | {"lr": 2e-3})
glance.look("unseen", run)

# %% [markdown]
# ### Fine-tuning
#
# The same loss from the trained weights $\theta_0$ (EraseDiff, Eq. 1). Nothing pushes $D_f$ out.
#
# ```{math}
# :label: eq-glance-finetune
# \min_\theta\; L_g, \qquad \theta \text{ from } \theta_0 .
# ```

# %%
from paperlib.unlearning.finetune import finetune

run = finetune(model, D_f, D_g, generator=draws(), steps=budget, **common)
glance.look("finetune", run)

# %% [markdown]
# ## Baselines
#
# ### NegGrad
#
# Climb the loss of what is to be forgotten {cite}`golatkar2020`. It needs no retained data, and has nothing that holds them. The loss has no lower bound.
#
# ```{math}
# :label: eq-glance-neggrad
# \min_\theta\; -L_f .
# ```

# %%
from paperlib.unlearning.neggrad import neggrad

run = neggrad(model, D_f, generator=draws(), steps=budget, **common)
glance.look("neggrad", run)

# %% [markdown]
# ### BlindSpot
#
# A fresh network $B$ sees $D_g$ for a short while, and the model imitates it where the forgotten data lie {cite}`tarun2023`: its output, and the attention maps $a_l$ of its layers. Here $B$ is trained for half the budget, beforehand.
#
# ```{math}
# :label: eq-glance-blindspot
# \begin{aligned}
# \min_\theta\;& (1 - r)\, L_g \\
# &+ r\, \E_{D_f} \Bigl[ \lVert \epsilon_B - \epsilon_\theta \rVert^2 + \beta \sum_l \lVert a_l - a_l^B \rVert^2 \Bigr], \\
# & r = \frac{|D_f|}{|D_f| + |D_g|} .
# \end{aligned}
# ```

# %%
from paperlib.unlearning.blindspot import blindspot

run = blindspot(
    model, D_f, D_g, generator=draws(), steps=budget // 2, teacher_steps=budget // 2, **common
)
glance.look("blindspot", run)

# %% [markdown]
# ### Selective Amnesia
#
# Under the forgotten label the model learns a surrogate $q$, uniform noise, while the weights $\theta^*$ that matter are held by their Fisher information $F$ and the other classes are rehearsed {cite}`heng2023`. The paper rehearses its own
# samples and takes $F$ from 5,000 of them at 1,000 times; here it has $D_g$, and 20 images at 32 times.
#
# ```{math}
# :label: eq-glance-amnesia
# \begin{aligned}
# \min_\theta\;& \E_{x_0 \sim q,\; c \in D_f} \lVert z - \epsilon_\theta(x_t, t, c) \rVert^2 + \gamma\, L_g \\
# &+ \frac{\lambda}{2} \sum_i F_i\, (\theta_i - \theta^*_i)^2 .
# \end{aligned}
# ```

# %%
from paperlib.unlearning.selective_amnesia import selective_amnesia

fisher = {"fisher_samples": 20, "fisher_times": 32}
run = selective_amnesia(model, D_f, D_g, generator=draws(), steps=budget // 2, **fisher, **common)
glance.look("selective_amnesia", run)

# %% [markdown]
# ### SalUn
#
# Only the half of the weights with the largest gradients of $L_f$ may change: the mask $m$. They learn to say under the forgotten label what the model says under another one, $c'$ {cite}`fan2024`.
#
# ```{math}
# :label: eq-glance-salun
# \begin{aligned}
# \min_\theta\;& \E_{D_f} \lVert \epsilon_\theta(x_t, t, c') - \epsilon_\theta(x_t, t, c) \rVert^2 + \alpha L_g, \\
# & \theta = m \odot (\theta_0 + \Delta) + (1 - m) \odot \theta_0 .
# \end{aligned}
# ```
#
# The first $\epsilon_\theta$ is held fixed. The default is our `variant="corrected"`: $\alpha$ as the public code's sums and means make it, not as the paper prints it.

# %%
from paperlib.unlearning.salun import salun

run = salun(model, D_f, D_g, generator=draws(), steps=budget // 2, **common)
glance.look("salun", run)

# %% [markdown]
# ### Multi-objective
#
# EraseDiff's own point of departure, its Eq. 3: the sum of preservation and erasing, where $\epsilon_f$ is what the model says under a random other class (as in SalUn, without a mask).
#
# ```{math}
# :label: eq-glance-multi
# \min_\theta\; L_g + \lambda\, \E_{D_f} \lVert \epsilon_f - \epsilon_\theta(x_t, t, c) \rVert^2 .
# ```

# %%
from paperlib.unlearning.multi_objective import multi_objective

run = multi_objective(model, D_f, D_g, generator=draws(), steps=budget // 2, **common)
glance.look("multi_objective", run)

# %% [markdown]
# ## The three papers
#
# ### EraseDiff
#
# The weight of {eq}`eq-glance-multi` is no constant: every update takes the vector nearest to $\nabla L_g$ along which $g$, what is left to gain in erasing, falls at a rate of at least $a_t = \eta \lVert \nabla g \rVert^2$ {cite}`erasediff` (Theorem 3.1). Two of its four
# gradient evaluations are the inner steps to $\phi^K$.
#
# ```{math}
# :label: eq-glance-erasediff
# \begin{aligned}
# \delta_t &= \nabla L_g + \lambda_t \nabla g, \\
# \lambda_t &= \max\Bigl(0, \frac{a_t - \nabla g \cdot \nabla L_g}{\lVert \nabla g \rVert^2}\Bigr), \\
# g(\theta) &= \ell_f(\theta) - \ell_f(\phi^K), \\
# \ell_f(\theta) &= \E_{D_f} \lVert \epsilon_f - \epsilon_\theta(x_t, t, c) \rVert^2 .
# \end{aligned}
# ```

# %%
from paperlib.unlearning.erasediff import erasediff

run = erasediff(model, D_f, D_g, generator=draws(), steps=budget // 4, **common)
glance.look("erasediff", run)

# %% [markdown]
# ### SGU, orthogonal
#
# On $D_g$ the score is learnt, on $D_f$ it is to stand at a right angle to the data's {cite}`sgu` (Eq. 9, in Eq. 11). With the weight that makes each term free of $\sigma_t$, the score $s = -\epsilon / \sigma_t$ against $-z / \sigma_t$ reads:
#
# ```{math}
# :label: eq-glance-orthogonal
# \min_\theta\; \alpha L_g + (1 - \alpha)\, \E_{D_f} \bigl( \epsilon_\theta(x_t, t, c) \cdot z \bigr)^2 .
# ```
#
# The paper does not give $\alpha$; its public code has 0.99.

# %%
from paperlib.unlearning.sgu import sgu

run = sgu(model, D_f, D_g, generator=draws(), steps=budget // 2, loss="orthogonal", **common)
glance.look("sgu_orthogonal", run)

# %% [markdown]
# ### SGU, obtuse
#
# The same with the product itself, which asks for an obtuse angle (Eq. 10).
#
# ```{math}
# :label: eq-glance-obtuse
# \min_\theta\; \alpha L_g + (1 - \alpha)\, \E_{D_f} \; \epsilon_\theta(x_t, t, c) \cdot z .
# ```

# %%
run = sgu(model, D_f, D_g, generator=draws(), steps=budget // 2, loss="obtuse", **common)
glance.look("sgu_obtuse", run)

# %% [markdown]
# ### VDU
#
# Ascent on the forgotten data, held by a Gaussian over the weights, $\mathcal{N}(\mu^*, \sigma^{*2})$, of the training before {cite}`vdu` (Eq. 3). It looks at no retained data; but the Gaussian was made with them: here it is the mean and variance of five snapshots of 20 further updates on
# all images, which come on top of the budget.
#
# ```{math}
# :label: eq-glance-vdu
# \begin{aligned}
# \min_\theta\;& -(1 - \gamma) \sum_{x_0 \in D_f} \sum_{t=2}^{T} w_t \lVert z - \epsilon_\theta(x_t, t) \rVert^2 \\
# &+ \gamma \sum_i \frac{(\theta_i - \mu^*_i)^2}{2 \sigma_i^{*2}}, \\
# & w_t = \frac{1 - \alpha_t}{\alpha_t (1 - \bar\alpha_{t-1})} .
# \end{aligned}
# ```
#
# (In $w_t$, $\alpha_t$ and $\bar\alpha_t$ are a DDPM's.)

# %%
from paperlib.unlearning.posterior import posterior, snapshots
from paperlib.unlearning.vdu import vdu

way = finetune(model, None, glance.everything, generator=draws(), steps=20, **common)
gaussian = posterior(snapshots(way, every=4))
run = vdu(model, D_f, generator=draws(), steps=budget, posterior=gaussian, **common)
glance.look("vdu", run)

# %% [markdown]
# ## Ours
#
# ### Signed
#
# The loss that teaches a score, subtracted on the forgotten data. Where $\lambda p_{g,t} \ge p_{f,t}$ everywhere it has a minimiser, which is the score of a density on the frontier of forgetting ({ref}`ours-frontier`). Images of two classes hardly
# overlap, so that no $\lambda$ is large enough there, and a run must be stopped in time.
#
# ```{math}
# :label: eq-glance-signed
# \min_\theta\; \frac{\lambda L_g - L_f}{\lambda - 1} .
# ```

# %%
from paperlib.unlearning.signed import signed

run = signed(model, D_f, D_g, generator=draws(), steps=budget // 2, **common)
glance.look("signed", run)

# %% [markdown]
# ### Redirect
#
# At noisy points of forgotten images a retrained model has hardly looked. The right answer there is known all the same: the posterior mean over retained images, with $\epsilon^*$ its noise.
#
# ```{math}
# :label: eq-glance-redirect
# \begin{aligned}
# \min_\theta\;& L_g + \mu\, \E_{D_f} \lVert \epsilon^*(x_t) - \epsilon_\theta(x_t, t, c) \rVert^2, \\
# & \epsilon^*(x_t) = \frac{x_t - \alpha_t \sum_i v_i x_i}{\sigma_t}, \\
# & v_i \propto \exp\Bigl( -\frac{\lVert x_t - \alpha_t x_i \rVert^2}{2 \sigma_t^2} \Bigr), \quad x_i \in D_g .
# \end{aligned}
# ```

# %%
from paperlib.unlearning.redirect import redirect

run = redirect(model, D_f, D_g, generator=draws(), steps=budget // 2, **common)
glance.look("redirect", run)

# %% [markdown]
# ## What each needs
#
# The table is generated from {py:mod}`paperlib.unlearning.methods`. A test runs every method and counts its gradient evaluations. Memory is what is held beside the weights, their gradients and Adam's moments. A method of yours adds a row: {ref}`adding-a-method`.

# %% tags=["hide-input"]

from companion import plots
from paperlib.unlearning.methods import rows

COLUMNS = {  # of the rows -> heading
    "retained data": "retained data",
    "labels": "labels",
    "conditional model": "conditional model",
    "gradient evaluations an update": "gradient evaluations, an update",
    "memory, copies of the weights": "memory, copies of the weights",
    "extra passes": "extra passes",
}
needs = {
    f"{row['title']}<br><small>{row['source']}</small>": {
        heading: row[column] for column, heading in COLUMNS.items()
    }
    for row in rows()
}
widths = {"td": 4, "td.col2": 6.5, "td.col5": 13}
style = plots.table(needs, size=0.75, words=True).set_table_styles(
    [{"selector": at, "props": f"min-width: {w}rem"} for at, w in widths.items()], overwrite=False
)

# %% tags=["hide-input"]
from companion.records import measured


def told(seen):
    """What the figures and the table show of one look."""
    low, high = seen.distance.interval
    facts = {"ur": seen.ur.value, "ur_low": seen.ur.interval[0]}
    facts |= {"ur_high": seen.ur.interval[1], "asked": seen.asked.value}
    facts |= {"distance": seen.distance.value, "low": low, "high": high}
    cost = {"updates": seen.updates, "evaluations": seen.evaluations}
    cost |= {"beforehand": seen.beforehand, "seconds": seen.seconds}
    return facts | cost | {"stopped": seen.stopped}


seen = {"before": glance.before, **glance.looks}
columns = glance.columns
sheet = plots.contact_sheet(
    {name: one.images[columns] for name, one in seen.items()}, columns=len(columns), scale=4
)
image = plots.save_sheet(sheet, page.image_path("samples"))
settings = {"forget": forget, "base": glance.base, "lr": common["lr"]}
settings |= {"batch_size": BUDGET["batch"], "budget": budget, "sampler": "iPNDM"}
settings |= {"sampler_evaluations": BUDGET["sampler"], "floor": glance.before.ur.floor.value}
values = [
    measured(
        f"ours.{NAME}/{name}/{metric}",
        [found.value],
        seeds=[seed],
        unit=unit,
        n=found.n,
        dataset="digits",
        method=name,
        protocol=settings
        | {"metric": metric, "ci95_images": found.interval}
        | {"updates": one.updates, "evaluations": one.evaluations},
    )
    for name, one in seen.items()
    for metric, found, unit in (
        ("ur", one.ur, "%"),
        ("asked", one.asked, "%"),
        ("frechet", one.distance, "squared distance"),
    )
]
floor, real = glance.before.ur.floor, glance.real
record = page.write(
    values=values,
    series={
        "order": list(glance.looks),
        "titles": {name: TITLES[name] for name in glance.looks},
        "asked": glance.labels[columns],
        "frames": {name: one.shown[columns] for name, one in seen.items()},
        "looked": {name: told(one) for name, one in seen.items()},
        "real": {
            "ur": floor.value,
            "ur_low": floor.interval[0],
            "ur_high": floor.interval[1],
            "distance": real.value,
            "high": real.interval[1],
        },
        "budget": budget,
        "forget": forget,
    },
    images=[image],
)

# %% [markdown]
# ## What each did
#
# Every row starts from the noise of the row above it; the digit over a column is the label that was asked for. Framed: the classifier takes it for the forgotten class.

# %% mystnb={"figure": {"caption": "Recorded. Every method's images from the same noise, and its UR. Framed: what the classifier takes for the forgotten class.", "name": "fig-glance-sheet-recorded"}, "image": {"alt": "A row of digits for each method, as recorded", "width": "640px"}} tags=["hide-input"]
if page.recorded:
    recorded = page.recorded.title
    file = page.recorded_image("samples")
    plots.glance_sheet(page.recorded, file, title=recorded)

# %% mystnb={"figure": {"caption": "This run. Every method's images from the same noise, and its UR. Framed: what the classifier takes for the forgotten class.", "name": "fig-glance-sheet"}, "image": {"alt": "A row of digits for each method, this run", "width": "640px"}} tags=["hide-input"]
this = f"This run, profile {profile}, {glance.base}"
figure = plots.glance_sheet(record, image, title=this)

# %% mystnb={"figure": {"caption": "Recorded. UR against the Fr\u00e9chet distance of the retained classes, with 95 % intervals over images. Grey band: the share of real retained images that the classifier takes for the forgotten class; dashed: the distance of as many real images.", "name": "fig-glance-plane-recorded"}, "image": {"alt": "Forgetting against quality for each method, as recorded", "width": "640px"}} tags=["hide-input"]
if page.recorded:
    plots.forgetting_plane(page.recorded, title=recorded)

# %% mystnb={"figure": {"caption": "This run. UR against the Fr\u00e9chet distance of the retained classes, with 95 % intervals over images. Grey band: the share of real retained images that the classifier takes for the forgotten class; dashed: the distance of as many real images.", "name": "fig-glance-plane"}, "image": {"alt": "Forgetting against quality for each method, this run", "width": "640px"}} tags=["hide-input"]
figure = plots.forgetting_plane(record, title=this)

# %% tags=["hide-input"]
from IPython.display import display


def table(record, title):
    """What a run did, and what it cost."""
    looked, lines = record.series["looked"], {}
    for name in ["before", *record.series["order"]]:
        one = looked[name]
        lines[record.series["titles"].get(name, "before")] = {
            "UR, %": plots.over_interval(one["ur"], one["ur_low"], one["ur_high"], 1),
            "of those asked, %": f"{one['asked']:.0f}",
            "distance": plots.over_interval(one["distance"], one["low"], one["high"]),
        }
        cost = {
            "updates": f"{one['updates']}",
            "evaluations": f"{one['evaluations']}",
            "before them": f"{one['beforehand']}",
            "seconds": f"{one['seconds']:.1f}",
        }
        if name == "before":
            cost = dict.fromkeys(cost, "")
        lines[record.series["titles"].get(name, "before")] |= cost
    return plots.table(lines, title)


if page.recorded:
    display(table(page.recorded, recorded))
display(table(record, this))

# %% [markdown]
# *Of those asked*: of the images that were asked to show the forgotten class, how many do. *Before them*: gradient evaluations that the run itself makes before its first update: BlindSpot's teacher, the Fisher information, the mask. Seconds are the run's, without drawing.
#
# ## What to notice

# %% tags=["hide-input"]
from companion.page import Markdown

best = page.recorded or record
source = f"recorded, `{page.recorded.profile}`" if page.recorded else f"this run, `{profile}`"
looked, titles = best.series["looked"], best.series["titles"]
start, truth = looked["before"], best.series["real"]
forgot = [name for name in titles if looked[name]["ur_low"] <= truth["ur_high"]]
kept = [name for name in titles if looked[name]["low"] <= start["high"]]


def listed(names):
    """Titles with UR and distance."""
    said = [
        f"{titles[name]} ({looked[name]['ur']:.1f} %, {looked[name]['distance']:.2f})"
        for name in sorted(names, key=lambda name: looked[name]["distance"])
    ]
    return ", ".join(said) or "none"


both = [name for name in forgot if name in kept]
damaged = [name for name in forgot if name not in kept]
part = [name for name in titles if name not in forgot and looked[name]["ur_high"] < start["ur"]]
rest = [name for name in titles if name not in (*forgot, *part)]


points = [
    f"**Forgot, and kept the rest**: {listed(both)}.",
    f"**Forgot, and damaged the rest**: {listed(damaged)}. A UR at the floor is worth"
    " nothing without the second number.",
    f"**Less of it, but not gone**: {listed(part)}.",
    f"**Not forgotten within this budget**: {listed(rest)}. That is a statement about"
    " one budget at one learning rate, not about the methods.",
]
if "unseen" in titles:
    retrained = "fits" if "unseen" in kept else "does not fit"
    points += [
        f"**Retraining {retrained} into such a budget**: {listed(['unseen'])}."
        " The trained weights are what unlearning saves."
    ]
if {"neggrad", "vdu"} <= titles.keys():
    points += [
        f"**Ascent does not stop by itself.** {listed(['neggrad'])}; with the paper's"
        rf" $\gamma = 0.1$ {listed(['vdu'])}. VDU's own rate is 1e-6, two hundred times"
        " smaller: one rate for all is hardest on methods without a lower bound."
    ]
if {"finetune", "selective_amnesia"} <= titles.keys():
    shows = [looked[name]["asked"] for name in ("finetune", "selective_amnesia")]
    points += [
        "**Of the images that were asked for the forgotten class**,"
        f" {shows[0]:.0f} % still show it after fine-tuning, for which nobody asks any"
        f" more, and {shows[1]:.0f} % after Selective Amnesia"
        + (
            r"; with the paper's $\lambda$ its weights hardly move, for a reason that"
            " the exercise finds."
            if "selective_amnesia" in rest
            else "."
        )
    ]
updates = sorted({looked[name]["updates"] for name in titles})
points += [
    f"**One budget is not one number of updates**: {updates[0]} to {updates[-1]} here,"
    " since an update costs one, two or four gradient evaluations. A comparison in"
    " updates, or in epochs, favours those that do more in each."
]
Markdown(
    f"A method *forgot* if the interval of its UR reaches that of the classifier's floor"
    f" ({truth['ur_high']:.1f} % at most), and *kept the rest* if the interval of its"
    f" distance reaches that of the model before ({start['high']:.2f} at most). In"
    " brackets: UR and distance; before unlearning they are"
    f" {start['ur']:.1f} % and {start['distance']:.2f}."
    f" ({source[0].upper()}{source[1:]}, {best.series['budget']} gradient evaluations"
    " each.)\n\n" + "\n".join(f"- {point}" for point in points)
)

# %% [markdown]
# ```{exercise} Two dials without a unit
# :label: ex-dials
# Selective Amnesia's $\lambda = 10$ was chosen for a network of 38.6 million weights. Its penalty is a sum over weights, each allowed to move until it is felt. Scale $\lambda$ with the number of weights and run {eq}`eq-glance-amnesia` again. VDU's $\gamma$ weighs two sums, one over data and
# time steps, one over weights: run {eq}`eq-glance-vdu` with 0.8. What would make each dial mean the same for every network?
# ```

# %% [markdown] tags=["solution"]
# ````{solution-start} ex-dials
# :class: dropdown
# ````

# %% tags=["solution"]
lam = 10 * weights / 38.6e6
run = selective_amnesia(
    model, D_f, D_g, generator=draws(), steps=budget // 2, lam=lam, **fisher, **common
)
print(f"lambda {lam:.2f}:", glance.look("selective_amnesia", run))
gamma = 0.8
settings = {"posterior": gaussian, "gamma": gamma, **common}
run = vdu(model, D_f, generator=draws(), steps=budget, **settings)
print(f"gamma {gamma}:", glance.look("vdu", run))

# %% [markdown] tags=["solution"]
# To first order the loss falls by about $n / (2 \lambda T^2)$ before $n$ weights are held: a small network with the large one's $\lambda$ is held $38.6 / 0.7 = 55$ times as tightly. Scaled, it forgets. VDU's two sums grow with the data, the steps and the weights, each at its own rate, so that one step of
# $\gamma$ goes from ruin to nothing; means in place of sums (`normalised=True`) take the sizes out. Neither is a matter of tuning: a dial that has a unit must be given in that unit.
#
# ````{solution-end}
# ````
