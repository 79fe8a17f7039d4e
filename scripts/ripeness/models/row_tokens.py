"""How many tokens are read at once: what keeps the device at work and fits into its memory.

A CPU is as fast with short rows. A GPU that reads 2,048 tokens of a model of 70 to 400 million parameters is idle most
of the time: by arithmetic on published peaks (not measured) 16,384 tokens double the share of the peak that is used.
The answer depends on the model and on the kind of device, not on what else is in its memory, so that a run that is
repeated on the same GPU reads the same rows. Where memory does not do after all, `Room` halves the rows.
"""

import torch
from transformers import PreTrainedModel

from ripeness.models.context_limits import text_config

ON_CPU, READ_ON_CPU = 2048, 4096  # in training, and in prediction
MOST = 16384
USED = 0.8  # of the memory; the rest is for what is not counted, and for fragments
# Bytes: weights, gradients and both moments of AdamW in fp32, and weights in bf16; in prediction, weights in both.
TRAINED, READ = 18, 6
STATES = 64  # of a token in a layer, for each of its dimensions: what backward needs, with norms in fp32
STATES_READ = 24  # the same without backward: only what one layer makes at a time, taken for all layers to be safe
WORD = 10  # of a token and a word of the vocabulary: logits in bf16 and fp32, and their gradient


def row_tokens(model: PreTrainedModel, *, is_trained: bool) -> int:
    """Return how many tokens of a model are read at once on its device."""
    if model.device.type != "cuda":
        return ON_CPU if is_trained else READ_ON_CPU
    return tokens_that_fit(model, torch.cuda.get_device_properties(model.device).total_memory, is_trained=is_trained)


def tokens_that_fit(model: PreTrainedModel, memory: float, *, is_trained: bool) -> int:
    """Return the largest power of two of tokens, up to 16,384, that fits into so many bytes with the model."""
    config = text_config(model.config)
    n_numbers = sum(weight.numel() for weight in model.parameters())
    a_token = (STATES if is_trained else STATES_READ) * config.hidden_size * config.num_hidden_layers
    a_token += WORD * config.vocab_size
    room = USED * memory - (TRAINED if is_trained else READ) * n_numbers
    tokens = ON_CPU if is_trained else READ_ON_CPU
    while tokens < MOST and 2 * tokens * a_token <= room:
        tokens *= 2
    return tokens
