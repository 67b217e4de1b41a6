"""Published weights for our networks, in three public layouts that are recognised by the names of their tensors.

- ``diffusers``: a folder of its ``UNet2DModel``, such as ``google/ddpm-cifar10-32``.
- ``ddpm``: the layout of pytorch-diffusion and DDIM, which SA, SalUn and EraseDiff share, with labels or without.
- ``score_sde``: a checkpoint of score_sde_pytorch's ``ncsnpp``, which its DDPM++ models use.

The layers correspond one to one to ours, so renaming is enough, except that the three projections of an attention layer
become one::

    net = unet("shared-cifar10", predicts="eps")
    net.load_state_dict(renamed(read("ckpt.pth"), net))

Weights whose names or shapes do not fit the network raise a ValueError.
"""

import json
import pickle
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from paperlib.nets.blocks import Attention, Layers, Residual
from paperlib.nets.unet import UNet

__all__ = ["LAYOUTS", "layout_of", "read", "renamed"]

# Our names and those of each layout for the layers of a residual block and of an attention.
RESIDUAL = ("norm1", "conv1", "embed", "norm2", "conv2", "shortcut")
ATTENTION = ("norm", "q", "k", "v", "project")
LAYOUTS: dict[str, dict[str, tuple[str, ...]]] = {
    "diffusers": {
        "residual": ("norm1", "conv1", "time_emb_proj", "norm2", "conv2", "conv_shortcut"),
        "attention": ("group_norm", "to_q", "to_k", "to_v", "to_out.0"),
    },
    "ddpm": {
        "residual": ("norm1", "conv1", "temb_proj", "norm2", "conv2", "nin_shortcut"),
        "attention": ("norm", "q", "k", "v", "proj_out"),
    },
    "score_sde": {
        "residual": ("GroupNorm_0", "Conv_0", "Dense_0", "GroupNorm_1", "Conv_1", "Conv_2"),
        "attention": ("GroupNorm_0", "NIN_0", "NIN_1", "NIN_2", "NIN_3"),
    },
}
ENDS = {  # ours -> theirs, for the layers that every network has once
    "diffusers": {
        **{"first": "conv_in", "last_norm": "conv_norm_out", "last": "conv_out"},
        **{"embed_time.0": "time_embedding.linear_1", "embed_time.2": "time_embedding.linear_2"},
    },
    "ddpm": {
        **{"first": "conv_in", "last_norm": "norm_out", "last": "conv_out"},
        **{"embed_time.0": "temb.dense.0", "embed_time.2": "temb.dense.1"},
        **{"embed_class.0": "cemb.dense.0", "embed_class.2": "cemb.dense.1"},
    },
}
# Names from older versions of a library.
OLDER = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}
OLDER |= {".temb_cemb_proj.": ".temb_proj."}  # with labels, SA's name for the same layer


def read(source: str | Path) -> dict[str, Tensor]:
    """Read the weights of a folder or file under their original names, or their moving averages if it has these too.

    ``source`` is a diffusers folder (or a pipeline's, with ``unet`` in it), or a ``.pth``, ``.pt``, ``.bin`` or
    ``.safetensors`` file. Pickled code is never run.

    Raises:
        FileNotFoundError: if there are no weights, or no configuration in a diffusers folder.
        ValueError: if the file cannot be read as weights, or the configuration is of another kind of network.
    """
    path = Path(source)
    if path.is_dir():
        path = path / "unet" if (path / "unet").is_dir() else path
        _check_diffusers(path / "config.json")
        names = [path / f"diffusion_pytorch_model.{kind}" for kind in ("safetensors", "bin")]
        path = next((name for name in names if name.is_file()), names[0])
    if not path.is_file():
        raise FileNotFoundError(f"there are no weights at {path}")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(f"{path} cannot be read as weights ({str(error).splitlines()[0]})") from error
    if not isinstance(found, Mapping | list | tuple) or not found:
        raise ValueError(f"{path} holds no weights, but a {type(found).__name__}")
    return _averaged(found)


def _check_diffusers(config: Path) -> None:
    """Reject a UNet2DModel that computes something else with the same weights."""
    if not config.is_file():
        raise FileNotFoundError(f"there is no {config}: a diffusers folder has one")
    facts = json.loads(config.read_text(encoding="utf-8"))
    ours = {
        **{"flip_sin_to_cos": False, "freq_shift": 1, "center_input_sample": False, "downsample_padding": 0},
        **{"time_embedding_type": "positional", "act_fn": "silu", "norm_eps": 1e-6, "mid_block_scale_factor": 1},
        **{"class_embed_type": None, "num_class_embeds": None, "resnet_time_scale_shift": "default"},
    }
    for name, value in ours.items():
        if facts.get(name, value) != value:
            raise ValueError(f"{config}: {name}={facts[name]!r}; only {value!r} can be read")


def _averaged(saved: Any) -> dict[str, Tensor]:
    """Return the weights in a training checkpoint, or their moving averages if there are any."""
    if isinstance(saved, list | tuple):  # DDIM, SA: [weights, optimiser, ..., averages]
        weights, last = _plain(saved[0]), saved[-1]
        return (
            weights | _plain(last) if isinstance(last, Mapping) and weights.keys() >= _plain(last).keys() else weights
        )
    if "model" in saved and "ema" in saved:  # score_sde: the averages have no names, but are in the weights' order
        weights = {name: value for name, value in _plain(saved["model"]).items() if name != "sigmas"}
        averages = saved["ema"]["shadow_params"]
        if len(averages) != len(weights):
            raise ValueError(f"{len(averages)} averages, but {len(weights)} weights")
        return dict(zip(weights, averages, strict=True))
    return _plain(saved.get("state_dict", saved))


def _plain(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix("module."): value for name, value in state.items()}


def layout_of(state: Mapping[str, Tensor]) -> str:
    """Return the name of the layout to which tensors of these names belong."""
    marks = {"diffusers": "time_embedding.linear_1.weight", "ddpm": "temb.dense.0.weight"}
    marks["score_sde"] = "all_modules.0.weight"
    found = [layout for layout, name in marks.items() if name in state]
    if not found:
        raise ValueError(f"these are no weights of {', '.join(marks)}; the first are {', '.join(list(state)[:3])}")
    return found[0]


def renamed(state: Mapping[str, Tensor], net: UNet) -> dict[str, Tensor]:
    """Return ``state`` under our names, to load into ``net``."""
    layout, state = layout_of(state), {_newer(name): value for name, value in state.items()}
    found: dict[str, Tensor] = {}
    for ours, kind, theirs in _layers(net, layout):
        if kind == "attention":
            norm, *projections, project = (f"{theirs}.{name}" for name in LAYOUTS[layout]["attention"])
            q, k, v = (_layer(state, name, convolution=True) for name in projections)
            found |= {f"{ours}.qkv.{part}": torch.cat([q[part], k[part], v[part]]) for part in q}
            parts = {"norm": _layer(state, norm), "project": _layer(state, project, convolution=True)}
        elif kind == "residual":
            names = dict(zip(RESIDUAL, LAYOUTS[layout]["residual"]))
            parts = {name: _layer(state, f"{theirs}.{other}") for name, other in names.items()}
        else:
            parts = {"": _layer(state, theirs)}
        found |= {f"{ours}.{name}.{part}".replace("..", "."): v for name, of in parts.items() for part, v in of.items()}
    if net.known:
        found["labels.weight"] = torch.cat([state["classes_emb.weight"], state["null_classes_emb"][None]])
    _check(found, net, layout)
    return found


def _newer(name: str) -> str:
    for old, new in OLDER.items():
        name = name.replace(old, new)
    return name


def _layer(state: Mapping[str, Tensor], name: str, convolution: bool = False) -> dict[str, Tensor]:
    """Return the weight and bias of a layer, nothing if there is no such layer; on request a linear layer as a 1 x 1
    convolution."""
    if f"{name}.W" in state:  # score_sde's NIN: [in, out]
        return {"weight": state[f"{name}.W"].T[..., None, None].contiguous(), "bias": state[f"{name}.b"]}
    found = {part: state[f"{name}.{part}"] for part in ("weight", "bias") if f"{name}.{part}" in state}
    if convolution and found and found["weight"].ndim == 2:
        found["weight"] = found["weight"][..., None, None]
    return found


def _layers(net: UNet, layout: str) -> Iterator[tuple[str, str, str]]:
    """Yield (our name, "residual" or "attention" or "plain", their name) of every layer, in the order of use."""
    if layout == "score_sde":  # one list of all layers
        number = count()
        every = ["embed_time.0", "embed_time.2", "first", *(ours for ours, *_ in _inner(net)), "last_norm", "last"]
        kinds = {ours: kind for ours, kind, *_ in _inner(net)}
        yield from ((ours, kinds.get(ours, "plain"), f"all_modules.{next(number)}") for ours in every)
        return
    yield from ((ours, "plain", theirs) for ours, theirs in ENDS[layout].items())
    levels = sum(what == "half" for _, _, _, what, _, _ in _inner(net)) + 1
    for ours, kind, way, what, level, block in _inner(net):
        yield ours, kind, _called(layout, way, what, level, block, levels)


def _called(layout: str, way: str, what: str, level: int, block: int, levels: int) -> str:
    """Return the name of an inner layer: its way ("down", "mid", "up"), what it is, its resolution, its number
    there."""
    if layout == "ddpm":
        if way == "mid":
            return {"block": f"mid.block_{block + 1}", "attention": "mid.attn_1"}[what]
        inner = {"block": f"block.{block}", "attention": f"attn.{block}"}
        return f"{way}.{level}." + (inner | {"half": "downsample.conv", "double": "upsample.conv"})[what]
    inner = {"block": f"resnets.{block}", "attention": f"attentions.{block}"}
    if way == "mid":
        return f"mid_block.{inner[what]}"
    inner |= {"half": "downsamplers.0.conv", "double": "upsamplers.0.conv"}
    return f"{way}_blocks.{level if way == 'down' else levels - 1 - level}.{inner[what]}"


def _inner(net: UNet) -> Iterator[tuple[str, str, str, str, int, int]]:
    """Yield (our name, kind, way, what, level, block) of all layers but the first and the last, in the order of use."""
    level = block = 0
    for k, layers in enumerate(net.down):
        if _resamples(layers[0]):
            yield f"down.{k}.0", _kind(layers[0]), "down", "half", level, 0
            level, block = level + 1, 0
            continue
        yield from _entry(layers, f"down.{k}", "down", level, block)
        block += 1
    seen = 0
    for k, layer in enumerate(net.middle):
        what = "attention" if isinstance(layer, Attention) else "block"
        yield f"middle.{k}", _kind(layer), "mid", what, level, seen if what == "block" else 0
        seen += what == "block"
    block = 0
    for k, layers in enumerate(net.up):
        yield from _entry(layers, f"up.{k}", "up", level, block)
        block += 1
        if _resamples(layers[-1]):
            level, block = level - 1, 0


def _entry(
    layers: Layers, ours: str, way: str, level: int, block: int
) -> Iterator[tuple[str, str, str, str, int, int]]:
    for k, layer in enumerate(layers):
        what = "attention" if isinstance(layer, Attention) else "double" if _resamples(layer) else "block"
        yield f"{ours}.{k}", _kind(layer), way, what, level, block


def _resamples(layer: torch.nn.Module) -> bool:
    return isinstance(layer, torch.nn.Conv2d) or getattr(layer, "resample", None) is not None


def _kind(layer: torch.nn.Module) -> str:
    kinds = {Residual: "residual", Attention: "attention"}
    return kinds.get(type(layer), "plain")


def _check(found: Mapping[str, Tensor], net: UNet, layout: str) -> None:
    own = net.state_dict()
    if lacking := sorted(own.keys() - found.keys()):
        raise ValueError(f"the {layout} weights lack {lacking[0]} and {len(lacking) - 1} others of this network")
    if beyond := sorted(found.keys() - own.keys()):
        raise ValueError(f"the {layout} weights have {beyond[0]}, which this network has not")
    for name, value in own.items():
        if found[name].shape != value.shape:
            raise ValueError(f"{name} is {list(found[name].shape)} in the {layout} weights, {list(value.shape)} here")
