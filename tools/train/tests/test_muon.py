from __future__ import annotations

import unittest

import torch

from train.muon import Muon, orthogonalised


class Orthogonalisation(unittest.TestCase):
    def test_singular_values_come_close_to_one_and_directions_stay(self) -> None:
        torch.manual_seed(0)
        for shape in ((24, 24), (16, 144), (96, 32)):
            matrix = torch.randn(shape)
            u, s, v = torch.linalg.svd(matrix, full_matrices=False)
            found = orthogonalised(matrix)
            inside = u.T @ found @ v.T
            strong = s > 0.05 * s.max()
            self.assertTrue(bool(((inside.diagonal()[strong] > 0.6) & (inside.diagonal()[strong] < 1.3)).all()), shape)
            self.assertLess((inside - torch.diag(inside.diagonal())).abs().max().item(), 1e-3)

    def test_minimises_a_simple_loss(self) -> None:
        torch.manual_seed(0)
        layer, target = torch.nn.Linear(16, 16), torch.nn.Linear(16, 16)
        optimizer = Muon(layer.parameters(), lr=0.02)
        x = torch.randn(256, 16)
        first = None
        for _ in range(150):
            optimizer.zero_grad()
            loss = (layer(x) - target(x)).square().mean()
            loss.backward()
            optimizer.step()
            first = first or loss.item()
        self.assertLess(loss.item(), 0.02 * first)


if __name__ == "__main__":
    unittest.main()
