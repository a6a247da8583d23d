"""Which files hold the labels of one image alone, by where the formats put them: they go where the image goes."""

import posixpath
from collections.abc import Collection, Iterator

from apps.datasets.formats.yolo.layout import label_places
from apps.datasets.images import EXTENSIONS

#: Folders of pictures in Pascal VOC, and those beside them that hold the documents.
PICTURES = frozenset({"jpegimages", "images", "image"})
DOCUMENTS = ("Annotations", "annotations", "Annotation", "annotation", "xmls", "labels")


def labels_of(image: str, files: Collection[str]) -> list[str]:
    """Those of the files that are the image's own: a text of YOLO, a document of Pascal VOC."""
    places = (label_places(image), document_places(image))
    return [found for found in (next((path for path in kind if path in files), None) for kind in places) if found]


def places_of(image: str) -> Iterator[str]:
    """Every path at which `labels_of` looks."""
    yield from label_places(image)
    yield from document_places(image)


def document_places(image: str) -> Iterator[str]:
    folder, _, name = image.rpartition("/")
    stem = name.rpartition(".")[0] + ".xml"
    yield posixpath.join(folder, stem)
    parts = folder.split("/") if folder else []
    for index in range(len(parts) - 1, -1, -1):
        if parts[index].lower() in PICTURES:
            for other in DOCUMENTS:
                yield "/".join([*parts[:index], other, *parts[index + 1 :], stem])
            return


def namesakes(image: str) -> Iterator[str]:
    """Paths of images that would have the same labels: the same name with another ending."""
    stem = image.rpartition(".")[0]
    for ending in EXTENSIONS:
        for written in (ending, ending.upper()):
            if stem + written != image:
                yield stem + written
