"""Finding out which format a folder is in, and reading it with datumaro, every problem noted."""

import contextlib
import functools
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from datumaro.components.contexts.importer import ImportContext, ImportErrorPolicy
from datumaro.components.environment import DEFAULT_ENVIRONMENT
from datumaro.components.errors import DatasetNotFoundError
from datumaro.components.format_detection import FormatDetectionConfidence, detect_dataset_format

from modelyard_datumaro.shapes import Losses

#: Problems of single images that are named.
LISTED = 1000
#: Where datumaro's own sign of a format misses sets as they are published.
MARKS = {"kitti_detection": "**/label_2/*.txt"}
#: What stands in files of such an ending, and is not read.
UNREAD = {"cvat": (".xml", (b"<ellipse ", b"<skeleton ", b"<cuboid "))}


class Refused(Exception):
    """The set cannot be read as a whole."""

    def __init__(self, code: str, **params: Any) -> None:
        super().__init__(code)
        self.code = code
        self.params = params


class Part(NamedTuple):
    """Items, and the categories that their annotations mean."""

    items: list[Any]
    categories: dict[Any, Any]


class Noting(ImportErrorPolicy):
    """Leaves out what is wrong and goes on. Much is said in the log alone, so that is listened to as well."""

    def __init__(self, where: Callable[[], str]) -> None:
        self.where = where
        self.problems: list[dict[str, str]] = []
        self.count = 0

    def note(self, item: str, detail: str) -> None:
        self.count += 1
        if len(self.problems) < LISTED:
            self.problems.append({"item": item[:400], "path": self.where(), "detail": detail[:400]})

    def _note_error(self, error: Any) -> None:
        self.note(str(getattr(error, "item_id", ("",))[0]), detail_of(error))

    _handle_item_error = _note_error
    _handle_annotation_error = _note_error

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        handler = logging.Handler(logging.WARNING)
        handler.emit = lambda record: self.note("", record.getMessage())  # type: ignore[method-assign]
        log = logging.getLogger()
        log.addHandler(handler)
        try:
            yield
        finally:
            log.removeHandler(handler)


def top_of(folder: str) -> str:
    """The folder, or the one below it where there is nothing else."""
    while True:
        inside = os.listdir(folder)
        if len(inside) != 1 or not os.path.isdir(os.path.join(folder, inside[0])):
            return folder
        folder = os.path.join(folder, inside[0])


def told_format(folder: str, names: Iterable[str]) -> str:
    """Which of the formats the folder is in. Raises `Refused` where it is none or more than one."""
    detectors: list[tuple[str, Any]] = []
    for name in names:
        if name in MARKS:
            detectors.append((name, functools.partial(_marked, MARKS[name])))
            continue
        importer = DEFAULT_ENVIRONMENT.importers.get(name)
        detectors.append((name, getattr(importer, "get_plugin_cls", lambda found=importer: found)().detect))
    found = sorted({match.name for match in detect_dataset_format(detectors, folder)})
    if len(found) > 1:
        raise Refused("ambiguous", formats=", ".join(found))
    if not found:
        raise Refused("not_told")
    return found[0]


def count_unread(folder: str, name: str, losses: Losses) -> None:
    """Counts what datumaro passes over without a word."""
    ending, marks = UNREAD.get(name, ("", ()))
    for parent, _folders, names in os.walk(folder) if marks else ():
        for file_name in names:
            if file_name.lower().endswith(ending):
                path = os.path.join(parent, file_name)
                with open(path, "rb") as file:
                    count = sum(line.count(mark) for line in file for mark in marks)
                losses.add("other_kinds", os.path.relpath(path, folder), count)


def _marked(pattern: str, context: Any) -> Any:
    context.require_file(pattern)
    return FormatDetectionConfidence.MEDIUM


def read(folder: str, name: str, noting: Noting) -> list[Part]:
    """The set in memory. Raises `Refused` where there is none of that format.

    Datumaro itself refuses sets whose splits have other classes, as they have wherever labels are read off the rows;
    so the parts are kept apart here, each with its own table.
    """
    try:
        with noting.listening():
            sources = DEFAULT_ENVIRONMENT.make_importer(name)(folder)
            parts = []
            for source in sources:
                context = ImportContext(error_policy=noting)
                extractor = DEFAULT_ENVIRONMENT.make_extractor(
                    source["format"], source["url"], **source.get("options", {}), ctx=context
                )
                parts.append(Part(list(extractor), extractor.categories()))
    except MemoryError:
        raise
    except DatasetNotFoundError as error:
        raise Refused("not_found") from error
    except Exception as error:
        cause = innermost(error)
        if isinstance(cause, MemoryError):
            raise cause from None
        raise Refused("unreadable", detail=detail_of(error)) from error
    return parts


def innermost(error: BaseException) -> BaseException:
    while (cause := error.__cause__ or (None if error.__suppress_context__ else error.__context__)) is not None:
        error = cause
    return error


def detail_of(error: BaseException) -> str:
    cause = innermost(error)
    return f"{type(cause).__name__}: {str(cause) or 'it does not have the form expected'}"[:400]
