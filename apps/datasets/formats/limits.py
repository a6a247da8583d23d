"""How much one set may hold, whatever its format."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SetLimits:
    """`document_bytes` is for the JSON documents of a set together, `runs` for the runs of one mask."""

    document_bytes: int = 512 << 20
    #: Of all annotations of one image together, as they are written.
    image_bytes: int = 8 << 20
    #: Images that documents list, whether the set has them or not.
    listed: int = 2_000_000
    xml_bytes: int = 4 << 20
    xml_total_bytes: int = 512 << 20
    objects_per_image: int = 20_000
    objects: int = 5_000_000
    #: Coordinates of one outline.
    values: int = 200_000
    runs: int = 100_000
    classes: int = 5000
