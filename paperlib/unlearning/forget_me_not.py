"""Forget-Me-Not (Zhang, Wang, Xu, Wang, Shi, 2023): the image stops attending to the words of a concept.

Attention re-steering lowers the cross-attention maps at the concept's tokens S, in every layer l, while noisy forgotten
images are denoised under their prompts::

    L = sum_l mean |A_l[:, S]|^2,    A_l = softmax(q_l k_l' / sqrt(d))

The loss does not say what the model should generate instead, and nothing in it preserves what is to be kept. So the
method takes only a few dozen updates at a small learning rate.
"""

from collections.abc import Mapping, Sequence

import torch

from paperlib.denoiser import Denoiser
from paperlib.losses import Data, condition, draw, noised, share
from paperlib.nets.cross_attention import attention_maps, cross_attentions
from paperlib.training import Training
from paperlib.unlearning.requirements import checked, forgotten_labels, require_classes

__all__ = ["forget_me_not"]


@checked
def forget_me_not(
    model: Denoiser,
    forget: Data,
    retain: Data | None = None,
    *,
    generator: torch.Generator,
    steps: int,
    places: Mapping[int, Sequence[int]],
    batch_size: int = 4,
    lr: float = 2e-6,
    **training,
) -> Training:
    """Unlearn the words at ``places`` in the prompts of ``forget`` with Forget-Me-Not; ``retain`` is not used.

    Args:
        places: for each forgotten label, the positions of the concept's tokens in its prompt, from 0.
        batch_size: rows per update.
        lr: Adam's learning rate (the public code: 2e-6, for 35 updates of the whole network).
        training: further arguments of :class:`paperlib.training.Training` (ema, clip, warmup, decay).
    """
    classes = require_classes(model, "Forget-Me-Not forgets words", "negate serves it")
    if not cross_attentions(model):
        raise ValueError("this network has no cross-attention: nothing in it listens to words")
    asked = forgotten_labels(forget, classes).tolist()
    length = model.net.table.shape[1]
    for label in asked:
        if not places.get(label) or not all(0 <= place < length for place in places[label]):
            raise ValueError(f"places of label {label}: {places.get(label)!r} are not tokens from 0 to {length - 1}")
    listened = torch.zeros(classes, length)
    for label in asked:
        listened[label, list(places[label])] = 1

    def objective(model, generator, index):
        x0, labels = draw(forget, batch_size, generator)
        cond = share(condition(model, labels, generator, dropout=0.0))
        x_t, t, _ = noised(model.process, x0, generator)
        with attention_maps(model) as maps:
            model(x_t, t, cond)
        at = listened.to(x_t)[cond.cpu()].to(x_t.device)[:, None, None]  #                     [B, 1, 1, L]
        return {"loss": sum((at * A).square().sum(3).mean() for A in maps)}

    return Training(model, objective, steps=steps, lr=lr, generator=generator, **training)
