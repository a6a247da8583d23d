"""Lays a dataset out the way the library reads one; pictures of a format that it does not know become PNG."""

from pathlib import Path

from modelyard_trainer.adapters import Layout, lay_out_yolo
from modelyard_trainer.dataset import Dataset


def lay_out(dataset: Dataset, folder: Path) -> Layout:
    """Writes the layout of the `train` and `val` splits into `folder`, which is made new.

    Raises Failure `bad_data` when a split or the classes are missing or an annotation cannot be understood.
    """
    return lay_out_yolo(dataset, folder, task="detect", convert=as_png)


def as_png(source: Path, target: Path) -> None:
    """Writes the picture at `source` upright, as PNG. Raises OSError or ValueError for what is no picture."""
    from PIL import Image, ImageOps  # import here: pictures are opened by few modes

    try:
        with Image.open(source) as picture:
            ImageOps.exif_transpose(picture).convert("RGB").save(target)
    except (SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise ValueError(error) from error
