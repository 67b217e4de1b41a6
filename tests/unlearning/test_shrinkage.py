"""The common scale of SGU's weights, compared with the losses themselves for predictions c z."""

import pytest
import torch

from paperlib.unlearning.sgu import FORGET_LOSSES
from paperlib.unlearning.shrinkage import shrinkage, weight_of
from tests.oracles import seeded

every_loss = pytest.mark.parametrize("loss, variant", [(a, b) for a in FORGET_LOSSES for b in FORGET_LOSSES[a]])


@every_loss
def test_c_is_where_eq_11_is_least_among_answers_that_are_multiples_of_the_noise(loss, variant):
    """The loss on normal z is a parabola in c, so three points determine its minimum."""
    D, z = 16, torch.randn(100_000, 16, generator=seeded(), dtype=torch.float64)
    alpha = {"paper": 0.97, "code": 0.8, "corrected": 0.8}[variant]

    def eq_11(c):
        L_f = FORGET_LOSSES[loss][variant](c * z, z, z).mean()
        return (alpha * (z - c * z).square().sum(1).mean() + (1 - alpha) * L_f).item()

    left, middle, right = (eq_11(c) for c in (-1, 0, 1))
    least = (left - right) / (2 * (left - 2 * middle + right))
    assert least == pytest.approx(shrinkage(alpha, loss=loss, variant=variant, dims=D), abs=5e-3)


@pytest.mark.parametrize(
    "loss, variant, form",
    [
        ("orthogonal", "paper", lambda a: a / (a + (1 - a) * 786)),
        ("orthogonal", "code", lambda a: a / (a + 3 * (1 - a))),
        ("orthogonal", "corrected", lambda a: a),
        ("obtuse", "paper", lambda a: 1 - (1 - a) / (2 * a)),
        ("obtuse", "code", lambda a: 1 + (1 - a) / (2 * a)),
        ("obtuse", "corrected", lambda a: (3 * a - 1) / (1 + a)),
    ],
)
def test_closed_forms_on_mnist_and_the_way_back(loss, variant, form):
    for alpha in (0.5, 0.9, 0.99, 0.9999, 1.0):
        c = shrinkage(alpha, loss=loss, variant=variant, dims=784)
        assert c == pytest.approx(form(alpha), rel=1e-12)
        assert weight_of(c, loss=loss, variant=variant, dims=784) == pytest.approx(alpha, rel=1e-9)


def test_the_public_code_s_weight_means_two_things():
    assert shrinkage(0.99, loss="orthogonal", variant="paper", dims=784) == pytest.approx(0.112, abs=1e-3)
    assert shrinkage(0.99, loss="orthogonal", variant="code", dims=784) == pytest.approx(0.971, abs=1e-3)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: shrinkage(0.0, loss="obtuse", variant="paper", dims=4), "alpha=0.0 is not in"),
        (
            lambda: shrinkage(0.5, loss="acute", variant="paper", dims=4),
            "loss='acute' is not one of orthogonal, obtuse",
        ),
        (lambda: weight_of(0.5, loss="obtuse", variant="text", dims=4), "variant='text' is not one of paper, code"),
        (lambda: weight_of(0.5, loss="obtuse", variant="paper", dims=0), "dims=0 is below 1"),
        (lambda: weight_of(1.1, loss="obtuse", variant="paper", dims=4), "c=1.1: no alpha"),
        (lambda: weight_of(-0.1, loss="orthogonal", variant="paper", dims=4), "c=-0.1: no alpha"),
        (lambda: weight_of(0.9, loss="obtuse", variant="code", dims=4), "c=0.9: no alpha"),
    ],
)
def test_what_no_weight_can_be_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
