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
# (erasediff-fig5)=
# # EraseDiff, Figure 5: the ablation of K and eta
#
# EraseDiff {cite}`erasediff` has two hyper-parameters: $K$, the number of inner steps, which approximate the minimal erasing loss, and $\eta$, which weights the constraint. Its Figure 5 (a) shows FID rising with both: "a larger number of iterations $K$ leads to more thorough erasure". And the entropy of the classifier's prediction on the forgotten class "remains close to 2.02" nats. {ref}`erasediff-fig2` shows that $K$ cannot matter in the paper's own algorithm. Then what does the figure show?

# %% tags=["parameters"]
profile = "smoke"  # recorded | smoke | laptop | paper
seeds = ""  # of unlearning and of the samples, such as "0,1,2"; empty: as many as the profile has
dataset = ""  # cifar10, mnist, digits: any with a conditional DDPM; empty: the profile's
forget = ""  # such as "airplane" or "3,7"; empty: the profile's
target = "noise"  # the figure's; or rl

# %%
from companion.page import Page

page = Page("erasediff_fig5_ablation", vars())
small = dict(of="", dataset="digits", forget="3", updates=3, batch_size=8, n=45, asked=20, steps=8)
small |= dict(etas=[0.1], Ks=[1, 3], sampler="iPNDM", guidance=0.0)
small |= dict(fid={}, reference="train", reference_n=0)
digits = small | dict(updates=20, batch_size=16, n=90, asked=40, steps=10)
digits |= dict(etas=[1e-4, 0.1, 1.0], Ks=[1, 5])
cifar10 = digits | dict(dataset="cifar10", forget="airplane", guidance=2.0, seeds=3)
cifar10 |= dict(reference="test")  # the classifier has learnt the training images
budget = page.budget(
    smoke=small,
    laptop=digits if dataset in ("digits", "mnist") else cifar10,
    paper=small
    | dict(of="erasediff-", dataset="cifar10", forget="airplane", updates=288)
    | dict(batch_size=128, n=45_000, asked=500, steps=1000, sampler="DDPM", guidance=2.0, seeds=3)
    | dict(fid=dict(reference="train"), etas=[1e-4, 1e-3, 0.01, 0.1, 1.0], Ks=[1, 2, 5, 10]),
)

# %% tags=["hide-input", "key"]
from companion import plots

if page.recorded:
    along = {
        (metric, variant, dial): [
            one.value for one in plots.ablated(page.recorded, metric, variant, dial)
        ]
        for metric in ("rest-frechet", "p_forget", "entropy")
        for variant, dial in (("paper", "eta"), ("paper", "K"), ("code", "K"))
    }
    by_eta, by_K, code = (
        along["rest-frechet", *key] for key in (("paper", "eta"), ("paper", "K"), ("code", "K"))
    )
    most = max(along["entropy", "paper", "eta"])
    run, asked = (page.recorded.all(metric=what)[-1] for what in ("rest-frechet", "entropy"))
page.verdict(
    claim="FID rises with $\\eta$ and with $K$: more inner steps erase more thoroughly. The entropy stays close to 2.02 nats.",
    found=f"Digits, noise as target. With $\\eta$ = 0.0001, 0.1 and 1 the distance of the others is {by_eta[0]:.1f}, {by_eta[1]:.0f} and {by_eta[2]:.0f}. As printed, one and five inner steps end in bit-identical weights. In the public code they do not: {code[0]:.1f} and {code[1]:.1f}. No entropy is above {most:.2f} nats.",
    verdict="From 0.0001 to 0.1 $\\eta$ works as the paper says; at 1 nothing is left to ruin. $K$ acts only in the code, through Adam's moments, and there more steps forget less: its curve in Figure 5 cannot come from the algorithm as printed. The entropy is not reproduced even qualitatively: our classifier is confident about images that show nothing. *Another protocol*.",
    rests=f"{run.protocol['updates']} updates of {run.protocol['batch_size']} images; {run.n} and {asked.n} images behind each point. CIFAR-10 is not recorded.",
    holds=[
        page.recorded.series["same"] and by_K[0] == by_K[1],
        by_eta[0] < 3 < 30 < min(by_eta[1:]),
        code[1] < code[0] and most < 0.6,
    ],
)

# %% [markdown]
# ## Where K and eta enter
#
# ```{math}
# :label: eq-fig5-dials
# \lambda_t = \max\Bigl(0,\ \frac{a_t - \nabla g \cdot \nabla L_r}{\lVert \nabla g \rVert^2}\Bigr), \qquad
# a_t = \begin{cases} \eta\, \lVert \nabla g \rVert^2 & \text{as printed} \\ \eta\, g / \xi & \text{ours, "corrected"} \end{cases}
# ```
#
# and in the public code $\lambda_t = 0.1$, a constant. $K$ can only enter through the *value* of $g = L_f(\theta) - L_f(\phi^K)$: as printed it enters nowhere, in "corrected" through $a_t$, and in the code through the optimiser, which remembers the inner steps. $\eta$ enters nowhere in the code's default.
#
# ## The runs

# %%
from companion.models import base
from paperlib.unlearning.erasediff import erasediff

start = base(f"{budget.of}{budget.dataset}-ddpm-labels", called="unscrubbed")
common = dict(updates=budget.updates, batch_size=budget.batch_size, lr=1e-4, target=target)


def run(variant, seed, **dials):
    """Run EraseDiff with these settings; the printed one with the code's eta is named as on other pages."""
    printed = (variant, dials.get("eta"), dials["K"]) == ("paper", 0.1, min(budget.Ks))
    called = "erasediff" if printed else "erasediff_ablation"
    own = common | dict(variant=variant, seed=seed, called=called) | dials
    return start.unlearn(erasediff, budget.forget, **own)


def models(seed):
    """Vary eta at the smallest K, then K at eta = 0.1; as printed, only the smallest K and the largest."""
    least, *more = sorted(budget.Ks)
    for eta in budget.etas:
        yield run("paper", seed, eta=eta, K=least)
        yield run("corrected", seed, eta=eta, K=least)
    yield run("code", seed, lam=0.1, K=least)
    for K in more:
        yield run("code", seed, lam=0.1, K=K)
        yield run("corrected", seed, eta=0.1, K=K)
    for K in more[-1:]:
        yield run("paper", seed, eta=0.1, K=K)


# %%
from companion import checkpoints
from companion.studies import erasediff_measures

drawing = dict(n=budget.n, forget_n=budget.asked, sampler=budget.sampler, guidance=budget.guidance)
drawing |= dict(evaluations=budget.steps * (2 if budget.guidance else 1))
drawing |= dict(fid=budget.fid, networks=["classifier"] + ["inception"] * bool(budget.fid))
drawing |= dict(reference=budget.reference, reference_n=budget.reference_n)


def rows():
    """Yield distance of the retained classes, entropy and P(c_f | x_f) for the base model and every run."""
    for seed in page.seeds if not start.missing else []:
        for model in [start, *models(seed)]:
            yield from erasediff_measures.rows_of(model, budget.forget, seed=seed, **drawing)


def curves():
    """Compare the hashes of the printed algorithm's checkpoints: are the weights the same for both K?"""
    if start.missing:
        return {}
    ends = (min(budget.Ks), max(budget.Ks))
    folders = [run("paper", page.seeds[0], eta=0.1, K=K).made().path for K in ends]
    first, second = (checkpoints.card("model", folder)["sha256"] for folder in folders)
    return dict(same=first == second, Ks=ends)


def missing(claim):
    """Say why a printed cell was not run."""
    return base("erasediff-cifar10-ddpm-labels").missing or "an ablation has no one value"


by = ["eta", "lam", "K"]
tables = ["erasediff.text_entropy"]
result = page.measure(rows, series=curves, tables=tables, missing=missing, by=by)

# %% [markdown]
# ## The figure

# %% mystnb={"figure": {"caption": "Top: the distance of images of the retained classes from real ones; bottom: the entropy of the classifier's prediction on images asked for the forgotten class. Left: against eta; right: against K; dotted: before. Mean over seeds, with one point per seed. {run}.", "name": "fig-erasediff-ablation"}, "image": {"alt": "Distance and entropy against eta and K for three variants", "width": "700px"}} tags=["key"]
from companion import plots

page.figure(plots.ablation_curves)

# %%
page.show(plots.ablation_table)

# %% [markdown]
# ## The paper's entropy

# %%
page.compare("erasediff.text_entropy")

# %% [markdown]
# ## What to notice


# %% tags=["hide-input"]
def along(metric, variant, dial):
    """Return the values along K or eta."""
    return [one.value for one in plots.ablated(result, metric, variant, dial)]


left, far = along("p_forget", "paper", "eta"), along("rest-frechet", "paper", "eta")
code, code_far = along("p_forget", "code", "K"), along("rest-frechet", "code", "K")
fixed = along("rest-frechet", "corrected", "K")
code_ends, code_left = (
    plots.ablated(result, what, "code", "K") for what in ("rest-frechet", "p_forget")
)
before = result.find(metric="rest-frechet", method="unscrubbed").value
page.say(
    f"**$\\eta$ is a switch here.** At the text's 0.0001 (its learning rate, which has the same symbol) most is left ($P(c_f \\mid x_f)$ {left[0]:.2f}) and the others are at {far[0]:.1f} (before: {before:.1f}); at the code's 0.1 the class is gone ({left[1]:.2f}), and so are the others ({far[1]:.0f}). Text and code differ by a factor of a thousand in the one setting that decides.",
    f"**$K$ has no effect as printed.** The two checkpoints have the same hash: no inner step reaches a weight. With our constraint, which depends on the value of $g$, $K$ moves the distance from {fixed[0]:.1f} to {fixed[1]:.1f}, less than an interval.",
    f"**In the code $K$ does something, but not what the paper says.** From one to five inner steps $P(c_f \\mid x_f)$ rises from {code[0]:.2f} to {code[1]:.2f} and the distance falls from {code_far[0]:.1f} to {code_far[1]:.1f} (for every seed; the intervals overlap). The steps were undone in the weights, but Adam remembers them: they push the next update along, and they inflate the second moment by which it is divided. The code clips the gradients of its updates but not those of the inner steps, so the inner steps outweigh the update that they prepare. A reader who implements the algorithm will not find Figure 5's curve.",
    f"**High entropy needs an honest classifier.** Where the images are noise ours has {max(along('entropy', 'paper', 'eta')):.2f} nats, not 2.02: it was never shown noise, and confidently calls it a 9 ({{ref}}`erasediff-fig19`). The number depends on the classifier as much as on the model.",
    holds=[
        left[0] > 0.7 and left[1] < 0.2 and far[1] > 10 * far[0],
        result.series["same"] and abs(fixed[1] - fixed[0]) < 5,
        code[1] > code[0] and code_far[1] < code_far[0],
        all(b < a for a, b in zip(*(one.per_seed for one in code_ends))),
        all(b > a for a, b in zip(*(one.per_seed for one in code_left))),
    ],
)

# %% [markdown]
# ```{exercise} How uncertain is 2.02 nats?
# :label: ex-fig5-entropy
# Ten equally likely classes have an entropy of $\log 10 = 2.30$ nats. Which prediction has 2.02: how many equally likely classes, or what probability for one class if the other nine share the rest?
# ```

# %% [markdown] tags=["solution"]
# ````{solution-start} ex-fig5-entropy
# :class: dropdown
# ````

# %% tags=["solution"]
import math

from scipy.optimize import brentq


def entropy(p):
    """Entropy of one class with p and nine that share the rest."""
    return -p * math.log(p) - (1 - p) * math.log((1 - p) / 9)


print(
    f"{math.exp(2.02):.1f} equally likely classes, or one with {brentq(lambda p: entropy(p) - 2.02, 0.1, 0.9):.2f}"
)

# %% [markdown] tags=["solution"]
# This is the entropy of the prediction for one image. An image of another class, which is what "rl" aims at, has an entropy near 0. A high entropy means that the image shows nothing, and is a property of the target "noise".
#
# ````{solution-end}
# ````

# %% [markdown]
# ## This run

# %% tags=["hide-output"]
page.this_run()
