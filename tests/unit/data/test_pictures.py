"""Pictures of rows: read from bytes and files, kept once each, and refused with file and row where they are none."""

import io
import struct
import sys
import time
import zlib

import numpy as np
import pytest

import ripeness.storage.pictures as pictures
from ripeness.data.nursery.scenes import npy_bytes
from ripeness.data.small_pictures import png_of
from ripeness.runtime.errors import UserError
from ripeness.storage.pictures import files_named, read_picture, take_pictures

RED = np.full((4, 5, 3), (200, 10, 10), dtype=np.uint8)
BLUE = np.full((4, 5, 3), (10, 10, 200), dtype=np.uint8)


def png(pixels):
    """A PNG by hand, as its standard has it."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width, _ = pixels.shape
    lines = b"".join(b"\0" + line.tobytes() for line in pixels)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return pictures.PNG + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def test_pictures_as_bytes_paths_and_both_are_taken_once_each(tmp_path):
    (tmp_path / "red.npy").write_bytes(npy_bytes(RED))
    rows = {
        1: {"image": "red.npy", "q": 1},
        2: {"image": npy_bytes(BLUE)},
        3: {"image": {"bytes": npy_bytes(RED), "path": None}},
        7: {"image": {"bytes": None, "path": "red.npy"}},
    }
    assert list(files_named({"a.jsonl": rows}, "image", {"a.jsonl": tmp_path})) == [str(tmp_path / "red.npy")]
    found = take_pictures({"a.jsonl": rows}, "image", {"a.jsonl": tmp_path})
    assert [rows[n]["image"] for n in (1, 3, 7)] == [rows[1]["image"]] * 3 and len(found) == 2
    assert np.array_equal(read_picture(found[rows[1]["image"]], ""), RED)
    assert np.array_equal(read_picture(found[rows[2]["image"]], ""), BLUE)
    assert rows[1]["q"] == 1


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, r"a\.jsonl:9: image is null, and no picture\nhint: fix the row"),
        ("none.png", r"a\.jsonl:9: there is no file .*none\.png\nhint: paths"),
        (b"GIF89a....", r"a\.jsonl:9: the picture begins with b'GIF89a\.\.'\nhint: pictures are PNG or JPEG"),
        (12, r"a\.jsonl:9: '12' is not a picture\nhint: bytes, or the path"),
        (npy_bytes(RED)[:-7], r"a\.jsonl:9: the picture is damaged: .*\nhint: "),
        (npy_bytes(RED.astype(np.float32)), r"a\.jsonl:9: the picture has shape \(4, 5, 3\) and type float32"),
        (npy_bytes(RED[:, :, 0]), r"a\.jsonl:9: the picture has shape \(4, 5\)"),
    ],
)
def test_what_is_no_picture_is_refused_with_file_and_row(tmp_path, value, message):
    rows = {3: {"image": npy_bytes(RED)}, 9: {"image": value}}
    with pytest.raises(UserError, match=message):
        take_pictures({"a.jsonl": rows}, "image", {"a.jsonl": tmp_path})


def test_an_array_that_would_run_code_is_not_loaded(tmp_path):
    file = io.BytesIO()
    np.save(file, np.array([print], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match="a:1: the picture is damaged"):
        read_picture(file.getvalue(), "a:1")


def test_huge_pictures_are_refused_by_bytes_and_by_pixels(monkeypatch, tmp_path):
    (tmp_path / "red.npy").write_bytes(npy_bytes(RED))
    monkeypatch.setattr(pictures, "MOST_PIXELS", 19)
    with pytest.raises(UserError, match="a:1: the picture has 5 x 4 pixels, more than 19\nhint: make it smaller"):
        read_picture(npy_bytes(RED), "a:1")
    monkeypatch.setattr(pictures, "MOST_BYTES", 100)
    for value in ("red.npy", npy_bytes(RED)):
        with pytest.raises(UserError, match="a:1: the picture has 188 bytes, more than 100"):
            take_pictures({"a": {1: {"image": value}}}, "image", {"a": tmp_path})


@pytest.fixture
def pillow():
    """The library of pictures, which no requirement names: `pip install pillow==13.0.0` for these tests."""
    return pytest.importorskip("PIL.Image", reason="Pillow is not installed")


def jpeg(pillow, pixels, **how):
    file = io.BytesIO()
    pillow.fromarray(pixels).save(file, format="JPEG", quality=95, **how)
    return file.getvalue()


def test_without_pillow_a_png_is_refused_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(UserError, match=r"a:1: a PNG or JPEG picture is read by Pillow.*\nhint: pip install pillow=="):
        read_picture(png(RED), "a:1")


def test_png_and_jpeg_are_read_in_all_their_kinds(pillow):
    assert np.array_equal(read_picture(png(RED), "a:1"), RED)
    assert np.array_equal(read_picture(png_of(BLUE), "a:1"), BLUE)  # what the report writes
    for how in ({}, {"progressive": True}, {"optimize": True}):
        assert np.abs(read_picture(jpeg(pillow, BLUE, **how), "a:1").astype(int) - BLUE).max() < 12
    grey = np.full((4, 5), 77, dtype=np.uint8)
    assert np.abs(read_picture(jpeg(pillow, grey), "a:1").astype(int) - 77).max() < 3
    for mode, fill in (("RGBA", (200, 10, 10, 255)), ("P", 0), ("L", 9), ("1", 1)):
        file = io.BytesIO()
        pillow.new(mode, (5, 4), fill).save(file, format="PNG")
        assert read_picture(file.getvalue(), "a:1").shape == (4, 5, 3)


def test_a_grey_picture_of_16_bits_is_as_bright_as_one_of_8(pillow):
    file = io.BytesIO()
    pillow.fromarray(np.array([[0, 257, 32_896, 65_535]], dtype=np.uint16)).save(file, format="PNG")
    assert read_picture(file.getvalue(), "a:1").tolist() == [[[value] * 3 for value in (0, 1, 128, 255)]]


def test_a_picture_stands_as_its_camera_says(pillow):
    exif = pillow.Exif()
    exif[0x0112] = 6  # the upper side is that on the right
    sideways = np.zeros((8, 16, 3), dtype=np.uint8)
    sideways[:, :8] = 255
    found = read_picture(jpeg(pillow, sideways, exif=exif), "a:1")
    assert found.shape == (16, 8, 3) and found[:6].min() > 200 and found[10:].max() < 60


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_broken_and_cut_files_are_refused_with_file_and_row(pillow, kind, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 48, 3), dtype=np.uint8)
    whole = png(noise) if kind == "png" else jpeg(pillow, noise)
    broken = {"cut": whole[: len(whole) // 2], "hardly begun": whole[:40], "without its end": whole[:-20]}
    if kind == "png":
        broken["another byte"] = whole[:200] + bytes([whole[200] ^ 255]) + whole[201:]  # its check sum tells
    for name, content in broken.items():
        (tmp_path / f"{name}.img").write_bytes(content)
        rows = {3: {"image": whole}, 9: {"image": f"{name}.img"}}
        with pytest.raises(UserError, match=r"a\.jsonl:9: the picture is damaged: .*\nhint: "):
            take_pictures({"a.jsonl": rows}, "image", {"a.jsonl": tmp_path})


def test_a_small_file_of_a_huge_picture_is_refused_before_its_pixels_are_read(pillow):
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", len(head)) + b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))
    start = time.monotonic()
    with pytest.raises(UserError, match="a:1: the picture has .*more than .*67,108,864\nhint: make it smaller"):
        read_picture(pictures.PNG + chunk + png(RED)[33:], "a:1")
    assert time.monotonic() - start < 5
    content = png(np.zeros((9000, 8000, 3), dtype=np.uint8))  # 72 million pixels of one colour in 0.2 MB
    assert len(content) < 2**20
    with pytest.raises(UserError, match="a:1: the picture has 8000 x 9000 pixels, more than 67,108,864"):
        read_picture(content, "a:1")
