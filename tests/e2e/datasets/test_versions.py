"""A snapshot by hand, a second delivery, both compared, and the first brought back."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from apps.datasets.samples import CLASSES, sample_archive
from tests.e2e.datasets.archives import box_count, classes_of, images_per_class, next_delivery
from tests.e2e.datasets.pictures import boxes_over
from tests.e2e.datasets.shelf import Shelf
from tests.e2e.visitors import Window

pytestmark = pytest.mark.e2e

#: What `next_delivery` does to images.
DIFFERENCES = {
    "Image added": 1,
    "Image removed": 1,
    "Picture replaced": 1,
    "Labels changed": 1,
    "Split changed": 0,
}


def test_a_second_delivery_is_compared_with_the_first_which_comes_back(
    shelf: Shelf, engineer: Window, language: str, tmp_path: Path
) -> None:
    first = sample_archive(train=6, val=2)
    second = next_delivery(first)
    dataset = shelf.dataset({"en": "Shapes by delivery", "ko": "납품별 도형"}[language], first)
    page = engineer.page
    engineer.go(f"{dataset}versions/")
    page.fill("#id_tag", "spring")
    page.fill("#id_note", "2026-03")
    engineer.submit("main form:has(#id_tag)")
    engineer.told("The snapshot was made.")
    tag = page.locator(".version-tags li")
    expect(tag).to_contain_text("spring")
    expect(tag).to_contain_text(engineer.say("train %(train)s, val %(val)s, test %(test)s", train=6, val=2, test=0))
    engineer.fits()

    _publish_instead(engineer, dataset, second, tmp_path / "second.zip")
    page.click(f".tab-line a[href='{dataset}versions/']")
    head = page.locator(".version.is-head")
    expect(head).to_contain_text(engineer.say("Revision %(no)s", no=2))
    # The picture whose labels changed counts beside the file that holds them.
    counts = "files: %(added)s added, %(changed)s changed, %(removed)s removed"
    expect(head).to_contain_text(engineer.say(counts, added=2, changed=3, removed=2))

    head.locator("a[href*='/compare/']").click()
    page.wait_for_url("**/compare/**")
    _is_compared(engineer, first, second)
    _is_narrowed_to_labels(engineer, first)

    page.click(f".tab-line a[href='{dataset}versions/']")
    page.locator(".version", has_text="spring").locator("form[action$='/versions/restore/'] button").click()
    engineer.agree()
    engineer.told("The version is back, as revision %(no)s.", no=3)
    expect(head).to_contain_text(engineer.say("Restored from r%(no)s", no=1))
    engineer.fits()
    page.select_option("#compare-before", "spring")
    page.select_option("#compare-after", "r3")
    engineer.submit("main form[action$='/compare/']")
    engineer.reads("No image differs in this way.")
    assert set(_figures(engineer).values()) == {0}
    page.click(f".tab-line a[href='{dataset}history/']")
    history = page.locator("[data-history] tbody tr")
    for action in ("Version restored", "Snapshot made"):
        expect(history.filter(has_text=engineer.say(action))).to_have_count(1)
    engineer.fits()
    page.click(f".tab-line a[href='{dataset}']")
    assert boxes_over(page.locator("#images"), 8) == box_count(first)


def test_a_training_is_prepared_on_a_version(shelf: Shelf, engineer: Window, language: str) -> None:
    names = {"en": ("Shapes with versions", "Shapes without"), "ko": ("버전 있는 도형", "버전 없는 도형")}[language]
    dataset, plain = (shelf.dataset(name, sample_archive(train=4, val=2)) for name in names)
    page = engineer.page
    engineer.go(f"{dataset}versions/")
    page.fill("#id_tag", "autumn")
    engineer.submit("main form:has(#id_tag)")
    engineer.told("The snapshot was made.")
    page.locator(".version-tags li", has_text="autumn").locator("a[href*='/training/new/']").click()
    page.wait_for_url("**/training/new/**")
    version = page.locator("#id_dataset_version")
    expect(version.locator("option:checked")).to_contain_text("autumn (r1)")
    engineer.fits()

    # Another dataset has the latest taken, whatever was chosen of the first.
    page.select_option("#id_dataset", plain.strip("/").rpartition("/")[2])
    expect(version.locator("option")).to_have_count(1)
    expect(version).to_have_value("")
    page.select_option("#id_dataset", dataset.strip("/").rpartition("/")[2])
    expect(version.locator("option")).to_have_count(2)
    expect(version).to_have_value("")
    version.select_option(index=1)
    page.click("button[name=draft]")
    page.wait_for_url(re.compile(r"/training/[0-9a-f-]{36}/$"))
    page.click("#tab-config")
    expect(page.locator("#pane-config dl")).to_contain_text("autumn")
    engineer.go(f"{dataset}versions/")
    expect(page.locator(".version-uses")).to_contain_text(engineer.say("Draft"))


def _publish_instead(engineer: Window, dataset: str, archive: bytes, path: Path) -> None:
    """The archive in the place of all that is there."""
    page = engineer.page
    page.click(f"main a[href='{dataset}upload/']")
    path.write_bytes(archive)
    page.set_input_files("[data-upload-files] >> nth=0", str(path))
    page.wait_for_url("**/uploads/*/")
    page.check("input[name=mode][value=replace]")
    engineer.fits()
    engineer.sees_pictures("#report")
    engineer.submit("form[action$='/publish/']")
    page.locator("#report [data-state=published]").wait_for()


def _is_compared(engineer: Window, first: bytes, second: bytes) -> None:
    assert _figures(engineer) == DIFFERENCES
    page = engineer.page
    pairs = page.locator(".version-pairs > li")
    expect(pairs).to_have_count(4)
    before, after = classes_of(first), classes_of(second)
    for path, sides in {
        "train-0000": (before["train-0000"], after["train-0000"]),
        "train-0002": (before["train-0002"], after["train-0002"]),
        "train-0001": (before["train-0001"], None),
        "extra": (None, after["extra"]),
    }.items():
        pair = pairs.filter(has_text=f"images/train/{path}.jpg")
        for side, names in zip(pair.locator(".version-pair > div").all(), sides, strict=True):
            side.scroll_into_view_if_needed()
            assert boxes_over(side, int(names is not None)) == len(names or ())
    removed, added = (
        pairs.filter(has_text=f"{name}.jpg").locator(".version-absent") for name in ("train-0001", "extra")
    )
    expect(removed).to_have_text(engineer.say("Not there any more"))
    expect(added).to_have_text(engineer.say("Was not there"))
    old, new = images_per_class(first), images_per_class(second)
    rows = page.locator("table tbody tr")
    expect(rows).to_have_count(len(CLASSES))
    for name in CLASSES:
        change = new[name] - old[name]
        shown = rows.filter(has_text=name).locator("td.is-number").all_inner_texts()
        assert [int(text.replace("−", "-")) for text in shown] == [old[name], new[name], change]
    engineer.fits()


def _is_narrowed_to_labels(engineer: Window, first: bytes) -> None:
    page = engineer.page
    page.select_option("main select[name=kind]", label=engineer.say("Labels changed"))
    page.click("main form:has(select[name=kind]) button")
    page.wait_for_url("**kind=annotations**")
    pair = page.locator(".version-pairs > li")
    expect(pair).to_have_count(1)
    expect(pair).to_contain_text("train-0000.jpg")
    expect(pair.locator("[data-badge]")).to_have_text([engineer.say("Labels changed")])
    was, now = pair.locator("[data-boxes]").evaluate_all(
        "(roots) => roots.map((root) => JSON.parse(root.dataset.boxes))"
    )
    assert len(was) == len(classes_of(first)["train-0000"])
    assert [box["bbox"] for box in now] == [[48, 48, 32, 32]]


def _figures(engineer: Window) -> dict[str, int]:
    """What happened → how often, as the page says above the pictures."""
    page = engineer.page
    labels = page.locator(".stat-label").all_inner_texts()
    values = page.locator(".stat-value").all_inner_texts()
    shown = dict(zip(labels, map(int, values), strict=True))
    return {name: shown[engineer.say(name)] for name in DIFFERENCES}
