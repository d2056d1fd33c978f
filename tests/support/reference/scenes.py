"""The shipped model's encoder and `vit` decoder, as tools/train builds and trains them."""

import json
import sys
from pathlib import Path

from .case import Autoencoder

TOOLS = Path(__file__).resolve().parents[3] / "tools"
sys.path.insert(0, str(TOOLS))
from train import dcae  # noqa: E402


def flattened(value: object, key: str = "") -> dict[str, str]:
    """Nested keys joined with dots, as the library reads a config."""
    items = enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, dict) else None
    if items is None:
        return {key: str(value)}
    return {name: text for part, inner in items for name, text in flattened(inner, f"{key}.{part}" if key else str(part)).items()}


def build(config: dict) -> Autoencoder:
    """config: empty for the shipped one, or `model`: another one in the same form."""
    model_config = config.get("model") or json.loads((TOOLS / "train" / "configs" / "scenes_autoencoder.json").read_text())["model"]
    model = dcae.Autoencoder(model_config)
    return Autoencoder(
        module=model, state=model.state_dict, channels=4, factor=8, decode=model.decoder, encode=model.encoder,
        config=flattened(model_config),
    )
