"""A set with defects is refused, mended, published and looked through."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from apps.datasets.samples import sample_archive
from tests.e2e.datasets.archives import box_count, classes_of, defective, members
from tests.e2e.datasets.pictures import boxes_over, is_anything_drawn
from tests.e2e.datasets.shelf import Shelf
from tests.e2e.visitors import Window

pytestmark = pytest.mark.e2e

LABEL = "labels/train/train-0000.txt"


def test_defects_are_told_by_file_and_line_and_the_mended_set_is_published(
    shelf: Shelf, engineer: Window, language: str, tmp_path: Path
) -> None:
    sound = sample_archive(train=6, val=2)
    name = {"en": "Shapes on the belt", "ko": "벨트 위 도형"}[language]
    shelf.project(name)
    _dataset(engineer, name)

    _send(engineer, tmp_path / "first.zip", defective(sound))
    _is_refused(engineer, shelf)

    engineer.page.click("#report a[href$='/upload/']")
    _send(engineer, tmp_path / "second.zip", sound)
    _publish(engineer)
    _look_through(engineer, sound)


def _dataset(engineer: Window, name: str) -> None:
    page = engineer.page
    engineer.go("/datasets/")
    page.locator("main a[href='/datasets/new/']").first.click()
    page.fill("#id_name", name)
    page.select_option("#id_project", label=name)
    engineer.fits()
    engineer.submit()


def _send(engineer: Window, path: Path, archive: bytes) -> None:
    page = engineer.page
    page.wait_for_url("**/upload/", wait_until="load")
    engineer.fits()
    path.write_bytes(archive)
    page.set_input_files("[data-upload-files] >> nth=0", str(path))
    page.wait_for_url("**/uploads/*/")


def _is_refused(engineer: Window, shelf: Shelf) -> None:
    page = engineer.page
    page.locator("#report [data-state=refused]").wait_for()
    one = "%(count)s error keeps this set from being published."
    many = "%(count)s errors keep this set from being published."
    expect(page.locator("#report .reason")).to_contain_text(engineer.say_number(one, many, 2))
    rows = page.locator("#report tr", has_text=LABEL)
    expect(rows).to_have_count(2)
    unknown = "The class %(value)s does not exist; there are %(classes)s (from 0 up)."
    outside = "%(value)s is outside 0 to 1; coordinates are fractions of the image's size, not pixels."
    remedy = engineer.say("Correct the row, or choose the lenient check, which leaves such rows out.")
    for line, said in enumerate((engineer.say(unknown, value=9, classes=3), engineer.say(outside, value="1.5")), 1):
        row = rows.filter(has_text=f"{LABEL}:{line}")
        expect(row).to_contain_text(said)
        expect(row).to_contain_text(remedy)
    # Not offered, and not possible by another door.
    expect(page.locator("#report form[action$='/lenient/']")).to_have_count(1)
    expect(page.locator("form[action$='/publish/']")).to_have_count(0)
    upload = page.url.removeprefix(engineer.portal.url).rstrip("/")
    assert shelf.http.post(f"{upload}/publish", json={}).json()["code"] == "upload_refused"
    engineer.fits()


def _publish(engineer: Window) -> None:
    page = engineer.page
    page.locator("#report [data-state=ready]").wait_for()
    assert boxes_over(page.locator("#report .image-grid"), 8) > 0
    expect(page.locator("#report tr", has_text=LABEL)).to_have_count(0)
    page.fill("#id_note", "2026-03")
    engineer.sees_pictures("#report")
    engineer.submit("form[action$='/publish/']")
    page.locator("#report [data-state=published]").wait_for()
    engineer.fits()
    page.locator("#report .reason a").click()


def _look_through(engineer: Window, sound: bytes) -> None:
    page = engineer.page
    page.wait_for_selector("#images")
    assert boxes_over(page.locator("#images"), 8) == box_count(sound)
    engineer.fits()
    page.locator("#images figure a", has=page.get_by_alt_text("train-0000.jpg")).click()
    page.wait_for_url("**/images/*/")
    names = classes_of(sound)["train-0000"]
    assert boxes_over(page.locator("main"), 1) == len(names)
    expect(page.locator("main table tbody tr")).to_have_count(len(names))
    expect(page.locator("main table tbody")).to_contain_text(names[0])
    engineer.fits()
    assert engineer.downloaded("main a[href*='/content']") == members(sound)["images/train/train-0000.jpg"]
    _look_closely(engineer)


def _look_closely(engineer: Window) -> None:
    """Closer and back, layers, and on to the neighbour, by keys alone where there are keys."""
    page = engineer.page
    stage, level = page.locator(".viewer-stage"), page.locator("[data-zoom-level]")
    whole = level.text_content()
    page.keyboard.press("+")
    expect(stage).to_have_class(re.compile("is-closer"))
    expect(level).not_to_have_text(str(whole))
    # The file itself takes the place of its small copy.
    expect(stage.locator("img")).to_have_attribute("src", re.compile("/content"))
    page.keyboard.press("Shift+ArrowRight")
    assert "translate" in str(stage.locator("img").get_attribute("style"))
    page.keyboard.press("0")
    expect(level).to_have_text(str(whole))

    assert is_anything_drawn(stage)
    page.locator("[data-layer^=class-]").first.scroll_into_view_if_needed()
    for box in page.locator("[data-layer^=class-]").all():
        box.uncheck()
    assert not is_anything_drawn(stage)
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**/images/*/")
    expect(page.locator(".viewer-name")).to_have_text("train-0001.jpg")
    engineer.fits()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".viewer-name")).to_have_text("train-0000.jpg")
    # What was hidden is hidden still.
    assert not is_anything_drawn(stage)
