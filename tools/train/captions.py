"""Words for the facts of a scene: many ways to say the same."""

from __future__ import annotations

import numpy as np

SKY_WORDS = {
    "day": ("a sunny day", "a blue sky", "a clear day", "daylight", "a bright day"),
    "dusk": ("dusk", "a sunset sky", "an evening sky", "sunset", "a dusk sky"),
    "night": ("night", "a night sky", "a starry night", "a dark night", "a starry sky"),
    "storm": ("a storm", "a stormy sky", "a thunderstorm", "rain", "a rainy sky"),
}
GROUND_WORDS = {
    "meadow": ("a meadow", "a green meadow", "a grassy field", "grass", "a green field"),
    "desert": ("a desert", "a sandy desert", "sand dunes", "sand", "the desert"),
    "snow": ("snow", "a snowy field", "a snowy plain", "a winter field", "deep snow"),
    "sea": ("the sea", "the ocean", "the open sea", "water", "a calm sea"),
}
SIZE_WORDS = {"small": ("small", "little", "tiny"), "large": ("large", "big", "huge")}
COUNT_WORDS = {1: ("a", "one"), 2: ("two", "a pair of"), 3: ("three",)}
SIDE_WORDS = {"left": ("on the left", "at the left", "on the left side"), "right": ("on the right", "at the right", "on the right side"),
              "centre": ("in the middle", "in the centre", "at the centre")}
PLURALS = {"sheep": "sheep", "cactus": "cacti"}


def _pick(rng: np.random.Generator, words):
    return words[int(rng.integers(len(words)))]


def _group(group: dict, rng: np.random.Generator) -> str:
    kind = group["kind"]
    noun = kind if group["count"] == 1 else PLURALS.get(kind, kind + "s")
    words = [group["colour"], noun]
    if "size" in group["told"]:
        words.insert(0, _pick(rng, SIZE_WORDS[group["size"]]))
    count = _pick(rng, COUNT_WORDS[group["count"]])
    words.insert(0, "an" if count == "a" and words[0][0] in "aeiou" else count)
    if "side" in group["told"]:
        words.append(_pick(rng, SIDE_WORDS[group["side"]]))
    return " ".join(words)


def describe(facts: dict, rng: np.random.Generator) -> str:
    """A caption that says exactly the facts listed under `told` (kind, colour and count are always said)."""
    groups = facts["groups"]
    text = _group(groups[0], rng)
    if len(groups) == 2:
        over = groups[0]["place"] == "sky" and groups[1]["place"] == "ground"
        text += _pick(rng, (" over ", " above ", " and ", ", ") if over else (" and ", " and ", " next to ", ", ")) + _group(groups[1], rng)
    sky = _pick(rng, SKY_WORDS[facts["sky"]]) if "sky" in facts["told"] else None
    ground = _pick(rng, GROUND_WORDS[facts["ground"]]) if "ground" in facts["told"] else None
    bare = lambda phrase: phrase.removeprefix("a ").removeprefix("an ").removeprefix("the ")
    style = int(rng.integers(5))
    if style == 0:
        return ", ".join([text] + [bare(p) for p in (ground, sky) if p])
    if style == 1:
        return ", ".join([text] + [bare(p) for p in (sky, ground) if p])
    if style == 2 and ground:
        return ", ".join([f"{ground} with {text}"] + ([bare(sky)] if sky else []))
    if style == 3 and sky:
        return ", ".join([f"{bare(sky)}: {text}"] + ([bare(ground)] if ground else []))
    place = {"sea": "on"}.get(facts["ground"], "in")
    return text + (f" {place} {ground}" if ground else "") + (f", {bare(sky)}" if sky else "")
