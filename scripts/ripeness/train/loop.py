"""Tune a model on prompts and answers: one screen, no trainer class."""

import logging
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch.distributed.tensor import DTensor
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from ripeness.models.batching import IGNORED, Example, of_text, padded, rows_of, shared_tokens
from ripeness.models.context_limits import text_config
from ripeness.models.forward.packed_attention import packed_logits
from ripeness.models.forward.packing import narrows_exactly, packing
from ripeness.models.forward.padding import reads_together
from ripeness.models.load import autocast, resolve_precision
from ripeness.models.methods.attached import Attached, State
from ripeness.models.methods.register import attach
from ripeness.models.sharding import n_processes, rank, summed
from ripeness.runtime.errors import UserError
from ripeness.study.methods.settings import TrainingSettings
from ripeness.train.modifiers.l2sp import clip_gradient, starting_point
from ripeness.train.modifiers.replay import PIECE_TOKENS, Replay
from ripeness.train.resume import Progress

ROW_TOKENS = 2048  # tokens of a batch that are read at once; more is slower on CPUs, and needs more memory


class Outcome(NamedTuple):
    """What became of a training: the loss of every step (nats per answer token), "done" or "diverged", how many tokens
    were read at once at its end, the tuned state of a kind that has a smaller one than all weights, and how many
    numbers were trained."""

    losses: list[float]
    status: str
    row_tokens: int
    state: State | None = None
    n_trained: int = 0


def train(
    model: PreTrainedModel,
    examples: list[Example],
    settings: TrainingSettings,
    *,
    pad: int,
    row_tokens: int = ROW_TOKENS,
    progress: Progress | None = None,
    replay: Replay | None = None,
    others: Sequence[State] = (),
) -> Outcome:
    """Tune `model` in place.

    AdamW, a rate by schedule after a linear warm-up, gradient clipping; the order of examples is a function of the
    seed alone. A batch is read in rows of at most `row_tokens` tokens, whose gradients add up to that of the batch;
    the rows are halved when the GPU's memory does not do. Losses are those of the answers: text that is replayed beside
    them, the pull towards the start, and the penalty of a kind change the gradient only.
    With `progress` the state is saved now and then, and a training that was cut off goes on from there to the very
    weights that it would have reached. Divergence is a result: a loss that is not finite, or above the first by twice
    that of guessing evenly, ends the training; a model that can no longer learn at its end has diverged too.
    `others` are the tuned states of other trainings, for a kind that is made of them.
    A model that is sharded over processes is trained by all of them, each on its share of every batch.
    """
    torch.manual_seed(settings.seed)  # for dropout, where a model has any, and for where adapters start
    start = starting_point(model, settings)
    attached = attach(model, settings)
    if others:
        attached.start_from(others)
    n_trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    outcome = take_steps(
        model,
        attached,
        examples,
        settings,
        pad=pad,
        row_tokens=row_tokens,
        progress=progress,
        replay=replay,
        start=start,
    )
    state = attached.state()
    attached.merge()
    return outcome._replace(state=state, n_trained=n_trained)


def take_steps(
    model: PreTrainedModel,
    attached: Attached,
    examples: list[Example],
    settings: TrainingSettings,
    *,
    pad: int,
    row_tokens: int,
    progress: Progress | None,
    replay: Replay | None,
    start: list[torch.Tensor],
) -> Outcome:
    """Take all steps of a training; `start` has the weights that the model is pulled to, if any."""
    planned = batches(examples, settings)
    longest = max(PIECE_TOKENS if replay else 0, *(len(example.tokens) for example in examples))
    limit, n_read, norm = 2 * math.log(text_config(model.config).vocab_size), 0, torch.tensor(1.0)
    attached.begin(len(planned))
    optimizer, weights = make_optimizer(model, settings), list(model.parameters())
    losses = progress.restore(model, optimizer) if progress else []
    model.train()
    with packing(model, longest) as is_packed:
        how = {"pad": pad, "is_packed": is_packed}
        for step, batch in enumerate(planned):
            n_before, n_read = n_read, n_read + len(batch)
            if step < len(losses):
                continue
            attached.before_step(step)
            for group in optimizer.param_groups:
                group["lr"] = settings.learning_rate * rate_at(step, len(planned), settings)
            text = [of_text(tokens) for tokens in replay.beside(n_before, n_read)] if replay else []
            loss, row_tokens = backward_in_memory(model, batch, text, settings, row_tokens=row_tokens, **how)
            losses.append(loss)
            if not math.isfinite(losses[-1]) or losses[-1] > limit + losses[0]:
                return Outcome(losses, "diverged", row_tokens)
            if (penalty := attached.penalty()) is not None:
                penalty.backward()
            norm = whole_tensor(clip_gradient(weights, start, settings))
            optimizer.step()
            attached.after_step(step + 1)
            optimizer.zero_grad(set_to_none=True)
            if progress:
                progress.save(model, optimizer, losses)
    model.eval()
    return Outcome(losses, "done" if is_alive(model, norm, losses[-1]) else "diverged", row_tokens)


def make_optimizer(model: PreTrainedModel, settings: TrainingSettings) -> torch.optim.AdamW:
    """AdamW that decays matrices only, not biases nor the weights of norms, as `Trainer` of transformers does."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    groups = [
        {"params": [weight for weight in weights if weight.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [weight for weight in weights if weight.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(0.9, 0.999), eps=1e-8, fused=True)


def backward_in_memory(
    model: PreTrainedModel,
    batch: list[Example],
    text: list[Example],
    settings: TrainingSettings,
    *,
    row_tokens: int,
    **how: Any,
) -> tuple[float, int]:
    """`backward`, again and again in smaller rows while the GPU's memory does not do; with the tokens of a row."""
    while True:
        try:
            return backward(model, batch, text, settings, row_tokens=row_tokens, **how), row_tokens
        except torch.OutOfMemoryError:
            if n_processes() > 1:  # the others wait for this one in the middle of a pass
                raise
            # until here the error holds what the failed pass has made
        row_tokens = fewer_tokens(batch + text, row_tokens)
        model.zero_grad(set_to_none=True)
        torch.cuda.empty_cache()


def backward(
    model: PreTrainedModel, batch: list[Example], text: list[Example], settings: TrainingSettings, **how: Any
) -> float:
    """Add the gradient of a batch's loss to the weights', and return the loss of its answers.

    Pieces of text beside it take part as the share of sequences that they are.
    """
    share = len(text) / (len(batch) + len(text))
    loss = backward_part(model, batch, settings, weight=1 - share, **how)
    if text:
        backward_part(model, text, settings, weight=share, **how)
    return loss


def backward_part(
    model: PreTrainedModel,
    batch: list[Example],
    settings: TrainingSettings,
    *,
    weight: float,
    pad: int,
    row_tokens: int,
    is_packed: bool,
) -> float:
    """Add the gradient of `weight` times a loss to the weights' and return the loss, the mean over its targets.

    Of several processes each reads some of the rows, all as many; their gradients are averaged, so each counts n times.
    """
    n_targets = sum(len(example.targets[1:]) - example.targets[1:].count(IGNORED) for example in batch)
    n_shares, total = n_processes(), 0.0
    if n_shares > 1:
        row_tokens = min(row_tokens, math.ceil(sum(len(example.tokens) for example in batch) / n_shares))
    is_apart = not is_packed and not reads_together(model, max(len(example.tokens) for example in batch))
    rows = rows_of(batch, 1 if is_apart else row_tokens)
    for start in range(0, len(rows), n_shares):
        is_idle = start + rank() >= len(rows)
        row = rows[start if is_idle else start + rank()]
        with autocast(model.device, resolve_precision(settings.precision, model.device)):
            logits, targets = answer_logits(model, row, pad=pad, is_packed=is_packed)  # (N, V), (N,)
        loss = cross_entropy(logits.float(), targets, reduction="sum") / n_targets
        (loss * (0 if is_idle else n_shares * weight)).backward()
        total += 0 if is_idle else loss.item()
    return summed(total)[0]


def answer_logits(
    model: PreTrainedModel, row: list[Example], *, pad: int, is_packed: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of the N answer tokens of some examples, (N, V), and these tokens, (N,)."""
    if is_packed:
        n_shared = shared_tokens(row, text_config(model.config).hidden_size) if may_share(model) else 0
        row = [row[0], *(Example(example.tokens[n_shared:], example.targets[n_shared:]) for example in row[1:])]
        targets = [target for example in row for target in (*example.targets[1:], IGNORED)]
        targets = torch.tensor(targets, device=model.device)  # position t predicts token t+1
        positions = (targets != IGNORED).nonzero()[:, 0]
        sequences, is_narrow = [example.tokens for example in row], narrows_exactly(model)
        return packed_logits(model, sequences, positions, n_shared, is_narrow=is_narrow), targets[positions]
    tokens, targets = (t.to(model.device) for t in padded(row, pad=pad))  # (B, T) each
    # no attention mask: padding stands on the right, where causal attention does not look
    logits, targets = model(input_ids=tokens, use_cache=False).logits[:, :-1], targets[:, 1:]
    return logits[targets != IGNORED], targets[targets != IGNORED]


@lru_cache(maxsize=1)
def may_share(model: PreTrainedModel) -> bool:
    """Whether what is read once stands for each that begins with it: not where some of it is dropped by chance."""
    modules = any(module.p for module in model.modules() if isinstance(module, torch.nn.Dropout))
    config = text_config(model.config)
    inside = any(
        getattr(config, name, 0) for name in ("attention_dropout", "attention_probs_dropout_prob", "attn_pdrop")
    )
    return not modules and not inside


def fewer_tokens(batch: list[Example], row_tokens: int) -> int:
    """Half the tokens of the longest row of a batch that did not fit; UserError if that was a single example."""
    rows = rows_of(batch, row_tokens)
    longest = max(sum(len(example.tokens) for example in row) for row in rows)
    if len(rows) == len(batch):
        raise UserError(
            f"the GPU has no memory for one example of {longest} tokens\n"
            "hint: leave long items out with `max_characters`, or take a GPU with more memory"
        )
    logging.warning("out of memory: from now on at most %d tokens at once instead of %d", longest // 2, longest)
    return longest // 2


def is_alive(model: PreTrainedModel, norm: torch.Tensor, loss: float) -> bool:
    """Whether all weights are numbers and the last gradient was not lost.

    Weights so large that activations overflow inside a normalisation make every logit zero: the loss stays that of
    guessing evenly, and the gradient (of norm `norm`) is exactly zero although there is much to learn.
    """
    weights = whole_tensor(torch.nn.utils.get_total_norm(list(model.parameters())))
    return bool(weights.isfinite()) and not (norm == 0 and loss > 0)


def whole_tensor(value: torch.Tensor) -> torch.Tensor:
    """Return a value of a sharded model as each process sees it whole; any other as it is."""
    return value.full_tensor() if isinstance(value, DTensor) else value


def batches(examples: list[Example], settings: TrainingSettings) -> list[list[Example]]:
    """All batches of all epochs, or as many as there are steps; each epoch in a new order drawn from the seed."""
    generator = torch.Generator().manual_seed(settings.seed)
    result = []
    for _ in range(settings.epochs):
        order = torch.randperm(len(examples), generator=generator).tolist()
        for start in range(0, len(order), settings.batch_size):
            result.append([examples[i] for i in order[start : start + settings.batch_size]])
    return result[: settings.steps]


def rate_at(step: int, n_steps: int, settings: TrainingSettings) -> float:
    """Return the share of the peak rate at one step: linear warm-up from zero, then linear, cosine or no decay to zero.

    As `get_linear_schedule_with_warmup`, `get_cosine_schedule_with_warmup` and `get_constant_schedule_with_warmup` of
    transformers.
    """
    warmup = math.ceil(settings.warmup_ratio * n_steps)
    if step < warmup:
        return step / warmup
    if settings.schedule == "constant":
        return 1.0
    if settings.schedule == "cosine":
        return (1 + math.cos(math.pi * (step - warmup) / max(1, n_steps - warmup))) / 2
    return (n_steps - step) / max(1, n_steps - warmup)
