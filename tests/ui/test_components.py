"""Every component and layout draws, and nothing drawn needs what the strict policy of our pages forbids."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import polib
import pytest
from django.template import Context, Template, TemplateSyntaxError
from django.test import override_settings

from tests.ui import gallery, messages

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted(path for path in (ROOT / "templates").rglob("*.html") if not {"admin", "email"} & set(path.parts))
EXTERNAL = re.compile(r"(?:src|href|action|url\()\s*=?\s*[\"'(]?\s*(?:https?:)?//(?!www\.w3\.org)", re.IGNORECASE)
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


ASKS = re.compile(r"<[a-z]+\b(?:[^<>]|\{%[^%]*%\})*?data-confirm=.*?(?=<)", re.DOTALL)


@pytest.mark.parametrize("path", [path for path in TEMPLATES if "data-confirm=" in path.read_text()], ids=str)
def test_every_question_says_what_its_answer_does(path: Path) -> None:
    """Beside "Cancel" a button "Continue" says nothing."""
    asked = ASKS.findall(path.read_text())
    assert asked
    assert [text for text in asked if "data-confirm-label=" not in text] == []


class Page(HTMLParser):
    """What is wrong with a page, and what it holds."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.ids: list[str] = []
        self.references: list[tuple[str, str]] = []
        self.icons: set[str] = set()
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        if tag == "style" or (tag == "script" and not values.get("src")):
            self.faults.append(f"<{tag}> in the page")
        for name, value in values.items():
            if name == "style" or (name.startswith("on") and name != "only"):
                self.faults.append(f"{name} on <{tag}>")
            if name in ("href", "src", "action") and re.match(r"(https?:)?//|javascript:", value):
                self.faults.append(f"<{tag} {name}={value}>")
        if "id" in values:
            self.ids.append(values["id"])
        for name in ("for", "aria-labelledby", "aria-controls"):
            self.references += [(name, target) for target in values.get(name, "").split()]
        if tag == "use":
            self.icons.add(values["href"].partition("#")[2])
        if tag == "img" and "alt" not in values:
            self.faults.append("<img> without alt")
        if tag == "button" and "type" not in values and "form" not in self.open:
            self.faults.append("<button> without type outside a form")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> does not close what is open")


@pytest.fixture(scope="module")
def pages():
    with override_settings(ROOT_URLCONF="tests.ui.urls"):
        return gallery.pages("dark")


@pytest.mark.parametrize("name", ["gallery", "sign-in", "monitor", "400", "403", "403_csrf", "404", "500"])
def test_page_is_whole_and_keeps_to_the_policy(pages, name):
    page = Page(pages[name])
    assert page.faults == []
    assert page.open == []
    assert len(page.ids) == len(set(page.ids)), "an id is there twice"
    known = set(page.ids)
    assert [(kind, target) for kind, target in page.references if target not in known] == []
    icons = set(json.loads((ROOT / "static" / "icons.json").read_text()))
    assert page.icons <= icons


def test_every_component_is_in_the_gallery(pages):
    drawn = gallery.GALLERY + gallery.SIGN_IN
    tags = {"panel", "table", "dropdown", "modal", "filters", "page_help", "th"}
    nested = {"schema_field", "form_errors", "field", "badge"}
    for path in (ROOT / "templates" / "components").glob("*.html"):
        name = path.stem
        assert f"components/{path.name}" in drawn or name in nested or (name in tags and f"{{% {name} " in drawn), name


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_template_has_nothing_inline_and_nothing_from_elsewhere(path):
    text = path.read_text()
    assert not re.search(r"\sstyle\s*=", text)
    assert not re.search(r"\son[a-z]+\s*=\s*[\"']", text)
    assert not re.search(r"<style|<script(?![^>]*\ssrc=)", text)
    assert not EXTERNAL.search(text)
    Template(text)


@pytest.mark.parametrize("path", sorted((ROOT / "static" / "css").glob("*.css")), ids=lambda path: path.name)
def test_style_sheet_asks_for_nothing_from_elsewhere(path):
    assert not re.search(r"@import|https?://|url\(\s*[\"']?//", path.read_text())


@pytest.mark.parametrize(
    ("domain", "wanted"),
    [
        ("django", lambda: messages.of_templates(ROOT / "templates") | messages.of_python(ROOT / "apps" / "core" / "templatetags" / "ui.py")),
        ("djangojs", lambda: messages.of_scripts(ROOT / "static" / "js")),
    ],
)  # fmt: skip
def test_every_message_is_in_korean(domain, wanted):
    catalogue = polib.pofile(str(ROOT / "locale" / "ko" / "LC_MESSAGES" / f"{domain}.po"))
    known = {entry.msgid: entry for entry in catalogue if entry.translated()}
    assert sorted(message for message, _ in wanted() if message not in known) == []
    placeholder = re.compile(r"%\((\w+)\)[sd]")

    def wanted_by(entry):  # Korean has one form, which speaks of many too
        return set(placeholder.findall(entry.msgid_plural or entry.msgid))

    for entry in known.values():
        for text in [entry.msgstr, *entry.msgstr_plural.values()]:
            if text:
                assert set(placeholder.findall(text)) == wanted_by(entry), entry.msgid
                assert not re.search(r"을\(를\)|이\(가\)|은\(는\)|와\(과\)", text), text


def test_a_disabled_button_says_why_and_can_be_focused(pages):
    button = re.search(r"<button[^>]*aria-disabled=\"true\"[^>]*>.*?</button>", pages["gallery"], re.DOTALL)
    assert button and "Needs the role Manager" in button.group()
    assert " disabled" not in button.group().replace("aria-disabled", "")


def test_what_a_person_wrote_is_never_markup():
    draw = Template(
        '{% load ui %}{% panel title=name %}{{ name }}{% endpanel %}{% status_badge job %}{% icon "x" label=name %}'
    )
    html = draw.render(Context({"name": "<b>x</b>", "job": {"state_label": "<i>", "state_color": '"><b>'}}))
    assert "<b>" not in html and "<i>" not in html
    assert html.count("&lt;b&gt;x") == 3


def test_an_icon_with_a_strange_name_is_refused():
    with pytest.raises(TemplateSyntaxError):
        Template("{% load ui %}{% icon name %}").render(Context({"name": "x#y"}))


def test_a_sorted_head_turns_round_and_drops_the_cursor():
    request = gallery.request()
    request.GET = request.GET.copy()
    request.GET.update({"sort": "name", "cursor": "abc"})
    html = Template('{% load ui %}{% th "Name" sort="name" %}').render(Context({"request": request}))
    assert 'aria-sort="ascending"' in html and "sort=-name" in html and "cursor" not in html


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_every_tag_ends_on_the_line_it_begins_on(path: Path) -> None:
    """Django shows one that does not as text."""
    assert re.findall(r"\{%(?:(?!%\}).)*$", path.read_text(), re.MULTILINE) == []
