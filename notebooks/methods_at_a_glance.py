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
# Every paper has one method and several baselines, described in its own words and symbols. How different are they? On this page each method is one equation and one call, on the same small model of digits;
# two tables show what each needs and what it did. **This is not the comparison**: one seed, one class, one learning rate for all, every other setting as its paper or its public code has it, and nothing tuned. {ref}`compare-all-methods` is the comparison.

# %% tags=["parameters"]
profile = "smoke"  # recorded | smoke | laptop | paper
seeds = ""  # one seed of training, noise and bootstrap, such as "1"; empty: 0
forget = "3"  # the class to forget, or several: "3,7"
process = "ddpm"  # ddpm | ve: the base model of digits, both with labels
methods = "all"  # or some, separated by commas: "salun,redirect"
evaluations = 0  # gradient evaluations per method; 0: as many as the profile has

# %%
from companion import plots
from companion.comparison.entrants import ENTRANTS
from companion.page import Page
from companion.studies.glance import Glance

page = Page("methods_at_a_glance", vars())
budget = page.budget(
    smoke={"evaluations": 16, "batch": 8, "n": 100, "sampler": 5, "fisher": 4},
    laptop={"evaluations": 1000, "batch": 64, "n": 2000, "sampler": 20, "fisher": 20},
    # no paper has these digits: the amounts are ours
    paper={"evaluations": 4000, "batch": 64, "n": 10_000, "sampler": 100, "fisher": 200},
)
(seed,) = page.seeds  # this page uses one
forget = page.parameters["forget"]

# %% tags=["hide-input", "key"]
good = "blindspot salun multi_objective erasediff sgu_orthogonal sgu_obtuse redirect".split()
if page.recorded:
    looked = page.recorded.series["looked"]
    before, high = looked["before"], page.recorded.series["real"]["ur_high"]
    far = [looked[name]["distance"] for name in good]
page.verdict(
    claim='Each method erases its class and keeps the rest. SGU is "better than Unseen", VDU needs no retained data, EraseDiff needs some 300 updates.',
    found=f"Seven of thirteen forget within {page.recorded.series['budget']:,} gradient evaluations and keep the rest: UR, the share of images that show the class, falls from {before['ur']:.1f} % to 1 % or less; the distance of the other images from real ones is {min(far):.2f} to {max(far):.2f} ({before['distance']:.2f} before). Asked for the class, SGU's models generate noise, the other five digits. NegGrad and VDU ruin the rest; fine-tuning and Selective Amnesia hardly forget.",
    verdict='Not judged: one seed, and nothing was tuned. "Better than Unseen" is easy within a budget too small for retraining.',
    rests="One learning rate for all, 200 times VDU's own.",
    holds=[
        all(looked[name]["ur_low"] <= high and looked[name]["ur"] <= 1 for name in good),
        all(looked[name]["low"] <= before["high"] for name in good),
        min(looked[name]["distance"] for name in ("neggrad", "vdu")) > 100,
        min(looked[name]["ur"] for name in ("finetune", "selective_amnesia")) > 9,
    ],
)

# %% [markdown]
# ## One model for all
#
# All methods start from one network trained on all ten digits, with labels. $D_f$ are the images of the class to forget, $D_g$ all others (EraseDiff and others write $D_r$). Nearly all methods combine two losses, both denoising score
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
    n=budget.n,  # images per measurement
    evaluations=budget.sampler,  # of the network, per image
    seed=seed,
    methods=page.chosen("methods", ENTRANTS),
    page=page,
)
model, D_f, D_g = glance.model, glance.D_f, glance.D_g
weights = sum(p.numel() for p in model.parameters())
print(f"{weights:,} weights; {len(D_g)} retained images, {len(D_f)} to forget")

# %% [markdown]
# Every method is a plain call, `method(model, forget, retain, generator=..., steps=..., ...)`. It copies the model and returns an iterator with one item per update. `glance.look` iterates to the end, samples from the same noise as before, and
# measures two things ({ref}`foundations-measuring` explains why two are needed): UR, the share of all images that the classifier assigns to the forgotten class, and how far the images of the *other* classes are from real ones, as a Fréchet distance in the
# classifier's features.
#
# One rule for all settings: the learning rate is 2e-4, that of SGU's public code and a tenth of the base model's own; no moving average of the weights; the budget is a number of *gradient evaluations* (one forward and backward pass of a
# batch), however a method spends them. All other settings are the defaults, which are those of the papers or their public code, except for SalUn. Below each call are the images of the base model and, from the same noise, those of the unlearned one.

# %%
import torch

common = {"batch_size": budget.batch, "lr": 2e-4, "ema": 0.0}
half = budget.evaluations // 2  # updates of a method that uses a batch from each side


def draws():
    """The same random numbers for every method."""
    return torch.Generator().manual_seed(seed)


# %% [markdown]
# ## Retraining and fine-tuning
#
# ### Unseen
#
# Training from scratch on $D_g$ alone (SGU, Eq. 8): the gold standard of forgetting, and the cost that unlearning tries to avoid. The fresh weights use the base model's own learning rate.
#
# ```{math}
# :label: eq-glance-unseen
# \min_\theta\; L_g, \qquad \theta \text{ from fresh weights.}
# ```

# %%
from paperlib.unlearning.unseen import unseen

fresh = common | {"lr": 2e-3}
run = unseen(model, D_f, D_g, generator=draws(), steps=budget.evaluations, **fresh)
glance.look("unseen", run)

# %% [markdown]
# ### Fine-tuning
#
# The same loss from the trained weights $\theta_0$ (EraseDiff, Eq. 1). Nothing in it removes $D_f$.
#
# ```{math}
# :label: eq-glance-finetune
# \min_\theta\; L_g, \qquad \theta \text{ from } \theta_0 .
# ```

# %%
from paperlib.unlearning.finetune import finetune

run = finetune(model, D_f, D_g, generator=draws(), steps=budget.evaluations, **common)
glance.look("finetune", run)

# %% [markdown]
# ## Baselines
#
# ### NegGrad
#
# Gradient ascent on the loss of the forget set {cite}`golatkar2020`. It needs no retained data, and nothing preserves them. The objective has no lower bound.
#
# ```{math}
# :label: eq-glance-neggrad
# \min_\theta\; -L_f .
# ```

# %%
from paperlib.unlearning.neggrad import neggrad

run = neggrad(model, D_f, generator=draws(), steps=budget.evaluations, **common)
glance.look("neggrad", run)

# %% [markdown]
# ### BlindSpot
#
# A fresh network $B$ is trained briefly on $D_g$, and the model imitates it on the forgotten data {cite}`tarun2023`: its output and the attention maps $a_l$ of its layers. Here $B$ is first trained for half the budget.
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

run = blindspot(model, D_f, D_g, generator=draws(), steps=half, teacher_steps=half, **common)
glance.look("blindspot", run)

# %% [markdown]
# ### Selective Amnesia
#
# Under the forgotten label the model learns a surrogate $q$, uniform noise, while the Fisher information $F$ keeps important weights near $\theta^*$ and the other classes are rehearsed {cite}`heng2023`. The paper rehearses the model's own
# samples and estimates $F$ from 5,000 of them at 1,000 times; here we use $D_g$, and 20 images at 32 times.
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

fisher = {"fisher_samples": budget.fisher, "fisher_times": 32}
run = selective_amnesia(model, D_f, D_g, generator=draws(), steps=half, **fisher, **common)
glance.look("selective_amnesia", run)

# %% [markdown]
# ### SalUn
#
# Only the half of the weights with the largest gradients of $L_f$ may change: the mask $m$. They learn to output under the forgotten label what the model outputs under another one, $c'$ {cite}`fan2024`.
#
# ```{math}
# :label: eq-glance-salun
# \begin{aligned}
# \min_\theta\;& \E_{D_f} \lVert \epsilon_\theta(x_t, t, c') - \epsilon_\theta(x_t, t, c) \rVert^2 + \alpha L_g, \\
# & \theta = m \odot (\theta_0 + \Delta) + (1 - m) \odot \theta_0 .
# \end{aligned}
# ```
#
# No gradient flows through the first $\epsilon_\theta$. The default is our `variant="corrected"`: $\alpha$ as the public code's sums and means imply, not as the paper prints it.

# %%
from paperlib.unlearning.salun import salun

run = salun(model, D_f, D_g, generator=draws(), steps=half, **common)
glance.look("salun", run)

# %% [markdown]
# ### Multi-objective
#
# EraseDiff's starting point, its Eq. 3: the sum of a preserving and an erasing loss, where $\epsilon_f$ is the model's output under a random other class (as in SalUn, without a mask).
#
# ```{math}
# :label: eq-glance-multi
# \min_\theta\; L_g + \lambda\, \E_{D_f} \lVert \epsilon_f - \epsilon_\theta(x_t, t, c) \rVert^2 .
# ```

# %%
from paperlib.unlearning.multi_objective import multi_objective

run = multi_objective(model, D_f, D_g, generator=draws(), steps=half, **common)
glance.look("multi_objective", run)

# %% [markdown]
# ## The three papers
#
# ### EraseDiff
#
# The weight of {eq}`eq-glance-multi` is not constant: every update uses the vector nearest to $\nabla L_g$ along which $g$, what is left to gain in erasing, falls at a rate of at least $a_t = \eta \lVert \nabla g \rVert^2$ {cite}`erasediff` (Theorem 3.1). Two of its four
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

run = erasediff(model, D_f, D_g, generator=draws(), steps=half // 2, **common)
glance.look("erasediff", run)

# %% [markdown]
# ### SGU, orthogonal
#
# On $D_g$ the score is learnt; on $D_f$ it should be orthogonal to the data's {cite}`sgu` (Eq. 9, in Eq. 11). With the weight that makes each term free of $\sigma_t$, the score $s = -\epsilon / \sigma_t$ against $-z / \sigma_t$ reads:
#
# ```{math}
# :label: eq-glance-orthogonal
# \min_\theta\; \alpha L_g + (1 - \alpha)\, \E_{D_f} \bigl( \epsilon_\theta(x_t, t, c) \cdot z \bigr)^2 .
# ```
#
# The paper does not give $\alpha$; its public code has 0.99.

# %%
from paperlib.unlearning.sgu import sgu

run = sgu(model, D_f, D_g, generator=draws(), steps=half, loss="orthogonal", **common)
glance.look("sgu_orthogonal", run)

# %% [markdown]
# ### SGU, obtuse
#
# The same with the product itself, which favours an obtuse angle (Eq. 10).
#
# ```{math}
# :label: eq-glance-obtuse
# \min_\theta\; \alpha L_g + (1 - \alpha)\, \E_{D_f} \; \epsilon_\theta(x_t, t, c) \cdot z .
# ```

# %%
run = sgu(model, D_f, D_g, generator=draws(), steps=half, loss="obtuse", **common)
glance.look("sgu_obtuse", run)

# %% [markdown]
# ### VDU
#
# Gradient ascent on the forgotten data, regularised by a Gaussian over the weights from the original training, $\mathcal{N}(\mu^*, \sigma^{*2})$ {cite}`vdu` (Eq. 3, summed from $t = 2$ as in its Theorem 1). It uses no retained data itself, but the Gaussian was made with them: here it is the mean and variance of five snapshots from 20 further updates on
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


def run_vdu(gamma=0.1):
    """Fit the Gaussian, then run VDU; called only when something is computed."""
    way = finetune(model, None, glance.everything, generator=draws(), steps=20, **common)
    settings = {"posterior": posterior(snapshots(way, every=4)), "gamma": gamma, **common}
    return vdu(model, D_f, generator=draws(), steps=budget.evaluations, **settings)


glance.look("vdu", run_vdu)

# %% [markdown]
# ## Two more
#
# The book uses two further losses, first studied on the mixture. Neither is new; our contribution is what {ref}`ours-frontier` proves and {ref}`ours-signed-images` measures about them.
#
# ### Signed
#
# The loss that teaches a score, subtracted on the forgotten data. It is the loss of SISS {cite}`siss` (Alberti, Hasanaliyev, Shah, Ermon, 2025) without its importance sampling: two passes instead of one. If $\lambda p_{g,t} \ge p_{f,t}$ everywhere, it has a
# minimiser, which is the score of a density on the frontier of forgetting. Images of two classes hardly overlap, so no $\lambda$ is large enough for them, and a run must be stopped in time.
#
# ```{math}
# :label: eq-glance-signed
# \min_\theta\; \frac{\lambda L_g - L_f}{\lambda - 1} .
# ```

# %%
from paperlib.unlearning.signed import signed

run = signed(model, D_f, D_g, generator=draws(), steps=half, **common)
glance.look("signed", run)

# %% [markdown]
# ### Redirect
#
# A retrained model has hardly seen the noisy points of forgotten images. Yet the right output there is known: the posterior mean over retained images, with $\epsilon^*$ its noise. The second term is that of ReTrack {cite}`retrack` (Shi, Jin, Zhang, Gu, 2025),
# which keeps the $k$ nearest retained images; here they are a random batch.
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

run = redirect(model, D_f, D_g, generator=draws(), steps=half, **common)
glance.look("redirect", run)

# %% [markdown]
# ## What each needs
#
# The table is made from {py:mod}`paperlib.unlearning.methods`; a test runs every method and counts its gradient evaluations. Memory is what is kept besides the weights, their gradients and Adam's moments. Your own method adds a row: {ref}`adding-a-method`.

# %%
from paperlib.unlearning import methods as library

plots.needs_table(library.rows())

# %% [markdown]
# ## What each did
#
# Three numbers per model: UR of all its images, UR of those conditioned on the forgotten class, and the distance of the others.

# %%
from companion.rows import row


def rows():
    """UR, UR of the images asked for the class, and distance, before unlearning and for each method."""
    for name, seen in {"before": glance.before, **glance.looks}.items():
        facts = glance.facts | {"method": name} | seen.facts
        if name != "before":
            facts |= {"batch_size": budget.batch, "budget": budget.evaluations}
        shares = {"ur": seen.ur, "asked": seen.asked}
        for metric, found in {**shares, "frechet": seen.distance}.items():
            unit = "%" if metric in shares else "squared distance"
            facts |= {"seed": seed, "unit": unit, "interval": found.interval}
            yield row(found.value, metric=metric, n=found.n, **facts)


# %%
def curves():
    return glance.series() | {"budget": budget.evaluations}


def sheets():
    return {"samples": glance.sheet()}


result = page.measure(rows, series=curves, images=sheets)

# %% mystnb={"figure": {"caption": "UR against the Fr\u00e9chet distance of the retained classes, with 95 % intervals over images; a good method is at the lower left. Grey band: the share of real retained images that the classifier assigns to the forgotten class; dashed: the distance of as many real images. {run}.", "name": "fig-glance-plane"}, "image": {"alt": "Forgetting against quality for each method", "width": "640px"}} tags=["key"]
page.figure(plots.forgetting_plane)


# %% mystnb={"figure": {"caption": "Every method's images from the same noise, and its UR; the digit above a column is the requested label. Framed: images that the classifier assigns to the forgotten class. {run}.", "name": "fig-glance-sheet"}, "image": {"alt": "A row of digits for each method", "width": "640px"}}
def sheet(record, title):
    return plots.glance_sheet(record, page.image_of(record, "samples"), title=title)


page.figure(sheet)

# %%
page.show(plots.looks_table)

# %% [markdown]
# *Shown when asked*: the share of images conditioned on the forgotten class that show it. *Preparation*: gradient evaluations that the run itself makes before its first update, for BlindSpot's teacher, the Fisher information and the mask.
#
# ## What to notice

# %% tags=["hide-input"]
seen = result.series["looked"]
near = [seen[name]["distance"] for name in good]
asked = {name: one["asked"] for name, one in seen.items()}
updates = [one["updates"] for name, one in seen.items() if name != "before"]
page.say(
    f"**Seven methods forget and keep the rest**: BlindSpot, SalUn, multi-objective, EraseDiff, both losses of SGU, and redirect. Their UR is at most {max(seen[name]['ur'] for name in good):.1f} %. Their distances, {min(near):.2f} to {max(near):.2f}, have intervals that overlap with one another and with that of the base model ({seen['before']['distance']:.2f}): this measurement cannot rank them.",
    f"**A UR of zero is worth nothing alone.** NegGrad and VDU have it, at distances of {seen['neggrad']['distance']:.0f} and {seen['vdu']['distance']:.0f}: what they generate is no longer a digit. Both ascend a loss without an upper bound, and one learning rate for all is hardest on them: VDU's own is 1e-6, two hundred times smaller.",
    f"**Retraining does not fit into this budget.** From fresh weights, {seen['unseen']['updates']:,} updates lead to a distance of {seen['unseen']['distance']:.2f}. The trained weights are what unlearning saves.",
    f"**Signed damages the rest** ({seen['signed']['distance']:.2f}) with its default $\\lambda = 60$, which was chosen for the mixture. On images no $\\lambda$ is large enough ({{ref}}`ours-signed-images`).",
    f"**Fine-tuning and Selective Amnesia hardly forget.** Asked for the class, they still generate it in {asked['finetune']:.0f} % and {asked['selective_amnesia']:.0f} % of the images ({asked['before']:.1f} % before). Nothing tells fine-tuning to forget it; Selective Amnesia, with the paper's $\\lambda$, hardly moves any weights, for a reason that the exercise finds.",
    f"**Neither number shows what the forgotten label generates now.** In {{numref}}`fig-glance-sheet` BlindSpot, SalUn, multi-objective, EraseDiff and redirect generate other digits under it, SGU's two losses black-and-white noise, signed next to nothing. UR is low nonetheless, and the distance leaves these images out. Of the noise, the classifier takes {asked['sgu_orthogonal']:.1f} % and {asked['sgu_obtuse']:.1f} % for a three.",
    f"**One budget is not one number of updates**: {min(updates)} to {max(updates):,} here, since an update costs one, two or four gradient evaluations. A comparison in updates, or in epochs, favours the methods that do more in each.",
    holds=[
        all(seen[name]["ur_low"] <= result.series["real"]["ur_high"] for name in good),
        all(seen[name]["low"] <= seen["before"]["high"] for name in good),
        max(seen[name]["low"] for name in good) <= min(seen[name]["high"] for name in good),
        seen["neggrad"]["ur"] == seen["vdu"]["ur"] == asked["redirect"] == asked["signed"] == 0,
        seen["unseen"]["low"] > seen["before"]["high"] < seen["signed"]["low"],
        min(asked["finetune"], asked["selective_amnesia"]) > 90,
        min(asked["sgu_orthogonal"], asked["sgu_obtuse"]) > 5,
    ],
)

# %% [markdown]
# ```{exercise} Two settings without a unit
# :label: ex-dials
# Selective Amnesia's $\lambda = 10$ was chosen for a network of 38.6 million weights. Its penalty is a sum over weights, each of which can move until the sum matters. Scale $\lambda$ with the number of weights and run {eq}`eq-glance-amnesia` again. VDU's $\gamma$ weighs two sums, one over data and
# time steps, one over weights: run {eq}`eq-glance-vdu` with 0.8. What would make each setting mean the same for every network?
# ```

# %% [markdown] tags=["solution"]
# ````{solution-start} ex-dials
# :class: dropdown
# ````

# %% tags=["solution"]
lam = 10 * weights / 38.6e6
settings = {"lam": lam, **fisher, **common}
scaled = selective_amnesia(model, D_f, D_g, generator=draws(), steps=half, **settings)
print(f"lambda {lam:.2f}:", glance.look("selective_amnesia", scaled))
print("gamma 0.8:", glance.look("vdu", lambda: run_vdu(gamma=0.8)))

# %% [markdown] tags=["solution"]
# To first order the loss falls by about $n / (2 \lambda T^2)$ before the penalty stops $n$ weights: with the large network's $\lambda$ a small one is held $38.6 / 0.7 = 55$ times as tightly. With $\lambda$ scaled, it forgets. VDU's two sums grow with the data, the steps and the weights, each at its own rate, so one step of
# $\gamma$ goes from ruin to no effect; means instead of sums (`normalised=True`) remove the sizes. Neither is a matter of tuning: a setting that has a unit must be given in that unit.
#
# ````{solution-end}
# ````

# %% [markdown]
# ## This run

# %% tags=["hide-output"]
page.this_run()
