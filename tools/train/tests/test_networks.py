"""The networks equal diffusers' classes under the same state-dict names."""

import unittest

import torch

from train.dcae import Autoencoder
from train.kl import KLDecoder
from train.runs import CONFIGS, read_config
from train.tiny import TinyDecoder

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

    def test_tiny_decoder(self):
        ours = shaken(TinyDecoder(16))
        theirs = diffusers.AutoencoderTiny(
            decoder_block_out_channels=(16,) * 4, encoder_block_out_channels=(16,) * 4
        ).eval()
        theirs.decoder.load_state_dict(ours.state_dict())
        z = 3 * torch.randn(2, 4, 8, 8)
        with torch.no_grad():
            torch.testing.assert_close(ours(z), theirs.decode(z).sample, atol=1e-4, rtol=1e-4)


if __name__ == "__main__":
    unittest.main()
