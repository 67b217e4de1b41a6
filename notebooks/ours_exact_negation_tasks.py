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
# (ours-negation-tasks)=
# # Exact negation on six tasks
#
# {ref}`ours-negation` derives exact negation and takes it apart on one task. Here the same classifier, with the same settings and nothing tuned, makes two base models, VE and DDPM, forget the digit 1, the digit 8, or both 3 and 7.

# %% tags=["parameters"]
profile = "smoke"  # recorded | smoke | laptop | paper
seeds = ""  # of unlearning and of the samples, such as "0,1,2"; empty: as many as the profile has
dataset = ""  # digits | mnist; empty: as the profile has it
tasks = ""  # process:classes, several with semicolons: "ddpm:1;ve:3,7"; empty: the profile's
lr = 2e-4  # Adam's; a tenth of the base model's

# %%
from companion.page import Page
from companion.plots import negation

page = Page("ours_exact_negation_tasks", vars())
every = "ddpm:1;ddpm:8;ddpm:3,7;ve:1;ve:8;ve:3,7"
most = dict(dataset="mnist", tasks=every, updates=120, batch_size=32)
budget = (
    page.budget(  # learners: the number of seeds for training; taught: the tasks that are trained
        smoke=dict(dataset="digits", tasks="ve:3,7", taught="ve:3,7", updates=2, batch_size=8)
        | dict(n=40, sampler=5, sampling="1", learners=1, images=30),
        laptop=most
        | dict(taught="ddpm:8;ve:3,7", n=300, sampler=10, sampling="1,4", learners=1, images=100)
        | dict(seeds=3),
        paper=most
        | dict(taught=every, n=5000, sampler=50, sampling="1,4", learners=3, images=200)  # ours
        | dict(seeds=3),
    )
)
lr = page.parameters["lr"]


# %% tags=["hide-input"]
def named(tasks):
    """Name some tasks in a sentence."""
    words = [
        f"{process.upper()} without {forget.replace(',', ' and ')}" for process, forget in tasks
    ]
    return ", ".join(words[:-1]) + (", and " if words[:-1] else "") + words[-1] if words else "none"


def by_task(record, method, w=None):
    """Return one model's outcome for every task that has it."""
    found = {task: negation.outcomes(record, *task) for task in negation.tasks(record)}
    return {task: several[method, w] for task, several in found.items() if (method, w) in several}


def told(record):
    """Return the outcomes of the models that the page is about."""
    asked = ("standard",), ("unseen",), ("without", 1.0), ("negate_own", 2.0)
    return [by_task(record, *model) for model in asked]


def span(several, what):
    """Return the range of a measure over tasks, in a sentence."""
    found = [getattr(one, what) for one in several.values()] or [0]
    return f"{min(found):.1f} to {max(found):.1f}"


# %% tags=["hide-input", "key"]
before, twins, sampling, weights = told(page.recorded) if page.recorded else [{}] * 4
good, also = ([task for task, one in of.items() if one.reached] for of in (sampling, weights))
bad, off = ([task for task, one in of.items() if not one.reached] for of in (sampling, weights))
page.verdict(
    claim="Ours: exact negation forgets whatever its classifier recognises, from any base model, as if it had never been seen.",
    found=f"MNIST, {len(before)} tasks; UR before {span(before, 'ur')} %. *During sampling*, w = 1, it is {span(sampling, 'ur')} %, and the distance of other samples {span(sampling, 'rest')} times that before; at most 1 % by both classifiers at no more than 1.1 times in {len(good)} of {len(sampling)} tasks (not: {named(bad)}). *In the weights*, without data, w = 2: {span(weights, 'ur')} % at {span(weights, 'rest')} times; {len(also)} of {len(weights)} (not: {named(off)}). The {len(twins)} models retrained in full that are available have {span(twins, 'ur')} %.",
    verdict="Open.",
    rests="Sampling has all seeds, training the first alone in profile laptop.",
)

# %% [markdown]
# ## The models
#
# For each task: the base model, the one retrained in full where there is one (DDPM without 1, and VE without 3 and 7), negation during sampling with the exact weight, w = 1, and a larger one, and for some of the tasks, since training costs most, negation in the weights on the model's own samples, without data, with w = 2, the best of {ref}`ours-negation`. Within a seed all models sample from the same noise.

# %%
from companion.models import base
from companion.studies.negation import look
from paperlib.unlearning.negate import negate

asked, taught = (
    [tuple(task.split(":")) for task in several.split(";")]
    for several in (budget.tasks, budget.taught)
)
drawing = dict(n=budget.n, evaluations=budget.sampler)
amounts = dict(updates=budget.updates, batch_size=budget.batch_size, lr=lr)


def models(process, forget, seed):
    """Yield facts and samples of a task's models."""
    standard = base(f"{budget.dataset}-{process}")
    at = dict(forget=forget, seed=seed, **drawing)
    for model in (standard, standard.retrained(without=forget)):
        if not model.missing:
            yield model.facts, look(model, **at)
    for w in map(float, budget.sampling.split(",")):
        yield standard.facts | dict(method="without", w=w), look(standard, **at, w=w)
    if (process, forget) in taught and seed in page.seeds[: budget.learners]:
        how = dict(w=2.0, points="own", called="negate_own", seed=seed)
        model = standard.unlearn(negate, forget, **how, **amounts)
        yield model.facts, look(model, **at)


# %%
from companion.rows import row
from companion.studies.negation import measures
from companion.studies.recognised import surely


def rows():
    """Yield both judges' UR, the share of which both are sure, and the distance of the rest."""
    for process, forget in asked:
        for seed in page.seeds:
            for facts, subject in models(process, forget, seed):
                facts = facts | dict(process=process, forget=forget)
                facts |= dict(sampler_evaluations=subject.protocol.evaluations)
                found = measures(subject) | {"surely": surely(subject)}
                for metric, one in found.items():
                    how = dict(metric=metric, n=one.n, interval=one.interval, unit=one.unit)
                    yield row(one.value, **how, seed=seed, **facts)


# %%
from companion.studies.negation import others
from companion.studies.pulls import COARSE, compared_pulls
from companion.studies.recognised import recognised


def curves():
    """Compare the pull with the training set's, see what the classifier recognises, and collect other methods' results
    on the same tasks."""
    pulls, beside, seen = {}, {}, {}
    for process, forget in asked:
        model, task = base(f"{budget.dataset}-{process}"), f"{process}:{forget}"
        at = dict(levels=COARSE, n=budget.images, seed=page.seeds[0])
        pulls[task], beside[task] = (
            compared_pulls(model, forget, **at),
            others(model.name, forget),
        )
        seen[forget] = recognised(budget.dataset, forget, n=10 * budget.images)
    return dict(pulls=pulls, others=beside, recognised=seen, amounts=amounts)


# %%
from companion import plots
from companion.evaluation.samples import drawn


def sheets():
    """Lay out samples of every task's models."""
    shown = {
        f"{process} {forget} {facts['method']}": drawn(subject.samples)[:14]
        for process, forget in asked
        for facts, subject in models(process, forget, page.seeds[0])
        if (facts["method"], facts.get("w", "")) in negation.SHOWN
    }
    scale = 2 if budget.dataset == "mnist" else 4
    return {"samples": plots.contact_sheet(shown, columns=14, scale=scale)}


result = page.measure(rows, series=curves, images=sheets, by=["w"])

# %% [markdown]
# ## Results
#
# A model *reaches* its task if both classifiers see the forgotten digits in no more of its samples than in those of the retrained model, or in at most 1 %, and if its other samples are at most 1.1 times as far from real ones as the base model's. Both classifiers are *sure* of a sample if each gives the forgotten digits a probability over 0.9.

# %% tags=["key"]
page.show(plots.negation_tasks)

# %% mystnb={"figure": {"caption": "UR against the distance of the other classes from real images, relative to the base model's; points are labelled with w. Crosses, on the one task that {ref}`compare-all-methods` has recorded: its methods at their searched settings, at 240 gradient evaluations. For the other tasks no other method was searched. Dotted: 1.1 times the distance before. {run}.", "name": "fig-negation-tasks-plane"}, "image": {"alt": "Forgetting against distance, a panel for each task", "width": "720px"}}
page.figure(plots.negation_plane)

# %% mystnb={"figure": {"caption": "Samples from the same noise, not selected. {run}.", "name": "fig-negation-tasks-samples"}, "image": {"alt": "Samples before and after negation for every task", "width": "640px"}}
page.picture("samples", negation.shown_names)

# %% [markdown]
# ## Where it could fail
#
# The pull is only as good as the classifier. Among noisy forgotten test images, this is the share that it recognises, at several noise levels $\sigma_t / \alpha_t$, and how its pull compares with that of the training set ({ref}`ours-negation` explains these measures):

# %%
page.show(plots.pull_table)

# %% [markdown]
# ## This run

# %% tags=["hide-output"]
page.this_run()
