"""COCO as it is found in the world: its layouts, tasks, masks, crowds and turned pictures."""

import json

import pytest

from apps.datasets.analysis import analyse
from apps.datasets.archives import walk
from apps.datasets.defects import describe
from apps.datasets.formats.coco.finding import split_of
from apps.datasets.formats.coco.stream import DocumentReader
from apps.datasets.formats.masks import uncompress
from apps.datasets.formats.model import Box, Mask, Polygon, Pose
from tests.datasets.factories.documents import annotation, coco_files, document, written
from tests.datasets.factories.images import encoded, oriented_jpeg
from tests.datasets.factories.sets import stage

RING = [2, 3, 12, 3, 12, 11]
POINTS = [5, 5, 2, 0, 0, 0]


def analysed(files, folder, **options):
    found = []
    result = analyse(stage(files, folder), on_item=found.append, **options)
    return result, {item.path: item.annotation for item in found}


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("annotations/instances_train2017.json", "train2017"),
        ("train/_annotations.coco.json", "train"),
        ("result.json", "images"),
        ("set/annotations.json", "set/images"),
    ],
)
def test_images_are_found_from_where_their_document_lies(tmp_path, name, folder):
    files = {f"{folder}/1.jpg": encoded(seed=1), f"{folder}/2.jpg": encoded(seed=2)}
    files[name] = written(document(annotation()))
    found, items = analysed(files, tmp_path)
    assert (found.ok, found.images, found.boxes, found.background) == (True, 2, 1, 1)
    assert items[f"{folder}/1.jpg"].objects == (Box(0, 2.0, 3.0, 10.0, 8.0),)
    assert items[f"{folder}/2.jpg"].objects == ()


def test_documents_of_several_splits_make_one_set_with_one_class_table(tmp_path):
    files = {f"{split}/{split}.jpg": encoded(seed=seed) for seed, split in enumerate(("train", "val"))}
    for split, names in (("train", ("cat", "dog")), ("val", ("dog", "bird"))):
        found = document(annotation(category_id=7))
        found["images"] = [{"id": 1, "file_name": f"{split}.jpg"}]
        found["categories"] = [{"id": number, "name": name} for number, name in zip((7, 9), names, strict=True)]
        files[f"annotations/instances_{split}.json"] = written(found)
    found, items = analysed(files, tmp_path)
    assert found.ok, found.defects
    assert [entry["name"] for entry in found.classes] == ["cat", "dog", "bird"]
    assert {split: count.boxes for split, count in found.splits.items()} == {"train": 1, "val": 1}
    assert items["val/val.jpg"].class_ids == [1]


@pytest.mark.parametrize(
    ("wanted", "task", "kind"),
    [(None, "pose", Pose), ("pose", "pose", Pose), ("segment", "segment", Polygon), ("detect", "detect", Box)],
)
def test_an_annotation_is_taken_for_what_its_task_needs(tmp_path, wanted, task, kind):
    files = coco_files(document(annotation(segmentation=[RING], keypoints=POINTS)))
    found, items = analysed(files, tmp_path, task=wanted)
    assert (found.ok, found.task) == (True, task)
    assert [type(shape) for shape in items["images/1.jpg"].objects] == [kind]
    assert found.defect_counts.get("coco.shapes_left_out", 0) == (wanted in ("segment", "detect"))


def test_labels_of_another_task_are_refused_whole(tmp_path):
    found, _items = analysed(coco_files(document(annotation())), tmp_path, task="obb")
    (defect,) = [defect for defect in found.defects if defect.severity == "error"]
    assert (found.ok, defect.code, defect.params) == (False, "set.task", {"task": "detect", "wanted": "obb"})


def test_run_lengths_are_read_packed_and_plain(tmp_path):
    counts = [24 * 2 + 3, 8, 16, 8, 24 * 32 - 83]
    # As COCO's tools pack [51, 8, 16, 8, 685].
    files = coco_files(
        document(
            annotation(1, segmentation={"size": [24, 32], "counts": counts}, iscrowd=1),
            annotation(2, 2, segmentation={"size": [24, 32], "counts": packed(counts)}),
        )
    )
    found, items = analysed(files, tmp_path)
    assert found.ok, found.defects
    assert items["images/1.jpg"].objects == (Mask(0, 24, 32, tuple(counts), (("iscrowd", True),)),)
    assert items["images/2.jpg"].objects == (Mask(0, 24, 32, tuple(counts)),)
    assert items["images/1.jpg"].document()["objects"][0]["bbox"] == [2.0, 3.0, 2.0, 8.0]


def packed(counts: list[int]) -> str:
    """COCO's packing, written down from its description: differences to the last but one, five bits a character."""
    text = ""
    for index, count in enumerate(counts):
        value = count - counts[index - 2] if index > 2 else count
        more = True
        while more:
            part, value = value & 31, value >> 5
            more = value != -1 if part & 16 else value != 0
            text += chr((part | 32 if more else part) + 48)
    return text


def test_packed_run_lengths_of_a_known_mask():
    """The mask of pycocotools' documentation style: 6 background, 3 object, 7 background, in a 4 × 4 picture."""
    assert uncompress(packed([6, 3, 7]), 10) == [6, 3, 7]
    assert uncompress("637", 10) == [6, 3, 7]
    assert uncompress(packed([0, 1, 500, 3, 2, 90_000, 1]), 10) == [0, 1, 500, 3, 2, 90_000, 1]


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_labels_drawn_on_the_stored_picture_are_turned_with_it(tmp_path, orientation):
    """The stored picture is 40 × 20; one pixel at its upper left corner is followed through the turn."""
    corner = {5: (0, 0), 6: (19, 0), 7: (19, 39), 8: (0, 39)}[orientation]
    found = document(annotation(bbox=[0, 0, 1, 1], keypoints=[0.5, 0.5, 2, 0, 0, 0]))
    found["images"] = [{"id": 1, "file_name": "1.jpg", "width": 40, "height": 20}]
    files = {"1.jpg": oriented_jpeg(orientation, width=40, height=20), "a.json": written(found)}
    result, items = analysed(files, tmp_path)
    assert result.defect_counts == {"shape.turned": 1, "class.unused": 1}
    (shape,) = items["1.jpg"].objects
    assert shape[1:5] == (*corner, 1, 1)
    assert shape.points[:2] == (corner[0] + 0.5, corner[1] + 0.5)


def test_a_finding_names_the_annotation_and_its_image(tmp_path):
    """Most documents are one line."""
    outside, wide = annotation(7, 2, bbox=[40, 40, 5, 5]), annotation("nine", bbox=[20, 3, 30, 8])
    files = coco_files(json.dumps(document(outside, wide, wide | {"id": 10})).encode(), name="a.json")
    warned: set[str] = set()
    result = analyse(stage(files, tmp_path), lenient=True, warned=warned)
    told = [(found.code, found.line, describe(found)[0].partition(". ")[2]) for found in result.defects]
    assert told[:3] == [
        ("shape.clipped", 1, "Annotation nine of “images/1.jpg”."),
        ("shape.clipped", 1, "Annotation 10 of “images/1.jpg”."),
        ("shape.duplicate", 1, "In “images/1.jpg”."),
    ]
    assert told[3] == ("shape.empty", 1, "Annotation 7 of “images/2.jpg”.")
    assert {"images/1.jpg", "images/2.jpg"} <= warned


def test_ids_may_be_words_and_texts_of_any_script(tmp_path):
    found = document(annotation(image="사진-1", category_id="고양이"))
    found["images"] = [{"id": "사진-1", "file_name": "사진 1.jpg", "width": 32, "height": 24}]
    found["categories"] = [{"id": "고양이", "name": "고양이 é"}]
    for ensure_ascii in (True, False):
        data = json.dumps(found, ensure_ascii=ensure_ascii).encode()
        files = {"images/사진 1.jpg": encoded(seed=1), "a.json": b"\xef\xbb\xbf" + data}
        result, items = analysed(files, tmp_path / str(ensure_ascii))
        assert result.ok, result.defects
        assert result.classes[0]["name"] == "고양이 é"
        assert len(items["images/사진 1.jpg"].objects) == 1


def test_order_and_size_of_what_is_read_at_once_do_not_matter(tmp_path, monkeypatch):
    """Annotations come before images and categories, and every piece is cut in two somewhere."""
    made = document(*(annotation(number, 1 + number % 2, bbox=[1, 1, number, 2]) for number in range(1, 20)))
    backwards = dict(reversed(made.items()))
    _found, expected = analysed(coco_files(made), tmp_path / "a")
    monkeypatch.setattr("apps.datasets.formats.coco.stream.CHUNK", 7)
    result, items = analysed(coco_files(backwards), tmp_path / "b")
    assert (result.ok, items) == (True, expected)


def test_notes_beside_an_annotation_are_kept(tmp_path):
    noted = annotation(attributes={"occluded": True, "score": 0.5, "who": "kim", "bad\x00": 1, "deep": {"a": 1}})
    _found, items = analysed(coco_files(document(noted)), tmp_path)
    assert items["images/1.jpg"].objects[0].attributes == (("occluded", True), ("score", 0.5), ("who", "kim"))


def test_colours_and_keypoints_of_classes_are_part_of_the_table(tmp_path):
    found = document(annotation(keypoints=POINTS))
    found["categories"][0]["color"] = [255, 0, 16]
    result, _items = analysed(coco_files(found), tmp_path)
    assert {name: result.classes[0][name] for name in ("name", "color", "keypoints", "skeleton")} == {
        "name": "cat",
        "color": "#ff0010",
        "keypoints": ["nose", "tail"],
        "skeleton": [[0, 1]],
    }


def test_one_of_two_documents_about_the_same_images_is_chosen_by_the_task(tmp_path):
    files = coco_files(document(annotation(segmentation=[RING])))
    files["annotations/person_keypoints_train.json"] = written(document(annotation(keypoints=POINTS)))
    files["annotations/captions_train.json"] = written(document({"id": 1, "image_id": 1, "caption": "a cat"}))
    for task in ("segment", "pose"):
        result, _items = analysed(files, tmp_path / task, task=task)
        assert result.ok, result.defects
        assert (result.boxes, result.task, result.defect_counts["coco.document_ignored"]) == (1, task, 2)


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("annotations/instances_val2017.json", "val"),
        ("valid/_annotations.coco.json", "val"),
        ("training.json", "train"),
        ("a/retraining_notes.json", None),
    ],
)
def test_the_split_of_a_document_by_its_name_or_folder(path, split):
    assert split_of(path) == split


def test_a_document_is_read_in_pieces_and_knows_its_lines(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b'{"a": [1, 2,\n\n"x"], "b": {"c": [3]},\n"d": [] }\n')
    with path.open("rb") as stream:
        found = [(one.key, one.value, one.line) for one in DocumentReader(stream, "a.json").elements()]
    assert found == [("a", 1, 1), ("a", 2, 1), ("a", "x", 3), ("b", {"c": [3]}, 3)]


def test_limits_are_kept_before_anything_is_read(tmp_path):
    staged = stage(coco_files(document(annotation())), tmp_path)
    with staged.locate("annotations/instances_train.json").open("r+b") as file:
        file.truncate(600 << 20)
    found = analyse(walk(tmp_path / "staged"))
    assert [defect.code for defect in found.defects] == ["coco.too_big"]
    with pytest.raises(ValueError, match="too many"):
        uncompress("1" * 100, 10)
