"""The gate of a checkpoint folder: whole, finite, and with a tokenizer that fits. Wrong conversions ruin studies."""

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoModelForCausalLM

from ripeness.errors import UserError
from ripeness.files import read_json
from ripeness.models import load_tokenizer

INDEX = "model.safetensors.index.json"


def check_folder(folder: Path) -> dict[str, int]:
    """Refuse a model folder with missing, unexpected, misshapen or infinite tensors, or with too large a tokenizer.

    Returns n_parameters and n_tensors. UserError names the folder and the first tensor that is wrong.
    """
    for name in ("config.json", "tokenizer.json"):
        if not (folder / name).is_file():
            raise refusal(
                folder, f"there is no {name}", "a checkpoint is a folder as transformers saves it, with its tokenizer"
            )
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
    except (ValueError, OSError, KeyError) as error:
        raise refusal(
            folder, f"config.json is not that of a causal language model: {error}", "check `model_type`"
        ) from None
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    found = tensor_shapes(folder)
    compare(folder, expected, found, tied=set(getattr(model, "_tied_weights_keys", None) or []))
    vocabulary = len(load_tokenizer(folder))
    rows = model.get_input_embeddings().weight.shape[0]
    if vocabulary > rows:
        raise refusal(
            folder,
            f"the tokenizer has {vocabulary} tokens, but the model embeds {rows}",
            "the tokenizer belongs to another model",
        )
    return {"n_parameters": sum(weights.numel() for weights in model.parameters()), "n_tensors": len(found)}


def refusal(folder: Path, what: str, advice: str) -> UserError:
    """The error for a folder that is not a good checkpoint."""
    return UserError(f"the checkpoint {folder}: {what}\nhint: {advice}")


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a folder, one or several; pickled weights are never read."""
    if (folder / INDEX).is_file():
        names = sorted(set(read_json(folder / INDEX)["weight_map"].values()))
    else:
        names = ["model.safetensors"]
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise refusal(
            folder, f"there is no {missing[0]}", "weights are read from safetensors only; convert pickled ones first"
        )
    return [folder / name for name in names]


def tensor_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor; every one is read once and must be finite."""
    shapes = {}
    for path in weight_files(folder):
        try:
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118 (a safetensors file is no dict)
                    tensor = file.get_tensor(name)
                    if tensor.is_floating_point() and not torch.isfinite(tensor).all():
                        raise refusal(folder, f"tensor {name} holds infinite or undefined numbers", "download it again")
                    shapes[name] = tuple(tensor.shape)
        except (SafetensorError, OSError) as error:
            raise refusal(
                folder, f"{path.name} cannot be read: {error}", "it is cut short or damaged; copy it again"
            ) from None
    return shapes


def compare(
    folder: Path,
    expected: dict[str, tuple[int, ...]],
    found: dict[str, tuple[int, ...]],
    *,
    tied: set[str],
) -> None:
    """Refuse tensors that are missing, unexpected or of another shape; a tied output layer may be left out."""
    missing = [name for name in expected if name not in found and name not in tied]
    unexpected = [name for name in found if name not in expected]
    if missing or unexpected:
        raise refusal(
            folder,
            f"{len(missing)} tensors are missing (e.g. {missing[:1] or 'none'}) and {len(unexpected)} unexpected "
            f"(e.g. {unexpected[:1] or 'none'})",
            "transformers would fill missing ones with random numbers; convert the checkpoint again",
        )
    for name, shape in found.items():
        if shape != expected[name]:
            raise refusal(
                folder, f"tensor {name} is {shape}, but the model has {expected[name]}", "config.json is another's"
            )
