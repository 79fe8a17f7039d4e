"""Unpack texts that people keep packed, within bounds, and know the line by which spreadsheets name a separator."""

import gzip
import io
import re
from pathlib import Path

from ripeness.runtime.errors import UserError

NEUTRAL = True  # no number depends on this module, see ripeness.workflow.code_digest

SEPARATOR_LINE = re.compile(r'"?sep=([^\w\s"]|\t)"?[,;\t|]*\r?(\n|$)', flags=re.IGNORECASE)
MOST_UNPACKED, MOST_RATIO = 2**26, 100  # bytes, and times the packed file; text is rarely packed to a tenth
BLOCK = 2**20  # bytes that are unpacked at a time


def unpacked(content: bytes, path: Path) -> bytes:
    """Unpack a .gz file. UserError for one that is far larger than any text becomes by packing."""
    most, found = max(MOST_UNPACKED, MOST_RATIO * len(content)), bytearray()
    with gzip.open(io.BytesIO(content)) as file:
        while block := file.read(BLOCK):
            found += block
            if len(found) > most:
                raise UserError(
                    f"{path}: {len(content):,} bytes unpack to more than {most:,}\n"
                    "hint: no table or list of rows is packed so small; get the file again from a place that you trust"
                )
    return bytes(found)
