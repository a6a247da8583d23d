"""JSON as programs may send it: bounded in depth, without NaN."""

import json
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from apps.core.errors import TooLarge


class BoundedJSONParser(JSONParser):
    """Refuses documents that are too long, nested too deeply, or not JSON."""

    max_bytes: int | None = None

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        limit = self.max_bytes or settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise TooLarge(_("The request is too large."))
        try:
            return json.loads(body, parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise ParseError(_("The body is not valid JSON.")) from error


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
