"""Captions in people's looser ways, beside the world's own: parts left out, other orders, other words."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from train.captions import COUNT_WORDS, GROUND_WORDS, PLURALS, SIDE_WORDS, SIZE_WORDS, SKY_WORDS, describe
from train.labels import told_labels
from train.world import _draw_facts, is_held_out

OTHER_SKIES = {
    "day": ("sunny", "day", "daytime", "sunny day", "clear sky", "sunshine", "in the daytime", "bright sky", "noon"),
    "dusk": ("at dusk", "evening", "sunset", "twilight", "in the evening", "dawn", "orange sky", "at sunset"),
    "night": ("at night", "starry sky", "stars", "midnight", "dark sky", "moon", "moonlight", "by night"),
    "storm": ("stormy", "rainy", "thunder", "lightning", "bad weather", "in the rain", "dark clouds", "stormy weather"),
}
OTHER_GROUNDS = {
    "meadow": ("on grass", "green grass", "field", "countryside", "on a meadow", "lawn", "pasture"),
    "desert": ("dunes", "in the desert", "sahara", "sandy ground", "on sand"),
    "snow": ("snowy", "winter", "in the snow", "snowy ground", "ice", "snow field", "winter landscape"),
    "sea": ("sea", "ocean", "at sea", "on the water", "waves", "on the sea", "lake"),
}
OTHER_COUNTS = {1: ("a", "one", "the", "1", "a single", ""), 2: ("two", "2", "a pair of", "a couple of"), 3: ("three", "3")}
OTHER_SIDES = {"left": ("left", "to the left"), "right": ("right", "to the right"), "centre": ("in the center", "middle", "at the center")}
OTHER_SIZES = {"small": ("mini", "distant"), "large": ("giant", "great")}
OTHER_KINDS = {
    "balloon": ("hot air balloon", "hot-air balloon"), "boat": ("sailboat", "sailing boat", "ship"), "parasol": ("umbrella", "beach umbrella"),
    "house": ("cottage", "home"), "car": ("automobile",), "mushroom": ("toadstool",), "duck": ("rubber duck",), "cactus": ("cactus plant",),
}  # fmt: skip
OPENINGS = ("a picture of", "an illustration of", "a drawing of", "a scene with", "there is", "a painting of", "an image of", "i want")
ENDINGS = ("beautiful", "highly detailed", "illustration", "flat design", "vector art", "masterpiece", "cute", "clean", "4k")


def caption_stream(seed: int, loose: float = 0.5) -> Iterator[tuple[str, list[int]]]:
    """Endless (caption, labels); the share `loose` in free wording, the rest in the world's own."""
    rng = np.random.default_rng(seed)
    while True:
        facts = _draw_facts(rng)
        if is_held_out(facts):
            continue
        if rng.random() < 0.02:
            yield "", [0] * len(told_labels(facts))
        elif rng.random() < loose:
            yield loose_caption(facts, rng)
        else:
            caption = describe(facts, rng)
            yield caption, told_labels(facts)


def loose_caption(facts: dict, rng: np.random.Generator) -> tuple[str, list[int]]:
    """Says a random part of the facts; `facts` is changed to what was told."""
    facts["told"] = [name for name in ("sky", "ground") if rng.random() < 0.7]
    if facts["told"] and rng.random() < 0.08:
        facts["groups"] = []
    parts = [_group(group, rng) for group in facts["groups"]]
    if rng.random() < 0.3 and len(parts) == 2:
        parts = [_one(rng, (" and ", " with ", ", ", " plus ")).join(parts)]
    if "sky" in facts["told"]:
        parts.insert(int(rng.integers(len(parts) + 1)), _one(rng, SKY_WORDS[facts["sky"]] + OTHER_SKIES[facts["sky"]]))
    if "ground" in facts["told"]:
        parts.insert(int(rng.integers(len(parts) + 1)), _one(rng, GROUND_WORDS[facts["ground"]] + OTHER_GROUNDS[facts["ground"]]))
    if rng.random() < 0.15:
        parts.append(_one(rng, ENDINGS))
    text = _one(rng, (", ", ", ", " ", "; ", ". ")).join(parts)
    if rng.random() < 0.2:
        text = f"{_one(rng, OPENINGS)} {text}"
    if rng.random() < 0.1:
        text += "."
    return text, told_labels(facts)


def _group(group: dict, rng: np.random.Generator) -> str:
    group["always"] = [name for name, share in (("kind", 1.0), ("colour", 0.85), ("count", 0.9)) if rng.random() < share]
    group["told"] = [name for name in ("size", "side") if rng.random() < 0.4]
    kind, count = group["kind"], group["count"]
    if kind in OTHER_KINDS and rng.random() < 0.3:
        kind = _one(rng, OTHER_KINDS[kind])
    plural = count > 1
    if "count" not in group["always"]:
        plural = True
        number = _one(rng, ("some", "several", ""))
    else:
        number = _one(rng, COUNT_WORDS[count] + OTHER_COUNTS[count])
    noun = PLURALS.get(kind, kind + "s") if plural else kind
    words = [number]
    if "size" in group["told"]:
        words.append(_one(rng, SIZE_WORDS[group["size"]] + OTHER_SIZES[group["size"]]))
    if "colour" in group["always"]:
        words.append(group["colour"])
    words.append(noun)
    if "side" in group["told"]:
        words.append(_one(rng, SIDE_WORDS[group["side"]] + OTHER_SIDES[group["side"]]))
    return " ".join(word for word in words if word)


def _one(rng: np.random.Generator, words):
    return words[int(rng.integers(len(words)))]
