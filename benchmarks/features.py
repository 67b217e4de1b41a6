"""Images a second through the feature networks: FID's Inception, beside pytorch-fid's own loop, and our classifiers.

pytorch-fid reads files, so the same images are written as PNG first; that is not timed. The features must be equal.
Drawn colour images of 32 x 32 pixels: Inception resizes whatever it is given to 299 x 299.

    python benchmarks/features.py --threads 2

Where Inception's weights are not on this machine its row says so.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from _measure import interleaved, machine, options
from PIL import Image
from pytorch_fid import fid_score
from pytorch_fid.inception import InceptionV3
from torch import Tensor

from companion.classifiers import classifier
from paperlib.data import sets
from paperlib.metrics.features import INCEPTION, MissingWeights, features, inception, penultimate

fid_score.tqdm = iter  # no progress bar in the middle of a table

EQUAL = 1e-4  # largest difference of a feature; they are of order 1
SIZES = {"digits": (1, 8, 8), "mnist": (1, 28, 28), "shapes": (3, 32, 32), "avatars": (3, 32, 32)}
MANY = 20  # times as many images for a classifier, which takes milliseconds


class Extraction:
    """One way to features; the last ones are kept."""

    def __init__(self, run: Callable[[], Tensor]):
        self.run, self.values = run, None

    def __call__(self) -> float:
        start = time.perf_counter()
        self.values = self.run()
        return time.perf_counter() - start


def theirs(images: Tensor, folder: Path, batch: int) -> Callable[[], Tensor]:
    """pytorch-fid's loop over files, its defaults otherwise."""
    files = [folder / f"{k:05d}.png" for k in range(len(images))]
    for file, image in zip(files, images):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(file)
    model = InceptionV3([InceptionV3.BLOCK_INDEX_BY_DIM[2048]])
    return lambda: torch.from_numpy(fid_score.get_activations(files, model, batch_size=batch)).float()


def fid(batch: int, rounds: int) -> None:
    """The table's rows of Inception."""
    try:
        network = inception()
    except MissingWeights:
        print(f"| {INCEPTION} | ours | | | | not measured: its weights are not on this machine |")
        return
    images = sets.load("shapes", "test", n=2 * batch).images
    with tempfile.TemporaryDirectory() as folder:
        runs = {
            "ours": Extraction(lambda: features(images, network, batch)),
            "pytorch-fid": Extraction(theirs(images, Path(folder), batch)),
        }
        seconds = interleaved(runs, rounds, warmup=0 if rounds == 1 else 1)
    difference = (runs["ours"].values - runs["pytorch-fid"].values).abs().max().item()
    faster = seconds["pytorch-fid"] / seconds["ours"]
    verdict = "met" if difference <= EQUAL and faster >= 1 else "missed: "
    verdict += "features differ" if difference > EQUAL else f"behind, {faster:.3f}" if faster < 1 else ""
    for who, run in runs.items():
        apart, last = ("", verdict) if who == "ours" else (f"{difference:.1e}", "")
        print(f"| {INCEPTION} | {who} | {run.values.shape[1]} | {len(images) / seconds[who]:.1f} | {apart} | {last} |")


def classifiers(batch: int, rounds: int) -> None:
    """The rows of the committed classifiers; what the pixels show does not matter to the seconds."""
    generator, runs = torch.Generator().manual_seed(0), {}
    for name, size in SIZES.items():
        images = torch.randint(256, (MANY * batch, *size), generator=generator, dtype=torch.uint8)
        network = penultimate(classifier(name), f"the {name} classifier")
        runs[network.name] = Extraction(lambda images=images, network=network: features(images, network, batch))
    seconds = interleaved(runs, rounds)
    for name, run in runs.items():
        print(f"| {name} | ours | {run.values.shape[1]} | {len(run.values) / seconds[name]:.0f} | | |")


def main() -> None:
    chosen = options(__doc__, batch=50, rounds=5)
    print("## Features, images a second\n")
    print(
        f"{machine()}; batches of {chosen.batch}, median of {chosen.rounds} interleaved turns; the aim is "
        f"pytorch-fid's speed or more, and its features to {EQUAL}\n"
    )
    print("| network | by | features | images/s | largest difference | aim |\n|---|---|---|---|---|---|")
    fid(chosen.batch, chosen.rounds)
    classifiers(chosen.batch, chosen.rounds)


if __name__ == "__main__":
    main()
