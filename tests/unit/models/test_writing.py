"""Texts are drawn as a plain loop would draw them, whatever is read or written side by side."""

import math

import pytest
import torch
from transformers import TopPLogitsWarper

from ripeness.models.next_token import NO_TOKEN, Sampling, Stopping, draw
from ripeness.models.token_healing import Start, starts, text_after
from ripeness.models.writing import sample

CONTEXTS = [[5], [6, 7, 8, 9, 10, 11, 12], [6, 7, 9], [20] * 12]
SHOTS = list(range(30, 50))
NEVER = Stopping(6)
HOT = Sampling(temperature=1.3, top_p=0.9)


def drawn(model, tokenizer, contexts, sampling=HOT, **given):
    how = {"n": 3, "seed": 7, "batch_tokens": 4096} | given
    return sample(model, tokenizer, list(map(Start, contexts)), NEVER, sampling, **how)


def by_hand(model, context, chances, sampling, end):
    """Draw one text by passes over all of it, with the warpers of transformers."""
    new = []
    for chance in chances:
        with torch.no_grad():
            tokens = torch.tensor([context + new], device=model.device)
            logits = model(tokens, use_cache=False).logits[:, -1].cpu() / sampling.temperature
        if sampling.top_p < 1:
            logits = TopPLogitsWarper(sampling.top_p)(None, logits)
        sums = logits[0].double().softmax(-1).cumsum(-1)
        new.append(next(token for token, total in enumerate(sums.tolist()) if total > chance * sums[-1].item()))
        if new[-1] == end:
            break
    return new


@pytest.mark.parametrize("beginning", [[], SHOTS], ids=["apart", "after the same shots"])
@pytest.mark.parametrize("sampling", [HOT, Sampling(), Sampling(0.7)], ids=["top-p", "plain", "cool"])
@pytest.mark.parametrize("architecture", ["llama", "gpt2", "mistral", "mamba"])
def test_texts_are_those_of_a_plain_loop_with_the_same_chances(
    tiny_model, tokenizer, architecture, sampling, beginning
):
    model = tiny_model(architecture).eval()
    contexts = [beginning + context for context in CONTEXTS]
    found = drawn(model, tokenizer, contexts, sampling)
    chances = torch.rand(len(contexts), 3, NEVER.max_new_tokens, generator=torch.Generator().manual_seed(7)).tolist()
    expected = [
        [by_hand(model, context, own, sampling, tokenizer.eos_token_id) for own in several]
        for context, several in zip(contexts, chances, strict=True)
    ]
    assert found == expected
    assert len({tuple(text) for several in found for text in several}) > 6  # not the same text each time


@pytest.mark.parametrize("batch_tokens", [1, 20, 60])
def test_texts_depend_on_the_seed_alone_and_not_on_the_batch(tiny_model, tokenizer, batch_tokens):
    model = tiny_model().eval()
    expected = drawn(model, tokenizer, CONTEXTS)
    assert drawn(model, tokenizer, CONTEXTS, batch_tokens=batch_tokens) == expected
    assert drawn(model, tokenizer, CONTEXTS, seed=8) != expected


def test_texts_that_begin_later_than_others_end_are_written_too(tiny_model, tokenizer):
    model = tiny_model().eval()
    contexts = [[5 + n, *range(7, 7 + n % 5)] for n in range(30)]
    expected = drawn(model, tokenizer, contexts, Sampling(), n=4)
    assert drawn(model, tokenizer, contexts, Sampling(), n=4, batch_tokens=40) == expected


def test_a_prompt_is_read_once_for_all_of_its_texts(tiny_model, tokenizer):
    model, sizes = tiny_model().eval(), []
    drawn(model, tokenizer, CONTEXTS)  # what can be done is tried once
    hook = model.register_forward_pre_hook(
        lambda _, __, given: sizes.append(given["input_ids"].shape[1]), with_kwargs=True
    )
    drawn(model, tokenizer, CONTEXTS, n=5)
    hook.remove()
    assert sizes[0] == sum(map(len, CONTEXTS))
    assert sizes[1] == 5 * len(CONTEXTS)


def test_as_many_are_drawn_of_each_token_as_its_probability_says():
    logits = torch.tensor([0.1, -2.0, 1.7, 0.4, -torch.inf])
    n = 20_000
    chances = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    for sampling in (Sampling(), Sampling(2.0), Sampling(0.5)):
        counts = torch.tensor(draw(logits.expand(n, -1), chances, sampling)).bincount(minlength=5)
        expected = n * (logits / sampling.temperature).softmax(-1)
        assert (counts - expected).abs().max() <= 1
    counts = torch.tensor(draw(logits.expand(n, -1), chances, Sampling(1.0, 0.75))).bincount(minlength=5)
    kept = torch.tensor([0.0, 0.0, math.exp(1.7), math.exp(0.4), 0.0])  # 0.63 + 0.17 of all
    assert (counts - n * kept / kept.sum()).abs().max() <= 1


def test_the_lowest_and_the_highest_chance_draw_tokens_that_can_come():
    logits = torch.tensor([[-torch.inf, 0.0, 1.0, -torch.inf, -torch.inf]]).expand(2, -1)
    assert draw(logits, torch.tensor([0.0, 1 - 2**-24], dtype=torch.float64), Sampling()) == [1, 2]


def test_a_text_ends_where_the_model_gives_no_numbers(tiny_model, tokenizer):
    model = tiny_model().eval()
    with torch.no_grad():
        model.get_input_embeddings().weight[9] = torch.nan
    assert drawn(model, tokenizer, [[5, 9], [5, 6]], n=2)[0] == [[NO_TOKEN], [NO_TOKEN]]


def test_what_of_a_prompt_is_written_again_comes_first(tiny_model, tokenizer):
    model = tiny_model().eval()
    found = starts(tokenizer, ["the film wa", "is it far aw"], ("s", "ay", "n"))
    assert all(start.again for start in found)
    texts = sample(model, tokenizer, found, Stopping(4), Sampling(), n=8, seed=1, batch_tokens=4096)
    for start, several in zip(found, texts, strict=True):
        whole = [tokenizer.decode([*start.context, *tokens]) for tokens in several]
        prompt = tokenizer.decode(start.context) + start.again.replace("\u0120", " ")
        assert all(text.startswith(prompt) for text in whole)
        assert len({text_after(tokenizer, start, tokens) for tokens in several}) > 4
