"""Greedy text is that of transformers' own generate, and ends where it should."""

import copy

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizer_kinds import tokenizer_of
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from ripeness.measure.generation import answer, generate
from ripeness.models.forward.likelihood import Request, log_likelihoods
from ripeness.models.forward.shared_prefix import shared_prefix
from ripeness.models.next_token import Stopping, answer_text
from ripeness.models.token_healing import Start, again_text, allowed, starts, still_to_write, text_of

ARCHITECTURES = ["llama", "gpt_neox", "olmo", "olmo2", "qwen2", "gpt2", "opt", "phi", "deepseek_v2", "olmo3"]
# Written by transformers: windows, distances as biases, no attention, padding that is read, attention twice a layer.
PLAIN = ["mistral", "bloom", "falcon", "mamba", "rwkv", "diffllama", "hrm_text"]
RAGGED = [[5], [6, 7, 8, 9, 10, 11, 12], [6, 7, 9], [20] * 12, [6, 7, 8, 9, 10, 11, 12]]
SHOTS = list(range(30, 50))
NEVER = Stopping(12, ("\n",))  # no token of the tokenizer below is a line end


def spelling(end="t0"):
    """Make a tokenizer of which every token is a word, t0 to t383, so that texts are equal when tokens are."""
    words = {f"t{number}": number for number in range(384)}
    backend = Tokenizer(models.WordLevel(words, unk_token="t1"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=end)


def reference(model, contexts, end=0):
    """Give the greedy continuations by transformers, one prompt at a time, as text."""
    texts = []
    for context in contexts:
        tokens = torch.tensor([context])
        written = model.generate(
            tokens,
            attention_mask=torch.ones_like(tokens),
            do_sample=False,
            max_new_tokens=NEVER.max_new_tokens,
            eos_token_id=end,
            pad_token_id=end,
        )[0, len(context) :]
        texts.append(" ".join(f"t{token}" for token in written.tolist() if token != end))
    return texts


@pytest.fixture(scope="module")
def llama(tiny_model):
    return tiny_model("llama")


@pytest.mark.parametrize("beginning", [[], SHOTS], ids=["apart", "after the same shots"])
@pytest.mark.parametrize("architecture", [*ARCHITECTURES, *PLAIN])
def test_text_is_that_of_transformers_token_for_token(tiny_model, architecture, beginning):
    model = tiny_model(architecture)
    contexts = [beginning + context for context in RAGGED]
    assert bool(shared_prefix(contexts)) == bool(beginning)
    found = generate(model, spelling(), contexts, NEVER, batch_tokens=4096)
    assert found == reference(model, contexts)
    assert len({text for text in found if text}) > 2  # not the same text for every prompt


@pytest.mark.parametrize("batch_tokens", [1, 40, 4096])
def test_text_depends_neither_on_the_batch_nor_on_the_order(llama, batch_tokens):
    expected = reference(llama, RAGGED)
    assert generate(llama, spelling(), RAGGED, NEVER, batch_tokens=batch_tokens) == expected
    assert generate(llama, spelling(), RAGGED[::-1], NEVER, batch_tokens=batch_tokens) == expected[::-1]


@pytest.mark.parametrize("batch_tokens", [1, 90, 4096])
@pytest.mark.parametrize("beginning", [[], SHOTS], ids=["apart", "after the same shots"])
@pytest.mark.parametrize("architecture", ["llama", "gpt2", "mistral"])
def test_right_answers_read_next_to_are_scored_as_alone_and_change_no_text(
    tiny_model, architecture, beginning, batch_tokens
):
    model = tiny_model(architecture)
    contexts = [beginning + context for context in RAGGED]
    targets = [[9], [], [20, 21, 22], list(range(60, 60 + 2 * NEVER.max_new_tokens)), [7, 7]]
    found = answer(model, spelling(), list(map(Start, contexts)), targets, NEVER, batch_tokens=batch_tokens)
    requests = [Request(context, target) for context, target in zip(contexts, targets, strict=True)]
    alone = [sum(logps) for logps in log_likelihoods(model, requests, batch_tokens=1)]
    assert [logp for _, logp in found] == pytest.approx(alone, abs=1e-3)
    assert [text for text, _ in found] == reference(model, contexts)


@st.composite
def context_lists(draw):
    """Draw prompts that share a beginning of any length, or none."""
    tokens = st.integers(0, 383)
    beginning = draw(st.lists(tokens, max_size=14))
    return [
        beginning + rest for rest in draw(st.lists(st.lists(tokens, min_size=1, max_size=12), min_size=1, max_size=6))
    ]


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(contexts=context_lists(), batch_tokens=st.sampled_from([1, 40, 90, 4096]), order=st.randoms(), data=st.data())
def test_every_text_is_the_one_written_alone_whatever_is_batched_shared_or_padded(
    llama, contexts, batch_tokens, order, data
):
    free = [generate(llama, spelling(), [context], NEVER, batch_tokens=1)[0] for context in contexts]
    words = sorted({word for text in free for word in text.split()}) or ["t5"]
    stop = data.draw(st.sampled_from(words))  # some texts end early, others go on beside them
    places = list(range(len(contexts)))
    order.shuffle(places)
    found = generate(llama, spelling(), [contexts[i] for i in places], Stopping(12, (stop,)), batch_tokens=batch_tokens)
    assert found == [free[i].split(stop)[0].strip() for i in places]


def test_without_a_stop_text_an_answer_goes_on_to_its_last_token(llama):
    contexts = [[5, 6, 7], [9, 10]]
    assert generate(llama, spelling(), contexts, Stopping(12, ("",)), batch_tokens=64) == generate(
        llama, spelling(), contexts, NEVER, batch_tokens=64
    )


def test_places_of_ended_texts_are_taken_by_waiting_ones(llama):
    contexts = [[first, *range(first, first + 5)] for first in range(5, 45)]
    words = [generate(llama, spelling(), [context], NEVER, batch_tokens=1)[0].split() for context in contexts]
    stop = words[0][3]  # of some texts, at different places
    expected = [" ".join(first_words(" ".join(text), stop)) for text in words]
    sizes = []

    def note_size(_, __, given):
        sizes.append(given["input_ids"].shape[1])

    hook = llama.register_forward_pre_hook(note_size, with_kwargs=True)
    found = generate(llama, spelling(), contexts, Stopping(12, (stop,)), batch_tokens=45)
    hook.remove()
    assert found == expected
    assert sizes[:3] == [7 * 6, 3 * 6, 10]  # ten prompts of 18 tokens with their answers, in two batches, then a step
    written = [min(len(text) + 1, 12) for text in map(str.split, expected)]
    assert sum(sizes) < 40 * 6 + 1.3 * sum(written)  # few steps of texts that have ended


def test_one_prompt_and_no_prompt_are_answered(llama):
    assert generate(llama, spelling(), [SHOTS], NEVER, batch_tokens=1) == reference(llama, [SHOTS])
    assert generate(llama, spelling(), [], NEVER, batch_tokens=1) == []


def first_words(text, word):
    words = text.split()
    return words[: words.index(word)] if word in words else words


def test_an_answer_ends_at_the_end_of_text_token_and_others_go_on(llama):
    free = reference(llama, RAGGED)
    end = free[1].split()[3]
    found = generate(llama, spelling(end), RAGGED, NEVER, batch_tokens=4096)
    assert found == [" ".join(first_words(text, end)) for text in free]
    assert len(found[1].split()) < NEVER.max_new_tokens
    assert any(len(text.split()) == NEVER.max_new_tokens for text in found)


def test_an_answer_ends_before_the_stop_text_which_may_span_tokens(llama):
    free = reference(llama, RAGGED)
    words = free[1].split()
    stop = f"{words[3]} {words[4]}"
    found = generate(llama, spelling(), RAGGED, Stopping(12, (stop,)), batch_tokens=4096)
    assert found == [text.split(stop)[0].strip() for text in free]
    assert found[1] == " ".join(words[:3])


def test_writing_ends_as_soon_as_every_answer_has(llama):
    words = reference(llama, [RAGGED[1]])[0].split()
    steps = []
    hook = llama.register_forward_hook(lambda *_: steps.append(1))
    generate(llama, spelling(), [RAGGED[1]], Stopping(12, (words[2],)), batch_tokens=4096)
    hook.remove()
    assert len(steps) == words.index(words[2]) + 1


def test_end_of_text_is_no_part_of_an_answer_even_if_the_tokenizer_does_not_call_it_special(llama):
    free = reference(llama, [RAGGED[1]])[0]
    end = free.split()[3]
    tokenizer = spelling(end)
    assert generate(llama, tokenizer, [RAGGED[1]], NEVER, batch_tokens=1) == [" ".join(first_words(free, end))]


def test_answers_are_cut_before_the_stop_text_and_stripped(tokenizer):
    tokens = tokenizer(" the dog ran \nand far<|endoftext|>")["input_ids"]
    assert answer_text(tokenizer, Stopping(12, ("\n",)), Start([]), tokens) == "the dog ran"
    assert answer_text(tokenizer, Stopping(12, ("\n\n",)), Start([]), tokens) == "the dog ran \nand far"
    assert answer_text(tokenizer, Stopping(12, ("far", "and")), Start([]), tokens) == "the dog ran"


@pytest.mark.parametrize("architecture", ["llama", "mistral", "mamba"])
def test_text_that_starts_before_the_end_of_a_prompt_spells_it_first(tiny_model, architecture):
    tokenizer, prompt = tokenizer_of("merges over spaces"), "Q: is it\nAnswer:"
    model = tiny_model(architecture, vocab_size=len(tokenizer))
    (start,) = starts(tokenizer, [prompt], (" yes", " no"))
    contexts = [start, Start(start.context[1:])]
    (text, _), (free, _) = answer(model, tokenizer, contexts, [[], []], Stopping(6, ("r:", "\n")), batch_tokens=4096)
    tokens, again = list(start.context), start.again
    assert again_text(tokenizer, start) == "\nAnswer:"
    while again:  # the most probable of the tokens that spell it
        logits = model(torch.tensor([tokens])).logits[0, -1]
        token = max(allowed(tokenizer, again), key=lambda token: logits[token].item())
        tokens, again = [*tokens, token], still_to_write(tokenizer, again, token)
    whole = text_of(tokenizer, tokens)
    assert whole.startswith(prompt)  # and perhaps more than it
    beyond = whole[len(prompt) :].strip()
    assert text.startswith(beyond.split("r:")[0].split("\n")[0].strip())
    assert free == generate(model, tokenizer, [start.context[1:]], Stopping(6, ("r:", "\n")), batch_tokens=64)[0]


@pytest.mark.parametrize("architecture", ["llama", "mistral"])
def test_every_token_that_ends_an_answer_ends_it(tiny_model, architecture):
    model = tiny_model(architecture)
    words = reference(model, [RAGGED[1]])[0].split()
    over = frozenset(int(word[1:]) for word in words[3:5])
    found = generate(model, spelling(), [RAGGED[1]], Stopping(12, (), over), batch_tokens=64)
    assert found == [" ".join(words[: min(words.index(f"t{token}") for token in over)])]


def test_a_special_token_within_an_answer_stays_in_sight(tokenizer):
    backend = copy.deepcopy(tokenizer.backend_tokenizer)
    backend.add_special_tokens(["<|im_end|>"])
    made = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|endoftext|>")
    tokens = made(" the dog<|im_end|> ran<|endoftext|> far")["input_ids"]
    assert answer_text(made, Stopping(12), Start([]), tokens) == "the dog<|im_end|> ran"
    end = made.convert_tokens_to_ids("<|im_end|>")
    assert answer_text(made, Stopping(12, (), frozenset([end])), Start([]), tokens) == "the dog"


def test_a_number_that_is_no_token_stays_in_sight(tokenizer):
    tokens = [*tokenizer(" the dog")["input_ids"], len(tokenizer) + 3]
    assert answer_text(tokenizer, Stopping(12), Start([]), tokens) == "the dog\ufffd"


@pytest.mark.parametrize("architecture", ["llama", "mistral"])
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_model_whose_numbers_are_none_writes_no_text(tiny_model, architecture, value):
    model = tiny_model(architecture)
    with torch.no_grad():
        model.lm_head.weight[5] = value
    assert generate(model, spelling(), RAGGED, NEVER, batch_tokens=64) == [None] * len(RAGGED)
