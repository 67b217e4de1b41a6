"""How well a classifier of noisy images recognises what is to be forgotten, at each noise level.

Its card has the accuracy over all classes; exact negation rests on P(f | x_t) of the forgotten ones alone.
"""

import torch

from companion import bases
from companion.noisy_classifiers import noisy_classifier
from companion.seeds import generator
from paperlib.data.images import model_input
from paperlib.data.splits import forgotten_parts, split
from paperlib.negation import log_kept

__all__ = ["LEVELS", "recognised"]

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
