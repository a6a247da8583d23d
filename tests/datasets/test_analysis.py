"""The analysis tells what a set holds, in words that exist for every code, and the samples are a good set."""

import ast
import io
import json
import subprocess
import sys
from pathlib import Path

from django.conf import settings
from PIL import Image

from apps.datasets import defects as defects_module
from apps.datasets.analysis import NOTHING, UNREAD, analyse
from apps.datasets.archives import unpack
from apps.datasets.defects import ERROR, LENIENT, REASONS, WARNING, WORDINGS, BadInput, Defect, DefectLog, describe
from apps.datasets.foreign.conversion import FAILURES, LOSSES
from apps.datasets.samples import CLASSES, make_samples, sample_archive, write_sample_set
from tests.datasets.factories.images import encoded
from tests.datasets.factories.sets import analysed, archived, stage, yolo_files

SOURCE = Path(defects_module.__file__).parents[1]


def test_the_sample_set_goes_through_every_door_sound(tmp_path):
    (tmp_path / "set.zip").write_bytes(sample_archive(train=24, val=6))
    seen = []

    found = analyse(unpack(tmp_path / "set.zip", tmp_path / "staged"), progress=lambda *now: seen.append(now))

    assert (found.ok, found.warnings, found.images, found.labelled) == (True, 0, 30, 30)
    assert {split: count.images for split, count in found.splits.items()} == {"train": 24, "val": 6}
    assert tuple(entry["name"] for entry in found.classes) == CLASSES
    assert sum(entry["boxes"] for entry in found.classes) == found.boxes > 30
    assert (found.width, found.height, found.image_formats) == ((128, 128), (128, 128), {"JPEG": 30})
    assert seen[-1] == (30, 30, found.image_bytes)


def test_samples_depend_on_their_seed_alone():
    first = [sample.jpeg for sample in make_samples(train=3, val=1)]
    assert first == [sample.jpeg for sample in make_samples(train=3, val=1)]
    assert first[:3] == [sample.jpeg for sample in make_samples(train=4, val=0)][:3]
    assert not set(first) & {sample.jpeg for sample in make_samples(train=3, val=1, seed=1)}
    assert sample_archive(train=2, val=1) == sample_archive(train=2, val=1)


def test_sample_shapes_are_large_inside_and_of_every_class():
    samples = list(make_samples(train=60, val=0, size=100))
    boxes = [box for sample in samples for box in sample.annotation.boxes]
    assert {box.class_id for box in boxes} == {0, 1, 2}
    for box in boxes:
        assert box.x >= -0.01
        assert box.x + box.width <= 100.01
        assert 12 <= max(box.width, box.height) <= 48.01


def test_a_sample_box_holds_the_shape_that_was_drawn():
    """Inside the box's middle the colour is even, apart from what JPEG adds; the corners of the picture are noise."""
    sample = next(iter(make_samples(train=1, val=0)))
    picture = Image.open(io.BytesIO(sample.jpeg))
    for box in sample.annotation.boxes:
        x, y = int(box.x + box.width / 2), int(box.y + box.height / 2)
        inside = [picture.getpixel((x + dx, y + dy)) for dx in (-2, 0, 2) for dy in (-2, 0, 2)]
        for channel in range(3):
            values = [pixel[channel] for pixel in inside]
            assert max(values) - min(values) < 40


def test_samples_written_to_a_folder_name_their_description(tmp_path):
    description = write_sample_set(tmp_path / "set", train=2, val=1)
    assert description.name == "data.yaml"
    assert len(list((tmp_path / "set" / "images" / "train").iterdir())) == 2


def test_the_analysis_is_json_and_keeps_its_order(tmp_path):
    found = analysed(yolo_files(b"9 .5 .5 .1 .1\n"), tmp_path).as_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["defects"][0]["code"] == "yolo.class_range"
    assert found["ok"] is False


def test_items_are_handed_over_in_the_same_pass(tmp_path):
    items = []
    found = analyse(stage(yolo_files(), tmp_path), on_item=items.append)
    assert [item.path for item in items] == ["images/train/0.jpg", "images/train/1.jpg", "images/val/0.jpg"]
    assert found.boxes == sum(len(item.annotation.boxes) for item in items)


def test_unlabelled_images_are_a_set_too(tmp_path):
    found = analysed({"a.jpg": encoded(seed=1), "b.png": encoded("PNG", seed=2)}, tmp_path)
    assert found.ok
    assert (found.format, found.task, found.unlabelled, found.labelled) == ("images", None, 2, 0)
    assert found.defect_counts == {"yolo.no_labels": 1}


def test_a_set_without_images_is_refused(tmp_path):
    found = analysed({"readme.md": b"hello"}, tmp_path)
    assert [defect.code for defect in found.defects] == ["set.no_images"]


def test_defects_are_all_counted_and_listed_up_to_a_bound(tmp_path):
    rows = b"9 .5 .5 .1 .1\n" * 1500
    found = analysed(yolo_files(rows), tmp_path)
    assert found.defect_counts["yolo.class_range"] == found.errors == 1500
    assert len(found.defects) == 1000


def test_defects_of_the_way_in_are_part_of_the_analysis(tmp_path):
    path = archived({**yolo_files(), "__MACOSX/x": b"junk"}, tmp_path)
    found = analyse(unpack(path, tmp_path / "staged"))
    assert found.ok
    assert (found.warnings, found.defect_counts) == (1, {"path.dropped": 1})


def test_an_unused_class_and_a_foreign_file_are_warnings(tmp_path):
    files = {**yolo_files(both=False), "notes.pdf": b"%PDF"}
    found = analysed(files, tmp_path)
    assert found.ok
    assert found.defect_counts == {"set.file_ignored": 1, "class.unused": 1}


def codes_in_source() -> set[str]:
    """Every string that is passed as a code to BadInput, `Wrong`, `add`, `warn` or `Defect` in this app's parsers."""
    codes = {*FAILURES.values(), *LOSSES.values()}
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = getattr(node.func, "attr", None) or getattr(node.func, "id", None)
                if called in ("BadInput", "add", "warn", "_warn", "Wrong", "Defect") and node.args:
                    for part in ast.walk(node.args[0]):
                        if isinstance(part, ast.Constant) and isinstance(part.value, str) and "." in part.value:
                            codes.add(part.value)
    return codes


def test_every_code_has_its_words_and_every_wording_its_code():
    assert codes_in_source() - set(WORDINGS) == set()
    assert set(WORDINGS) - codes_in_source() == set()
    assert LENIENT <= set(WORDINGS)


def test_every_wording_can_be_written_out_even_without_parameters():
    if not settings.configured:
        settings.configure(USE_I18N=False)
    for code in WORDINGS:
        sentence, hint = describe(Defect(code, WARNING))
        assert sentence.endswith(".")
        assert hint.endswith(".")
    sentence, _ = describe(Defect("path.collision", ERROR, "A", None, {"other": "100%s"}))
    assert "“100%s”" in sentence
    assert {"yolo.description", NOTHING, UNREAD} <= set(REASONS)


def test_parameters_of_defects_are_short_printable_text():
    refused = BadInput("image.corrupt", "a\x1b[31m" + "b" * 999, detail=float("nan"))
    assert "\x1b" not in refused.defect.path
    assert len(refused.defect.path) == 200
    assert refused.defect.params == {"detail": "nan"}
    log = DefectLog()
    log.add("image.corrupt", ERROR, "a", detail="x\0y")
    assert log.defects[0].params == {"detail": "x\N{REPLACEMENT CHARACTER}y"}


def test_the_parsers_need_no_settings():
    program = "import apps.datasets.analysis, apps.datasets.samples, sys; print('django.db' in sys.modules)"
    root = SOURCE.parents[1]
    # Outlines are drawn by the SDK of trainers, which needs no settings either.
    env = {"PYTHONPATH": str(root / "trainers" / "sdk")}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root, env=env
    )
    assert done.stdout.strip() == "False"
