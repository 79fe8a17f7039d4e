"""Options score what they score when each is read alone after its question, whatever is shared or batched."""

import math

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ripeness.measure.options import in_rows, option_scores, scores_one_by_one
from ripeness.measure.prompts import Prompt
from ripeness.models.forward.likelihood import summed_logps
from ripeness.models.forward.packing import goes_on, keeps_exactly, packs_exactly, ways_to_pack

# in DeepSeek's cache is not what its attention is given
SHARING = ["llama", "gpt_neox", "olmo", "olmo2", "qwen2", "gpt2", "opt", "phi", "deepseek_v2", "olmo3"]
PACKING = ["diffllama", "hrm_text"]  # attention runs twice in a layer: they can be packed, but not go on from before
NOT_SHARING = ["mistral", "bloom", "mamba", "gemma2"]  # windows, distances as biases, no attention, capped scores
TOKENS = st.integers(0, 383)
few = settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def models(tiny_model):
    return {name: tiny_model(name) for name in [*SHARING, *PACKING, *NOT_SHARING]}


@st.composite
def prompt_lists(draw):
    """Draw questions that share a beginning of any length, by how many shots they have."""
    shots = [draw(st.lists(TOKENS, max_size=14)) for _ in range(2)]
    rests = st.lists(TOKENS, min_size=1, max_size=9)
    options = st.lists(st.lists(TOKENS, min_size=1, max_size=5), min_size=1, max_size=4)
    drawn = draw(st.lists(st.tuples(st.integers(0, 1), rests, options), min_size=1, max_size=6))
    return [Prompt(shots[dropped] + rest, answers, dropped) for dropped, rest, answers in drawn]


@torch.inference_mode()
def by_hand(model, prompts):
    """Scores as one would write them down: no batch, no cache, no padding, no mask."""
    result = []
    for prompt in prompts:
        scores = []
        for answer in prompt.answers:
            tokens = torch.tensor([prompt.context + answer[:-1]])
            logps = model(tokens, use_cache=False).logits[0].float().log_softmax(-1)
            chosen = logps[len(prompt.context) - 1 :].gather(1, torch.tensor(answer, dtype=torch.long)[:, None])
            scores.append(chosen.sum().item())
        result.append(scores)
    return result


def assert_close(found, expected):
    assert [len(scores) for scores in found] == [len(scores) for scores in expected]
    for a, b in zip(found, expected, strict=True):
        assert a == pytest.approx(b, abs=2e-5)


@pytest.mark.parametrize("architecture", [*SHARING, *PACKING])
@few
@given(prompts=prompt_lists(), batch_tokens=st.sampled_from([1, 60, 4096]))
def test_every_option_scores_as_if_it_were_read_alone(models, architecture, prompts, batch_tokens):
    model = models[architecture]
    assert packs_exactly(model, 64)
    assert keeps_exactly(model, 64) == (architecture in SHARING)
    assert_close(option_scores(model, prompts, batch_tokens=batch_tokens), by_hand(model, prompts))


@pytest.mark.parametrize("architecture", NOT_SHARING)
@settings(few, max_examples=5)
@given(prompts=prompt_lists())
def test_a_model_that_follows_no_foreign_mask_reads_every_option_alone(models, architecture, prompts):
    model = models[architecture]
    assert not packs_exactly(model, 64)
    assert_close(option_scores(model, prompts, batch_tokens=60), by_hand(model, prompts))


@pytest.mark.parametrize("window", [8, 20])
@few
@given(prompts=prompt_lists())
def test_windows_count_as_soon_as_a_question_is_longer(tiny_model, window, prompts):
    model = tiny_model("olmo3", sliding_window=window)
    longest = max(len(prompt.context) + max(map(len, prompt.answers)) for prompt in prompts)
    assert packs_exactly(model, longest) == (longest <= window)
    assert_close(option_scores(model, prompts, batch_tokens=60), by_hand(model, prompts))


def test_sums_of_hundreds_of_nats_keep_their_digits():
    logits = torch.tensor([[0.0, 3.1, 0.7]])
    one = summed_logps(logits, [(0, 0, 0)], 1)[0]
    assert summed_logps(logits, [(0, 0, 0)] * 2000, 1) == pytest.approx([2000 * one], rel=1e-12)


def test_eager_attention_shares_too(tiny_model):
    model = tiny_model("llama")
    model.set_attn_implementation("eager")
    prompts = [Prompt([5, 6], [[1, 2], [3]], 0), Prompt([7], [[1], [3, 4, 5]], 0)]
    assert packs_exactly(model, 64)
    assert_close(option_scores(model, prompts, batch_tokens=100), by_hand(model, prompts))


@few
@given(prompts=prompt_lists(), order=st.randoms(use_true_random=False))
def test_order_of_questions_does_not_matter(models, prompts, order):
    model, places = models["llama"], list(range(len(prompts)))
    order.shuffle(places)
    found = option_scores(model, [prompts[i] for i in places], batch_tokens=60)
    expected = option_scores(model, prompts, batch_tokens=60)
    assert_close(found, [expected[i] for i in places])


@pytest.mark.parametrize("architecture", SHARING)
def test_shots_are_read_once_and_each_question_once(models, architecture):
    model, shots = models[architecture], list(range(100, 130))
    prompts = [Prompt([*shots, 50 + i], [[1, 2], [3, 4], [5, 6]], 0) for i in range(7)]
    keeps_exactly(model, 64)  # tries the model on sentences of its own
    read = []
    hook = model.register_forward_pre_hook(lambda _, __, kwargs: read.append(kwargs["input_ids"]), with_kwargs=True)
    found = option_scores(model, prompts, batch_tokens=12)
    hook.remove()
    assert_close(found, by_hand(model, prompts))
    assert len(read) > 2  # several batches went on from the same shots
    tokens = torch.cat([row for batch in read for row in batch]).tolist()
    assert [tokens.count(token) for token in (shots[0], *range(50, 57))] == [1] * 8


def test_shots_that_were_dropped_do_not_keep_the_others_from_being_shared(models):
    model, shots = models["llama"], list(range(100, 120))
    prompts = [Prompt([*shots[10 * (i % 2) :], 50 + i], [[1], [3]], i % 2) for i in range(6)]
    keeps_exactly(model, 64)
    read = []
    hook = model.register_forward_pre_hook(lambda _, __, kwargs: read.append(kwargs["input_ids"]), with_kwargs=True)
    found = option_scores(model, prompts, batch_tokens=4096)
    hook.remove()
    assert_close(found, by_hand(model, prompts))
    assert sum(batch.numel() for batch in read) == 20 + 10 + 6


def test_a_question_may_fill_the_whole_window(models):
    model = models["gpt2"]  # its positions are learned: it has none beyond the window of 64
    prompts = [Prompt(list(range(60)), [[1, 2, 3, 4, 5], [6], [7, 8, 9]], 0)]
    assert_close(option_scores(model, prompts, batch_tokens=4096), by_hand(model, prompts))


def test_half_precision_shares_too_and_gives_nearly_the_same(models):
    model, shots = models["llama"], list(range(100, 130))
    prompts = [Prompt([*shots, 50 + i], [[1, 2], [3]], 0) for i in range(4)]
    read = []
    hook = model.register_forward_pre_hook(lambda _, __, kwargs: read.append(kwargs["input_ids"]), with_kwargs=True)
    ways_to_pack.cache_clear()  # so that it is tried under half precision
    goes_on.cache_clear()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = option_scores(model, prompts, batch_tokens=4096)
    hook.remove()
    assert sum((batch == shots[0]).sum().item() for batch in read) == 1
    for a, b in zip(found, by_hand(model, prompts), strict=True):
        assert a == pytest.approx(b, abs=0.5)


@given(st.lists(st.integers(1, 30), max_size=20), st.integers(1, 60))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_rows_hold_every_question_once_and_keep_to_their_size(lengths, row_tokens):
    rows = in_rows(lengths, row_tokens)
    assert sorted(index for row in rows for index in row) == list(range(len(lengths)))
    assert all(len(row) == 1 or sum(lengths[index] for index in row) <= row_tokens for row in rows)
    assert [lengths[i] for row in rows for i in row] == sorted(lengths, reverse=True)


def test_no_questions_give_nothing_and_an_empty_option_scores_zero(models):
    assert option_scores(models["llama"], [], batch_tokens=10) == []
    prompts = [Prompt([1, 2], [[], [3, 4]], 0)]
    assert_close(option_scores(models["llama"], prompts, batch_tokens=10), by_hand(models["llama"], prompts))


def test_scores_of_all_single_tokens_sum_to_one(models):
    (scores,) = option_scores(models["llama"], [Prompt([1, 2, 3], [[t] for t in range(384)], 0)], batch_tokens=4096)
    assert sum(map(math.exp, scores)) == pytest.approx(1, abs=1e-4)


def test_identical_options_tie_to_the_bit(models):
    prompts = [Prompt([9, 8, 7 + i], [[3, 4], [5], [3, 4]], 0) for i in range(5)]
    for scores in option_scores(models["olmo2"], prompts, batch_tokens=4096):
        assert scores[0] == scores[2]


def test_reading_alone_is_the_same_computation_in_batches(models):
    prompts = [Prompt([1, 2, 3], [[4, 5], [6]], 0), Prompt([7], [[8, 9, 10]], 0)]
    assert_close(scores_one_by_one(models["qwen2"], prompts, batch_tokens=8), by_hand(models["qwen2"], prompts))
