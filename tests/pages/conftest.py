"""Catalogues compiled for the tests of this folder, and a look at a page as a browser would take it apart."""

import re
from html.parser import HTMLParser
from pathlib import Path

import polib
import pytest
from django.test import override_settings

ROOT = Path(__file__).resolve().parents[2]
VOID = {"meta", "link", "input", "img", "br", "hr", "use", "path", "polyline", "line"}


@pytest.fixture(scope="session")
def catalogues(tmp_path_factory):
    """The po files of now as mo files, in place of those that may lie in the checkout."""
    folder = tmp_path_factory.mktemp("locale")
    for source in (ROOT / "locale").rglob("*.po"):
        target = folder / source.relative_to(ROOT / "locale").with_suffix(".mo")
        target.parent.mkdir(parents=True, exist_ok=True)
        polib.pofile(str(source)).save_as_mofile(str(target))
    with override_settings(LOCALE_PATHS=[folder]):
        yield folder


class Page(HTMLParser):
    """What a test asks of a page: its language, inline code, words, links and form fields."""

    def __init__(self, response):
        super().__init__()
        self.status = response.status_code
        self.language = ""
        self.inline = []
        self.words = []
        self.links = []
        self.ids = []
        self._hidden = []
        self.text = response.content.decode()
        self.feed(self.text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag == "html":
            self.language = values.get("lang", "")
        if tag == "style" or (tag == "script" and not values.get("src")):
            self.inline.append(tag)
        self.inline += [name for name in values if name == "style" or re.match(r"on[a-z]+$", name)]
        if values.get("id"):
            self.ids.append(values["id"])
        if tag == "a":
            self.links.append(values.get("href", ""))
        self.words += [values[name] for name in ("aria-label", "placeholder", "title", "alt") if values.get(name)]
        if tag not in VOID:
            self._hidden.append(tag in {"script", "style", "code", "kbd", "time"} or values.get("translate") == "no")

    def handle_endtag(self, tag):
        if tag not in VOID and self._hidden:
            self._hidden.pop()

    def handle_data(self, data):
        if data.strip() and not any(self._hidden):
            self.words.append(" ".join(data.split()))


@pytest.fixture
def page_of():
    """`page_of(response)` is the page that came."""
    return Page
