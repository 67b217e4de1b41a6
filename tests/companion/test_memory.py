"""Peak memory compared with allocations counted by hand."""

import pytest
import torch

from companion.memory import peak_bytes

N = 1000
BYTES = 4 * N


def three():
    return [torch.ones(N) for _ in range(3)]


def one_after_another():
    for _ in range(5):
        x = torch.ones(N)
        del x


def freed_in_between():
    x = torch.ones(N)
    y = x * 2
    del x
    z = y + 1
    del y, z
    return torch.ones(N)


def a_view_keeps_its_storage():
    row = torch.ones(N)[:1]
    return row, torch.ones(N)


def of_other_types():
    return torch.ones(N, dtype=torch.float64), torch.ones(N, dtype=torch.uint8)


@pytest.mark.parametrize(
    "work, copies",
    [(three, 3), (one_after_another, 1), (freed_in_between, 2), (a_view_keeps_its_storage, 2), (of_other_types, 2.25)],
)
def test_known_allocations(work, copies):
    assert peak_bytes(work) == copies * BYTES


def test_what_was_there_before_is_not_counted():
    before = torch.ones(100 * N)
    assert peak_bytes(lambda: before.add_(1)) == peak_bytes(lambda: before[:N].view(10, -1)) == 0
    assert peak_bytes(lambda: before[:N] + 1) == BYTES


def test_what_autograd_alone_holds_is_counted():
    x = torch.randn(N, requires_grad=True)

    def work():
        y = x.exp().sum()  # the exponentials are kept for the backward pass
        z = torch.ones(N)
        return y, z

    assert peak_bytes(work) == 2 * BYTES + 4
    with torch.no_grad():
        assert peak_bytes(work) == BYTES + 4


def test_a_matmul_and_its_way_back_by_hand():
    B, D = 32, 64
    x, W = torch.randn(B, D), torch.randn(D, D, requires_grad=True)

    def work():
        h = (x @ W).relu()
        h.sum().backward()

    rows, weights, scalars = 4 * B * D, 4 * D * D, 2 * 4
    forward = 2 * rows  # x W and its relu
    back = 2 * rows + weights  # h, grad h, grad W
    assert peak_bytes(work) == max(forward, back) + scalars  # the sum, and its gradient
    assert W.grad.shape == W.shape


def test_adam_holds_a_gradient_and_two_moments():
    W = torch.randn(N, requires_grad=True)

    def work():
        optimizer = torch.optim.Adam([W], fused=True)
        W.sum().backward()
        optimizer.step()
        return optimizer

    assert peak_bytes(work) == pytest.approx(3 * BYTES, abs=64)


def test_an_error_passes_and_the_count_starts_anew():
    with pytest.raises(ZeroDivisionError):
        peak_bytes(lambda: 1 / len(torch.ones(0)))
    assert peak_bytes(lambda: torch.ones(N)) == BYTES
