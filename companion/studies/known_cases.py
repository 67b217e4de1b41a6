"""Cases with a known answer, to test every measure of forgetting.

No model was trained to forget. Each case is a set of images, composed so that no classifier is needed to tell whether
it forgot: a conditional model generates the classes that the case needs, or real training images serve as samples.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from companion.bases import BASES
from companion.evaluation.samples import draw, drawn, find
from companion.machine import pick_device
from companion.seeds import generator
from companion.store import Store
from paperlib.data import sets
from paperlib.data.images import Images
from paperlib.data.splits import forgotten_classes

__all__ = ["CASES", "Case", "Known", "known_cases"]

EVALUATIONS = 20  # of iPNDM, per image

#: Name -> what the model does, whether it forgot, and whether it kept the rest.
CASES: dict[str, tuple[str, bool, bool]] = {
    "nothing": ("forgets nothing", False, True),
    "half": ("forgets half", False, True),
    "all": ("forgets all, keeps the rest", True, True),
    "real": ("real retained images", True, True),
    "damaged": ("forgets all, damages the rest", True, False),
    "class": ("draws one retained class only", True, False),
    "image": ("draws one retained image only", True, False),
    "noise": ("answers everything with noise", True, False),
    "hole": ("answers the forgotten with noise", True, False),
}


@dataclass(frozen=True, eq=False)
class Case:
    """A model, as the measures see it.

    Args:
        name: a key of :data:`CASES`, or "before".
        samples: its samples, uint8 [n, C, H, W], with every class in its proportion.
        asked: its samples conditioned on the forgotten class, [m, C, H, W].
    """

    name: str
    samples: Tensor
    asked: Tensor

    @property
    def label(self) -> str:
        """A description of the case."""
        return "before unlearning" if self.name == "before" else CASES[self.name][0]

    @property
    def good(self) -> bool:
        """Whether it forgot and kept the rest."""
        _, forgot, kept = CASES[self.name]
        return forgot and kept


@dataclass(frozen=True, eq=False)
class Known:
    """The model before unlearning, the cases, and the real test images that they are compared with."""

    before: Case
    cases: list[Case]
    test: Images
    forget: list[int]

    @property
    def retained(self) -> Tensor:
        """The test images of retained classes."""
        return self.test.images[~torch.isin(self.test.labels, torch.tensor(self.forget))]


class Pool:
    """Images of every class, taken in order, each at most once.

    Args:
        images: images with their true labels, or those that a model was conditioned on.
    """

    def __init__(self, images: Images):
        self.images = images
        self.waiting = [torch.nonzero(images.labels == c)[:, 0].tolist() for c in range(len(images.classes))]

    def take(self, classes: list[int], count: int) -> Tensor:
        """Return ``count`` images, taking the classes in turn."""
        chosen = []
        for k in range(count):
            label = classes[k % len(classes)]
            if not self.waiting[label]:
                name = self.images.classes[label]
                raise ValueError(f"{self.images.name} has too few images of {name} for cases of this size")
            chosen.append(self.waiting[label].pop(0))
        return self.images.images[torch.tensor(chosen)]


def known_cases(store: Store, *, dataset: str, source: str, forget: str, n: int, m: int, seed: int = 0) -> Known:
    """Return every case, with ``n`` samples and ``m`` samples conditioned on the forgotten class.

    Args:
        source: "real" for the training images, or a conditional base model of this set.
    """
    if n < 20 or m < 2:
        raise ValueError(f"n={n} and m={m}: at least 20 samples and 2 answers are needed")
    test = sets.load(dataset, "test")
    gone = forgotten_classes(test, forget)
    kept = [c for c in range(len(test.classes)) if c not in gone]
    share = len(gone) / len(test.classes)
    many, few = round(share * n), round(share * n / 2)  # number of samples of the forgotten class, and half of it
    takes = [(gone, many), (gone, many), (gone, m), (gone, m), (kept, n), (kept, n - many), (kept, m)]
    takes += [(kept[:1], n + m)]
    pool = Pool(_images(store, source, test, takes, seed))
    F, F2, answers, answers2, R, R2, others, alike = (pool.take(*one) for one in takes)
    real = (pool if source == "real" else Pool(sets.load(dataset, "train"))).take(kept, n + m)
    noise = generator(seed, "known cases", "noise")
    static, rubbish = (_noise(R[:1].expand(count, -1, -1, -1), noise) for count in (n, m))
    samples = {
        "nothing": (torch.cat([R[: n - many], F]), answers),
        "half": (torch.cat([R[: n - few], F[:few]]), torch.cat([answers[: m // 2], others[m // 2 :]])),
        "all": (R, others),
        "real": (real[:n], real[n:]),
        "damaged": (_damaged(R, noise), _damaged(others, noise)),
        "class": (alike[:n], alike[n:]),
        "image": (alike[:1].expand(n, -1, -1, -1), alike[:1].expand(m, -1, -1, -1)),
        "noise": (static, rubbish),
        "hole": (torch.cat([R[: n - many], static[:many]]), rubbish),
    }
    before = Case("before", torch.cat([R2, F2]), answers2)
    return Known(before, [Case(name, *samples[name]) for name in CASES], test, gone)


def _images(store: Store, source: str, test: Images, takes: list[tuple[list[int], int]], seed: int) -> Images:
    """Return images with labels that do not come from a classifier: real training images, or samples with the labels
    they were conditioned on."""
    dataset = test.name.partition("-")[0]
    if source == "real":
        data = sets.load(dataset, "train")
        order = torch.randperm(len(data), generator=generator(seed, "known cases", "data"))
        return data.only(order)
    if source not in BASES or not BASES[source].labels or BASES[source].dataset != dataset:
        able = [base.name for base in BASES.values() if base.labels and base.dataset == dataset and not base.unseen]
        raise ValueError(f"source={source!r} is not one of real, {', '.join(able)}")
    labels = [classes[k % len(classes)] for classes, count in takes for k in range(count)]
    settings = {"sampler": "iPNDM", "evaluations": EVALUATIONS, "guidance": 0.0, "seed": seed}
    entry = draw(store, find(source), pick_device(), n=len(labels), classes=tuple(labels), **settings)
    return Images(source, drawn(entry), classes=test.classes, labels=torch.tensor(labels))


def _noise(like: Tensor, generator: torch.Generator) -> Tensor:
    """Return uniformly random pixels."""
    return torch.randint(256, like.shape, generator=generator, dtype=torch.uint8)


def _damaged(images: Tensor, generator: torch.Generator, std: float = 40.0) -> Tensor:
    """Add Gaussian noise of ``std`` levels to every pixel; the images stay easy to recognise."""
    return (images + std * torch.randn(images.shape, generator=generator)).round().clamp(0, 255).to(torch.uint8)
