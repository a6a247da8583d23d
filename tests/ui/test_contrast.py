"""Colours of static/css/theme.css: text at least 4.5:1 on its ground (WCAG AA), lines of charts at least 3:1."""

import re
from pathlib import Path

import pytest

from apps.core.portal import components

SHEET = (Path(__file__).resolve().parents[2] / "static" / "css" / "theme.css").read_text()
PAIR = re.compile(r"--([\w-]+):\s*light-dark\((#[0-9a-f]{6}),\s*(#[0-9a-f]{6})\)")
COLORS = {name: (light, dark) for name, light, dark in PAIR.findall(SHEET)}
TONES = sorted(components.TONES)


def channels(color: str) -> list[float]:
    return [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]


def luminance(values: list[float]) -> float:
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in values]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: list[float], other: list[float]) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def mixed(color: str, ground: str, share: float) -> list[float]:
    return [share * a + (1 - share) * b for a, b in zip(channels(color), channels(ground), strict=True)]


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
class TestContrast:
    @pytest.mark.parametrize("ink", ["mo-ink", "mo-ink-soft", "mo-ink-faint", "mo-cobalt", "mo-cobalt-deep"])
    @pytest.mark.parametrize("ground", ["mo-paper", "mo-sheet", "mo-sheet-raised"])
    def test_text_on_its_ground(self, mode, ink, ground):
        assert contrast(channels(COLORS[ink][mode]), channels(COLORS[ground][mode])) >= 4.5

    @pytest.mark.parametrize("tone", TONES)
    def test_status_on_its_own_wash(self, mode, tone):
        color = COLORS[f"tblr-{tone}"][mode]
        assert contrast(channels(color), mixed(color, COLORS["mo-sheet"][mode], 0.11)) >= 4.5

    @pytest.mark.parametrize("color", ["mo-cobalt", "tblr-red", "tblr-green", "tblr-yellow"])
    def test_words_on_a_filled_button(self, mode, color):
        assert contrast(channels(COLORS["mo-on-cobalt"][mode]), channels(COLORS[color][mode])) >= 4.5

    @pytest.mark.parametrize("index", range(1, 9))
    def test_lines_of_charts(self, mode, index):
        assert contrast(channels(COLORS[f"mo-series-{index}"][mode]), channels(COLORS["mo-sheet"][mode])) >= 3


@pytest.mark.parametrize("ink", ["mo-plate-ink", "mo-plate-ink-soft"])
def test_the_navigation_can_be_read_in_both_modes(ink):
    (text,) = re.findall(rf"--{ink}: (#[0-9a-f]{{6}})", SHEET)
    grounds = re.findall(r"--mo-plate: (#[0-9a-f]{6})", SHEET)
    assert len(grounds) == 2
    for ground in grounds:
        assert contrast(channels(text), mixed("#a0c0ff", ground, 0.17)) >= 4.5
