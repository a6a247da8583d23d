"""One XML file of Pascal VOC: an image's name and size, and its objects with their lines.

Expat without a tree: a document type, and with it every entity, is refused where it begins, so nothing is fetched and
nothing unfolds; depth, texts and objects are bounded.
"""

from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat  # nosec B407  # document types are refused, see `_Handler.doctype`

from apps.datasets.defects import BadInput

DEEPEST = 16
LONGEST_TEXT = 4096
#: Texts that are kept of an object, by their path below it.
OBJECT_TEXTS = frozenset(
    {
        "name",
        "pose",
        "truncated",
        "difficult",
        "occluded",
        "bndbox/xmin",
        "bndbox/ymin",
        "bndbox/xmax",
        "bndbox/ymax",
    }
)
TEXTS = frozenset({"filename", "size/width", "size/height"})


@dataclass(slots=True)
class VocObject:
    line: int
    texts: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class VocDocument:
    """Texts of the outermost element by their path (`size/width`), and the objects."""

    texts: dict[str, str] = field(default_factory=dict)
    objects: list[VocObject] = field(default_factory=list)

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height as the file says; None where it does not, or says nothing sensible."""
        width, height = (self.texts.get(f"size/{name}", "") for name in ("width", "height"))
        if width.isascii() and width.isdigit() and height.isascii() and height.isdigit() and len(width + height) < 18:
            return (int(width), int(height)) if int(width) and int(height) else None
        return None


def read_document(data: bytes, path: str, most_objects: int) -> VocDocument:
    """Read one file. Raises BadInput with the line."""
    handler = _Handler(path, most_objects)
    parser = handler.parser
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        if error.code in TRUNCATED:
            raise BadInput("voc.truncated", path, error.lineno) from None
        raise BadInput("voc.invalid", path, error.lineno, detail=expat.ErrorString(error.code)) from None
    except (ValueError, LookupError) as error:  # an encoding that Python does not know, or that is none of bytes
        raise BadInput("voc.invalid", path, 1, detail=str(error)) from None
    if not handler.is_annotation:
        raise BadInput("voc.no_annotation", path, 1)
    return handler.document


TRUNCATED = frozenset(
    expat.errors.codes[message]
    for message in (
        expat.errors.XML_ERROR_NO_ELEMENTS,
        expat.errors.XML_ERROR_UNCLOSED_TOKEN,
        expat.errors.XML_ERROR_PARTIAL_CHAR,
        expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION,
    )
)


class _Handler:
    def __init__(self, path: str, most_objects: int) -> None:
        self.path = path
        self.most_objects = most_objects
        self.document = VocDocument()
        self.is_annotation = False
        self._stack: list[str] = []
        self._object: VocObject | None = None
        self._pieces: list[str] | None = None
        self._length = 0
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self.doctype
        self.parser.EntityDeclHandler = self.doctype
        self.parser.ExternalEntityRefHandler = self.doctype

    def doctype(self, *arguments: Any) -> int:
        raise BadInput("voc.doctype", self.path, self.parser.CurrentLineNumber)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        stack = self._stack
        stack.append(name)
        if len(stack) > DEEPEST:
            raise BadInput("voc.too_deep", self.path, self.parser.CurrentLineNumber, limit=DEEPEST)
        self._pieces = None
        if len(stack) == 1:
            self.is_annotation = name == "annotation"
        elif len(stack) == 2 and name == "object":
            self._object = VocObject(self.parser.CurrentLineNumber)
            self.document.objects.append(self._object)
            if len(self.document.objects) > self.most_objects:
                raise BadInput("voc.objects_per_image", self.path, self._object.line, limit=self.most_objects)
        elif self._place() is not None:
            self._pieces, self._length = [], 0

    def _place(self) -> tuple[dict[str, str], str] | None:
        """Where the text of the open element is kept, if it is."""
        if self._object is not None:
            key = "/".join(self._stack[2:])
            return (self._object.texts, key) if key in OBJECT_TEXTS else None
        key = "/".join(self._stack[1:])
        return (self.document.texts, key) if key in TEXTS else None

    def _text(self, text: str) -> None:
        if self._pieces is not None and self._length < LONGEST_TEXT:
            self._pieces.append(text)
            self._length += len(text)

    def _end(self, name: str) -> None:
        if self._pieces is not None and (place := self._place()) is not None:
            texts, key = place
            # The first of several counts.
            texts.setdefault(key, "".join(self._pieces).strip()[:LONGEST_TEXT])
        self._pieces = None
        self._stack.pop()
        if len(self._stack) == 1:
            self._object = None
