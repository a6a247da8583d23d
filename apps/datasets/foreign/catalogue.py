"""The formats, each of which a test reads: vision data that the model can hold, with its pictures as files."""

from dataclasses import dataclass

LIBRARY = "datumaro"


@dataclass(frozen=True, slots=True)
class ForeignFormat:
    """A format by datumaro's name for it. `holds` are the tasks that its labels may be for.

    `knows_empty`: it tells an image in which there is nothing from one that nobody has looked at. `unnamed` is the class
    of objects where the format names none.
    """

    plugin: str
    title: str
    holds: tuple[str, ...]
    knows_empty: bool = False
    unnamed: str = "object"

    @property
    def name(self) -> str:
        """As people and programs ask for it."""
        return f"{LIBRARY}:{self.plugin}"


FORMATS: dict[str, ForeignFormat] = {
    found.name: found
    for found in (
        ForeignFormat("camvid", "CamVid", ("segment",)),
        ForeignFormat("cityscapes", "Cityscapes", ("segment",)),
        ForeignFormat("common_semantic_segmentation", "Common Semantic Segmentation", ("segment",)),
        ForeignFormat(
            "cvat", "CVAT for images (XML)", ("detect", "segment", "pose", "obb", "classify"), knows_empty=True
        ),
        ForeignFormat(
            "datumaro", "Datumaro (JSON)", ("detect", "segment", "pose", "obb", "classify"), knows_empty=True
        ),
        ForeignFormat("dota", "DOTA", ("obb",), knows_empty=True),
        ForeignFormat("icdar_text_localization", "ICDAR Text Localization", ("detect", "segment"), unnamed="text"),
        ForeignFormat("imagenet_txt", "ImageNet (TXT)", ("classify",)),
        ForeignFormat("kitti_detection", "KITTI Detection", ("detect",)),
        ForeignFormat("kitti_segmentation", "KITTI Segmentation", ("segment",)),
        ForeignFormat("label_me", "LabelMe (XML)", ("detect", "segment"), knows_empty=True),
        ForeignFormat("mot_seq", "MOT Challenge", ("detect",), knows_empty=True),
        ForeignFormat("open_images", "Open Images", ("detect", "classify")),
        ForeignFormat("vgg_face2", "VGGFace2", ("pose", "detect", "classify")),
        ForeignFormat("vott_csv", "VoTT (CSV)", ("detect",), knows_empty=True),
        ForeignFormat("vott_json", "VoTT (JSON)", ("detect",), knows_empty=True),
        ForeignFormat("wider_face", "WIDER FACE", ("detect", "classify"), knows_empty=True, unnamed="face"),
    )
}

#: What may be asked for: one of them, or whichever the library finds it to be.
CHOICES = [(LIBRARY, "datumaro"), *((found.name, found.title) for found in FORMATS.values())]


def named(name: str) -> ForeignFormat | None:
    """The format of that name; None for the library's own name, which has the format told."""
    return None if name == LIBRARY else FORMATS[name]
