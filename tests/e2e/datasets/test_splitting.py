"""A split by shares and a seed, images moved by hand, images deleted and brought back."""

from collections import Counter

import pytest
from playwright.sync_api import Page, expect

from apps.datasets.samples import sample_archive
from tests.e2e.datasets.pictures import boxes_over
from tests.e2e.datasets.shelf import Shelf
from tests.e2e.visitors import Window

pytestmark = pytest.mark.e2e

IMAGES = 16
SPLITS = {"train": "Training", "val": "Validation", "test": "Test"}


def test_a_split_is_drawn_changed_by_hand_and_taken_back(shelf: Shelf, engineer: Window, language: str) -> None:
    name = {"en": "Shapes to divide", "ko": "나눌 도형"}[language]
    dataset = shelf.dataset(name, sample_archive(train=12, val=4))
    page = engineer.page
    engineer.go(f"{dataset}classes/")
    assert _table(engineer) == {"train": 12, "val": 4, "test": 0}

    _draw(engineer, seed=7)
    first = _table(engineer)
    assert sum(first.values()) == IMAGES
    assert min(first.values()) > 0
    expect(page.locator(".split-now")).to_contain_text(engineer.say("Automatic"))
    expect(page.locator(".split-now")).to_contain_text(f"{engineer.say('Seed')} 7")
    _open(page, dataset)
    drawn = _tiles(engineer)
    assert Counter(drawn.values()) == first
    engineer.fits()

    moved = _move(engineer, drawn)
    assert _tiles(engineer) == {**drawn, **dict.fromkeys(moved, "test")}
    _open(page, f"{dataset}classes/")
    assert _table(engineer) == Counter({**drawn, **dict.fromkeys(moved, "test")}.values())
    said = engineer.say_number(
        "%(shown)s image was moved", "%(shown)s images were moved", len(moved), shown=len(moved)
    )
    expect(page.locator(".split-now")).to_contain_text(said)

    # The same seed draws the same split again, and nothing is left of the hand.
    _draw(engineer, seed=7)
    assert _table(engineer) == first
    engineer.submit("main form[action$='/split/remove/']")
    engineer.agree()
    engineer.told("The default split is in force.")
    assert _table(engineer) == {"train": 12, "val": 4, "test": 0}


def test_deleted_images_come_back(shelf: Shelf, engineer: Window, language: str) -> None:
    name = {"en": "Shapes to delete", "ko": "지울 도형"}[language]
    dataset = shelf.dataset(name, sample_archive(train=6, val=2))
    engineer.go(dataset)
    page = engineer.page
    before = _tiles(engineer)
    boxes = boxes_over(page.locator("#images"), 8)
    expect(page.locator(".choose-acts button:enabled")).to_have_count(0)
    gone = _choose(page, 2, 3)
    page.locator("button[value=delete]").click()
    expect(page.locator("#confirm [data-confirm-text]")).to_contain_text(str(len(gone)))
    engineer.agree()
    engineer.told("Revision %(no)s is without the images.", no=2)
    left = _tiles(engineer)
    assert left == {name: split for name, split in before.items() if name not in gone}
    engineer.fits()

    undo = page.locator("form.undo")
    expect(undo).to_contain_text(engineer.say("You have just deleted images: revision %(no)s is without them.", no=2))
    undo.locator("button").click()
    engineer.told("The version is back, as revision %(no)s.", no=3)
    _open(page, dataset)
    assert _tiles(engineer) == before
    assert boxes_over(page.locator("#images"), 8) == boxes


def _open(page: Page, path: str) -> None:
    """By the tabs of the dataset."""
    page.click(f".tab-line a[href='{path}']")
    page.wait_for_url(f"**{path}")


def _draw(engineer: Window, seed: int) -> None:
    page = engineer.page
    form = page.locator("main form[action$='/split/']")
    form.locator("input[name=method][value=auto]").check()
    for split, share in (("train", "0.5"), ("val", "0.25"), ("test", "0.25")):
        form.locator(f"input[name={split}]").fill(share)
    form.locator("input[name=seed]").fill(str(seed))
    engineer.fits()
    engineer.submit("main form[action$='/split/']")
    engineer.told("The split was changed.")


def _table(engineer: Window) -> dict[str, int]:
    """Split → its images, as the page of the split says."""
    rows = engineer.page.locator(".split-now table tbody tr")
    expect(rows).to_have_count(len(SPLITS) + 1)
    cells = [row.locator("td").all_inner_texts() for row in rows.all()]
    found = {words[0].strip(): int(words[1].split()[-1]) for words in cells}
    return {split: found[engineer.say(label)] for split, label in SPLITS.items()}


def _tiles(engineer: Window) -> dict[str, str]:
    """Image → its split, as the grid says."""
    words = {engineer.say(label): split for split, label in SPLITS.items()}
    captions = engineer.page.locator("#images figcaption")
    captions.first.wait_for()
    return {
        caption.locator("span").first.inner_text(): words[caption.locator("span").last.inner_text().strip()]
        for caption in captions.all()
    }


def _choose(page: Page, first: int, last: int) -> list[str]:
    """From the one to the other, as a person does who holds Shift; their names."""
    boxes = page.locator("#images .image-choose")
    boxes.nth(first).click()
    boxes.nth(last).click(modifiers=["Shift"])
    names = page.locator("#images figure:has(.image-choose:checked) figcaption span:first-child").all_inner_texts()
    assert len(names) == last - first + 1
    expect(page.locator("[data-choose-count]")).to_contain_text(str(len(names)))
    return names


def _move(engineer: Window, drawn: dict[str, str]) -> list[str]:
    """Four images to the test split, of which not all are there already."""
    page = engineer.page
    names = _choose(page, 1, 4)
    assert {drawn[name] for name in names} != {"test"}
    page.locator(".choose-acts .dropdown > button").click()
    page.locator(".choose-acts button[value='move:test']").click()
    count = len(names)
    engineer.notified(engineer.say_number("%(count)s image was moved.", "%(count)s images were moved.", count))
    return names
