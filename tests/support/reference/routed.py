"""The routed decoder as tools/train builds and trains it."""

import sys
from pathlib import Path

from .case import Autoencoder

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tools"))
from train.routed import RoutedDecoder  # noqa: E402


def build(config: dict) -> Autoencoder:
    """config: `share` of heavy tiles, and RoutedDecoder's arguments."""
    share = config["share"]
    model = RoutedDecoder(**{key: value for key, value in config.items() if key != "share"})
    return Autoencoder(
        module=model,
        state=model.state_dict,
        channels=model.trunk.first.in_channels,
        factor=2 ** len(model.heavy.stages),
        decode=lambda latents: model(latents, share),
        config={"heavy-share": str(share), "tile": str(model.tile)},
    )
