"""A run's preparation before its first update is counted with the updates, once."""

import time

import torch

from paperlib.processes import VE
from paperlib.unlearning.prepared import Prepared
from tests.oracles import network, seeded


def test_preparing_is_done_once_and_its_seconds_count():
    prepared = []

    def prepare(network, generator):
        time.sleep(0.2)
        prepared.append(network)
        return {"ones": torch.ones(2)}

    def objective(model, generator, index):
        weights = torch.nn.utils.parameters_to_vector(model.parameters())
        return {"loss": weights.square().mean() * run.prepared["ones"].mean()}

    run = Prepared(network(VE()), objective, prepare, steps=3, lr=1e-3, generator=seeded())
    begin = time.perf_counter()
    seconds = [step.seconds for step in run]
    assert 0.2 <= seconds[0] <= seconds[1] <= seconds[2] <= time.perf_counter() - begin
    assert prepared == [run.network]
