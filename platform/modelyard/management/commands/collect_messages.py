"""`manage.py collect_messages`: brings the catalogues in locale/ up to date with the texts in the sources."""

import io
from pathlib import Path
from typing import Any

import polib
from babel.messages.extract import extract
from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils.translation.template import templatize

from modelyard.supervisor import preparation

ROOT = Path(settings.BASE_DIR)
FOLDERS = ("apps", "platform/modelyard", "templates", "static/js")
KEYWORDS: dict[str, tuple[Any, ...] | None] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
}
#: Extractor and catalogue for each kind of file.
KINDS = {".py": ("python", "django"), ".html": ("python", "django"), ".txt": ("python", "django")}
KINDS[".js"] = ("javascript", "djangojs")
#: (context, singular, plural)
Key = tuple[str | None, str, str | None]


class Command(BaseCommand):
    help = "Adds new texts to every catalogue, marks those that are no longer used, and compiles. Needs no gettext."
    requires_system_checks: list[str] = []

    def handle(self, **options: Any) -> None:
        found = collect()
        for language, _name in settings.LANGUAGES:
            for domain, texts in found.items():
                file = ROOT / "locale" / language / "LC_MESSAGES" / f"{domain}.po"
                if not file.exists() and not texts:
                    continue
                missing = update(file, language, texts)
                self.stdout.write(f"{file.relative_to(ROOT)}: {len(texts)} texts, {missing} without a translation")
        preparation.compile_messages()


def collect() -> dict[str, dict[Key, list[tuple[str, str]]]]:
    """Domain → text → places where it stands."""
    found: dict[str, dict[Key, list[tuple[str, str]]]] = {"django": {}, "djangojs": {}}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix not in KINDS or not path.is_file():
                continue
            method, domain = KINDS[path.suffix]
            for line, key in texts_of(path, method):
                found[domain].setdefault(key, []).append((str(path.relative_to(ROOT)), str(line)))
    return found


def texts_of(path: Path, method: str) -> list[tuple[int, Key]]:
    """The texts of one file with their lines. Templates are read the way Django's own extraction reads them."""
    source = path.read_text(encoding="utf-8")
    if path.suffix in {".html", ".txt"}:
        source = templatize(source, origin=str(path))
    texts = []
    for line, message, _comments, context in extract(method, io.BytesIO(source.encode()), keywords=KEYWORDS):
        singular, plural = (message[0], message[1]) if isinstance(message, tuple) else (message, None)
        if singular:
            texts.append((line, (context, singular, plural)))
    return texts


def update(file: Path, language: str, texts: dict[Key, list[tuple[str, str]]]) -> int:
    """Write the catalogue anew with what was translated before; how many texts lack a translation.

    Texts that are no longer used stay as obsolete entries, so that a text that comes back finds its translation.
    """
    catalogue = polib.pofile(str(file)) if file.exists() else _empty(language)
    known = {(entry.msgctxt, entry.msgid): entry for entry in catalogue}
    for (context, singular, plural), places in sorted(texts.items(), key=lambda item: (item[0][1], item[0][0] or "")):
        entry = known.pop((context, singular), None)
        if entry is None:
            entry = polib.POEntry(msgctxt=context, msgid=singular)
            catalogue.append(entry)
        entry.obsolete = False
        entry.occurrences = sorted(set(places))
        if plural and entry.msgid_plural != plural:
            entry.msgid_plural = plural
            forms = 1 if language == "ko" else 2
            entry.msgstr_plural = {form: entry.msgstr_plural.get(form, entry.msgstr) for form in range(forms)}
        if "%(" in singular and "python-format" not in entry.flags:
            entry.flags.append("python-format")
    for entry in known.values():
        entry.obsolete = True
    catalogue.sort(key=lambda entry: (entry.obsolete, entry.msgid, entry.msgctxt or ""))
    file.parent.mkdir(parents=True, exist_ok=True)
    catalogue.save(str(file))
    return sum(not entry.translated() for entry in catalogue if not entry.obsolete)


def _empty(language: str) -> polib.POFile:
    catalogue = polib.POFile(wrapwidth=110)
    plural = "nplurals=1; plural=0;" if language == "ko" else "nplurals=2; plural=(n != 1);"
    catalogue.metadata = {
        "Content-Type": "text/plain; charset=UTF-8",
        "Content-Transfer-Encoding": "8bit",
        "Language": language,
        "Plural-Forms": plural,
    }
    return catalogue
