"""Non-finite, empty, too short or non-integer arguments are refused by name before they are used."""

import math

import pytest
import torch

from paperlib import editing, intervals, losses, sampling
from paperlib.data.images import Examples, Images
from paperlib.data.splits import evenly
from paperlib.denoiser import Denoiser
from paperlib.likelihood.bound import variational_bound
from paperlib.likelihood.fast import fast_log_likelihood
from paperlib.likelihood.flow import log_likelihood
from paperlib.likelihood.images import image_bound, image_nll, mean_interval
from paperlib.likelihood.recipes import noised, posterior_trace
from paperlib.likelihood.units import bits_per_dim
from paperlib.metrics import frechet, rule
from paperlib.metrics.intervals import bootstrap_mean
from paperlib.metrics.precision_recall import precision_recall
from paperlib.nets.unet import UNet
from paperlib.processes import DDPM, VP
from tests.nets.images import randomised
from tests.oracles import seeded

x = torch.randn(2, 1, 4, 4, generator=seeded(0))
IMAGES = torch.randint(0, 256, (6, 1, 4, 4), dtype=torch.uint8, generator=seeded(1))
SET = Images("a set", IMAGES, classes=("a", "b", "c"), labels=torch.arange(6) % 3)
FEATURES = torch.randn(60, 5, generator=seeded(2))
REFERENCE = frechet.Statistics.of(FEATURES, "n")
VALUES = [0.1, 0.2, 0.4]


def model(process):
    return Denoiser(randomised(UNet(4, 1, channels=8, multipliers=(1, 2), blocks=1, classes=3)), process, data_std=0.5)


CONTINUOUS, STEPS = model(VP()), model(DDPM.linear(20))
LOWER = editing.half((1, 4, 4), "lower")
RANDOM = dict(divergence="rademacher")
# name -> (function, valid arguments, which of them to replace)
CALLS = {
    "times": (losses.times, dict(size=4, process=VP()), "size"),
    "batch_loss": (losses.batch_loss, dict(model=CONTINUOUS, data=Examples(SET), size=4), "size"),
    "evenly": (evenly, dict(data=SET, n=3), "n"),
    "sample_batches": (
        lambda **given: list(sampling.sample_batches(sampler=sampling.ddim, steps=2, **given)),
        dict(model=CONTINUOUS, shape=(3, 1, 4, 4), batch=2),
        "batch",
    ),
    "replacement": (
        lambda **given: list(editing.replacement(steps=2, **given)),
        dict(model=CONTINUOUS, known=x, mask=LOWER),
        "known",
    ),
    "repaint": (
        lambda **given: list(editing.repaint(steps=4, **given)),
        dict(model=CONTINUOUS, known=x, mask=LOWER, resamples=1, length=2),
        "known resamples length",
    ),
    "encode": (editing.encode, dict(model=CONTINUOUS, x=x, steps=3), "x"),
    "reconstruct": (editing.reconstruct, dict(model=CONTINUOUS, x=x, t=0.3, steps=3), "x"),
    "log_likelihood": (
        log_likelihood,
        RANDOM | dict(model=CONTINUOUS, x=x, cond=torch.tensor([0, 1]), probes=1, solver="euler", steps=3),
        "x cond probes steps",
    ),
    "fast_log_likelihood": (
        fast_log_likelihood,
        RANDOM | dict(model=CONTINUOUS, x=x, cond=torch.tensor([0, 1]), probes=1, steps=3),
        "x cond probes",
    ),
    "variational_bound": (variational_bound, dict(model=STEPS, x0=x.clamp(-1, 1), strata=2), "x0 strata"),
    "image_nll": (
        image_nll,
        dict(model=CONTINUOUS, images=IMAGES[:2], cond=torch.tensor([0, 1]), probes=1, batch_size=2, tolerance=1.0),
        "images cond probes batch_size",
    ),
    "image_bound": (image_bound, dict(model=STEPS, images=IMAGES[:2], batch_size=2, strata=2), "images batch_size"),
    "noised": (noised, dict(process=VP(), x0=x), "x0"),
    "posterior_trace": (posterior_trace, dict(model=CONTINUOUS, x_t=x, t=torch.tensor([0.2, 0.4])), "x_t t"),
    "bits_per_dim": (bits_per_dim, dict(nats=3.0, dims=2), "dims"),
    "mean_interval": (mean_interval, dict(values=torch.tensor(VALUES)), "values"),
    "bootstrap_mean": (bootstrap_mean, dict(values=torch.tensor(VALUES), resamples=20), "values resamples"),
    "t_interval": (intervals.t_interval, dict(values=VALUES), "values"),
    "positive_interval": (intervals.positive_interval, dict(values=VALUES), "values"),
    "share_interval": (intervals.share_interval, dict(values=VALUES, n=9), "values n"),
    "frechet": (frechet.frechet, dict(values=FEATURES, reference=REFERENCE, network="n", resamples=3), "resamples"),
    "extrapolated": (frechet.extrapolated, dict(values=FEATURES, reference=REFERENCE, parts=3), "values parts"),
    "precision_recall": (
        precision_recall,
        dict(generated=FEATURES, real=FEATURES, network="n", k=3, chunk=16),
        "generated real k chunk",
    ),
    "score": (rule.score, dict(ur=3.0, distance=4.0, before={"ur": 9.0, "distance": 3.0}), "ur distance"),
}
RANDOMLY = {"times", "batch_loss", "sample_batches", "replacement", "repaint", "reconstruct", "log_likelihood"}
RANDOMLY |= {"fast_log_likelihood", "variational_bound", "image_nll", "image_bound", "noised", "posterior_trace"}
RANDOMLY |= {"bootstrap_mean", "frechet", "extrapolated"}


def wrong(value):
    """Return invalid values of the same kind, by name."""
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        spoilt = value.clone()
        spoilt.view(-1)[-1] = math.nan  # at the lower right, where an inpainter knows the image
        return {"nan": spoilt} | ({"none": value[:0]} if value.ndim > 1 else {})
    if isinstance(value, torch.Tensor):
        return (
            {"none": value[:0], "one more": torch.cat([value, value[:1]])} if value.ndim == 1 else {"none": value[:0]}
        )
    if isinstance(value, list):
        return {"nan": [math.nan, *value[1:]]}
    if isinstance(value, float):
        return {"nan": math.nan, "infinite": math.inf}
    return {"0": 0, "-1": -1, "2.5": 2.5, "nan": math.nan}


def called(name, **changes):
    function, right, _ = CALLS[name]
    return function(**right | changes | ({"generator": seeded(3)} if name in RANDOMLY else {}))


CASES = [
    pytest.param(name, argument, bad, id=f"{name}, {argument} {what}")
    for name, (_, right, tried) in CALLS.items()
    for argument in tried.split()
    for what, bad in wrong(right[argument]).items()
]


@pytest.mark.parametrize("name", CALLS)
def test_the_arguments_are_right_as_they_are(name):
    called(name)


@pytest.mark.parametrize("name, argument, bad", CASES)
def test_a_wrong_argument_is_refused_and_named(name, argument, bad):
    with pytest.raises(ValueError, match=rf"\b({argument}|features)\b"):  # the values of metrics are features
        called(name, **{argument: bad})
