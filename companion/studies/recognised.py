"""Why something is left: what the classifier of noisy images recognises, and how sure the judges are of what they see.

A classifier's card has the accuracy over all classes; exact negation rests on P(f | x_t) of the forgotten ones alone. A
sample that shows no class clearly has to be counted as one of them all the same.
"""

import torch

from companion import bases
from companion.evaluation.measures import Result, result
from companion.evaluation.observer import Observer
from companion.evaluation.samples import drawn
from companion.evaluation.subject import Subject
from companion.noisy_classifiers import noisy_classifier
from companion.seeds import generator
from paperlib.data.images import model_input
from paperlib.data.splits import forgotten_parts, split
from paperlib.metrics.forgetting import unlearning_ratio
from paperlib.negation import log_kept

__all__ = ["LEVELS", "recognised", "surely"]

LEVELS = (0.5, 1.0, 2.0, 3.0, 5.0)  # sigma / alpha


@torch.no_grad()
def recognised(
    dataset: str, forget: str, *, n: int, seed: int = 0, levels: tuple[float, ...] = LEVELS
) -> list[dict[str, float]]:
    """Return a row per noise level: the shares of noisy test images whose P(f | x_t) is above 1/2.

    Args:
        dataset: the set, whose committed classifier is asked.
        forget: what is to be forgotten, written like a page's parameter.
        n: the number of test images of each side, from the first on; fewer if there are fewer.
        seed: of the noise.
        levels: sigma / alpha.

    Returns:
        ``sigma_over_alpha``; ``hit``, the share of forgotten images that are recognised; ``false``, the share of
        retained images that are taken for forgotten ones.
    """
    test, network = bases.images(dataset, "test"), noisy_classifier(dataset)
    classes, sides, found = forgotten_parts(test, forget), split(test, forget), []
    for level in levels:
        shares = []
        for side in ("forget", "retain"):
            x0 = model_input(getattr(sides, side).images[:n])
            draws = generator(seed, f"recognised/{side}/{level}", "evaluation")
            y = x0 + level * torch.randn(x0.shape, generator=draws)
            logits = torch.cat([network(part, torch.tensor(level).log()) for part in y.split(500)])
            shares.append((log_kept(logits, classes) < torch.tensor(0.5).log()).double().mean().item())
        found.append(dict(zip(("sigma_over_alpha", "hit", "false"), (level, *shares))))
    return found


def surely(subject: Subject, above: float = 0.9) -> Result:
    """Return the percentage of samples in which both the set's classifier and the second judge see what is to be
    forgotten with a probability over ``above``; the detail ``floor`` is that of real retained test images."""
    samples, real = [], []
    for name in (subject.dataset, f"{subject.dataset}-judge"):
        judge = Observer(subject.dataset, subject.protocol.forget, judge=name, device=subject.device)
        for found, logits in ((samples, judge.logits(drawn(subject.samples))), (real, judge.of_retained)):
            found.append(logits.softmax(1)[:, judge.classes].sum(1) > above)
    sure = unlearning_ratio(samples[0] & samples[1], real[0] & real[1])
    return result("surely", sure, "%", floor=sure.floor.value)
