"""What the launcher lays out for a trainer, and what it refuses to."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from modelyard_trainer import Dataset
from modelyard_trainer.paths import UnsafePath, inside

from tests.trainers.launcher_support import Attempt, sha256

SPLIT = {"level": "job", "method": "auto", "seed": 7, "ratios": {"train": 0.7, "val": 0.3, "test": 0.0}}
PICTURES = {"images/a.png": b"first picture", "images/deep/b.png": b"second picture", "c.png": b"third"}


@pytest.fixture
def attempt(tmp_path: Path) -> Iterator[Callable[..., Attempt]]:
    made: list[Attempt] = []

    def make(**orders: Any) -> Attempt:
        made.append(Attempt(tmp_path / str(len(made)), dataset={"items": 3}, **orders))
        one = made[-1]
        one.orders["spec"]["dataset"] = {"manifest": "inputs/dataset/manifest.json"}
        manifest = {
            "contract": 1,
            "name": "shapes",
            "task": "tabular",
            "root_hash": "0" * 64,
            "root": "",
            "classes": [{"id": 0, "name": "circle"}],
            "counts": {"train": 2, "val": 1, "test": 0},
            "split": SPLIT,
        }
        items = [
            {
                "path": path,
                "split": "val" if path == "c.png" else "train",
                "width": 4,
                "height": 4,
                "sha256": sha256(data),
                "size": len(data),
                "annotations": [{"class": 0, "bbox": [0.0, 0.0, 2.0, 2.0]}],
            }
            for path, data in PICTURES.items()
        ]
        one.portal.dataset = [manifest, *items]
        one.portal.blobs = {sha256(data): data for data in PICTURES.values()}
        one.portal.start()
        return one

    yield make
    for one in made:
        one.close()


def lay_out(store: Path, blobs: dict[str, bytes]) -> str:
    for digest, data in blobs.items():
        (store / digest[:2]).mkdir(parents=True, exist_ok=True)
        (store / digest[:2] / digest).write_bytes(data)
    return str(store)


def assert_laid_out(one: Attempt) -> None:
    dataset = Dataset(one.folder / "inputs" / "dataset" / "manifest.json")
    items = list(dataset.items())
    assert [item.path for item in items] == list(PICTURES)
    assert [item.file.read_bytes() for item in items] == list(PICTURES.values())
    assert [item.path for item in dataset.items("val")] == ["c.png"]
    assert dataset.root == one.folder / "inputs" / "dataset"
    assert items[0].annotations == ({"class": 0, "bbox": [0.0, 0.0, 2.0, 2.0]},)
    lines = dataset.split_file("train").read_text().splitlines()
    assert [Path(line).read_bytes() for line in lines] == list(PICTURES.values())[:2]
    assert dataset.split_file("test").read_text() == ""
    assert dataset.split_metadata() == {**SPLIT, "counts": {"train": 2, "val": 1, "test": 0}}


def ended(one: Attempt) -> dict[str, Any]:
    assert one.run() == 0, one.messages()
    assert one.portal.ended is not None
    return one.portal.ended


def test_a_dataset_comes_from_the_portal(attempt: Callable[..., Attempt]) -> None:
    one = attempt()
    assert ended(one)["exit_code"] == 0
    assert_laid_out(one)
    preparing = one.portal.of_type("progress", "launcher")
    assert (preparing[-1]["stage"], preparing[-1]["current"], preparing[-1]["total"]) == ("preparing", 3, 3)
    spec = json.loads((one.folder / "spec.json").read_text())
    assert spec["dataset"]["manifest"] == str(one.folder / "inputs" / "dataset" / "manifest.json")


def test_a_dataset_comes_from_the_nodes_own_store_as_copies(attempt: Callable[..., Attempt], tmp_path: Path) -> None:
    one = attempt()
    one.orders["blob_root"] = store = lay_out(tmp_path / "store", one.portal.blobs)
    assert ended(one)["exit_code"] == 0
    assert_laid_out(one)
    assert not [call for call in one.portal.calls if call.startswith("blobs/")]
    (one.folder / "inputs/dataset/files/c.png").write_bytes(b"changed by a trainer")
    digest = sha256(PICTURES["c.png"])
    assert (Path(store) / digest[:2] / digest).read_bytes() == PICTURES["c.png"]


def test_a_damaged_blob_of_the_store_is_fetched_from_the_portal(
    attempt: Callable[..., Attempt], tmp_path: Path
) -> None:
    one = attempt()
    digest = sha256(PICTURES["c.png"])
    one.orders["blob_root"] = lay_out(tmp_path / "store", {**one.portal.blobs, digest: b"thirt"})
    assert ended(one)["exit_code"] == 0
    assert_laid_out(one)
    assert [call for call in one.portal.calls if call.startswith("blobs/")] == [f"blobs/{digest}"]


def test_a_blob_that_is_damaged_everywhere_ends_the_attempt_before_the_trainer(
    attempt: Callable[..., Attempt],
) -> None:
    one = attempt()
    digest = sha256(PICTURES["c.png"])
    one.portal.blobs[digest] = b"thirt"
    ending = ended(one)
    assert (ending["reason"], ending["exit_code"], ending["params"]["sha256"]) == ("input_damaged", None, digest)
    assert one.portal.events["trainer"] == []


def test_a_blob_that_the_portal_does_not_have_ends_the_attempt(attempt: Callable[..., Attempt]) -> None:
    one = attempt()
    del one.portal.blobs[sha256(PICTURES["c.png"])]
    assert ended(one)["reason"] == "input_missing"


@pytest.mark.parametrize("path", ["../../escaped", "/tmp/escaped", "a/../../../escaped", "a//b", "new\nline", "."])
def test_a_path_that_leads_out_of_the_dataset_is_refused(attempt: Callable[..., Attempt], path: str) -> None:
    one = attempt()
    one.portal.dataset[1]["path"] = path
    ending = ended(one)
    assert ending["reason"] == "input_invalid"
    assert repr(path) in ending["params"]["message"]
    assert one.portal.events["trainer"] == []
    assert list(one.folder.parent.rglob("*escaped*")) == []


def test_a_file_of_the_spec_may_not_lead_out_either(attempt: Callable[..., Attempt]) -> None:
    one = attempt()
    data = PICTURES["c.png"]
    one.orders["files"] = [{"sha256": sha256(data), "size": len(data), "target": "../other/token"}]
    assert ended(one)["reason"] == "input_invalid"
    assert not (one.folder.parent / "other").exists()


def test_a_dataset_that_lacks_items_is_refused(attempt: Callable[..., Attempt]) -> None:
    one = attempt()
    one.portal.dataset.pop()
    ending = ended(one)
    assert ending["reason"] == "input_invalid"
    assert "manifest says" in ending["params"]["message"]


def test_a_training_goes_on_from_the_checkpoint_that_was_sent(attempt: Callable[..., Attempt]) -> None:
    first = attempt(config={"steps": 30, "checkpoint_steps": 10})
    assert ended(first)["exit_code"] == 0
    resume = [data for data in first.portal.of_type("checkpoint") if data["kind"] == "resume"][-1]
    state = first.portal.files[resume["name"]]
    second = attempt(config={"steps": 60, "checkpoint_steps": 10})
    second.orders["spec"]["resume_from"] = {
        "path": "inputs/resume.ckpt",
        "sha256": resume["sha256"],
        "step": resume["step"],
        "epoch": resume["epoch"],
    }
    second.orders["files"] = [{"sha256": resume["sha256"], "size": len(state), "target": "inputs/resume.ckpt"}]
    second.portal.blobs[resume["sha256"]] = state
    assert ended(second)["exit_code"] == 0, second.messages()
    steps = [data["step"] for data in second.portal.of_type("metrics") if data["scope"] == "batch"]
    assert steps == list(range(resume["step"] + 1, 61))


def test_a_stop_ends_the_preparation(attempt: Callable[..., Attempt]) -> None:
    one = attempt()

    def stop_at_first_blob(call: str) -> str | None:
        if call.startswith("blobs/"):
            one.portal.commands = [{"command": "stop", "reason": "user", "grace_seconds": 60}]
            return "500"
        return None

    one.portal.fault = stop_at_first_blob
    ending = ended(one)
    assert (ending["reason"], ending["exit_code"], ending["signal"]) == ("user", None, None)
    assert one.portal.events["trainer"] == []


def test_an_unknown_trainer_is_named(attempt: Callable[..., Attempt]) -> None:
    one = attempt()
    one.orders["trainer"]["path"] = "nobody"
    ending = ended(one)
    assert ending["reason"] == "trainer_missing"
    assert "nobody" in ending["params"]["message"]


@pytest.mark.parametrize(
    "name", ["", "/", "..", "a/..", "./a", "a/", "a\0b", "a\ud800", "..\\a", "a\\b", "C:/a", "c:a"]
)
def test_only_plain_relative_names_stay_inside(tmp_path: Path, name: str) -> None:
    assert inside(tmp_path, "a/b") == tmp_path / "a" / "b"
    with pytest.raises(UnsafePath):
        inside(tmp_path, name)
