"""A version in other formats, written in the background, and as it came."""

import hashlib
import json
from collections import Counter

import pytest
from playwright.sync_api import Locator, Page, expect

from apps.datasets.samples import CLASSES, sample_archive
from tests.e2e.datasets.archives import box_count, classes_of, members
from tests.e2e.datasets.shelf import Shelf
from tests.e2e.visitors import Window

pytestmark = pytest.mark.e2e


def test_a_version_is_converted_and_fetched_in_every_form(shelf: Shelf, engineer: Window, language: str) -> None:
    archive = sample_archive(train=6, val=2)
    dataset = shelf.dataset({"en": "Shapes to hand on", "ko": "전달할 도형"}[language], archive)
    page = engineer.page
    engineer.go(f"{dataset}files/")
    engineer.fits()
    # Byte for byte what came in, by a link.
    assert members(engineer.downloaded("button[name=what][value=zip]")) == members(archive)
    digests = engineer.downloaded("button[name=what][value=manifest]").decode().splitlines()
    assert {tuple(reversed(line.split("  ", 1))) for line in digests} == {
        (name, hashlib.sha256(content).hexdigest()) for name, content in members(archive).items()
    }

    page.click(f"main a[href^='{dataset}exports/']")
    coco = _exported(engineer, "coco", "COCO")
    documents = [json.loads(content) for name, content in coco.items() if name.startswith("annotations/")]
    names = {found["id"]: found["name"] for document in documents for found in document["categories"]}
    boxes = [found for document in documents for found in document["annotations"]]
    assert len(boxes) == box_count(archive)
    per_class = Counter(name for found in classes_of(archive).values() for name in found)
    assert Counter(names[box["category_id"]] for box in boxes) == per_class

    loss = engineer.say("The objects of an image become its class. Images: %(count)s.", count=8)
    folders = _exported(engineer, "imagefolder", "ImageFolder", loss)
    pictures = {name: content for name, content in folders.items() if name.endswith(".jpg")}
    assert {name.split("/")[-2] for name in pictures} <= set(CLASSES)
    assert set(pictures.values()) == {content for name, content in members(archive).items() if name.endswith(".jpg")}


def test_nothing_is_exported_in_the_former_format_while_another_is_on_its_way(shelf: Shelf, engineer: Window) -> None:
    archive = sample_archive(train=6, val=2)
    engineer.go(f"{shelf.dataset('Shapes in two minds', archive)}exports/")
    page, held = engineer.page, {}
    page.route("**/exports/?*format=*", lambda route: held.update({route.request.url: route}))
    export = page.locator("main form:has(input[name=format]) button[type=submit]")
    expect(export).to_be_enabled()
    # A second change of mind gives the first up, and what the first has shut stays shut.
    for format in ("coco", "pascal_voc"):
        with page.expect_request(f"**format={format}**") as asked:
            page.select_option("#export-format", format)
        expect(export).to_be_disabled()
    held[asked.value.url].continue_()
    page.wait_for_url("**format=pascal_voc**")
    expect(export).to_be_enabled()
    expect(page.locator("#export input[name=format]")).to_have_value("pascal_voc")


def test_chosen_images_are_exported_by_themselves(shelf: Shelf, engineer: Window, language: str) -> None:
    archive = sample_archive(train=6, val=2)
    engineer.go(shelf.dataset({"en": "Shapes to pick from", "ko": "골라 낼 도형"}[language], archive))
    page = engineer.page
    opener = page.locator("[data-bs-target='#export-images']")
    expect(opener).to_be_disabled()
    boxes = page.locator("#images .image-choose")
    boxes.nth(1).check()
    boxes.nth(6).check()
    opener.click()
    dialog = page.locator("#export-choice")
    dialog.locator("#images-format").select_option("imagefolder")
    loss = engineer.say("The objects of an image become its class. Images: %(count)s.", count=2)
    expect(dialog).to_contain_text(loss)
    engineer.fits()
    dialog.locator("button[type=submit]").click()
    engineer.told("The export is being written; it is listed below.")
    row = page.locator("#exports tbody tr", has_text="ImageFolder")
    row.locator("[data-state=ready]").wait_for()
    engineer.fits()
    pictures = {name: content for name, content in _fetched(page, row).items() if name.endswith(".jpg")}
    assert len(pictures) == 2 and set(pictures.values()) < set(members(archive).values())


def _exported(engineer: Window, format: str, title: str, loss: str = "") -> dict[str, bytes]:
    """What is lost is told before and after; the rest goes on in the background until the archive is there."""
    page = engineer.page
    page.select_option("#export-format", format)
    page.wait_for_url(f"**format={format}**")
    told = page.locator("#export")
    expect(told).to_contain_text(loss or engineer.say("Nothing is lost."))
    engineer.fits()
    engineer.submit("main form:has(input[name=format])")
    engineer.told("The export is being written; it is listed below.")
    row = page.locator("#exports tbody tr", has_text=title)
    row.locator("[data-state=ready]").wait_for()
    engineer.fits()
    _keeps_the_losses(row, loss)
    return _fetched(page, row)


def _fetched(page: Page, row: Locator) -> dict[str, bytes]:
    with page.expect_download() as started:
        row.locator("form[action$='/download/'] button").click()
    return members(started.value.path().read_bytes())


def _keeps_the_losses(row: Locator, loss: str) -> None:
    expect(row.locator("details")).to_have_count(1 if loss else 0)
    if loss:
        row.locator("summary").click()
        expect(row.locator("details li")).to_contain_text([loss])
