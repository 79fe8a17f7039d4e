"""Models that cannot be packed read and write what single passes give, whatever else is asked of them."""

import pytest
import torch
from model_zoo import LONG_ROTATION, tiny_model

from ripeness.models.context_limits import steady
from ripeness.models.forward.likelihood import Request, log_likelihoods
from ripeness.models.forward.packing import packs_exactly
from ripeness.models.forward.padding import (
    ALONE,
    REREAD,
    TOGETHER,
    generated,
    ignores_padding,
    is_written_so,
    reads_together,
    way_to_write,
    write_texts,
    written_anew,
)
from ripeness.models.load import load_config
from ripeness.models.next_token import greedy
from ripeness.models.token_healing import Start
from ripeness.models.writing import write

CONTEXTS = [[*range(40, 80)], [7, 8, 9], [*range(100, 112)]]
STARTS = list(map(Start, CONTEXTS))


@torch.inference_mode()
def by_hand(model, requests):
    scores = []
    for request in requests:
        tokens = torch.tensor([request.context + request.completion[:-1]])
        logps = model(tokens, use_cache=False).logits[0, len(request.context) - 1 :].float().log_softmax(-1)
        scores.append(logps.gather(1, torch.tensor(request.completion)[:, None])[:, 0].tolist())
    return scores


def scores(model):
    """Log-likelihoods in one batch, beside those by hand."""
    requests = [Request(context[:3], context[3:] or [5, 6]) for context in CONTEXTS]
    found = log_likelihoods(model, requests, batch_tokens=4096)
    return sum(found, []), sum(by_hand(model, requests), [])


@torch.inference_mode()
def plain(model, n=6):
    return [written_anew(model, start, greedy(n)) for start in STARTS]


def written(model, n=6):
    with torch.inference_mode():
        return write(model, STARTS, [[] for _ in STARTS], greedy(n), 4096)[0]


@pytest.mark.parametrize(
    ("architecture", "way"), [("bloom", TOGETHER), ("mamba", TOGETHER), ("rwkv", ALONE), ("xlstm", REREAD)]
)
def test_how_a_model_writes_is_tried(architecture, way):
    model = tiny_model(architecture)
    assert way_to_write(model) == way
    assert written(model) == plain(model)


@pytest.mark.parametrize("architecture", ["gemma2", "mistral", "llama"])
def test_penalties_and_sampling_that_a_model_comes_with_are_left_out(architecture):
    model = tiny_model(architecture)
    expected = plain(model)
    model.generation_config.update(
        repetition_penalty=9.0, do_sample=True, temperature=3.0, no_repeat_ngram_size=1, forced_eos_token_id=3
    )
    assert written(model) == expected
    assert model.generation_config.repetition_penalty == 9.0


def test_a_model_that_is_wrong_beyond_its_window_alone_is_seen_by_its_first_batch():
    model = tiny_model("moshi")  # its cache forgets what its attention still sees
    assert way_to_write(model) != REREAD
    with torch.inference_mode():
        assert generated(model, STARTS, greedy(6)) != plain(model)
    assert written(model) == plain(model)


@torch.inference_mode()
def test_a_token_that_another_is_likelier_than_is_not_greedy():
    model = tiny_model("llama")
    new = written_anew(model, STARTS[0], greedy(4))
    assert is_written_so(model, greedy(4), STARTS[0], new)
    assert not is_written_so(model, greedy(4), STARTS[0], [*new[:-1], (new[-1] + 1) % 256])


@pytest.fixture
def counting():
    """Make a model that counts padding as text, as some of older make do."""
    model = tiny_model("bloom")

    def count(_, args, output):
        return output + (args[0] == 0).float().mean(1)[:, None, None] * torch.linspace(-9, 9, output.shape[-1])

    model.get_input_embeddings().register_forward_hook(count)
    return model


def test_texts_are_read_alone_where_padding_is_read(counting):
    assert not reads_together(counting, 10)
    found, expected = scores(counting)
    assert found == pytest.approx(expected, abs=1e-4)
    assert written(counting) == plain(counting)


def test_texts_are_read_together_where_padding_is_not_read():
    model = tiny_model("bloom")
    assert ignores_padding(model) and reads_together(model, 10**9)


@pytest.mark.parametrize("architecture", ["llama", "phi3"])
def test_no_text_is_rotated_as_a_longer_one_next_to_it(architecture):
    model = tiny_model(architecture, **LONG_ROTATION)
    assert steady(model.config) == 32
    assert packs_exactly(model, 32) and not packs_exactly(model, 33)
    found, expected = scores(model)
    assert found == pytest.approx(expected, abs=1e-4)
    assert written(model) == plain(model)


def test_a_text_that_grows_beyond_what_is_steady_is_written_again():
    model = tiny_model("llama", **LONG_ROTATION)
    start = Start([*range(40, 68)])  # 28 tokens, and 8 more
    with torch.inference_mode():
        expected = written_anew(model, start, greedy(8))
        assert write_texts(model, [start], [[0]], greedy(8)) == [expected]


@pytest.mark.parametrize("changes", [{}, {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4}}])
def test_other_rotations_have_no_such_limit(tmp_path, changes):
    tiny_model("llama", **changes).config.save_pretrained(tmp_path)
    assert steady(load_config(tmp_path)) == float("inf")
