"""The main job in a browser: sign in, upload, train, watch the curve grow, stop, resume, try the model."""

import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.datasets.samples import make_samples, sample_archive
from tests.e2e.visitors import Visitor

pytestmark = pytest.mark.e2e

# Points of the first series of the chart that holds mAP, whatever language its label is in.
POINTS = """() => {
  const boxes = [...document.querySelectorAll("[data-charts] [data-chart]")];
  const charts = boxes.map((box) => window.echarts && window.echarts.getInstanceByDom(box)).filter(Boolean);
  const map = charts.find((chart) => chart.getOption().series.some((line) => (line.name || "").includes("mAP50")));
  return map ? map.getOption().series[0].data.length : 0;
}"""


def at_least(page: Page, count: int, seconds: float = 180) -> int:
    """Waits until the curve has this many points; returns how many it has. The page is never loaded anew for it."""
    end = time.monotonic() + seconds
    while (found := page.evaluate(POINTS)) < count:
        assert time.monotonic() < end, f"the curve has {found} points, not {count}"
        page.wait_for_timeout(100)
    return found


def until(page: Page, expression: str, seconds: float = 120) -> None:
    """Until the expression is true; asked from outside, because the page's policy refuses to evaluate text."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(100)


@pytest.mark.parametrize(("language", "theme", "width"), [("en", "light", 1280), ("ko", "dark", 390)])
def test_from_an_upload_to_a_prediction(visit: Any, tmp_path: Path, language: str, theme: str, width: int) -> None:
    visitor: Visitor = visit(language=language, theme=theme, width=width)
    page = visitor.page
    visitor.sign_in()
    expect(page.locator("html")).to_have_attribute("lang", language)
    expect(page.locator("html")).to_have_attribute("data-bs-theme", theme)

    name = f"Shapes {language}"
    _project(visitor, name)
    _dataset(visitor, name, tmp_path)
    _training(visitor, name)

    page.wait_for_selector("[data-live-pill][data-state=live]")
    seen = at_least(page, 2)
    assert at_least(page, seen + 1) > seen
    page.reload()
    assert at_least(page, seen + 1) > seen

    page.click("[data-action=stop]")
    page.wait_for_selector("#confirm.show [data-confirm-yes]")
    page.click("[data-confirm-yes]")
    page.wait_for_selector("[data-badge][data-state=stopped]")
    kept = at_least(page, seen + 1)

    page.click("[data-action=resume]")
    page.wait_for_selector("[data-badge][data-state=running]")
    assert at_least(page, kept + 1) > kept
    expect(page.locator("[data-attempt]")).to_have_text("2")
    page.click("[data-action=stop]")
    page.wait_for_selector("#confirm.show [data-confirm-yes]")
    page.click("[data-confirm-yes]")
    page.wait_for_selector("[data-badge][data-state=stopped]")

    _quick_test(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert visitor.complaints == []


def _project(visitor: Visitor, name: str) -> None:
    visitor.go("/projects/new/")
    visitor.page.fill("input[name=name]", name)
    visitor.page.click("main form button[type=submit]")
    visitor.page.wait_for_url("**/projects/*-*/")


def _dataset(visitor: Visitor, name: str, folder: Path) -> None:
    archive = folder / "shapes.zip"
    archive.write_bytes(sample_archive(train=48, val=16))
    page = visitor.page
    visitor.go("/datasets/new/")
    page.fill("input[name=name]", name)
    page.select_option("select[name=project]", label=name)
    page.click("main form button[type=submit]")
    page.wait_for_url("**/upload/", wait_until="load")
    page.set_input_files("[data-upload-files] >> nth=0", str(archive))
    page.wait_for_url("**/uploads/*/")
    publish = page.locator("form[action$='/publish/'] button[type=submit]")
    publish.wait_for()
    visitor.sees_pictures("#report")
    publish.click()
    page.wait_for_selector(".notice a[href^='/datasets/'], .image-grid figure, [data-state=published]")
    until(page, "() => !document.querySelector('#report[hx-get]')")


def _training(visitor: Visitor, name: str) -> None:
    page = visitor.page
    visitor.go("/training/new/?trainer=ultralytics")
    page.fill("input[name=name]", f"Detector {name}")
    page.select_option("select[name=project]", label=name)
    page.select_option("select[name=dataset]", label=name)
    page.click("[data-preset=quick]")
    expect(page.locator("select[name=model]")).to_have_value("yolov8-tiny")
    page.fill("input[name='config.epochs']", "400")
    # It runs until it is stopped; the other core is for those who look at it.
    page.fill("input[name=cpus]", "1")
    page.click("button[name=start]")
    page.wait_for_url("**/training/*-*/")


def _quick_test(page: Page) -> None:
    (picture,) = make_samples(train=0, val=1, seed=5)
    page.click("#tab-quick-test")
    page.wait_for_selector("[data-quick-files]", state="attached")
    page.set_input_files(
        "[data-quick-files]", [{"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": picture.jpeg}]
    )
    page.wait_for_selector("[data-quick-view]:not([hidden]) [data-quick-name]", timeout=120_000)
    until(page, "() => Boolean(document.querySelector('[data-quick-time]')?.textContent.trim())")
    expect(page.locator("[data-quick-name]")).to_have_text("photo.jpg")
    assert page.locator("[data-quick-error]").is_hidden()
