"""Facts are read from headers alone and agree with a real decoder; derived copies carry nothing over."""

import io
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from apps.datasets.defects import BadInput
from apps.datasets.images import ImageFacts, ImageLimits, decode_check, inspect, thumbnail
from tests.datasets.factories import images

SOUND = [
    ("JPEG", "RGB", {}),
    ("JPEG", "L", {}),
    ("JPEG", "CMYK", {}),
    ("JPEG", "RGB", {"progressive": True}),
    ("JPEG", "RGB", {"restart_marker_blocks": 1}),
    ("PNG", "RGB", {}),
    ("PNG", "RGBA", {}),
    ("PNG", "P", {}),
    ("PNG", "LA", {}),
    ("PNG", "1", {}),
    ("PNG", "I;16", {}),
    ("WEBP", "RGB", {}),
    ("WEBP", "RGBA", {}),
    ("WEBP", "RGB", {"lossless": True}),
    ("BMP", "RGB", {}),
    ("BMP", "L", {}),
    ("TIFF", "RGB", {}),
    ("TIFF", "RGBA", {"compression": "tiff_lzw"}),
    ("TIFF", "CMYK", {}),
    ("TIFF", "I;16", {}),
]
NAMES = {"JPEG": "a.jpg", "PNG": "a.png", "WEBP": "a.webp", "BMP": "a.bmp", "TIFF": "a.tif"}


@pytest.mark.parametrize(("kind", "mode", "options"), SOUND)
def test_sound_images_have_the_decoders_facts_and_no_defect(kind, mode, options):
    data = images.encoded(kind, 33, 21, mode, **options)

    facts, defects = inspect(data, name=NAMES[kind])

    decoded = Image.open(io.BytesIO(data))
    assert defects == []
    assert facts is not None
    assert (facts.width, facts.height, facts.format, facts.frames) == (33, 21, kind, 1)
    if kind != "BMP":  # grey BMPs are palettes to the file, grey to Pillow
        assert facts.mode == decoded.mode
    assert decode_check(data) == []


@pytest.mark.parametrize("orientation", range(1, 9))
def test_width_and_height_are_of_the_upright_picture(orientation):
    data = images.oriented_jpeg(orientation, width=40, height=20)
    facts, defects = inspect(data, name="a.jpg")
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert defects == []
    assert facts == ImageFacts(*upright.size, "JPEG", "RGB", orientation)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_orientation_is_read_in_other_formats_too(kind):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = images.encoded(kind, 40, 20, exif=exif)
    facts, _ = inspect(data, name=NAMES[kind])
    assert facts is not None
    assert (facts.width, facts.height, facts.orientation) == (20, 40, 6)


@pytest.mark.parametrize("kind", list(NAMES))
@pytest.mark.parametrize("part", [0.2, 0.6, 0.95])
def test_images_cut_short_are_found_without_decoding(kind, part):
    data = images.encoded(kind, 64, 64)
    facts, defects = inspect(data[: int(len(data) * part)], name=NAMES[kind])
    assert facts is None
    assert [defect.code for defect in defects] in (["image.truncated"], ["image.corrupt"])


@pytest.mark.parametrize("place", [2, -2], ids=["between segments", "in the picture's data"])
def test_millions_of_bytes_that_only_fill_are_each_looked_at_once(place):
    """Were each looked at from every other, this would not end."""
    whole, fill = images.encoded(width=8, height=8), b"\xff" * (4 << 20)
    facts, defects = inspect(whole[:place] + fill + whole[place:], name="a.jpg")
    assert (facts, defects) == inspect(whole, name="a.jpg")
    assert facts is not None
    facts, (defect,) = inspect(whole[:place] + fill, name="a.jpg")
    assert (facts, defect.code) == (None, "image.truncated")


@pytest.mark.parametrize(("place", "count", "sound"), [(2, 9000, True), (2, 10_000, False), (-2, 10_000, False)])
def test_a_picture_of_endless_segments_is_refused(place, count, sound):
    whole, segments = images.encoded(width=8, height=8), b"\xff\xfe\x00\x02" * count
    facts, defects = inspect(whole[:place] + segments + whole[place:], name="a.jpg")
    assert (facts is not None, [defect.code for defect in defects]) == (sound, [] if sound else ["image.corrupt"])


def test_bytes_after_the_end_are_a_warning():
    facts, defects = inspect(images.encoded("JPEG") + b"camera's own trailer", name="a.jpg")
    assert facts is not None
    assert [(defect.code, defect.severity) for defect in defects] == [("image.trailing_bytes", "warning")]


def test_a_small_animation_is_taken_with_its_first_frame(tmp_path):
    frames = [images.picture(seed=seed) for seed in range(3)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:])
    facts, defects = inspect(tmp_path / "a.webp")
    assert facts is not None
    assert facts.frames == 3
    assert [defect.code for defect in defects] == ["image.first_frame"]


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK", "P", "LA", "I;16", "RGBA"])
def test_thumbnails_fit_are_upright_and_bare(mode):
    kind = "JPEG" if mode in ("RGB", "CMYK") else "PNG"
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "secret place"
    data = images.encoded(kind, 90, 30, mode, exif=exif)

    small = Image.open(io.BytesIO(thumbnail(data, 45)))

    assert small.format == "WEBP"
    assert small.size == (15, 45)
    assert not small.getexif()
    assert "icc_profile" not in small.info
    assert b"secret" not in thumbnail(data, 45)


def test_a_sixteen_bit_picture_is_scaled_not_clipped():
    target = io.BytesIO()
    Image.new("I;16", (8, 8), 32768).save(target, "PNG")
    small = Image.open(io.BytesIO(thumbnail(target.getvalue(), 8))).convert("L")
    assert small.getpixel((4, 4)) == pytest.approx(128, abs=3)


def test_a_thumbnail_of_a_broken_image_is_a_typed_error():
    with pytest.raises(BadInput) as refused:
        thumbnail(images.encoded("PNG", 64, 64)[:-200], 32)
    assert refused.value.code == "image.undecodable"


def test_decoding_can_be_bounded_in_a_child_process():
    program = (
        "import sys\n"
        "from apps.datasets.images.decoding import decode_check, guard_process\n"
        "guard_process(400 << 20, 20)\n"
        "print([defect.code for defect in decode_check(sys.stdin.buffer.read())])\n"
    )
    data = images.png(9000, 9000, pixels=bytes(9000 * 27001))
    done = subprocess.run([sys.executable, "-c", program], input=data, capture_output=True, timeout=60, check=True)
    assert done.stdout.decode().strip() in ("['image.undecodable']", "[]")
    done = subprocess.run(
        [sys.executable, "-c", program.replace("400 << 20", "250 << 20")],
        input=data,
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.decode().strip() == "['image.undecodable']"


def test_limits_on_pixels_and_bytes_are_enforced():
    data = images.encoded("PNG", 20, 20)
    assert inspect(data, limits=ImageLimits(pixels=399))[1][-1].code == "image.pixels"
    assert inspect(data, limits=ImageLimits(file_bytes=10))[1][-1].code == "image.too_big"


@given(st.sampled_from(list(NAMES)), st.integers(0, 2**32), st.integers(0, 255), st.integers(1, 4))
def test_changed_bytes_never_make_the_inspection_fail(kind, place, value, count):
    data = bytearray(images.encoded(kind, 16, 12))
    for step in range(count):
        data[(place + step * 7) % len(data)] = value
    facts, defects = inspect(bytes(data), name=NAMES[kind])
    assert facts is not None or defects[-1].severity == "error"


@given(
    st.binary(max_size=200), st.sampled_from([b"", b"\xff\xd8\xff", b"BM", b"GIF89a", b"II*\0", b"RIFF\xff\0\0\0WEBP"])
)
def test_noise_is_refused_with_a_code(noise, head):
    facts, defects = inspect(head + noise, name="a.jpg")
    assert facts is not None or defects[-1].code.startswith("image.")
