"""Pascal VOC as it is found in the world: its layouts, flags, splits and label maps."""

import pytest

from apps.datasets.analysis import analyse
from apps.datasets.formats.model import Box
from tests.datasets.factories.documents import voc_files, voc_object, voc_xml
from tests.datasets.factories.images import encoded, oriented_jpeg
from tests.datasets.factories.sets import stage


def analysed(files, folder, **options):
    found = []
    result = analyse(stage(files, folder), on_item=found.append, **options)
    return result, {item.path: item for item in found}


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("JPEGImages/1.jpg", "Annotations/1.xml"),
        ("VOCdevkit/VOC2012/JPEGImages/1.jpg", "VOCdevkit/VOC2012/Annotations/1.xml"),
        ("train/1.jpg", "train/1.xml"),
        ("images/train/1.jpg", "annotations/train/1.xml"),
        ("photos/1.jpg", "somewhere/else/1.xml"),
        ("1.jpg", "1.xml"),
    ],
)
def test_an_image_and_its_xml_find_each_other(tmp_path, image, label):
    found, items = analysed({image: encoded(seed=1), label: voc_xml(voc_object())}, tmp_path)
    assert (found.ok, found.warnings, found.format, found.task) == (True, 0, "pascal_voc", "detect")
    assert items[image].annotation.objects == (Box(0, 2.0, 3.0, 10.0, 8.0),)
    assert items[image].label_path == label


def test_splits_are_those_of_the_lists(tmp_path):
    files = voc_files(voc_xml(voc_object()))
    files["ImageSets/Main/train.txt"] = b"1\n"
    files["ImageSets/Main/val.txt"] = b"2  -1\n"
    files["ImageSets/Main/trainval.txt"] = b"1\n2\n"
    _found, items = analysed(files, tmp_path)
    assert {path: item.split for path, item in items.items()} == {
        "JPEGImages/1.jpg": "train",
        "JPEGImages/2.jpg": "val",
    }


def test_flags_and_poses_are_kept_beside_the_box(tmp_path):
    flags = "<pose>Left</pose><truncated>1</truncated><difficult>0</difficult><occluded>1</occluded>"
    _found, items = analysed(voc_files(voc_xml(voc_object(more=flags), voc_object("dog"))), tmp_path)
    objects = items["JPEGImages/1.jpg"].annotation.objects
    assert [shape.attributes for shape in objects] == [
        (("occluded", True), ("pose", "Left"), ("truncated", True)),
        (),
    ]


def test_parts_of_an_object_are_no_objects(tmp_path):
    part = "<part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part>"
    found, items = analysed(voc_files(voc_xml(voc_object(more=part))), tmp_path)
    assert found.ok
    assert items["JPEGImages/1.jpg"].annotation.objects == (Box(0, 2.0, 3.0, 10.0, 8.0),)


def test_a_label_map_gives_the_classes_their_order_and_colours(tmp_path):
    files = voc_files(voc_xml(voc_object()))
    files["labelmap.txt"] = b"# label:color_rgb:parts:actions\na:b:1,2,3::\ndog:255,0,16::\n"
    found, _items = analysed(files, tmp_path)
    assert [(row["name"], row.get("color")) for row in found.classes] == [
        ("a:b", "#010203"),
        ("dog", "#ff0010"),
        ("cat", None),
    ]


def test_an_image_without_xml_is_not_labelled_and_one_without_objects_is(tmp_path):
    files = voc_files(voc_xml())
    del files["Annotations/2.xml"]
    found, _items = analysed(files, tmp_path)
    assert (found.unlabelled, found.background, found.defect_counts) == (1, 1, {"voc.image_without_label": 1})


def test_boxes_drawn_on_the_stored_picture_are_turned_with_it(tmp_path):
    files = {
        "1.jpg": oriented_jpeg(6, width=40, height=20),
        "1.xml": voc_xml(voc_object(box=(0, 0, 4, 2)), width=40, height=20),
    }
    found, items = analysed(files, tmp_path)
    assert found.defect_counts == {"shape.turned": 1}
    assert items["1.jpg"].annotation.objects == (Box(0, 18.0, 0.0, 2.0, 4.0),)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
def test_xml_says_itself_how_it_is_written(tmp_path, encoding):
    xml = f'<?xml version="1.0" encoding="{encoding}"?>' + voc_xml(voc_object("café")).decode()
    found, _items = analysed(voc_files(xml.encode(encoding)), tmp_path)
    assert found.ok, found.defects
    assert "café" in {row["name"] for row in found.classes}
