"""Small copies of pictures: as PNG that any reader understands, and never larger than a page wants."""

import base64
import struct
import zlib

import numpy as np
import pytest

from ripeness.data.small_pictures import png_of, png_uri, shrunk

RNG = np.random.RandomState(0)


def decoded(content):
    """Read a PNG of unfiltered lines by its standard, with its check sums."""
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    parts, place = {}, 8
    while place < len(content):
        (length,) = struct.unpack(">I", content[place : place + 4])
        name, body = content[place + 4 : place + 8], content[place + 8 : place + 8 + length]
        assert struct.unpack(">I", content[place + 8 + length : place + 12 + length])[0] == zlib.crc32(name + body)
        parts[name], place = body, place + 12 + length
    width, height, depth, colours = struct.unpack(">IIBB", parts[b"IHDR"][:10])
    assert (depth, colours) == (8, 2)
    lines = np.frombuffer(zlib.decompress(parts[b"IDAT"]), np.uint8).reshape(height, 1 + 3 * width)
    assert not lines[:, 0].any()
    return lines[:, 1:].reshape(height, width, 3)


@pytest.mark.parametrize("shape", [(1, 1), (24, 24), (3, 7), (160, 20)])
def test_a_png_has_the_pixels(shape):
    pixels = RNG.randint(0, 256, (*shape, 3)).astype(np.uint8)
    assert np.array_equal(decoded(png_of(pixels)), pixels)


@pytest.mark.parametrize(
    ("shape", "small"), [((160, 90), (160, 90)), ((161, 90), (80, 45)), ((1000, 3), (142, 1)), ((2, 999), (1, 142))]
)
def test_a_large_picture_is_shrunk_by_averaging(shape, small):
    pixels = np.full((*shape, 3), 7, np.uint8)
    pixels[0, 0] = 255
    found = shrunk(pixels)
    assert found.shape == (*small, 3) and found.dtype == np.uint8 and (found[-1, -1] == 7).all()
    assert (found[0, 0] > 7).all()


def test_an_address_holds_the_picture():
    pixels = RNG.randint(0, 256, (400, 300, 3)).astype(np.uint8)
    start, content = png_uri(pixels).split(",")
    assert start == "data:image/png;base64" and decoded(base64.b64decode(content)).shape == (133, 100, 3)
