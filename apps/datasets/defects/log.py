"""A defect, the refusal of a whole input, and the log that parsers write defects to."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning"]

ERROR: Severity = "error"
WARNING: Severity = "warning"
LISTED = 1000
SHOWN_CHARACTERS = 200


def shown(value: object) -> Any:
    """Return `value` fit for a report: numbers and booleans as they are, anything else as short printable text."""
    if isinstance(value, bool | int | float) or value is None:
        return value if not isinstance(value, float) or value - value == 0 else str(value)
    text = str(value)
    clean = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return clean if len(clean) <= SHOWN_CHARACTERS else clean[: SHOWN_CHARACTERS - 1] + "…"


@dataclass(frozen=True, slots=True)
class Defect:
    """One finding. `path` is relative to the set, `line` counts from 1; both are None where they mean nothing."""

    code: str
    severity: Severity
    path: str | None = None
    line: int | None = None
    params: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class BadInput(Exception):
    """The input is refused as a whole; `defect` says why and names the member, file or line."""

    def __init__(self, code: str, path: str | None = None, line: int | None = None, **params: Any) -> None:
        self.defect = Defect(
            code,
            ERROR,
            None if path is None else str(shown(path)),
            line,
            {name: shown(value) for name, value in params.items()},
        )
        super().__init__(f"{code}: {self.defect.path}:{line} {self.defect.params}")

    @property
    def code(self) -> str:
        return self.defect.code


class DefectLog:
    """Collects defects: all are counted, the first `listed` are kept, errors before warnings.

    `lenient` turns the errors whose codes are in `LENIENT` into warnings: the row or key in question is left out or
    mended by the parser in either mode, lenient only says that this is acceptable to the caller.
    """

    def __init__(self, *, lenient: bool = False, listed: int = LISTED, warned: set[str] | None = None) -> None:
        self.lenient = lenient
        self.listed = listed
        #: Every path, of a file or of the image that it is about, that a warning names.
        self.warned = set() if warned is None else warned
        self.counts: Counter[str] = Counter()
        self.errors = 0
        self.warnings = 0
        self._errors: list[Defect] = []
        self._warnings: list[Defect] = []

    def add(
        self,
        code: str,
        severity: Severity,
        path: str | None = None,
        line: int | None = None,
        **params: Any,
    ) -> None:
        if self.lenient and code in LENIENT:
            severity = WARNING
        self.counts[code] += 1
        if severity == ERROR:
            self.errors += 1
            kept = self._errors
        else:
            self.warnings += 1
            kept = self._warnings
            self.warned.update(str(named) for named in (path, params.get("image")) if named is not None)
        if len(kept) < self.listed:
            kept.append(Defect(code, severity, path, line, {name: shown(value) for name, value in params.items()}))

    def extend(self, defects: list[Defect]) -> None:
        for defect in defects:
            self.add(defect.code, defect.severity, defect.path, defect.line, **defect.params)

    @property
    def defects(self) -> list[Defect]:
        """The listed defects, errors first, each in the order found; at most `listed` in all."""
        return (self._errors + self._warnings)[: self.listed]


LENIENT = frozenset(
    {
        "coco.annotation_id_twice",
        "coco.box_shape",
        "coco.category_unknown",
        "coco.corners_shape",
        "coco.image_unknown",
        "coco.keypoint_count",
        "coco.keypoints_shape",
        "coco.mask_runs",
        "coco.mask_shape",
        "coco.mask_size",
        "coco.no_shape",
        "coco.polygon_odd",
        "coco.polygon_shape",
        "coco.polygon_short",
        "coco.shape",
        "coco.visibility",
        "datumaro.item",
        "shape.empty",
        "shape.image_size",
        "shape.mask_turned",
        "voc.box_missing",
        "voc.not_a_number",
        "voc.not_finite",
        "yolo.box_empty",
        "yolo.class_not_integer",
        "yolo.class_range",
        "yolo.column_count",
        "yolo.coordinate_range",
        "yolo.download_key",
        "yolo.keypoint_count",
        "yolo.not_a_number",
        "yolo.not_finite",
        "yolo.polygon_odd",
        "yolo.split_empty",
        "yolo.split_missing",
        "yolo.task_rows",
        "yolo.visibility",
    }
)
