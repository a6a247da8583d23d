"""Analysing a staged set before anything is stored: its format, classes, splits, sizes, duplicates and defects.

One pass: every image is read once, for its digest and its header. The caller may take the parsed items as they come
(`on_item`), so that a set that is to be published needs no second pass. Nothing here needs Django's settings.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.datasets.archives import Staged
from apps.datasets.archives.staging import Progress
from apps.datasets.defects import ERROR, LISTED, WARNING, BadInput, Defect, DefectLog
from apps.datasets.formats.limits import SetLimits
from apps.datasets.formats.model import ParsedItem, object_document
from apps.datasets.formats.registry import guess_format, set_class
from apps.datasets.formats.sets import AnnotatedSet
from apps.datasets.formats.showing import shown_objects
from apps.datasets.formats.tree import Tree
from apps.datasets.images import ImageLimits
from apps.datasets.images.look_process import Looks
from apps.datasets.likeness import LookGroups

PREVIEW = 12
PREVIEW_OBJECTS = 100
DUPLICATES_LISTED = 100
#: Different pictures of a set that are compared by what they look like before they are stored; the others are afterwards.
#: Nobody waits for the looks of 100,000.
LOOKED_AT = 20_000
NO_SPLIT = ""
#: Reasons of an analysis that took the set for nothing.
NOTHING, UNREAD = "set.nothing", "set.unread"
#: NUL and halves of characters: JSON may write them, and neither the database nor an answer takes them as text.
NO_TEXT = re.compile("[\x00\ud800-\udfff]")

OnItem = Callable[[ParsedItem], None]


@dataclass(slots=True)
class SplitCount:
    images: int = 0
    labelled: int = 0
    boxes: int = 0


@dataclass(slots=True)
class Analysis:
    """What a set holds. `ok` says that it can be stored; warnings are listed beside it.

    `boxes` counts objects of every kind. `splits` maps a split, "" for none, to its counts; `classes` lists id, name,
    what else the class table says, objects and the images it occurs in;
    `duplicates` lists groups of paths with identical content, `leaks` counts the images of such groups that lie in
    another split than the group's first. `near_duplicates`, `near_images` and `near_leaks` are the same of pictures that
    look alike, as far as they were `compared`, of `compared_of` different ones.
    `known_images` counts those that the dataset has under another path already, or one that looks alike, and
    `known_leaks` those among them that would be in another split. `elsewhere`, how many pictures other datasets of the
    organization have too, by id, is no part of the document: who reads it may not see them all. The reason `set.unread`
    says that the files were refused before any of them was read as a set.
    """

    format: str = "unknown"
    confidence: float = 0.0
    reason: str = NOTHING
    task: str | None = None
    classes: list[dict[str, Any]] = field(default_factory=list)
    images: int = 0
    labelled: int = 0
    background: int = 0
    unlabelled: int = 0
    boxes: int = 0
    splits: dict[str, SplitCount] = field(default_factory=dict)
    files: int = 0
    bytes: int = 0
    image_bytes: int = 0
    width: tuple[int, int] | None = None
    height: tuple[int, int] | None = None
    image_formats: dict[str, int] = field(default_factory=dict)
    duplicates: list[list[str]] = field(default_factory=list)
    duplicate_images: int = 0
    leaks: int = 0
    near_duplicates: list[list[str]] = field(default_factory=list)
    near_images: int = 0
    near_leaks: int = 0
    compared: int = 0
    compared_of: int = 0
    known_images: int = 0
    known_leaks: int = 0
    preview: list[dict[str, Any]] = field(default_factory=list)
    errors: int = 0
    warnings: int = 0
    defect_counts: dict[str, int] = field(default_factory=dict)
    defects: list[Defect] = field(default_factory=list)
    elsewhere: dict[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.errors == 0 and self.images > 0

    def warn(self, defects: Sequence[Defect]) -> None:
        """Adds warnings about the dataset that the set goes into, before those about the set itself."""
        self.warnings += len(defects)
        for defect in defects:
            self.defect_counts[defect.code] = self.defect_counts.get(defect.code, 0) + 1
        self.defects[self.errors : self.errors] = defects[:LISTED]
        del self.defects[LISTED:]

    def as_dict(self) -> dict[str, Any]:
        """The analysis as JSON-serialisable values, whatever names the set gives to things."""
        values = {name: getattr(self, name) for name in self.__slots__ if name != "elsewhere"}
        values["ok"] = self.ok
        values["splits"] = {
            name: {"images": count.images, "labelled": count.labelled, "boxes": count.boxes}
            for name, count in self.splits.items()
        }
        values["width"] = None if self.width is None else list(self.width)
        values["height"] = None if self.height is None else list(self.height)
        values["defects"] = [defect.as_dict() for defect in self.defects]
        return {name: _storable(value) for name, value in values.items()}


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return NO_TEXT.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    return [_storable(item) for item in value] if isinstance(value, list | tuple) else value


def analyse(
    staged: Staged,
    *,
    task: str | None = None,
    lenient: bool = False,
    limits: SetLimits | None = None,
    image_limits: ImageLimits | None = None,
    progress: Progress | None = None,
    on_item: OnItem | None = None,
    warned: set[str] | None = None,
    looks: Looks | None = None,
) -> Analysis:
    """Analyse the set. Defects never raise: a set that is refused as a whole has that as its one last error.

    `task` is what the labels are wanted for; without it they are read for whatever they are. `warned` takes every path
    that a warning names, however many the analysis lists. `looks` has the pictures looked at, by their digests; without
    it none is compared by what it looks like.
    """
    log = DefectLog(lenient=lenient, listed=LISTED, warned=warned)
    log.extend(staged.defects)
    # The stage lists its first findings only; the rest of its counts are added so that the totals are true.
    for code, count in staged.defect_counts.items():
        more = count - sum(defect.code == code for defect in staged.defects)
        log.counts[code] += more
        log.warnings += more
    analysis = Analysis(files=len(staged.members), bytes=staged.size)
    tree = Tree(staged)
    try:
        guess = guess_format(tree, task)
        analysis.format, analysis.confidence, analysis.reason = guess.format, guess.confidence, guess.reason
        if not tree.images:
            raise BadInput("set.no_images")
        reader = set_class(guess.format)
        _Pass(analysis, log, progress, on_item, looks).run(
            reader(tree, log, wanted=task, limits=limits, image_limits=image_limits)
        )
    except BadInput as refused:
        found = refused.defect
        log.add(found.code, ERROR, found.path, found.line, **found.params)
    analysis.errors, analysis.warnings = log.errors, log.warnings
    analysis.defect_counts = dict(log.counts.most_common())
    analysis.defects = log.defects
    return analysis


class _Pass:
    """The one pass over a set's items, counting."""

    def __init__(
        self,
        analysis: Analysis,
        log: DefectLog,
        progress: Progress | None,
        on_item: OnItem | None,
        looks: Looks | None,
    ) -> None:
        self.analysis = analysis
        self.log = log
        self.progress = progress
        self.on_item = on_item
        self.looks = looks
        self.class_boxes: Counter[int] = Counter()
        self.class_images: Counter[int] = Counter()
        self.formats: Counter[str] = Counter()
        self.first: dict[str, tuple[str, str | None]] = {}
        self.groups: dict[str, list[str]] = {}
        self.done = self.done_bytes = 0

    def run(self, parsed: AnnotatedSet) -> None:
        self.total = len(parsed.tree.images)
        try:
            for item in parsed.items(self._tick):
                self._count(item)
                if self.on_item is not None:
                    self.on_item(item)
                self._look(item, parsed)
            self._compare_looks()
        finally:
            self._finish(parsed)

    def _tick(self, size: int) -> None:
        self.done += 1
        self.done_bytes += size
        if self.progress is not None:
            self.progress(self.done, self.total, self.done_bytes)

    def _count(self, item: ParsedItem) -> None:
        analysis, facts = self.analysis, item.facts
        split = analysis.splits.setdefault(item.split or NO_SPLIT, SplitCount())
        analysis.images += 1
        split.images += 1
        analysis.image_bytes += item.size
        self.formats[facts.format] += 1
        low, high = analysis.width or (facts.width, facts.width)
        analysis.width = min(low, facts.width), max(high, facts.width)
        low, high = analysis.height or (facts.height, facts.height)
        analysis.height = min(low, facts.height), max(high, facts.height)
        if item.annotation is None:
            analysis.unlabelled += 1
        else:
            objects = item.annotation.objects
            analysis.labelled += 1
            split.labelled += 1
            analysis.background += not objects
            analysis.boxes += len(objects)
            split.boxes += len(objects)
            self.class_boxes.update([found[0] for found in objects])
            self.class_images.update(item.annotation.class_ids)
        self._compare(item)
        if len(analysis.preview) < PREVIEW:
            analysis.preview.append(_preview(item))

    def _compare(self, item: ParsedItem) -> None:
        """Report an image whose bytes were seen before, as a leak where they lie in another split."""
        path, split = self.first.setdefault(item.sha256, (item.path, item.split))
        if path == item.path:
            return
        self.analysis.duplicate_images += 1
        self.groups.setdefault(item.sha256, [path]).append(item.path)
        if split != item.split and split is not None and item.split is not None:
            self.analysis.leaks += 1
            self.log.add("set.leak", WARNING, item.path, other=path, split=split)
        else:
            self.log.add("set.duplicate_image", WARNING, item.path, other=path)

    def _look(self, item: ParsedItem, parsed: AnnotatedSet) -> None:
        """Has the first picture of each content looked at, while there are not too many."""
        if self.looks is not None and self.first[item.sha256][0] == item.path and len(self.first) <= LOOKED_AT:
            pixels = item.facts.width * item.facts.height
            self.looks.want(item.sha256, parsed.staged.locate(item.path), pixels)

    def _compare_looks(self) -> None:
        """Report pictures that look like one before them, as leaks where they lie in two splits."""
        if self.looks is None:
            return
        found, groups = self.looks.gather(), LookGroups[str]()
        self.analysis.compared, self.analysis.compared_of = len(found), len(self.first)
        for sha256, (path, split) in self.first.items():
            match = groups.put(path, split or NO_SPLIT, look) if (look := found.get(sha256)) else None
            if match is None:
                continue
            self.analysis.near_images += 1
            if match.leaks:
                self.analysis.near_leaks += 1
                self.log.add("set.near_leak", WARNING, path, other=match.name, split=match.split)
            else:
                self.log.add("set.near_duplicate", WARNING, path, other=match.name)
        listed = groups.groups[:DUPLICATES_LISTED]
        self.analysis.near_duplicates = [group[:DUPLICATES_LISTED] for group in listed]

    def _finish(self, parsed: AnnotatedSet) -> None:
        analysis = self.analysis
        analysis.task = parsed.task
        analysis.image_formats = dict(self.formats.most_common())
        analysis.duplicates = list(self.groups.values())[:DUPLICATES_LISTED]
        analysis.classes = [
            {**info.row(number), "boxes": self.class_boxes[number], "images": self.class_images[number]}
            for number, info in enumerate(parsed.table)
        ]
        is_told = "yolo.task_rows" in self.log.counts
        if parsed.wanted is not None and parsed.task not in (None, parsed.wanted) and not is_told:
            self.log.add("set.task", ERROR, parsed.description_path, task=parsed.task, wanted=parsed.wanted)
        if analysis.boxes:
            for found in analysis.classes:
                if not found["boxes"]:
                    self.log.add("class.unused", WARNING, parsed.description_path, name=found["name"])


def _preview(item: ParsedItem) -> dict[str, Any]:
    objects = item.annotation.objects if item.annotation is not None else ()
    return {
        "path": item.path,
        "split": item.split,
        "width": item.facts.width,
        "height": item.facts.height,
        "sha256": item.sha256,
        "labelled": item.annotation is not None,
        "objects": shown_objects(map(object_document, objects[:PREVIEW_OBJECTS])),
    }
