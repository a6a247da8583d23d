"""Pictures written to fill the web process or to keep it busy: small files, large pictures."""

import io
import struct
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from apps.datasets.defects import BadInput
from apps.datasets.images import inspect, thumbnail_process
from apps.datasets.images.thumbnail_process import bounded_thumbnail

pytestmark = pytest.mark.security


def png(width: int, height: int, mode: str = "RGBA") -> bytes:
    target = io.BytesIO()
    Image.new(mode, (width, height)).save(target, "PNG")
    return target.getvalue()


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Pictures that were decoded in this process."""
    found: list[Any] = []
    real = thumbnail_process.thumbnail

    def watched(source: Any, size: int) -> bytes:
        found.append(source)
        return real(source, size)

    monkeypatch.setattr(thumbnail_process, "thumbnail", watched)
    return found


def test_a_large_picture_is_made_small_in_a_process_of_its_own(tmp_path: Path, inline: list[Any]) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(png(6000, 5000))
    for source in (path, path.read_bytes()):
        with Image.open(io.BytesIO(bounded_thumbnail(source, 256))) as copy:
            assert (copy.format, copy.size) == ("WEBP", (256, 213))
    assert inline == []


def test_an_ordinary_picture_is_made_small_at_once(inline: list[Any]) -> None:
    bounded_thumbnail(png(640, 480), 128)
    assert len(inline) == 1


def test_what_is_wrong_with_a_large_picture_is_said_as_of_a_small_one(inline: list[Any]) -> None:
    with pytest.raises(BadInput, match=r"image\.undecodable"):
        bounded_thumbnail(png(6000, 5000)[:-2000], 128)
    with pytest.raises(BadInput, match=r"image\.pixels"):
        bounded_thumbnail(png(20_000, 6000, "1"), 128)
    assert inline == []


def test_a_picture_that_takes_more_than_the_child_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnail_process, "COMMAND", ("-c", "import os; os.kill(os.getpid(), 9)"))
    with pytest.raises(BadInput, match=r"image\.undecodable"):
        bounded_thumbnail(png(6000, 5000), 128)


def test_a_jpeg_of_a_thousand_scans_is_refused() -> None:
    target = io.BytesIO()
    Image.effect_noise((64, 64), 50).convert("RGB").save(target, "JPEG", progressive=True)
    sound = target.getvalue()
    assert inspect(sound, name="a.jpg")[0] is not None
    last = sound.rindex(b"\xff\xda")
    bomb = sound[:-2] + sound[last:-2] * 1000 + sound[-2:]
    begun = time.process_time()
    facts, defects = inspect(bomb, name="a.jpg")
    assert (facts, [defect.code for defect in defects]) == (None, ["image.corrupt"])
    assert time.process_time() - begun < 1


def test_a_tag_of_a_tiff_that_is_repeated_is_refused_where_it_is() -> None:
    """Four thousand entries of a million values each, all of them the same bytes: minutes of reading."""
    count, values = 4096, 1_000_000
    entry = struct.pack("<HHLL", 273, 1, values, 8)
    following = 8 + values
    data = (
        b"II*\0" + struct.pack("<L", following) + bytes(values) + struct.pack("<H", count) + entry * count + bytes(4)
    )
    begun = time.process_time()
    facts, defects = inspect(data, name="a.tif")
    assert time.process_time() - begun < 1
    assert facts is None
    assert [defect.code for defect in defects] == ["image.corrupt"]


def test_the_pages_of_a_tiff_are_counted_without_reading_what_they_say() -> None:
    """A hundred pages that share four thousand entries nobody asks for."""
    entries = struct.pack("<HHLL", 1, 4, 1, 0) * 4096
    sized = b"".join(struct.pack("<HHLL", tag, 4, 1, 1) for tag in (256, 257, 273, 279))
    first = 8 + 2 + len(sized) + 4
    data = b"II*\0" + struct.pack("<LH", 8, 4) + sized + struct.pack("<L", first)
    for page in range(99):
        following = first + (page + 1) * (2 + len(entries) + 4) if page < 98 else 0
        data += struct.pack("<H", 4096) + entries + struct.pack("<L", following)
    begun = time.process_time()
    facts, _defects = inspect(data, name="a.tif")
    assert time.process_time() - begun < 0.2
    assert facts is not None
    assert facts.frames == 100
