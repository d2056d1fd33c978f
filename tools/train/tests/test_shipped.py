from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

import torch

from train.package import save_half
from train.shipped import shipped_part
from train.unet import UNet


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


if __name__ == "__main__":
    unittest.main()
