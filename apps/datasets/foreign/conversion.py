"""Making a set that datumaro read one that the portal reads: its pictures under `images/`, linked, and the document."""

import errno
import json
import os
import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from modelyard_trainer.environments import BuildError

from apps.datasets.archives import Member, Staged
from apps.datasets.archives.staging import Progress
from apps.datasets.defects import ERROR, WARNING, BadInput, Defect, shown
from apps.datasets.foreign import environment
from apps.datasets.foreign.catalogue import FORMATS, LIBRARY, named
from apps.datasets.foreign.reader import Job, Limits, Report, read
from apps.datasets.formats.dice import DOCUMENT
from apps.datasets.images import is_image_name

IMAGES = "images/"
#: What a file system says that knows no links, or not so many of one file.
WITHOUT_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EXDEV, errno.EMLINK)
#: Of a line of the document, what is looked at to say which image it is about.
LONGEST_ROW = 1 << 20
#: Why there is nothing, as the child says it, and the code of the defect.
FAILURES = {
    "ambiguous": "datumaro.ambiguous",
    "crashed": "datumaro.crashed",
    "memory": "datumaro.memory",
    "not_found": "datumaro.not_found",
    "not_told": "datumaro.not_told",
    "too_slow": "datumaro.too_slow",
    "unreadable": "datumaro.unreadable",
}
#: What has no place in the model.
LOSSES = {
    "attributes": "datumaro.attributes",
    "background": "datumaro.background",
    "captions": "datumaro.captions",
    "cuboids": "datumaro.cuboids",
    "ellipses": "datumaro.ellipses",
    "empty_masks": "datumaro.empty_masks",
    "groups": "datumaro.groups",
    "image_attributes": "datumaro.image_attributes",
    "image_labels": "datumaro.image_labels",
    "lines": "datumaro.lines",
    "objects": "datumaro.objects",
    "other_kinds": "datumaro.other_kinds",
    "points": "datumaro.points",
    "subsets": "datumaro.subsets",
}


@dataclass(frozen=True, slots=True)
class Converted:
    """The set as DICE, and the name of the format that it was in."""

    staged: Staged
    format: str

    def located(self, defects: list[Defect]) -> list[Defect]:
        """The defects, with an image in the place of a line of the document, which nobody but the reader wrote."""
        wanted = {defect.line for defect in defects if defect.path == DOCUMENT and defect.line}
        images = _images_at(self.staged.locate(DOCUMENT), wanted) if wanted else {}
        return [
            replace(defect, path=images.get(defect.line), line=None) if defect.path == DOCUMENT else defect
            for defect in defects
        ]


def _images_at(document: Path, lines: Collection[int]) -> dict[int | None, str]:
    """The image that each of these lines of a document is about; every object and every image has a line of its own."""
    ids: dict[int | None, Any] = {}
    names: dict[Any, str] = {}
    with document.open(encoding="utf-8", errors="replace") as file:
        number = 1
        while text := file.readline(LONGEST_ROW):
            if number in lines or '"file_name"' in text:
                row = _row(text)
                if isinstance(row.get("file_name"), str):
                    names[str(row.get("id"))] = row["file_name"]
                if number in lines:
                    ids[number] = str(row.get("image_id", row.get("id")))
            number += text.endswith("\n")
    return {line: f"{IMAGES}{names[found]}" for line, found in ids.items() if found in names}


def _row(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text.strip().rstrip(","))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def convert(
    staged: Staged,
    target: Path,
    format_name: str,
    *,
    task: str,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> Converted:
    """Read the staged set and lay it out anew under `target`, which is removed when anything goes wrong.

    Raises `BadInput` for a set that is not read. What is left out or wrong in single images are defects of the result.
    """
    if (lack := environment.lack()) is not None:
        raise BadInput("datumaro.unconfined", detail=lack)
    try:
        built = environment.build(_percent(progress))
    except BuildError as error:
        raise BadInput("datumaro.not_built", detail=error) from error
    wanted = named(format_name)
    shutil.rmtree(target, ignore_errors=True)
    job = Job(staged.root, target, task, "" if wanted is None else wanted.plugin)
    try:
        (report,) = read(built.python, [job], limits)
        return laid_out(staged, job, report)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise


def _percent(progress: Progress | None) -> Callable[[float, str], None]:
    """How far the building is, where somebody looks."""
    return lambda fraction, message: None if progress is None else progress(int(100 * fraction), 100, 0)


def laid_out(staged: Staged, job: Job, report: Report) -> Converted:
    """The set as the report describes it, in the job's folder. Raises `BadInput` where there is none."""
    format_name = f"{LIBRARY}:{report.plugin}" if report.plugin else LIBRARY
    if report.failure is not None:
        code, path, params = report.failure
        title = FORMATS[format_name].title if format_name in FORMATS else LIBRARY
        raise BadInput(FAILURES.get(code, FAILURES["crashed"]), path, **{"format": title, **params})
    known = {member.path: member for member in staged.members}
    members = [Member(DOCUMENT, job.document.stat().st_size)]
    used = {path for path in report.images if path in known and is_image_name(path)}
    for path in sorted(used):
        place = path if report.is_inside and path.startswith(IMAGES) else IMAGES + path
        _link(staged.locate(path), job.target / place)
        members.append(Member(place, known[path].size, known[path].sha256))
    job.report.unlink()
    left_out = [path for path in known if is_image_name(path) and path not in used]
    found = [*staged.defects, *_defects(report, left_out)]
    counts = dict(staged.defect_counts)
    if report.problem_count:
        counts["datumaro.item"] = report.problem_count
    return Converted(Staged(job.target, sorted(members, key=lambda one: one.path), found, counts), format_name)


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in WITHOUT_LINKS:
            raise
        shutil.copyfile(source, target)


def _defects(report: Report, left_out: list[str]) -> Iterator[Defect]:
    """What was wrong in single images, which a lenient analysis takes as a warning, and what has no place in the model."""
    for path, detail in report.problems:
        yield Defect("datumaro.item", ERROR, path or None, None, {"detail": shown(detail)})
    for code, count, path in report.losses:
        if code in LOSSES:
            yield Defect(LOSSES[code], WARNING, path, None, {"count": count})
    if left_out:
        yield Defect("datumaro.pictures_left_out", WARNING, left_out[0], None, {"count": len(left_out)})
