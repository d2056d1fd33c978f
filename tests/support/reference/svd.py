"""AutoencoderKLTemporalDecoder, as diffusers builds it."""

import torch
from diffusers import AutoencoderKLTemporalDecoder

from .case import Autoencoder

COMPVIS_WORDS = {
    "mid_block.resnets.0": "mid.block_1",
    "mid_block.resnets.1": "mid.block_2",
    "mid_block.attentions.0": "mid.attn_1",
    "group_norm": "norm",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "to_out.0": "proj_out",
    "resnets": "block",
    "conv_shortcut": "nin_shortcut",
    "upsamplers.0": "upsample",
    "downsamplers.0": "downsample",
    "down_blocks": "down",
    "conv_norm_out": "norm_out",
    "time_conv_out": "conv_out.time_mix_conv",
    "temporal_res_block.norm1": "time_stack.in_layers.0",
    "temporal_res_block.conv1": "time_stack.in_layers.2",
    "temporal_res_block.norm2": "time_stack.out_layers.0",
    "temporal_res_block.conv2": "time_stack.out_layers.3",
    "spatial_res_block.": "",
    "time_mixer.": "",
}


def compvis_name(name: str, stages: int) -> str:
    """The name in the checkpoints of Stability's generative-models, whose decoder counts its stages from the full size."""
    for stage in range(stages):
        name = name.replace(f"up_blocks.{stage}.", f"UP.{stages - 1 - stage}.")
    name = name.replace("UP.", "up.")
    for word, other in COMPVIS_WORDS.items():
        name = name.replace(word, other)
    return name


def build(config: dict) -> Autoencoder:
    """`config` goes to AutoencoderKLTemporalDecoder; `chunk` frames are decoded at once (default: all); `scope` stands before every name;
    `decoder_only` leaves the encoder out; `compvis` chooses the names.

    The batch of latents is one clip.
    """
    config = dict(config)
    chunk, scope, decoder_only = config.pop("chunk", None), config.pop("scope", ""), config.pop("decoder_only", False)
    compvis = config.pop("compvis", False)
    stages = len(config["block_out_channels"])
    model = AutoencoderKLTemporalDecoder(down_block_types=("DownEncoderBlock2D",) * stages, **config)

    def decode(latents: torch.Tensor) -> torch.Tensor:
        parts = latents.split(chunk or len(latents))
        return torch.cat([model.decode(part, num_frames=len(part)).sample for part in parts])

    def state() -> dict[str, torch.Tensor]:
        tensors = {name: value for name, value in model.state_dict().items() if name.startswith("decoder.") or not decoder_only}
        if compvis:
            tensors = {compvis_name(name, stages): value for name, value in tensors.items()}
            for name, value in tensors.items():
                if ".attn_1." in name and value.dim() == 2:
                    tensors[name] = value[:, :, None, None]
        return {scope + name: value for name, value in tensors.items()}

    return Autoencoder(
        module=model,
        state=state,
        channels=model.config.latent_channels,
        factor=2 ** (stages - 1),
        decode=decode,
        encode=None if decoder_only else lambda pictures: model.encode(pictures).latent_dist.mode(),
        config={"chunk": str(chunk or 0)},
    )
