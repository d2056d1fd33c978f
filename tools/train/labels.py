"""The facts of a scene as class numbers: what the text encoder must read out of a caption.

Group slot 0 is what floats in the sky, slots 1 and 2 are what stands on the ground, in the caption's order.
Class 0 always means "not told", or for a kind "nothing here".
"""

from __future__ import annotations

from train.backdrop import GROUNDS, SKIES
from train.world import COLOURS, KINDS, SIDES, SIZES

GROUP_SLOTS = 3
SCENE_FIELDS: dict[str, tuple] = {"sky": tuple(SKIES), "ground": tuple(GROUNDS)}
GROUP_FIELDS: dict[str, tuple] = {
    "kind": KINDS, "colour": tuple(COLOURS), "count": (1, 2, 3), "size": SIZES, "side": SIDES,
}  # fmt: skip
ALWAYS_TOLD = ("kind", "colour", "count")


def told_labels(facts: dict) -> list[int]:
    """One class per field, scene fields first, then each slot's group fields; only what the caption says."""
    labels = [_class(options, facts[name], name in facts["told"]) for name, options in SCENE_FIELDS.items()]
    slots: list[dict | None] = [None] * GROUP_SLOTS
    for group in facts["groups"]:
        slots[_free_slot(slots, group["place"])] = group
    for group in slots:
        for name, options in GROUP_FIELDS.items():
            told = group is not None and (name in group["told"] or name in group.get("always", ALWAYS_TOLD))
            labels.append(_class(options, group[name] if group else None, told))
    return labels


def field_sizes() -> list[tuple[str, int]]:
    """Name and number of classes of every entry of `told_labels`."""
    fields = [(name, len(options) + 1) for name, options in SCENE_FIELDS.items()]
    for slot in range(GROUP_SLOTS):
        fields += [(f"group{slot}.{name}", len(options) + 1) for name, options in GROUP_FIELDS.items()]
    return fields


def _class(options: tuple, value: object, told: bool) -> int:
    return options.index(value) + 1 if told else 0


def _free_slot(slots: list, place: str) -> int:
    if place == "sky":
        return 0
    return 1 if slots[1] is None else 2
