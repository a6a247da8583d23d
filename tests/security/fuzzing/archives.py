"""ZIP and TAR: what comes out of `unpack` is a folder of plain files as the set says, or nothing at all."""

import gzip
import shutil
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path

from apps.datasets.archives import Staged, unpack
from apps.datasets.defects import BadInput
from tests.datasets.factories import archives
from tests.datasets.factories.images import encoded
from tests.security.fuzzing.given import Given, Target, check_defects, with_way

BLOCK = 512
FILES = {
    "images/train/a.jpg": encoded(width=8, height=8),
    "labels/train/a.txt": b"0 .5 .5 .1 .1\n",
    "data.yaml": b"nc: 1\n",
}
NAMES = ["a.txt", "b/", "b/ö/c.txt", "../d", "/e", "C:/f", "aux.txt", "A.txt", "__MACOSX/._g", "h\\i", "j" * 300]


def take(archive: bytes, folder: Path) -> None:
    packed, root = folder / "archive", folder / "staged"
    packed.write_bytes(archive)
    try:
        staged = unpack(packed, root)
    except BadInput as refused:
        check_defects([refused.defect])
        assert not root.exists(), "what was refused is left behind"
        return
    try:
        check_staged(staged)
    finally:
        shutil.rmtree(root)


def check_staged(staged: Staged) -> None:
    """Plain files below the folder, each as long as it says, and no others."""
    check_defects(staged.defects)
    found = {path.relative_to(staged.root).as_posix(): path for path in staged.root.rglob("*") if not path.is_dir()}
    assert sorted(found) == [member.path for member in staged.members]
    for member in staged.members:
        facts = found[member.path].lstat()
        assert stat.S_ISREG(facts.st_mode)
        assert facts.st_size == member.size
        assert not facts.st_mode & 0o077


def take_zip(data: bytes, folder: Path) -> None:
    """The bytes as they are, as a member with headers of any content, or as names of members."""
    given = Given(data)
    way = given.number(255) % 3
    if way == 1:
        take(_one_member(given), folder)
    elif way == 2:
        lines = given.rest().split(b"\n")[:50]
        take(archives.zip_of([(line.decode("utf-8", "replace") or "x", line) for line in lines]), folder)
    else:
        take(given.rest(), folder)


def _one_member(given: Given) -> bytes:
    """Length and check sum are right unless the bytes say otherwise, so that what lies behind them is reached."""
    odd, flags, method = given.number(255), given.number(0xFFFF), given.number(0xFFFF)
    name, _, packed = given.rest().partition(b"\n")
    content = packed
    if odd & 1:
        method = 8
        content = _inflated(packed)
    if odd & 2:
        method = 0
    return archives.raw_zip(
        name[:1000],
        packed,
        size=len(content) + (odd >> 6),
        crc=zlib.crc32(content) ^ (odd >> 4 & 1),
        method=method,
        flags=flags if odd & 4 else flags & 0x800,
        local_name=name[:1000][::-1] if odd & 8 else None,
    )


def _inflated(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, 1 << 20)
    except zlib.error:
        return packed


def zip_seeds() -> Iterator[bytes]:
    yield with_way(archives.zip_of(FILES))
    yield with_way(archives.zip_of(FILES, stored=True))
    yield with_way(archives.zip_with_mode("link", b"a", archives.LINK))
    yield with_way(archives.zip_with_mode("tool", b"a", archives.SETUID))
    yield with_way(archives.empty_members_zip(3))
    yield with_way(archives.empty_members_zip(3, declared=4))
    yield with_way(archives.overlapping_zip())
    for odd in (0, 1, 2, 4, 8, 16):
        packed = zlib.compressobj(9, zlib.DEFLATED, -15)
        body = packed.compress(b"content " * 20) + packed.flush()
        yield with_way("ä.txt".encode() + b"\n" + body + b"\0\x08" + b"\x08\0" + bytes([odd]), 1)
    yield with_way("\n".join(NAMES).encode(), 2)


def take_tar(data: bytes, folder: Path) -> None:
    """The bytes as they are, with right check sums in the headers, and so packed with gzip."""
    given = Given(data)
    way = given.number(255) % 3
    archive = given.rest()
    if way:
        archive = _summed(archive)
    take(gzip.compress(archive, 1, mtime=0) if way == 2 else archive, folder)


def _summed(archive: bytes) -> bytes:
    found = bytearray(archive)
    for start in range(0, len(found) - BLOCK + 1, BLOCK):
        if found[start + 257 : start + 262] == b"ustar":
            found[start + 148 : start + 156] = b" " * 8
            found[start + 148 : start + 156] = b"%06o\0 " % sum(found[start : start + BLOCK])
    return bytes(found)


def tar_seeds() -> Iterator[bytes]:
    long = {"long/" * 24 + "a.txt": b"x", "집/가.txt": b"y"}
    for form in (archives.tarfile.USTAR_FORMAT, archives.tarfile.GNU_FORMAT, archives.tarfile.PAX_FORMAT):
        for files in (FILES, long) if form != archives.tarfile.USTAR_FORMAT else (FILES,):
            for way in range(3):
                yield with_way(archives.tar_of(files, form=form), way)
    yield with_way(archives.tar_gz(FILES))
    yield with_way(archives.tar_gz(FILES) + archives.tar_gz({"b": b"c"}))
    for kind in (
        archives.tarfile.SYMTYPE,
        archives.tarfile.LNKTYPE,
        archives.tarfile.FIFOTYPE,
        archives.tarfile.DIRTYPE,
    ):
        yield with_way(archives.tar_member("m", kind, link="a"), 1)
    yield with_way(archives.tar_with_size_field(b"\x80" + bytes(9) + b"\x01\x00"), 1)


ZIP_WORDS = (
    *(b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"PK\x07\x08"),
    *(b"\xff" * 4, b"\x01\0\x08\0", b"../", b"//", b"CON"),
)
TAR_WORDS = (
    *(b"ustar\0", b"ustar  \0", b"\x80" + bytes(11), b"\x1f\x8b\x08", b"20 path=", b" size=", b" GNU.sparse."),
    *(b"././@LongLink", b"../", b"//", b"NUL"),
)
TARGETS: dict[str, Target] = {
    "ZIP archives": Target(take_zip, zip_seeds, ZIP_WORDS),
    "TAR archives": Target(take_tar, tar_seeds, TAR_WORDS),
}
