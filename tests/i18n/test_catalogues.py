"""Korean is whole: every text has it, with the same facts, worded so that it fits every name; English needs none."""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import polib
import pytest
from django.test import override_settings
from django.utils import formats, translation
from django.utils.translation import gettext, ngettext
from modelyard.management.commands import collect_messages

ROOT = Path(__file__).resolve().parents[2]
DOMAINS = ("django", "djangojs")
#: `%(name)s` and `{name}`, whose order is free, and `%s` and `{}`, whose number counts.
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{[\w:]*\}")
#: A particle that leaves its form to the reader.
UNDECIDED = re.compile(r"[을를이가은는와과]\([을를이가은는와과]\)|\((?:으|이)\)[가-힣]")
#: An invitation in the familiar style; the portal asks in the formal one (…십시오).
FAMILIAR = re.compile(r"세요(?:[.!?,)]|$)")
HANGUL = re.compile(r"[가-힣]")
#: `epochs` is a word, `px` and `MiB` are signs that every reader knows.
UNIT_IN_WORDS = re.compile(r"[a-z]{3}")
TRAINERS = sorted(path.parent for path in (ROOT / "trainers").glob("*/trainer.toml"))
#: One of our own, one of Django, and one of each package that people read.
SPOKEN = (
    *("Training", "This field is required.", "Select action to run", "Not a valid string.", "is greater than"),
    *("periodic tasks", "The two password fields didn’t match."),
)


def entries(domain: str) -> list[polib.POEntry]:
    file = ROOT / "locale" / "ko" / "LC_MESSAGES" / f"{domain}.po"
    return [entry for entry in polib.pofile(str(file)) if not entry.obsolete]


def said(entry: polib.POEntry) -> list[str]:
    return list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]


def lacking(texts: collect_messages.Texts, catalogue: list[polib.POEntry]) -> list[str]:
    """Texts that are not in the catalogue, are empty there, or lack their plural."""
    whole = {(entry.msgctxt, entry.msgid, entry.msgid_plural or None) for entry in catalogue if all(said(entry))}
    return [f"{places[0][0]}:{places[0][1]} {key[1]!r}" for key, places in texts.items() if key not in whole]


def mismatched(catalogue: list[polib.POEntry]) -> list[str]:
    """Entries whose translation names other facts than the text; the plural is what counts, it always names all."""
    return [
        entry.msgid
        for entry in catalogue
        for text in said(entry)
        if text
        and Counter(PLACEHOLDER.findall(text)) != Counter(PLACEHOLDER.findall(entry.msgid_plural or entry.msgid))
    ]


@pytest.fixture(scope="session")
def sources() -> dict[str, collect_messages.Texts]:
    return collect_messages.collect()


@pytest.fixture
def compiled(tmp_path: Path) -> Iterator[Path]:
    """The catalogues of now, in place of those that may lie compiled in the checkout."""
    for source in (ROOT / "locale").rglob("*.po"):
        target = tmp_path / source.relative_to(ROOT / "locale").with_suffix(".mo")
        target.parent.mkdir(parents=True, exist_ok=True)
        polib.pofile(str(source)).save_as_mofile(str(target))
    with override_settings(LOCALE_PATHS=[tmp_path]):
        yield tmp_path


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_text_of_the_portal_and_its_packages_has_korean(
    domain: str, sources: dict[str, collect_messages.Texts]
) -> None:
    texts = collect_messages.wanted(domain, "ko", sources[domain])
    assert texts
    assert lacking(texts, entries(domain)) == []


def test_texts_without_korean_are_found() -> None:
    place = [("apps/x.py", "3")]
    texts = {(None, text, plural): place for text, plural in (("A", None), ("B", None), ("C", "Cs"), ("D", "Ds"))}
    catalogue = [
        polib.POEntry(msgid="A", msgstr="가"),
        polib.POEntry(msgid="B", msgstr=""),
        polib.POEntry(msgid="C", msgstr="다"),
        polib.POEntry(msgid="D", msgid_plural="Ds", msgstr_plural={0: "라"}),
    ]
    assert lacking(texts, catalogue) == ["apps/x.py:3 'B'", "apps/x.py:3 'C'"]


@pytest.mark.parametrize("domain", DOMAINS)
def test_korean_names_the_same_facts(domain: str) -> None:
    assert mismatched(entries(domain)) == []


@pytest.mark.parametrize(("text", "korean"), [("%(a)s of %(b)s", "%(a)s"), ("{a}", "{b}"), ("%s", "없음")])
def test_other_facts_are_found(text: str, korean: str) -> None:
    assert mismatched([polib.POEntry(msgid=text, msgstr=korean)]) == [text]


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("domain", DOMAINS)
def test_no_translation_is_a_guess(domain: str, language: str) -> None:
    catalogue = polib.pofile(str(ROOT / "locale" / language / "LC_MESSAGES" / f"{domain}.po"))
    assert [entry.msgid for entry in catalogue if entry.fuzzy] == []


@pytest.mark.parametrize("domain", DOMAINS)
def test_no_korean_particle_is_left_to_the_reader(domain: str) -> None:
    assert [text for entry in entries(domain) for text in said(entry) if UNDECIDED.search(text)] == []


@pytest.mark.parametrize("domain", DOMAINS)
def test_korean_asks_in_the_formal_style(domain: str) -> None:
    assert [text for entry in entries(domain) for text in said(entry) if FAMILIAR.search(text)] == []


@pytest.mark.parametrize("text", ["데이터셋을(를)", "작업이(가)", "모델은(는)", "파일(으)로", "노드와(과)"])
def test_particles_left_to_the_reader_are_found(text: str) -> None:
    assert UNDECIDED.search(text)


@pytest.mark.parametrize("text", SPOKEN)
def test_korean_is_spoken_by_every_part(text: str, compiled: Path) -> None:
    with translation.override("ko"):
        assert HANGUL.search(gettext(text))
        assert HANGUL.search(
            ngettext("Expected available in {wait} second.", "Expected available in {wait} seconds.", 2)
        )


def test_english_is_shown_as_written(compiled: Path, tmp_path: Path) -> None:
    texts: collect_messages.Texts = {(None, "Training", None): [("apps/x.py", "3")]}
    assert collect_messages.update(tmp_path / "en.po", "en", texts) == 0
    assert collect_messages.update(tmp_path / "ko.po", "ko", texts) == 1
    with translation.override("en"):
        assert gettext("The dataset is empty.") == "The dataset is empty."
        assert ngettext("%(count)s file, %(size)s", "%(count)s files, %(size)s", 2) == "%(count)s files, %(size)s"


def test_a_text_with_and_without_plural_has_one_entry(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        '{% load i18n %}\n    {% translate "Job" %}\n  {% blocktranslate count n=1 %}Job{% plural %}Jobs{% endblocktranslate %}'
    )
    texts = collect_messages._merge_plurals(
        {key: [("page.html", str(line))] for line, key in collect_messages.texts_of(page, "python")}
    )
    assert texts == {(None, "Job", "Jobs"): [("page.html", "2"), ("page.html", "3")]}


def test_dates_are_written_as_korean_readers_write_them() -> None:
    moment = datetime(2026, 3, 9, 14, 5)
    with translation.override("ko"):
        assert formats.date_format(moment, "DATE_FORMAT") == "2026년 3월 9일"
        assert "오후" in formats.date_format(moment, "DATETIME_FORMAT")


@pytest.mark.parametrize("trainer", TRAINERS, ids=lambda path: path.name)
def test_settings_of_trainers_are_in_korean(trainer: Path) -> None:
    schema = json.loads((trainer / "config.schema.json").read_text())
    parts = {"": schema, **schema["properties"]}
    parts |= {f"preset {preset['name']}": preset for preset in schema.get("x-presets", [])}
    missing = []
    for name, part in parts.items():
        for key in ("title", "description"):
            korean = part.get(f"{key}_ko") if name.startswith("preset ") else part.get(f"x-{key}-ko")
            if part.get(key) and not korean:
                missing.append(f"{name} {key}")
            assert not UNDECIDED.search(korean or "")
        if UNIT_IN_WORDS.search(part.get("x-unit", "")) and not HANGUL.search(part.get("x-unit-ko", "")):
            missing.append(f"{name} unit")
    assert missing == []


@pytest.mark.parametrize("trainer", TRAINERS, ids=lambda path: path.name)
def test_descriptions_of_trainers_are_in_korean(trainer: Path) -> None:
    def walk(value: Any, path: str) -> Iterator[tuple[str, dict[str, str]]]:
        if isinstance(value, dict) and "en" in value:
            yield path, value
        parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for name, part in parts:
            yield from walk(part, f"{path}.{name}")

    texts = dict(walk(tomllib.loads((trainer / "trainer.toml").read_text()), ""))
    assert texts
    assert [path for path, text in texts.items() if not text.get("ko") or UNDECIDED.search(text["ko"])] == []
