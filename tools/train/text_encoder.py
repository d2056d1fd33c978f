"""The text encoder of models/scenes: a small transformer that reads a caption into five fact tokens.

It is trained alone, to name the facts of a caption, and then frozen: the denoiser gets a clean condition from its
first step on. Output tokens: sky, ground, and one for each of the group slots of `labels.py`.
"""

from __future__ import annotations

import argparse
import json

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.labels import GROUP_FIELDS, GROUP_SLOTS, SCENE_FIELDS
from train.prompts import caption_stream
from train.runs import Run, runs_folder, training_options
from train.shipped import SCENES, shipped_part
from train.tokenizer import Tokenizer

FACT_TOKENS = len(SCENE_FIELDS) + GROUP_SLOTS


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x: Tensor, visible: Tensor) -> Tensor:
        batch, length, width = x.shape
        heads = self.qkv(self.norm1(x)).reshape(batch, length, 3, self.heads, width // self.heads)
        q, k, v = heads.permute(2, 0, 3, 1, 4).unbind(0)
        read = F.scaled_dot_product_attention(q, k, v, attn_mask=visible)
        x = x + self.out(read.transpose(1, 2).reshape(batch, length, width))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class TextEncoder(nn.Module):
    def __init__(self, vocabulary: int, end_token: int, max_length: int, width: int, layers: int, heads: int, outputs: int) -> None:
        super().__init__()
        self.end_token = end_token
        self.token = nn.Embedding(vocabulary, width)
        self.place = nn.Parameter(0.02 * torch.randn(max_length, width))
        self.questions = nn.Parameter(0.02 * torch.randn(FACT_TOKENS, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.project = nn.Linear(width, outputs)
        self.norm = nn.LayerNorm(outputs, elementwise_affine=False)
        nn.init.normal_(self.token.weight, std=0.02)

    def forward(self, ids: Tensor) -> Tensor:
        """ids [B, L] int64, padded with the end token -> encoder_hidden_states [B, FACT_TOKENS, outputs]."""
        batch, length = ids.shape
        words = self.token(ids) + self.place[:length]
        x = torch.cat([self.questions.expand(batch, -1, -1), words], dim=1)
        ends = (ids == self.end_token).to(torch.int64)
        is_text = ends.cumsum(1) - ends == 0  # everything up to and with the first end token
        visible = torch.cat([torch.ones_like(is_text[:, :1]).expand(-1, x.shape[1] - length), is_text], dim=1)
        for block in self.blocks:
            x = block(x, visible[:, None, None, :])
        return self.norm(self.project(x[:, : x.shape[1] - length]))


class FactReader(nn.Module):
    """Linear heads that must find every told fact in the fact tokens; only used while the encoder is trained."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.scene = nn.ModuleList(nn.Linear(outputs, len(options) + 1) for options in SCENE_FIELDS.values())
        self.group = nn.ModuleList(nn.Linear(outputs, len(options) + 1) for options in GROUP_FIELDS.values())

    def forward(self, tokens: Tensor) -> list[Tensor]:
        """Class scores in the order of `labels.told_labels`."""
        scores = [head(tokens[:, place]) for place, head in enumerate(self.scene)]
        for slot in range(GROUP_SLOTS):
            scores += [head(tokens[:, len(self.scene) + slot]) for head in self.group]
        return scores


def make_encoder(config: dict, tokenizer: Tokenizer) -> TextEncoder:
    end = tokenizer.vocabulary["<|endoftext|>"]
    return TextEncoder(len(tokenizer.vocabulary), end, tokenizer.max_length, **config["model"])


def load_tokenizer(config: dict) -> Tokenizer:
    return Tokenizer.load(runs_folder() / config["name"] / "tokenizer", config["tokenizer"]["max_length"])


def load_encoder(config: dict) -> tuple[nn.Module, Tokenizer]:
    """The averaged weights of the last checkpoint and its tokenizer; where nothing was trained here, what ships."""
    checkpoint = runs_folder() / config["name"] / "checkpoint.pt"
    if not checkpoint.exists():
        tokenizer = Tokenizer.load(SCENES / "tokenizer", config["tokenizer"]["max_length"])
        return shipped_part("text_encoder.pt"), tokenizer
    tokenizer = load_tokenizer(config)
    encoder = make_encoder(config, tokenizer)
    state = torch.load(checkpoint, weights_only=True)["average"]
    encoder.load_state_dict({key[2:]: value for key, value in state.items() if key.startswith("0.")})
    return encoder.eval(), tokenizer


def encode(encoder: nn.Module, tokenizer: Tokenizer, captions: list[str]) -> Tensor:
    with torch.no_grad():
        return encoder(torch.tensor([tokenizer(caption) for caption in captions]))


def _batch(stream, count: int, tokenizer: Tokenizer) -> tuple[Tensor, Tensor]:
    rows = [next(stream) for _ in range(count)]
    return torch.tensor([tokenizer(text) for text, _ in rows]), torch.tensor([labels for _, labels in rows])


@torch.no_grad()
def share_right(model: nn.Module, ids: Tensor, labels: Tensor) -> dict[str, float]:
    """Share of fields read right, over all fields and over those that the caption tells."""
    found = torch.stack([scores.argmax(1) for scores in model(ids)], 1)
    right = found == labels
    return {"right": right.float().mean().item(), "told_right": right[labels > 0].float().mean().item()}


def train(config: dict) -> None:
    torch.manual_seed(config["seed"])
    tokenizer = load_tokenizer(config)
    model = nn.Sequential(make_encoder(config, tokenizer), FactReader(config["model"]["outputs"]))
    optimizer = torch.optim.AdamW(model.parameters(), lr=config["learning_rate"], betas=(0.9, 0.98), weight_decay=0.01)
    run = Run(config, model, optimizer)
    stream = caption_stream(config["seed"] + 1000 + run.step, config["loose"])
    test_ids, test_labels = _batch(caption_stream(config["seed"] + 999, config["loose"]), 2000, tokenizer)
    averaged = nn.Sequential(make_encoder(config, tokenizer), FactReader(config["model"]["outputs"])).eval()

    def one_step(_: int):
        ids, labels = _batch(stream, config["batch"], tokenizer)
        longest = int((ids != ids[:, -1:]).sum(1).max()) + 1
        losses = [F.cross_entropy(scores, labels[:, place]) for place, scores in enumerate(model(ids[:, :longest]))]
        loss = torch.stack(losses).sum()
        return loss, {"loss": loss.item()}

    def evaluate() -> dict:
        averaged.load_state_dict(run.average.values)
        return share_right(averaged, test_ids, test_labels)

    run.train(one_step, evaluate, evaluate_every=60)
    print(json.dumps(evaluate()))


def command(arguments: list[str]) -> None:
    """Trains the text encoder; its tokenizer is learned first where the run has none."""
    from train.tokenizer import command as learn_tokenizer

    parser = argparse.ArgumentParser(prog="train scenes-text", description=command.__doc__)
    options, config = training_options(parser, arguments, "scenes_text.json")
    folder = runs_folder() / config["name"] / "tokenizer"
    if not folder.exists():
        learn_tokenizer(["--config", str(options.config), "-o", str(folder)])
    train(config)
