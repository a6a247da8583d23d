"""Bad archives, images and annotations, one test each: a typed answer that names the culprit, soon, and no trace.

A case is refused with the code given, or, where the oddity is harmless, taken with a warning of the code given.
"""

import gzip
import resource
import stat
import tarfile
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from apps.datasets.archives import Limits, unpack
from apps.datasets.defects import BadInput
from apps.datasets.images import decode_check, inspect, thumbnail
from tests.datasets.factories import archives, images
from tests.datasets.factories.sets import ROW, analysed, yolo_files
from tests.security.report import BAD_INPUT

pytestmark = pytest.mark.security(BAD_INPUT, "analysis of archives, pictures and labels")
# Processor time, also with every line counted for coverage; an archive that expands without end takes minutes.
SECONDS = 15.0
MEMORY_KIB = 200 * 1024
GOOD = {"a.txt": b"x"}


@pytest.fixture(autouse=True)
def bounded(tmp_path: Path) -> Iterator[None]:
    """No case takes longer or more memory than a request may. The peak only ever grows, so it bounds from above."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    yield
    assert time.process_time() - began < SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < MEMORY_KIB


def case(name: str, make: Callable[[], bytes], code: str, member: str | None = None, label: str = ""):
    return pytest.param(make, code, member, id=f"bad-{name}{label and '-' + label}")


def zip_of(files, **options) -> Callable[[], bytes]:
    return lambda: archives.zip_of(files, **options)


def tar_of(files) -> Callable[[], bytes]:
    return lambda: archives.tar_of(files)


def changed(content: bytes, old: bytes, new: bytes) -> bytes:
    assert old in content
    return content.replace(old, new)


ARCHIVES = [
    case("D01", zip_of({"a.txt": b"x", "../evil": b"y"}), "path.traversal", "../evil"),
    case("D01", zip_of({"a/../../evil": b"y"}), "path.traversal", "a/../../evil", "inside"),
    case("D01", tar_of({"../evil": b"y"}), "path.traversal", "../evil", "tar"),
    case("D02", zip_of({"/etc/evil": b"y"}), "path.absolute", "/etc/evil"),
    case("D02", tar_of({"/etc/evil": b"y"}), "path.absolute", "/etc/evil", "tar"),
    case("D03", zip_of({"C:/evil": b"y"}), "path.drive", "C:/evil", "drive"),
    case("D03", zip_of({"./C:/evil": b"y"}), "path.drive", "./C:/evil", "drive-behind-dot"),
    case("D03", zip_of({"\u212a:/evil": b"y"}), "path.drive", "K:/evil", "drive-by-kelvin"),
    case("D03", zip_of({"C:\\evil": b"y"}), "path.backslash", "C:\\evil", "drive-backslash"),
    case("D03", zip_of({"..\\evil": b"y"}), "path.backslash", "..\\evil", "backslash"),
    case("D04", lambda: archives.raw_name_zip(b"a\0b.txt"), "path.control", "a\N{REPLACEMENT CHARACTER}b.txt", "nul"),
    case("D04", zip_of({"n" * 300: b"y"}), "path.component_long", None, "component"),
    case("D04", zip_of({"abcd/" * 1000 + "x": b"y"}), "path.long", None, "path"),
    case("D05", lambda: archives.zip_with_mode("link", b"/etc/passwd", archives.LINK), "path.link", "link"),
    case("D05", lambda: archives.tar_member("link", tarfile.SYMTYPE, link="/etc/passwd"), "path.link", "link", "tar"),
    case("D05", lambda: archives.tar_member("link", tarfile.LNKTYPE, link="a"), "path.link", "link", "hard"),
    case(
        "D06",
        lambda: archives.tar_member("dir", tarfile.SYMTYPE, link="/tmp")[:512] + archives.tar_of({"dir/evil": b"y"}),
        "path.link",
        "dir",
    ),
    case("D09", tar_of({"/".join(["d" * 200] * 20): b"y"}), "path.long", None),
    case("D09", tar_of({"/".join(["d"] * 300): b"y"}), "path.deep", None, "deep"),
    case("D10", lambda: archives.tar_member("pipe", tarfile.FIFOTYPE), "path.special", "pipe", "fifo"),
    case("D10", lambda: archives.tar_member("dev", tarfile.CHRTYPE), "path.special", "dev", "device"),
    case("D10", lambda: archives.zip_with_mode("pipe", b"", archives.PIPE), "path.special", "pipe", "zip"),
    case(
        "D12",
        lambda: archives.raw_zip(b"zeros", archives.deflated_zeros(64 << 20), size=0xFFFFFFFE, crc=0),
        "archive.ratio",
        "zeros",
        "4-gb-declared",
    ),
    case(
        "D12",
        lambda: archives.raw_zip(b"zeros", archives.deflated_zeros(1 << 30), size=1 << 30, crc=0),
        "archive.ratio",
        "zeros",
    ),
    case("D12", lambda: gzip.compress(bytes(128 << 20)), "archive.ratio", None, "gzip"),
    case("D14", zip_of({"inner.bin": archives.zip_of(GOOD)}), "archive.nested", "inner.bin"),
    case("D14", zip_of({"inner.tar": archives.tar_of(GOOD)}), "archive.nested", "inner.tar", "tar"),
    case("D15", lambda: archives.empty_members_zip(1_000_000), "archive.too_many_members", None),
    case("D15", lambda: archives.empty_members_zip(300_000, declared=10), "archive.corrupt", None, "lying"),
    case(
        "D16",
        lambda: archives.raw_zip(b"small", archives.deflated_zeros(1 << 30), size=1024, crc=zlib.crc32(bytes(1024))),
        "archive.size_mismatch",
        "small",
    ),
    case("D17", lambda: archives.tar_with_size_field(b"\xff" * 12), "archive.corrupt", None),
    case("D17", lambda: archives.tar_with_size_field(b"-0000000200\0"), "archive.corrupt", None, "octal"),
    case("D17", lambda: archives.tar_with_size_field(b"77777777777\0"), "archive.member_too_big", "a.txt", "huge"),
    case("D18", lambda: archives.zip_of({"a": bytes(5000)})[:-30], "archive.truncated", None),
    case("D18", lambda: archives.tar_of({"a": bytes(5000)})[:3000], "archive.truncated", "a", "tar"),
    case("D18", lambda: archives.tar_gz({"a": bytes(5000)})[:-20], "archive.truncated", None, "gzip"),
    case(
        "D19", lambda: changed(archives.zip_of({"a": b"right"}, stored=True), b"right", b"wrong"), "archive.crc", "a"
    ),
    case(
        "D20",
        lambda: archives.raw_zip(b"secret.txt", b"x" * 13, size=13, crc=0, method=0, flags=1),
        "archive.encrypted",
        "secret.txt",
    ),
    case("D20", lambda: archives.raw_zip(b"a", b"x", size=1, crc=0, method=99), "archive.method", "a", "aes"),
    case("D22", zip_of([("a.txt", b"1"), ("a.txt", b"2")]), "path.duplicate", "a.txt"),
    case("D22", zip_of([("a.txt", b"1"), ("A.txt", b"2")]), "path.collision", "A.txt", "case"),
    case("D22", zip_of([("caf\u00e9", b"1"), ("cafe\u0301", b"2")]), "path.duplicate", "caf\u00e9", "nfd"),
    case("D22", zip_of([("a", b"1"), ("a/b", b"2")]), "path.file_and_folder", "a/b", "folder"),
    case("D22", zip_of([("X/a", b"1"), ("x/b", b"2")]), "path.collision", "x/b", "folder-case"),
    case("D22", archives.overlapping_zip, "archive.overlap", None, "overlap"),
    case(
        "D22",
        lambda: archives.raw_zip(b"shown", b"x", size=1, crc=zlib.crc32(b"x"), method=0, local_name=b"other"),
        "archive.header_mismatch",
        "shown",
        "two-names",
    ),
    case("D23", lambda: b"7z\xbc\xaf\x27\x1c" + bytes(100), "archive.not_archive", None, "7z"),
    case("D23", lambda: b"\x7fELF" + bytes(100), "archive.not_archive", None, "elf"),
    case("D23", lambda: b"hello " * 50, "archive.unrecognised", None, "text"),
    case("D23", lambda: b"<!doctype html><p>Sign in", "archive.not_archive", None, "html"),
    case("D23", lambda: images.encoded() + archives.zip_of(GOOD), "archive.not_archive", None, "polyglot"),
    case("D23", lambda: archives.zip_of(GOOD) + images.encoded(), "archive.foreign_bytes", None, "appended"),
    case("D24", lambda: b"", "archive.empty_file", None),
    case("D24", zip_of({}), "archive.no_members", None, "zip"),
    case("D24", tar_of({}), "archive.no_members", None, "tar"),
    case("D24", zip_of({"__MACOSX/a": b"x"}), "archive.no_members", None, "only-junk"),
    case("D27", lambda: archives.tar_gz(GOOD) + b"garbage", "archive.foreign_bytes", None),
    case("D27", lambda: archives.tar_of(GOOD) + b"garbage", "archive.foreign_bytes", None, "tar"),
    case("I18", zip_of({"<img src=x onerror=alert(1)>.jpg": b"x"}), "path.forbidden", None),
    case("I18", zip_of({"a\u202egpj.exe": b"x"}), "path.forbidden", None, "reversed-text"),
]


@pytest.mark.parametrize(("make", "code", "member"), ARCHIVES)
def test_bad_archives_are_refused_and_leave_nothing(tmp_path, make, code, member):
    (tmp_path / "upload.zip").write_bytes(make())

    with pytest.raises(BadInput) as refused:
        unpack(tmp_path / "upload.zip", tmp_path / "staged")

    assert refused.value.code == code
    if member is not None:
        assert refused.value.defect.path == member
    assert [path.name for path in tmp_path.iterdir()] == ["upload.zip"]


@pytest.mark.parametrize("make", [archives.zip_of, archives.tar_of], ids=["bad-D28-zip", "bad-D28-tar"])
def test_going_over_the_quota_at_the_last_member_rolls_the_earlier_ones_back(tmp_path, make):
    (tmp_path / "upload").write_bytes(make({f"{number}": bytes(1000) for number in range(10)}))
    limits = Limits(total_bytes=9999)
    with pytest.raises(BadInput) as refused:
        unpack(tmp_path / "upload", tmp_path / "staged", limits=limits)
    assert (refused.value.code, refused.value.defect.path) == ("archive.too_big", "9")
    assert not (tmp_path / "staged").exists()


@pytest.mark.parametrize(
    ("make", "code"),
    [
        pytest.param(
            lambda: archives.zip_with_mode("a.txt", b"x", archives.SETUID), "archive.modes_dropped", id="bad-D11-zip"
        ),
        pytest.param(
            lambda: archives.tar_member("a.txt", tarfile.REGTYPE, mode=0o4755),
            "archive.modes_dropped",
            id="bad-D11-tar",
        ),
        pytest.param(
            lambda: archives.zip_of({"a.txt": b"x", "__MACOSX/._a": b"j", "b/.git/hooks/pre": b"evil"}),
            "path.dropped",
            id="bad-D26",
        ),
    ],
)
def test_harmless_oddities_of_archives_are_taken_with_a_warning(tmp_path, make, code):
    (tmp_path / "upload").write_bytes(make())
    staged = unpack(tmp_path / "upload", tmp_path / "staged")
    assert [member.path for member in staged.members] == ["a.txt"]
    assert stat.S_IMODE((tmp_path / "staged" / "a.txt").stat().st_mode) == 0o600
    assert {(defect.code, defect.severity) for defect in staged.defects} == {(code, "warning")}


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
XXE = b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>'

IMAGES = [
    case("I01", lambda: b"", "image.empty"),
    case("I02", lambda: images.encoded(width=64, height=64)[:-40], "image.truncated"),
    case("I03", lambda: images.png(60_000, 60_000), "image.pixels"),
    case("I04", lambda: images.text_bomb(b"zTXt"), "image.text_bomb", label="zTXt"),
    case("I04", lambda: images.text_bomb(b"iCCP"), "image.text_bomb", label="iCCP"),
    case("I04", lambda: images.text_bomb(b"iTXt"), "image.text_bomb", label="iTXt"),
    case("I05", lambda: images.many_frames_gif(100_000), "image.frames"),
    case("I05", lambda: images.many_frames_gif(1), "image.unsupported", label="one-frame"),
    case("I07", lambda: images.many_pages_tiff(100_000), "image.frames"),
    case("I07", lambda: images.many_pages_tiff(2, loop=True), "image.corrupt", label="loop"),
    case("I08", lambda: SVG, "image.svg"),
    case("I09", lambda: XXE, "image.svg"),
    case("I15", lambda: images.random_tail(images.encoded(width=96, height=96), 900), "image.corrupt", label="jpeg"),
    case("I15", lambda: images.random_tail(images.encoded("PNG", 64, 64), 90), "image.corrupt", label="png"),
    case("I16", lambda: b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(64), "image.unsupported", label="jpeg2000"),
    case("I16", lambda: b"\0\0\0\x20ftypheic" + bytes(64), "image.unsupported", label="heic"),
    case(
        "I16",
        lambda: changed(images.encoded(), b"\xff\xc0\x00\x11\x08", b"\xff\xc3\x00\x11\x08"),
        "image.unsupported",
        label="lossless",
    ),
    case("I16", lambda: b"MZ" + bytes(64), "image.not_image", label="program"),
]


@pytest.mark.parametrize(("make", "code", "member"), IMAGES)
def test_bad_images_are_refused_alone_and_in_a_set(tmp_path, make, code, member):
    data = make()
    facts, defects = inspect(data, name="photo.jpg")
    assert facts is None
    assert (defects[-1].code, defects[-1].severity, defects[-1].path) == (code, "error", "photo.jpg")

    found = analysed({**yolo_files(), "images/train/0.jpg": data}, tmp_path)
    assert not found.ok
    assert (found.defects[0].code, found.defects[0].path) == (code, "images/train/0.jpg")
    assert found.images == 2


def test_a_random_tail_is_found_by_decoding_when_it_happens_to_look_right():
    """bad-I15: the end marker is kept, so that only a decoder can tell."""
    data = images.encoded("PNG", 64, 64)
    broken = images.png(64, 64, pixels=bytes(100))
    assert inspect(broken, name="a.png")[0] is not None
    assert [defect.code for defect in decode_check(broken)] == ["image.undecodable"]
    assert decode_check(data) == []


@pytest.mark.parametrize(
    ("name", "make", "code"),
    [
        pytest.param("a.jpg", lambda: images.encoded("PNG"), "image.extension", id="bad-I11"),
        pytest.param("a.jpg", lambda: images.oriented_jpeg(9), "image.orientation", id="bad-I12-orientation"),
        pytest.param("a.jpg", lambda: images.oriented_jpeg(1, gps=True), None, id="bad-I12-gps"),
        pytest.param("a.jpg", lambda: images.encoded("JPEG", mode="CMYK"), None, id="bad-I13-cmyk"),
        pytest.param("a.png", lambda: images.encoded("PNG", mode="I;16"), None, id="bad-I13-16-bit"),
        pytest.param("a.png", lambda: images.encoded("PNG", mode="P", transparency=0), None, id="bad-I13-palette"),
    ],
)
def test_harmless_oddities_of_images_are_taken_and_derived_copies_are_clean(name, make, code):
    data = make()
    facts, defects = inspect(data, name=name)
    assert facts is not None
    assert [(defect.code, defect.severity) for defect in defects] == ([(code, "warning")] if code else [])
    assert b"Exif" not in thumbnail(data, 16)


def test_identical_images_in_two_splits_are_a_warning(tmp_path):
    """bad-I17"""
    files = yolo_files()
    files["images/val/0.jpg"] = files["images/train/1.jpg"]
    found = analysed(files, tmp_path)
    assert found.ok
    assert (found.leaks, found.duplicate_images) == (1, 1)
    assert found.duplicates == [["images/train/1.jpg", "images/val/0.jpg"]]
    assert [(defect.code, defect.path) for defect in found.defects] == [("set.leak", "images/val/0.jpg")]


def rows(name: str, label: bytes, code: str, line: int = 2, severity: str = "error", tag: str = ""):
    return pytest.param(label, code, line, severity, id=f"bad-{name}{tag and '-' + tag}")


ROWS = [
    rows("A01", ROW + b"2 .5 .5 .1 .1\n", "yolo.class_range"),
    rows("A02", ROW + b"-1 .5 .5 .1 .1\n", "yolo.class_not_integer", tag="negative"),
    rows("A02", ROW + b"1.5 .5 .5 .1 .1\n", "yolo.class_not_integer", tag="float"),
    rows("A03", ROW + b"0 1.5 .5 .1 .1\n", "yolo.coordinate_range", tag="over"),
    rows("A03", ROW + b"0 .5 -.2 .1 .1\n", "yolo.coordinate_range", tag="under"),
    rows("A03", ROW + b"0 320 240 64 48\n", "yolo.coordinate_range", tag="pixels"),
    rows("A04", ROW + b"0 nan .5 .1 .1\n", "yolo.not_finite", tag="nan"),
    rows("A04", ROW + b"0 .5 .5 Inf .1\n", "yolo.not_finite", tag="inf"),
    rows("A04", ROW + b"0 .5 .5 .1 1e999\n", "yolo.not_finite", tag="1e999"),
    rows("A04", ROW + b"nan .5 .5 .1 .1\n", "yolo.class_not_integer", tag="class"),
    rows("A05", ROW + b"0 .5 .5 0 .1\n", "yolo.box_empty"),
    rows("A07", ROW + b"0 .1 .1 .2 .2 .3 .3 .4\n", "yolo.polygon_odd", tag="odd"),
    rows("A07", ROW + b"0 .1 .1\n", "yolo.column_count", tag="short"),
    rows("A07", ROW + b"0 .5 .5 .1 .1 .99\n", "yolo.column_count", tag="confidence"),
    rows("A09", ROW + ROW, "yolo.box_duplicate", severity="warning"),
    rows("A18", b"\xff\xfe" + ROW.decode().encode("utf-16-le"), "text.utf16", None, "warning", "utf-16"),
    rows("A18", "0 .5 .5 .1 .1 caf\xe9".encode("latin-1"), "text.encoding", None, tag="latin-1"),
    rows("A18", b"0 .5 .5 .1 .1\0\n", "text.encoding", None, tag="nul"),
    rows("A20", ROW + b"0 .5 .5 .1 .1 .5 .5 2\n", "yolo.polygon_odd", tag="keypoints"),
    rows("A15", b"0 .5 .5 1 1\n" * 10_000_000, "text.too_big", None),
    rows("A15", b"0 .5 .5 1 1\n" * 100_000, "yolo.boxes_per_image", None, tag="one-image"),
]


@pytest.mark.parametrize(("label", "code", "line", "severity"), ROWS)
def test_bad_rows_are_named_by_file_and_line(tmp_path, label, code, line, severity):
    found = analysed(yolo_files(label), tmp_path)
    assert found.ok is (severity == "warning")
    defect = found.defects[0]
    assert (defect.code, defect.severity, defect.path, defect.line) == (code, severity, "labels/train/0.txt", line)


@pytest.mark.parametrize(
    "label",
    [b"\xef\xbb\xbf" + ROW, ROW.replace(b"\n", b"\r\n"), ROW.replace(b" ", b"\t")],
    ids=["bom", "crlf", "tabs"],
)
def test_other_ways_of_writing_text_are_taken(tmp_path, label):
    """bad-A18"""
    found = analysed(yolo_files(label), tmp_path)
    assert (found.ok, found.warnings, found.boxes) == (True, 0, 3)


def test_what_has_no_counterpart_is_a_warning(tmp_path):
    """bad-A10"""
    files = {**yolo_files(), "labels/train/ghost.txt": ROW, "images/train/new.jpg": images.encoded(seed=77)}
    found = analysed(files, tmp_path)
    assert found.ok
    assert {(defect.code, defect.path) for defect in found.defects} == {
        ("yolo.label_without_image", "labels/train/ghost.txt"),
        ("yolo.image_without_label", "images/train/new.jpg"),
    }
    assert (found.unlabelled, found.labelled) == (1, 3)


def test_a_polygon_that_crosses_itself_counts_by_its_extent_when_lenient(tmp_path):
    """bad-A08"""
    files = yolo_files(ROW + b"0 .1 .1 .9 .9 .9 .1 .1 .9\n")
    strict, lenient = analysed(files, tmp_path / "a"), analysed(files, tmp_path / "b", lenient=True)
    assert (strict.ok, [defect.code for defect in strict.defects]) == (False, ["yolo.task_rows"])
    assert (lenient.ok, lenient.warnings, lenient.boxes) == (True, 1, 4)


SPLITS = b"train: images/train\nval: images/val\n"
BOMB = b"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"


def description(name: str, yaml: bytes, code: str, line: int | None = 1, tag: str = ""):
    return pytest.param(yaml, code, line, id=f"bad-{name}{tag and '-' + tag}")


@pytest.mark.parametrize(
    ("yaml", "code", "line"),
    [
        description("A17", b"names: [cat, '=HYPERLINK(\"http://x\")']\n" + SPLITS, "class.name"),
        description("A17", b"names: [cat, '@SUM(A1)']\n" + SPLITS, "class.name", tag="at"),
        description(
            "A23", b"download: |\n  import os; os.system('id')\nnames: [a, b]\n" + SPLITS, "yolo.download_key"
        ),
        description("A24", b"names: !!python/object/apply:os.system ['id']\n" + SPLITS, "yaml.tag", tag="tag"),
        description("A24", BOMB + SPLITS, "yaml.alias", tag="alias"),
        description("A24", b"names: " + b"[" * 5000, "yaml.too_deep", tag="deep"),
        description("A24", b"names: [a]\n---\nnames: [b]\n", "yaml.invalid", 2, "documents"),
        description("A24", b"names: [a\n", "yaml.invalid", 2, "broken"),
        description("A25", b"nc: 3\nnames: [a, b]\n" + SPLITS, "yolo.classes_count"),
        description("A25", b"names: {0: a, 2: b}\n" + SPLITS, "yolo.class_gap", tag="gap"),
        description("A25", b"names: [a, a]\n" + SPLITS, "class.duplicate", tag="names"),
        description(
            "A25", b"val: labels\ntrain: images/train\nnames: [a, b]\n", "yolo.split_empty", tag="empty-split"
        ),
        description(
            "A25", b"val: nowhere\ntrain: images/train\nnames: [a, b]\n", "yolo.split_missing", tag="missing-split"
        ),
        description("T15", b"names: [a, b]\nnames: [c, d]\n" + SPLITS, "yaml.duplicate_key", 2),
        description("T15", b"names: [a, b]\n" + SPLITS + b"# " + b"x" * (1 << 20), "text.too_big", None, "1-mb"),
    ],
)
def test_bad_descriptions_are_refused_with_their_line(tmp_path, yaml, code, line):
    found = analysed(yolo_files(yaml=yaml), tmp_path)
    assert not found.ok
    assert (found.defects[0].code, found.defects[0].path, found.defects[0].line) == (code, "data.yaml", line)
