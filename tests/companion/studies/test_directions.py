"""EraseDiff's directions: what is an identity, what the inner loop changes, and what is refused."""

import math

import pytest

from companion.store import Store
from companion.studies import directions
from companion.studies.directions import Directions, apart, direct, seen, shares, updates

TINY = {"base": "digits-ddpm-labels", "forget": "3", "steps": 3, "batch_size": 4, "lr": 1e-4, "n": 20, "sampler": 4}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    return lambda method="erasediff", **more: direct(store, Directions(**TINY | {"method": method} | more))


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_no_inner_step_reaches_the_update_of_the_paper(run, optimizer):
    pair = [run(settings={"variant": "paper", "K": K}, optimizer=optimizer) for K in (0, 3)]
    assert apart(*pair) == 0.0


def test_in_the_public_code_only_adam_s_memory_does(run):
    def gap(optimizer):
        return apart(*(run(settings={"variant": "code", "K": K}, optimizer=optimizer) for K in (0, 2)))

    assert gap("sgd") == 0.0 and gap("adam") > 0.05


def test_the_corrected_constraint_asks_the_inner_loop(run):
    assert apart(*(run(settings={"variant": "corrected", "K": K}) for K in (1, 3))) > 0


def test_the_theorem_s_delta_never_crosses_the_erasing_gradient(run):
    """delta . grad g >= eta |grad g|^2 (Theorem 3.1)."""
    assert all(one["delta_f"] > 0 for one in updates(run(settings={"variant": "paper"})))


def test_the_plain_sum_s_cosines_are_those_of_two_vectors(run):
    """With delta = r + lam f, the three cosines and the two lengths fit one triangle, for some ratio of lengths."""
    for one in updates(run("multi_objective", settings={"lam": 0.5})):
        a, b = math.acos(one["delta_r"]), math.acos(one["delta_f"])
        assert 0 < a < math.pi and 0 < b < math.pi  # delta lies between both gradients
        assert one["by"] == 0.5


def test_what_is_seen_is_seen_before_too(run):
    found = seen(run())
    assert found["before"].keys() <= found.keys() and found["before"]["asked"] > 50


def test_shares_count_signs():
    found = [{"delta_r": r, "delta_f": f} for r, f in ((-1, 1), (1, -1), (-1, -1), (1, 1))]
    assert shares(found) == {"r": 50.0, "f": 50.0, "either": 75.0}


def test_an_unconditional_model_is_refused(run):
    with pytest.raises(ValueError, match="base='digits-ddpm' is unconditional"):
        run(base="digits-ddpm")


def test_a_base_of_no_checkpoint_is_named(run):
    with pytest.raises(FileNotFoundError, match="there is no checkpoint 'cifar10-ddpm-labels'"):
        run(base="cifar10-ddpm-labels")
    assert directions.checkpoints.card("cifar10-ddpm-labels") is None
