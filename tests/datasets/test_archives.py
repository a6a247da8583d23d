"""Sound archives come in whole; paths and limits are enforced whatever the bytes say."""

import hashlib
import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from apps.datasets.archives import Limits, PathRules, take_in, unpack, walk
from apps.datasets.archives.paths import collision_key
from apps.datasets.defects import BadInput
from tests.datasets.factories import archives

FILES = {
    "images/a.jpg": b"\xff\xd8\xff" + bytes(3000),
    "labels/a.txt": b"0 .5 .5 1 1\n",
    "사진/고양이.txt": b"",
    "x": b"1",
}


def write(folder: Path, content: bytes) -> Path:
    path = folder / "upload"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        archives.zip_of(FILES),
        archives.zip_of(FILES, stored=True),
        archives.tar_of(FILES),
        archives.tar_of(FILES, form=tarfile.PAX_FORMAT),
        archives.tar_gz(FILES),
    ],
    ids=["zip", "zip-stored", "tar-gnu", "tar-pax", "tar-gz"],
)
def test_every_kind_of_archive_comes_in_whole(tmp_path, content):
    staged = unpack(write(tmp_path, content), tmp_path / "staged")

    assert {member.path: staged.read(member.path) for member in staged.members} == FILES
    assert {member.path: member.sha256 for member in staged.members} == {
        path: hashlib.sha256(data).hexdigest() for path, data in FILES.items()
    }
    assert staged.size == sum(map(len, FILES.values()))


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_long_names_survive_in_tar(tmp_path, form):
    name = "/".join(["folder-with-a-long-name"] * 6) + "/" + "n" * 90
    staged = unpack(write(tmp_path, archives.tar_of({name: b"x"}, form=form)), tmp_path / "staged")
    assert [member.path for member in staged.members] == [name]


def test_zip64_and_streamed_members_come_in(tmp_path):
    target = io.BytesIO()

    class Pipe(io.RawIOBase):
        def writable(self):
            return True

        def write(self, data):
            return target.write(data)

    with (
        zipfile.ZipFile(Pipe(), "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a", "w", force_zip64=True) as member,
    ):
        member.write(b"streamed" * 1000)
    staged = unpack(write(tmp_path, target.getvalue()), tmp_path / "staged")
    assert staged.read("a") == b"streamed" * 1000


def test_an_unmarked_korean_name_is_read_and_reported(tmp_path):
    staged = unpack(write(tmp_path, archives.raw_name_zip("고양이.txt".encode("cp949"))), tmp_path / "staged")
    assert [member.path for member in staged.members] == ["고양이.txt"]
    assert staged.defect_counts == {"path.decoded": 1}


def test_progress_counts_files_and_bytes(tmp_path):
    seen = []
    unpack(write(tmp_path, archives.zip_of(FILES)), tmp_path / "staged", progress=lambda *now: seen.append(now))
    assert seen[-1] == (4, 4, sum(map(len, FILES.values())))


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(members=3), "archive.too_many_members"),
        (Limits(total_bytes=3000), "archive.too_big"),
        (Limits(member_bytes=3000), "archive.member_too_big"),
        (Limits(seconds=-1.0), "archive.too_slow"),
        (Limits(depth=1), "path.deep"),
        (Limits(path_bytes=9), "path.long"),
        (Limits(component_bytes=8), "path.component_long"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("make", [archives.zip_of, archives.tar_of, archives.tar_gz], ids=["zip", "tar", "tar-gz"])
def test_each_limit_refuses_and_leaves_nothing(tmp_path, make, limits, code):
    with pytest.raises(BadInput) as refused:
        unpack(write(tmp_path, make(FILES)), tmp_path / "staged", limits=limits)
    assert refused.value.code == code
    assert not (tmp_path / "staged").exists()


def test_uploaded_streams_pass_the_same_rules(tmp_path):
    with pytest.raises(BadInput) as refused:
        take_in([("a.txt", io.BytesIO(b"x")), ("../b.txt", io.BytesIO(b"y"))], tmp_path / "staged")
    assert (refused.value.code, refused.value.defect.path) == ("path.traversal", "../b.txt")
    assert not (tmp_path / "staged").exists()


def test_a_server_folder_is_listed_without_being_copied(tmp_path):
    folder = tmp_path / "set"
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "cafe\u0301.jpg").write_bytes(b"decomposed")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_bytes(b"left out")

    staged = walk(folder)

    assert [(member.path, member.size) for member in staged.members] == [("images/caf\u00e9.jpg", 10)]
    assert staged.read("images/caf\u00e9.jpg") == b"decomposed"
    assert staged.defect_counts == {"path.dropped": 1}


@pytest.mark.parametrize(
    ("path", "fits"),
    [
        ("12:30.jpg", False),
        ("what?.jpg", False),
        ("night./a.jpg", False),
        ("a.jpg ", False),
        ("AUX", False),
        ("con.front.jpg", False),
        ("images/Lpt1.txt", False),
        ("nul/a.jpg", False),
        ("context.jpg", True),
        ("com10.jpg", True),
        ("a. b.jpg", True),
        ("사진/고양이.jpg", True),
    ],
)
def test_a_name_that_windows_cannot_hold_is_taken_with_a_warning(path, fits):
    rules = PathRules()
    assert rules.accept_file(path) == path
    assert rules.log.counts == ({} if fits else {"path.windows": 1})


@pytest.mark.parametrize("target", ["/etc/passwd", "inside.txt"])
def test_a_server_folder_with_a_link_is_refused(tmp_path, target):
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "inside.txt").write_bytes(b"x")
    (folder / "link").symlink_to(target)
    with pytest.raises(BadInput) as refused:
        walk(folder)
    assert (refused.value.code, refused.value.defect.path) == ("path.link", "link")


def test_a_server_folder_that_is_not_allowed_is_refused_by_where_it_really_is(tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "x").write_bytes(b"x")
    (tmp_path / "allowed").mkdir()
    (tmp_path / "allowed" / "door").symlink_to(tmp_path / "secret")
    with pytest.raises(BadInput) as refused:
        walk(tmp_path / "allowed" / "door", is_allowed=lambda path: path.is_relative_to(tmp_path / "allowed"))
    assert refused.value.code == "path.traversal"


@example("./C:/a.jpg")
@example("\u212a:/a.jpg")
@given(st.text(max_size=60))
def test_an_accepted_path_stays_below_the_folder_and_is_stable(raw):
    try:
        path = PathRules().accept_file(raw)
    except BadInput as refused:
        assert refused.code.startswith("path.")
        return
    if path is None:
        return
    assert os.path.normpath("/root/" + path) == "/root/" + path
    assert PathRules().accept_file(path) == path
    path.encode("utf-8")


@given(st.lists(st.sampled_from(["a", "A", "b", "é", "e\u0301", "É", "ß", "SS"]), min_size=1, max_size=3), st.data())
def test_two_paths_that_some_system_takes_for_one_are_never_both_accepted(parts, data):
    other = [data.draw(st.sampled_from([part, part.upper(), part.lower()])) for part in parts]
    rules = PathRules()
    assert rules.accept_file("/".join(parts)) is not None
    if collision_key("/".join(parts)) == collision_key("/".join(other)):
        with pytest.raises(BadInput):
            rules.accept_file("/".join(other))


@given(st.binary(max_size=400), st.sampled_from([b"", b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b\x08"]))
def test_no_bytes_make_the_reader_fail_in_an_untyped_way(tmp_path_factory, noise, head):
    folder = tmp_path_factory.mktemp("noise")
    with pytest.raises(BadInput):
        unpack(write(folder, head + noise), folder / "staged")
    assert not (folder / "staged").exists()


@pytest.mark.parametrize("name", ["x", "x/"])
def test_a_folder_that_holds_bytes_or_is_named_as_a_file_is_no_folder(tmp_path, name):
    """One bit of a file's mode makes a folder of it, and its bytes would be left out in silence."""
    for content in (b"", b"bytes"):
        if name == "x/" and not content:
            continue
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as made:
            made.writestr("images/a.jpg", FILES["images/a.jpg"])
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, (stat.S_IFDIR | 0o755) << 16
            made.writestr(info, content)
        with pytest.raises(BadInput) as refused:
            unpack(write(tmp_path, packed.getvalue()), tmp_path / "staged")
        assert refused.value.code == "archive.corrupt"


def test_a_folder_of_the_directory_alone_is_refused(tmp_path):
    content = bytearray(archives.zip_of({"images/a.jpg": b"\xff\xd8\xff", "empty.txt": b""}))
    at = content.rfind(b"empty.txt")
    content[at : at + 9] = b"empty.tx/"
    with pytest.raises(BadInput) as refused:
        unpack(write(tmp_path, bytes(content)), tmp_path / "staged")
    assert refused.value.code == "archive.header_mismatch"


@given(st.integers(0, 2**32), st.integers(1, 255))
def test_one_changed_byte_is_refused_or_harmless(tmp_path_factory, place, change):
    content = bytearray(archives.zip_of(FILES))
    content[place % len(content)] ^= change
    folder = tmp_path_factory.mktemp("flip")
    try:
        staged = unpack(write(folder, bytes(content)), folder / "staged")
    except BadInput:
        assert not (folder / "staged").exists()
        return
    assert sorted(staged.read(member.path) for member in staged.members) == sorted(FILES.values())
