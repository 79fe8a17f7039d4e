"""Load and save models in the layout of transformers, and turn prompts into tokens."""

import logging
import math
import os
import sys
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from ripeness.errors import UserError
from ripeness.files import read_json

# Everything of a checkpoint folder that is not weights and that prediction or a user needs beside them.
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
)
# What configs call the tokens that a model reads at most; one that has none of these has no limit.
LENGTH_KEYS = ("max_position_embeddings", "max_seq_len", "max_target_positions")
WANTED = "name a model that predicts the next word from those before, such as a Llama or a GPT-2"
NO_LIMIT = sys.maxsize
DEFAULT_WINDOW = 2048  # of running text for a model without a limit, as lm-evaluation-harness has it
# Their positions count from the padding token's number on, so that their table of positions has fewer for text.
POSITIONS_AFTER_PADDING = {
    "camembert", "data2vec-text", "roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "xmod",
}  # fmt: skip
# Kinds of layers whose attention sees every earlier token, or as many as this key of the config says.
LAYER_WINDOWS = {
    "full_attention": None, "global": None, "sliding_attention": "sliding_window",
    "chunked_attention": "attention_chunk_size", "local": "window_size",
}  # fmt: skip


def load_model(folder: Path, *, on_gpu: bool = True, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """Load a causal language model in fp32, on the GPU where there is one, without running foreign code.

    transformers 5 would load in the checkpoint's own dtype; training in fp16 overflows, so fp32 is said explicitly.
    UserError for a folder that holds no model which predicts the next word from those before.
    """
    check_is_model(folder)
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, local_files_only=True, trust_remote_code=False, use_safetensors=True
        )
    except SafetensorError as error:
        raise UserError(
            f"the weights in {folder} cannot be read: {error}\nhint: delete the folder; the next run makes it again"
        ) from error
    except (ValueError, ImportError, LookupError, AttributeError) as error:  # a config of something else
        raise UserError(f"the model in {folder} cannot be loaded: {brief(error)}\nhint: {WANTED}") from error
    check_is_causal(model, folder)
    device = "cuda" if on_gpu and torch.cuda.is_available() else "cpu"
    logging.info("device: %s, CUDA_VISIBLE_DEVICES=%s", device, os.environ.get("CUDA_VISIBLE_DEVICES", ""))
    return model.to(device).eval()


def brief(error: Exception) -> str:
    """The kind of an error and the first sentence of what it says: transformers lists all of its models after that."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"


@torch.no_grad()
def check_is_causal(model: PreTrainedModel, folder: Path) -> None:
    """Refuse a model that sees later words, such as BERT: it would give numbers, but not of predicting the next.

    Refuse one too that cannot read a text of any length, or not in training.
    """
    size = text_config(model.config).vocab_size
    texts = [torch.tensor([[n % size for n in tokens]]) for tokens in ((1, 2, 3, 4, 5, 6), (1, 2, 3, 4, 6, 5))]
    try:
        first, other = (model.eval()(input_ids=text, use_cache=False).logits[0, :4].float() for text in texts)
        with torch.random.fork_rng():
            model.train()(input_ids=texts[0], use_cache=False)
    except (TypeError, ValueError, RuntimeError, LookupError, AttributeError, AssertionError) as error:
        raise UserError(
            f"the model in {folder} cannot read a text by itself: {brief(error)}\nhint: {WANTED}"
        ) from error
    finally:
        model.eval()
    apart = (first - other).abs().max()
    if first.isfinite().all() and other.isfinite().all() and apart > 1e-3 * first.std():
        raise UserError(
            f"the model in {folder} is no causal language model: what it says of a word depends on those after it\n"
            f"hint: {WANTED}"
        )


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a checkpoint folder."""
    check_is_model(folder)
    return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def load_config(folder: Path) -> PretrainedConfig:
    """Load the configuration of a checkpoint folder."""
    check_is_model(folder)
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # a foreign config fails in as many ways as there are architectures
        raise UserError(f"config.json in {folder} cannot be read: {brief(error)}\nhint: {WANTED}") from error


def check_is_model(folder: Path) -> None:
    """Refuse a folder that is not there or holds no model, before transformers takes its name for one on the hub."""
    config = Path(folder) / "config.json"
    if config.is_symlink() and not config.exists():
        raise UserError(
            f"the model in {folder} lies on another node: {config.readlink()}\n"
            "hint: with `scratch` a cell is trained and measured in one job: keep `groups` in the profile"
        )
    if not config.is_file():
        raise UserError(
            f"there is no model in {folder}\nhint: name a folder with config.json and model.safetensors; where a tuned "
            "model was deleted after it had been measured, delete the folder, and the next run tunes it again"
        )


def read_checkpoint(folder: Path) -> dict:
    """The facts of a checkpoint: series, checkpoint, step, tokens, lr, phase, seed."""
    return read_json(Path(folder) / "checkpoint.json")


def text_config(config: PretrainedConfig) -> PretrainedConfig:
    """The part of a config that describes the model of text; models of several media have it nested.

    UserError where none can be told from others.
    """
    try:
        return config.get_text_config(decoder=True)
    except ValueError as error:
        raise UserError(
            f"the config of {config.model_type!r} describes no single model of text: {error}\n"
            "hint: save its language model as a checkpoint of its own"
        ) from None


def context_length(config: PretrainedConfig) -> int:
    """Tokens that a model can attend to; NO_LIMIT for ALiBi and recurrent models, whose configs name no number."""
    text = text_config(config)
    lengths = (getattr(text, key, None) for key in LENGTH_KEYS)
    length = next((int(value) for value in lengths if value is not None and value > 0), NO_LIMIT)
    return length - (text.pad_token_id + 1 if text.model_type in POSITIONS_AFTER_PADDING else 0)


def text_window(config: PretrainedConfig) -> int:
    """Tokens of running text that are read at once: the context; without a limit, as in lm-evaluation-harness."""
    length = context_length(config)
    return DEFAULT_WINDOW if length == NO_LIMIT else length


def resolve_precision(name: str, device: torch.device) -> str:
    """fp32 or bf16; `auto` is bf16 on a GPU that has it."""
    if name != "auto":
        return name
    return "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "fp32"


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Forward passes in bf16 where `precision` says so; weights, and sums of probabilities, stay in fp32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def reach(model: PreTrainedModel) -> float:
    """How many tokens a sequence may have so that, by the config, every layer attends to all of them; 0 where none may.

    A sequence that is no longer than the windows of its layers is attended to whole. None may be so long that others
    beside it would be rotated otherwise.
    """
    config = text_config(model.config)
    layers = getattr(config, "layer_types", None) or getattr(config, "attention_layers", None)
    if not set(layers or ()) <= LAYER_WINDOWS.keys():
        return 0
    keys = {LAYER_WINDOWS[layer] for layer in layers} if layers else {"sliding_window"}
    return min([steady(config), *(getattr(config, key, None) or math.inf for key in keys if key)])


def steady(config: PretrainedConfig) -> float:
    """How long texts may be so that the rotation of positions does not depend on the longest of those read together."""
    config = text_config(config)
    rotations = getattr(config, "rope_parameters", None) or {}
    rotations = (
        [rotations] if "rope_type" in rotations else [one for one in rotations.values() if isinstance(one, dict)]
    )
    lengths = [
        (one["rope_type"] == "longrope" and one.get("original_max_position_embeddings"))
        or config.max_position_embeddings
        for one in rotations
        if one.get("rope_type") in ("dynamic", "longrope")
    ]
    return min(lengths, default=math.inf)


def end_of_text(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token that ends an answer and starts a document."""
    if tokenizer.eos_token_id is None:
        raise UserError("the tokenizer has no end-of-text token\nhint: set `eos_token` in tokenizer_config.json")
    return int(tokenizer.eos_token_id)


def encode(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    """Tokens of each text, without special tokens; one call for all, since a call costs more than a short text."""
    distinct = list(dict.fromkeys(texts))
    if not distinct:
        return []
    if tokenizer.is_fast:  # the same, without what nobody asks for here: the place in the text of every token
        backend = tokenizer.backend_tokenizer
        backend.no_truncation()
        backend.no_padding()
        encoded = [encoding.ids for encoding in backend.encode_batch_fast(distinct, add_special_tokens=False)]
    else:
        encoded = tokenizer(distinct, add_special_tokens=False)["input_ids"]
    tokens = dict(zip(distinct, encoded, strict=True))
    return [tokens[text] for text in texts]


def encode_pairs(
    tokenizer: PreTrainedTokenizerBase, pairs: list[tuple[str, str]], *, strip: str | None = None
) -> list[tuple[list[int], list[int]]]:
    """Tokens of each prompt and of the answer that follows it.

    As in lm-evaluation-harness (api/model.py, `_encode_pair`): white space at the end of the prompt belongs to the
    answer, and the answer's tokens are those of the whole text beyond those of the prompt, so that prompt and answer
    meet as they would in running text. The prompt's may be none at all: see `contexts_of`. `strip` names the
    white space that is the answer's, if not all of it.
    """
    contexts = encode(tokenizer, [prompt.rstrip(strip) for prompt, _ in pairs])
    wholes = encode(tokenizer, [prompt + answer for prompt, answer in pairs])
    return [(context, whole[len(context) :]) for context, whole in zip(contexts, wholes, strict=True)]


def contexts_of(tokenizer: PreTrainedTokenizerBase, prompts: list[list[int]]) -> list[list[int]]:
    """The tokens that a model reads before each answer, never none.

    An answer to an empty prompt follows the end-of-text token, which stands between documents, as it does in
    lm-evaluation-harness.
    """
    start = document_start(tokenizer)
    return [[*start, *tokens] or [end_of_text(tokenizer)] for tokens in prompts]


def document_start(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """What stands before a prompt: the token that starts a text, if the tokenizer says so, else nothing."""
    bos = tokenizer.bos_token_id
    starts = tokenizer("a", add_special_tokens=True)["input_ids"][:1]
    return [bos] if bos is not None and starts == [bos] else []
