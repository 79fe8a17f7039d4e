"""Pre-training in pieces: from one step to another, with nothing carried over but weights, moments and the step.

Which tokens a step reads, and at what rate it learns, are functions of the step and the settings alone, so pieces
that are joined at any steps give the weights of one uninterrupted training, bit for bit (on one thread).
"""

import json
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn import functional
from transformers import (
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    Olmo2Config,
    Olmo2ForCausalLM,
    PreTrainedModel,
)

from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json
from ripeness.runtime.made_here import damaged
from ripeness.storage.arrays import open_tensors, read_array
from ripeness.storage.parquet import read_table
from ripeness.study.pretraining_settings import Decay, PretrainingSettings, learning_rate_of, recorded
from ripeness.train.resume import Progress, training_identity

logger = logging.getLogger(__name__)

ARCHITECTURES = {"llama": (LlamaConfig, LlamaForCausalLM), "olmo2": (Olmo2Config, Olmo2ForCausalLM)}
MOMENTS = ("exp_avg", "exp_avg_sq")
SECONDS_BETWEEN_REPORTS = 5


@dataclass
class Training:
    """A training at some step. The optimiser holds the moments, the model the weights."""

    settings: PretrainingSettings
    model: PreTrainedModel
    optimizer: torch.optim.AdamW
    step: int


def read_corpus(folder: Path) -> np.ndarray:
    """Read the token stream of a corpus, shape (tokens,), without loading it whole."""
    path = folder / "train.npy"
    if not path.is_file():
        raise UserError(f"There is no corpus at {str(folder)!r}.\nhint: build it with scripts/build_corpus.py.")
    return read_array(path)


def build_model(settings: PretrainingSettings, corpus: Path) -> PreTrainedModel:
    """Build the randomly initialised model of a seed, in float32, with tied embeddings."""
    config_class, model_class = ARCHITECTURES[settings.architecture]
    tokens = read_json(corpus / "tokenizer" / "tokenizer.json", dict, keys=("added_tokens",))
    ids = {token["content"]: token["id"] for token in tokens["added_tokens"]}
    names = read_json(corpus / "tokenizer" / "tokenizer_config.json", dict, keys=("eos_token", "pad_token"))
    end, padding = ids[names["eos_token"]], ids[names["pad_token"]]
    config = config_class(
        vocab_size=read_json(corpus / "corpus.json", dict, keys=("vocabulary_size",))["vocabulary_size"],
        hidden_size=settings.hidden_size,
        num_hidden_layers=settings.n_layers,
        num_attention_heads=settings.n_heads,
        num_key_value_heads=settings.n_heads,
        intermediate_size=settings.intermediate_size,
        max_position_embeddings=settings.sequence_length,
        tie_word_embeddings=True,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=padding,
        initializer_range=settings.initial_std,
        dtype="float32",
    )
    torch.manual_seed(settings.seed)
    model = model_class(config)
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(settings.embedding_std / settings.initial_std)
    model.generation_config = GenerationConfig(bos_token_id=end, eos_token_id=end, pad_token_id=padding)
    return model.train()


def start(settings: PretrainingSettings, corpus: Path) -> Training:
    """Begin a pre-training at step 0. Weight decay is for matrices, as usual; norms have none."""
    torch.set_num_threads(settings.n_threads)
    torch.use_deterministic_algorithms(True)
    model = build_model(settings, corpus)
    matrices = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    vectors = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=settings.learning_rate, betas=settings.betas, fused=True)
    return Training(settings, model, optimizer, step=0)


def batch_of(step: int, stream: np.ndarray, settings: PretrainingSettings) -> torch.Tensor:
    """Give the tokens that the update to `step` reads, shape (batch_size, sequence_length + 1).

    The stream is cut into windows that overlap by one token (a token that is predicted last is read first); each
    epoch has its own order of the windows, a function of the seed and the number of the epoch.
    """
    length, size = settings.sequence_length, settings.batch_size
    n_windows = (len(stream) - 1) // length
    if n_windows < 1:
        raise UserError(
            f"The corpus has {len(stream)} tokens, fewer than one sequence of {length} and its next token.\n"
            "hint: build a larger corpus or shorten sequence_length."
        )
    windows = []
    for position in range((step - 1) * size, step * size):
        epoch, index = divmod(position, n_windows)
        windows.append(window_order(settings.seed, epoch, n_windows)[index] * length)
    batch = np.stack([stream[window : window + length + 1] for window in windows])
    return torch.from_numpy(batch.astype(np.int64))


_orders: dict[tuple[int, int, int], np.ndarray] = {}


def window_order(seed: int, epoch: int, n_windows: int) -> np.ndarray:
    """Give the order of the windows in an epoch, remembered since every step asks for it."""
    key = (seed, epoch, n_windows)
    if key not in _orders:
        _orders.clear()
        _orders[key] = np.random.default_rng([seed, epoch]).permutation(n_windows)
    return _orders[key]


def train(
    training: Training,
    stream: np.ndarray,
    until: int,
    decay: Decay | None = None,
    progress: Progress | None = None,
) -> None:
    """Take updates up to step `until`, in place. Raises UserError when the loss is no longer finite.

    With `progress` the training is saved now and then, and one that was cut off goes on from there.
    """
    settings, model, optimizer = training.settings, training.model, training.optimizer
    if settings.schedule == "cosine" and until > settings.end_step:
        raise UserError(
            f"Step {until} is past the end of the cosine at step {settings.end_step}.\nhint: raise end_step."
        )
    losses = progress.restore(model, optimizer) if progress else []
    training.step += len(losses)
    report = progress_reporter(training.step, until, settings.batch_size * settings.sequence_length)
    for step in range(training.step + 1, until + 1):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate_of(step, settings, decay)
        batch = batch_of(step, stream, settings)
        logits = model(input_ids=batch[:, :-1], use_cache=False).logits
        loss = functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
        optimizer.step()
        training.step = step
        losses.append(loss.item())
        report(step, losses[-1])
        if progress:
            progress.save(model, optimizer, losses)
    if losses and not math.isfinite(losses[-1]):
        raise UserError(
            f"The pre-training diverged: the loss at step {until} is {losses[-1]}.\n"
            "hint: choose a smaller learning_rate, or more warmup_steps."
        )


def progress_of(training: Training, corpus: Path, output: Path, seconds: float, decay: Decay | None = None) -> Progress:
    """Where a training that leads to `output` is saved: next to it, now and then, and when it is asked to end."""
    text = read_json(corpus / "corpus.json", dict, keys=("sha256",))["sha256"]
    identity = training_identity(training.model, training.settings, training.step, decay, text)
    progress = Progress(output.with_name(f"{output.name}.state"), identity, seconds)
    progress.end_when_asked()
    return progress


def progress_reporter(first: int, until: int, tokens_per_step: int) -> Callable[[int, float], None]:
    """Make a function that logs steps done, loss, speed and time left every few seconds and at the end."""
    started = reported = time.perf_counter()

    def report(step: int, loss: float) -> None:
        nonlocal reported
        now = time.perf_counter()
        if step < until and now - reported < SECONDS_BETWEEN_REPORTS:
            return
        reported = now
        speed = (step - first) / (now - started)
        logger.info(
            "step %d of %d, loss %.3f, %.1fk tokens/s, %.0f s left",
            step,
            until,
            loss,
            speed * tokens_per_step / 1000,
            (until - step) / speed,
        )

    return report


def save_state(training: Training, path: Path) -> None:
    """Write weights, moments and the step to one safetensors file."""
    tensors = {}
    for name, parameter in training.model.named_parameters():
        tensors[f"weight.{name}"] = parameter.detach()
        for moment in MOMENTS:
            state = training.optimizer.state.get(parameter)
            tensors[f"{moment}.{name}"] = state[moment] if state else torch.zeros_like(parameter)
    about = {"step": training.step, "settings": recorded(training.settings)}
    # One key only: safetensors writes several in an order that changes from process to process.
    save_file(tensors, path, metadata={"about": json.dumps(about, sort_keys=True)})


def load_state(path: Path, settings: PretrainingSettings, corpus: Path) -> Training:
    """Take up a pre-training where `save_state` left it; it must have had the same settings."""
    if not path.is_file():
        raise UserError(f"There is no state {str(path)!r}.\nhint: make it with scripts/pretrain_state.py.")
    training = start(settings, corpus)
    with open_tensors(path) as file:
        about = about_of(path, file.metadata())
        wanted, found = json.loads(json.dumps(recorded(settings))), about["settings"]  # tuples become lists
        differing = sorted(key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key))
        if differing:
            raise UserError(
                f"The state {str(path)!r} was trained with another {', '.join(differing)}.\n"
                "hint: begin again without an earlier state, or restore the settings."
            )
        training.step = about["step"]
        for name, parameter in training.model.named_parameters():
            with torch.no_grad():
                parameter.copy_(file.get_tensor(f"weight.{name}"))
            if training.step:
                moments = {moment: file.get_tensor(f"{moment}.{name}") for moment in MOMENTS}
                training.optimizer.state[parameter] = {"step": torch.tensor(float(training.step)), **moments}
    return training


def about_of(path: Path, metadata: dict[str, str] | None) -> dict:
    """Say what a state says of itself; UserError for a file that is none."""
    try:
        about = json.loads((metadata or {})["about"])
        return {"step": about["step"], "settings": dict(about["settings"])}
    except (ValueError, LookupError, TypeError):
        raise damaged(path, "it is no state of a pre-training") from None


def heldout_texts(corpus: Path) -> list[str]:
    """Return the first held-out documents, on which the loss of every checkpoint of a pre-training is measured."""
    return read_table(corpus / "heldout.parquet")["text"].head(50).to_list()


def count_parameters(model: PreTrainedModel) -> int:
    """Count the parameters of a model, tied ones once."""
    return sum(parameter.numel() for parameter in model.parameters())
