"""The same network, noise and times in diffusers' and azula's samplers, step by step, in float64.

diffusers counts a DDPM's steps from 0 and computes in float32; its tables are replaced by float64 ones, so that only
the algorithms are compared. Sums are taken in another order, so the tolerance is 1e-9 of the largest value.
"""

import pytest
import torch
from azula import denoise as azula_denoise
from azula import sample as azula
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    IPNDMScheduler,
    ScoreSdeVeScheduler,
    UniPCMultistepScheduler,
)

from paperlib.processes import DDPM, VE, normal
from paperlib.sampling import ddim, ddpm, dpmpp_2m, heun, ipndm, predictor_corrector, time_grid
from tests.oracles import network, seeded, smooth_process

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # diffusers, of NumPy

PROCESS = DDPM.linear()
STRIDED = [999, 850, 612, 400, 300, 111, 20, 0]  # uneven, from 0 as diffusers counts


@pytest.fixture(autouse=True)
def float64():
    """Make float64 the default, in which both sides sample the same noise."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def model(process=PROCESS):
    return network(process, predicts="eps").double()


def start(process=PROCESS):
    return process.prior_std() * normal((4, 2), seeded(7))


def assert_same(ours, theirs, tolerance=1e-9):
    assert len(ours) == len(theirs)
    for mine, their in zip(ours, theirs):
        assert (mine - their).abs().max() < tolerance * their.abs().max()


def grid(timesteps):
    return torch.tensor([*((k + 1) / 1000 for k in timesteps), 0.0])


def theirs(scheduler, timesteps, clip=None, **settings):
    """Return every state of a diffusers scheduler with float64 tables."""
    for name in ("alphas_cumprod", "betas", "alphas"):
        table = {"alphas_cumprod": PROCESS.abar[1:], "betas": PROCESS.betas, "alphas": 1 - PROCESS.betas}[name]
        setattr(scheduler, name, table)
    scheduler.one = scheduler.final_alpha_cumprod = torch.tensor(1.0)
    if hasattr(scheduler, "sigmas"):  # sigma / alpha at the stops
        abar = PROCESS.abar[1:][timesteps]
        scheduler.sigmas = torch.cat([((1 - abar) / abar).sqrt(), torch.zeros(1)])
    net, x, states = model(), start(), []
    for k in timesteps:
        eps = net(x, torch.tensor((k + 1) / 1000)).eps
        x = scheduler.step(eps, k, x, **settings).prev_sample
        states.append(x)
    return states


def ours(sampler, steps, **settings):
    return [state.x for state in sampler(model(), start(), steps=steps, generator=seeded(1), **settings)]


@pytest.mark.parametrize("timesteps", [list(range(999, -1, -1)), STRIDED], ids=["all steps", "a strided sub-grid"])
@pytest.mark.parametrize("variance", ["small", "large"])
@pytest.mark.parametrize("clip", [None, 1.0])
@torch.no_grad()
def test_ddpm_is_diffusers_ddpm(timesteps, variance, clip):
    scheduler = DDPMScheduler(variance_type=f"fixed_{variance}", clip_sample=clip is not None)
    scheduler.set_timesteps(timesteps=timesteps)
    expected = theirs(scheduler, timesteps, generator=seeded(1))
    steps = 1000 if len(timesteps) == 1000 else grid(timesteps)
    assert_same(ours(ddpm, steps, variance=variance, clip=clip), expected)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("clip", [None, 1.0])
@torch.no_grad()
def test_ddim_is_diffusers_ddim(eta, clip):
    """Their "trailing" stops are 1000, 950, ... 50 in the DDPM's own counting, then the data. By default their clipping
    does not change eps; with eta they sample noise in the last step too, times zero."""
    scheduler = DDIMScheduler(timestep_spacing="trailing", clip_sample=clip is not None)
    scheduler.set_timesteps(20)
    timesteps = scheduler.timesteps.tolist()
    expected = theirs(scheduler, timesteps, eta=eta, generator=seeded(1), use_clipped_model_output=True)
    assert_same(ours(ddim, grid(timesteps), eta=eta, clip=clip), expected)


@torch.no_grad()
def test_dpmpp_2m_is_diffusers_dpm_solver_multistep():
    """Theirs always casts x to float32."""
    scheduler = DPMSolverMultistepScheduler(algorithm_type="dpmsolver++", solver_order=2, solver_type="midpoint")
    scheduler.set_timesteps(timesteps=STRIDED)
    assert_same(ours(dpmpp_2m, grid(STRIDED)), theirs(scheduler, STRIDED), tolerance=1e-5)


@torch.no_grad()
def test_dpmpp_2m_is_the_predictor_of_unipc_2_up_to_its_simplified_weight():
    """UniP-2 with B_2 and rho = 1/2 (Zhao et al., 2023, Section 3.2) is DPM-Solver++(2M)."""
    scheduler = UniPCMultistepScheduler(solver_order=2, solver_type="bh2", disable_corrector=list(range(1000)))
    scheduler.set_timesteps(len(STRIDED))
    scheduler.timesteps = torch.tensor(STRIDED)
    assert_same(ours(dpmpp_2m, grid(STRIDED)), theirs(scheduler, STRIDED))


@torch.no_grad()
def test_ipndm_of_order_4_is_diffusers_ipndm():
    """Theirs is for another grid and another output, so its tables are replaced by ours, and its output by eps."""
    times = grid(STRIDED)
    alpha, sigma = PROCESS.alpha(times[:-1]), PROCESS.sigma(times[:-1])
    scheduler = IPNDMScheduler()
    scheduler.set_timesteps(len(STRIDED))
    scheduler.alphas, scheduler.betas = torch.cat([alpha, torch.ones(1)]), torch.cat([sigma, torch.zeros(1)])
    net, x, states = model(), start(), []
    for k, t in enumerate(times[:-1]):
        output = (net(x, t).eps - sigma[k] * x) / alpha[k]
        x = scheduler.step(output, scheduler.timesteps[k], x).prev_sample
        states.append(x)
    states[-1] = net(states[-2], times[-2]).x0  # where theirs still extrapolates
    assert_same(ours(ipndm, times, order=4), states)


@torch.no_grad()
def test_predictor_corrector_is_diffusers_score_sde_ve():
    """Langevin steps with snr 0.16, then reverse diffusion. Their noise levels are float32, so ours replace them."""
    steps, process = 30, VE()
    scheduler = ScoreSdeVeScheduler(num_train_timesteps=steps, snr=0.16, sigma_min=0.01, sigma_max=50.0)
    scheduler.set_timesteps(steps)
    scheduler.set_sigmas(steps)
    net, x, generator = model(process), start(process), seeded(1)
    times = time_grid(net, steps, t_min=1e-9, denoise=True)
    scheduler.discrete_sigmas = process.sigma(times[:-1]).flip(0)
    scheduler.timesteps = torch.linspace(1, 1e-5, steps)
    states = []
    for k, t in enumerate(scheduler.timesteps):
        x = scheduler.step_correct(net(x, times[k]).score, x, generator=generator).prev_sample
        step = scheduler.step_pred(net(x, times[k]).score, t, x, generator=generator)
        x = step.prev_sample if k < steps - 1 else step.prev_sample_mean
        states.append(x)
    found = predictor_corrector(net, start(process), steps=times, generator=seeded(1))
    assert_same([state.x for state in found], states)


class Schedule(torch.nn.Module):
    """A process with azula's interface."""

    def __init__(self, process):
        super().__init__()
        self.process = process

    def forward(self, t):
        return self.process.alpha(t), self.process.sigma(t)


class Denoise(azula_denoise.Denoiser):
    """One of our networks with azula's interface."""

    def __init__(self, net):
        super().__init__()
        self.net, self.schedule = net, Schedule(net.process)

    def forward(self, x_t, t, **kwargs):
        return azula_denoise.GaussianPosterior(mean=self.net(x_t, t).x0, var=torch.ones(()))


@smooth_process
@pytest.mark.parametrize(
    "sampler, settings, their",
    [
        (ddpm, {}, (azula.DDPMSampler, {})),
        (ddim, {"eta": 0.0}, (azula.DDIMSampler, {"eta": 0.0})),
        (ddim, {"eta": 0.5}, (azula.DDIMSampler, {"eta": 0.25})),  # theirs multiplies the variance, DDIM's the std
        (heun, {"variable": "noise"}, (azula.HeunSampler, {})),
    ],
    ids=["DDPM", "DDIM", "DDIM, eta 1/2", "Heun"],
)
@torch.no_grad()
def test_continuous_processes_step_as_azula_s(process, sampler, settings, their):
    make, options = their
    net, x = model(process), start(process)
    generator = seeded(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "randn_like", lambda like: normal(like.shape, generator))
        stepper = make(Denoise(net), start=1.0, stop=0.01, steps=12, silent=True, dtype=torch.float64, **options)
        times, states = stepper.timesteps, []
        for t, s in zip(times, times[1:]):
            x = stepper.step(x, t, s)
            states.append(x)
    found = sampler(net, start(process), steps=times, generator=seeded(1), **settings)
    assert_same([state.x for state in found], states)
