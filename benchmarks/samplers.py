"""Our samplers: seconds to the quality of the whole chain, and beside public libraries on the same network.

Quality: iPNDM with each of a fixed list of evaluations, and DDPM's 1000 steps, from the same noise. What counts is the
fewest evaluations of the list whose distance from the test images is no worse than the chain's: its 95 % interval
overlaps the chain's, or lies below it. All distances are of equally many images, and so have the same bias.

Libraries: the same weights, noise and stops in samplers of the same algorithm, as each is called in its own
documentation; theirs ask the bare network. The samples must be equal, and the seconds of the whole loop not more: what
is printed is the median over turns of theirs / ours, with its 95 % interval (by the order of the turns).

    python benchmarks/samplers.py --threads 2

MNIST's DDPM where MNIST is at hand, else that of the digits.
"""

import time
from collections.abc import Callable

import torch
from _measure import interleaved, machine, options
from azula.denoise import Denoiser as AzulaDenoiser
from azula.denoise import GaussianPosterior
from azula.sample import DDIMSampler, HeunSampler
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler
from scipy.stats import binom
from torch import Tensor, nn

from companion import bases
from companion.evaluation.samplers import SAMPLERS
from companion.seeds import generator
from companion.studies.sampler_measures import feature_network, real_distance, reference
from paperlib.data import cache
from paperlib.data.images import to_uint8
from paperlib.denoiser import Denoiser
from paperlib.metrics.frechet import Frechet, features, frechet
from paperlib.sampling import ddim, dpmpp_2m, heun, prior, sample

EVALUATIONS = (5, 8, 10, 15, 20, 30, 40, 50)
CHAIN, OURS = "DDPM", "iPNDM"  # iPNDM is the best at few evaluations, by public comparison too (paperlib.sampling.ode)
AIM = 1 / 20  # of the chain's seconds
STEPS = 20  # of a run beside a library
IMAGES = {"mnist": 16, "digits": 64}  # of such a run, at once
EQUAL = 1e-3  # largest difference of a pixel on [-1, 1]: an eighth of a grey level


class Draws:
    """One sampler with so many evaluations, a batch of the noise [turns, B, ...] a turn; what it drew is kept."""

    def __init__(self, model: Denoiser, noise: Tensor, sampler: str, evaluations: int):
        self.model, self.noise, self.sampler, self.evaluations = model, noise, sampler, evaluations
        self.generator = generator(0, f"bench/{sampler}", "noise")
        self.images: list[Tensor] = []

    def __call__(self) -> float:
        x, settings = self.noise[len(self.images)], {"sampler": SAMPLERS[self.sampler][0], "steps": self.evaluations}
        start = time.perf_counter()
        state = sample(self.model, x.shape, noise=x, generator=self.generator, **settings)
        seconds = time.perf_counter() - start
        self.images.append(to_uint8(state.x))
        return seconds

    def distance(self, dataset: str) -> Frechet:
        """Of all that was drawn, from the test images."""
        network, values = feature_network(dataset), torch.cat(self.images)
        resampling = generator(0, "bench/bootstrap", "evaluation")
        return frechet(features(values, network), reference(dataset), network=network.name, generator=resampling)


def no_worse(distance: Frechet, than: Frechet) -> bool:
    """Whether the interval overlaps the other's or lies below it."""
    return distance.interval[0] <= than.interval[1]


def quality(dataset: str, model: Denoiser, batch: int, rounds: int, chain: int) -> None:
    """Seconds to the quality of the chain of ``chain`` steps."""
    noise = prior(model, (rounds * batch, *model.net.shape), generator(0, "bench/samplers", "noise"))
    noise = noise.unflatten(0, (rounds, batch))
    contestants = {n: Draws(model, noise, OURS, n) for n in EVALUATIONS} | {chain: Draws(model, noise, CHAIN, chain)}
    sample(model, noise[0].shape, noise=noise[0], sampler=ddim, steps=2, generator=None)  # warms the network up
    seconds = interleaved(contestants, rounds, warmup=0)
    distances = {n: contestant.distance(dataset) for n, contestant in contestants.items()}
    chosen = next((n for n in EVALUATIONS if no_worse(distances[n], distances[chain])), None)
    real, network = real_distance(dataset, rounds * batch).value, distances[chain].network
    print(f"## Seconds to the quality of {chain} steps, {dataset}-ddpm\n")
    print(
        f"{machine()}; {rounds} interleaved turns of {batch} images each; Frechet distance of all {rounds * batch} in "
        f"the features of {network} (not FID), where as many real images have {real:.2f}; the aim is {AIM:.0%} of the "
        "seconds, by the fewest evaluations that are no worse\n"
    )
    print("| sampler | evaluations | ms an image | distance | 95 % interval | no worse | share of the seconds | aim |")
    print("|---|---|---|---|---|---|---|---|")
    for n, distance in distances.items():
        low, high = distance.interval
        values = f"{n} | {1e3 * seconds[n] / batch:.1f} | {distance.value:.2f} | {low:.2f} - {high:.2f}"
        share = seconds[n] / seconds[chain]
        if n == chain:
            print(f"| {CHAIN} | {values} | | | {'missed: none is no worse' if chosen is None else ''} |")
        else:
            verdict = ("met" if share <= AIM else "missed") if n == chosen else ""
            answer = "yes" if no_worse(distance, distances[chain]) else "no"
            print(f"| {OURS} | {values} | {answer} | {share:.2%} | {verdict} |")


class Azula(AzulaDenoiser):
    """A network that predicts the noise of a DDPM as azula asks it, alpha and sigma from a table."""

    def __init__(self, net: nn.Module, alpha: Tensor, sigma: Tensor):
        super().__init__()
        self.net, self.alpha, self.sigma = net, alpha, sigma

    def schedule(self, t: Tensor) -> tuple[Tensor, Tensor]:
        k = (1000 * t).round().long()
        return self.alpha[k], self.sigma[k]

    def forward(self, x_t: Tensor, t: Tensor) -> GaussianPosterior:
        alpha, sigma = self.schedule(t)
        eps = self.net(x_t, 1000 * t.expand(len(x_t)))
        return GaussianPosterior(mean=(x_t - sigma * eps) / alpha, var=torch.ones(()))


def diffusers(make: Callable, net: nn.Module, x: Tensor) -> Tensor:
    """A scheduler of diffusers, which counts the steps of a DDPM from 0; "trailing" stops are even, 1000 the first."""
    scheduler = make(timestep_spacing="trailing")
    scheduler.set_timesteps(STEPS)
    for k in scheduler.timesteps:
        eps = net(x, (k + 1).float().expand(len(x)))
        x = scheduler.step(eps, k, x, return_dict=False)[0]
    return x


def libraries(model: Denoiser, x: Tensor) -> dict[str, dict[str, Callable[[], Tensor]]]:
    """Algorithm -> library -> one run from x to its end; "ours" is among them."""
    stops = torch.linspace(1, 0, STEPS + 1, dtype=torch.float64)
    times = torch.linspace(0, 1, 1001, dtype=torch.float64)
    table = model.process.alpha(times).float(), model.process.sigma(times).float()
    net, wrapped = model.net, Azula(model.net, *table)
    last = {"stop": 1 / STEPS, "steps": STEPS - 1}  # azula's Heun divides by sigma where it ends, so not at the data

    def ours(sampler, times, **settings):
        return lambda: sample(model, x.shape, noise=x, sampler=sampler, steps=times, generator=None, **settings).x

    return {
        "DPM-Solver++(2M)": {
            "ours": ours(dpmpp_2m, stops),
            "diffusers DPMSolverMultistepScheduler": lambda: diffusers(DPMSolverMultistepScheduler, net, x),
        },
        "DDIM": {
            "ours": ours(ddim, stops),
            "diffusers DDIMScheduler": lambda: diffusers(lambda **s: DDIMScheduler(clip_sample=False, **s), net, x),
            "azula DDIMSampler": lambda: DDIMSampler(wrapped, steps=STEPS, silent=True)(x),
        },
        "Heun": {
            "ours": ours(heun, stops[:-1], variable="noise"),
            "azula HeunSampler": lambda: HeunSampler(wrapped, silent=True, **last)(x),
        },
    }


class Loop:
    """A sampler's whole run; its result and its seconds are kept."""

    def __init__(self, run: Callable[[], Tensor]):
        self.run, self.seconds, self.x = run, [], None

    @torch.no_grad()
    def __call__(self) -> float:
        start = time.perf_counter()
        self.x = self.run()
        self.seconds.append(time.perf_counter() - start)
        return self.seconds[-1]


def median_interval(values: list[float]) -> tuple[float, float, float]:
    """The median, and the pair of values by order that holds the true one 95 times in 100, whatever the distribution;
    below six values the smallest and the largest."""
    ordered, n = sorted(values), len(values)
    out = max(int(binom.ppf(0.025, n, 0.5)), 1)
    return ordered[(n - 1) // 2] / 2 + ordered[n // 2] / 2, ordered[out - 1], ordered[n - out]


def side_by_side(dataset: str, model: Denoiser, batch: int, rounds: int, warmup: int) -> None:
    """The same algorithm by ours and by theirs."""
    x = prior(model, (batch, *model.net.shape), generator(0, "bench/libraries", "noise"))
    runs = {(how, who): Loop(run) for how, each in libraries(model, x).items() for who, run in each.items()}
    seconds = interleaved(runs, rounds, warmup)
    print(f"## The same samples by public libraries, {dataset}-ddpm\n")
    print(f"{machine()}; {STEPS} stops, batch {batch}, median of {rounds} interleaved turns; equal is up to {EQUAL}\n")
    print("| algorithm | library | ms an image | largest difference | theirs / ours | 95 % interval | verdict |")
    print("|---|---|---|---|---|---|---|")
    for (how, who), loop in runs.items():
        row = f"| {how} | {who} | {1e3 * seconds[how, who] / batch:.2f} |"
        if who == "ours":
            print(f"{row} | | | |")
            continue
        mine = runs[how, "ours"]
        ratios = [theirs / ours for theirs, ours in zip(loop.seconds[warmup:], mine.seconds[warmup:])]
        ratio, low, high = median_interval(ratios)
        difference = (loop.x - mine.x).abs().max().item()
        verdict = "missed: samples differ" if not difference <= EQUAL else "missed: behind" if high < 1 else "met"
        print(f"{row} {difference:.1e} | {ratio:.3f} | {low:.3f} - {high:.3f} | {verdict} |")


def main() -> None:
    mnist = all(cache.find(f"mnist-{part}") for part in ("train", "test"))
    chosen = options(__doc__, batch=64 if mnist else 250, rounds=4)
    dataset = "mnist" if mnist and not chosen.smoke else "digits"
    model = bases.load(f"{dataset}-ddpm")
    quality(dataset, model, chosen.batch, chosen.rounds, chain=60 if chosen.smoke else 1000)
    print()
    if chosen.smoke:
        side_by_side(dataset, model, batch=2, rounds=1, warmup=0)
    else:
        side_by_side(dataset, model, IMAGES[dataset], rounds=20 if dataset == "digits" else 12, warmup=2)


if __name__ == "__main__":
    main()
