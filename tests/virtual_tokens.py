"""Models with virtual tokens before every text, and what they say of texts."""

import pytest
import torch
from film_rows import film_rows
from small_kinds import BEFORE_TEXT, settings_of

from ripeness.measure.generation import generate
from ripeness.measure.options import option_scores
from ripeness.measure.prompts import Prompt
from ripeness.models.batching import encode_examples
from ripeness.models.forward.running_text import passage_losses, read_passages
from ripeness.models.methods.register import attach
from ripeness.models.next_token import Stopping
from ripeness.models.tokens import encode

ROWS = film_rows(10)

TEXTS = torch.tensor([[5, 6, 7, 8, 9, 11], [7, 7, 3, 2, 1, 9]])

PACKING = ["llama", "gpt2", "gpt_neox", "olmo2", "qwen2", "opt", "phi", "mixtral"]

REAL = ["prefix", "prompt"]  # that start as tokens of the vocabulary


@pytest.fixture(scope="module")
def encoded(tokenizer):
    return encode_examples(ROWS, tokenizer, max_length=60)


@pytest.fixture(params=BEFORE_TEXT)
def name(request):
    return request.param


@torch.no_grad()
def logits(model, texts=TEXTS):
    return model.eval()(texts).logits


def with_tokens(model, name, seed=3):
    """Virtual tokens that start as tokens of the vocabulary, and these."""
    torch.manual_seed(seed)
    tokens = torch.randint(model.get_input_embeddings().num_embeddings, (4,)).tolist()
    torch.manual_seed(seed)
    return attach(model, settings_of(name)), tokens


def learned(model, name):
    """Have a model with virtual tokens that are far from any token."""
    torch.manual_seed(1)
    attached = attach(model, settings_of(name))
    with torch.no_grad():
        for weight in attached.virtual.parameters():
            weight.add_(torch.randn(weight.shape))
    attached.merge()
    return model


def readings(model, tokenizer):
    """Score options, write text, score it and read running text."""
    context, answers = encode(tokenizer, ["the film was good bad long short a dog", " yes", " no cat"]), []
    context, *answers = context
    prompts = [Prompt(context + [7, n], answers, 0) for n in range(3)]
    scores = option_scores(model, prompts, batch_tokens=64)
    texts = generate(model, tokenizer, [prompt.context for prompt in prompts], Stopping(5), batch_tokens=64)
    rows = [{"item": "a", "text": "the film was good " * 8}]
    return scores, texts, passage_losses(model, read_passages(model, tokenizer, rows, batch_tokens=64))
