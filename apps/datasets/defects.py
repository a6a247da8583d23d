"""Defects: what is wrong with data that somebody brings, as a code with parameters, and the words for each code.

The parsers know codes only, so that they run in a child process without settings and so that a report can be read
in any language: `describe` words a defect for a reader. A new code needs a line in `WORDINGS`; a test compares the
table with the codes that the source uses.
"""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

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

    def __init__(self, *, lenient: bool = False, listed: int = LISTED) -> None:
        self.lenient = lenient
        self.listed = listed
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
        if len(kept) < self.listed:
            kept.append(Defect(code, severity, path, line, {name: shown(value) for name, value in params.items()}))

    def extend(self, defects: list[Defect]) -> None:
        for defect in defects:
            self.add(defect.code, defect.severity, defect.path, defect.line, **defect.params)

    @property
    def defects(self) -> list[Defect]:
        """The listed defects, errors first, each in the order found; at most `listed` in all."""
        return (self._errors + self._warnings)[: self.listed]


@dataclass(frozen=True, slots=True)
class Wording:
    """A sentence and what to do about it; both may use `%(name)s` for the defect's parameters."""

    sentence: str | Promise
    hint: str | Promise


class _Params(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


def describe(defect: Defect, *, in_set: bool = True) -> tuple[str, str]:
    """Return (sentence, hint) in the active language. Plain text: the template escapes it.

    Without `in_set` the file is one that somebody tries, with no set and no label beside it.
    """
    wording = WORDINGS[defect.code]
    params = _Params(defect.params)
    hint = wording.hint
    if hint is _REPLACE_IMAGE and not in_set:
        hint = _("Choose another picture.")
    elif defect.severity == WARNING and (hint is _FIX_ROW or hint is _CHOOSE_LENIENT):
        # Only a lenient check makes warnings of these.
        hint = _("Nothing to do: the lenient check left such rows out or mended them.")
    return str(wording.sentence) % params, str(hint) % params


LENIENT = frozenset(
    {
        "yolo.box_empty",
        "yolo.class_not_integer",
        "yolo.class_range",
        "yolo.column_count",
        "yolo.coordinate_range",
        "yolo.download_key",
        "yolo.not_a_number",
        "yolo.not_finite",
        "yolo.polygon_odd",
        "yolo.split_empty",
        "yolo.split_missing",
        "yolo.task_rows",
    }
)

_REPACK = _("Pack the folder again as an ordinary ZIP and upload that.")
_RENAME = _("Rename the file and upload again.")
_REPLACE_IMAGE = _("Replace the image, or take it and its label out.")
_FIX_ROW = _("Correct the row, or choose the lenient check, which leaves such rows out.")
_CHOOSE_LENIENT = _("Choose the lenient check to turn them into their bounding boxes.")
_FIX_YAML = _("Correct the YAML file and upload again.")

WORDINGS: dict[str, Wording] = {
    # Paths
    "path.absolute": Wording(_("The path is absolute."), _("Use paths relative to the set's own folder.")),
    "path.traversal": Wording(_("The path leads out of the set with “..”."), _RENAME),
    "path.backslash": Wording(_("The path contains a backslash."), _("Pack the set with forward slashes.")),
    "path.drive": Wording(_("The path begins with a drive letter."), _("Use paths relative to the set's own folder.")),
    "path.control": Wording(_("The name contains a control character."), _RENAME),
    "path.forbidden": Wording(_("The name contains “%(character)s”, which is not allowed."), _RENAME),
    "path.encoding": Wording(_("The name is not readable text."), _REPACK),
    "path.component_long": Wording(_("A name is %(bytes)s bytes long; at most %(limit)s are possible."), _RENAME),
    "path.long": Wording(_("The path is %(bytes)s bytes long; at most %(limit)s are possible."), _RENAME),
    "path.deep": Wording(_("The path is %(depth)s folders deep; at most %(limit)s are possible."), _RENAME),
    "path.empty": Wording(_("A member has no name."), _REPACK),
    "path.duplicate": Wording(_("The path occurs twice."), _("Keep one of the two.")),
    "path.collision": Wording(
        _("The path differs from “%(other)s” only in upper and lower case or in how accents are written."), _RENAME
    ),
    "path.file_and_folder": Wording(_("The same path is a file and a folder."), _RENAME),
    "path.link": Wording(_("The member is a link."), _("Put the file itself in its place.")),
    "path.special": Wording(_("The member is a device, pipe or socket."), _("Take it out of the set.")),
    "path.decoded": Wording(
        _("The name was not marked as Unicode and was read as %(encoding)s."),
        _("If the name looks wrong, pack the set again with UTF-8 names."),
    ),
    "path.dropped": Wording(_("A file that systems leave behind was left out."), _("Nothing to do.")),
    # Archives
    "archive.empty_file": Wording(_("The file is empty (0 bytes)."), _("Upload it again.")),
    "archive.no_members": Wording(_("The archive holds no files."), _("Pack the set's folder and upload again.")),
    "archive.not_archive": Wording(
        _("This is not an archive; it looks like %(kind)s."), _("Upload a ZIP, TAR or TAR.GZ file, or a folder.")
    ),
    "archive.truncated": Wording(_("The archive ends too early."), _("The upload or the file is cut off: try again.")),
    "archive.corrupt": Wording(_("The archive is damaged (%(detail)s)."), _REPACK),
    "archive.crc": Wording(_("The member's checksum is wrong: its content is damaged."), _REPACK),
    "archive.size_mismatch": Wording(_("The member's content is not as long as the archive says."), _REPACK),
    "archive.encrypted": Wording(_("The member is encrypted."), _("Pack the set without a password.")),
    "archive.method": Wording(
        _("The member is packed with a method that is not supported (%(method)s)."), _("Use ordinary ZIP (deflate).")
    ),
    "archive.multi_disk": Wording(_("The archive is split over several files."), _("Pack the set into one file.")),
    "archive.foreign_bytes": Wording(_("Bytes that are not part of the archive stand before or after it."), _REPACK),
    "archive.overlap": Wording(_("Members of the archive overlap."), _REPACK),
    "archive.header_mismatch": Wording(_("The archive names this member in two different ways."), _REPACK),
    "archive.nested": Wording(
        _("An archive lies inside the archive."), _("Unpack it, and upload one archive or the folder.")
    ),
    "archive.too_many_members": Wording(
        _("There are %(members)s files; at most %(limit)s are allowed at once."), _("Upload the set in parts.")
    ),
    "archive.too_big": Wording(
        _("Unpacked, the set is larger than the %(limit)s bytes that are left."),
        _("Free some space, ask for a larger quota, or upload a smaller set."),
    ),
    "archive.member_too_big": Wording(_("The file is larger than %(limit)s bytes."), _("Take it out of the set.")),
    "archive.ratio": Wording(
        _("The content is packed more than %(limit)s times: this is how archive bombs look."), _REPACK
    ),
    "archive.too_slow": Wording(_("Unpacking took longer than %(limit)s seconds."), _("Upload the set in parts.")),
    "archive.modes_dropped": Wording(
        _("%(members)s members carry special permissions; they were dropped."), _("Nothing to do.")
    ),
    # Images
    "image.empty": Wording(_("The image is empty (0 bytes)."), _REPLACE_IMAGE),
    "image.too_big": Wording(_("The image file is larger than %(limit)s bytes."), _REPLACE_IMAGE),
    "image.truncated": Wording(_("The image ends too early."), _REPLACE_IMAGE),
    "image.corrupt": Wording(_("The image is damaged (%(detail)s)."), _REPLACE_IMAGE),
    "image.undecodable": Wording(_("The image cannot be decoded (%(detail)s)."), _REPLACE_IMAGE),
    "image.pixels": Wording(
        _("The image has %(width)s × %(height)s pixels; at most %(limit)s in all are allowed."), _REPLACE_IMAGE
    ),
    "image.frames": Wording(_("The image has more than %(limit)s frames or pages."), _REPLACE_IMAGE),
    "image.first_frame": Wording(_("The image has %(frames)s frames; only the first is used."), _("Nothing to do.")),
    "image.text_bomb": Wording(_("Packed text or profiles in the image unfold to too many bytes."), _REPLACE_IMAGE),
    "image.svg": Wording(_("SVG drawings are not taken as images."), _("Convert it to PNG.")),
    "image.not_image": Wording(_("The file is not an image, whatever its name says."), _REPLACE_IMAGE),
    "image.unsupported": Wording(
        _("Images in this format or coding (%(format)s) are not supported."), _("Convert it to JPEG or PNG.")
    ),
    "image.extension": Wording(_("The image is %(format)s, its name says otherwise."), _("Nothing to do.")),
    "image.orientation": Wording(
        _("The image's orientation (%(value)s) is not one that exists; it is taken as upright."), _("Nothing to do.")
    ),
    "image.trailing_bytes": Wording(_("%(bytes)s bytes follow the end of the image."), _("Nothing to do.")),
    # Text and YAML
    "text.encoding": Wording(_("The file is not readable as text."), _("Save it as UTF-8.")),
    "text.utf16": Wording(_("The file is UTF-16; it was read as such."), _("Better save it as UTF-8.")),
    "text.too_big": Wording(
        _("The file has %(bytes)s bytes; at most %(limit)s are allowed."), _("Split or shorten it.")
    ),
    "yaml.invalid": Wording(_("The YAML cannot be read (%(detail)s)."), _FIX_YAML),
    "yaml.alias": Wording(_("Anchors and aliases are not allowed in the YAML."), _FIX_YAML),
    "yaml.tag": Wording(_("The tag “%(tag)s” is not allowed in the YAML."), _FIX_YAML),
    "yaml.duplicate_key": Wording(_("The key “%(key)s” occurs twice."), _FIX_YAML),
    "yaml.too_deep": Wording(_("The YAML is nested more than %(limit)s levels deep."), _FIX_YAML),
    "yaml.too_long": Wording(_("The YAML has more than %(limit)s values."), _FIX_YAML),
    # YOLO
    "yolo.yaml_shape": Wording(_("“%(key)s” in the YAML does not have the form expected."), _FIX_YAML),
    "yolo.several_yaml": Wording(
        _("Several YAML files describe a set; this one is used, “%(other)s” is not."), _("Keep one of them.")
    ),
    "yolo.download_key": Wording(
        _("The YAML asks to download or run something."), _("Remove the line “download”: nothing is ever run.")
    ),
    "yolo.classes_missing": Wording(_("The YAML names no classes."), _("Add “names” to the YAML.")),
    "yolo.classes_inferred": Wording(
        _("No class names were found; the %(classes)s classes are named by their numbers."),
        _("Add a data.yaml or classes.txt to name them."),
    ),
    "yolo.classes_count": Wording(
        _("The YAML says %(nc)s classes and names %(names)s."), _("Make “nc” and “names” agree.")
    ),
    "yolo.classes_many": Wording(_("There are more than %(limit)s classes."), _FIX_YAML),
    "yolo.class_name": Wording(
        _("The class name “%(name)s” is empty, too long, not text, or would be run by a spreadsheet."),
        _("Use plain names of at most 100 characters."),
    ),
    "yolo.class_duplicate": Wording(_("The class name “%(name)s” occurs twice."), _FIX_YAML),
    "yolo.class_gap": Wording(_("The class numbers do not run from 0 without gaps."), _FIX_YAML),
    "yolo.class_unused": Wording(_("The class “%(name)s” has no box."), _("Nothing to do, unless you miss labels.")),
    "yolo.split_missing": Wording(
        _("The YAML's “%(split)s” (%(value)s) was not found in the set."), _("Correct the path in the YAML.")
    ),
    "yolo.split_empty": Wording(_("The split “%(split)s” holds no image."), _("Add images, or remove the line.")),
    "yolo.listed_image_missing": Wording(_("The listed image “%(image)s” is not in the set."), _("Add the image.")),
    "yolo.split_twice": Wording(
        _("The image is listed in “%(split)s” and in “%(other)s”; the first is used."), _("List it once.")
    ),
    "yolo.outside_splits": Wording(
        _("%(images)s images belong to no split that the YAML names."), _("They are taken without a split.")
    ),
    "yolo.no_labels": Wording(
        _("The set has no labels."), _("Labels can be added later; nothing can be trained yet.")
    ),
    "yolo.image_without_label": Wording(
        _("The image has no label file."), _("An empty label file says that there is nothing to see.")
    ),
    "yolo.label_without_image": Wording(_("The label has no image; it was left out."), _("Add the image.")),
    "yolo.stem_shared": Wording(_("Two images, this and “%(other)s”, share one label file."), _RENAME),
    "yolo.column_count": Wording(
        _("The row has %(found)s values; a box has 5: class, centre x, centre y, width, height."), _FIX_ROW
    ),
    "yolo.not_a_number": Wording(_("“%(value)s” is not a number."), _FIX_ROW),
    "yolo.not_finite": Wording(_("“%(value)s” is not a finite number."), _FIX_ROW),
    "yolo.class_not_integer": Wording(_("The class “%(value)s” is not a whole number from 0 up."), _FIX_ROW),
    "yolo.class_range": Wording(_("The class %(value)s does not exist; there are %(classes)s (from 0 up)."), _FIX_ROW),
    "yolo.coordinate_range": Wording(
        _("%(value)s is outside 0 to 1; coordinates are fractions of the image's size, not pixels."), _FIX_ROW
    ),
    "yolo.box_empty": Wording(_("The box has no area."), _FIX_ROW),
    "yolo.box_clipped": Wording(_("The box reaches beyond the image; it was cut at the border."), _("Nothing to do.")),
    "yolo.box_duplicate": Wording(_("The box occurs twice; one was kept."), _("Nothing to do.")),
    "yolo.polygon_odd": Wording(_("The polygon has an odd number of coordinates (%(found)s)."), _FIX_ROW),
    "yolo.task_rows": Wording(
        _("%(rows)s rows (the first here) belong to the task “%(task)s”, not to detection."),
        _CHOOSE_LENIENT,
    ),
    "yolo.boxes_per_image": Wording(_("The image has more than %(limit)s boxes."), _("Split the image.")),
    "yolo.too_many_boxes": Wording(_("The set has more than %(limit)s boxes."), _("Upload the set in parts.")),
    "yolo.labels_too_big": Wording(
        _("The label files have %(bytes)s bytes in all; at most %(limit)s are allowed."), _("Upload the set in parts.")
    ),
    # Whole sets
    "set.no_images": Wording(_("No image was found."), _("Upload a folder or archive with images.")),
    "set.file_ignored": Wording(_("The file is neither image nor label; it was left out."), _("Nothing to do.")),
    "set.format_unknown": Wording(
        _("The set looks like %(format)s, which is not taken yet."), _("Convert it to the YOLO layout.")
    ),
    "set.duplicate_image": Wording(_("The image is the same as “%(other)s”."), _("One of the two can go.")),
    "set.leak": Wording(
        _("The image is the same as “%(other)s” in the split “%(split)s”."),
        _("Results on images that were trained on look better than they are: keep it in one split."),
    ),
}

#: Why a set was taken for what it was taken for (`Analysis.reason`).
REASONS: dict[str, str | Promise] = {
    "yolo.description": _("A YAML file describes it."),
    "yolo.labels_folder": _("There are images and a folder of label texts."),
    "yolo.labels_beside": _("Texts with rows of numbers lie beside the images."),
    "coco.document": _("A JSON file lists images and annotations."),
    "pascal_voc.document": _("XML files annotate the images."),
    "images.only": _("There are images without labels."),
    "set.nothing": _("Nothing was recognised."),
}
