"""EraseDiff's Tables 3 and 5: an Imagenette class forgotten by its prompt, measured by UA and two distances."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from companion.rows import Row, row
from companion.studies import latent_runs
from companion.studies.latent_grids import Pair, first_of_each
from companion.studies.latent_runs import CLASSES
from paperlib.latent.pipeline import denoiser, find
from paperlib.metrics.features import features
from paperlib.metrics.frechet import Statistics, frechet
from paperlib.metrics.imagenet import IMAGENETTE, unlearning_accuracy
from paperlib.metrics.miscast import miscast

__all__ = [
    "BUDGETS",
    "LINES",
    "UPDATES",
    "averages",
    "chosen",
    "class_rows",
    "classes",
    "missing",
    "need",
    "prompts_of",
    "updates_of",
]

TABLE = ("forget_me_not", "esd", "salun", "erasediff")
STRONGER = dict(alpha=1e-4)  # ours: the paper does not say how SalUn was made to forget more
UPDATES, BATCH = 118, 16  # two passes over a class's 945 or so training images (EraseDiff's code: E = 2)
LINES = 2  # images per class in a method's grid
#: Settings, from their own public codes, of the methods whose numbers the paper takes from SalUn's table.
OWN = {
    "forget_me_not": dict(updates=35, batch_size=4, lr=2e-6),
    "esd": dict(updates=1000, batch_size=1, lr=1e-5),
}
BUDGETS = dict(
    smoke=dict(dataset="shapes", known=4, seen=2, batch_size=2, lr=1e-5, per_class=2, n=2, reference=8)
    | dict(evaluations=2, own={}),
    laptop=dict(dataset="cifar10", known=100, seen=0, batch_size=0, lr=0.0, per_class=0, n=0, reference=0)
    | dict(evaluations=0, own={}),
    # 100 images per prompt and 50 steps: Section 5.3. Batches of 16 at 1e-5, 1,000 real images: the public script.
    # ``seen`` counts the forgotten images shown in training, with repeats: smaller batches mean more updates.
    paper=dict(dataset="cifar10", known=1000, seen=UPDATES * BATCH, batch_size=BATCH, lr=1e-5, per_class=1000, n=100)
    | dict(reference=1000, evaluations=50, own=OWN),
)


def chosen(methods: str, table: int) -> list[str]:
    """Return the methods that a page's parameter names, in the table's order; Table 5 has only SalUn and EraseDiff.

    Raises:
        ValueError: for another table or an unknown method.
    """
    if table not in (3, 5):
        raise ValueError(f"table={table!r} is neither 3 nor 5")
    known = TABLE if table == 3 else TABLE[2:]
    words = known if methods == "all" else [word.strip() for word in methods.split(",")]
    if unknown := [word for word in words if word not in known]:
        raise ValueError(f"methods={unknown[0]!r} is not one of all, {', '.join(known)}")
    return [name for name in known if name in words]


def classes(forget: str) -> list[str]:
    """Return the classes that a page's parameter names.

    Raises:
        ValueError: for an unknown class.
    """
    names = CLASSES if forget == "all" else [forget.lower().replace(" ", "_")]
    if names[0] not in CLASSES:
        raise ValueError(f"forget={forget!r} is not one of all, {', '.join(CLASSES)}")
    return list(names)


def missing(claim: Any) -> str:
    """Return the reason why a printed cell was not run."""
    return "Stable Diffusion's weights are not part of this book; PROFILE=paper runs it where they are"


def need(profile: str, model: str) -> None:
    """Raise an error, before anything is computed, if a run's pipeline, images or judges are not on this machine."""
    if latent_runs.small(profile):
        return
    find(model)
    latent_runs.imagenette_folder()
    latent_runs.judge(profile)
    for dims in (64, 2048):
        latent_runs.network(profile, dims)


def prompts_of(forget: str) -> tuple[list[str], list[str]]:
    """Return the prompts and the names of all classes, the forgotten one first, so that it is label 0."""
    names = list(IMAGENETTE)
    names.sort(key=lambda name: CLASSES[list(IMAGENETTE).index(name)] != forget)
    return [f"an image of {name}" for name in names], names


def run(
    profile: str,
    model: str,
    forget: str,
    method: str,
    amounts: Mapping[str, Any],
    *,
    pairs: dict[str, Pair] | None = None,
    **settings: Any,
) -> dict:
    """Return the results of one run, {metric: (value, n, interval)}: UA, and two distances of the other classes' images
    from real ones.

    If ``pairs`` has no entry for the method yet, it gets the first images of each class before and after forgetting.
    """
    save = settings.pop("save", "")
    pipeline = latent_runs.open_pipeline(profile, model)
    prompts, names = prompts_of(forget)
    size = pipeline.unet.config.sample_size * pipeline.vae_scale_factor
    images, labels = latent_runs.imagenette(profile, size, amounts["per_class"])
    order = torch.tensor([names.index(name) for name in IMAGENETTE])  # from torchvision's order to that of the prompts
    labels = order[labels]
    asked = torch.arange(10).repeat_interleave(amounts["n"])
    look = dict(evaluations=amounts["evaluations"], seed=settings.get("seed", 0))
    shown, before = first_of_each(10, amounts["n"], LINES), None
    if pairs is not None and method not in pairs:  # before a method trains the pipeline's own weights
        before = latent_runs.draw_images(pipeline, denoiser(pipeline, prompts), asked, only=shown, **look)
    how = dict(kept=range(1, 10), amounts=amounts, words=names[0], **settings)
    after = latent_runs.forgotten_by_prompt(pipeline, method, prompts, images, labels, **how)
    latent_runs.save(after, pipeline, save)
    drawn = latent_runs.draw_images(pipeline, after, asked, **look)
    if before is not None:
        pairs[method] = Pair(names, before, drawn[shown])
    ua = unlearning_accuracy(drawn[asked == 0], names[0], latent_runs.judge(profile))
    found = {"ua": (ua.value, ua.n, ua.interval)}
    rest, real = drawn[asked > 0], images[labels > 0][: amounts["reference"]]
    for metric, dims, bytes_of in (("fid_imagenette", 64, miscast), ("fid", 2048, lambda one: one)):
        network = latent_runs.network(profile, dims)
        against = Statistics.of(features(bytes_of(real), network), network.name)
        value = frechet(features(bytes_of(rest), network), against, network=network.name)
        found[metric] = (value.value, len(rest), None)
    return found


def updates_of(seen: int, batch_size: int) -> int:
    """Return the number of updates, at least one, that show ``seen`` forgotten images in batches of ``batch_size``."""
    return max(1, round(seen / batch_size))


def class_rows(
    profile: str,
    model: str,
    forgets: Sequence[str],
    methods: Sequence[str],
    amounts: Mapping[str, Any],
    *,
    stronger: bool = False,
    **settings: Any,
) -> Iterator[Row]:
    """Yield the rows of every class and method and, if all ten classes are requested, their means over the classes.

    ``stronger`` selects Table 5's SalUn. A setting ``pairs`` collects images of the first class (see ``run``).
    """
    seed, table = settings.get("seed", 0), []
    tiny = latent_runs.small(profile) and profile == "smoke"
    facts = dict(dataset="shapes" if tiny else "imagenette", process="tiny" if tiny else "sd14")
    amounts = dict(amounts) | {"updates": updates_of(amounts["seen"], amounts["batch_size"])}
    facts |= {name: amounts[name] for name in ("updates", "batch_size", "lr", "evaluations")}
    for method in methods:
        changes = STRONGER if method == "salun" and stronger else {}
        for forget in forgets:
            found = run(profile, model, forget, method, amounts, **settings, **changes)
            for metric, (value, n, interval) in found.items():
                one = dict(metric=metric, n=n, seed=seed, interval=interval, method=method, forget=forget)
                table.append(row(value, **one, **facts))
    yield from table
    if len(forgets) == len(CLASSES):
        yield from averages(table)


def averages(table: Sequence[Row]) -> Iterator[Row]:
    """Yield the mean over the classes for each method and metric."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for one in table:
        groups.setdefault((one.facts["method"], one.metric), []).append(one)
    for several in groups.values():
        facts = several[0].facts | {"forget": "each class"}
        value = sum(one.value for one in several) / len(several)
        yield row(value, metric=several[0].metric, n=sum(one.n for one in several), seed=several[0].seed, **facts)
