"""Log-likelihoods are those of the model reading one request at a time, whatever is batched or shared."""

import math

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ripeness.measure.options import option_scores
from ripeness.measure.prompts import Prompt
from ripeness.models.forward.likelihood import Request, by_length, log_likelihoods, windows

ARCHITECTURES = ["llama", "gpt_neox", "olmo", "olmo2", "qwen2", "gpt2", "xlstm"]  # xlstm gives logits that nobody asked
TOKENS = st.integers(0, 383)
few = settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def models(tiny_model):
    return {name: tiny_model(name) for name in ARCHITECTURES}


@pytest.fixture(scope="module")
def llama(models):
    return models["llama"]


@st.composite
def request_lists(draw):
    """Draw requests that share a beginning of any length, the empty one included."""
    prefix = draw(st.lists(TOKENS, max_size=14))
    contexts = st.lists(TOKENS, min_size=0 if prefix else 1, max_size=12)
    completions = st.lists(TOKENS, min_size=1, max_size=5)
    pairs = draw(st.lists(st.tuples(contexts, completions), min_size=1, max_size=6))
    return [Request(prefix + context, completion) for context, completion in pairs]


@torch.inference_mode()
def one_by_one(model, requests):
    """Log-likelihoods as one would write them down: no batch, no cache, no padding, no slicing."""
    result = []
    for request in requests:
        tokens = torch.tensor([request.context + request.completion], device=model.device)
        logps = model(tokens, use_cache=False).logits[0].float().log_softmax(-1)
        n = len(request.context)
        result.append([logps[n + i - 1, token].item() for i, token in enumerate(request.completion)])
    return result


def assert_close(found, expected):
    assert [len(logps) for logps in found] == [len(logps) for logps in expected]
    for a, b in zip(found, expected, strict=True):
        assert a == pytest.approx(b, abs=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@few
@given(requests=request_lists(), batch_tokens=st.sampled_from([1, 40, 4096]))
def test_every_token_is_scored_as_by_one_forward_pass_without_cache(models, architecture, requests, batch_tokens):
    model = models[architecture]
    found = log_likelihoods(model, requests, batch_tokens=batch_tokens)
    assert_close(found, one_by_one(model, requests))


@few
@given(requests=request_lists(), order=st.randoms(use_true_random=False))
def test_order_of_requests_does_not_matter(llama, requests, order):
    places = list(range(len(requests)))
    order.shuffle(places)
    found = log_likelihoods(llama, [requests[i] for i in places], batch_tokens=60)
    expected = log_likelihoods(llama, requests, batch_tokens=60)
    assert_close(found, [expected[i] for i in places])


def test_a_request_may_fill_the_whole_window(models):
    model = models["gpt2"]  # its positions are learned: it has none beyond the window
    requests = [Request(list(range(60)), [1, 2, 3, 4, 5]), *windows(list(range(100)), 0, 64)]
    assert [len(logps) for logps in log_likelihoods(model, requests, batch_tokens=4096)] == [5, 64, 36]


def test_identical_contexts_and_single_tokens_are_scored(llama):
    options = [Request([5] * 20, [option]) for option in (7, 8, 7)]
    found = log_likelihoods(llama, options, batch_tokens=4096)
    assert_close(found, one_by_one(llama, options))
    assert found[0] == pytest.approx(found[2], abs=1e-6)


def test_one_request_of_one_token_each_side_is_scored(llama):
    requests = [Request([3], [4])]
    assert_close(log_likelihoods(llama, requests, batch_tokens=1), one_by_one(llama, requests))


def test_no_requests_and_empty_completions_give_nothing(llama):
    assert log_likelihoods(llama, [], batch_tokens=10) == []
    found = log_likelihoods(llama, [Request([1], []), Request([2], [3])], batch_tokens=10)
    assert [len(logps) for logps in found] == [0, 1]


def test_log_likelihoods_of_all_continuations_sum_to_one(llama):
    requests = [Request([1, 2, 3], [token]) for token in range(384)]
    total = sum(math.exp(logp) for (logp,) in log_likelihoods(llama, requests, batch_tokens=4096))
    assert total == pytest.approx(1, abs=1e-4)


def test_half_precision_models_are_summed_in_single_precision(tiny_model):
    model = tiny_model("llama").to(torch.bfloat16)
    requests = [Request([1, 2, 3], [9])]
    logits = model(torch.tensor([[1, 2, 3]], device=model.device)).logits[0, -1]
    ((found,),) = log_likelihoods(model, requests, batch_tokens=100)
    assert found == pytest.approx(logits.float().log_softmax(-1)[9].item(), abs=1e-6)
    assert found != pytest.approx(logits.log_softmax(-1)[9].item(), abs=1e-6)


@given(st.lists(st.integers(1, 30), max_size=20), st.integers(1, 60))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_batches_hold_every_index_once_and_respect_their_budget(lengths, batch_tokens):
    batches = list(by_length(lengths, batch_tokens))
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= batch_tokens
    widths = [max(lengths[i] for i in batch) for batch in batches]
    assert widths == sorted(widths, reverse=True)  # what does not fit in memory fails first


@given(st.integers(0, 50), st.integers(1, 12))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_windows_score_every_token_once_within_the_model_s_reach(n, context_length):
    tokens = list(range(100, 100 + n))
    requests = windows(tokens, 0, context_length)
    assert [token for request in requests for token in request.completion] == tokens
    running, seen = [0, *tokens], 1
    for request in requests:
        assert 1 <= len(request.context) + len(request.completion) - 1 <= context_length
        assert request.context == running[seen - len(request.context) : seen]
        seen += len(request.completion)


def test_windows_are_those_of_the_harness():
    # lm_eval.utils 0.4.13: map(make_disjoint_window, get_rolling_token_windows(range(10), 99, 4, 1))
    assert windows(list(range(10)), 99, 4) == [
        Request([99], [0, 1, 2, 3]),
        Request([3], [4, 5, 6, 7]),
        Request([5, 6, 7], [8, 9]),
    ]


def test_logits_that_are_all_equal_are_no_answer_unless_the_output_layer_is_zero(tiny_model):
    requests = [Request([1, 2, 3], [4, 5])]
    model = tiny_model("llama")
    (whole,) = log_likelihoods(model, requests, batch_tokens=64)
    model.model.norm.weight.data.zero_()  # as an overflow inside the norm does
    (lost,) = log_likelihoods(model, requests, batch_tokens=64)
    assert all(map(math.isfinite, whole)) and all(map(math.isnan, lost))
    assert math.isnan(option_scores(model, [Prompt([1, 2, 3], [[4, 5]], 0)], batch_tokens=64)[0][0])
    start = tiny_model("llama")
    start.lm_head.weight.data.zero_()
    (even,) = log_likelihoods(start, requests, batch_tokens=64)
    assert even == pytest.approx([-math.log(384)] * 2)
    assert option_scores(start, [Prompt([1, 2, 3], [[4, 5]], 0)], batch_tokens=64)[0] == pytest.approx([sum(even)])
