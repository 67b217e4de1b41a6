"""EraseDiff's Tables 3 and 5: a class of Imagenette forgotten by its prompt, judged by UA and by two distances."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from companion.rows import Row, row
from companion.studies import latent_runs
from companion.studies.latent_runs import CLASSES
from paperlib.metrics.features import features
from paperlib.metrics.frechet import Statistics, frechet
from paperlib.metrics.imagenet import IMAGENETTE, unlearning_accuracy
from paperlib.metrics.miscast import miscast

__all__ = ["averages", "class_rows", "prompts_of"]


def prompts_of(forget: str) -> tuple[list[str], list[str]]:
    """Prompts and classes, the forgotten one first: it is label 0."""
    names = list(IMAGENETTE)
    names.sort(key=lambda name: CLASSES[list(IMAGENETTE).index(name)] != forget)
    return [f"an image of {name}" for name in names], names


def run(profile: str, model: str, forget: str, method: str, amounts: Mapping[str, Any], **settings: Any) -> dict:
    """UA, and the distances of the other classes' images from real ones, of one run. {metric: (value, n, interval)}."""
    save = settings.pop("save", "")
    pipeline = latent_runs.open_pipeline(profile, model)
    prompts, names = prompts_of(forget)
    size = pipeline.unet.config.sample_size * pipeline.vae_scale_factor
    images, labels = latent_runs.imagenette(profile, size, amounts["per_class"])
    order = torch.tensor([names.index(name) for name in IMAGENETTE])  # torchvision's order to the prompts'
    labels = order[labels]
    how = dict(kept=range(1, 10), amounts=amounts, words=names[0], **settings)
    after = latent_runs.forgotten_by_prompt(pipeline, method, prompts, images, labels, **how)
    latent_runs.save(after, pipeline, save)
    asked = torch.arange(10).repeat_interleave(amounts["n"])
    look = dict(evaluations=amounts["evaluations"], seed=settings.get("seed", 0))
    drawn = latent_runs.draw_images(pipeline, after, asked, **look)
    ua = unlearning_accuracy(drawn[asked == 0], names[0], latent_runs.judge(profile))
    found = {"ua": (ua.value, ua.n, ua.interval)}
    rest, real = drawn[asked > 0], images[labels > 0][: amounts["reference"]]
    for metric, dims, bytes_of in (("fid_imagenette", 64, miscast), ("fid", 2048, lambda one: one)):
        network = latent_runs.network(profile, dims)
        against = Statistics.of(features(bytes_of(real), network), network.name)
        value = frechet(features(bytes_of(rest), network), against, network=network.name)
        found[metric] = (value.value, len(rest), None)
    return found


def class_rows(
    profile: str, model: str, forgets: Sequence[str], methods: Sequence[str], amounts: Mapping[str, Any], **settings
) -> Iterator[Row]:
    """The rows of every class and method, and their means over the classes where all ten are asked for."""
    seed, table = settings.get("seed", 0), []
    for forget in forgets:
        if forget not in CLASSES:
            raise ValueError(f"forget={forget!r} is not one of all, {', '.join(CLASSES)}")
    tiny = latent_runs.small(profile) and profile == "smoke"
    facts = dict(dataset="shapes" if tiny else "imagenette", process="tiny" if tiny else "sd14")
    facts |= {name: amounts[name] for name in ("updates", "batch_size", "lr", "evaluations")}
    for method in methods:
        for forget in forgets:
            found = run(profile, model, forget, method, amounts, **settings)
            for metric, (value, n, interval) in found.items():
                one = dict(metric=metric, n=n, seed=seed, interval=interval, method=method, forget=forget)
                table.append(row(value, **one, **facts))
    yield from table
    if len(forgets) == len(CLASSES):
        yield from averages(table)


def averages(table: Sequence[Row]) -> Iterator[Row]:
    """Means over the classes, each method's and metric's."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for one in table:
        groups.setdefault((one.facts["method"], one.metric), []).append(one)
    for several in groups.values():
        facts = several[0].facts | {"forget": "each class"}
        value = sum(one.value for one in several) / len(several)
        yield row(value, metric=several[0].metric, n=sum(one.n for one in several), seed=several[0].seed, **facts)
