from __future__ import annotations

import json
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from train.autoencoder import to_network
from train.dcae import Autoencoder
from train.package import ROUTED, save_half
from train.routed import from_weights
from train.routed_training import curves, gain_over_chance
from train.runs import CONFIGS, read_config
from train.shipped import SCENES, shipped_autoencoder, shipped_part
from train.unet import UNet
from train.world import TEST, scene


class Shipped(unittest.TestCase):
    def test_a_shipped_denoiser_starts_a_training(self) -> None:
        torch.manual_seed(0)
        shape = dict(channels=4, widths=[8, 12, 16], down=[1, 1], up=[1, 1, 1], heads=[0, 2, 2], embedding=16, context=10, context_tokens=5)
        trained, fresh = UNet(**shape), UNet(**shape)
        with tempfile.TemporaryDirectory() as folder:
            save_half(trained, Path(folder) / "denoiser.pt")
            fresh.load_state_dict(shipped_part("denoiser.pt", Path(folder)).state_dict())
        for name, value in fresh.state_dict().items():
            self.assertEqual(value.dtype, torch.float32)
            torch.testing.assert_close(value, trained.state_dict()[name], rtol=1e-3, atol=1e-6)

    @torch.no_grad()
    def test_the_shipped_gate_knows_where_the_heavy_branch_pays(self) -> None:
        model = from_weights(load_file(SCENES / ROUTED["file"]), int(ROUTED["config"]["tile"]))
        shipped = shipped_autoencoder()
        autoencoder = Autoencoder(json.loads(shipped["config"])["model"]).eval()
        autoencoder.load_state_dict(shipped["model"])
        drawings = np.stack([scene(seed)[0] for seed in range(TEST.start + 500, TEST.start + 512)])
        latents = autoencoder.encoder(to_network(drawings))
        found = curves(model, latents, drawings, read_config(CONFIGS / "scenes_routed.json")["gradient_weight"])
        self.assertGreater(found["gate"][-1], 30)  # all heavy, dB; the card has 32.0 on 64 drawings
        self.assertGreater(found["gate"][-1] - found["gate"][0], 3)
        self.assertGreater(min(gain_over_chance(found)), 0.6)


if __name__ == "__main__":
    unittest.main()
