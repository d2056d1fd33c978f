"""VQ autoencoders: diffusers' VQModel, and taming-transformers' network with its two codebooks (nearest entry, or Gumbel's logits)."""

from __future__ import annotations

import torch
from diffusers import VQModel
from torch import nn

from . import compvis
from .case import Autoencoder


class NearestEntry(nn.Module):
    def __init__(self, entries: int, channels: int):
        super().__init__()
        self.embedding = nn.Embedding(entries, channels)

    def indices(self, z: torch.Tensor) -> torch.Tensor:
        distances = (z.double().permute(0, 2, 3, 1)[..., None, :] - self.embedding.weight.double()).square().sum(-1)
        return distances.argmin(-1)

    def look_up(self, indices: torch.Tensor) -> torch.Tensor:
        return self.embedding(indices).permute(0, 3, 1, 2)


class Gumbel(nn.Module):
    """Without the noise that training adds to the logits."""

    def __init__(self, entries: int, channels: int):
        super().__init__()
        self.proj, self.embed = nn.Conv2d(channels, entries, 1), nn.Embedding(entries, channels)

    def indices(self, z: torch.Tensor) -> torch.Tensor:
        return self.proj(z).argmax(1)

    def look_up(self, indices: torch.Tensor) -> torch.Tensor:
        return self.embed(indices).permute(0, 3, 1, 2)


class Taming(compvis.Halves):
    def __init__(self, config: dict):
        super().__init__(config, moments=False)
        self.quantize = (Gumbel if config.get("gumbel") else NearestEntry)(config["n_embed"], self.channels)


class Diffusers(nn.Module):
    """VQModel with the few words that Taming has."""

    def __init__(self, config: dict):
        super().__init__()
        stages = len(config["block_out_channels"])
        defaults = {"down_block_types": ["DownEncoderBlock2D"] * stages, "up_block_types": ["UpDecoderBlock2D"] * stages}
        self.model = VQModel(**(defaults | config))
        self.factor, self.channels = 2 ** (stages - 1), self.model.quantize.vq_embed_dim

    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.model.encode(pictures).latents

    def decode_latents(self, z: torch.Tensor, snap: bool) -> torch.Tensor:
        return self.model.decode(z, force_not_quantize=not snap).sample

    def indices(self, z: torch.Tensor) -> torch.Tensor:
        return self.model.quantize(z)[2][2].reshape(z.shape[0], *z.shape[2:])

    def look_up(self, indices: torch.Tensor) -> torch.Tensor:
        return self.model.quantize.get_codebook_entry(indices.flatten(), (*indices.shape, self.channels))


def build(config: dict) -> Autoencoder:
    """`config` goes to VQModel, or with `taming` to compvis.Halves with `n_embed` entries, `gumbel` ones if that is set.

    `mode`: "snap" decodes the entries next to the latents, "continuous" the latents themselves, "indices" entries; the encoder
    gives indices in that mode.
    """
    config = dict(config)
    mode, scope = config.pop("mode", "snap"), config.pop("scope", "")
    if config.pop("taming", False):
        model = Taming(config)
        quantize, entries, groups = model.quantize, config["n_embed"], config.get("groups", 32)
        indices_of, look_up, state_of = quantize.indices, quantize.look_up, model

        def decode_latents(z: torch.Tensor, snap: bool) -> torch.Tensor:
            return model.decode(look_up(indices_of(z)) if snap else z)
    else:
        model = Diffusers(config)
        entries, groups = model.model.config.num_vq_embeddings, model.model.config.norm_num_groups
        indices_of, look_up, state_of = model.indices, model.look_up, model.model
        decode_latents = model.decode_latents

    def decode(z: torch.Tensor) -> torch.Tensor:
        return decode_latents(look_up(z), False) if mode == "indices" else decode_latents(z, mode == "snap")

    def encode(pictures: torch.Tensor) -> torch.Tensor:
        latents = model.encode(pictures)
        return indices_of(latents) if mode == "indices" else latents

    facts = {"norm_num_groups": str(groups)}
    if mode == "continuous":
        facts["snap"] = "off"
    return Autoencoder(
        module=model,
        state=lambda: {scope + name: value for name, value in state_of.state_dict().items()},
        channels=model.channels,
        factor=model.factor,
        decode=decode,
        encode=encode,
        config=facts,
        entries=entries if mode == "indices" else None,
    )
