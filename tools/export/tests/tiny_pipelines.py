"""Randomly initialised diffusers pipelines of a few hundred thousand weights, saved as a user's folder would be."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import torch

TEXT_WIDTH = 32
MERGES = ("r e", "h o", "ho u", "s e</w>", "re d</w>")


def byte_characters() -> list[str]:
    """The characters that stand for the 256 bytes in CLIP's vocabulary."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return [chr(byte) for byte in shown] + [chr(256 + i) for i in range(len(hidden))]


def tokenizer(padding: str = "<|endoftext|>") -> Any:
    from transformers import CLIPTokenizer

    bytes_ = byte_characters()
    tokens = [*bytes_, *(f"{character}</w>" for character in bytes_), *(pair.replace(" ", "") for pair in MERGES)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    with tempfile.TemporaryDirectory() as folder:
        vocabulary, merges = Path(folder) / "vocab.json", Path(folder) / "merges.txt"
        vocabulary.write_text(json.dumps({token: id_ for id_, token in enumerate(tokens)}), encoding="utf-8")
        merges.write_text("\n".join(["#version: 0.2", *MERGES]) + "\n", encoding="utf-8")
        return CLIPTokenizer(str(vocabulary), str(merges), model_max_length=77, pad_token=padding)


def text_encoder(seed: int, projected: bool = False, **changes: Any) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    words = tokenizer()
    config = {
        "vocab_size": len(words), "bos_token_id": words.bos_token_id, "eos_token_id": words.eos_token_id,
        "pad_token_id": words.pad_token_id, "hidden_size": TEXT_WIDTH, "intermediate_size": 48,
        "num_attention_heads": 4, "num_hidden_layers": 4, "projection_dim": 24, "max_position_embeddings": 77,
    }  # fmt: skip
    torch.manual_seed(seed)
    network = CLIPTextModelWithProjection if projected else CLIPTextModel
    made = network(CLIPTextConfig(**config | changes)).eval()
    # Transformers starts so small that every prompt would read the same.
    with torch.no_grad():
        made.get_input_embeddings().weight.mul_(50)
    return made


def vae(seed: int = 2, **changes: Any) -> Any:
    from diffusers import AutoencoderKL

    torch.manual_seed(seed)
    config = {
        "block_out_channels": (16, 32), "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2, "latent_channels": 4, "norm_num_groups": 8, "sample_size": 32,
    }  # fmt: skip
    return AutoencoderKL(**config | changes).eval()


def unet(seed: int = 3, **changes: Any) -> Any:
    from diffusers import UNet2DConditionModel

    torch.manual_seed(seed)
    config = {
        "sample_size": 16, "block_out_channels": (16, 32), "layers_per_block": 1, "norm_num_groups": 8,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "attention_head_dim": 4, "cross_attention_dim": TEXT_WIDTH,
    }  # fmt: skip
    return UNet2DConditionModel(**config | changes).eval()


def scheduler(name: str = "PNDMScheduler", **changes: Any) -> Any:
    import diffusers

    config = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
    if name == "PNDMScheduler":
        config["skip_prk_steps"] = True
    return getattr(diffusers, name)(**config | changes)


def stable_diffusion(sampler: Any = None, padding: str = "<|endoftext|>", text: Any = None, **unet_changes: Any) -> Any:
    """The layout of Stable Diffusion 1; 2 differs in its padding, activation and prediction."""
    from diffusers import StableDiffusionPipeline

    return StableDiffusionPipeline(
        vae=vae(),
        text_encoder=text or text_encoder(1),
        tokenizer=tokenizer(padding),
        unet=unet(**unet_changes),
        scheduler=sampler or scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def stable_diffusion_2() -> Any:
    sampler = scheduler(
        "DDIMScheduler", prediction_type="v_prediction", rescale_betas_zero_snr=True, timestep_spacing="trailing",
        clip_sample=False, set_alpha_to_one=False,
    )  # fmt: skip
    return stable_diffusion(sampler, "!", text_encoder(1, hidden_act="gelu"), use_linear_projection=True)


def consistency_model() -> Any:
    return stable_diffusion(scheduler("LCMScheduler"), time_cond_proj_dim=16)


def stable_diffusion_xl(sampler: Any = None, zeros: bool = True, **unet_changes: Any) -> Any:
    from diffusers import StableDiffusionXLPipeline

    pooled = 24
    config = {
        "addition_embed_type": "text_time", "addition_time_embed_dim": 8, "cross_attention_dim": 2 * TEXT_WIDTH,
        "projection_class_embeddings_input_dim": pooled + 6 * 8, "transformer_layers_per_block": (1, 2),
        "use_linear_projection": True,
    }  # fmt: skip
    return StableDiffusionXLPipeline(
        vae=vae(scaling_factor=0.13025),
        text_encoder=text_encoder(1),
        text_encoder_2=text_encoder(4, projected=True, hidden_act="gelu"),
        tokenizer=tokenizer(),
        tokenizer_2=tokenizer("!"),
        unet=unet(**config | unet_changes),
        scheduler=sampler or scheduler("EulerDiscreteScheduler", timestep_spacing="leading"),
        force_zeros_for_empty_prompt=zeros,
        add_watermarker=False,
    )


def turbo() -> Any:
    return stable_diffusion_xl(scheduler("EulerAncestralDiscreteScheduler", timestep_spacing="trailing"), zeros=False)


def stable_video(**unet_changes: Any) -> Any:
    """The layout of Stable Video Diffusion. Its temporal layers want widths of whole groups of 32."""
    from diffusers import AutoencoderKLTemporalDecoder, StableVideoDiffusionPipeline, UNetSpatioTemporalConditionModel
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(5)
    config = {
        "block_out_channels": (32, 64), "layers_per_block": 1, "sample_size": 16, "num_frames": 4,
        "down_block_types": ("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
        "up_block_types": ("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"), "num_attention_heads": (2, 4),
        "cross_attention_dim": TEXT_WIDTH, "addition_time_embed_dim": 32, "projection_class_embeddings_input_dim": 96,
    }  # fmt: skip
    unet_ = UNetSpatioTemporalConditionModel(**config | unet_changes)
    vae_ = AutoencoderKLTemporalDecoder(
        block_out_channels=(32, 64), down_block_types=("DownEncoderBlock2D",) * 2, latent_channels=4, sample_size=32,
        layers_per_block=2,
    )
    eye = CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=32, projection_dim=TEXT_WIDTH, num_hidden_layers=2, num_attention_heads=4, image_size=224,
            intermediate_size=37, patch_size=32,
        )
    )  # fmt: skip
    sampler = scheduler(
        "EulerDiscreteScheduler", prediction_type="v_prediction", use_karras_sigmas=True, timestep_type="continuous",
        timestep_spacing="leading", sigma_min=0.002, sigma_max=700.0,
    )  # fmt: skip
    return StableVideoDiffusionPipeline(
        vae=vae_.eval(),
        image_encoder=eye.eval(),
        unet=unet_.eval(),
        scheduler=sampler,
        feature_extractor=CLIPImageProcessor(crop_size=224, size=224),
    )


KINDS = {
    "sd1": stable_diffusion,
    "sd2": stable_diffusion_2,
    "lcm": consistency_model,
    "sdxl": stable_diffusion_xl,
    "turbo": turbo,
    "svd": stable_video,
}
