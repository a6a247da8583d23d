"""A dataset in the shapes that training libraries read, made of links to its pictures.

Each function lays a dataset out in a folder that it makes new and returns a `Layout`; `Examples` needs no folder. None
of them imports a library. What cannot be given a shape is a Failure `bad_data` that names the item.
"""

from modelyard_trainer.adapters.huggingface import lay_out_hugging_face
from modelyard_trainer.adapters.layout import Layout, Picture
from modelyard_trainer.adapters.pytorch import Example, Examples, lay_out_image_folder
from modelyard_trainer.adapters.yolo import lay_out_yolo

__all__ = [
    "Example",
    "Examples",
    "Layout",
    "Picture",
    "lay_out_hugging_face",
    "lay_out_image_folder",
    "lay_out_yolo",
]
