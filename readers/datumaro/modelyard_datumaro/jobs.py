"""Reading one set after the other; whatever goes wrong ends in its report."""

import json
import os
import sys
import warnings
from typing import Any

from modelyard_datumaro.document import write
from modelyard_datumaro.reading import Noting, Refused, count_unread, detail_of, read, told_format, top_of
from modelyard_datumaro.shapes import Losses


def run(jobs: list[dict[str, str]], formats: dict[str, Any]) -> None:
    warnings.simplefilter("ignore")
    for job in jobs:
        found = _done(job, formats)
        with open(job["report"], "w", encoding="utf-8") as file:
            json.dump(found, file)


def _done(job: dict[str, str], formats: dict[str, Any]) -> dict[str, Any]:
    opened = _Opened(job["source"])
    name = job["format"]
    try:
        folder = top_of(job["source"])
        name = name or told_format(folder, formats)
        noting = Noting(lambda: opened.last)
        parts = read(folder, name, noting)
        losses = Losses()
        count_unread(folder, name, losses)
        found = write(parts, job["source"], job["document"], losses, task=job["task"], **formats[name])
    except Refused as refused:
        path = opened.last if refused.code == "unreadable" else ""
        return {"format": name, "error": {"code": refused.code, "path": path, **refused.params}}
    except MemoryError:
        return {"format": name, "error": {"code": "memory"}}
    except Exception as error:  # noqa: BLE001 - whatever the library raises over somebody's set is told
        return {"format": name, "error": {"code": "unreadable", "path": opened.last, "detail": detail_of(error)}}
    return {"format": name, "problems": noting.problems, "problem_count": noting.count, **found}


class _Opened:
    """The file of the set that was opened last: where the trouble is, when there is any."""

    def __init__(self, source: str) -> None:
        self.last = ""
        prefix = os.path.join(source, "")

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            if event == "open" and isinstance(arguments[0], str) and arguments[0].startswith(prefix):
                self.last = arguments[0][len(prefix) :]

        sys.addaudithook(hook)
