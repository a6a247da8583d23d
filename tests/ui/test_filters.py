"""Figures and times as templates write them."""

import datetime

import pytest
from django.forms import Select
from django.test.html import parse_html
from django.utils import timezone, translation

from apps.core.portal import components
from apps.core.portal.choices import LongSelect
from apps.core.templatetags import ui

NBSP = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1536, f"1.5{NBSP}KiB"),
        (200 * 2**20, f"200{NBSP}MiB"),
        (3 * 2**50, f"3072{NBSP}TiB"),
        (None, "–"),
    ],
)
def test_bytes(value, words):
    assert ui.format_bytes(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.25, "250 ms"),
        (59.6, "1 min 0 s"),
        (3725, "1 h 2 min"),
        (90_000, "1 d 1 h"),
        (-3, "0 s"),
        (datetime.timedelta(minutes=2), "2 min 0 s"),
        ("x", "–"),
    ],
)
def test_duration(value, words):
    assert ui.duration(value) == words


@pytest.mark.parametrize(
    ("value", "words"), [(0.812345, "0.8123"), (float("nan"), "NaN"), (float("-inf"), "−∞"), (None, "–"), (True, "–")]
)
def test_figure(value, words):
    assert ui.figure(value) == words


def test_numbers():
    assert ui.number(1234567) == "1,234,567"
    assert ui.compact(2_600_000) == "2.6M"
    assert ui.percent(0.425, 1) == f"42.5{NBSP}%"
    assert ui.number(None) == ui.percent("") == ui.compact(float("nan")) == "–"


def test_local_time_shows_the_readers_zone_and_utc_on_hover():
    moment = datetime.datetime(2026, 9, 25, 16, 30, tzinfo=datetime.UTC)
    with timezone.override("Asia/Seoul"):
        html = ui.local_time(moment)
        day = ui.local_time(moment, "date")
    assert ">2026-09-26 01:30<" in html and 'title="2026-09-25 16:30:00 UTC"' in html
    assert ">2026-09-26<" in day
    assert ui.local_time(None) == "–"


@pytest.mark.parametrize(
    ("seconds", "english", "korean"),
    [
        (5, "just now", "방금"),
        (60, "1 minute ago", "1분 전"),
        (7200, "2 hours ago", "2시간 전"),
        (-172_800, "in 2 days", "2일 후"),
    ],
)
def test_relative_time(seconds, english, korean, catalogues):
    moment = timezone.now() - datetime.timedelta(seconds=seconds)
    assert f">{english}<" in ui.relative_time(moment)
    with translation.override("ko"):
        assert f">{korean}<" in ui.relative_time(moment)


def test_a_place_is_where_its_pages_are():
    from tests.ui.gallery import request  # import here: needs the settings

    assert ui.is_at(request("/training/5/"), "/training/")
    assert not ui.is_at(request("/trainings/"), "/training/")
    assert not ui.is_at(None, "/training/")


def test_unknown_colours_are_secondary():
    assert components.tone("green") == "tone-green"
    assert components.tone("hotpink") == components.tone(None) == "tone-secondary"


def test_a_long_list_is_djangos_own_in_one_piece():
    choices = [("", "Every <action>"), ("a&b", 'A "b"'), ("c", "C")]
    for chosen in ("c", "", None, "gone"):
        ours, theirs = (
            kind(attrs={"class": "form-select"}, choices=choices).render("action", chosen, {"id": "id_action"})
            for kind in (LongSelect, Select)
        )
        assert parse_html(ours) == parse_html(theirs)


def test_what_a_button_is_given_is_escaped():
    hostile = '"><script>alert(1)</script>'
    for values in (
        {"icon": "x", "bare": True},
        {"href": hostile},
        {"disabled_reason": hostile},
        {"confirm": hostile, "danger": True, "name": hostile, "value": hostile, "css": hostile, "modal": hostile},
    ):
        drawn = components.button(label=hostile, **values)
        assert "<script" not in drawn
        assert hostile.partition("<")[0] + "&lt;" not in drawn
        assert drawn.count("&quot;&gt;&lt;script") >= 1 + len(set(values.values()) & {hostile})
    assert "<script" not in components.badge(hostile, hostile, state=hostile) + components.options(
        [(hostile, hostile)], hostile
    )
