"""Virtual tokens before every text: real ones read the same, they stay when loaded, and no reading of texts knows."""

import copy
import shutil

import pytest
import torch
from killed import killed_after
from small_kinds import BEFORE_TEXT, settings_of, shape_of

from ripeness.measure.generation import generate
from ripeness.measure.options import option_scores
from ripeness.measure.prompts import Prompt
from ripeness.models.batching import encode_examples
from ripeness.models.context_limits import LEAST_ROOM, n_virtual, reach, room_for_text
from ripeness.models.forward.likelihood import Request, log_likelihoods
from ripeness.models.forward.packed_attention import SIMILAR, packed_logits
from ripeness.models.forward.packing import (
    NARROW,
    SEQUENCES,
    WHOLE,
    keeps_exactly,
    packing,
    packs_exactly,
    separately,
    ways_to_pack,
)
from ripeness.models.forward.padding import TOGETHER, way_to_write, write_texts, written_anew
from ripeness.models.forward.running_text import passage_losses, read_passages
from ripeness.models.load import autocast, load_model
from ripeness.models.methods.register import attach
from ripeness.models.next_token import Stopping, answer_text, writer_of
from ripeness.models.token_healing import Start, starts
from ripeness.models.tokens import encode
from ripeness.models.tuned_state import STATE, Tuned, fingerprint_of, stays_attached
from ripeness.models.tuned_weights import save_model
from ripeness.models.writing import write
from ripeness.runtime.errors import UserError
from ripeness.study.methods.register import KINDS
from ripeness.train import reading
from ripeness.train.loop import train
from ripeness.train.resume import Progress

ROWS = [
    (f"row{n}", "the film was " + "far " * (n % 4) + "long\nit is", [" good", " very bad and short"][n % 2])
    for n in range(10)
]
TEXTS = torch.tensor([[5, 6, 7, 8, 9, 11], [7, 7, 3, 2, 1, 9]])
PACKING = ["llama", "gpt2", "gpt_neox", "olmo2", "qwen2", "opt", "phi", "mixtral"]
REAL = ["prefix", "prompt"]  # that start as tokens of the vocabulary


@pytest.fixture(scope="module")
def examples(tokenizer):
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


@pytest.mark.parametrize("most", [1.0, 3.0])  # how similar neighbours are that share a call: on a CPU, on a GPU
@pytest.mark.parametrize("architecture", PACKING)
@pytest.mark.parametrize("kind", REAL)
def test_tokens_of_the_vocabulary_read_as_the_text_before(tiny_model, architecture, kind, most, monkeypatch):
    monkeypatch.setitem(SIMILAR, "cpu", most)
    model, start = tiny_model(architecture), tiny_model(architecture)
    attached, tokens = with_tokens(model, kind)
    expected = logits(start, torch.cat([torch.tensor([tokens] * 2), TEXTS], dim=1))[:, 4:]
    assert torch.allclose(logits(model), expected, atol=1e-5)
    assert ways_to_pack(model)[0] == WHOLE and keeps_exactly(model, 20)
    with packing(model, 20), torch.no_grad():
        wanted = torch.arange(9)
        rows, found = [TEXTS[0].tolist(), TEXTS[1, :3].tolist()], []
        for is_narrow in (False, NARROW in ways_to_pack(model)):
            found.append(packed_logits(model, rows, wanted, is_narrow=is_narrow))
    assert all(torch.allclose(one, torch.cat([expected[0], expected[1, :3]]), atol=1e-4) for one in found)
    attached.merge()
    assert torch.allclose(logits(model), expected, atol=1e-5)


def test_nothing_is_left_behind_when_virtual_tokens_are_removed_and_little_when_they_stay(tiny_model, name):
    model, start = tiny_model("llama"), tiny_model("llama")
    attached = attach(model, settings_of(name))
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert trained == {name for name, _ in model.named_parameters() if name.startswith("virtual_tokens.")}
    assert logits(model).shape == logits(start).shape  # no logit of a virtual token, and no place in the vocabulary
    attached.merge()
    assert [weight.requires_grad for weight in model.parameters()] == [True] * len(list(start.parameters()))
    assert list(model.state_dict()) == list(start.state_dict())
    assert {n for n, _ in model.named_modules()} - {n for n, _ in start.named_modules()} == {"virtual_tokens"}
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), start.parameters(), strict=True))
    assert fingerprint_of(model) == fingerprint_of(start)
    assert not torch.allclose(logits(model), logits(start), atol=1e-2)
    attached.remove()
    assert shape_of(model) == shape_of(start) and n_virtual(model) == 0
    assert torch.equal(logits(model), logits(start))


def test_a_state_that_is_saved_is_loaded_and_predicts_as_the_model_in_memory(
    checkpoint, examples, tokenizer, tmp_path, name
):
    base = shutil.copytree(checkpoint, tmp_path / "base")
    model, settings = load_model(base), settings_of(name, epochs=4)
    fingerprint = fingerprint_of(model)
    outcome = train(model, examples, settings, pad=0)
    assert outcome.status == "done" and outcome.losses[-1] < outcome.losses[0] - 0.1
    save_model(model, base, tmp_path / "tuned", tuned=Tuned(settings, outcome.state, fingerprint))
    torch.manual_seed(99)
    again = load_model(tmp_path / "tuned")
    assert stays_attached(tmp_path / "tuned") and not stays_attached(base)
    assert torch.equal(logits(again), logits(model)) and not torch.equal(logits(again), logits(load_model(base)))
    assert readings(again, tokenizer) == readings(model, tokenizer)
    n_parameters = sum(weight.numel() for weight in load_model(base).parameters())
    n_saved = sum(tensor.numel() for tensor in outcome.state.values())
    assert n_saved == 4 * (2 * 2 * 16 if settings.kind == "prefix" else 32)  # no encoder
    assert n_saved <= KINDS[settings.kind].state_size(vars(settings), n_parameters)
    assert (tmp_path / "tuned" / STATE).stat().st_size < 4 * n_saved + 200


def readings(model, tokenizer):
    """Score options, write text, score it and read running text."""
    context, answers = encode(tokenizer, ["the film was good bad long short a dog", " yes", " no cat"]), []
    context, *answers = context
    prompts = [Prompt(context + [7, n], answers, 0) for n in range(3)]
    scores = option_scores(model, prompts, batch_tokens=64)
    texts = generate(model, tokenizer, [prompt.context for prompt in prompts], Stopping(5), batch_tokens=64)
    rows = [{"item": "a", "text": "the film was good " * 8}]
    return scores, texts, passage_losses(model, read_passages(model, tokenizer, rows, batch_tokens=64))


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gpt_neox"])
def test_options_texts_and_running_text_are_those_of_plain_passes(tiny_model, tokenizer, architecture, name):
    model = learned(tiny_model(architecture), name)
    beginning = encode(tokenizer, ["the film was good bad long short a dog cat"])[0]  # read once for all
    contexts = [[*beginning, *more] for more in ([5, 6, 7], [9], [11, 3, 2, 8])]
    answers = [[20, 21], [22], [23, 24, 25]]
    scores = option_scores(model, [Prompt(one, answers, 0) for one in contexts], batch_tokens=48)
    for context, found in zip(contexts, scores, strict=True):
        for answer, score in zip(answers, found, strict=True):
            rows = logits(model, torch.tensor([context + answer])).log_softmax(-1)[0, len(context) - 1 : -1]
            assert score == pytest.approx(rows.gather(1, torch.tensor(answer)[:, None]).sum().item(), abs=1e-3)
    requests = [Request(context, answer) for context, answer in zip(contexts, answers, strict=True)]
    alone = [sum(row) for row in log_likelihoods(model, requests, batch_tokens=64)]
    assert alone == pytest.approx([found[place] for place, found in enumerate(scores)], abs=1e-3)
    stopping = Stopping(6)
    writer, starts = writer_of(model, tokenizer, stopping), [Start(context) for context in contexts]
    expected = [written_anew(model, start, writer) for start in starts]
    assert way_to_write(model) == TOGETHER
    assert write_texts(model, starts, [[2, 0, 1]], writer) == expected
    texts = generate(model, tokenizer, contexts, stopping, batch_tokens=48)
    assert texts == [answer_text(tokenizer, stopping, *one) for one in zip(starts, expected, strict=True)]


@pytest.mark.parametrize("kind", REAL)
def test_losses_and_gradients_of_packed_rows_are_those_of_padded_ones(tiny_model, examples, kind, monkeypatch):
    packed = train(tiny_model("llama"), examples, settings_of(kind), pad=0)
    narrow = train(tiny_model("llama", hidden_size=64), examples, settings_of(kind), pad=0, row_tokens=30)
    monkeypatch.setattr("ripeness.train.loop.packing", unpacked)
    padded = train(tiny_model("llama"), examples, settings_of(kind), pad=0)
    assert packed.losses == pytest.approx(padded.losses, abs=1e-4)
    padded = train(tiny_model("llama", hidden_size=64), examples, settings_of(kind), pad=0)
    assert narrow.losses == pytest.approx(padded.losses, abs=1e-4)


def unpacked(model, longest):
    """Read each example as transformers does."""
    import contextlib

    return contextlib.nullcontext(False)


@pytest.mark.parametrize("kind", REAL)
def test_a_common_beginning_is_read_once_with_the_gradients_of_all(tiny_model, tokenizer, kind, monkeypatch):
    rows = [(item, "the film was good bad long short a dog cat sat on mat " * 2 + p, t) for item, p, t in ROWS]
    examples, losses, shared = encode_examples(rows, tokenizer, max_length=60), [], []
    logits_of = reading.packed_logits
    monkeypatch.setattr(
        reading, "packed_logits", lambda *args, **kw: (shared.append(args[3]), logits_of(*args, **kw))[1]
    )
    for worth in (0, 10**9):  # always, never
        monkeypatch.setattr("ripeness.models.batching.WORTH", worth)
        losses.append(train(tiny_model("llama"), examples, settings_of(kind), pad=0).losses)
    assert min(shared[: len(shared) // 2]) > 10 and max(shared[len(shared) // 2 :]) == 0
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def test_half_precision_reads_nearly_the_same(tiny_model, tokenizer, examples, name):
    model = learned(tiny_model("llama"), name)
    full = readings(model, tokenizer)
    with autocast(model.device, "bf16"):
        half = readings(model, tokenizer)
    flat = [[score for row in found[0] for score in row] + found[2] for found in (full, half)]
    assert flat[1] == pytest.approx(flat[0], rel=0.05) and flat[1] != flat[0]
    outcome = train(tiny_model("llama"), examples, settings_of(name, precision="bf16", epochs=4), pad=0)
    assert outcome.status == "done" and outcome.losses[-1] < outcome.losses[0] - 0.1
    assert all(tensor.dtype == torch.float32 for tensor in outcome.state.values())


@pytest.mark.parametrize("after", [1, 4])
def test_a_training_that_is_killed_goes_on_to_the_same_state(tiny_model, examples, tmp_path, name, after):
    expected, settings = tiny_model("llama"), settings_of(name)
    outcome = train(expected, examples, settings, pad=0)
    progress = Progress(tmp_path / "state", "mine", 0)

    with killed_after(after):
        train(tiny_model("llama"), examples, settings, pad=0, progress=progress)
    torch.manual_seed(99)
    model = tiny_model("llama")
    again = train(model, examples, settings, pad=0, progress=progress)
    assert again[:3] == outcome[:3]
    assert all(torch.equal(again.state[key], outcome.state[key]) for key in outcome.state)
    assert torch.equal(logits(model), logits(expected))


def test_a_rate_that_is_far_too_high_diverges_as_a_result(tiny_model, examples):
    outcome = train(tiny_model("llama"), examples, settings_of("prefix", learning_rate=1e30, clip=1e30), pad=0)
    assert outcome.status == "diverged"


def test_how_a_model_is_read_is_tried_again_with_what_was_learned(tiny_model, monkeypatch):
    model, tried = tiny_model("llama"), []
    attached = attach(model, settings_of("prefix"))
    monkeypatch.setattr("ripeness.models.forward.packing.separately", lambda one: (tried.append(1), separately(one))[1])
    assert ways_to_pack(model) == (WHOLE, NARROW) and not tried
    attached.merge()
    assert ways_to_pack(model) == ways_to_pack(model) == (WHOLE, NARROW) and tried == [1]
    attached.remove()
    assert ways_to_pack(model) == (WHOLE, NARROW) and tried == [1, 1]


def test_a_copy_of_a_model_has_virtual_tokens_of_its_own(tiny_model, name):
    model = learned(tiny_model("llama"), name)
    other = copy.deepcopy(model)
    assert torch.equal(logits(other), logits(model))
    other.virtual_tokens.learned.zero_()
    assert not torch.equal(logits(other), logits(model))


def test_room_for_text_is_smaller_by_the_virtual_tokens(tiny_model, tokenizer):
    model, start = learned(tiny_model("gpt2"), "prefix"), tiny_model("gpt2")
    assert room_for_text(model) == room_for_text(start) - 4 == 60
    assert reach(tiny_model("mistral", sliding_window=32)) == 32
    assert reach(learned(tiny_model("mistral", sliding_window=32), "prompt")) == 28
    rows = [{"item": "a", "text": "the film was good bad long " * 40}]
    passages = read_passages(model, tokenizer, rows, batch_tokens=64)
    assert max(batch.tokens.shape[1] for batch in passages.batches) == 60  # of the 64 positions that it has
    assert passages.n_tokens == read_passages(start, tokenizer, rows, batch_tokens=64).n_tokens
    assert passage_losses(model, passages)[0] > 0


@pytest.mark.parametrize("architecture", ["bloom", "mistral", "gemma2", "mamba"])
@pytest.mark.parametrize("kind", REAL)
def test_a_model_that_does_not_pack_is_refused_and_stays_as_it_was(tiny_model, architecture, kind):
    model, start = tiny_model(architecture), tiny_model(architecture)
    message = rf"kind {kind} is for models whose logits stay .* this {architecture} do not, .*\nhint: another kind"
    with pytest.raises(UserError, match=message):
        attach(model, settings_of(kind))
    assert shape_of(model) == shape_of(start)


@pytest.mark.parametrize("kind", REAL)
def test_virtual_tokens_that_leave_no_room_are_refused(tiny_model, kind):
    assert max(map(len, SEQUENCES)) == LEAST_ROOM  # what a model is tried with
    with pytest.raises(UserError, match=r"tokens: 60 virtual tokens leave no room for text in the 64 .*\nhint: fewer"):
        attach(tiny_model("gpt2"), settings_of(kind, tokens=60))
    assert n_virtual(learned(tiny_model("gpt2"), kind)) == 4


@pytest.mark.parametrize("kind", REAL)
def test_the_state_is_refused_by_a_model_of_other_virtual_tokens(tiny_model, kind):
    state = attach(tiny_model("llama"), settings_of(kind)).state()
    with pytest.raises(ValueError, match="has shape"):
        attach(tiny_model("llama"), settings_of(kind, tokens=5)).load(state)


@pytest.mark.parametrize("kind", REAL)
def test_texts_beyond_a_window_are_read_one_by_one_and_the_same(tiny_model, tokenizer, examples, kind, monkeypatch):
    model, start = (tiny_model("mistral", sliding_window=12) for _ in range(2))
    attached, tokens = with_tokens(model, kind)
    text = torch.tensor([[5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]])
    expected = logits(start, torch.cat([torch.tensor([tokens]), text], dim=1))[:, 4:]
    assert torch.allclose(logits(model, text), expected, atol=1e-5)
    assert packs_exactly(model, 8) and not packs_exactly(model, 9)
    attached.merge()
    context = text[0].tolist()
    writer = writer_of(model, tokenizer, Stopping(5))
    written = written_anew(start, Start([*tokens, *context]), writer)
    assert generate(model, tokenizer, [context], Stopping(5), batch_tokens=64) == [
        answer_text(tokenizer, Stopping(5), Start(context), written)
    ]
    fresh = tiny_model("mistral", sliding_window=12)
    losses = train(fresh, examples, settings_of(kind, epochs=4), pad=0).losses
    assert losses[-1] < losses[0] - 0.1


@pytest.mark.parametrize("kind", REAL)
def test_the_end_of_a_prompt_is_written_again_after_virtual_tokens_too(tiny_model, tokenizer, kind):
    model = learned(tiny_model("llama"), kind)
    found = starts(tokenizer, ["the film was good ba", "a cat sat on the ma", "is it lo"], ("d", "t", "ng"))
    assert any(start.again for start in found)
    writer = writer_of(model, tokenizer, Stopping(4))
    expected = [written_anew(model, start, writer) for start in found]
    assert write(model, found, [[] for _ in found], writer, 64)[0] == expected
    assert [len(one) for one in expected] == [4 + start.n_again for start in found]
