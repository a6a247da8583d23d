"""`manage.py collect_messages`: brings the catalogues in locale/ up to date with the texts in the sources.

English is the language of the sources: its catalogue needs no translations, texts are shown as they are written. In
every other language the catalogue also holds what people read of packages that do not speak that language themselves.
"""

import io
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import django
import polib
import yaml
from babel.messages.extract import extract
from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils.translation.template import templatize

from apps.apikeys.endpoints import summary_of
from modelyard.supervisor import preparation

ROOT = Path(settings.BASE_DIR)
FOLDERS = ("apps", "platform/modelyard", "templates", "static/js")
#: Its operations are told in the catalogue of endpoints, each by the first line of its description.
SCHEMA = ROOT / "docs" / "api" / "schema.yml"
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
#: Packages that people read, and what of them this portal never shows.
PACKAGES = ("unfold", "rest_framework", "django_filters", "django_celery_beat")
UNSHOWN = {
    *("commands", "constance", "forms", "guardian", "import_export", "location_field", "migrations", "schemas"),
    *("simple_history", "tests", "unfold_crispy", "versioning.py"),
}
#: What a package puts into a variable first, and extraction therefore sees as two texts.
PLURALS = {"Expected available in {wait} second.": "Expected available in {wait} seconds."}
#: (context, singular, plural)
Key = tuple[str | None, str, str | None]
Texts = dict[Key, list[tuple[str, str]]]


class Command(BaseCommand):
    help = "Adds new texts to every catalogue, marks those that are no longer used, and compiles. Needs no gettext."
    requires_system_checks: list[str] = []

    def handle(self, **options: Any) -> None:
        found = collect()
        for language, _name in settings.LANGUAGES:
            for domain, own in found.items():
                file = ROOT / "locale" / language / "LC_MESSAGES" / f"{domain}.po"
                texts = wanted(domain, language, own)
                if not file.exists() and not texts:
                    continue
                missing = update(file, language, texts)
                state = (
                    "shown as written" if language == settings.LANGUAGE_CODE else f"{missing} without a translation"
                )
                self.stdout.write(f"{file.relative_to(ROOT)}: {len(texts)} texts, {state}")
        preparation.compile_messages()


def wanted(domain: str, language: str, own: Texts) -> Texts:
    """What the catalogue must hold: the project's own texts, and beside Django's those of packages."""
    return _merge_plurals({**collect_packages(language), **own}) if domain == "django" else own


def collect() -> dict[str, Texts]:
    """Domain → text → places where it stands, of the project's own sources."""
    found: dict[str, Texts] = {"django": {}, "djangojs": {}}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix not in KINDS or not path.is_file():
                continue
            method, domain = KINDS[path.suffix]
            for line, key in texts_of(path, method):
                found[domain].setdefault(key, []).append((str(path.relative_to(ROOT)), str(line)))
    for summary, places in collect_summaries().items():
        found["django"].setdefault((None, summary, None), []).extend(places)
    return {domain: _merge_plurals(texts) for domain, texts in found.items()}


def collect_summaries() -> dict[str, list[tuple[str, str]]]:
    """What the operations of the REST API do, in a line each, with the ids of those that it is said of."""
    found: dict[str, list[tuple[str, str]]] = {}
    for methods in yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))["paths"].values():
        for operation in methods.values():
            if summary := summary_of(operation):
                found.setdefault(summary, []).append((str(SCHEMA.relative_to(ROOT)), operation["operationId"]))
    return found


def collect_packages(language: str) -> Texts:
    """What people read of `PACKAGES` and neither Django nor an installed app has in `language`; none for English."""
    found: Texts = {}
    if language == settings.LANGUAGE_CODE:
        return found
    known = _known_elsewhere(language)
    for package in PACKAGES:
        spec = find_spec(package)
        root = Path(spec.origin).parent if spec and spec.origin else ROOT
        for path in sorted(root.rglob("*")):
            inside = path.relative_to(root)
            if path.suffix not in {".py", ".html"} or UNSHOWN & set(inside.parts):
                continue
            for line, (context, singular, plural) in texts_of(path, "python"):
                if (context, singular) not in known and singular not in PLURALS.values():
                    key = (context, singular, plural or PLURALS.get(singular))
                    found.setdefault(key, []).append((f"{package}/{inside}", str(line)))
    return _merge_plurals(found)


def _known_elsewhere(language: str) -> set[tuple[str | None, str]]:
    """What other catalogues really translate: compiled, and not the English text once more."""
    folders = [Path(django.__file__).parent / "conf" / "locale"]
    folders += [Path(app.path) / "locale" for app in apps.get_app_configs()]
    files = [file for folder in folders for file in (folder / language).glob("LC_MESSAGES/django.mo")]
    entries = [entry for file in files for entry in polib.mofile(str(file)).translated_entries()]
    return {(entry.msgctxt, entry.msgid) for entry in entries if entry.msgstr != entry.msgid}


def _merge_plurals(texts: Texts) -> Texts:
    """A text used with a plural and without one has one entry, which serves both."""
    plurals = {(context, singular): plural for context, singular, plural in texts if plural}
    merged: Texts = {}
    for (context, singular, _plural), places in texts.items():
        merged.setdefault((context, singular, plurals.get((context, singular))), []).extend(places)
    return merged


def texts_of(path: Path, method: str) -> list[tuple[int, Key]]:
    """The texts of one file with their lines. Templates are read the way Django's own extraction reads them."""
    source = path.read_text(encoding="utf-8")
    if path.suffix in {".html", ".txt"}:
        # In brackets the indentation of the template means nothing to the reader of Python.
        source = f"({templatize(source, origin=str(path))}\n)"
    texts = []
    for line, message, _comments, context in extract(method, io.BytesIO(source.encode()), keywords=KEYWORDS):
        singular, plural = (message[0], message[1]) if isinstance(message, tuple) else (message, None)
        if singular:
            texts.append((line, (context, singular, plural)))
    return texts


def update(file: Path, language: str, texts: Texts) -> int:
    """Write the catalogue anew with what was translated before; how many texts are not shown in `language`.

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
        if language == settings.LANGUAGE_CODE and entry.msgstr == singular:
            entry.msgstr = ""  # the text itself, which would only hide that it changed
        if "%(" in singular and "python-format" not in entry.flags:
            entry.flags.append("python-format")
    for entry in known.values():
        entry.obsolete = True
    catalogue.sort(key=lambda entry: (entry.obsolete, entry.msgid, entry.msgctxt or ""))
    file.parent.mkdir(parents=True, exist_ok=True)
    catalogue.save(str(file))
    if language == settings.LANGUAGE_CODE:
        return 0
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
