"""Archives, sound ones and every kind that must be refused."""

import gzip
import io
import stat
import struct
import tarfile
import warnings
import zipfile
import zlib

Files = dict[str, bytes]


def zip_of(files: Files | list[tuple[str, bytes]], *, stored: bool = False) -> bytes:
    """A ZIP of (name, content) pairs; names may occur twice."""
    target = io.BytesIO()
    pairs = files.items() if isinstance(files, dict) else files
    method = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    with warnings.catch_warnings(), zipfile.ZipFile(target, "w", method) as archive:
        warnings.simplefilter("ignore", UserWarning)
        for name, content in pairs:
            info = zipfile.ZipInfo("x")
            info.filename = name
            info.compress_type = archive.compression
            archive.writestr(info, content)
    return target.getvalue()


def zip_with_mode(name: str, content: bytes, mode: int) -> bytes:
    """A ZIP whose one member carries a Unix mode: link, device, setuid."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        info = zipfile.ZipInfo(name)
        info.create_system = 3
        info.external_attr = mode << 16
        archive.writestr(info, content)
    return target.getvalue()


def raw_zip(
    name: bytes,
    packed: bytes,
    *,
    size: int,
    crc: int,
    method: int = 8,
    flags: int = 0,
    local_name: bytes | None = None,
    packed_size: int | None = None,
) -> bytes:
    """A ZIP of one member with headers of any content."""
    declared = len(packed) if packed_size is None else packed_size
    local_name = name if local_name is None else local_name
    fields = (20, flags, method, 0, 0, crc, declared, size, len(local_name), 0)
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", *fields) + local_name + packed
    central = struct.pack(
        "<4s6H3L5H2L", b"PK\x01\x02", 20, 20, flags, method, 0, 0, crc, declared, size, len(name), 0, 0, 0, 0, 0, 0
    )
    central += name
    return local + central + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(central), len(local), 0)


def raw_name_zip(name: bytes) -> bytes:
    return raw_zip(name, b"x", size=1, crc=zlib.crc32(b"x"), method=0)


def deflated_zeros(size: int) -> bytes:
    """`size` zero bytes, deflated without holding them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    # After a full flush the packer starts anew, so that one packed block can stand as often as one likes.
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * (size >> 20) + packer.compress(bytes(size & 0xFFFFF)) + packer.flush()


def empty_members_zip(count: int, *, declared: int | None = None) -> bytes:
    """A ZIP64 of `count` empty members, whose end records may declare another number."""
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 0, 0, 0, 0, 0, 0, 7, 0)
    central = struct.pack("<4s6H3L5H", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0)
    target = io.BytesIO()
    for number in range(count):
        target.write(local + b"%07d" % number)
    start = target.tell()
    for number in range(count):
        target.write(central + struct.pack("<2L", 0, number * 37) + b"%07d" % number)
    end = target.tell()
    said = count if declared is None else declared
    target.write(struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, said, said, end - start, start))
    target.write(struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1))
    target.write(struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0))
    return target.getvalue()


def overlapping_zip() -> bytes:
    """A ZIP whose two directory entries share one member's bytes."""
    whole = raw_zip(b"a.txt", b"x", size=1, crc=zlib.crc32(b"x"), method=0)
    start = whole.index(b"PK\x01\x02")
    end = whole.index(b"PK\x05\x06")
    central = whole[start:end]
    twice = central + central.replace(b"a.txt", b"b.txt")
    return whole[:start] + twice + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 2, 2, len(twice), start, 0)


def tar_of(files: Files | list[tuple[str, bytes]], *, form: int = tarfile.GNU_FORMAT) -> bytes:
    target = io.BytesIO()
    pairs = files.items() if isinstance(files, dict) else files
    with tarfile.open(fileobj=target, mode="w", format=form) as archive:
        for name, content in pairs:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return target.getvalue()


def tar_member(name: str, kind: bytes, *, link: str = "", mode: int = 0o644) -> bytes:
    """A TAR of one member of any type: link, device, pipe."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.mode = kind, link, mode
        archive.addfile(info)
    return target.getvalue()


def tar_with_size_field(field: bytes) -> bytes:
    """A TAR whose member's size field is `field` (12 bytes), with a right checksum."""
    whole = bytearray(tar_of({"a.txt": b"x"}))
    whole[124:136] = field
    whole[148:156] = b" " * 8
    whole[148:156] = b"%06o\0 " % sum(whole[:512])
    return bytes(whole)


def tar_gz(files: Files) -> bytes:
    return gzip.compress(tar_of(files), mtime=0)


LINK = stat.S_IFLNK | 0o777
PIPE = stat.S_IFIFO | 0o644
SETUID = stat.S_IFREG | 0o4755
