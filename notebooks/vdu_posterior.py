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
# (vdu-posterior)=
# # How much does VDU's posterior matter?
#
# VDU {cite}`vdu` keeps a model near its weights with a Gaussian that treats every weight as independent, fitted to 5 models or 4. Neither choice is tested in the paper. Here both are varied, one at a time: the number of models, and SWAG's low-rank part {cite}`swag`, which adds the correlations. {ref}`vdu-tab2` compares snapshots of one run with models of several seeds; here all are snapshots of one run.

# %% tags=["parameters"]
profile = "smoke"  # recorded | smoke | laptop | paper
seeds = ""  # of the snapshots, of unlearning and of the samples, such as "0,1,2"; empty: as many as the profile has
dataset = ""  # mnist | digits; empty: as the profile has it
forget = "1"  # such as "3,7"
counts = ""  # numbers of snapshots, such as "5,10,20"; empty: the profile's
gamma = ""  # such as "0.1,0.9"; all Gaussians at the last one, the largest at the others

# %%
from companion.page import Page

page = Page("vdu_posterior", vars())
ours = dict(dataset="mnist", gamma="0.1,0.9", counts="5,10,20", apart=10)
budget = page.budget(
    smoke=dict(dataset="digits", gamma="0.1,0.9", counts="2,4", apart=1, rate=1e-5)
    | dict(looks=(2,), batch_size=8, n=60, sampler=6, images=60),
    laptop=ours | dict(rate=1e-6, looks=(27, 53), batch_size=32, n=400, sampler=10, images=500),
    paper=ours  # the paper compares no posteriors; one epoch of its batches at its rate: App. 6.2.3
    | dict(rate=1e-6, looks=(18, 36, 53), batch_size=128, n=5000, sampler=50, images=900, seeds=3),
)

# %% tags=["hide-input", "key"]
from companion import plots

if page.recorded:
    ends, runs = plots.posterior_ends(page.recorded), page.recorded.series["runs"]
    before, most = runs[0]["looks"][0], max(one["count"] for one in runs)
    low, high = (
        {key[1:]: end for key, end in ends.items() if key[0] == g} for g in plots.gammas(runs)
    )
    few, many = (high[count, "diagonal"] for count in (5, 20))
    diagonal, columns = (low[most, kind] for kind in ("diagonal", "low rank"))
    puls = [one["pul"] for one in high.values()]
    n = page.recorded.all(metric="pul")[0].n
    showed = round(n * before["ur"] / 100)
page.verdict(
    claim="VDU fits independent Gaussians to 5 models (4 for CIFAR-10), and does not say how much depends on it.",
    found=f"MNIST's digit 1, at the paper's rate. With $\\gamma$ = 0.1, as in the paper's Table 1, the diagonal and the low-rank Gaussian of {most} snapshots end alike: PUL {diagonal['pul']:.0f} and {columns['pul']:.0f} %, distance of the rest {diagonal['distance']:.2f} and {columns['distance']:.2f} (before: {before['distance']:.2f}). With $\\gamma$ = 0.9, where the Gaussian weighs most, PUL is {min(puls):.0f} to {max(puls):.0f} % for all {len(puls)} Gaussians: they differ by at most {(max(puls) - min(puls)) * showed / 100:.0f} of the {showed} samples that showed a 1.",
    verdict="*Not much, in these short runs*: $\\gamma$ changes more than the number of snapshots or the correlations do, and 5 snapshots do about the same as 20.",
    rests=f"{runs[0]['looks'][-1]['update']} updates, as in the paper's epoch, but of 32 images instead of 128. {n} samples: PUL comes in steps of {100 / showed:.0f} points and the differences between Gaussians are not significant; the losses below are finer. At this rate no Gaussian makes the model forget.",
    holds=[
        most == 20 and abs(diagonal["pul"] - columns["pul"]) < 1,
        abs(diagonal["distance"] - columns["distance"]) < 0.05,
        max(puls) - min(puls) < 10 and max(puls) < diagonal["pul"] < 66,
        max(one["L_f"] for one in high.values()) < min(one["L_f"] for one in low.values()),
        abs(few["L_f"] - many["L_f"]) < 0.1 * (many["L_f"] - before["L_f"]),
    ],
)

# %% [markdown]
# ## Two Gaussians
#
# With the mean $\mu^*$ and the variances $s_i^2$ of the snapshots, and the last $K$ of them minus the mean as the columns of $D$:
#
# ```{math}
# :label: eq-swag
# \Sigma_{\text{VDU}} = \operatorname{diag}(s^2), \qquad
# \Sigma_{\text{SWAG}} = \tfrac{1}{2} \operatorname{diag}(s^2) + \tfrac{1}{2 (K - 1)} D D^\top, \qquad
# B = \tfrac{1}{2} (\theta - \mu^*)^\top \Sigma^{-1} (\theta - \mu^*) .
# ```
#
# Both parts of SWAG's estimate the variances, hence the halves: if every snapshot is a column, each weight has the same variance $s_i^2$ as in VDU's, and only the correlations are new. Along the columns moving is cheap; in every direction that they do not share the price is *twice* VDU's. So there is a third Gaussian to compare with, the *halved* one: $\tfrac{1}{2} \operatorname{diag}(s^2)$ alone.
#
# $\Sigma$ has as many rows as the network has weights, and is never formed. With $a = \tfrac{1}{2} s^2$ and $U = D / \sqrt{2 (K - 1)}$, Woodbury's identity leaves a system of $K$ equations for the coordinates $z$ along the columns ({py:mod}`paperlib.unlearning.swag`):
#
# ```{math}
# :label: eq-woodbury
# z = \bigl(I + U^\top a^{-1} U\bigr)^{-1} U^\top a^{-1} d, \qquad
# B = \sum_i \frac{(d - U z)_i^2}{2 a_i} + \tfrac{1}{2} \lVert z \rVert^2, \qquad d = \theta - \mu^* .
# ```

# %%
import torch

from paperlib.unlearning.swag import swag

draws = torch.Generator().manual_seed(0)
nets = [torch.nn.Linear(20, 1, bias=False).double() for _ in range(4)]
for net in nets:
    torch.nn.init.normal_(net.weight, generator=draws)
found = swag(nets, rank=4)
U, a = found.columns["weight"].flatten(1), found.variance["weight"].flatten()
d = (nets[0].weight - found.mean["weight"]).flatten()
dense = (d @ torch.linalg.solve(torch.diag(a) + U.T @ U, d) / 2).item()
print(
    f"B by the identity {found.stability(nets[0]).item():.10f}, by the dense inverse {dense:.10f}"
)

# %% [markdown]
# ## The runs
#
# One training run on all images gives the snapshots. Fewer of them are every second or fourth of the same ones, so their number changes and the length of the walk does not. Every VDU run starts from the base model's weights and has the same batches; its samples start from the same noise. At the last $\gamma$ all Gaussians are compared, at the others those with the most snapshots.

# %%
from companion.models import base
from companion.studies.posterior_runs import KINDS, Walk, vdu_run

start = base(f"{budget.dataset}-ddpm", called="pretrained")
numbers = [int(word) for word in budget.counts.split(",")]
gammas = [float(word) for word in budget.gamma.split(",")]


def gaussians(gamma):
    """Yield the number of snapshots and the kind of each Gaussian."""
    for count in numbers if gamma == gammas[-1] else numbers[-1:]:
        yield from ((count, kind) for kind in KINDS[:2])
    if gamma == gammas[-1]:
        yield numbers[-1], KINDS[2]


def run(gamma, count, kind, seed):
    """Unlearn with VDU at the paper's rate."""
    amounts = dict(batch_size=budget.batch_size)
    spaced = dict(most=numbers[-1], apart=budget.apart)
    walk = Walk.checked(base=start.name, seed=seed, **spaced, **amounts)
    amounts |= dict(forget=forget, gamma=gamma, lr=budget.rate, looks=budget.looks)
    amounts |= dict(n=budget.n, evaluations=budget.sampler, images=budget.images)
    return vdu_run(start, walk, count=count, kind=kind, **amounts)


# %%
from companion.rows import row


def rows():
    """Yield PUL and the distance of the rest at the end of every run."""
    for seed in page.seeds:
        for gamma in gammas:
            for count, kind in gaussians(gamma):
                last = run(gamma, count, kind, seed)["looks"][-1]
                facts = dict(dataset=start.kind.dataset, process=start.kind.process)
                facts |= dict(base=start.name, method="vdu_ours", forget=forget, gamma=gamma)
                facts |= dict(lr=budget.rate, updates=last["update"], batch_size=budget.batch_size)
                facts |= dict(posterior=f"{count} snapshots, {kind}", n=budget.n, seed=seed)
                yield row(last["pul"], metric="pul", interval=last["pul_interval"], **facts)
                told = dict(interval=last["distance_interval"], unit="squared distance")
                yield row(last["distance"], metric="rest-frechet", **told, **facts)


def curves():
    """Return every run of the first seed."""
    runs = [
        dict(gamma=gamma, count=count, kind=kind) | run(gamma, count, kind, page.seeds[0])
        for gamma in gammas
        for count, kind in gaussians(gamma)
    ]
    return dict(runs=runs, apart=budget.apart)


result = page.measure(rows, series=curves, by=["posterior"])

# %% [markdown]
# ## The result

# %% mystnb={"figure": {"caption": "PUL, the distance of the samples that do not show the class, and the rise of the loss on test images of the class, during the run. Solid: with SWAG's low-rank part; dashed: the diagonal alone; dotted with points: half the diagonal. Thin dots: the book's rule. {run}.", "name": "fig-vdu-posteriors"}, "image": {"alt": "PUL, distance and loss against updates for each posterior", "width": "720px"}} tags=["key"]
from companion import plots

page.figure(plots.posterior_courses)

# %% [markdown]
# The losses are those of the noise prediction on test images, per pixel, with the same noise for all; the table has their change since before the run. *Explained* is the share of the diagonal part's price that the columns take away: of $B$ before the first update, and of the price of what unlearning did to the weights.

# %%
page.show(lambda record: plots.posterior_runs_table(record, title=record.caption))

# %% [markdown]
# ## What to notice

# %% tags=["hide-input"]
ends, runs = plots.posterior_ends(result), result.series["runs"]
before, (paper, strong) = runs[0]["looks"][0], plots.gammas(runs)
rise = {key: 1e5 * (end["L_f"] - before["L_f"]) for key, end in ends.items()}
at_paper, at_strong = ([x for key, x in rise.items() if key[0] == g] for g in (paper, strong))
whole, low, half = (rise[strong, 20, kind] for kind in KINDS)
pul = {key[1:]: end["pul"] for key, end in ends.items() if key[0] == strong}
found = {(one["count"], one["kind"]): one for one in runs if one["gamma"] == strong}
pull = {key: one["pull"] for key, one in found.items()}
share = {count: found[count, "low rank"]["explained"] for count in (5, 20)}

# %% tags=["hide-input"]
page.say(
    f"**$\\gamma$ matters more than the Gaussian.** The loss on test images of the 1, before {before['L_f']:.4f}, rises by {rise[paper, 20, 'diagonal']:.1f}e-5 with the diagonal and by {rise[paper, 20, 'low rank']:.1f}e-5 with the low rank at $\\gamma$ = {paper:g}. At {strong:g} it rises by {min(at_strong):.1f}e-5 to {max(at_strong):.1f}e-5, whatever the Gaussian.",
    f"**The columns explain the pull, not the forgetting.** 20 columns explain {100 * share[20]['pull']:.0f} % of the initial $B$: the snapshots drift away from the weights that unlearning starts from, so $\\mu^* - \\theta^*$ is much like them. Of the price of what unlearning did to the weights it is {100 * share[20]['move']:.1f} %, far more than chance (see the exercise), but little. Nearly everywhere that forgetting goes, the low-rank Gaussian is the halved one: twice VDU's price.",
    f"**The two effects nearly cancel.** At $\\gamma$ = {strong:g} with 20 snapshots, the loss on the 1 rises by {whole:.1f}e-5 with the diagonal, by {half:.1f}e-5 with the halved one, and by {low:.1f}e-5 with the columns added to that, probably because they weaken the pull. PUL is {pul[20, 'diagonal']:.0f}, {pul[20, 'halved']:.0f} and {pul[20, 'low rank']:.0f} %, and its steps are too coarse to see it.",
    f"**5 snapshots or 20?** With more of them the diagonal's initial $B$ falls, {pull[5, 'diagonal']:.1f}, {pull[10, 'diagonal']:.1f} and {pull[20, 'diagonal']:.1f} per weight: for independent models the precision is too large by $(n - 1) / (n - 3)$ on average, 2, 1.3 and 1.1 times. PUL is {pul[5, 'diagonal']:.0f}, {pul[10, 'diagonal']:.0f} and {pul[20, 'diagonal']:.0f} %. The low rank needs more of them: 5 columns explain {100 * share[5]['pull']:.0f} % of the pull, 20 explain {100 * share[20]['pull']:.0f} %.",
    f"**What this does not show.** {runs[0]['looks'][-1]['update']} updates at the paper's rate move a weight by {found[20, 'diagonal']['moved'] * 1e5:.0f}e-5 (root mean square), and the model forgets little. Where a model does forget ({{ref}}`vdu-tab2`: three times the rate) the Gaussian may weigh more. All snapshots are of one run and one learning rate, which sets their width.",
    holds=[
        abs(rise[paper, 20, "diagonal"] - rise[paper, 20, "low rank"]) < 1,
        min(at_paper) > 2 * max(at_strong),
        share[20]["pull"] > 0.5 and 100 * 20 / 1e6 < share[20]["move"] < 0.02,
        half < whole < low < 1.2 * whole,
        pull[5, "diagonal"] > pull[10, "diagonal"] > pull[20, "diagonal"],
        share[5]["pull"] < 0.2 and abs(pul[5, "diagonal"] - pul[20, "diagonal"]) < 4,
        pul[20, "low rank"] == pul[20, "halved"],
    ],
)

# %% [markdown]
# ```{exercise} How much can K columns explain?
# :label: ex-vdu-posterior
# A displacement $d$ of independent Gaussian numbers, in units of $\sqrt{a}$, has nothing to do with the columns. Which share of its price do $K$ columns explain on average, for $n$ weights? What is it for 20 columns and the million weights of this page's network?
# ```

# %% [markdown] tags=["solution"]
# ````{solution-start} ex-vdu-posterior
# :class: dropdown
# ````

# %% tags=["solution"]
from companion import bases
from paperlib.unlearning.swag import LowRank

n, K = 10_000, 20
U, a = torch.randn(K, n, generator=draws), torch.ones(n)
by_name = [{"weight": tensor} for tensor in (torch.zeros(n), a)]
both = LowRank(*by_name, 0, 0.0, {"weight": U})
net = torch.nn.Module()
net.weight = torch.nn.Parameter(torch.randn(n, generator=draws))
share = 1 - (both.stability(net) / (net.weight.square().sum() / 2)).item()
weights = sum(p.numel() for p in bases.architecture(start.kind).parameters())
print(f"explained: {share:.4f}; K / n: {K / n:.4f}; for {weights:,} weights {K / weights:.6f}")

# %% [markdown] tags=["solution"]
# The columns span $K$ of $n$ directions, and each direction has the same share of the price on average: $K / n$, about two in a hundred thousand for MNIST's network. What the columns explain beyond that is not chance.
#
# ````{solution-end}
# ````

# %% [markdown]
# ## This run

# %% tags=["hide-output"]
page.this_run()
