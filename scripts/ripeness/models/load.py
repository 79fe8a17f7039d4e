"""Load models in the layout of transformers, and choose their precision."""

import logging
import os
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    GenerationConfig,
    PretrainedConfig,
    PreTrainedModel,
)

from ripeness.models.checkpoint_facts import read_made_facts
from ripeness.models.context_limits import text_config
from ripeness.models.gpu_choice import device_for_models
from ripeness.models.model_folder import advice_on, check_is_model
from ripeness.models.pictures import load_projector
from ripeness.models.tokens import encode as encode
from ripeness.models.tokens import encode_pairs as encode_pairs
from ripeness.models.tokens import load_tokenizer as load_tokenizer
from ripeness.models.tuned_state import folders_of, put_state
from ripeness.runtime.errors import UserError
from ripeness.runtime.made_here import damaged, how_made_again

AS_USED = {
    "return_dict": True,
    "output_attentions": False,
    "output_hidden_states": False,
    "output_router_logits": False,
    "gradient_checkpointing": False,  # layers would run twice, and the last one is not always given all tokens
}
WANTED = "name a model that predicts the next word from those before, such as a Llama or a GPT-2"


def load_model(folder: Path, *, on_gpu: bool = True) -> PreTrainedModel:
    """Load a causal language model in fp32, on the GPU where there is one, without running foreign code.

    The folder holds a model, or a small tuned state, which is put into the model that it was tuned from: that of its
    checkpoint, or of another training. A projector of pictures may lie next to it.
    UserError for a folder that holds no model which predicts the next word from those before.
    """
    check_is_model(folder)
    first, *states = folders_of(folder)
    model = load_weights(first, on_gpu=on_gpu)
    load_projector(model, first)
    if not states:
        return model
    for before, state in zip([first, *states], states, strict=False):
        put_state(model, state, before)
        load_projector(model, state)
    model.name_or_path = str(folder)
    return model.eval()


def load_weights(folder: Path, *, on_gpu: bool, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """Load the model that a folder in the layout of transformers holds.

    transformers 5 would load in the checkpoint's own dtype; training in fp16 overflows, so fp32 is said explicitly.
    """
    config = load_config(folder)
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder, config=config, dtype=dtype, local_files_only=True, trust_remote_code=False, use_safetensors=True
        )
    except SafetensorError as error:
        raise UserError(
            f"the weights in {folder} cannot be read: {error}\n"
            f"hint: {advice_on(Path(folder)) or how_made_again(Path(folder) / 'config.json')}"
        ) from error
    except (ValueError, ImportError, LookupError, AttributeError) as error:  # a config of something else
        raise UserError(f"the model in {folder} cannot be loaded: {brief(error)}\nhint: {WANTED}") from error
    check_is_causal(model, folder)
    device = device_for_models() if on_gpu else "cpu"
    logging.info("device: %s, CUDA_VISIBLE_DEVICES=%s", device, os.environ.get("CUDA_VISIBLE_DEVICES", ""))
    return model.to(device).eval()


def brief(error: Exception) -> str:
    """Write the kind of an error and the first line of its message; transformers lists all of its models after that."""
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
            f"the model in {folder} is not a causal language model: its prediction of a word depends on later words\n"
            f"hint: {WANTED}"
        )


def load_config(folder: Path) -> PretrainedConfig:
    """Load the configuration of a checkpoint folder."""
    check_is_model(folder)
    try:
        if (Path(folder) / "generation_config.json").is_file():
            GenerationConfig.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # of wrong types
        raise damaged(Path(folder) / "generation_config.json", brief(error), advice_on(folder)) from None
    try:
        return as_used(AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False))
    except Exception as error:  # a foreign config fails in as many ways as there are architectures
        raise UserError(f"config.json in {folder} cannot be read: {brief(error)}\nhint: {WANTED}") from error


def as_used(config: PretrainedConfig) -> PretrainedConfig:
    """Set a config to what a pass does and returns here, and to no special library for attention.

    It may say otherwise, as its owner used the model. None of this is part of what the model computes.
    """
    config._attn_implementation = None
    for part in (config, text_config(config)):
        for name, value in AS_USED.items():
            if getattr(part, name, value) != value:
                setattr(part, name, value)
    return config


def read_checkpoint(folder: Path) -> dict:
    """Read the facts of a checkpoint: series, checkpoint, step, tokens, lr, phase, seed."""
    return read_made_facts(Path(folder) / "checkpoint.json")


def resolve_precision(name: str, device: torch.device) -> str:
    """Return fp32 or bf16; `auto` is bf16 on a GPU that has it."""
    if name != "auto":
        return name
    return "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "fp32"


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Run forward passes in bf16 where `precision` says so; weights, and sums of probabilities, stay in fp32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def is_even(model: PreTrainedModel) -> bool:
    """Return whether the output layer of a model is zero, so that all tokens are equally likely."""
    layer = model.get_output_embeddings()
    return layer is not None and not layer.weight.any()
