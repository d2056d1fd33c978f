"""CLIP text encoders and their tokenizers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .refusal import require

ROLES = ("bos_token", "eos_token", "unk_token", "pad_token")


class HiddenStates(nn.Module):
    """ids [B, L] -> hidden states [S, B, L, D], where index k leaves out the last k layers.

    Stable Diffusion 1 and 2 read the last layer and normalise whatever layer they read.
    """

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, ids: Tensor) -> Tensor:
        found = self.encoder(ids, output_hidden_states=True)
        layers = found.hidden_states
        normalise = _text_model(self.encoder).final_layer_norm
        skipped = [normalise(layers[-1 - k]) for k in range(1, len(layers) - 1)]
        return torch.stack([found.last_hidden_state, *skipped])


class PenultimateHiddenStates(nn.Module):
    """The same for SDXL, which reads the layer before the last and normalises nothing."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, ids: Tensor) -> Tensor:
        layers = self.encoder(ids, output_hidden_states=True).hidden_states
        return torch.stack([layers[-2 - k] for k in range(len(layers) - 2)])


class PooledHiddenStates(PenultimateHiddenStates):
    """SDXL's second encoder: hidden states, and the projected state of the end token [B, P]."""

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        found = self.encoder(ids, output_hidden_states=True)
        layers = found.hidden_states
        return torch.stack([layers[-2 - k] for k in range(len(layers) - 2)]), found.text_embeds


def _text_model(encoder: nn.Module) -> nn.Module:
    """The transformer itself: transformers 5 has no shell around it any more."""
    return getattr(encoder, "text_model", encoder)


def check_encoder(component: str, encoder: nn.Module) -> None:
    masked = getattr(encoder.config, "use_attention_mask", False)
    require(not masked, component, "a text encoder that reads its padding", "use_attention_mask")
    layers = encoder.config.num_hidden_layers
    require(layers >= 2, component, "at least 2 layers", layers)


def example_ids(encoder: nn.Module, batch: int, seed: int) -> Tensor:
    """Random ids that end as prompts do: the pooled state is read at the end token."""
    config = encoder.config
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(config.vocab_size, (batch, config.max_position_embeddings), generator=generator)
    ids[:, -1] = config.eos_token_id if config.eos_token_id < config.vocab_size else config.vocab_size - 1
    return ids


def write_tokenizer(component: str, tokenizer: Any, positions: int, folder: Path) -> int:
    """Writes vocab.json, merges.txt and tokenizer_config.json, and returns the length that prompts are cut to.

    @param positions how many tokens the encoder takes.
    """
    length = tokenizer.model_max_length
    require(2 <= length <= positions, f"{component}: model_max_length", f"2 to {positions}", length)
    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    require(model.get("type") == "BPE", component, "byte pairs", model.get("type"))
    added = {id_: token for id_, token in tokenizer.added_tokens_decoder.items()}
    special = {str(getattr(tokenizer, role)) for role in ROLES}
    strangers = sorted(str(token) for token in added.values() if str(token) not in special)
    require(not strangers, component, "the tokens of CLIP alone", f"added ones: {', '.join(strangers)}")
    config = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": length,
        **{role: str(getattr(tokenizer, role)) for role in ROLES},
        "added_tokens_decoder": {
            str(id_): {
                "content": str(token),
                "lstrip": token.lstrip,
                "normalized": token.normalized,
                "rstrip": token.rstrip,
                "single_word": token.single_word,
                "special": token.special,
            }
            for id_, token in added.items()
        },
    }
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps(model["vocab"], ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return length
