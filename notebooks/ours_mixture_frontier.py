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
# (ours-frontier)=
# # How much forgetting is possible?
#
# {ref}`sgu-tab1` prints the pair $(D_g, D_f) = (10.64,\ 39.01)$: hardly any price on the retained data, and forgotten data that are all but impossible. Is there a density like that? On the mixture
# the question has an exact answer, for any model whatever, trained in any way. This page proves it, draws it, and asks how near to it a trained model can come.

# %% tags=["parameters"]
profile = "smoke"  # smoke | laptop | paper: how much is trained
seed = 0  # the first seed; further ones are seed + 1, seed + 2, ...
seeds = 0  # how many; 0: as many as the profile has
price = 10.65  # the largest D_g that a model may have, in bits/dim + 8
early = 20.0  # a lambda below e^4 for the signed loss, which then has no minimiser

# %% tags=["hide-input"]
from companion.claims import load
from companion.page import Page
from companion.studies.mixture import Method, MixtureSettings, protocol
from companion.studies.mixture_measures import mean_nll, nll, path
from paperlib.likelihood import SCORE_SDE_OFFSET, bits_per_dim

NAME = "ours_mixture_frontier"
page = Page(NAME, vars())
settings = MixtureSettings.of(profile, seeds=seeds)
if not 10.55 <= price <= 20:
    raise ValueError(f"price={price!r} is not allowed: bits/dim + 8, from 10.55 to 20")
if not 1 < early < 54:
    raise ValueError(f"early={early!r} is not allowed: above 1 and below e^4 = 54.6")
early_stopped = Method(name="signed", start="finetune", lam=early)
page.banner("the exact mixture")

# %% [markdown]
# ## The theorem
#
# Let $p_g$ and $p_f$ be the densities of the retained and of the forgotten data, and $q$ the density of a model. Write $G(q) = \E_{p_g}[-\log q]$ and $F(q) = \E_{p_f}[-\log q]$: small $G$ is quality kept, large
# $F$ is forgetting.
#
# ````{prf:theorem} The frontier of forgetting
# :label: thm-frontier
# Let $\lambda > 1$ be such that $\lambda p_g \ge p_f$ everywhere, and let $w_\lambda = (\lambda p_g - p_f)/(\lambda - 1)$, with entropy $H(w_\lambda)$. Then every density $q$ satisfies
#
# ```{math}
# :label: eq-frontier
# F(q) \;\le\; \lambda\, G(q) - (\lambda - 1)\, H(w_\lambda),
# ```
#
# with equality for $q = w_\lambda$ alone.
# ````
#
# ````{prf:proof}
# $w_\lambda$ is nonnegative and integrates to $(\lambda - 1)/(\lambda - 1) = 1$: it is a density. Therefore
#
# $$\lambda G(q) - F(q) = \int (\lambda p_g - p_f)(-\log q) = (\lambda - 1)\,\E_{w_\lambda}[-\log q] \ge (\lambda - 1)\, H(w_\lambda),$$
#
# the last step by Gibbs' inequality, $\E_w[-\log q] - H(w) = \KL(w \,\|\, q) \ge 0$, an equality where $q = w$ almost everywhere. If $G(q) = \infty$ there is nothing to prove.
# ````
#
# Each $\lambda$ gives one line in the plane of $(G, F)$ that no model can cross, and one density that touches it. The frontier is the lower envelope of the lines. How small may $\lambda$ be? On SGU's mixture
#
# ```{math}
# :label: eq-ratio
# \frac{p_f(x)}{p_g(x)} = \frac{e^4}{\cosh\bigl(2(x_1 + x_2)\bigr)} \le e^4 ,
# ```
#
# so the curved part of the frontier ends at $\lambda = e^4$. Past that point it is the line of slope $e^4$ itself: approached, by carving an ever narrower and deeper gap around $x_1 + x_2 = 0$, but not attained.
#
# ## The frontier in numbers
#
# $G$, $F$ and $H$ are integrals along one line; quadrature gives them to ten digits ({py:mod}`paperlib.data.frontier`). In the unit of Table 1:

# %%
import numpy as np

from paperlib.data.frontier import LAMBDA_MIN, frontier, largest_forgetting, touching_point

OFFSET, NATS = SCORE_SDE_OFFSET["uncentred"], 1 / bits_per_dim(1.0, 2)
printed = {side: load()[f"sgu.tab1/{side}/unlearning"].value for side in ("D_g", "D_f")}


def in_table(nats):
    """Nats in the unit of SGU's Table 1."""
    return bits_per_dim(nats, 2, OFFSET)


for lam in (1e6, 200.0, 60.0, LAMBDA_MIN):
    kept, forgotten = touching_point(lam)
    print(f"lambda {lam:>9.1f}:  D_g {in_table(kept):.4f}   D_f {in_table(forgotten):.3f}")
for bits in (10.60, printed["D_g"], price, 10.70):
    most = in_table(largest_forgetting((bits - OFFSET) * NATS))
    print(f"D_g at most {bits:.2f}:  D_f at most {most:.2f}")

# %% [markdown]
# The first line is $p_g$ itself, the perfectly retrained model. At the printed $D_g$ the frontier stands far below the printed $D_f$: the pair is not the likelihood of any density on these data. A likelihood computed
# for a field that is no score, with a solver that has lost its way or without the change of volume, can print anything.
#
# ## Four losses on their way there
#
# All four are fine-tuned from the same *Standard* model, for the same number of updates, a quarter of its own. An update of the first three sees 1,024 noisy rows at `laptop`; one of *redirect* sees 640,
# and 1,024 reference points without noise, and its classifier has had 1,000 small updates before. Its other constants (mu, reach, floor) were settled by trial on seeds that no page uses.
#
# - **orthogonal** and **obtuse**, SGU's losses, each along $\alpha$.
# - **signed** ({py:mod}`paperlib.unlearning.signed`): $(\lambda L_g - L_f)/(\lambda - 1)$, one score-matching loss with two signs. For $\lambda \ge e^4$ its minimiser is the exact score of $w_\lambda$, the density that touches
#   the frontier; for a smaller $\lambda$ it has none, and a run is only *early-stopped*.
# - **redirect** ({py:mod}`paperlib.unlearning.redirect`): at noisy forgotten points, regress to the posterior mean over retained data, with retained points weighed by $w = \max(1 - r/\lambda, \text{floor})$, $r = p_f/p_g$ estimated
#   by a classifier. For $\lambda \ge e^4$ it aims at $w_\lambda$ too, but as a sum of squares; for a smaller one it still aims at a density, carved where $r > \lambda$.
#
# The update of the last one, in the book's own words:

# %%
import torch

from paperlib.data.mixture import SGU_MIXTURE
from paperlib.processes import VE
from paperlib.unlearning.empirical import posterior_eps
from paperlib.unlearning.redirect import carving

P_G, P_F = SGU_MIXTURE.only(0, 2), SGU_MIXTURE.only(1)
draw = torch.Generator().manual_seed(seed)


def ratio(x):
    """p_f / p_g; the method itself has a classifier for it."""
    return (P_F.log_density(x) - P_G.log_density(x)).exp()


weight = carving(ratio, lam=12.0, floor=1e-7)
process, t = VE(), torch.full((4,), 0.45)
z = torch.randn(4, 2, generator=draw)
x_t = process.perturb(P_F.sample(4, draw), t, z)  # noisy forgotten points
reference = P_G.sample(1024, draw)  # retained points
# the noise that leads from retained data to x_t, which the network is asked for:
print(posterior_eps(process, x_t, t, reference, weight(reference)))

# %% [markdown]
# Each loss has one knob and three settings of it, tried on a validation seed. The rule is the same for all: of the settings whose $D_g$ is at most `price`, the one with the largest $D_f$; if there is none, the one with the smallest $D_g$.
# The chosen setting is then run on the page's own seeds, which had no part in the choice.

# %%
SWEEP = {
    "orthogonal": [{"alpha": a} for a in (0.99, 0.97, 0.9)],
    "obtuse": [{"alpha": a} for a in (0.95, 0.9, 0.85)],
    "signed": [{"lam": lam} for lam in (60.0, 35.0, 25.0)],
    "redirect": [{"lam": lam} for lam in (55.0, 25.0, 12.0)],
}
VALIDATION = 1000 + seed


def reached(method, run):
    """(D_g, D_f) of a method's model in bits/dim + 8, with their standard errors."""
    measured = nll(page.store, settings, method, run)
    means = [mean_nll(measured, settings, side, run) for side in ("D_g", "D_f")]
    return [in_table(mean.value) for mean in means] + [mean.error / NATS for mean in means]


def best(tried):
    """The rule: the most forgotten at the price, else the least damaged."""
    affordable = [one for one in tried if one[1] <= price]
    return (
        max(affordable, key=lambda one: one[2])
        if affordable
        else min(tried, key=lambda one: one[1])
    )


runs = range(seed, seed + settings.seeds)
methods = {
    name: [Method(name=name, start="finetune", **knob) for knob in knobs]
    for name, knobs in SWEEP.items()
}
sweep = {
    name: [[k, *reached(method, VALIDATION)] for k, method in enumerate(tried)]
    for name, tried in methods.items()
}
chosen = {name: methods[name][best(tried)[0]] for name, tried in sweep.items()}

# %% [markdown]
# Two more runs put these into proportion. *Optimum* regresses the network directly to the exact score of $w_\lambda$ at $\lambda = 55$, which no one has in practice: what it misses of the touching point is what the network and the budget cannot
# represent. And *signed* with a $\lambda$ below $e^4$ is followed along its updates.

# %%
chosen |= {
    "optimum": Method(name="optimum", start="finetune", lam=55.0),
    "unseen": Method(name="unseen"),
}
final = {name: [reached(method, run) for run in runs] for name, method in chosen.items()}
falling = [
    [k, in_table(g), in_table(f)] for k, g, f in path(page.store, settings, early_stopped, seed)
]

# %% tags=["hide-input"]
from companion.records import measured

METHOD = {"orthogonal": "sgu_orthogonal", "obtuse": "sgu_obtuse"}
values = [
    measured(
        f"ours.{NAME}/{side}/{name}",
        [one[k] for one in final[name]],
        seeds=list(runs),
        unit="bits/dim + 8",
        n=settings.test_points,
        dataset="mixture",
        method=METHOD.get(name, name),
        protocol=protocol(settings, method)
        | ({"price": price, "validation_seed": VALIDATION} if name in SWEEP else {}),
    )
    for name, method in chosen.items()
    for k, side in enumerate(("D_g", "D_f"))
]
record = page.write(values=values, series={"sweep": sweep, "path": falling})

# %% [markdown]
# ## What was reached

# %% tags=["hide-input"]
import pandas as pd
from IPython.display import display

from companion import plots


def room(value):
    """The frontier's D_f at a value's D_g."""
    least = in_table(P_G.cross_entropy(P_G))  # of any density
    return in_table(largest_forgetting((max(value.value, least) - OFFSET) * NATS))


def reached_by(shown):
    """What a record's models reached, a row each."""
    retrained = shown[f"ours.{NAME}/D_f/unseen"].value
    limit = in_table(largest_forgetting((price - OFFSET) * NATS))
    rows = {}
    for name in chosen:
        kept, forgotten = (f"ours.{NAME}/{side}/{name}" for side in ("D_g", "D_f"))
        knob = "lam" if name in ("signed", "redirect", "optimum") else "alpha"
        most = room(shown[kept])
        share = (shown[forgotten].value - retrained) / (most - retrained)
        at_price = (shown[forgotten].value - retrained) / (limit - retrained)
        value = shown[kept].protocol.get(knob, 0.0)
        early = "<br>early-stopped" if name == "signed" and value < LAMBDA_MIN else ""
        rows[plots.LABELS[name]] = {
            "setting": f"{knob} {value:g}{early}",
            "D_g": plots.interval(shown, kept, 3).replace(" [", "<br>["),
            "D_f": plots.interval(shown, forgotten).replace(" [", "<br>["),
            "frontier": f"{most:.2f}",
            "of the way": f"{100 * share:.0f} %",
            "at the price": f"{100 * at_price:.0f} %",
        }
    nothing = {"of the way": "—", "at the price": "—"}
    rows[plots.LABELS["unseen"]] |= {"setting": "retrained"} | nothing
    table = pd.DataFrame(rows).T
    return table.style.set_table_attributes('class="comparison"')


if page.recorded:
    caption = page.recorded.title
    display(reached_by(page.recorded).set_caption(caption))
display(reached_by(record).set_caption(f"This run, profile {profile}"))

# %% [markdown]
# *Frontier*: the most that any density has at the same $D_g$. *Of the way*: how far the model comes from the retrained
# model's $D_f$ to that. *At the price*: the same with the frontier at the price, of which some models spend only a part.

# %% mystnb={"figure": {"caption": "Recorded. No density lies in the grey region. Large diamonds are the seeds of the chosen settings, small dots the settings tried on the validation seed. Below, the same from afar, with the pair that SGU prints.", "name": "fig-frontier-recorded"}, "image": {"alt": "The frontier of forgetting, the models that were reached, as recorded, and the pair that the paper prints", "width": "660px"}} tags=["hide-input"]
ends = np.array(
    [[bits, in_table(largest_forgetting((bits - OFFSET) * NATS))] for bits in (10.552, 10.72, 11.2)]
)
curve = np.concatenate([[[in_table(g), in_table(f)] for g, f in frontier()], ends])
drawn = {"curve": curve, "printed": (printed["D_g"], printed["D_f"])}
if page.recorded:
    plots.frontier_plane(page.recorded, title=page.recorded.title, **drawn)

# %% mystnb={"figure": {"caption": "This run. No density lies in the grey region. Large diamonds are the seeds of the chosen settings, small dots the settings tried on the validation seed. Below, the same from afar, with the pair that SGU prints.", "name": "fig-frontier"}, "image": {"alt": "The frontier of forgetting, the models that this run reached, and the pair that the paper prints", "width": "660px"}} tags=["hide-input"]
figure = plots.frontier_plane(record, title=f"This run, profile {profile}", **drawn)
# %% [markdown]
# ## What to notice

# %% tags=["hide-input"]
import math

from companion.claims.verdicts import ordering
from companion.page import Markdown

shown = page.recorded or record
at = {name: [shown[f"ours.{NAME}/{side}/{name}"] for side in ("D_g", "D_f")] for name in chosen}
source = f"recorded, `{page.recorded.profile}`" if page.recorded else f"this run, `{profile}`"
claims = [("orthogonal", "obtuse"), ("obtuse", "signed"), ("signed", "redirect")]
verdicts = (
    {pair: ordering(at[pair[0]][1], at[pair[1]][1]) for pair in claims}
    if len(at["unseen"][1].seeds) >= 3
    else {}
)
word = {"reproduced": "holds", "not reproduced": "is reversed"}
said = "; ".join(
    f"{plots.LABELS[a]} < {plots.LABELS[b]}: {word.get(verdict.word, verdict.word)}"
    for (a, b), verdict in verdicts.items()
)
half = 0.25
reach = ((half + 2 * math.sqrt(2)) / math.sqrt(2), (2 * math.sqrt(2) - half) / math.sqrt(2))
mass = 0.5 * (math.erf(reach[0]) - math.erf(reach[1]))  # of p_g in |u| < half
depth = (price - in_table(touching_point(LAMBDA_MIN)[0])) * NATS / mass
least = in_table(P_G.cross_entropy(P_G))


def above(kept, forgotten):
    """How far a pair of lower and upper ends lies above the frontier."""
    return forgotten - in_table(largest_forgetting((max(kept, least) - OFFSET) * NATS))


tried_all = [one for tried in shown.series["sweep"].values() for one in tried]
beyond = [above(one[1] + 2 * one[3], one[2] - 2 * one[4]) for one in tried_all]
if len(at["unseen"][1].seeds) > 1:
    beyond += [above(kept.ci95[1], forgotten.ci95[0]) for kept, forgotten in at.values()]
verdict = "Nothing lies" if max(beyond) <= 0 else "Something seems to lie"
missed = [
    f"{plots.LABELS[name]} ({one[1]:.3f}, {one[2]:.2f})"
    for name, tried in shown.series["sweep"].items()
    for one in tried
    if price < one[1] <= price + one[3]
]
below = at["orthogonal"][1].value < at["unseen"][1].value
Markdown(rf"""
- **{verdict} above the frontier** beyond its interval ({source}), among the settings tried on the validation seed and the means of the seeds. Single seeds may lie on it: the frontier's own density does.
- **The order of forgetting**, each loss at the setting that the rule chose for $D_g \le {price:.2f}$ ({source}), by paired seeds: {said or "needs three seeds"}. The rule is sharp: settings that missed the price by less than
  their standard error: {"; ".join(missed) or "none"}. With three settings a loss, take an order by a few hundredths for what it is.
- **Orthogonal forgets {"less than retraining" if below else "hardly more than retraining"}**: ({at["orthogonal"][0].value:.3f}, {at["orthogonal"][1].value:.2f}) against Unseen's ({at["unseen"][0].value:.3f}, {at["unseen"][1].value:.2f}).
- **Signed has a target, down to $e^4$.** Above it the target is a point of the curve, which ends at ({in_table(touching_point(LAMBDA_MIN)[0]):.3f}, {in_table(touching_point(LAMBDA_MIN)[1]):.2f}). Below it, nothing
  holds the loss (dotted line, $\lambda = {early:g}$): what a run returns is early-stopped, a choice and not a minimum.
- **Redirect goes on where signed has to stop**: ({at["redirect"][0].value:.3f}, {at["redirect"][1].value:.2f}) against a frontier of {room(at["redirect"][0]):.2f} there.
- **What is missing?** To follow the line of slope $e^4$, $p_g$ must be carved in a strip that is narrow and deep. A strip $|u| < {half}$ holds {100 * mass:.2f} % of $p_g$, so that the price beyond the touching point buys a depth
  of $e^{{-{depth:.0f}}}$ there. We suspect that a score which falls so far so fast, at noisy points so rare in the retained data, is beyond a network of this size; `reach` in redirect bounds what it is asked for.
""")

# %% [markdown]
# ```{exercise} The frontier of two separate classes
# :label: ex-separate
# Let $p_f$ and $p_g$ have disjoint supports, as images of two classes nearly do. What is the frontier? What is $w_\lambda$, and what does that say about retraining as the gold standard?
# ```

# %% [markdown] tags=["solution"]
# ````{solution} ex-separate
# :class: dropdown
# There is no finite $\lambda$ with $\lambda p_g \ge p_f$ where $p_g = 0$, so {prf:ref}`thm-frontier` gives no bound, and rightly so: $q = p_g$ has $G(q) = H(p_g)$, its least value, and $F(q) = \infty$. The retrained model, if it is perfect, forgets everything at no price.
# All that can be improved on separate classes is how well a real network approximates $p_g$ where it has seen no data.
# ````
