"""What a set says about itself: its YAML file, or the text file with its class names."""

import io
import posixpath
from dataclasses import dataclass, field

from apps.datasets.defects import ERROR, WARNING, BadInput, DefectLog
from apps.datasets.formats import plain_yaml, text
from apps.datasets.formats.classes import MOST_KEYPOINTS, ClassInfo, check_names
from apps.datasets.formats.tree import SPLIT_NAMES, Tree
from apps.datasets.formats.yolo.layout import CLASS_FILES, YAML_ENDINGS
from apps.datasets.formats.yolo.limits import YoloLimits

PREFERRED = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
CANDIDATES = 20
SPLIT_KEYS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


@dataclass(slots=True)
class Description:
    """Classes by number, the images of each split that is named, and the keypoints of a pose row: how many, and the
    values of each (2 or 3)."""

    path: str | None = None
    classes: tuple[str, ...] | None = None
    splits: dict[str, str] = field(default_factory=dict)
    names_splits: bool = False
    keypoint_shape: tuple[int, int] | None = None
    #: Names of the keypoints by class, None standing for every class that is not named.
    keypoint_names: dict[int | None, tuple[str, ...]] = field(default_factory=dict)

    @property
    def table(self) -> tuple[ClassInfo, ...] | None:
        if self.classes is None:
            return None
        others = self.keypoint_names.get(None, ())
        return tuple(
            ClassInfo(name, keypoints=self.keypoint_names.get(number, others))
            for number, name in enumerate(self.classes)
        )


def describe_set(tree: Tree, log: DefectLog, limits: YoloLimits) -> Description:
    """Read the set's description. Raises BadInput where it cannot be read at all; lesser defects go to the log."""
    found = _find_yaml(tree, log)
    description = Description()
    if found is not None:
        path, document, lines = found
        description.path = path
        if "download" in document:
            log.add("yolo.download_key", ERROR, path, lines.get("download"))
        description.classes = _yaml_classes(document, lines, path, log, limits)
        _keypoints(document, path, lines, description, log)
        _yaml_splits(tree, document, lines, description, log, limits)
    if description.classes is None:
        description.classes = _file_classes(tree, log, limits)
    if found is not None and description.classes is None:
        log.add("yolo.classes_missing", ERROR, description.path)
    if not description.names_splits:
        _list_file_splits(tree, description, log, limits)
    return description


def _find_yaml(tree: Tree, log: DefectLog) -> tuple[str, dict[str, plain_yaml.Node], dict[str, int]] | None:
    candidates = tree.ending_with(*YAML_ENDINGS)
    candidates.sort(key=lambda path: (path.count("/"), posixpath.basename(path).lower() not in PREFERRED, path))
    chosen: tuple[str, dict[str, plain_yaml.Node], dict[str, int]] | None = None
    for path in candidates[:CANDIDATES]:
        must_be_sound = posixpath.basename(path).lower() in PREFERRED or len(candidates) == 1
        try:
            if tree.files[path].size > plain_yaml.LONGEST:
                size = tree.files[path].size
                raise BadInput("text.too_big", path, bytes=size, limit=plain_yaml.LONGEST)
            content = text.decode(tree.staged.read(path), path, log, limit=plain_yaml.LONGEST)
            document, lines = plain_yaml.load(content, path)
        except BadInput:
            if must_be_sound:
                raise
            continue
        if not isinstance(document, dict) or not document.keys() & {"names", "nc", "train", "val"}:
            if must_be_sound and posixpath.basename(path).lower() in PREFERRED:
                raise BadInput("yolo.yaml_shape", path, key="names")
            continue
        if chosen is None:
            chosen = path, document, lines
        else:
            log.add("yolo.several_yaml", WARNING, chosen[0], other=path)
    return chosen


def _yaml_classes(
    document: dict[str, plain_yaml.Node], lines: dict[str, int], path: str, log: DefectLog, limits: YoloLimits
) -> tuple[str, ...] | None:
    names = document.get("names")
    line = lines.get("names")
    count = _whole(document.get("nc"))
    if "nc" in document and count is None:
        log.add("yolo.yaml_shape", ERROR, path, lines.get("nc"), key="nc")
    if names is None:
        if count is None or count > limits.classes:
            return None
        return tuple(str(number) for number in range(count))
    if isinstance(names, dict):
        numbers = {_whole(key): value for key, value in names.items()}
        if set(numbers) != set(range(len(names))):
            raise BadInput("yolo.class_gap", path, line)
        names = [numbers[number] for number in range(len(names))]
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise BadInput("yolo.yaml_shape", path, line, key="names")
    if count is not None and count != len(names):
        log.add("yolo.classes_count", ERROR, path, lines.get("nc"), nc=count, names=len(names))
    return check_names([str(name) for name in names], path, line, log, limits.classes)


def _file_classes(tree: Tree, log: DefectLog, limits: YoloLimits) -> tuple[str, ...] | None:
    for path in tree.ending_with(*CLASS_FILES):
        if posixpath.basename(path).lower() in CLASS_FILES:
            content = text.decode(tree.bounded(path, plain_yaml.LONGEST), path, log, limit=plain_yaml.LONGEST)
            names = [line for line in content.splitlines() if line.strip()]
            return check_names(names, path, None, log, limits.classes) if names else None
    return None


def _keypoints(
    document: dict[str, plain_yaml.Node], path: str, lines: dict[str, int], description: Description, log: DefectLog
) -> None:
    """`kpt_shape: [points, values]`, and their names, which newer sets give as `kpt_names`, for each class or for all."""
    shape = document.get("kpt_shape")
    if shape is None:
        return
    numbers = [_whole(value) for value in shape] if isinstance(shape, list) else []
    points, values = numbers if len(numbers) == 2 else (None, None)
    if points is None or not 0 < points <= MOST_KEYPOINTS or values not in (2, 3):
        log.add("yolo.yaml_shape", ERROR, path, lines.get("kpt_shape"), key="kpt_shape")
        return
    description.keypoint_shape = points, int(values or 0)
    description.keypoint_names = {None: tuple(str(number) for number in range(1, points + 1))}
    names = document.get("kpt_names")
    if names is None:
        return
    line = lines.get("kpt_names")
    of_classes: dict[int | None, plain_yaml.Node] = {None: names}
    if isinstance(names, dict):
        of_classes = {_whole(key): value for key, value in names.items()}
    named: dict[int | None, tuple[str, ...]] = {}
    for number, found in of_classes.items():
        if (number is None and isinstance(names, dict)) or not isinstance(found, list) or len(found) != points:
            log.add("yolo.yaml_shape", ERROR, path, line, key="kpt_names")
            return
        texts = [name if isinstance(name, str) else "" for name in found]
        named[number] = check_names(texts, path, line, log, MOST_KEYPOINTS)
    description.keypoint_names = named


def _yaml_splits(
    tree: Tree,
    document: dict[str, plain_yaml.Node],
    lines: dict[str, int],
    description: Description,
    log: DefectLog,
    limits: YoloLimits,
) -> None:
    path = description.path or ""
    here = posixpath.dirname(path)
    bases = [here]
    root = document.get("path")
    if isinstance(root, str) and root and (base := tree.find(root, [here])) in tree.folders and base is not None:
        bases.insert(0, base)
    for key, split in SPLIT_KEYS.items():
        value = document.get(key)
        if value in (None, "", "null", "~", []):
            continue
        description.names_splits = True
        required = split != "test"
        images: list[str] = []
        seen: set[str] = set()
        for written in value if isinstance(value, list) else [value]:
            if not isinstance(written, str):
                raise BadInput("yolo.yaml_shape", path, lines.get(key), key=key)
            target = tree.find(written, bases)
            if target in seen:
                continue  # named again, and read already
            if target is None:
                severity = ERROR if required else WARNING
                log.add("yolo.split_missing", severity, path, lines.get(key), split=split, value=written)
                continue
            seen.add(target)
            if target in tree.files:
                images += read_list(tree, target, bases, log, limits)
            else:
                images += tree.images_under(target)
            if not images:
                severity = ERROR if required else WARNING
                log.add("yolo.split_empty", severity, path, lines.get(key), split=split)
        assign(images, split, description, log)


def read_list(tree: Tree, path: str, bases: list[str], log: DefectLog, limits: YoloLimits) -> list[str]:
    """Return the images that a text file lists, one path a line, as written on whatever machine."""
    if not path.lower().endswith(".txt"):
        return [path] if path in tree.images else []
    content = text.decode(tree.bounded(path, limits.list_bytes), path, log, limit=limits.list_bytes)
    images: dict[str, None] = {}
    for line, written in enumerate(io.StringIO(content, newline="\n"), 1):
        written = written.strip()
        if not written:
            continue
        found = tree.find(written, [posixpath.dirname(path), *bases])
        if found in tree.files:
            images[str(found)] = None
        else:
            log.add("yolo.listed_image_missing", WARNING, path, line, image=written)
    return list(images)


def assign(images: list[str], split: str, description: Description, log: DefectLog) -> None:
    """Put images into a split; an image that is in one already stays there."""
    for image in images:
        other = description.splits.setdefault(image, split)
        if other != split:
            log.add("yolo.split_twice", WARNING, image, split=other, other=split)


def _list_file_splits(tree: Tree, description: Description, log: DefectLog, limits: YoloLimits) -> None:
    """Without a YAML: `train.txt`, `val.txt` and `test.txt` beside the folders list the images."""
    for path in tree.ending_with(".txt"):
        stem = posixpath.basename(path)[:-4].lower()
        if stem not in SPLIT_NAMES or path.count("/") > 1:
            continue
        head = tree.staged.head(path, 4096).decode("utf-8", "replace").splitlines()
        first = next((line.strip() for line in head if line.strip()), "")
        if first and tree.find(first, [posixpath.dirname(path)]) in tree.files:
            description.names_splits = True
            images = read_list(tree, path, [], log, limits)
            assign(images, SPLIT_NAMES[stem], description, log)


def _whole(value: plain_yaml.Node | None) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 9:
        return int(value)
    return None
