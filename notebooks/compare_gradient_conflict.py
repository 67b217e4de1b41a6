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
# (compare-gradient-conflict)=
# # Do forgetting and keeping pull apart?
#
# EraseDiff's Figure 2 {cite}`erasediff` shows that the update of the plain sum of both losses is often at an obtuse angle to one of the two gradients, and that
# its own update mostly is not. The figure covers one method and one rival, each with the gradients of its own terms ({ref}`erasediff-fig2` repeats it in this way). Here
# we ask the same question of every method on the bench ({ref}`compare-all-methods`), with one measure for all.

# %% tags=["parameters"]
profile = "smoke"  # recorded | smoke | laptop | paper: data, budget, probes
seeds = ""  # of training and probes, such as "0,1,2"; empty: as many as the profile has
forget = "1"  # the class that is to be forgotten, or several: "3,7"
process = "ddpm"  # ddpm | ve: which base model
dataset = ""  # digits | mnist; empty: as the profile has it
methods = "all"  # or some, separated by commas: "erasediff,multi_objective"

# %%
from companion.comparison.bench import AMOUNTS, Bench
from companion.comparison.entrants import ENTRANTS
from companion.page import Page

page = Page("compare_gradient_conflict", vars())
names = page.chosen("methods", ENTRANTS)
page.budget(**AMOUNTS)  # the comparison's; the paper's figure has no such setting
asked = {key: page.parameters[key] for key in ("dataset", "process", "forget")}
bench = Bench.of(page.profile, **asked)

# %% tags=["hide-input", "key"]
if page.recorded:
    share = {
        (v.method, v.protocol["metric"].rpartition(" ")[2]): v.value for v in page.recorded.all()
    }
    probed = max(value.n for value in page.recorded.all())
    harms, restores = ({n: share[n, what] for n, _ in share} for what in ("harms", "restores"))
page.verdict(
    claim="The update of the plain sum of both losses is often in conflict with one of the gradients; EraseDiff's mostly is not (Figure 2, CIFAR-10).",
    found=f"EraseDiff's updates raise the retained loss at {harms['erasediff']:.0f} % of the probes and lower the forgotten one at {restores['erasediff']:.0f} %. Those of the plain sum (Multi-objective) do so at {harms['multi_objective']:.0f} % and {restores['multi_objective']:.0f} %: the two methods err on opposite sides.",
    verdict="By this measure EraseDiff is not free of conflict. This is *another protocol* than the figure's: the theorem is about the gradient passed to Adam and the method's own erasing loss, this page about the change of the weights and the denoising loss.",
    rests=f"Digit {page.recorded.parameters['forget']}; up to {probed} updates probed in each run of the comparison.",
    holds=[
        harms["erasediff"] > harms["multi_objective"] + 20,
        restores["erasediff"] < restores["multi_objective"] - 20,
    ],
)

# %% [markdown]
# ## Three cosines
#
# ```{math}
# :label: eq-conflict
# \begin{aligned}
# \text{keeps} &= \cos\bigl(\Delta\theta,\, -\nabla L_g\bigr), \qquad
# \text{erases} = \cos\bigl(\Delta\theta,\, +\nabla L_f\bigr), \\
# \text{agree} &= \cos\bigl(-\nabla L_g,\, +\nabla L_f\bigr), \qquad
# L_i = \E_{x_0 \sim D_i} \lVert z - \epsilon_\theta(x_t, t) \rVert^2 .
# \end{aligned}
# ```
#
# $\Delta\theta$ is the actual change of the weights, not the gradient passed to the optimiser. $L_g$ and $L_f$ are the denoising losses on retained and forgotten data, on
# batches that the run does not see. An update that does what it should lowers the first and raises the second: both cosines are positive. A negative *keeps* means that the update harms what is to be kept,
# a negative *erases* that it restores what is to be forgotten.
#
# As an example, here is one step of plain gradient descent on $L_g$, without Adam, on the embedded digits, with fresh weights and with trained ones:

# %%
import torch

from companion import bases
from paperlib.data import sets
from paperlib.data.splits import split
from paperlib.losses import batch_loss

kind = bases.BASES["digits-ddpm"]
D_g, D_f = (bases.examples(kind, side) for side in split(sets.load("digits"), "1"))
draw = torch.Generator().manual_seed(page.seeds[0])


def gradient(model, data):
    """Gradient of the denoising loss on a fresh batch of 64, for all weights in one vector."""
    loss = batch_loss(model, data, 64, draw).mean()
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))])


for name, model in {
    "fresh": bases.architecture(kind),
    "trained": bases.load("digits-ddpm"),
}.items():
    move, keep, erase = -gradient(model, D_g), -gradient(model, D_g), gradient(model, D_f)
    pairs = {"keeps": (move, keep), "erases": (move, erase), "agree": (keep, erase)}
    cosines = (f"{what} {torch.cosine_similarity(*two, dim=0):+.2f}" for what, two in pairs.items())
    print(f"{name:8} {'   '.join(cosines)}")

# %% [markdown]
# With fresh weights there is one thing to learn, and it is the same for both sides. For a trained model the gradient of a batch is mostly that batch's noise: even a descent step on $L_g$ of one batch need not lower it on the next.
#
# ## The runs
#
# The runs are those of the comparison: same base model, same budget, settings from the same search. At evenly spaced updates, {py:class}`companion.comparison.probes.Probe` records the gradients before the update
# and the change of the weights after it.

# %%
from companion.comparison.bench import run
from companion.comparison.compared import titles
from companion.comparison.course_results import probes
from companion.comparison.probes import conflict
from companion.rows import row


def seen(name):
    """Return the three cosines at each probed update, a list for each seed."""
    return [probes(run(page.store, bench, name, seed)) for seed in page.seeds]


def rows():
    """Yield the percentages of gradients that disagree, and of updates that harm or restore."""
    for name in names:
        n = min(len(one) for one in seen(name))
        for seed, found in zip(page.seeds, seen(name)):
            for what, share in conflict(found).items():
                facts = bench.facts(name) | dict(metric=f"share of probed updates, {what}")
                yield row(share, unit="%", n=n, seed=seed, **facts)


# %%
def curves():
    """Return every cosine in the figure."""
    found = {name: seen(name) for name in names}
    return {"probes": found, "titles": titles(names), "bench": bench.model_dump(mode="json")}


result = page.measure(rows, series=curves)

# %% [markdown]
# ## The directions

# %% mystnb={"figure": {"caption": "The cosines of every probed update with both gradients, one curve per seed; the axis is linear up to 0.05 and logarithmic beyond. Above zero the update helps, to first order. {run}.", "name": "fig-conflict"}, "image": {"alt": "Cosines of the updates of every method", "width": "720px"}} tags=["key"]
from companion import plots

page.figure(plots.conflict_panels)

# %%
from companion.comparison import tables

page.show(tables.shares)

# %% [markdown]
# ## What to notice

# %% tags=["hide-input"]
from statistics import fmean

from companion.comparison.search import committed

probed = {name: sum(per_seed, []) for name, per_seed in result.series["probes"].items()}
agree = [one["agree"] for ones in probed.values() for one in ones]
against = 100 * fmean(cosine < 0 for cosine in agree)
share = {name: conflict(ones) for name, ones in probed.items()}
harms, restores = ({n: one[what] for n, one in share.items()} for what in ("harms", "restores"))
mean = {n: [fmean(one[what] for one in probed[n]) for what in ("keeps", "erases")] for n in probed}
search = committed(result.series["bench"]["base"], result.series["bench"]["forget"])
rate = {n: search.best(n).settings["lr"] for n in ("erasediff", "multi_objective")}
page.say(
    f"**The two goals do pull apart.** At {against:.0f} % of all probes the two gradients disagree, with a mean cosine of {fmean(agree):+.2f}: what lowers the error on retained digits lowers it on the forgotten one too, since both are images of the same kind.",
    f"**Methods that see no retained data** nearly always harm what is to be kept: VDU at {harms['vdu']:.0f} % of the probes, NegGrad at {harms['neggrad']:.0f} %. **Training on retained data alone** brings the forgotten loss down as well: Unseen at {restores['unseen']:.0f} %, fine-tuning at {restores['finetune']:.0f} %.",
    f"**EraseDiff against the plain sum**: it harms at {harms['erasediff']:.0f} % and restores at {restores['erasediff']:.0f} %, the sum at {harms['multi_objective']:.0f} % and {restores['multi_objective']:.0f} %. Both run with the settings that the search chose for them, a rate of {rate['erasediff']:g} for EraseDiff and of {rate['multi_objective']:g} for the sum.",
    f"**Only Redirect clearly does both on average**: keeps {mean['redirect'][0]:+.3f}, erases {mean['redirect'][1]:+.3f}. All these cosines are small, as is usual for vectors with a million entries.",
    f"**Half and half means nothing.** {len(probed['salun'])} probes leave some 16 points of uncertainty: Selective Amnesia ({harms['selective_amnesia']:.0f} %), SalUn ({harms['salun']:.0f} %) and both losses of SGU ({harms['sgu_orthogonal']:.0f} %) cannot be distinguished from a coin toss in what they do to the retained loss.",
    f"**The picture does not predict who forgets.** Signed passes the comparison's rule, and its updates restore the forgotten loss at {restores['signed']:.0f} % of the probes; Redirect, the one with the right signs, does not pass it. A cosine says where a very small step would lead, and what a model samples depends on more than two losses.",
    holds=[
        against > 80 and fmean(agree) < -0.5,
        min(harms["vdu"], harms["neggrad"]) > 90,
        [n for n in mean if min(mean[n]) > 0.01] == ["redirect"],
        restores["signed"] > 50 and harms["sgu_orthogonal"] == harms["sgu_obtuse"],
    ],
)

# %% [markdown]
# ```{exercise} Whose fault is it?
# :label: ex-conflict-adam
# Adam divides each gradient by its own running size, weight by weight, so its step can do harm that the gradient would not. Take one method with two terms, run it for some updates with `cosines=True`, and compare the cosines of the gradient passed to Adam (`step.cosines`) with those of its step (`step.move_cosines`). How
# often do the signs differ?
# ```

# %% [markdown] tags=["solution"]
# ````{solution-start} ex-conflict-adam
# :class: dropdown
# ````

# %% tags=["solution"]
from statistics import fmean

from paperlib.unlearning.sgu import sgu

settings = dict(loss="obtuse", batch_size=8, lr=1e-4, ema=0.0, cosines=True)
steps = list(sgu(model, D_f, D_g, steps=20, generator=draw, **settings))
for term in ("L_g", "L_f"):
    handed = [step.cosines[term] for step in steps]
    moved = [step.move_cosines[term] for step in steps]
    other = sum((a > 0) != (b > 0) for a, b in zip(handed, moved))
    print(
        f"{term}: passed to Adam {fmean(handed):+.2f}, Adam's step {fmean(moved):+.2f},"
        f" opposite signs {other} of {len(steps)}"
    )

# %% [markdown] tags=["solution"]
# The cosines of Adam's step are nearer to zero for both terms: the step remembers the gradients of other batches, and every coordinate is rescaled. What a method guarantees for $\delta$ holds only for plain gradient descent.
#
# ````{solution-end}
# ````

# %% [markdown]
# ## This run

# %% tags=["hide-output"]
page.this_run()
