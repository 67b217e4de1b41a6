"""The rules for shared steps and pages, and their order. `make book` calls this through companion.workflow.

Outputs are stamps, because Snakemake deletes a rule's outputs before it runs and when it fails, and the last good page
must be kept. A page is stale when its own files, or a module that its code imports, have changed.
"""

import os
import sys
from pathlib import Path

from companion.code import imported_files

# Page -> the shared steps that must be in the store before it runs: `python -m companion.<step> --profile P`.
# A page run alone computes what is missing; listing the steps here keeps two pages from computing the same thing.
STEPS = {
    "sgu_tab1_mixture_nll": ["studies.mixture"],
    "sgu_fig1_mixture_samples": ["studies.mixture"],
    "sgu_fig2_mixture_scores": ["studies.mixture"],
    "ours_mixture_frontier": ["studies.mixture"],
    "compare_all_methods": ["comparison.bench"],
    "compare_gradient_conflict": ["comparison.bench"],
    "compare_relearning": ["comparison.bench"],
}

SEARCHES = sorted(Path("results/search").glob("*.json"))  # the bench's settings
PAGES = sorted(path.stem for path in Path("notebooks").glob("*.py"))
PROFILE, SOLUTIONS = config["profile"], config["solutions"]
JOBS = min(int(config.get("jobs", 1)), os.cpu_count())  # on this machine; a cluster may run more
ONLY = config.get("only", "").split(",") if config.get("only") else []
# What a page or step requests on a cluster: minutes, and memory in MB. `paper` requests GPUs if PAPERLIB_GPUS says how
# many a job may have.
MINUTES = {"recorded": 30, "smoke": 30, "laptop": 12 * 60, "paper": 7 * 24 * 60}
MEMORY = {"recorded": 3000, "smoke": 4000, "laptop": 6000, "paper": 48_000}
GPUS = int(os.environ.get("PAPERLIB_GPUS", "0"))
BUILD = os.path.relpath(os.environ["PAPERLIB_BUILD"])


def code(start):
    """Return the package's files that `start` imports, as relative paths, so that a moved checkout is not stale."""
    return [os.path.relpath(path) for path in imported_files(start)]


def page_files(wildcards):
    page = wildcards.page
    pair = [f"notebooks/{page}.py", f"notebooks/{page}.ipynb"]
    records = [*Path("results").glob(f"*/{page}.json"), *(SEARCHES if "comparison.bench" in STEPS.get(page, []) else [])]
    return [*pair, *code(Path(pair[0])), *map(str, sorted(records))]


def page_steps(wildcards):
    if wildcards.profile == "recorded":  # computes nothing
        return []
    return [f"{BUILD}/steps/{wildcards.profile}/{step}.step" for step in STEPS.get(wildcards.page, [])]


def gres(wildcards):
    return f"gpu:{GPUS}" if GPUS and wildcards.profile == "paper" else None


localrules:
    html,
    pages,


rule html:
    input:
        pages=expand(f"{BUILD}/steps/{PROFILE}/{{page}}.page", page=PAGES),
        sources=[str(path) for path in sorted([*Path("book").rglob("*.*"), *Path("paperlib").rglob("*.py"), *Path("companion").rglob("*.py")]) if path.is_file()],
        models=[str(path) for path in sorted(Path("checkpoints").glob("*"))],
        config="_config.yml",
    output:
        f"{BUILD}/steps/html",
    params:
        profile=PROFILE,
        solutions=SOLUTIONS,
    log:
        f"{BUILD}/logs/html.log",
    shell:
        "{sys.executable:q} -m companion.book --profile {params.profile} --solutions {params.solutions} --jobs {JOBS}"
        " --stamp {output:q} > {log:q} 2>&1"


rule pages:
    input:
        expand(f"{BUILD}/steps/{PROFILE}/{{page}}.page", page=ONLY),


rule page:
    input:
        page_files,
        page_steps,
        "requirements.lock",
    output:
        f"{BUILD}/steps/{{profile}}/{{page}}.page",
    log:
        f"{BUILD}/logs/{{profile}}/{{page}}.log",
    resources:
        runtime=lambda wildcards: MINUTES[wildcards.profile],
        mem_mb=lambda wildcards: MEMORY[wildcards.profile],
        **({"gres": gres} if GPUS else {}),
    shell:
        "{sys.executable:q} -m companion.warm companion.execute {wildcards.page} --profile {wildcards.profile}"
        " --stamp {output:q} > {log:q} 2>&1"


rule step:
    input:
        lambda wildcards: code(f"companion.{wildcards.step}"),
        lambda wildcards: map(str, SEARCHES if wildcards.step == "comparison.bench" else []),
    output:
        f"{BUILD}/steps/{{profile}}/{{step}}.step",
    log:
        f"{BUILD}/logs/{{profile}}/{{step}}.log",
    resources:
        runtime=lambda wildcards: MINUTES[wildcards.profile],
        mem_mb=lambda wildcards: MEMORY[wildcards.profile],
        **({"gres": gres} if GPUS else {}),
    shell:
        "{sys.executable:q} -m companion.warm companion.{wildcards.step} --profile {wildcards.profile} > {log:q} 2>&1"
        " && touch {output:q}"
