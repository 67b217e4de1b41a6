"""Public weights in our networks: the same outputs as diffusers' own classes; files that do not fit are refused."""

import json

import pytest
import torch
import torch.nn.functional as F
from diffusers import UNet2DModel

from paperlib.nets.presets import unet
from paperlib.nets.published import layout_of, read, renamed

SMALL = dict(size=16, channels=32, multipliers=(1, 2, 2), attention=(8,), per_group=1, dropout=0.1)
PLACES = {"q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0", "norm": "group_norm"}


def randomise(model):
    """Randomise every weight: much of a fresh network is zero."""
    draws = torch.Generator().manual_seed(0)
    for p in model.parameters():
        p.data = 0.15 * torch.randn(p.shape, generator=draws)
    return model.eval()


@pytest.fixture(scope="module")
def theirs():
    """Return a small ``google/ddpm-cifar10-32`` of its own class and settings, with random weights."""
    blocks = ("DownBlock2D", "AttnDownBlock2D", "DownBlock2D")
    return randomise(
        UNet2DModel(
            sample_size=16,
            block_out_channels=(32, 64, 64),
            down_block_types=blocks,
            up_block_types=("UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
            layers_per_block=2,
            attention_head_dim=None,
            downsample_padding=0,
            flip_sin_to_cos=False,
            freq_shift=1,
            norm_eps=1e-6,
            norm_num_groups=32,
        )
    )


def images(n=3):
    draws = torch.Generator().manual_seed(1)
    return torch.randn(n, 3, 16, 16, generator=draws), torch.tensor([0.0, 17.0, 999.0])[:n]


def filled(state, **changes):
    net = unet("shared-cifar10", predicts="eps", **SMALL, **changes).eval()
    net.load_state_dict(renamed(state, net))
    return net


@pytest.mark.parametrize("older", [False, True], ids=["today's names", "older names"])
@torch.no_grad()
def test_a_diffusers_folder_says_what_diffusers_says(theirs, tmp_path, older):
    theirs.save_pretrained(tmp_path, safe_serialization=not older)
    state = read(tmp_path)
    if older:  # as in the published folder of 2022
        for new, old in {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}.items():
            state = {name.replace(f".{new}.", f".{old}."): value for name, value in state.items()}
    assert layout_of(state) == "diffusers"
    x, t = images()
    ours = filled(state, classes=0)(x, t + 1)  # our steps count from 1
    assert torch.allclose(ours, theirs(x, t).sample, atol=1e-5, rtol=1e-5)


def in_their_layout(theirs, classes):
    """Return the diffusers network under the names that SA, SalUn and EraseDiff share, with class layers added."""
    draws, state = torch.Generator().manual_seed(2), {}
    for name, value in theirs.state_dict().items():
        way, _, rest = name.partition("_blocks.")
        if rest:
            level, part, block, layer = rest.split(".", 3)
            level = int(level) if way == "down" else 2 - int(level)
            part = {"resnets": f"block.{block}", "attentions": f"attn.{block}"}.get(part, f"{way}sample")
            name = f"{way}.{level}.{part}.{layer}"
        for old, new in {
            "mid_block.resnets.0": "mid.block_1",
            "mid_block.resnets.1": "mid.block_2",
            "mid_block.attentions.0": "mid.attn_1",
            "time_embedding.linear_1": "temb.dense.0",
            "time_embedding.linear_2": "temb.dense.1",
            "conv_norm_out": "norm_out",
            "conv_shortcut": "nin_shortcut",
            "time_emb_proj": "temb_cemb_proj",
        }.items():
            name = name.replace(old, new)
        for new, old in PLACES.items():
            if f".{old}." in name:
                name = name.replace(f".{old}.", f".{new}.")
                value = value[..., None, None] if value.ndim == 2 else value
        if name.endswith("temb_cemb_proj.weight"):
            value = torch.cat([value, 0.15 * torch.randn(value.shape, generator=draws)], dim=1)
        state[name] = value
    state["classes_emb.weight"] = torch.randn(classes, 32, generator=draws)
    state["null_classes_emb"] = torch.randn(32, generator=draws)
    for k, width in enumerate((32, 128)):
        state[f"cemb.dense.{k}.weight"] = 0.15 * torch.randn(128, width, generator=draws)
        state[f"cemb.dense.{k}.bias"] = 0.15 * torch.randn(128, generator=draws)
    return state


@pytest.mark.parametrize("label", [0, 3, None])
@torch.no_grad()
def test_the_layout_that_sa_salun_and_erasediff_share_is_read_with_its_labels(theirs, tmp_path, label):
    """For one class, W [silu(t), silu(c)] is W_t silu(t) plus a constant, which can be a bias in diffusers' network."""
    state = in_their_layout(theirs, classes=4)
    averages = {name: value for name, value in state.items()}
    weights = {f"module.{name}": torch.zeros_like(value) for name, value in state.items()}
    torch.save([weights, {"optimizer": 1}, 7, averages], tmp_path / "ckpt.pth")
    found = read(tmp_path / "ckpt.pth")
    assert layout_of(found) == "ddpm"
    net = filled(found, classes=4)

    row = state["null_classes_emb"] if label is None else state["classes_emb.weight"][label]
    c = F.linear(row, state["cemb.dense.0.weight"], state["cemb.dense.0.bias"])
    c = F.linear(F.silu(c), state["cemb.dense.1.weight"], state["cemb.dense.1.bias"])
    oracle = randomise(UNet2DModel.from_config(theirs.config))
    oracle.load_state_dict(theirs.state_dict())
    wide = [value for name, value in state.items() if name.endswith("temb_cemb_proj.weight")]
    projections = [module for name, module in oracle.named_modules() if name.endswith("time_emb_proj")]
    for projection, W in zip(projections, wide, strict=True):
        projection.bias += W[:, 128:] @ F.silu(c)
    x, t = images()
    cond = None if label is None else torch.full((3,), label)
    assert torch.allclose(net(x, t + 1, cond), oracle(x, t).sample, atol=1e-5, rtol=1e-5)


class ScoreSde:
    """score_sde's NCSN++ with its DDPM++ configurations, written from its description: all layers come from one
    numbered list. Weights are sampled when first used, so running the network creates its checkpoint."""

    def __init__(self):
        self.state, self.draws, self.number = {}, torch.Generator().manual_seed(3), 0

    def weight(self, name, *shape):
        name = f"all_modules.{self.number}.{name}"
        if name not in self.state:
            self.state[name] = 0.15 * torch.randn(shape, generator=self.draws)
        return self.state[name]

    def next(self, value):
        self.number += 1
        return value

    def linear(self, x, n, name=""):
        return F.linear(x, self.weight(f"{name}weight", n, x.shape[1]), self.weight(f"{name}bias", n))

    def conv(self, x, n, k=3, name=""):
        kernel = self.weight(f"{name}weight", n, x.shape[1], k, k)
        return F.conv2d(x, kernel, self.weight(f"{name}bias", n), padding=k // 2)

    def norm(self, x, name=""):
        C = x.shape[1]
        scale, shift = self.weight(f"{name}weight", C), self.weight(f"{name}bias", C)
        return F.group_norm(x, min(C // 4, 32), scale, shift, eps=1e-6)

    def nin(self, x, k):
        C = x.shape[1]
        W, b = self.weight(f"NIN_{k}.W", C, C), self.weight(f"NIN_{k}.b", C)
        return torch.einsum("bchw,cd->bdhw", x, W) + b[:, None, None]

    def block(self, x, temb, n, way=""):
        def resample(h):
            h = F.avg_pool2d(h, 2) if way == "down" else h
            return h.repeat_interleave(2, 2).repeat_interleave(2, 3) if way == "up" else h

        h = self.conv(resample(F.silu(self.norm(x, "GroupNorm_0."))), n, name="Conv_0.")
        h = h + self.linear(F.silu(temb), n, "Dense_0.")[:, :, None, None]
        h = self.conv(F.silu(self.norm(h, "GroupNorm_1.")), n, name="Conv_1.")
        x = self.conv(resample(x), n, 1, "Conv_2.") if way or x.shape[1] != n else x
        return self.next((x + h) / 2**0.5)

    def attention(self, x):
        h = self.norm(x, "GroupNorm_0.")
        q, k, v = (self.nin(h, j).flatten(2) for j in range(3))
        w = torch.softmax(q.transpose(1, 2) @ k / x.shape[1] ** 0.5, dim=2)
        h = self.nin((v @ w.transpose(1, 2)).reshape(x.shape), 3)
        return self.next((x + h) / 2**0.5)

    def __call__(self, x, labels, nf=32, multipliers=(1, 2, 2), blocks=2, attention=(8,)):
        self.number = 0
        frequency = 10_000 ** (-torch.arange(nf // 2) / (nf // 2 - 1))
        temb = torch.cat([(labels[:, None] * frequency).sin(), (labels[:, None] * frequency).cos()], 1)
        temb = self.next(self.linear(temb, 4 * nf))
        temb = self.next(self.linear(F.silu(temb), 4 * nf))
        kept = [self.next(self.conv(x, nf))]
        for level, by in enumerate(multipliers):
            for _ in range(blocks):
                h = self.block(kept[-1], temb, by * nf)
                kept.append(self.attention(h) if h.shape[2] in attention else h)
            if level < len(multipliers) - 1:
                kept.append(self.block(kept[-1], temb, by * nf, "down"))
        h = self.attention(self.block(kept[-1], temb, by * nf))
        h = self.block(h, temb, by * nf)
        for level, by in reversed(list(enumerate(multipliers))):
            for _ in range(blocks + 1):
                h = self.block(torch.cat([h, kept.pop()], 1), temb, by * nf)
            h = self.attention(h) if h.shape[2] in attention else h
            h = self.block(h, temb, by * nf, "up") if level else h
        h = self.next(self.norm(h))
        return self.conv(F.silu(h), x.shape[1])


@torch.no_grad()
def test_a_checkpoint_of_score_sde_is_read_with_its_averages(tmp_path):
    theirs, (x, t) = ScoreSde(), images()
    expected = theirs(x, 0.999 * t)
    model = {f"module.{name}": torch.zeros_like(value) for name, value in theirs.state.items()}
    model["module.sigmas"] = torch.ones(1000)
    ema = {"decay": 0.9999, "num_updates": 5, "shadow_params": list(theirs.state.values())}
    torch.save({"optimizer": {}, "model": model, "ema": ema, "step": 5}, tmp_path / "checkpoint_8.pth")
    net = unet("score-sde-ddpm++", predicts="eps", **SMALL | {"blocks": 2, "per_group": 4}).eval()
    net.load_state_dict(renamed(read(tmp_path / "checkpoint_8.pth"), net))
    assert torch.allclose(net(x, t), expected, atol=1e-5, rtol=1e-5)


def test_the_published_shapes_are_those_of_the_whole_network():
    """With google/ddpm-cifar10-32's own settings, on the meta device."""
    levels = (128, 256, 256, 256)
    with torch.device("meta"):
        theirs = UNet2DModel(
            sample_size=32,
            block_out_channels=levels,
            down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=None,
        )
        net = unet("shared-cifar10", predicts="eps", classes=0)
    assert sum(v.numel() for v in renamed(theirs.state_dict(), net).values()) == 35_746_307


@pytest.mark.parametrize("changed", [{"flip_sin_to_cos": True}, {"downsample_padding": 1}, {"num_class_embeds": 10}])
def test_a_diffusers_network_that_computes_something_else_is_refused(theirs, tmp_path, changed):
    theirs.save_pretrained(tmp_path)
    config = tmp_path / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | changed))
    (name,) = changed
    with pytest.raises(ValueError, match=f"{name}=.*only"):
        read(tmp_path)


def test_what_does_not_fit_is_refused(theirs, tmp_path):
    state = theirs.state_dict()
    with pytest.raises(ValueError, match="in the diffusers weights"):
        net = unet("shared-cifar10", predicts="eps", **SMALL | {"channels": 64}, classes=0)
        renamed(state, net)
    with pytest.raises(ValueError, match="lack down.1.0.conv1.bias and 0 others"):
        filled({name: v for name, v in state.items() if name != "down_blocks.0.resnets.1.conv1.bias"}, classes=0)
    with pytest.raises(ValueError, match="no weights of diffusers, ddpm, score_sde; the first are a"):
        layout_of({"a": torch.zeros(1)})
    with pytest.raises(FileNotFoundError, match="no weights at"):
        read(tmp_path / "ckpt.pth")
    with pytest.raises(FileNotFoundError, match="config.json"):
        read(tmp_path)
