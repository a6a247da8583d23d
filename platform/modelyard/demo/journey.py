"""Sign up, upload, train, watch, try."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes
from itertools import count
from pathlib import Path
from typing import Any

from apps.datasets.samples import make_samples, sample_archive
from modelyard.demo.client import ApiError, Client

EMAIL = "demo@modelyard.example"
COMPANY = "Modelyard Demo"
PROJECT = "Shapes"
KEY = re.compile(r"/account/confirm-email/([^/\s]+)/")
UPLOAD_SECONDS = 120
JOB_SECONDS = 1800
PICTURES = 3
#: What the installer of an environment says of each package; the demo leaves these lines to the job's log.
EACH_PACKAGE = "environment:  + "


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the journey came to."""

    map50: float
    seconds: float
    job_id: str
    boxes: int


class Journey:
    """One walk through the portal; `say(step, text)` prints a line. Raises `ApiError` where something is refused."""

    def __init__(self, url: str, password: str, mail_folder: Path, say: Callable[[str, str], None]) -> None:
        self.client = Client(url)
        self.password = password
        self.mail_folder = mail_folder
        self.say = say

    def run(self) -> Outcome:
        began = time.monotonic()
        self.sign_in()
        project = self._project()
        dataset = self._dataset(project)
        job = self._train(project, dataset)
        map50 = self._watch(job)
        boxes = self._try(job)
        return Outcome(map50, time.monotonic() - began, job, boxes)

    def sign_in(self) -> None:
        try:
            self.client.sign_in(EMAIL, self.password)
            self.say("sign-in", f"{EMAIL} (known from before)")
        except ApiError:
            self._sign_up()
            self.client.sign_in(EMAIL, self.password)
            self.say("sign-up", f"{EMAIL}, address verified by mail, administrator of {COMPANY}")

    def _sign_up(self) -> None:
        known = set(self.mail_folder.glob("*"))
        self.client.post("/auth/sign-up", {"email": EMAIL, "password": self.password, "company": COMPANY})
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for path in set(self.mail_folder.glob("*")) - known:
                if found := _key(path.read_bytes()):
                    self.client.post("/auth/verify-email", {"key": found, "password": self.password})
                    return
            time.sleep(0.2)
        raise ApiError("the verification mail did not arrive")

    def _project(self) -> str:
        for found in self.client.get("/projects", search=PROJECT)["results"]:
            if found["name"] == PROJECT:
                return found["id"]
        return self.client.post("/projects", {"name": PROJECT, "description": "Circles, squares and triangles"})["id"]

    def _dataset(self, project: str) -> str:
        content = sample_archive()
        name = self._free_name("/datasets", "Shapes")
        dataset = self.client.post("/datasets", {"name": name, "project_id": project})["id"]
        upload = f"/datasets/{dataset}/uploads/{self.client.post(f'/datasets/{dataset}/uploads')['id']}"
        self.client.put_bytes(f"{upload}/files?path=shapes.zip", content)
        self.client.post(f"{upload}/analyze")
        analysed = self.client.wait(
            upload, lambda found: found["state"] not in {"receiving", "analysing"}, UPLOAD_SECONDS
        )
        if analysed["state"] != "ready":
            raise ApiError(f"the upload was not accepted: {analysed}")
        self.client.post(f"{upload}/publish")
        done = self.client.wait(
            upload, lambda found: found["state"] in {"published", "failed", "refused"}, UPLOAD_SECONDS
        )
        if done["state"] != "published":
            raise ApiError(f"the upload was not published: {done}")
        self.say("dataset", f"{name}: {len(content) / 1e6:.1f} MB uploaded, analysed and published")
        return dataset

    def _free_name(self, path: str, name: str) -> str:
        """`name`, or with the next number where a demo before has taken it."""
        taken = {found["name"].lower() for found in self.client.get(path, search=name, page_size=200)["results"]}
        names = (f"{name} {number}" if number > 1 else name for number in count(1))
        return next(free for free in names if free.lower() not in taken)

    def _train(self, project: str, dataset: str) -> str:
        schema = self.client.get("/trainers/ultralytics/config-schema")
        preset = next(found for found in schema["x-presets"] if found["name"] == "quick")
        job = self.client.post(
            "/training-jobs",
            {
                "name": self._free_name("/training-jobs", "Shapes, quick"),
                "project_id": project,
                "dataset_id": dataset,
                "trainer": "ultralytics",
                "task": "detect",
                "model": preset["model"],
                "config": preset["values"],
            },
        )["id"]
        self.client.post(f"/training-jobs/{job}/start")
        self.say("training", f"{self.client.url}/training/{job}/")
        return job

    def _watch(self, job: str) -> float:
        """Follows the socket to the end; returns the best weights' mAP50 on the validation pictures."""
        map50, said, began = 0.0, "", time.monotonic()
        for event in self.client.follow(job):
            if time.monotonic() - began > JOB_SECONDS:
                raise ApiError("the training took too long")
            if event["type"] == "progress" and event["stream"] == "launcher":
                said = self._once(said, event["data"].get("message") or "")
            elif event["type"] == "metrics" and event["data"].get("scope") == "epoch":
                self._epoch(event["data"])
            elif event["type"] == "result":
                map50 = float(event["data"]["metrics"].get("val/map50", 0.0))
            elif event["type"] == "job" and event["state"] in {"succeeded", "stopped", "failed", "errored"}:
                if event["state"] != "succeeded":
                    raise ApiError(f"the training ended as {event['state']}: {event['reason']}")
                return map50
        raise ApiError("the socket ended")

    def _once(self, said: str, text: str) -> str:
        if text and text != said and not text.startswith(EACH_PACKAGE):
            self.say("preparing", text)
        return text or said

    def _epoch(self, data: dict[str, Any]) -> None:
        values = data["values"]
        shown = [
            f"{name.split('/')[-1]} {values[name]:.3f}" for name in ("train/box_loss", "val/map50") if name in values
        ]
        self.say(f"epoch {data['epoch']:g}", "  ".join(shown))

    def _try(self, job: str) -> int:
        """The quick test on pictures that the model has never seen."""
        pictures = list(make_samples(train=0, val=PICTURES, seed=999))
        files = [(sample.name, sample.jpeg, "image/jpeg") for sample in pictures]
        test = self.client.post_files("/inference-jobs", {"training_job_id": job}, files)["id"]
        ended = {"succeeded", "stopped", "failed", "errored"}
        found = self.client.wait(f"/inference-jobs/{test}", lambda row: row["job"]["state"] in ended, 180)
        if found["job"]["state"] != "succeeded":
            raise ApiError(f"the quick test ended as {found['job']['state']}: {found['job']['reason']}")
        boxes = sum(len(picture["boxes"]) for picture in found["result"]["predictions"])
        self.say("quick test", f"{boxes} boxes found in {PICTURES} fresh pictures")
        return boxes


def _key(mail: bytes) -> str | None:
    """The verification key in a mail, whatever its parts and encodings."""
    for part in message_from_bytes(mail).walk():
        payload = part.get_payload(decode=True)
        if isinstance(payload, bytes) and (found := KEY.search(payload.decode("utf-8", "replace"))):
            return found.group(1)
    return None
