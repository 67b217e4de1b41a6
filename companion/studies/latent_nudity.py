"""EraseDiff's Table 2 and Figures 3, 6, 12 and 13: nudity forgotten by four prompts.

A run yields counts of exposed body parts, an FID and a CLIP score. The only images that it keeps are those of COCO's
first prompts; prompts for which NudeNet finds anything exposed are left out of the grid
(:func:`companion.studies.latent_grids.harmless`).
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch

from companion.machine import pick_device
from companion.rows import Row, row
from companion.seeds import generator
from companion.studies import latent_runs
from companion.studies.latent_grids import Pair, harmless
from paperlib.data import cache as data_cache
from paperlib.latent.pipeline import denoiser, find
from paperlib.latent.prompts import NUDITY, Prompt, named
from paperlib.metrics import clip
from paperlib.metrics.features import features
from paperlib.metrics.frechet import Statistics, frechet
from paperlib.metrics.nudenet import EXPOSED, THRESHOLDS, Detector, counts, detector, poisson_interval

__all__ = ["BUDGETS", "METHODS", "grids", "missing", "need", "nudity_rows"]

WEARING, POKEMON = "a person wearing clothes", "a photo of pokemon"
PROMPTS = [*NUDITY, WEARING, POKEMON]  # labels 0 to 5
#: Name of the row -> method, the weights that it trains, and its settings. ESD is ESD-u.
METHODS: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "standard": ("", "", {}),
    "esd": ("esd", "noxattn", {}),
    "selective_amnesia": ("selective_amnesia", "full", {}),
    "salun": ("salun", "full", {}),
    "erasediff": ("erasediff", "noxattn", dict(instead=PROMPTS.index(POKEMON), K=2)),
    "erasediff_wc": ("erasediff", "noxattn", dict(instead=PROMPTS.index(WEARING), K=2)),
}
UPDATES = 125  # five passes over 400 images in batches of 16 (Section 8, and the public code's E = 5)
PART = 64  # prompts embedded at a time
COLUMNS = 6  # prompts in a grid, out of COCO's first ``PART``
BUDGETS = dict(
    smoke=dict(updates=1, batch_size=2, lr=1e-5, drawn=4, i2p=2, nude=2, coco=4, evaluations=2, own={}),
    laptop=dict(updates=0, batch_size=0, lr=0.0, drawn=0, i2p=0, nude=0, coco=0, evaluations=0, own={}),
    # Section 8: about 400 images per side, 1e-5; Section 5.3: 4,703 I2P prompts, 1,000 of nudity, 30,000 of COCO
    paper=dict(updates=UPDATES, batch_size=16, lr=1e-5, drawn=400, i2p=4703, nude=1000, coco=30_000, evaluations=50)
    | dict(own={"esd": dict(updates=1000, batch_size=1, lr=1e-5)}),
)


def missing(claim: Any) -> str:
    """Return the reason why a printed cell was not run."""
    return "Stable Diffusion's weights are not part of this book; PROFILE=paper runs it where they are"


def need(profile: str, model: str, reference: str, amounts: Mapping[str, Any]) -> None:
    """Raise an error, before anything is computed, if a run's pipeline, reference, prompts or judges are not on this
    machine."""
    if latent_runs.small(profile):
        return
    find(model)
    if not reference:
        raise FileNotFoundError("reference='': FID needs statistics of COCO's validation images, a .npz of pytorch-fid")
    Statistics.load(reference)
    for name, n in (("i2p", amounts["i2p"]), ("coco-30k", amounts["coco"])):
        _prompts(profile, name, n)
    _detector(profile)
    _clip(profile)
    latent_runs.network(profile, 2048)


@cache
def _prompts(profile: str, name: str, n: int) -> list[Prompt]:
    if latent_runs.small(profile):
        return [Prompt(f"a house by the sea, number {k}", seed=k) for k in range(n)]
    return named(name, Path(data_cache.folders()[0]) / "prompts")[:n]


@cache
def _detector(profile: str) -> Detector:
    return (lambda image: []) if latent_runs.small(profile) else detector()


@cache
def _clip(profile: str) -> clip.Clip:
    if not latent_runs.small(profile):
        return clip.load("ViT-L-14-quickgelu", device=pick_device())
    import open_clip

    vision = {"image_size": 32, "layers": 1, "width": 32, "patch_size": 8, "head_width": 16}
    text = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
    model = open_clip.CLIP(embed_dim=16, vision_cfg=vision, text_cfg=text)
    return clip.Clip(model.eval(), open_clip.get_tokenizer("ViT-B-32"), "CLIP, small and random")


def run(
    profile: str,
    model: str,
    name: str,
    amounts: Mapping[str, Any],
    *,
    reference: str,
    save: str = "",
    seed: int = 0,
    pairs: dict[str, Pair] | None = None,
) -> dict[str, Any]:
    """Return one method's counts by set, part and threshold, its FID and its CLIP score.

    If ``pairs`` has no entry for the method yet, it gets images of COCO's first prompts, before and after forgetting.
    """
    pipeline = latent_runs.open_pipeline(profile, model)
    given = denoiser(pipeline, PROMPTS)
    labels = torch.cat([torch.arange(amounts["drawn"]) % len(NUDITY), torch.full((amounts["drawn"],), len(NUDITY))])
    looks = dict(evaluations=amounts["evaluations"], seed=seed)
    images = latent_runs.draw_images(pipeline, given, labels, **looks)
    method, trains, changes = METHODS[name]
    coco, before = _prompts(profile, "coco-30k", amounts["coco"]), None
    if method and pairs is not None and name not in pairs:  # before a method trains the pipeline's own weights
        before = _of_prompts(pipeline, coco[:PART], looks)
    after = given
    if method:
        how = dict(kept=[len(NUDITY)], amounts=amounts, words="", trains=trains, seed=seed)
        after = latent_runs.forgotten_by_prompt(pipeline, method, PROMPTS, images, labels, **how, **changes)
        latent_runs.save(after, pipeline, save)
    told = latent_runs.put_back(after, pipeline)
    found: dict[str, Any] = {"counts": {}}
    nude = [Prompt(NUDITY[k % len(NUDITY)]) for k in range(amounts["nude"])]
    for what, several in (("i2p", _prompts(profile, "i2p", amounts["i2p"])), ("nude", nude)):
        drawn = _of_prompts(told, several, looks)
        found["counts"][what] = (counts(drawn, _detector(profile)), len(drawn))
    drawn, network = _of_prompts(told, coco, looks), latent_runs.network(profile, 2048)
    if before is not None:
        pairs[name] = Pair([one.text for one in coco[:PART]], before, drawn[:PART])
    own = features(drawn, network)
    if latent_runs.small(profile):  # the file has statistics of Inception's features, not of the small network's
        against = Statistics.of(own.flip(0) * 1.01, network.name)
    else:
        against = Statistics.load(reference)
    found["fid"] = (frechet(own, against, network=network.name).value, len(drawn))
    draws = generator(seed, "latent_nudity/clip", "evaluation")
    found["clip_score"] = (clip.clip_score(_clip(profile), drawn, [one.text for one in coco], draws).value, len(drawn))
    return found


def grids(profile: str, pairs: dict[str, Pair]) -> dict[str, Pair]:
    """Return the images of each method that a page may show."""
    return harmless(pairs, _detector(profile), COLUMNS)


def _of_prompts(pipeline, prompts: Sequence[Prompt], looks: Mapping[str, Any], part: int = PART) -> torch.Tensor:
    """Draw one uint8 image per prompt, ``part`` prompts at a time, since all of them are embedded at once."""
    drawn = []
    for start in range(0, len(prompts), part):
        texts = [one.text for one in prompts[start : start + part]]
        known = list(dict.fromkeys(texts))
        labels = torch.tensor([known.index(text) for text in texts])
        own = looks | dict(seed=looks["seed"] + start)
        drawn.append(latent_runs.draw_images(pipeline, denoiser(pipeline, known), labels, **own))
    return torch.cat(drawn)


def nudity_rows(
    profile: str, model: str, methods: Sequence[str], amounts: Mapping[str, Any], *, reference: str = "", **settings
) -> Iterator[Row]:
    """Yield the rows of every method. A setting ``pairs`` collects images (see ``run``)."""
    tiny = profile == "smoke"
    facts = dict(dataset="shapes" if tiny else "coco", process="tiny" if tiny else "sd14", forget="nudity")
    facts |= {name: amounts[name] for name in ("updates", "batch_size", "lr", "evaluations")}
    seed = settings.get("seed", 0)
    for name in methods:
        found = run(profile, model, name, amounts, reference=reference, **settings)
        for metric in ("fid", "clip_score"):
            value, n = found[metric]
            yield row(value, metric=metric, n=n, seed=seed, method=name, **facts)
        for what, (seen, n) in found["counts"].items():
            for threshold in THRESHOLDS:
                total = sum(seen[part][threshold] for part in EXPOSED)
                how = dict(metric="exposed", unit="count", n=n, seed=seed, interval=poisson_interval(total))
                yield row(total, **how, method=name, test=what, threshold=threshold, parts=seen, **facts)
