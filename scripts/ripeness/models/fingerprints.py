"""What a checkpoint's weights are, whatever their files are called: digests of the values of every tensor.

A copied or linked folder, a file under another name, other shards, another header, names without the prefix of the
model, and a cast that loses nothing (bfloat16 or float16 to float32, float32 to float64) give the same digests, since
models are loaded in float32. A cast that rounds does not.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json

FILE = "weights.json"  # in the folder of a checkpoint
BLOCK = 2**22  # values that are read at a time
LENGTH = 32  # hexadecimal digits that are kept of a digest
HEADER = 8  # bytes that say how long the header of a safetensors file is
FLOATS: dict[str, np.dtype[Any]] = {
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
}


def read_weights(folder: Path) -> dict[str, Any]:
    """Read the digests kept in a checkpoint folder, or compute those of its safetensors files."""
    if (folder / FILE).is_file():
        return read_json(folder / FILE, dict, keys=("kind", "parts", "rest"))
    return digests_of(sorted(folder.glob("*.safetensors")))


def digests_of(files: Iterable[Path]) -> dict[str, Any]:
    """Compute the digests of all tensors in some safetensors files, without names.

    `parts` are those of matrices, each once, since tied ones may be saved twice; `rest` those of everything else,
    as often as they occur: vectors, constants, masks, which different checkpoints of one model may share.
    """
    parts, rest = set(), []
    for path in files:
        for digest, is_matrix in tensor_digests(path):
            if is_matrix:
                parts.add(digest)
            else:
                rest.append(digest)
    return {"kind": "tensors", "parts": sorted(parts), "rest": sorted(rest)}


def tensor_digests(path: Path) -> Iterator[tuple[str, bool]]:
    """Compute the digest of each tensor of a safetensors file, and whether it is a matrix of unequal numbers."""
    try:
        with path.open("rb") as file:
            n_header = int.from_bytes(file.read(HEADER), "little")
            header = json.loads(file.read(n_header))
        content = np.memmap(path, np.uint8, "r", offset=HEADER + n_header)
        for name, entry in header.items():
            if name != "__metadata__":
                start, end = entry["data_offsets"]
                yield digest_of(content[start:end], entry["dtype"], entry["shape"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} cannot be read: {error}\nhint: it is cut short or damaged; copy it again") from None


def digest_of(content: np.ndarray, dtype: str, shape: list[int]) -> tuple[str, bool]:
    """Compute the digest of one tensor's bytes (1-D, uint8), and whether it is a matrix of unequal numbers."""
    is_float = dtype in FLOATS
    kind = "F" if is_float else dtype
    digest = hashlib.sha256(f"{kind} {shape}".encode())
    values = content.view(FLOATS[dtype]) if is_float else content
    first, varies = None, False
    for start in range(0, len(values), BLOCK):
        block = values[start : start + BLOCK]
        block = as_numbers(block, dtype) if is_float else np.ascontiguousarray(block)
        first = block[0] if first is None else first
        varies = varies or bool((block != first).any())
        digest.update(block.data)
    return digest.hexdigest()[:LENGTH], is_float and varies and len(shape) in (2, 3)


def as_numbers(block: np.ndarray, dtype: str) -> np.ndarray:
    """Convert values to float32, as models are loaded; zero has no sign, which conversions lose."""
    numbers = (block.astype(np.uint32) << 16).view(np.float32) if dtype == "BF16" else block.astype(np.float32)
    return numbers + numbers.dtype.type(0)
