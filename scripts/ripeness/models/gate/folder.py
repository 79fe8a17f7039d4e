"""The gate of a checkpoint folder: whole, finite, and with a tokenizer that fits. Wrong conversions ruin studies."""

import json
import logging
import math
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
)

from ripeness.models.context_limits import LENGTH_KEYS, text_config
from ripeness.models.convert import INDEX
from ripeness.models.gate.token_numbers import configured, wrong_numbers
from ripeness.models.load import brief, load_config
from ripeness.models.tokens import encode, end_of_text, load_tokenizer, named_ends
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json

# What tokenizers tell apart: digits, composed letters and marks, capitals, spaces, line ends, signs, scripts.
PROBE = (
    "In 2024 and 12345.678, it's 7%:  Two  spaces,\ttabs\t\tand\n\nlines\r\n  end.\n\n\n\"CAPITALS\" camelCase don't "
    "caf\u00e9 cafe\u0301 \ufb01ne na\u00efve \u00c5ngstr\u00f6m \u0130stanbul stra\u00dfe (a+b)*[c]={d}; x_y/z\\w "
    "\u041f\u0440\u0438\u0432\u0435\u0442 \u03ba\u03cc\u03c3\u03bc\u03b5 \u65e5\u672c\u8a9e\u306e\u6587 \uc548\ub155 "
    "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd \u0928\u092e\u0938\u094d\u0924\u0947 \u0e2a\u0e27\u0e31 "
    "\U0001f642\U0001f469\u200d\U0001f4bb \u2019quoted\u201d \u2014 \u00a0\u3000end "
)
WIDTHS = ("vocab_size", "hidden_size", "intermediate_size")  # none is more than there are numbers in the weights
MOST_LAYERS = 16  # for each tensor: layers may share their weights
LARGER = 2  # times the numbers in the weights; what is tied is counted once


def check_folder(folder: Path) -> dict[str, int]:
    """Refuse a model folder with missing, unexpected, misshapen or infinite tensors, or a tokenizer that does not fit.

    Returns n_parameters, n_tensors and what `check_tokenizer` does. UserError names the folder and the first tensor
    that is wrong.
    """
    for name in ("config.json", "tokenizer.json"):
        if not (folder / name).is_file():
            raise refusal(
                folder, f"there is no {name}", "a checkpoint is a folder as transformers saves it, with its tokenizer"
            )
    found = tensor_shapes(folder)
    config = read_config(folder)
    check_config(folder, config, found)
    model = empty_model(folder, config)
    check_sizes(folder, model, found)
    # other names may be right as well (tied weights, older spellings, fused experts): transformers knows, at the cost
    # of loading the weights
    if found != {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}:
        check_loading(folder)
    n_rows = model.get_input_embeddings().weight.shape[0]
    tokens = check_tokenizer(folder, n_rows=n_rows)
    name_strange_ends(folder, n_rows=n_rows)
    return {
        "n_parameters": sum(weights.numel() for weights in model.parameters()),
        "n_tensors": len(found),
    } | tokens


def refusal(folder: Path, what: str, advice: str) -> UserError:
    """Make the error for a folder that is not a good checkpoint."""
    return UserError(f"the checkpoint {folder}: {what}\nhint: {advice}")


def read_config(folder: Path) -> PretrainedConfig:
    """Read the config of a folder; any error is reported as for the rest of a checkpoint."""
    try:
        return load_config(folder)
    except UserError as error:
        reason, hint = str(error).splitlines()[0], "check `model_type` and the sizes in it"
        raise refusal(folder, f"config.json is not that of a causal language model: {reason}", hint) from None


def check_config(folder: Path, config: PretrainedConfig, found: dict[str, tuple[int, ...]]) -> None:
    """Refuse a config whose sizes are beyond all weights, before a model of these sizes is built even without any."""
    if getattr(config, "quantization_config", None):
        advice = "name the checkpoint as it was before its weights were quantised, or save it in full precision"
        raise refusal(folder, "its weights are quantised, and such weights are not tuned here", advice)
    config, n_numbers = text_config(config), sum(map(math.prod, found.values()))
    for key in LENGTH_KEYS:
        value = getattr(config, key, None)
        if isinstance(value, int) and value < 2 and key in config.to_diff_dict():
            raise refusal(folder, f"config.json has {key} {value}", "it is how many tokens the model reads at most")
    for name, most in {**dict.fromkeys(WIDTHS, n_numbers), "num_hidden_layers": MOST_LAYERS * len(found)}.items():
        value = getattr(config, name, None)
        if isinstance(value, int) and value > most:
            raise refusal(
                folder,
                f"config.json has {name} {value:,}, but the weights are {n_numbers:,} numbers in {len(found)} tensors",
                "config.json is that of another model",
            )


def check_sizes(folder: Path, model: PreTrainedModel, found: dict[str, tuple[int, ...]]) -> None:
    """Refuse a model that is far larger than its weights, before memory is claimed for it."""
    n_expected, n_numbers = sum(weights.numel() for weights in model.parameters()), sum(map(math.prod, found.values()))
    if n_expected <= LARGER * n_numbers:
        return
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    wrong = [name for name, shape in expected.items() if name in found and found[name] != shape]
    name = max(wrong, key=lambda name: math.prod(expected[name]), default=None)
    example = f": tensor {name} is {found[name]}, but the model has {expected[name]}" if name else ""
    raise refusal(
        folder,
        f"config.json describes {n_expected:,} numbers, but the weights have {n_numbers:,}{example}",
        "config.json is that of another model, or files of the weights are missing",
    )


def empty_model(folder: Path, config: PretrainedConfig) -> PreTrainedModel:
    """Build the model that config.json describes, without weights."""
    try:
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(config)
    except Exception as error:  # a foreign config fails in as many ways as there are architectures
        reason = f"config.json is not that of a causal language model: {brief(error)}"
        raise refusal(folder, reason, "check `model_type` and the sizes in it") from None


def weight_files(folder: Path) -> list[Path]:
    """List the safetensors files of a folder; pickled weights are never read."""
    names = ["model.safetensors"]
    if (folder / INDEX).is_file():
        try:
            names = sorted(set(read_json(folder / INDEX)["weight_map"].values()))
        except (UserError, json.JSONDecodeError, KeyError, TypeError, AttributeError):
            raise refusal(folder, f"{INDEX} has no weight_map", "it is damaged; copy it again") from None
    if outside := [name for name in names if Path(name).name != name]:
        raise refusal(folder, f"{INDEX} names {outside[0]!r}", "weights lie in the folder itself")
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
                        raise refusal(
                            folder, f"tensor {name} contains infinite or undefined numbers", "download it again"
                        )
                    shapes[name] = tuple(tensor.shape)
        except (SafetensorError, OSError) as error:
            raise refusal(
                folder, f"{path.name} cannot be read: {error}", "it is cut short or damaged; copy it again"
            ) from None
    return shapes


def check_loading(folder: Path) -> None:
    """Load the weights as every later job will, and refuse them where transformers would make up or leave out any."""
    _, report = AutoModelForCausalLM.from_pretrained(
        folder,
        config=load_config(folder),
        dtype="auto",
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
        ignore_mismatched_sizes=True,  # so that they are reported
        output_loading_info=True,
    )
    missing, unexpected = sorted(report["missing_keys"]), sorted(report["unexpected_keys"])
    if missing or unexpected:
        raise refusal(
            folder,
            f"{len(missing)} tensors are missing (e.g. {missing[:1] or 'none'}) and {len(unexpected)} unexpected "
            f"(e.g. {unexpected[:1] or 'none'})",
            "transformers would fill missing ones with random numbers; convert the checkpoint again",
        )
    for name, found, expected in sorted(report["mismatched_keys"]):
        raise refusal(
            folder,
            f"tensor {name} is {tuple(found)}, but the model has {tuple(expected)}",
            "config.json is that of another model",
        )
    if report["error_msgs"]:
        raise refusal(folder, report["error_msgs"][0], "convert the checkpoint again")


def name_strange_ends(folder: Path, *, n_rows: int) -> None:
    """Warn of every `eos_token_id` that is no token of the model.

    Nothing ever ends there, nor does it in transformers: a model trained from scratch may have the default of its
    class. Texts end at the token of the tokenizer all the same.
    """
    for name, tokens in named_ends(folder).items():
        if strange := sorted({token for token in tokens if not 0 <= token < n_rows}):
            logging.warning(
                "the checkpoint %s: %s ends texts at %s (eos_token_id), but its model has the tokens 0 to %d: ignored; "
                "is the file that of another model?",
                *(folder, name, ", ".join(map(str, strange)), n_rows - 1),
            )


def check_tokenizer(folder: Path, *, n_rows: int) -> dict[str, int]:
    """Refuse a tokenizer that cannot be read, or does not fit the model's embedding.

    Returns n_vocabulary, tokens that the tokenizer knows; n_id_gaps, numbers below its highest that are no token; and
    n_spare_rows, rows of the embedding beyond its highest, which many models have so that the size is round.
    """
    try:
        tokenizer = load_tokenizer(folder)
    except Exception as error:  # the tokenizers library raises nothing narrower
        raise refusal(folder, f"tokenizer.json cannot be read: {error}", "it is damaged; copy it again") from None
    try:
        end_of_text(tokenizer)
    except UserError as error:
        raise UserError(f"the checkpoint {folder}: {error}") from None
    vocabulary = tokenizer.get_vocab()
    if (highest := max(vocabulary.values())) >= n_rows:
        token = next(token for token, number in vocabulary.items() if number == highest)
        raise refusal(
            folder,
            f"the tokenizer has a token of number {highest} ({token!r}), but the model embeds {n_rows}",
            "the tokenizer belongs to another model",
        )
    if wrong := wrong_numbers(folder, tokenizer):
        raise refusal(folder, *wrong)
    probe = PROBE + "".join(f" {token}" for token, _ in configured(folder))
    try:
        (probed,) = encode(tokenizer, [probe])
    except Exception as error:  # as above
        advice = "the tokenizer fails at words that it does not know: give it a token for them"
        raise refusal(folder, f"tokenizer.json cannot read a text: {error}", advice) from None
    name_other_reading(folder, probe, probed)
    return {
        "n_vocabulary": len(vocabulary),
        "n_id_gaps": highest + 1 - len(set(vocabulary.values())),
        "n_spare_rows": n_rows - 1 - highest,
    }


def name_other_reading(folder: Path, probe: str, expected: list[int]) -> None:
    """Warn where AutoTokenizer, which other tools use, makes other tokens of a text than tokenizer.json, used here."""
    try:
        other = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        found = other(probe, add_special_tokens=False, truncation=False)["input_ids"]
    except Exception as error:  # a class fails in as many ways as there are files that it does not expect
        logging.info("the checkpoint %s: AutoTokenizer cannot read the tokenizer: %s", folder, brief(error))
        return
    if found != expected:
        logging.warning(
            "the checkpoint %s: of a text AutoTokenizer of transformers makes %d tokens (%s...), tokenizer.json, which "
            "is used here, %d (%s...); numbers of tools that use AutoTokenizer may differ",
            *(folder, len(found), found[:9], len(expected), expected[:9]),
        )
