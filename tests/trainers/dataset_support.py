"""Dataset folders as the launcher prepares them, of small grey pictures."""

import json
from pathlib import Path
from typing import Any

from modelyard_trainer.dataset import Dataset
from PIL import Image

WIDTH, HEIGHT = 40, 20
CLASSES = [{"id": 7, "name": "cat"}, {"id": 3, "name": "고양이"}]


def item(path: str, split: str, *boxes: tuple[int, list[float]]) -> dict[str, Any]:
    return {"path": path, "split": split, "annotations": [{"class": id, "bbox": box} for id, box in boxes]}


def shown(path: str, split: str, *classes: int) -> dict[str, Any]:
    """An item whose picture as a whole shows these classes."""
    return {"path": path, "split": split, "annotations": [{"class": number} for number in classes]}


def make_dataset(
    folder: Path, items: list[dict[str, Any]], *, task: str = "detect", classes: list[dict[str, Any]] | None = None
) -> Dataset:
    lines = []
    for entry in items:
        file = folder / "files" / entry["path"]
        file.parent.mkdir(parents=True, exist_ok=True)
        picture = {".gif": "GIF", ".png": "PNG"}.get(file.suffix.lower(), "JPEG")
        Image.new("RGB", (WIDTH, HEIGHT), "grey").save(file, picture)
        facts = {"width": WIDTH, "height": HEIGHT, "sha256": "0" * 64, "size": file.stat().st_size}
        lines.append(json.dumps({**facts, **entry}))
    return write_dataset(folder, lines, task=task, classes=CLASSES if classes is None else classes)


def write_dataset(folder: Path, lines: list[str], *, task: str, classes: list[dict[str, Any]]) -> Dataset:
    """Manifest and items alone; pictures are the caller's."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "items.jsonl").write_text("".join(f"{line}\n" for line in lines))
    manifest = {"contract": 1, "name": "small", "task": task, "root_hash": "0", "root": str(folder), "counts": {}}
    (folder / "manifest.json").write_text(json.dumps({**manifest, "classes": classes}))
    return Dataset(folder / "manifest.json")
