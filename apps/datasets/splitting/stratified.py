"""Iterative stratification of images that hold several classes each.

After Sechidis, Tsoumakas and Vlahavas, "On the Stratification of Multi-Label Data" (2011): the class that fewest of the
images left hold is dealt out first, each of its images to the split that lacks the class most. What is random there
follows from the seed and the path here, so the same images and seed give the same split everywhere.
"""

import hashlib
import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

#: Images without any object are dealt out evenly too, as a class of their own.
NOTHING = -1


def stratify(images: Iterable[tuple[str, Sequence[int]]], ratios: Mapping[str, float], seed: int) -> dict[str, str]:
    """Path → split of images given by path and class numbers. Splits of ratio 0 get nothing."""
    ordered = sorted(images, key=lambda image: (_rank(seed, image[0]), image[0]))
    labels = [sorted(set(classes)) or [NOTHING] for _path, classes in ordered]
    holders: dict[int, list[int]] = defaultdict(list)
    for number, found in enumerate(labels):
        for label in found:
            holders[label].append(number)
    splits = [name for name, ratio in ratios.items() if ratio > 0]
    lacking = {name: ratios[name] * len(ordered) for name in splits}
    wanted = {label: {name: ratios[name] * len(rows) for name in splits} for label, rows in holders.items()}
    left = {label: len(rows) for label, rows in holders.items()}
    given: list[str | None] = [None] * len(ordered)
    rarest = [(count, label) for label, count in left.items()]
    heapq.heapify(rarest)
    while rarest:
        count, label = heapq.heappop(rarest)
        if count != left[label]:
            # It has become rarer since it was put there.
            if left[label]:
                heapq.heappush(rarest, (left[label], label))
            continue
        for number in holders[label]:
            if given[number] is None:
                desire = wanted[label]
                split = max(splits, key=lambda name: (desire[name], lacking[name]))
                given[number] = split
                lacking[split] -= 1
                for other in labels[number]:
                    wanted[other][split] -= 1
                    left[other] -= 1
    return {path: split for (path, _classes), split in zip(ordered, given, strict=True) if split is not None}


def _rank(seed: int, path: str) -> str:
    return hashlib.md5(f"{seed}:{path}".encode(), usedforsecurity=False).hexdigest()
