"""Datasets put there over REST, for journeys that begin with one."""

import time
from dataclasses import dataclass
from typing import Any

import httpx

SECONDS = 60


@dataclass
class Shelf:
    """Datasets of the person for whom `http` speaks."""

    http: httpx.Client

    def project(self, name: str) -> str:
        return str(self._post("/projects", {"name": name})["id"])

    def dataset(self, name: str, archive: bytes) -> str:
        """A dataset, in a project of its own, of which the archive is revision 1; its address."""
        dataset = self._post("/datasets", {"name": name, "project_id": self.project(name)})["id"]
        uploads = f"/datasets/{dataset}/uploads"
        upload = f"{uploads}/{self._post(uploads)['id']}"
        sent = self.http.put(f"{upload}/files", params={"path": "shapes.zip"}, content=archive)
        sent.raise_for_status()
        for act, state in (("analyze", "ready"), ("publish", "published")):
            self._post(f"{upload}/{act}")
            self._wait(upload, state)
        return f"/datasets/{dataset}/"

    def _post(self, path: str, body: Any = None) -> Any:
        return self.http.post(path, json=body or {}).raise_for_status().json()

    def _wait(self, path: str, state: str) -> None:
        end = time.monotonic() + SECONDS
        while (found := self.http.get(path).raise_for_status().json())["state"] != state:
            assert time.monotonic() < end, found
            time.sleep(0.1)
