"""Which messages the portal's templates and scripts ask for: `(singular, plural or None)`, read without gettext."""

import ast
import re
from pathlib import Path

from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parents[2]
CALL = re.compile(
    r"\b(?P<name>n?gettext|_)\(\s*u?(?P<body>(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")(?:\s*,\s*u?(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"))*)"
)
#: Pairs of one and many that are chosen before ngettext is called (format.js).
PAIR = re.compile(r"\[\s*(\"[^\"]*%\(count\)s[^\"]*\")\s*,\s*(\"[^\"]*%\(count\)s[^\"]*\")\s*\]")

Message = tuple[str, str | None]


def _calls(text: str) -> set[Message]:
    found: set[Message] = set()
    for match in CALL.finditer(text):
        words = ast.literal_eval(f"({match['body']},)")
        found.add((words[0], words[1]) if match["name"] == "ngettext" else (words[0], None))
    return found


def of_templates(*roots: Path) -> set[Message]:
    files = [path for root in roots for path in sorted(root.rglob("*.html"))]
    return set().union(*(_calls(templatize(path.read_text(), origin=str(path))) for path in files))


def of_python(*files: Path) -> set[Message]:
    return set().union(*(_calls(path.read_text()) for path in files))


def of_scripts(*roots: Path) -> set[Message]:
    files = [path for root in roots for path in sorted(root.rglob("*.js"))]
    found: set[Message] = set()
    for path in files:
        text = path.read_text()
        found |= _calls(text)
        found |= {(ast.literal_eval(one), ast.literal_eval(many)) for one, many in PAIR.findall(text)}
    return found
