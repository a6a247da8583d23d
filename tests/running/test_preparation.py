"""What `up` and `make` do before the portal starts: messages, static files, assets."""

import gettext
import importlib.util
import json
import os
from pathlib import Path

import polib
import pytest
from modelyard.management.commands import collect_messages
from modelyard.supervisor import preparation

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def vendor_assets():
    spec = importlib.util.spec_from_file_location("vendor_assets", ROOT / "scripts" / "vendor_assets.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_catalogues_are_compiled_when_they_are_newer(settings, tmp_path):
    settings.LOCALE_PATHS = [tmp_path]
    source = tmp_path / "ko" / "LC_MESSAGES" / "django.po"
    source.parent.mkdir(parents=True)
    source.write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\nmsgid "Training"\nmsgstr "학습"\n',
        encoding="utf-8",
    )
    assert preparation.compile_messages() == 1
    with open(source.with_suffix(".mo"), "rb") as compiled:
        assert gettext.GNUTranslations(compiled).gettext("Training") == "학습"
    assert preparation.compile_messages() == 0
    later = source.with_suffix(".mo").stat().st_mtime + 10
    os.utime(source, (later, later))
    assert preparation.compile_messages() == 1


def test_static_files_are_collected_only_when_a_source_changed(settings, tmp_path):
    sources = tmp_path / "static"
    sources.mkdir()
    (sources / "page.css").write_text("a{}")
    settings.STATICFILES_DIRS = [sources]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATIC_ROOT = tmp_path / "collected"
    assert preparation.collect_static() is True
    assert (settings.STATIC_ROOT / "page.css").read_text() == "a{}"
    assert preparation.collect_static() is False
    (sources / "page.css").write_text("b{color:red}")
    assert preparation.collect_static() is True
    assert (settings.STATIC_ROOT / "page.css").read_text() == "b{color:red}"


def test_texts_of_templates_and_modules_are_found_with_context_and_plural(tmp_path):
    page = tmp_path / "page.html"
    page.write_text(
        '{% load i18n %}<h1>{% translate "Data" context "title" %}</h1>\n'
        "{% blocktranslate count n=n %}{{ n }} job{% plural %}{{ n }} jobs{% endblocktranslate %}\n"
    )
    assert [key for _, key in collect_messages.texts_of(page, "python")] == [
        ("title", "Data", None),
        (None, "%(n)s job", "%(n)s jobs"),
    ]
    module = tmp_path / "module.py"
    module.write_text('from x import gettext_lazy as _\nname = _("Queued")\nother = print("not this")\n')
    assert collect_messages.texts_of(module, "python") == [(2, (None, "Queued", None))]
    script = tmp_path / "script.js"
    script.write_text('const a = gettext("Live");\n')
    assert collect_messages.texts_of(script, "javascript") == [(1, (None, "Live", None))]


def test_a_catalogue_keeps_translations_gains_new_texts_and_shelves_old_ones(tmp_path):
    file = tmp_path / "django.po"
    place = [("apps/x.py", "3")]
    assert collect_messages.update(file, "ko", {(None, "Old", None): place, (None, "Kept", None): place}) == 2
    catalogue = polib.pofile(str(file))
    for entry in catalogue:
        entry.msgstr = f"번역 {entry.msgid}"
    catalogue.save()
    texts = {(None, "Kept", None): place, (None, "%(n)s job", "%(n)s jobs"): place}
    assert collect_messages.update(file, "ko", texts) == 1
    after = {entry.msgid: entry for entry in polib.pofile(str(file))}
    assert (after["Kept"].msgstr, after["Kept"].obsolete) == ("번역 Kept", 0)
    assert after["Old"].obsolete
    assert list(after["%(n)s job"].msgstr_plural) == [0]
    assert "python-format" in after["%(n)s job"].flags
    collect_messages.update(file, "ko", {(None, "Old", None): place})
    assert polib.pofile(str(file)).find("Old").msgstr == "번역 Old"


@pytest.fixture
def packages(tmp_path):
    """A small node_modules, and a static folder that lists what to take from it."""
    modules, icons, static = tmp_path / "node_modules", tmp_path / "icons", tmp_path / "static"
    for folder in (modules / "pack" / "fonts", icons, static):
        folder.mkdir(parents=True)
    (modules / "pack" / "style.css").write_text("a{}")
    (modules / "pack" / "fonts" / "one.woff2").write_text("font")
    (icons / "box.svg").write_text('<svg class="x" width="24">\n  <path d="M1 1" />\n</svg>')
    (static / "icons.json").write_text(json.dumps(["box"]))
    entries = [{"from": "pack/style.css", "to": "pack/style.css"}, {"from": "pack/fonts", "to": "pack/fonts"}]
    (static / "vendor.json").write_text(json.dumps(entries))
    return static, modules, icons


def test_assets_are_what_the_lists_name_and_nothing_older(vendor_assets, packages):
    static, modules, icons = packages
    (static / "vendor").mkdir()
    (static / "vendor" / "stale.css").write_text("old")
    assert vendor_assets.build(static, modules, icons) == 3
    assert (static / "vendor" / "pack" / "fonts" / "one.woff2").read_text() == "font"
    assert not (static / "vendor" / "stale.css").exists()
    sprite = (static / "vendor" / "icons.svg").read_text()
    assert '<symbol id="box" viewBox="0 0 24 24"' in sprite
    assert '<path d="M1 1" />' in sprite


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"from": "pack/absent.css", "to": "a.css"}, "not among the installed packages"),
        ({"from": "../static/icons.json", "to": "a.css"}, "leaves its folder"),
        ({"from": "pack/style.css", "to": "../../a.css"}, "leaves its folder"),
    ],
)
def test_a_list_that_cannot_be_followed_leaves_the_old_assets_alone(vendor_assets, packages, entry, message):
    static, modules, icons = packages
    vendor_assets.build(static, modules, icons)
    (static / "vendor.json").write_text(json.dumps([entry]))
    with pytest.raises(vendor_assets.AssetError, match=message):
        vendor_assets.build(static, modules, icons)
    assert (static / "vendor" / "pack" / "style.css").read_text() == "a{}"


def test_an_unknown_icon_is_named(vendor_assets, packages):
    static, modules, icons = packages
    (static / "icons.json").write_text(json.dumps(["unicorn"]))
    with pytest.raises(vendor_assets.AssetError, match="unicorn"):
        vendor_assets.build(static, modules, icons)
