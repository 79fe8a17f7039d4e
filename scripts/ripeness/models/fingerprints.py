"""What a checkpoint's weights are, whatever their files are called: digests of the values of every tensor.

A copied or linked folder, a file under another name, other shards, another header, names without the prefix of the
model, and a cast that loses nothing (bfloat16 or float16 to float32, float32 to float64) give the same digests, since
models are loaded in float32. Digests of numbers after rounding are kept as well, so that a copy in bfloat16 or float16,
or in both in turn, is recognised (same_weights.py). They are of every STRIDE-th number, since rounding takes longer
than reading. The numbers of all matrices together have a digest that does not depend on their order, so that matrices
that are transposed, joined, split or padded with zeros are recognised too. A few numbers of each matrix are kept as
they are, since two copies that were rounded differently have no digest in common (audit/nearly_same.py).
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json

NEUTRAL = True  # no number depends on this module, see ripeness.workflow.code_digest

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
# what numbers are rounded to in turn, as torch calls it
ROUNDED: dict[str, tuple[str, ...]] = {
    "F32": (),
    "BF16": ("bfloat16",),
    "F16": ("float16",),
    "BF16 F16": ("bfloat16", "float16"),
    "F16 BF16": ("float16", "bfloat16"),
}
STRIDE = 16  # numbers of a large tensor of which one is rounded
SMALL = 2**16  # numbers of a tensor that is rounded whole
KEPT = 16  # numbers of a matrix that are kept as they are
# The bits of numbers are summed up, and above SUMS those of a product that overflows.
FACTOR, SUMS = np.uint32(0x9E3779B1), 2**80


@dataclass(frozen=True)
class TensorDigests:
    """Digests of one tensor: exact, of a sample after each way of rounding, and of its numbers in any order."""

    exact: str
    rounded: dict[str, str]
    numbers: int
    kept: str  # the shape and KEPT float32 numbers, spread evenly, as hexadecimal digits
    is_matrix: bool  # of unequal numbers


def read_weights(folder: Path) -> dict[str, Any]:
    """Read the digests kept in a checkpoint folder, or compute those of its safetensors files."""
    if (folder / FILE).is_file():
        return read_json(folder / FILE, dict, keys=("kind", "parts", "rest"))
    return digests_of(sorted(folder.glob("*.safetensors")))


def digests_of(files: Iterable[Path]) -> dict[str, Any]:
    """Compute the digests of all tensors in some safetensors files, without names.

    `parts` are those of matrices, each once, since tied ones may be saved twice; `rest` those of everything else,
    as often as they occur: vectors, constants, masks, which different checkpoints of one model may share. `rounded` has
    both for every STRIDE-th number: as it is, and after rounding. `numbers` is that of all matrices in any order,
    `kept` has some numbers of each.
    """
    whole: tuple[set[str], list[str]] = (set(), [])
    samples: dict[str, tuple[set[str], list[str]]] = {form: (set(), []) for form in ROUNDED}
    numbers: dict[str, int] = {}
    kept: set[str] = set()
    for path in files:
        for tensor in tensor_digests(path):
            found = [(whole, tensor.exact), *((samples[form], tensor.rounded[form]) for form in ROUNDED)]
            for (parts, rest), digest in found:
                if tensor.is_matrix:
                    parts.add(digest)
                else:
                    rest.append(digest)
            if tensor.is_matrix:
                numbers[tensor.exact] = tensor.numbers
                kept.add(tensor.kept)
    return (
        {"kind": "tensors"}
        | listed(*whole)
        | {
            "rounded": {form: listed(*samples[form]) for form in ROUNDED},
            "numbers": f"{sum(numbers.values()):x}" if numbers else "",
            "kept": sorted(kept),
        }
    )


def listed(parts: set[str], rest: list[str]) -> dict[str, list[str]]:
    """Write digests in order."""
    return {"parts": sorted(parts), "rest": sorted(rest)}


def tensor_digests(path: Path) -> Iterator[TensorDigests]:
    """Compute the digests of each tensor of a safetensors file."""
    try:
        with path.open("rb") as file:
            n_header = int.from_bytes(file.read(HEADER), "little")
            header = json.loads(file.read(n_header))
        content = np.memmap(path, np.uint8, "r", offset=HEADER + n_header)
        for name, entry in header.items():
            if name != "__metadata__":
                start, end = entry["data_offsets"]
                yield digests_of_tensor(content[start:end], entry["dtype"], entry["shape"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} cannot be read: {error}\nhint: it is cut short or damaged; copy it again") from None


def digests_of_tensor(content: np.ndarray, dtype: str, shape: list[int]) -> TensorDigests:
    """Compute the digests of one tensor's bytes (1-D, uint8)."""
    is_float = dtype in FLOATS
    begun = hashlib.sha256(f"{'F' if is_float else dtype} {shape}".encode())
    digest, rounded, numbers = begun.copy(), {form: begun.copy() for form in ROUNDED}, 0
    values = content.view(FLOATS[dtype]) if is_float else content
    stride = STRIDE if len(values) > SMALL else 1
    first, varies = None, False
    for start in range(0, len(values), BLOCK):
        block = values[start : start + BLOCK]
        block = as_numbers(block, dtype) if is_float else np.ascontiguousarray(block)
        first = block[0] if first is None else first
        varies = varies or bool((block != first).any())
        digest.update(block.data)
        numbers += in_any_order(block) if is_float else 0
        sample = np.ascontiguousarray(block[::stride])
        for form, sampled in rounded.items():
            sampled.update((round_to(sample, form) if is_float else sample).data)
    found = {form: sampled.hexdigest()[:LENGTH] for form, sampled in rounded.items()}
    is_matrix = is_float and varies and len(shape) in (2, 3)
    kept = kept_of(values, dtype, shape) if is_matrix else ""
    return TensorDigests(digest.hexdigest()[:LENGTH], found, numbers, kept, is_matrix)


def kept_of(values: np.ndarray, dtype: str, shape: list[int]) -> str:
    """Write down the shape of a matrix and KEPT of its numbers, from the first to the last."""
    places = np.linspace(0, len(values) - 1, KEPT).astype(np.int64)
    numbers = as_numbers(values[places], dtype).astype("<f4")
    return f"{'x'.join(map(str, shape))} {numbers.tobytes().hex()}"


def in_any_order(numbers: np.ndarray) -> int:
    """Sum up what the bits of float32 numbers say: the same in any order, and with zeros between."""
    bits = numbers.view(np.uint32)
    return SUMS * int((bits * FACTOR).sum(dtype=np.uint64)) + int(bits.sum(dtype=np.uint64))


def round_to(numbers: np.ndarray, form: str) -> np.ndarray:
    """Round float32 numbers to those that a form has; they stay float32."""
    import torch  # late, as who reads digests that are kept needs none of it

    found = torch.from_numpy(numbers)
    for kind in ROUNDED[form]:
        found = found.to(getattr(torch, kind)).float()
    return found.numpy() + np.float32(0)


def as_numbers(block: np.ndarray, dtype: str) -> np.ndarray:
    """Convert values to float32, as models are loaded; zero has no sign, which conversions lose."""
    numbers = (block.astype(np.uint32) << 16).view(np.float32) if dtype == "BF16" else block.astype(np.float32)
    return numbers + numbers.dtype.type(0)
