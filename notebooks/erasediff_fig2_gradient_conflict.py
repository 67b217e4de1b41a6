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
# (erasediff-fig2)=
# # EraseDiff, Figure 2: does the update fight itself?
#
# EraseDiff {cite}`erasediff` aims to forget one class and keep the others: two losses, two gradients. Its Figure 2 follows a conditional DDPM of CIFAR-10 that forgets airplanes, and plots the cosine of each update $\delta$ with either gradient. Below zero the two are *in conflict*: the update undoes what that loss asks for. The figure prints no numbers, so we count: in how many updates is $\delta$ at an obtuse angle to a gradient?

# %% tags=["parameters"]
profile = "smoke"  # recorded | smoke | laptop | paper
seeds = ""  # of batches and noise, such as "0,1,2"; empty: as many as the profile has
dataset = ""  # cifar10, mnist, digits: any with a conditional DDPM; empty: the profile's
forget = ""  # the class that is to be forgotten, or several, "3,7"; empty: the profile's
variant = "all"  # all | paper | code | corrected, or some of them
K = 2  # inner steps; the public code has 2 epochs over D_f
lam = 0.1  # weight of L_f in the plain sum, the public code's; the paper prints none
eta = 0.1  # of the constraint: the public code's; the paper's text has 1e-4
lr = 1e-4  # Adam's; the public code's

# %%
from companion.page import Page

page = Page("erasediff_fig2_gradient_conflict", vars())
small = dict(of="", dataset="digits", forget="3", steps=4, batch_size=4)
small |= dict(n=20, evaluations=4, guidance=0.0)
few = small | dict(steps=30, batch_size=16, n=60, evaluations=10, guidance=2.0, seeds=3)
cifar10 = few | dict(dataset="cifar10", forget="airplane")
budget = page.budget(
    smoke=small,
    laptop=few | dict(dataset=dataset) if dataset in ("digits", "mnist") else cifar10,
    # the public code's 4 x 2 x 36 updates; 500 images as in Table 1; iPNDM is ours
    paper=cifar10 | dict(of="erasediff-", steps=288, batch_size=128) | dict(n=500, evaluations=50),
)

# %% tags=["hide-input", "key"]
from companion.studies.erasediff_amounts import size


def finding(record):
    """Return what CIFAR-10's runs show."""
    told = record.all(metric="conflict", vector="delta", dataset="cifar10")
    crossed = {(v.protocol.get("variant", "moo"), v.protocol["gradient"]): v.value for v in told}
    run = record.all(metric="asked", dataset="cifar10")[-1].protocol
    return dict(
        found=f"The plain sum opposes the erasing gradient in {crossed['moo', 'L_f']:.0f} % of its updates and the preserving one in {crossed['moo', 'L_r']:.0f} %: no alternation. EraseDiff as printed opposes neither; for the erasing gradient this holds by construction. The public code's default opposes it in {crossed['code', 'L_f']:.0f} %.",
        rests=f"A conditional DDPM of CIFAR-10 with {size('cifar10-ddpm-labels')} forgets {run['forget']}s: {run['updates']} updates of {run['batch_size']} images (the public code: 288 of 128).",
        holds=[crossed["moo", "L_r"] == crossed["paper", "either"] == 0]
        + [crossed["code", "L_f"] > crossed["moo", "L_f"] > 20],
    )


page.verdict(
    claim='The update of the plain sum ("MOO", Eq. 3) shows "a clear alternating pattern": along the preserving gradient and against the erasing one, and vice versa. EraseDiff\'s is "mostly" along both.',
    found=finding,
    verdict="The claim about EraseDiff holds here; the plain sum does not alternate at $\\lambda = 0.1$. *Another protocol*: a smaller network and fewer updates.",
)

# %% [markdown]
# ## The update
#
# ```{math}
# :label: eq-fig2-delta
# \begin{aligned}
# \text{MOO:}\quad & \delta_t = \nabla L_r + \lambda\, \nabla L_f, \\
# \text{EraseDiff:}\quad & \delta_t = \nabla L_r + \lambda_t\, \nabla g, \qquad
# \lambda_t = \max\Bigl(0,\ \frac{a_t - \nabla g \cdot \nabla L_r}{\lVert \nabla g \rVert^2}\Bigr), \\
# & g(\theta) = L_f(\theta) - L_f(\phi^K) .
# \end{aligned}
# ```
#
# $L_r$ is the denoising loss on what is kept. $L_f$ is an *erasing* loss, which is minimised: under the forgotten label the model learns what it predicts under another. $\phi^K$ is what $K$ steps of gradient descent on $L_f$ reach from $\theta_t$. It is held constant in $\nabla g$, so $\nabla g = \nabla L_f$. With the paper's $a_t = \eta \lVert \nabla g \rVert^2$ the multiplier ensures
#
# ```{math}
# :label: eq-fig2-promise
# \delta_t \cdot \nabla L_f \;\ge\; \eta \lVert \nabla L_f \rVert^2 \;>\; 0,
# ```
#
# so the lower row of the figure is positive *by construction*, whatever the data. It guarantees nothing about the upper row. A fixed $\lambda$ guarantees neither, but its $\delta$ can never oppose both gradients at once. Here is one update by hand, for a small model of scikit-learn's digits that forgets the 3:

# %%
import torch
from torch.nn.functional import cosine_similarity

from companion import bases
from paperlib.data.splits import split
from paperlib.losses import batch_loss, draw
from paperlib.unlearning.erasediff import erasing, multiplier

kind = bases.BASES["digits-ddpm-labels"]
model, images = bases.load(kind.name), bases.images(kind.dataset, "train")
D_r, D_f = (bases.examples(kind, side) for side in split(images, "3"))
noise = torch.Generator().manual_seed(page.seeds[0])

L_r = batch_loss(model, D_r, 32, noise).mean()
L_f = erasing(model, *draw(D_f, 32, noise), noise).loss(model)
both = (torch.autograd.grad(L, list(model.parameters())) for L in (L_r, L_f))
g_r, g_f = (torch.cat([g.flatten() for g in gradient]) for gradient in both)

lambda_t = multiplier(g_r, g_f, a=eta * (g_f @ g_f).item())
for by in (lam, lambda_t):
    delta = g_r + by * g_f
    cosines = [cosine_similarity(delta, g, dim=0).item() for g in (g_r, g_f)]
    print(f"lambda {by:.2f}: cosines {cosines[0]:+.3f} and {cosines[1]:+.3f}")

# %% [markdown]
# ## Four runs
#
# All start from the same weights and see the same batches of retained images. `"code"` is what the public code does by default: the multiplier is the constant $\lambda$, so it is the plain sum again, except for how it samples other labels and for the inner loop, whose steps Adam's moments remember. `"corrected"` is ours ({py:mod}`paperlib.unlearning.erasediff`): $a_t = \eta\, g / \xi$, which stops erasing when nothing is left to gain.

# %%
from companion.studies.directions import Run, apart, conflict, follow, look, updates

names = ("forget", "steps", "batch_size", "n", "evaluations", "guidance")
common = {name: vars(budget)[name] for name in names} | dict(lr=lr, lam=lam, eta=eta)
common |= dict(base=f"{budget.of}{budget.dataset}-ddpm-labels")
variants = page.chosen("variant", ["paper", "code", "corrected"])


def erasediff(variant, K, **own):
    """Describe one run of EraseDiff."""
    return Run.checked(method="erasediff", variant=variant, K=K, **common, **own)


unscrubbed = Run.checked(method="unscrubbed", **common)
runs = {"MOO": Run.checked(method="multi_objective", **common)}
runs |= {f"EraseDiff, {name}": erasediff(name, K) for name in variants}

# %% [markdown]
# ## What does the inner loop do?
#
# $K$ is said to drive erasure. But with $\nabla g = \nabla L_f$, and an $a_t$ that does not depend on the value of $g$, no step of the inner loop can reach the update. In the public code one Adam takes the steps of both loops; the inner ones are undone in the weights but not in Adam's moments. So we compare the same run with $K$ steps and with none (with one for `corrected`, which needs the value), under Adam and under plain gradient descent, by
#
# ```{math}
# :label: eq-fig2-apart
# \text{apart} = \frac{\lVert \theta_T^{(K)} - \theta_T^{(0)} \rVert}{\lVert \theta_T^{(K)} - \theta_0 \rVert} .
# ```

# %%
import itertools

pairs = []
for name, optimizer in itertools.product(variants, ("adam", "sgd")):
    few = 1 if name == "corrected" else 0
    pairs.append([erasediff(name, k, optimizer=optimizer) for k in (max(K, few + 1), few)])

# %% [markdown]
# ## The measures
#
# *Shown when asked* is the share of the images asked for the forgotten class that show it, according to a classifier. *Distance* is a Fréchet distance, in the classifier's features, of images of the other classes from real ones.

# %%
from companion.rows import row


def paired():
    """Return every pair with its seeds; under gradient descent only the first."""
    every = itertools.product(page.seeds, pairs)
    return [(s, pair) for s, pair in every if s == page.seeds[0] or pair[0].optimizer == "adam"]


def rows():
    """Yield the conflicts of the runs, what the inner loop changes, and the result of every run."""
    for seed, run in itertools.product(page.seeds, runs.values()):
        found, facts = updates(follow(page.store, run.at(seed))), run.facts
        told = dict(metric="conflict", unit="%", n=budget.steps, seed=seed)
        sides = ("L_r", "L_f", "either")
        for vector, side in itertools.product(("delta", "move"), sides):
            share = conflict(found, vector, side)
            yield row(share, vector=vector, gradient=side, **told, **facts)
    for seed, (run, other) in paired():
        far = apart(*(follow(page.store, one.at(seed)) for one in (run, other)))
        told = dict(metric="apart", unit="ratio", n=2, seed=seed)
        yield row(far, against=other.K, **told, **run.facts)
    one_run = itertools.product(page.seeds, [unscrubbed, *runs.values()])
    every = [*one_run, *((seed, run) for seed, pair in paired() for run in pair)]
    for run in dict.fromkeys(run.at(seed) for seed, run in every):
        yield from came_to(run)


# %%
def came_to(run):
    """Yield how often a run's model shows the class when asked, and its distance."""
    seen = look(follow(page.store, run))
    for metric, unit in {"asked": "%", "distance": "squared distance"}.items():
        told = dict(metric=metric, unit=unit, interval=seen[f"{metric}_interval"], n=run.n)
        told |= dict(seed=run.seed, sampler="iPNDM", guidance=run.guidance)
        told |= dict(sampler_evaluations=run.evaluations * (2 if run.guidance else 1))
        yield row(seen[metric], **told, **run.facts)


def curves():
    """Return the updates of the first seed."""
    first = {called: follow(page.store, run.at(page.seeds[0])) for called, run in runs.items()}
    return {"runs": {budget.dataset: {called: updates(one) for called, one in first.items()}}}


by = ["vector", "gradient", "optimizer", "K", "against"]
result = page.measure(rows, series=curves, by=by)

# %% [markdown]
# ## The figure

# %% mystnb={"figure": {"caption": "EraseDiff's Figure 2 on another model: cosines of every update with both gradients, for the first seed. Coloured below zero: conflict. Dashed: what Adam makes of the update. {run}.", "name": "fig-fig2"}, "image": {"alt": "Cosines of the updates with both gradients", "width": "720px"}} tags=["key"]
from companion import plots

page.figure(plots.direction_panels)

# %% [markdown]
# ## In numbers
#
# *Rule*: the class counts as forgotten if *shown when asked* is at most a third of the base model's, and the rest as kept if the distance is at most 1.5 times the base model's.

# %%
page.show(plots.conflict_table)

# %% [markdown]
# The same run with another number of inner steps:

# %%
page.show(plots.inner_table)

# %% [markdown]
# ## What to notice


# %% tags=["hide-input"]
first = next(iter(result.series["runs"]))  # the data set of the page's sentences


def of(name, metric, **facts):
    """Return one number of the plain sum, "moo", or of a variant under Adam."""
    own = {"moo": dict(method="multi_objective")}.get(name, dict(variant=name, optimizer="adam"))
    return result.find(metric=metric, dataset=first, **own, **facts).value


steps = result.series["runs"][first]
weights = [one["by"] for one in steps["EraseDiff, paper"]]
moved = [of(name, "conflict", vector="move", gradient="either") for name in ("moo", "paper")]
crossed = [of(name, "conflict", vector="delta", gradient="L_f") for name in ("moo", "code")]
left = [of("moo", "asked"), *(of(name, "asked", K=2) for name in ("paper", "code"))]
far = [of("moo", "distance"), *(of(name, "distance", K=2) for name in ("paper", "code"))]
alone = of("code", "asked", K=0)
begun = [
    result.find(metric=metric, dataset=first, method="unscrubbed")
    for metric in ("asked", "distance")
]
start = [one.value for one in begun]
spread = max(begun[1].per_seed) - min(begun[1].per_seed)
astray = of("code", "conflict", vector="move", gradient="L_r")

# %% tags=["hide-input"]
page.say(
    f"**The plain sum opposes one gradient only.** Its cosine with $\\nabla L_r$ never falls below {min(one['delta_r'] for one in steps['MOO']):.3f}: at $\\lambda = 0.1$ the retained images dominate, and {crossed[0]:.0f} % of the updates oppose $\\nabla L_f$. A fixed $\\lambda$ alternates only if it is about as large as $\\lVert\\nabla L_r\\rVert / \\lVert\\nabla L_f\\rVert$. The paper does not print the $\\lambda$ of its figure.",
    f"**The figure compares weights, too.** EraseDiff's $\\lambda_t$ is {sum(weights) / len(weights):.1f} on average and up to {max(weights):.1f}, where the plain sum has 0.1. It forgets far more ({left[1]:.0f} % still show an airplane when asked, the plain sum's {left[0]:.0f} %, before {start[0]:.0f} %); the other classes are at a distance of {far[1]:.1f} against {far[0]:.1f} (before: {start[1]:.1f}). This figure cannot say how much of that is due to the direction and how much to the weight; {{ref}}`compare-all-methods` compares them at equal cost.",
    f"**What holds for $\\delta$ need not hold for the weights.** Adam rescales every coordinate: its step opposes one of the gradients in {moved[0]:.0f} % of the plain sum's updates and in {moved[1]:.0f} % of EraseDiff's.",
    f"**The public code's default is the plain sum** with an inner loop, and opposes $\\nabla L_f$ in {crossed[1]:.0f} % of its updates. It erases most of all ({left[2]:.0f} % left), and the other classes suffer most (distance {far[2]:.1f}).",
    f"**Its erasing comes from Adam's memory.** Without the inner loop the same code leaves {alone:.0f} %; under plain gradient descent the loop changes no bit. So the steps that were undone in the weights do the work, through Adam's moments, and this is not part of the method that the paper describes. Their gradients are not clipped, in the public code or here, as $\\delta$ is: although $\\delta$ itself never opposes $\\nabla L_r$, what moves the weights does in {astray:.0f} % of the updates.",
    f"**As printed, $K$ changes no bit** under either optimiser; with our $a_t$ it changes {100 * of('corrected', 'apart'):.1f} % of the way.",
    "**No run forgets and keeps here**, by the book's rule, at one rate and in so few updates; and the plain sum's distance differs from the base model's by less than seeds do.",
    holds=[far[2] > 3 * far[1] > 3 * far[0], left[0] > 50 > left[1] > left[2], alone > 50]
    + [left[1] > start[0] / 3, far[2] > 1.5 * start[1], abs(far[0] - start[1]) < spread]
    + [of("code", "conflict", vector="delta", gradient="L_r") == 0, astray > 80]
    + [v.value == 0 for v in result.all(metric="apart", dataset=first, variant="paper")]
    + [
        v.value == 0
        for v in result.all(metric="apart", dataset=first, variant="code", optimizer="sgd")
    ],
)


# %% tags=["hide-input"]
def on_digits(record):
    """Return what MNIST's runs show beside CIFAR-10's, and the conditions."""
    own = dict(dataset="mnist")
    told = record.all(metric="conflict", vector="delta", **own)
    crossed = {(v.protocol.get("variant", "moo"), v.protocol["gradient"]): v.value for v in told}
    asked, far = (
        {
            one.protocol.get("variant", one.method): one.value
            for one in record.all(metric=metric, optimizer="adam", **own)
            if one.protocol.get("K", 2) == 2
        }
        for metric in ("asked", "distance")
    )
    start = record.find(metric="distance", method="unscrubbed", **own).value
    return dict(
        sentences=[
            f"**MNIST has the same directions, and less forgetting.** The plain sum opposes $\\nabla L_f$ in {crossed['moo', 'L_f']:.0f} % of its updates, the public code's default in {crossed['code', 'L_f']:.0f} %, EraseDiff as printed never; nothing opposes $\\nabla L_r$. But at the same rate and length EraseDiff as printed leaves the digit in {asked['paper']:.0f} % of the images asked for it, though the other digits come nearer to real ones (distance {far['paper']:.1f}, before {start:.1f}). The code leaves {asked['code']:.0f} % and damages the rest ({far['code']:.0f})."
        ],
        holds=[
            crossed["moo", "L_f"] > 20 < crossed["code", "L_f"] and crossed["paper", "either"] == 0,
            max(crossed["moo", "L_r"], crossed["code", "L_r"]) == 0,
            asked["paper"] > 90 > 10 > asked["code"] and far["paper"] < start < far["code"] / 5,
        ],
    )


page.say(on_digits)

# %% [markdown]
# ```{exercise} Two vectors in the plane
# :label: ex-fig2-plane
# Take $\nabla L_r = (1, 0)$ and $\nabla g = (\cos \varphi, \sin \varphi)$. Plot the cosines of $\delta$ with both for the plain sum ($\lambda = 0.1$ and 1) and for the theorem's multiplier with $\eta = 0.1$, over all angles $\varphi$. Where does the theorem's $\delta$ oppose $\nabla L_r$? Could any rule avoid it?
# ```

# %% [markdown] tags=["solution"]
# ````{solution-start} ex-fig2-plane
# :class: dropdown
# ````

# %% tags=["solution"]
import torch

from paperlib.unlearning.erasediff import multiplier

r = torch.tensor([1.0, 0.0])
for degrees in (30, 90, 120, 150, 170):
    angle = torch.tensor(degrees).deg2rad()
    f = torch.stack([angle.cos(), angle.sin()])
    rules = {"0.1": 0.1, "1": 1.0, "theorem": multiplier(r, f, 0.1 * (f @ f).item())}
    line = []
    for name, by in rules.items():
        delta = r + by * f
        both = [(delta @ one / delta.norm() / one.norm()).item() for one in (r, f)]
        line.append(f"{name}: {both[0]:+.2f} {both[1]:+.2f}")
    print(f"{degrees:4} degrees  ", "   ".join(line))

# %% [markdown] tags=["solution"]
# The theorem's $\delta$ is $\nabla L_r$ without its part against $\nabla g$, plus $\eta \nabla g$. At an angle $\varphi$ beyond 90 degrees its product with $\nabla L_r$ is $\sin^2 \varphi + \eta \cos \varphi$ for unit vectors: positive until the two gradients are nearly opposite, and negative there. No rule can follow exactly opposite gradients; short of
# that a direction along both always exists, for instance the bisector.
#
# ````{solution-end}
# ````

# %% [markdown]
# ## This run

# %% tags=["hide-output"]
page.this_run()
