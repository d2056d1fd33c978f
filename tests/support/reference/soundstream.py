"""python -m reference.soundstream CASE --out FILE: a SoundStream codec with random weights and what PyTorch makes with it.

Tensors: encoder.*, heavy.*, quantizer.codebooks [N, K, D]; reference.samples [T * hop], .embeddings [T, D], .indices [T, N],
.dequantized [T, D] (all stages), .dequantized_2 (the first two), .decoded [T * hop]. Metadata: the layout.
Whole clips at once, padded with zeros on the left: what streaming has to equal.
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from reference.case import randomise

# Lists go from the frame rate to the sample rate.
HEAVY = {
    "features": 64,
    "channels": [512, 256, 128, 64],
    "strides": [2, 2, 5, 16],
    "kernels": [3, 4, 4, 10, 64],
    "groups": [4, 4, 2, 1],
    "unit_groups": [4, 2, 1],
    "dilations": [[1, 3, 9]] * 3,
    "unit_kernel": 3,
    "separable": True,
    "activation": "leaky",
}
CASES = {
    "heavy": HEAVY,
    "light": HEAVY
    | {
        "channels": [64, 32, 24],
        "strides": [4, 5, 16],
        "kernels": [3, 8, 10, 64],
        "groups": [4, 2, 1],
        "unit_groups": [1, 1],
        "dilations": [[1, 3]] * 2,
    },
    "paper": {
        "features": 16,
        "channels": [64, 32, 16, 8, 4],
        "strides": [8, 5, 4, 2, 1],
        "kernels": [7, 16, 10, 8, 4, 7],
        "groups": [1] * 5,
        "unit_groups": [1] * 4,
        "dilations": [[1, 3, 9]] * 4,
        "unit_kernel": 7,
        "separable": False,
        "activation": "elu",
    },
    # Kernels that are no multiple of their stride, channels that fill no vector register, a stage without units.
    "odd": {
        "features": 6,
        "channels": [20, 9, 6],
        "strides": [3, 2, 4],
        "kernels": [2, 7, 3, 9],
        "groups": [2, 1, 3],
        "unit_groups": [3, 1],
        "dilations": [[2, 1], []],
        "unit_kernel": 4,
        "separable": True,
        "activation": "elu",
    },
}


class CausalConv(nn.Conv1d):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        reach = (self.kernel_size[0] - 1) * self.dilation[0] + 1 - self.stride[0]
        return super().forward(F.pad(x, (reach, 0)))


class CausalTransposed(nn.ConvTranspose1d):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x)[..., : x.shape[-1] * self.stride[0]]


def activate(layout: dict, x: torch.Tensor) -> torch.Tensor:
    return F.leaky_relu(x, 0.3) if layout["activation"] == "leaky" else F.elu(x)


class Unit(nn.Module):
    def __init__(self, layout: dict, channels: int, dilation: int, groups: int):
        super().__init__()
        self.layout = layout
        kernel = layout["unit_kernel"]
        if layout["separable"]:
            self.depthwise = CausalConv(channels, channels, kernel, dilation=dilation, groups=channels)
            self.pointwise = CausalConv(channels, channels, 1)
        else:
            self.conv = CausalConv(channels, channels, kernel, dilation=dilation)
        self.mix = CausalConv(channels, channels, 1, groups=groups)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = activate(self.layout, x)
        h = self.pointwise(self.depthwise(h)) if self.layout["separable"] else self.conv(h)
        return x + self.mix(activate(self.layout, h))


class Stage(nn.Module):
    def __init__(self, layout: dict, stage: int):
        super().__init__()
        channels = layout["channels"][stage + 1]
        groups = layout["unit_groups"][stage]
        self.units = nn.ModuleList(Unit(layout, channels, d, groups) for d in layout["dilations"][stage])


class Decoder(nn.Module):
    def __init__(self, layout: dict):
        super().__init__()
        self.layout = layout
        channels, kernels, groups, strides = (layout[key] for key in ("channels", "kernels", "groups", "strides"))
        self.first = CausalConv(layout["features"], channels[0], kernels[0], groups=groups[0])
        self.stages = nn.ModuleList(Stage(layout, i) for i in range(len(channels) - 1))
        for i, stage in enumerate(self.stages):
            sizes = channels[i], channels[i + 1], kernels[i + 1], strides[i]
            stage.resample = CausalTransposed(*sizes, groups=groups[i + 1])
        self.last = CausalTransposed(channels[-1], 1, kernels[-1], strides[-1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        for stage in self.stages:
            x = stage.resample(activate(self.layout, x))
            for unit in stage.units:
                x = unit(x)
        return self.last(activate(self.layout, x))


class Encoder(nn.Module):
    def __init__(self, layout: dict):
        super().__init__()
        self.layout = layout
        channels, kernels, groups, strides = (layout[key] for key in ("channels", "kernels", "groups", "strides"))
        self.first = CausalConv(1, channels[-1], kernels[-1], stride=strides[-1])
        count = len(channels) - 1
        self.stages = nn.ModuleList(Stage(layout, i) for i in reversed(range(count)))
        for i, stage in zip(reversed(range(count)), self.stages):
            sizes = channels[i + 1], channels[i], kernels[i + 1], strides[i]
            stage.resample = CausalConv(*sizes, groups=groups[i + 1])
        self.last = CausalConv(channels[0], layout["features"], kernels[0], groups=groups[0])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        for stage in self.stages:
            for unit in stage.units:
                x = unit(x)
            x = stage.resample(activate(self.layout, x))
        return self.last(activate(self.layout, x))


def quantize(embeddings: torch.Tensor, codebooks: torch.Tensor) -> torch.Tensor:
    """Indices [T, N]: each stage takes the entry nearest to what the stages before it left."""
    residual, indices = embeddings.double(), []
    for book in codebooks.double():
        distances = (residual[:, None] - book[None]).square().sum(-1)
        indices.append(distances.argmin(-1))
        residual = residual - book[indices[-1]]
    return torch.stack(indices, 1)


def dequantize(indices: torch.Tensor, codebooks: torch.Tensor) -> torch.Tensor:
    return sum(book[column] for book, column in zip(codebooks, indices.unbind(1)))


def metadata_of(layout: dict, part: str) -> dict[str, str]:
    def text(value: object) -> str:
        if isinstance(value, bool):
            return str(int(value))
        if isinstance(value, list):
            nested = any(isinstance(item, list) for item in value)
            return (";" if nested else ",").join(text(item) for item in value)
        return str(value)

    return {f"{part}.{key}": text(value) for key, value in layout.items()}


def write(case: str, file: Path, frames: int = 12, stages: int = 5, entries: int = 16, seed: int = 1) -> None:
    layout = CASES[case]
    generator = torch.Generator().manual_seed(seed)
    encoder, decoder = Encoder(layout).eval(), Decoder(layout).eval()
    hop = 1
    for stride in layout["strides"]:
        hop *= stride
    with torch.no_grad():
        for module in (encoder, decoder):
            randomise(module, generator)
        samples = torch.randn(frames * hop, generator=generator)
        embeddings = encoder(samples[None, None])[0].t().contiguous()
        decoded = decoder(embeddings.t()[None])[0, 0]
        # Random weights make sound and embeddings of any size: the ends are scaled so that both are of order one.
        last = encoder.last
        scale = 1 / embeddings.std()
        last.weight *= scale
        last.bias *= scale
        decoder.last.weight *= 1 / decoded.std()
        embeddings = encoder(samples[None, None])[0].t().contiguous()
        codebooks = torch.randn(stages, entries, layout["features"], generator=generator)
        codebooks *= 0.6 ** torch.arange(stages)[:, None, None]
        codebooks = codebooks.half().float()
        indices = quantize(embeddings, codebooks)
        tensors = {
            "quantizer.codebooks": codebooks.half(),
            "reference.samples": samples,
            "reference.embeddings": embeddings,
            "reference.indices": indices,
            "reference.dequantized": dequantize(indices, codebooks),
            "reference.dequantized_2": dequantize(indices[:, :2], codebooks),
            "reference.decoded": decoder(embeddings.t()[None])[0, 0],
        }
    for part, module in (("encoder", encoder), ("heavy", decoder)):
        tensors |= {f"{part}.{name}": value for name, value in module.state_dict().items()}
    tensors = {name: value.contiguous() for name, value in tensors.items()}
    save_file(tensors, file, metadata=metadata_of(layout, "encoder") | metadata_of(layout, "heavy"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    write(options.case, options.out)


if __name__ == "__main__":
    main()
