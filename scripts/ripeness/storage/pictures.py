"""Pictures of a dataset's rows: checked when the rows are fetched, kept once each, and named by their content.

A row has a picture as bytes, as a path, or as {bytes, path}, as datasets of the hub have it. PNG and JPEG are read by
Pillow, which no study without such pictures needs; arrays of numpy files by numpy alone.
"""

import hashlib
import io
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ripeness.runtime.errors import UserError
from ripeness.storage.parquet import read_table

FILE = "pictures.parquet"  # in the folder of rows: picture (its digest), content (bytes)
NPY, PNG, JPEG = b"\x93NUMPY", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
PILLOW = "pillow==13.0.0"
MOST_BYTES, MOST_PIXELS = 64 * 2**20, 64 * 2**20
READABLE = "pictures are PNG or JPEG, or a numpy file (.npy) of bytes (height, width, 3)"


def take_pictures(
    sources: dict[str, dict[int, dict[str, Any]]], column: str, folders: dict[str, Path]
) -> dict[str, bytes]:
    """Put the digest of its picture into `column` of every row; return the pictures by digest.

    Paths are relative to the folder of the source; one without a folder came over a network, and names no files here.
    UserError with file and row for what is no picture, or is huge.
    """
    found: dict[str, bytes] = {}
    for source, rows in sources.items():
        for line, row in rows.items():
            where = f"{source}:{line}"
            if row.get(column) is None:
                raise UserError(
                    f"{where}: {column} is {'null' if column in row else 'missing'}, and no picture\n"
                    "hint: fix the row, or `image` in the task file"
                )
            content = content_of(row[column], where, folders.get(source))
            name = hashlib.sha256(content).hexdigest()[:32]
            if name not in found:
                read_picture(content, where)
                found[name] = content
            row[column] = name
    return found


def files_named(
    sources: dict[str, dict[int, dict[str, Any]]], column: str, folders: dict[str, Path]
) -> dict[str, None]:
    """Return the paths of the pictures that rows name, each once, before `take_pictures` puts digests there."""
    values = ((source, in_row(row.get(column))) for source, rows in sources.items() for row in rows.values())
    return {str(folders.get(source, Path()) / value): None for source, value in values if isinstance(value, str)}


def in_row(value: Any) -> Any:
    """Return what a row has of a picture: its bytes, or the path of its file."""
    return value.get("bytes") or value.get("path") if isinstance(value, dict) else value


def content_of(value: Any, where: str, folder: Path | None) -> bytes:
    """Return the bytes of a picture: those in a row, or those of the file in a folder that it names."""
    value = in_row(value)
    if isinstance(value, str) and folder is None:
        raise UserError(
            f"{where}: the row names a picture, {value[:80]!r}, that is not in it\n"
            "hint: save the rows as files on disk next to the pictures, and name them under `source`"
        )
    if isinstance(value, str):
        path = Path(folder or "", value)
        if not path.is_file():
            raise UserError(f"{where}: there is no file {path}\nhint: paths of pictures are relative to {folder}")
        if path.stat().st_size > MOST_BYTES:
            raise too_large(where, f"{path.stat().st_size:,} bytes", f"{MOST_BYTES:,}")
        return path.read_bytes()
    if not isinstance(value, bytes):
        raise UserError(
            f"{where}: {str(value)[:40]!r} is not a picture\nhint: bytes, or the path of a file; {READABLE}"
        )
    if len(value) > MOST_BYTES:
        raise too_large(where, f"{len(value):,} bytes", f"{MOST_BYTES:,}")
    return value


def too_large(where: str, size: str, most: str) -> UserError:
    """Make the error for a picture that is too large."""
    return UserError(f"{where}: the picture has {size}, more than {most}\nhint: make it smaller; encoders read little")


def read_picture(content: bytes, where: str) -> np.ndarray:
    """Read the pixels (H, W, 3) of a picture, from 0 to 255; UserError that names the row for what is none."""
    if content.startswith(NPY):
        return npy_pixels(content, where)
    if not content.startswith((PNG, JPEG)):
        raise UserError(f"{where}: the picture begins with {content[:8]!r}\nhint: {READABLE}")
    try:
        from PIL import Image
    except ImportError:
        raise UserError(
            f"{where}: a PNG or JPEG picture is read by Pillow, which is not installed\nhint: pip install {PILLOW}"
        ) from None
    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as image:
            width, height = image.size
            if width * height > MOST_PIXELS:
                raise too_large(where, f"{width} x {height} pixels", f"{MOST_PIXELS:,}")
            if content.startswith(PNG):
                check_png(content)
            return pixels_of(image)
    except UserError:
        raise
    except Image.DecompressionBombError:
        raise too_large(where, "more pixels than Pillow reads", f"{MOST_PIXELS:,}") from None
    except Exception as error:  # a damaged file fails in as many ways as there are formats
        raise UserError(f"{where}: the picture is damaged: {error}\nhint: {READABLE}") from None


def pixels_of(image: Any) -> np.ndarray:
    """Return the pixels of a picture as it is looked at: turned as its camera says, and 16 bits as 8."""
    from PIL import ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # of which Pillow would make white of all above 255
        grey = np.rint(np.asarray(image) / 257).astype(np.uint8)
        return np.stack([grey] * 3, axis=-1)
    return np.asarray(image.convert("RGB"))


def check_png(content: bytes) -> None:
    """Raise ValueError for a PNG with a wrong check sum or without its end: Pillow reads wrong pixels of some such."""
    place, name = len(PNG), b""
    while name != b"IEND":
        head = content[place : place + 8]
        length, name = int.from_bytes(head[:4], "big"), head[4:]
        end = place + 12 + length
        if len(head) < 8 or end > len(content):
            raise ValueError("it is cut off")
        if zlib.crc32(content[place + 4 : end - 4]) != int.from_bytes(content[end - 4 : end], "big"):
            raise ValueError(f"the check sum of its part {name!r} is wrong")
        place = end


def npy_pixels(content: bytes, where: str) -> np.ndarray:
    """Read the pixels of a numpy file."""
    try:
        pixels = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, MemoryError, OSError) as error:
        raise UserError(f"{where}: the picture is damaged: {str(error)[:80]}\nhint: {READABLE}") from None
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise UserError(f"{where}: the picture has shape {pixels.shape} and type {pixels.dtype}\nhint: {READABLE}")
    if pixels.shape[0] * pixels.shape[1] > MOST_PIXELS:
        raise too_large(where, f"{pixels.shape[1]} x {pixels.shape[0]} pixels", f"{MOST_PIXELS:,}")
    return pixels


def write_pictures(folder: Path, pictures: dict[str, bytes]) -> None:
    """Write pictures next to the rows that name them."""
    table = {"picture": list(pictures), "content": list(pictures.values())}
    pl.DataFrame(table, schema={"picture": pl.String, "content": pl.Binary}).write_parquet(folder / FILE)


def read_pictures(folder: Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Read the pixels of those pictures in a folder of rows that are named, in this order."""
    contents = read_contents(folder, names)
    return {name: read_picture(content, f"{folder / FILE}, {name}") for name, content in contents.items()}


def read_contents(folder: Path, names: Iterable[str]) -> dict[str, bytes]:
    """Read the contents of those pictures in a folder that are named, in this order."""
    table = read_table(folder / FILE)
    contents = dict(zip(table["picture"], table["content"], strict=True))
    return {name: contents[name] for name in dict.fromkeys(names)}
