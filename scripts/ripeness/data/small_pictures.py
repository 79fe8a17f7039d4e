"""Small copies of pictures for a page: shrunk and written as new PNG files, so that only pixels get there."""

import base64
import struct
import zlib

import numpy as np

from ripeness.storage.pictures import PNG

MOST_SIDE = 160  # pixels of the longer side


def shrunk(pixels: np.ndarray, most: int = MOST_SIDE) -> np.ndarray:
    """Average squares of a picture (H, W, 3) of bytes until its longer side has at most so many pixels."""
    factor = -(-max(pixels.shape[:2]) // most)
    if factor == 1:
        return pixels
    height, width = (max(1, side // factor) for side in pixels.shape[:2])
    down, right = (min(factor, side) for side in pixels.shape[:2])
    cut = pixels[: height * down, : width * right].astype(np.uint32)
    return (cut.reshape(height, down, width, right, 3).mean(axis=(1, 3)) + 0.5).astype(np.uint8)


def png_of(pixels: np.ndarray) -> bytes:
    """Write pixels (H, W, 3) of bytes as PNG (ISO/IEC 15948): one byte a colour, no filter."""
    height, width, _ = pixels.shape
    lines = np.zeros((height, 1 + 3 * width), dtype=np.uint8)  # each begins with the number of its filter
    lines[:, 1:] = pixels.reshape(height, 3 * width)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = {b"IHDR": head, b"IDAT": zlib.compress(lines.tobytes(), 9), b"IEND": b""}
    return PNG + b"".join(chunk(name, content) for name, content in parts.items())


def chunk(name: bytes, content: bytes) -> bytes:
    """Write a part of a PNG with its length and its check sum."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png_uri(pixels: np.ndarray) -> str:
    """Write a small copy of a picture as an address that holds it."""
    return f"data:image/png;base64,{base64.b64encode(png_of(shrunk(pixels))).decode()}"
