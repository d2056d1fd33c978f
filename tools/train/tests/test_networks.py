"""The networks equal diffusers' classes under the same state-dict names."""

import os
import tempfile
import unittest
from pathlib import Path

import torch

from train.autoencoder import psnr
from train.dcae import Autoencoder
from train.kl import KLDecoder, KLEncoder
from train.photographs import decoded, encoded, read
from train.runs import CONFIGS, read_config
from train.teacher import load_teacher
from train.tiny import Block, TinyDecoder, TinyEncoder

try:
    import diffusers
except ImportError:
    diffusers = None


def shaken(model: torch.nn.Module) -> torch.nn.Module:
    """Random weights everywhere, so that no norm or bias is left at a value that hides a mistake."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.05)
    return model.eval()


def to_diffusers(state: dict, decoder_depth: list[int]) -> dict:
    """efficientvit's names as diffusers' AutoencoderDC has them; fused q, k, v become three."""
    renamed = {}
    for key, value in state.items():
        key = (
            key.replace("main.", "")
            .replace("op_list.", "")
            .replace("context_module", "attn")
            .replace("local_module", "conv_out")
        )
        key = key.replace("encoder.stages", "encoder.down_blocks").replace("decoder.stages", "decoder.up_blocks")
        key = key.replace("encoder.project_out.0.conv", "encoder.conv_out").replace(
            "decoder.project_out.0", "decoder.norm_out"
        )
        key = key.replace("encoder.project_in.conv.conv", "encoder.conv_in.conv").replace(
            "decoder.project_out.2.conv.conv", "decoder.conv_out.conv"
        )
        key = (
            key.replace("decoder.project_in.conv", "decoder.conv_in")
            .replace("inverted_conv.conv", "conv_inverted")
            .replace("depth_conv.conv", "conv_depth")
        )
        key = (
            key.replace("point_conv.conv", "conv_point")
            .replace("point_conv.norm", "norm")
            .replace("proj.conv", "to_out")
            .replace("proj.norm", "norm_out")
        )
        key = (
            key.replace("conv1.conv", "conv1")
            .replace("conv2.conv", "conv2")
            .replace("conv2.norm", "norm")
            .replace("conv.conv.", "conv.")
        )
        if key.endswith("qkv.conv.weight"):
            for name, part in zip(("to_q", "to_k", "to_v"), value.squeeze().chunk(3)):
                renamed[key.replace("qkv.conv", name)] = part
        else:
            renamed[key] = value.squeeze() if ".attn.to_out" in key else value
    return renamed


@unittest.skipUnless(diffusers, "diffusers is not installed")
class EqualsDiffusers(unittest.TestCase):
    def test_deep_compression_autoencoder(self):
        config = read_config(CONFIGS / "scenes_autoencoder.json")["model"]
        ours = shaken(Autoencoder(config))
        kinds = {"ResBlock": "ResBlock", "EViT_GLU": "EfficientViTBlock"}
        norms = {"bn2d": "batch_norm", "trms2d": "rms_norm"}
        encoder, decoder = config["encoder"], config["decoder"]
        theirs = diffusers.AutoencoderDC(
            latent_channels=4,
            attention_head_dim=32,
            encoder_block_types=[kinds[k] for k in encoder["block_type"]],
            decoder_block_types=[kinds[k] for k in decoder["block_type"]],
            encoder_block_out_channels=encoder["width"],
            decoder_block_out_channels=decoder["width"],
            encoder_layers_per_block=encoder["depth"],
            decoder_layers_per_block=decoder["depth"],
            encoder_qkv_multiscales=((),) * 4,
            decoder_qkv_multiscales=((),) * 4,
            upsample_block_type="pixel_shuffle",
            downsample_block_type="pixel_unshuffle",
            decoder_norm_types=[norms[n] for n in decoder["norm"]],
            decoder_act_fns=decoder["act"],
            encoder_out_shortcut=True,
        ).eval()
        state = to_diffusers(ours.state_dict(), decoder["depth"])
        wanted = theirs.state_dict()
        # diffusers hard-wires rms_norm and silu into the encoder's blocks, so only the decoder can be compared whole.
        theirs.decoder.load_state_dict(
            {k.removeprefix("decoder."): v for k, v in state.items() if k.startswith("decoder.")}
        )
        self.assertEqual({k for k in wanted if k.startswith("encoder.")} - set(state), set())
        z = torch.randn(2, 4, 8, 8)
        with torch.no_grad():
            torch.testing.assert_close(ours.decoder(z), theirs.decoder(z), atol=1e-4, rtol=1e-4)

    def test_kl_decoder(self):
        ours = shaken(KLDecoder([16, 24, 32, 32], 8))
        theirs = diffusers.AutoencoderKL(
            block_out_channels=(16, 24, 32, 32),
            norm_num_groups=8,
            layers_per_block=2,
            latent_channels=4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            down_block_types=("DownEncoderBlock2D",) * 4,
        ).eval()
        theirs.decoder.load_state_dict(ours.state_dict())
        z = torch.randn(2, 4, 8, 8)
        with torch.no_grad():
            torch.testing.assert_close(ours(z), theirs.decoder(z), atol=1e-4, rtol=1e-4)

    def test_kl_encoder(self):
        ours = shaken(KLEncoder([16, 24, 32, 32], 8, 8))
        theirs = diffusers.AutoencoderKL(
            block_out_channels=(16, 24, 32, 32),
            norm_num_groups=8,
            layers_per_block=2,
            latent_channels=4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            down_block_types=("DownEncoderBlock2D",) * 4,
        ).eval()
        theirs.encoder.load_state_dict(ours.state_dict())
        pictures = torch.rand(2, 3, 32, 48) * 2 - 1
        with torch.no_grad():
            torch.testing.assert_close(ours(pictures), theirs.encoder(pictures), atol=1e-4, rtol=1e-4)

    def test_tiny_decoder(self):
        ours = shaken(TinyDecoder(16))
        theirs = diffusers.AutoencoderTiny(
            decoder_block_out_channels=(16,) * 4, encoder_block_out_channels=(16,) * 4
        ).eval()
        theirs.decoder.load_state_dict(ours.state_dict())
        z = 3 * torch.randn(2, 4, 8, 8)
        with torch.no_grad():
            torch.testing.assert_close(ours(z), theirs.decode(z).sample, atol=1e-4, rtol=1e-4)

    def test_tiny_encoder(self):
        ours = shaken(TinyEncoder(16))
        theirs = diffusers.AutoencoderTiny(
            decoder_block_out_channels=(16,) * 4, encoder_block_out_channels=(16,) * 4
        ).eval()
        theirs.encoder.load_state_dict(ours.state_dict())
        pictures = torch.rand(2, 3, 32, 48) * 2 - 1
        with torch.no_grad():
            torch.testing.assert_close(ours(pictures), theirs.encode(pictures).latents, atol=1e-4, rtol=1e-4)

    def test_kl_teacher(self):
        """Folders as diffusers writes them, with and without the 1x1 convolutions and the shift."""
        for quant, shift in ((True, None), (False, 0.25)):
            theirs = shaken(
                diffusers.AutoencoderKL(
                    block_out_channels=(16, 24, 32, 32),
                    norm_num_groups=8,
                    layers_per_block=2,
                    latent_channels=6,
                    up_block_types=("UpDecoderBlock2D",) * 4,
                    down_block_types=("DownEncoderBlock2D",) * 4,
                    use_quant_conv=quant,
                    use_post_quant_conv=quant,
                    scaling_factor=0.5,
                    shift_factor=shift,
                )
            )
            with self.subTest(quant=quant), tempfile.TemporaryDirectory() as folder, torch.no_grad():
                theirs.save_pretrained(folder)
                teacher = load_teacher([Path(folder)])
                pictures = torch.rand(2, 3, 32, 48) * 2 - 1
                raw = theirs.encode(pictures).latent_dist.mode()
                z = (raw - (shift or 0)) * 0.5
                torch.testing.assert_close(teacher.encoder(pictures), z, atol=1e-4, rtol=1e-4)
                torch.testing.assert_close(teacher.decoder(z), theirs.decode(raw).sample, atol=1e-4, rtol=1e-4)


class TaeF2(unittest.TestCase):
    def test_pooled_block(self):
        """Statistics per group of a quarter of the channels and over the whole picture, added before the convolutions."""
        block = shaken(Block(8, pooled=True))
        x = torch.randn(2, 8, 5, 6)
        with torch.no_grad():
            wide = torch.einsum("oi,nihw->nohw", block.pool[0].weight[..., 0, 0], x).unflatten(1, (4, 8))
            deviation = wide - wide.mean((2, 3, 4), keepdim=True)
            normed = deviation / (deviation.square().mean((2, 3, 4), keepdim=True) + 1e-5).sqrt()
            scaled = normed.flatten(1, 2) * block.pool[1].weight[:, None, None] + block.pool[1].bias[:, None, None]
            pooled = x + torch.einsum("oi,nihw->nohw", block.pool[3].weight[..., 0, 0], scaled.clamp(min=0))
            torch.testing.assert_close(block(x), (block.conv(pooled) + pooled).clamp(min=0), atol=1e-5, rtol=1e-5)

    def test_real_weights_copy_a_photograph(self):
        """Wrong pools, ranges or orders would not come near: the photograph returns at 26.3 dB."""
        data = Path(os.environ.get("LIGHTSWITCH_DATA", "nowhere"))
        if not (data / "models/taef2").is_dir():
            self.skipTest("LIGHTSWITCH_DATA does not name a folder with models/taef2")
        teacher = load_teacher([data / f"models/taef2/taef2_{half}.pth" for half in ("decoder", "encoder")])
        photograph = read(sorted((data / "images/bsds500/val").glob("*.jpg"))[2], 128)
        made = decoded(teacher.decoder, encoded(teacher.encoder, photograph))
        self.assertGreater(psnr(made[None], photograph[None])[0], 26)


if __name__ == "__main__":
    unittest.main()
