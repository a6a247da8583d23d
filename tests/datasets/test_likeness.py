"""Pictures that look alike: found over re-encoding and scaling, in a set, across splits, in the dataset and elsewhere."""

import io
import itertools
import os
import random
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from PIL import Image, ImageOps

from apps.core.testing import Cast, captured_queries
from apps.datasets import likeness, tasks
from apps.datasets.analysis import Analysis, analyse
from apps.datasets.images import look_process
from apps.datasets.images.decoding import LOOK_BYTES, decoded, look_at, look_of
from apps.datasets.images.look_process import Looks
from apps.datasets.likeness import TOLERANCE, LookGroups, LookIndex, cell_of, cells_near
from apps.datasets.models import Blob, Dataset, Revision, Upload
from apps.datasets.samples import make_samples
from apps.datasets.services import decoding, split_set
from apps.datasets.services.likeness import Picture, pictures_elsewhere, warn_of_known
from tests.datasets.factories.archives import zip_of
from tests.datasets.factories.images import encoded, oriented_jpeg, png
from tests.datasets.factories.sets import Files, stage
from tests.factories.datasets import SYSTEM, DatasetFactory, published, uploaded

#: Pictures of the sample set, each unlike the others.
SHAPES = [sample.jpeg for sample in make_samples(train=40, val=0, seed=7)]


def again(jpeg: bytes, *, quality: int = 50, scale: float = 1.0) -> bytes:
    """The same picture in another quality and size."""
    image = Image.open(io.BytesIO(jpeg))
    target = io.BytesIO()
    size = round(image.width * scale), round(image.height * scale)
    image.resize(size, Image.Resampling.LANCZOS).save(target, "JPEG", quality=quality)
    return target.getvalue()


def yolo(**pictures: bytes) -> Files:
    """`train_a=…` lies under images/train/a.jpg, with a box."""
    splits = dict.fromkeys(name.partition("_")[0] for name in pictures)
    yaml = "".join(f"{split}: images/{split}\n" for split in splits)
    files: Files = {"data.yaml": f"{yaml}names: [a]\n".encode()}
    for name, content in pictures.items():
        split, _score, stem = name.partition("_")
        files[f"images/{split}/{stem}.jpg"] = content
        files[f"labels/{split}/{stem}.txt"] = b"0 0.5 0.5 0.2 0.2\n"
    return files


def looked_at(files: Files, folder: Path, seconds: float = 60.0) -> Analysis:
    with Looks(seconds) as looks:
        return analyse(stage(files, folder), looks=looks)


def found_in(analysis: Any, *codes: str) -> list[tuple[str, str, str]]:
    found = analysis if isinstance(analysis, dict) else analysis.as_dict()
    wanted = [defect for defect in found["defects"] if defect["code"].startswith(codes or "set.")]
    return [(defect["code"], defect["path"], defect["params"].get("other")) for defect in wanted]


@pytest.mark.parametrize(("quality", "scale"), [(40, 1.0), (75, 0.5), (30, 0.5), (85, 2.0), (60, 0.75)])
def test_a_picture_in_another_quality_and_size_looks_the_same(quality: int, scale: float) -> None:
    for jpeg in SHAPES:
        one, other = look_of(jpeg), look_of(again(jpeg, quality=quality, scale=scale))
        assert one and other and len(one) == LOOK_BYTES
        index: LookIndex[int] = LookIndex()
        index.put(one, 1)
        assert list(index.near(other)) == [1]


def test_no_two_pictures_of_the_samples_look_the_same() -> None:
    """300 drawn pictures, 44,850 pairs."""
    groups = LookGroups[int]()
    matches = [groups.put(number, "", look) for number, look in enumerate(map(look_of, samples())) if look]
    assert len(matches) == 300 and not any(matches) and groups.groups == []


def samples() -> list[bytes]:
    return [sample.jpeg for sample in make_samples(train=240, val=60)]


def test_alike_is_what_differs_nowhere_by_more_than_the_tolerance() -> None:
    """Against a comparison average by average; no cell beside those that are looked into holds a match."""
    noise = random.Random(3)
    for _try in range(500):
        one = noise.randbytes(LOOK_BYTES)
        reach = noise.choice((TOLERANCE, TOLERANCE + 1))
        other = bytes(min(255, max(0, value + noise.randint(-reach, reach))) for value in one)
        alike = max(abs(a - b) for a, b in zip(one, other, strict=True)) <= TOLERANCE
        index: LookIndex[int] = LookIndex()
        index.put(one, 1)
        assert bool(list(index.near(other))) is alike
        assert not alike or cell_of(one) in cells_near(other)


def test_an_even_picture_tells_nothing_and_a_broken_one_is_not_looked_at() -> None:
    target = io.BytesIO()
    Image.new("RGB", (64, 64), (90, 120, 30)).save(target, "PNG")
    assert look_of(target.getvalue()) == b"" == look_at(decoded(target.getvalue()))
    assert look_of(encoded("PNG", 640, 480, seed=1)) == b"", "noise is even from far away"
    assert look_of(png(8, 8, pixels=b"too short")) is None is look_of(b"no picture")


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "1", "CMYK", "I;16"])
def test_pictures_of_every_kind_have_a_look(mode: str) -> None:
    image = Image.linear_gradient("L").resize((40, 40))
    image = image.convert("I").point(lambda value: value * 257).convert("I;16") if mode == "I;16" else image
    target = io.BytesIO()
    (image if mode == "I;16" else image.convert(mode)).save(target, "TIFF")
    look = look_of(target.getvalue())
    assert look is not None and len(look) == LOOK_BYTES


def test_a_picture_turned_by_its_exif_data_looks_as_it_is_shown() -> None:
    stored = Image.open(io.BytesIO(oriented_jpeg(6)))
    target = io.BytesIO()
    ImageOps.exif_transpose(stored).convert("RGB").save(target, "PNG")
    turned, upright = look_of(oriented_jpeg(6)), look_of(target.getvalue())
    assert turned and upright
    assert max(abs(a - b) for a, b in zip(turned, upright, strict=True)) <= TOLERANCE
    assert turned != look_of(oriented_jpeg(1))


def test_copies_in_a_set_are_found_and_leaks_across_its_splits(tmp_path: Path) -> None:
    a, b, c = SHAPES[:3]
    files = yolo(train_a=a, train_b=b, train_c=c, train_small=again(b, scale=0.5), val_a=again(a), val_c=c)
    found = looked_at(files, tmp_path)
    assert sorted(found_in(found, "set.")) == [
        ("set.leak", "images/val/c.jpg", "images/train/c.jpg"),
        ("set.near_duplicate", "images/train/small.jpg", "images/train/b.jpg"),
        ("set.near_leak", "images/val/a.jpg", "images/train/a.jpg"),
    ]
    assert (found.near_images, found.near_leaks, found.compared, found.compared_of) == (2, 1, 5, 5)
    assert found.near_duplicates == [
        ["images/train/a.jpg", "images/val/a.jpg"],
        ["images/train/b.jpg", "images/train/small.jpg"],
    ]
    assert found.ok, "they are warnings"


def test_a_leak_is_told_rather_than_a_copy_in_the_same_split(tmp_path: Path) -> None:
    a = SHAPES[0]
    files = yolo(test_a=again(a, quality=90), train_a=a, train_b=again(a), train_c=again(a, quality=70))
    assert [code for code, *_rest in found_in(looked_at(files, tmp_path), "set.near")] == ["set.near_leak"] * 3


@pytest.mark.parametrize("inline", [True, False])
def test_few_small_pictures_and_many_are_looked_at_alike(
    inline: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look_process, "INLINE_PIXELS", 10**9 if inline else 0)
    monkeypatch.setattr(look_process, "BATCH", 1000 if inline else 4)
    with Looks(60) as looks:
        for number, jpeg in enumerate(SHAPES):
            (tmp_path / f"{number}.jpg").write_bytes(jpeg)
            looks.want(str(number), tmp_path / f"{number}.jpg", 1)
        found = looks.gather()
    assert found == {str(number): look_of(jpeg) for number, jpeg in enumerate(SHAPES)}


def test_a_picture_that_ends_the_process_costs_itself_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killer = (
        "import sys, json, os\n"
        "from pathlib import Path\n"
        "from apps.datasets.images.decoding import look_of\n"
        "for line in sys.stdin:\n"
        "    path = Path(json.loads(line))\n"
        "    if path.name == '5.jpg': os.kill(os.getpid(), 9)\n"
        "    print('=' + look_of(path).hex(), flush=True)\n"
    )
    monkeypatch.setattr(look_process, "INLINE_PIXELS", 0)
    monkeypatch.setattr(look_process, "COMMAND", ("-c", killer))
    with Looks(60) as looks:
        for number, jpeg in enumerate(SHAPES[:12]):
            (tmp_path / f"{number}.jpg").write_bytes(jpeg)
            looks.want(str(number), tmp_path / f"{number}.jpg", 1)
        found = looks.gather()
    assert set(found) == {str(number) for number in range(12)} - {"5"}


def test_pictures_beyond_the_time_are_told_to_be_left_out(tmp_path: Path) -> None:
    a = SHAPES[0]
    found = looked_at(yolo(train_a=a, val_a=again(a)), tmp_path, seconds=0.0)
    assert (found.compared, found.compared_of, found.near_images) == (0, 2, 0) and found.ok


def test_of_very_many_pictures_the_first_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.datasets.analysis.LOOKED_AT", 2)
    a, b = SHAPES[:2]
    found = looked_at(yolo(train_a=a, train_b=again(a), train_c=again(a, quality=60), val_d=b), tmp_path)
    assert (found.compared, found.compared_of, found.near_images) == (2, 4, 1) and found.ok


def test_a_reader_that_breaks_off_leaves_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look_process, "BATCH", 1)
    (tmp_path / "a.jpg").write_bytes(SHAPES[0])
    with pytest.raises(RuntimeError), Looks(60) as looks:
        for number in range(100):
            looks.want(str(number), tmp_path / "a.jpg", 1)
        children = {child.pid for child in looks._children}
        raise RuntimeError
    assert looks._children == set()
    for pid in children:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.parametrize("kind", ["equal", "next to equal", "side by side"])
def test_many_pictures_that_look_alike_are_compared_with_few(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not timed: 20,000 put in one after the other cost no more comparisons than a bound for each."""
    compared, alike = itertools.count(), likeness._alike
    monkeypatch.setattr(likeness, "_alike", lambda one, other: next(compared) >= 0 and alike(one, other))
    noise, groups, found = random.Random(1), LookGroups[int](), 0
    reach = {"equal": 0, "next to equal": 2, "side by side": 9}[kind]
    for number in range(20_000):
        look = bytes(128 + noise.randint(-reach, reach) for _ in range(LOOK_BYTES))
        found += groups.put(number, "", look) is not None
    assert found == (0 if kind == "side by side" else 19_999)
    assert next(compared) <= 20_000 * (128 if kind == "side by side" else 8)


@pytest.fixture
def dataset(cast: Cast) -> Dataset:
    """Holds a picture to train on, one to validate on, and a third."""
    made = DatasetFactory(project=cast.sample("project"), name="There")
    return published(made, yolo(train_a=SHAPES[0], val_b=SHAPES[1], train_c=SHAPES[2]))


@pytest.mark.django_db
def test_what_the_dataset_has_already_is_told_with_its_split(dataset: Dataset) -> None:
    came = yolo(
        train_new=SHAPES[3],
        train_copy=SHAPES[0],
        val_leak=SHAPES[2],
        train_like=again(SHAPES[0]),
        train_nearleak=again(SHAPES[1], scale=0.5),
    )
    upload = uploaded(dataset, came)
    assert sorted(found_in(upload.analysis, "set.known")) == [
        ("set.known_image", "images/train/copy.jpg", "images/train/a.jpg"),
        ("set.known_leak", "images/val/leak.jpg", "images/train/c.jpg"),
        ("set.known_near", "images/train/like.jpg", "images/train/a.jpg"),
        ("set.known_near_leak", "images/train/nearleak.jpg", "images/val/b.jpg"),
    ]
    assert (upload.analysis["known_images"], upload.analysis["known_leaks"]) == (4, 2)
    assert upload.state == "ready"


@pytest.mark.django_db
def test_a_look_that_a_publication_has_written_meanwhile_stays(dataset: Dataset) -> None:
    """What the first decoding read before it began is not what stands there when it ends."""
    (blob,) = Blob.objects.filter(entries__item__path="images/train/a.jpg")
    Blob.objects.filter(pk=blob.pk).update(look=None, look_cell=None)
    blob.refresh_from_db()
    written = look_of(SHAPES[0])
    Blob.objects.filter(pk=blob.pk).update(look=written, look_cell=7)
    decoding._note(batch=[blob], answers={blob.pk: look_of(SHAPES[1])})
    blob.refresh_from_db()
    assert (bytes(blob.look), blob.look_cell, blob.is_sound) == (written, 7, True)


@pytest.mark.django_db
def test_many_pictures_find_what_few_find(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a number the dataset is read through, instead of looked up by cells."""
    came = yolo(train_like=again(SHAPES[0]), train_new=SHAPES[3])
    expected = found_in(uploaded(dataset, came).analysis, "set.known")
    monkeypatch.setattr("apps.datasets.services.likeness.BY_CELLS", 0)
    monkeypatch.setattr("apps.datasets.services.likeness.BATCH", 1)
    assert found_in(uploaded(dataset, came).analysis, "set.known") == expected != []


@pytest.mark.django_db
def test_what_the_upload_replaces_is_no_second_one(dataset: Dataset) -> None:
    """The same paths again, changed or not; and with everything replaced nothing stays to be compared with."""
    came = yolo(train_a=again(SHAPES[0]), val_b=SHAPES[1], train_c=SHAPES[2])
    assert found_in(uploaded(dataset, came).analysis, "set.known") == []
    moved = yolo(val_a=SHAPES[0], train_b=SHAPES[1])
    assert len(found_in(uploaded(dataset, moved).analysis, "set.known")) == 2
    assert found_in(uploaded(dataset, moved, mode="replace").analysis, "set.known") == []


@pytest.mark.django_db
def test_a_leak_goes_by_the_split_that_counts(dataset: Dataset) -> None:
    """Where a rule divides the dataset, what an upload names counts for nothing."""
    split_set(actor=SYSTEM, dataset=dataset, method="auto", seed=0, ratios={"train": 1.0, "val": 0.0, "test": 0.0})
    dataset.refresh_from_db()
    upload = uploaded(dataset, yolo(val_leak=SHAPES[2]))
    assert [code for code, *_rest in found_in(upload.analysis, "set.known")] == ["set.known_image"]


@pytest.mark.django_db
def test_pictures_of_other_datasets_are_told_to_those_who_see_them(dataset: Dataset, cast: Cast) -> None:
    came = yolo(train_a=SHAPES[0], train_b=SHAPES[1], train_new=SHAPES[3])
    project = cast.sample("project")
    here = DatasetFactory(project=project, name="Here")
    hidden = published(DatasetFactory(project=project, created_by=cast.owner.user, visibility="private"), came)
    foreign = published(DatasetFactory(name="Foreign"), came)
    trashed = published(DatasetFactory(project=project), came)
    Dataset.objects.filter(pk=trashed.pk).update(deleted_at=trashed.created_at)
    upload = uploaded(here, came, actor=cast.editor.actor)
    assert upload.elsewhere == {str(dataset.pk): 2, str(hidden.pk): 3, str(trashed.pk): 3}
    assert str(foreign.pk) not in str(upload.elsewhere)

    def told(person: Any) -> list[tuple[str, int]]:
        answer = person.rest.get(f"/datasets/{here.pk}/uploads/{upload.pk}").json()
        return [(row["dataset_id"], row["images"]) for row in answer["analysis"]["elsewhere"]]

    assert told(cast.editor) == [(str(dataset.pk), 2)]
    assert told(cast.owner) == [(str(hidden.pk), 3), (str(dataset.pk), 2)]
    assert "elsewhere" not in upload.analysis and found_in(upload.analysis, "set.known") == []


@pytest.mark.django_db
def test_an_archive_tried_without_storing_it_is_compared_too(dataset: Dataset, cast: Cast) -> None:
    elsewhere = published(DatasetFactory(project=dataset.project), yolo(train_x=SHAPES[2]))
    content = zip_of(yolo(val_leak=SHAPES[2], train_like=again(SHAPES[0])))
    answer = cast.editor.rest.post(
        f"/datasets/{dataset.pk}/analyze", data=content, content_type="application/octet-stream"
    ).json()
    assert {code for code, *_rest in found_in(answer, "set.known")} == {"set.known_leak", "set.known_near"}
    assert [row["dataset_id"] for row in answer["elsewhere"]] == [str(elsewhere.pk)]


@pytest.mark.django_db
def test_statements_do_not_grow_with_the_upload(dataset: Dataset) -> None:
    def compare(count: int) -> None:
        pictures = {f"new/{number}.jpg": Picture(f"{number:064x}", "train") for number in range(count)}
        looks = {picture.sha256: look_of(SHAPES[0]) or b"" for picture in pictures.values()}
        analysis = Analysis()
        warn_of_known(dataset, analysis, pictures, looks, set())
        pictures_elsewhere(dataset, list(looks))
        assert analysis.known_images == count and len(analysis.defects) == min(count, 1000)

    counts = [len(captured_queries(lambda count=count: compare(count))) for count in (2, 2, 400, 4000)]
    assert counts[1] == counts[2] == counts[3] <= 8


@pytest.mark.django_db
def test_looks_are_kept_and_found_in_the_background_where_they_are_not(dataset: Dataset) -> None:
    kept = dict(Blob.objects.filter(entries__is_image=True).values_list("sha256", "look"))
    assert len(kept) == 3 and all(len(bytes(look)) == LOOK_BYTES for look in kept.values())
    cells = dict(Blob.objects.filter(entries__is_image=True).values_list("sha256", "look_cell"))
    assert cells == {sha256: cell_of(bytes(look)) for sha256, look in kept.items()}
    Blob.objects.update(look=None, look_cell=None, is_sound=True)
    assert tasks.decode(str(dataset.pk)) == 0
    again_found = dict(Blob.objects.filter(look__isnull=False).values_list("sha256", "look"))
    for sha256, look in again_found.items():
        assert max(abs(a - b) for a, b in zip(bytes(look), bytes(kept[sha256]), strict=True)) <= TOLERANCE
    assert again_found.keys() == kept.keys()
    assert dict(Blob.objects.filter(look__isnull=False).values_list("sha256", "look_cell")).keys() == kept.keys()


@pytest.mark.django_db
def test_what_looks_alike_in_a_dataset_is_told_after_publishing(dataset: Dataset, cast: Cast, client: Client) -> None:
    published(dataset, yolo(val_a=again(SHAPES[0]), train_d=again(SHAPES[2])))
    address = f"/datasets/{dataset.pk}/duplicates"
    before = cast.viewer.rest.get(address).json()
    assert (before["compared"], before["near"]) == (None, [])
    tasks.decode(str(dataset.pk))
    found = cast.viewer.rest.get(address).json()
    assert found["compared"] == 5
    assert [(row["leaks"], [image["path"] for image in row["images"]]) for row in found["near"]] == [
        (True, ["images/train/a.jpg", "images/val/a.jpg"]),
        (False, ["images/train/c.jpg", "images/train/d.jpg"]),
    ]
    assert Revision.objects.get(dataset=dataset, no=1).alike is None
    client.force_login(cast.viewer.user)
    page = client.get(reverse("datasets:files", args=[dataset.pk])).content.decode()
    assert page.count("/thumbnail?size=128") == 4


@pytest.mark.django_db
def test_the_report_shows_both_pictures_and_no_other_file(dataset: Dataset, cast: Cast, client: Client) -> None:
    upload = uploaded(dataset, yolo(val_leak=SHAPES[2], train_x=SHAPES[4], val_x=again(SHAPES[4])))
    client.force_login(cast.editor.user)
    page = client.get(reverse("datasets:upload-detail", args=[dataset.pk, upload.pk])).content.decode()
    item = dataset.items.get(path="images/train/c.jpg")
    assert f"/images/{item.pk}/thumbnail?size=128" in page
    preview = f"/datasets/{dataset.pk}/uploads/{upload.pk}/preview?path="
    Upload.objects.filter(pk=upload.pk).update(analysis={**upload.analysis, "preview": []})
    for path in ("images/val/leak.jpg", "images/val/x.jpg", "images/train/x.jpg"):
        assert cast.editor.rest.get(preview + path).status_code == 200
    for path in ("data.yaml", "images/train/c.jpg", "../items.jsonl"):
        assert cast.editor.rest.get(preview + path).status_code == 404
