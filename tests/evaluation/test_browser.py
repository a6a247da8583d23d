"""The quick test in a real browser against the real portal: a picture in, an answer out, without a reload."""

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.db import connection, connections
from modelyard.asgi import application
from playwright.sync_api import expect, sync_playwright

from apps.core.testing import Cast
from apps.evaluation.models import InferenceInput, InferenceJob
from apps.jobs import messages
from apps.jobs.states import JobState
from apps.training.models import CheckpointKind
from tests.chromium import chromium
from tests.datasets.factories.images import encoded
from tests.evaluation.machine import Machine, wait_until
from tests.factories.evaluation import InferenceJobFactory, TriedCheckpointFactory

pytestmark = pytest.mark.e2e
BOXES = [
    {"bbox": [1, 1, 4, 4], "class": 0, "label": "circle", "score": 0.9},
    {"bbox": [3, 3, 4, 4], "class": 1, "label": "square", "score": 0.4},
    {"bbox": [0, 0, 2, 2], "class": 1, "label": "square", "score": 0.1},
]


@pytest.fixture
def url(transactional_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The portal on a port of its own, with sockets; launchers find it too."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    found = f"http://127.0.0.1:{listener.getsockname()[1]}"
    (tmp_path / "portal.url").write_text(f"{found}\n")
    monkeypatch.setitem(settings.JOBS, "portal_file", tmp_path / "portal.url")
    monkeypatch.setitem(settings.JOBS, "attempts_dir", tmp_path / "attempts")
    monkeypatch.setattr(messages, "send_hint", lambda *args, **options: None)
    # The browser library runs a loop in this thread.
    monkeypatch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    config = uvicorn.Config(ASGIStaticFilesHandler(application), log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(server.serve(sockets=[listener])), daemon=True)
    thread.start()
    yield found
    server.should_exit = server.force_exit = True
    thread.join(20)
    listener.close()
    # The thread behind sockets keeps its connection, and a database with connections cannot be dropped.
    asyncio.run(sync_to_async(connections.close_all)())


@pytest.fixture
def open_page(url: str, cast: Cast) -> Iterator[Callable[..., Any]]:
    """Opens a page as a person, in a language, a theme and a width; what the console said is in `complaints`."""
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-background-networking"]
        )

        def opened(path: str, persona: str = "editor", width: int = 1280, language: str = "en", **cookies: str) -> Any:
            page = browser.new_page(viewport={"width": width, "height": 900})
            session = cast.person(persona).portal.cookies[settings.SESSION_COOKIE_NAME].value
            given = {settings.SESSION_COOKIE_NAME: session, settings.LANGUAGE_COOKIE_NAME: language, **cookies}
            page.context.add_cookies([{"name": name, "value": value, "url": url} for name, value in given.items()])
            page.complaints = []
            page.on("console", lambda said: page.complaints.append(said.text) if said.type == "error" else None)
            page.on("pageerror", lambda error: page.complaints.append(str(error)))
            page.goto(f"{url}{path}")
            return page

        yield opened
        browser.close()


def elsewhere(work: Callable[[], Any]) -> Any:
    """Runs what a worker would, beside the page."""

    def run() -> Any:
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()


@pytest.fixture
def answered(cast: Cast, url: str) -> InferenceJob:
    """A finished test of two pictures, three boxes on the first."""
    inference = InferenceJobFactory(checkpoint=cast.sample("tried-checkpoint"), config={"conf": 0.05})
    first = inference.inputs.get()
    InferenceInput.objects.create(
        job=inference, no=1, name="other.png", sha256=first.sha256, size=first.size, media_type="image/png",
        width=8, height=8,
    )  # fmt: skip
    predictions = [
        {"name": first.name, "milliseconds": 62.5, "boxes": BOXES},
        {"name": "other.png", "milliseconds": 10, "boxes": []},
    ]
    InferenceJob.objects.filter(pk=inference.pk).update(result={"predictions": predictions})
    inference.job.state = JobState.SUCCEEDED
    inference.job.save(update_fields=["state"])
    return inference


def test_a_picture_is_sent_followed_and_answered_without_a_reload(
    url: str, cast: Cast, open_page: Callable[..., Any]
) -> None:
    machine = Machine(cast)
    training = elsewhere(lambda: machine.train(trainer="reference", config={"steps": 10, "epoch_steps": 10}))
    page = open_page("/quick-test/")
    picture = {"name": "<b>photo.png", "mimeType": "image/png", "buffer": encoded("PNG", 64, 48)}
    page.set_input_files("[data-quick-files]", [picture])
    page.wait_for_selector("[data-quick-stop]:not([hidden])")
    sent = elsewhere(
        lambda: wait_until(lambda: InferenceJob.objects.filter(checkpoint__job=training).first(), "a job")
    )
    assert sent.config == {}
    elsewhere(lambda: machine.run(sent.pk))
    page.wait_for_selector("[data-quick-rows] tr")
    assert page.locator("[data-quick-rows] tr").count() == 3
    assert page.locator("[data-quick-progress]").is_hidden()
    assert page.locator("[data-quick-name]").inner_text() == "<b>photo.png"
    assert page.complaints == []


def test_boxes_are_filtered_by_threshold_and_class_and_pictures_changed_by_keys(
    answered: InferenceJob, open_page: Callable[..., Any]
) -> None:
    page = open_page(f"/training/{answered.checkpoint.job_id}/", "viewer")
    page.click("#tab-quick-test")
    page.click(f"[data-quick-open='{answered.pk}']")
    rows = page.locator("[data-quick-rows] tr")
    page.wait_for_selector("[data-quick-rows] tr")
    assert rows.count() == 2
    page.fill("[data-quick-threshold]", "0.06")
    assert rows.count() == 3
    page.click("[data-quick-classes] >> text=square")
    assert rows.count() == 1
    assert page.locator("[data-quick-time]").inner_text() == "62.5 ms"
    page.focus("[data-quick-stage-area]")
    page.keyboard.press("ArrowRight")
    assert page.locator("[data-quick-position]").inner_text() == "2 / 2"
    assert page.locator("[data-quick-nothing]").is_visible()
    page.keyboard.press("ArrowLeft")
    assert rows.count() == 1
    with page.expect_download() as saved:
        page.click("[data-quick-download]")
    assert saved.value.suggested_filename == f"quick-test-{answered.pk}.json"
    assert "triangle" not in Path(saved.value.path()).read_text()
    assert page.complaints == []


def test_the_list_of_checkpoints_is_as_new_as_the_tab_and_keeps_the_choice(
    answered: InferenceJob, open_page: Callable[..., Any]
) -> None:
    tried = answered.checkpoint
    page = open_page(f"/training/{tried.job_id}/")
    page.wait_for_selector("#quick-checkpoint", state="attached")
    newer = elsewhere(lambda: TriedCheckpointFactory(job=tried.job, kind=CheckpointKind.LAST))
    page.click("#tab-quick-test")
    page.wait_for_selector(f"#quick-checkpoint option[value='{newer.pk}']", state="attached")
    page.select_option("#quick-checkpoint", str(tried.pk))
    newest = elsewhere(lambda: TriedCheckpointFactory(job=tried.job, kind=CheckpointKind.LAST))
    # Again and again: a list that has just come hears nothing yet.
    page.wait_for_function(
        """(value) => {
            document.dispatchEvent(new CustomEvent("job:state"));
            return Boolean(document.querySelector(`#quick-checkpoint option[value="${value}"]`));
        }""",
        arg=str(newest.pk),
        polling=300,
    )
    expect(page.locator("#quick-checkpoint")).to_have_value(str(tried.pk))
    assert page.locator("[data-quick-drop]").count() == 1
    assert page.complaints == []


def test_a_refused_file_is_named_and_the_next_one_is_taken(
    url: str, cast: Cast, open_page: Callable[..., Any]
) -> None:
    cast.sample("tried-checkpoint")
    page = open_page("/quick-test/", language="ko")
    page.set_input_files("[data-quick-files]", [{"name": "bad.png", "mimeType": "image/png", "buffer": b"no picture"}])
    page.wait_for_selector("[data-quick-error]:not([hidden])")
    assert "bad.png" in page.locator("[data-quick-error-text]").inner_text()
    assert page.locator("[data-quick-name]").inner_text() == "bad.png"
    complaints = [said for said in page.complaints if "400" not in said]
    page.set_input_files(
        "[data-quick-files]", [{"name": "good.png", "mimeType": "image/png", "buffer": encoded("PNG")}]
    )
    page.wait_for_selector("[data-quick-stage=queued][data-state=current]")
    assert page.locator("[data-quick-error]").is_hidden()
    page.click("[data-quick-stop]")
    page.wait_for_selector("[data-quick-error]:not([hidden])")
    assert complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_fits_a_phone(answered: InferenceJob, open_page: Callable[..., Any], theme: str) -> None:
    page = open_page("/quick-test/", width=390, theme=theme, language="ko")
    page.click(f"[data-quick-open='{answered.pk}']")
    page.wait_for_selector("[data-quick-rows] tr")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.complaints == []
