"""The internal model: documents, digests, and classes that get other names."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.datasets.formats.classes import ClassInfo, class_table, remapped
from apps.datasets.formats.model import (
    TASKS,
    Annotation,
    Box,
    ImageClass,
    Mask,
    OrientedBox,
    Polygon,
    Pose,
    bounds,
)
from apps.datasets.formats.showing import shown_objects
from tests.datasets.factories import labels

ONE_OF_EACH = (
    Box(0, 1, 2, 3, 4),
    Polygon(1, ((0, 0, 4, 0, 4, 4), (6, 6, 8, 6, 8, 9))),
    Mask(1, 4, 4, (6, 3, 7)),
    Pose(2, 1, 1, 5, 5, (2, 2, 2, 0, 0, 0)),
    OrientedBox(0, (2, 0, 4, 2, 2, 4, 0, 2)),
    ImageClass(3),
)


def test_every_kind_of_object_is_read_back_from_its_document():
    noted = [shape._replace(attributes=(("iscrowd", True), ("who", "김"))) for shape in ONE_OF_EACH]
    annotation = Annotation.of([*ONE_OF_EACH, *noted])
    document = annotation.document()
    assert document["version"] == 2
    assert Annotation.from_document(document) == annotation
    assert [set(found) - {"class", "bbox", "attributes"} for found in document["objects"]].count(set()) == 4
    assert [found for found in document["objects"] if "bbox" not in found] == [
        {"class": 3, "attributes": {"iscrowd": True, "who": "김"}},
        {"class": 3},
    ]


def test_documents_of_plain_boxes_are_as_they_were():
    assert Annotation.of([Box(0, 1, 2, 3, 4)]).canonical() == (
        b'{"objects":[{"bbox":[1.0,2.0,3.0,4.0],"class":0}],"version":1}'
    )
    assert Annotation().document() == {"version": 1, "objects": []}


def test_the_digest_of_a_known_document_of_every_kind_does_not_change():
    assert Annotation.of(ONE_OF_EACH).canonical() == (
        b'{"objects":[{"bbox":[0.0,0.0,4.0,4.0],"class":0,"corners":[2.0,0.0,4.0,2.0,2.0,4.0,0.0,2.0]},'
        b'{"bbox":[1.0,2.0,3.0,4.0],"class":0},'
        b'{"bbox":[0.0,0.0,8.0,9.0],"class":1,"polygon":[[0.0,0.0,4.0,0.0,4.0,4.0],[6.0,6.0,8.0,6.0,8.0,9.0]]},'
        b'{"bbox":[1.0,0.0,2.0,4.0],"class":1,"mask":{"counts":[6,3,7],"size":[4,4]}},'
        b'{"bbox":[1.0,1.0,5.0,5.0],"class":2,"keypoints":[2.0,2.0,2.0,0.0,0.0,0.0]},'
        b'{"class":3}],"version":2}'
    )


@pytest.mark.parametrize("version", [0, 3, "1", None])
def test_documents_of_other_versions_are_refused(version):
    with pytest.raises(ValueError, match="not known"):
        Annotation.from_document({"version": version, "objects": []})


@given(st.integers(0, 1000), st.sampled_from(TASKS))
def test_the_order_of_objects_means_nothing(seed, task):
    randomness = random.Random(seed)
    shapes = [labels.make_shape(task, randomness, 3) for _ in range(6)]
    shuffled = [*shapes]
    randomness.shuffle(shuffled)
    assert Annotation.of(shapes).digest() == Annotation.of(shuffled).digest()


def test_the_box_around_each_shape():
    assert [bounds(shape) for shape in ONE_OF_EACH] == [
        (1, 2, 3, 4),
        (0, 0, 8, 9),
        (1, 0, 2, 4),
        (1, 1, 5, 5),
        (0, 0, 4, 4),
        None,
    ]


def test_classes_are_renamed_merged_and_left_out():
    classes = class_table(["cat", "dog", "car", "tree"])
    table, ids = remapped(classes, {"cat": "animal", "dog": "animal", "car": None})
    assert ([info.name for info in table], ids) == (["animal", "tree"], {0: 0, 1: 0, 2: None, 3: 1})
    annotation = Annotation.of(ImageClass(number) for number in range(4))
    assert annotation.reclassed(ids) == Annotation.of([ImageClass(0), ImageClass(0), ImageClass(1)])


def test_names_may_change_places():
    table, ids = remapped(class_table(["cat", "dog"]), {"cat": "dog", "dog": "cat"})
    assert ([info.name for info in table], ids) == (["dog", "cat"], {0: 0, 1: 1})


@pytest.mark.parametrize(
    ("mapping", "name"),
    [
        ({"bird": "cat"}, "bird"),
        ({"cat": ""}, ""),
        ({"cat": "=1"}, None),
        ({"cat": "=cmd()"}, "=cmd()"),
        ({"cat": "x" * 101}, "x" * 101),
        ({"cat": "person"}, "person"),
    ],
)
def test_a_mapping_is_followed_or_refused_with_the_name(mapping, name):
    classes = (ClassInfo("cat"), ClassInfo("person", keypoints=("head",)))
    if name is None:
        assert remapped(classes, mapping)[0][0].name == "=1"
        return
    with pytest.raises(ValueError, match=f"^{name.replace('(', '.').replace(')', '.')}$"):
        remapped(classes, mapping)


def test_long_outlines_give_way_to_their_boxes_where_they_are_shown():
    document = Annotation.of(ONE_OF_EACH).document()
    assert shown_objects(document["objects"]) == document["objects"]
    assert all(not found.keys() & {"polygon", "mask"} for found in shown_objects(document["objects"], 2))
    # Twelve numbers of the outline take what there is; the mask's three find no room.
    kept = [set(found) for found in shown_objects(document["objects"], 12)]
    assert (sum("polygon" in keys for keys in kept), sum("mask" in keys for keys in kept)) == (1, 0)
