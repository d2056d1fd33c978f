"""EfficientViT / DC-AE: diffusers' AutoencoderDC, under its own names or those of mit-han-lab/efficientvit."""

import re

import torch
from diffusers import AutoencoderDC
from torch import nn

from .case import Autoencoder

# diffusers' name inside a block -> upstream's
BLOCK_NAMES = [
    (r"^conv1\.", "main.conv1.conv."),
    (r"^conv2\.", "main.conv2.conv."),
    (r"^norm\.", "main.conv2.norm."),
    (r"^conv\.", "main.conv.conv."),
    (r"^attn\.to_qkv_multiscale\.(\d+)\.proj_in\.", r"context_module.main.aggreg.\1.0."),
    (r"^attn\.to_qkv_multiscale\.(\d+)\.proj_out\.", r"context_module.main.aggreg.\1.1."),
    (r"^attn\.to_out\.", "context_module.main.proj.conv."),
    (r"^attn\.norm_out\.", "context_module.main.proj.norm."),
    (r"^conv_out\.conv_inverted\.", "local_module.main.inverted_conv.conv."),
    (r"^conv_out\.conv_depth\.", "local_module.main.depth_conv.conv."),
    (r"^conv_out\.conv_point\.0\.", "local_module.main.point_conv.conv."),
    (r"^conv_out\.conv_point\.1\.", "local_module.main.point_conv.norm."),
    (r"^conv_out\.conv_point\.", "local_module.main.point_conv.conv."),
    (r"^conv_out\.norm\.", "local_module.main.point_conv.norm."),
]
OUTER_NAMES = [
    ("decoder.conv_in.", "decoder.project_in.main.conv."),
    ("decoder.norm_out.", "decoder.project_out.op_list.0."),
    ("decoder.conv_out.", "decoder.project_out.op_list.2.conv."),
    ("encoder.conv_in.", "encoder.project_in.conv."),
    ("encoder.conv_out.", "encoder.project_out.main.op_list.0.conv."),
]


def upstream_name(name: str, strided: bool = False) -> str:
    """strided: the file's halving convolutions have a stride, and upstream wraps them once less."""
    if found := re.match(r"(encoder|decoder)\.(?:up|down)_blocks\.(\d+)\.(\d+)\.(.*)", name):
        half, stage, op, rest = found.groups()
        for pattern, upstream in BLOCK_NAMES:
            rest, count = re.subn(pattern, upstream, rest)
            if count:
                break
        if strided and half == "encoder":
            rest = rest.replace("main.conv.conv.", "main.conv.")
        return f"{half}.stages.{stage}.op_list.{op}.{rest}"
    for ours, upstream in OUTER_NAMES:
        name = name.replace(ours, upstream)
    return name


def upstream_state(model: AutoencoderDC) -> dict[str, torch.Tensor]:
    """diffusers stores the fused 1x1 convolution qkv as three linear maps: thirds of its rows, not query, key and value."""
    state, tensors = model.state_dict(), {}
    strided = model.config.downsample_block_type != "pixel_unshuffle"
    for name, value in state.items():
        if name.endswith(("attn.to_k.weight", "attn.to_v.weight")):
            continue
        if name.endswith("attn.to_q.weight"):
            thirds = [state[name.replace("to_q", part)] for part in ("to_q", "to_k", "to_v")]
            block = name.removesuffix("attn.to_q.weight")
            tensors[upstream_name(block + "attn.to_out.weight").replace("proj", "qkv")] = torch.cat(thirds)[:, :, None, None]
        else:
            tensors[upstream_name(name, strided)] = value[:, :, None, None] if value.dim() == 2 else value
    return tensors


class BatchNormed(nn.Sequential):
    """A convolution and its batch norm where diffusers knows RMS norm alone."""

    def __init__(self, conv: nn.Conv2d):
        super().__init__(conv, nn.BatchNorm2d(conv.out_channels))


def give_gated_convs_batch_norm(model: AutoencoderDC) -> None:
    for module in model.modules():
        if hasattr(module, "conv_inverted"):
            module.conv_point = BatchNormed(module.conv_point)
            module.norm_type = module.norm = None
            module.nonlinearity = nn.ReLU()


def halves(half: str, config: dict) -> dict:
    """Our short words for one half -> AutoencoderDC's arguments."""
    words = {"width": "block_out_channels", "depth": "layers_per_block", "block": "block_types", "scales": "qkv_multiscales"}
    if half == "decoder":
        words |= {"norm": "norm_types", "act": "act_fns"}
    return {f"{half}_{words[key]}": value for key, value in config.items()}


def diffusers_facts(model: AutoencoderDC) -> dict[str, str]:
    """The part of its config.json that tensors do not show, flattened as the library reads it."""
    facts = {}
    for key in ("decoder_act_fns", "decoder_norm_types", "decoder_conv_act_fn", "attention_head_dim"):
        value = model.config[key]
        facts |= {f"{key}.{i}": word for i, word in enumerate(value)} if isinstance(value, (list, tuple)) else {key: str(value)}
    for key in ("decoder_in_shortcut", "encoder_out_shortcut"):
        facts[key] = str(model.config[key]).lower()
    return facts


def build(config: dict) -> Autoencoder:
    """config: latent_channels, encoder and decoder (width, depth, block, scales; the decoder's norm and act), and
    `bare`: the decoder's tensors alone, without a prefix; `batch_norm`: gated convolutions with batch norm and ReLU;
    `diffusers`: diffusers' own names; `batch_statistics`: batch norm as in training; anything else goes to AutoencoderDC."""
    config = dict(config)
    bare, batch_norm, facts = config.pop("bare", False), config.pop("batch_norm", False), config.pop("facts", {})
    diffusers, batch_statistics = config.pop("diffusers", False), config.pop("batch_statistics", False)
    depths = config["decoder"]["depth"]
    arguments = halves("encoder", config.pop("encoder")) | halves("decoder", config.pop("decoder"))
    model = AutoencoderDC(**arguments, **config)
    if batch_norm:
        give_gated_convs_batch_norm(model)
    if diffusers:
        facts = diffusers_facts(model) | facts
    if batch_statistics:
        facts = {"bn": "batch"} | facts

    def decode(latents: torch.Tensor) -> torch.Tensor:
        return model.train(batch_statistics).decode(latents).sample

    def state() -> dict[str, torch.Tensor]:
        if diffusers:
            return model.state_dict()
        tensors = upstream_state(model)
        if bare:
            return {name.removeprefix("decoder."): value for name, value in tensors.items() if name.startswith("decoder.")}
        return tensors

    resamplers = sum(depth > 0 for depth in depths[:-1]) + (depths[0] == 0)
    return Autoencoder(
        module=model,
        state=state,
        channels=model.config.latent_channels,
        factor=2**resamplers,
        decode=decode,
        encode=None if bare or batch_statistics else lambda pictures: model.encode(pictures).latent,
        config=facts,
    )
