"""Dividing groups of images that belong together, such as the frames of one video, without breaking any."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping


def divide_groups(sizes: Mapping[str, int], ratios: Mapping[str, float], seed: int) -> dict[str, str]:
    """Group → split. Large groups go first, each to the split that lacks most images; those of about one size in an
    order that follows from the seed. Every split of a ratio above 0 gets a group while there are enough."""
    splits = [name for name, ratio in ratios.items() if ratio > 0]
    total = sum(sizes.values())
    lacking = {name: ratios[name] * total for name in splits}
    given: dict[str, str] = {}
    for group in sorted(sizes, key=lambda group: (-sizes[group].bit_length(), _rank(seed, group), group)):
        split = max(splits, key=lambda name: lacking[name])
        given[group] = split
        lacking[split] -= sizes[group]
    return _without_empty(given, sizes, splits)


def _without_empty(given: dict[str, str], sizes: Mapping[str, int], splits: list[str]) -> dict[str, str]:
    """Gives the smallest group of the split that has most of them to each split that got none."""
    for split in splits:
        members: dict[str, list[str]] = defaultdict(list)
        for group, name in given.items():
            members[name].append(group)
        richest = max(members.values(), key=len, default=[])
        if not members[split] and len(richest) > 1:
            # One that holds images to learn from, where there is one: an empty group would help nobody.
            given[min(richest, key=lambda group: (sizes[group] == 0, sizes[group], group))] = split
    return given


def _rank(seed: int, group: str) -> str:
    return hashlib.md5(f"{seed}:{group}".encode(), usedforsecurity=False).hexdigest()
