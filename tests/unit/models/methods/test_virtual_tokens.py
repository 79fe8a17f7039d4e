"""Virtual tokens before every text: real ones read the same, they stay when loaded, and no reading of texts knows."""

import copy
import shutil

import pytest
import torch
from small_kinds import settings_of, shape_of
from virtual_tokens import PACKING, REAL, TEXTS, learned, logits, readings, with_tokens

from ripeness.measure.generation import generate
from ripeness.measure.options import option_scores
from ripeness.measure.prompts import Prompt
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
    ways_to_pack,
)
from ripeness.models.forward.padding import TOGETHER, way_to_write, write_texts, written_anew
from ripeness.models.forward.running_text import passage_losses, read_passages
from ripeness.models.load import load_model
from ripeness.models.methods.register import attach
from ripeness.models.next_token import Stopping, answer_text, writer_of
from ripeness.models.token_healing import Start, starts
from ripeness.models.tokens import encode
from ripeness.models.tuned_state import STATE, Tuned, fingerprint_of, stays_attached
from ripeness.models.tuned_weights import save_model
from ripeness.models.writing import write
from ripeness.runtime.errors import UserError
from ripeness.study.methods.register import KINDS
from ripeness.train.loop import train


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
    checkpoint, encoded, tokenizer, tmp_path, name
):
    base = shutil.copytree(checkpoint, tmp_path / "base")
    model, settings = load_model(base), settings_of(name, epochs=4)
    fingerprint = fingerprint_of(model)
    outcome = train(model, encoded, settings, pad=0)
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
def test_texts_beyond_a_window_are_read_one_by_one_and_the_same(tiny_model, tokenizer, encoded, kind, monkeypatch):
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
    losses = train(fresh, encoded, settings_of(kind, epochs=4), pad=0).losses
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
