"""Older forms of a checkpoint's files become those that everything here reads: safetensors and tokenizer.json.

Pickled weights are read once, with torch's loader that builds nothing but tensors (`weights_only`), so that no code in
them can run. Names and numbers stay as they are.
"""

import tempfile
import zipfile
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoTokenizer

from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json, write_json
from ripeness.storage.arrays import first_line

INDEX = "model.safetensors.index.json"
PICKLED = "pytorch_model.bin"
MOST_GROWTH = 4  # times the file's size: tied tensors, which are stored once, become copies


def pickled_files(folder: Path) -> list[Path]:
    """List the pickled weight files of a folder: one, the parts of an index, or none."""
    index = folder / f"{PICKLED}.index.json"
    if not index.is_file():
        return [folder / PICKLED] if (folder / PICKLED).is_file() else []
    try:
        names = sorted(set(read_json(index, dict)["weight_map"].values()))
    except (UserError, KeyError, TypeError, AttributeError):
        raise UserError(f"{index} has no weight_map\nhint: it is damaged; download it again") from None
    if strange := [name for name in names if Path(name).name != name or not (folder / name).is_file()]:
        raise UserError(f"{index} names {strange[0]!r}, which is not there\nhint: download it again")
    return [folder / name for name in names]


def convert_weights(folder: Path, output: Path) -> None:
    """Write the pickled weights of a folder as safetensors, part by part, so that no more than one is in memory."""
    files = pickled_files(folder)
    weight_map: dict[str, str] = {}
    n_bytes = 0
    for number, path in enumerate(files, 1):
        tensors = read_pickled(path)
        name = "model.safetensors" if len(files) == 1 else f"model-{number:05}-of-{len(files):05}.safetensors"
        save_file(tensors, output / name, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(tensors, name)
        n_bytes += sum(tensor.nbytes for tensor in tensors.values())
    if len(files) > 1:
        write_json(output / INDEX, {"metadata": {"total_size": n_bytes}, "weight_map": weight_map})


def read_pickled(path: Path) -> dict[str, torch.Tensor]:
    """Read the tensors of one pickled file, each with memory of its own.

    Tied weights share memory, which safetensors refuses; a copy of each is right whether or not the config ties them.
    """
    check_size(path)
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle fails in as many ways as there are instructions in it
        raise UserError(
            f"{path.name} cannot be read without running what is in it: {first_line(error)}\n"
            "hint: it is damaged, or contains more than weights; ask its publisher for safetensors"
        ) from None
    if not isinstance(found, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in found.values()):
        raise UserError(
            f"{path.name} contains more than tensors\n"
            "hint: this looks like a training checkpoint; export only the state dict"
        )
    check_tensors(path, found)
    return {name: tensor.detach().contiguous().clone() for name, tensor in found.items()}


def check_size(path: Path) -> None:
    """Refuse a file that would grow when it is read: torch compresses no record, and no record lies in another."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            records = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise UserError(f"{path.name} cannot be read: {error}\nhint: it is damaged; download it again") from None
    packed = [record.filename for record in records if record.compress_type != zipfile.ZIP_STORED]
    n_bytes = sum(record.file_size for record in records)
    if packed:
        raise grows(path, f"the record {packed[0]!r} is compressed")
    if n_bytes > path.stat().st_size:
        raise grows(path, f"its records claim {n_bytes} bytes, the file has {path.stat().st_size}")


def check_tensors(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Refuse tensors that are no plain numbers, or larger than what is stored of them; a few may be tied."""
    for name, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
            raise UserError(f"{path.name}: tensor {name} is not dense numbers\nhint: ask its publisher for safetensors")
        is_quantised = tensor.itemsize == 1 if tensor.is_floating_point() else name.endswith(".weight")
        if is_quantised:
            raise UserError(
                f"{path.name}: {name} consists of numbers of the type {tensor.dtype}, which are not weights\n"
                "hint: name the checkpoint as it was before its weights were quantised"
            )
        if tensor.nbytes > tensor.untyped_storage().nbytes():
            raise grows(path, f"tensor {name} of {list(tensor.shape)} repeats what is stored once")
    n_bytes, size = sum(tensor.nbytes for tensor in tensors.values()), path.stat().st_size
    if n_bytes > MOST_GROWTH * size:
        raise grows(path, f"its tensors have {n_bytes} bytes, the file has {size}")


def grows(path: Path, why: str) -> UserError:
    """Make the error for a small file with large tensors."""
    return UserError(
        f"{path.name} is larger in memory than on disk: {why}\n"
        "hint: torch.save writes no such file; ask its publisher for safetensors"
    )


def convert_tokenizer(folder: Path) -> None:
    """Make tokenizer.json from vocab.json and merges.txt, in place; refuse a tokenizer that only slow code reads."""
    if (folder / "tokenizer.json").is_file():
        return
    if not all((folder / name).is_file() for name in ("vocab.json", "merges.txt")):
        form = "tokenizer.model (SentencePiece)" if (folder / "tokenizer.model").is_file() else "no tokenizer"
        raise UserError(
            f"there is no tokenizer.json, but {form}\n"
            "hint: where sentencepiece is installed, AutoTokenizer.from_pretrained(...).save_pretrained(folder) makes "
            "one; name that folder, with the weights, with `path`"
        )
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if not tokenizer.is_fast:
        raise UserError(
            "vocab.json and merges.txt make no tokenizer.json\nhint: convert it and name the folder with `path`"
        )
    with tempfile.TemporaryDirectory() as made:
        tokenizer.save_pretrained(made)
        (folder / "tokenizer.json").write_bytes((Path(made) / "tokenizer.json").read_bytes())
