"""How much a model reads, by its config: in all, in every layer, and together with other texts."""

import math
import sys

from transformers import PretrainedConfig, PreTrainedModel

from ripeness.runtime.errors import UserError

# What configs call the tokens that a model reads at most; one that has none of these has no limit.
LENGTH_KEYS = ("max_position_embeddings", "max_seq_len", "max_target_positions")
NO_LIMIT = sys.maxsize
LEAST_ROOM = 5  # tokens of text after virtual ones, as many as a model is tried with
VIRTUAL = "virtual_tokens"  # the module of a model that has what stands before every text, see virtual_tokens.py
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


def text_config(config: PretrainedConfig) -> PretrainedConfig:
    """Return the part of a config that describes the text model; multimodal models nest it.

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
    """Return how many tokens a model can attend to; NO_LIMIT for ALiBi and recurrent models, which name none."""
    text = text_config(config)
    lengths = (getattr(text, key, None) for key in LENGTH_KEYS)
    length = next((int(value) for value in lengths if value is not None and value > 0), NO_LIMIT)
    return length - (text.pad_token_id + 1 if text.model_type in POSITIONS_AFTER_PADDING else 0)


def room_after(config: PretrainedConfig, n_virtual: int) -> int:
    """Return how many tokens of text a model can attend to after virtual ones; UserError where they leave no room."""
    length = context_length(config)
    if n_virtual and length - n_virtual < LEAST_ROOM:
        raise UserError(
            f"tokens: {n_virtual} virtual tokens leave no room for text in the {length} tokens that the model reads\n"
            "hint: fewer virtual tokens, such as 8"
        )
    return length - n_virtual


def text_window(config: PretrainedConfig) -> int:
    """Return how many tokens of running text are read at once: the context, or as in lm-evaluation-harness."""
    length = context_length(config)
    return DEFAULT_WINDOW if length == NO_LIMIT else length


def n_virtual(model: PreTrainedModel) -> int:
    """Return how many virtual tokens stand before every text of a model."""
    return int(getattr(getattr(model, VIRTUAL, None), "n_tokens", 0))


def room_for_text(model: PreTrainedModel) -> int:
    """Return how many tokens of text a model can attend to, without its virtual ones; NO_LIMIT where there is none."""
    length = context_length(model.config)
    return length if length == NO_LIMIT else length - n_virtual(model)


def window_for_text(model: PreTrainedModel) -> int:
    """Return how many tokens of running text are read at once, without virtual ones."""
    length = room_for_text(model)
    return DEFAULT_WINDOW if length == NO_LIMIT else length


def reach(model: PreTrainedModel) -> float:
    """Return how long a sequence may be so that, by the config, every layer attends to all of it; 0 where none may.

    A sequence that is no longer than the windows of its layers is attended to whole. None may be so long that others
    read with it would be rotated otherwise.
    """
    config = text_config(model.config)
    layers = getattr(config, "layer_types", None) or getattr(config, "attention_layers", None)
    if not set(layers or ()) <= LAYER_WINDOWS.keys():
        return 0
    keys = {LAYER_WINDOWS[layer] for layer in layers} if layers else {"sliding_window"}
    whole = min([steady(config), *(getattr(config, key, None) or math.inf for key in keys if key)])
    return whole - n_virtual(model)


def steady_for_text(model: PreTrainedModel) -> float:
    """Return how long texts may be so that positions are as `steady` has it, without virtual tokens."""
    return steady(model.config) - n_virtual(model)


def steady(config: PretrainedConfig) -> float:
    """Return how long texts may be so that rotary positions do not depend on the longest text of a batch."""
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
