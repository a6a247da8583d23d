"""Every text that a person may read is in Korean too, and says the same with the same facts."""

import re
from collections import Counter
from pathlib import Path

import polib
import pytest
from modelyard.management.commands.collect_messages import collect

ROOT = Path(__file__).resolve().parents[2]
PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]")


@pytest.fixture(scope="module")
def texts():
    return collect()


def catalogue(domain):
    entries = polib.pofile(str(ROOT / "locale" / "ko" / "LC_MESSAGES" / f"{domain}.po"))
    return {(entry.msgctxt, entry.msgid): entry for entry in entries if not entry.obsolete}


@pytest.mark.parametrize("domain", ["django", "djangojs"])
def test_every_text_has_a_korean_translation(domain, texts):
    known = catalogue(domain)
    missing = []
    for (context, singular, plural), places in texts[domain].items():
        entry = known.get((context, singular))
        if entry is None or not entry.translated() or (plural and not entry.msgstr_plural.get(0)):
            missing.append(f"{places[0][0]}:{places[0][1]} {singular!r}")
    assert missing == []


@pytest.mark.parametrize("domain", ["django", "djangojs"])
def test_translations_name_the_same_facts(domain):
    wrong = []
    for entry in catalogue(domain).values():
        for said in entry.msgstr_plural.values() if entry.msgid_plural else [entry.msgstr]:
            wanted = Counter(PLACEHOLDER.findall(entry.msgid_plural or entry.msgid))
            if said and Counter(PLACEHOLDER.findall(said)) != wanted:
                wrong.append(entry.msgid)
    assert wrong == []


def test_korean_words_its_particles_around_names():
    """No `을(를)`: a sentence is worded so that the particle does not depend on the name."""
    found = [
        entry.msgid for entry in catalogue("django").values() if re.search(r"[을이은와]\([를가는과]\)", entry.msgstr)
    ]
    assert found == []
