import pytest
import torch

from companion.evaluation.samplers import SAMPLERS, steps
from paperlib.processes import DDPM, VE
from tests.oracles import network, seeded


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("evaluations", [5, 10, 20])
@pytest.mark.parametrize("process", [VE(), DDPM.linear()])
def test_a_sampler_takes_the_most_steps_that_its_evaluations_allow(sampler, evaluations, process):
    function, cost = SAMPLERS[sampler]
    model, x = network(process), torch.randn(2, 2, generator=seeded())
    n = steps(sampler, evaluations)
    spent = [list(function(model, x, steps=k, generator=seeded()))[-1].evaluations for k in (n, n + 1)]
    assert spent[0] == cost(n) <= evaluations < spent[1]
