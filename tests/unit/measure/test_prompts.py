"""Prompts: the same shots everywhere, whole shots left out where they do not fit, and never the question."""

import json
from os.path import commonprefix

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from ripeness.measure.prompts import build_prompts, draw_shots
from ripeness.models.token_healing import again_text
from ripeness.models.tokens import encode, encode_pairs, end_of_text
from ripeness.runtime.errors import UserError
from ripeness.study.probes import read_probes

SHOTS = ["the cat sat\nit is good", "the dog ran far\nit is bad", "a mat\nit is good"]
QUESTION = {
    "item": "q1",
    "prompt": "the film was long\nit is",
    "choices": [" good", " very bad and short"],
    "target": " good",
}
OPEN = {"item": "q2", "prompt": "see what", "choices": [], "target": " the dog ran"}


def build(tokenizer, example=QUESTION, shots=SHOTS, **options):
    return build_prompts(tokenizer, [example], shots, **{"separator": "\n\n", "room": 1000} | options)[0]


def pool(prefix):
    return [{"prompt": f"{prefix} {i}:", "target": f" {i}"} for i in range(20)]


def test_shots_are_the_same_items_in_every_format_and_others_by_seed():
    plain, other = draw_shots(pool("question"), 4, seed=1), draw_shots(pool("Q"), 4, seed=1)
    assert [shot.split()[-1] for shot in plain] == [shot.split()[-1] for shot in other]
    assert plain[0].startswith("question ") and other[0].startswith("Q ")
    assert draw_shots(pool("question"), 4, seed=2) != plain
    assert len(set(plain)) == 4


def test_more_shots_than_the_pool_holds_are_refused():
    with pytest.raises(UserError, match=r"21 shots requested, but the pool has only 20\nhint: "):
        draw_shots(pool("question"), 21, seed=1)


def test_a_prompt_is_the_shots_then_the_question(tokenizer):
    prompt = build(tokenizer)
    assert tokenizer.decode(prompt.context) == "\n\n".join([*SHOTS, QUESTION["prompt"]])
    assert [tokenizer.decode(answer) for answer in prompt.answers] == QUESTION["choices"]
    assert prompt.n_dropped == 0


def test_prompt_and_answer_meet_as_in_running_text(tokenizer):
    example = QUESTION | {"prompt": "the film was long\nit is ", "choices": ["good", "bad"]}
    prompt = build(tokenizer, example, [])
    assert prompt.context == encode(tokenizer, ["the film was long\nit is"])[0]
    assert prompt.answers == [encode(tokenizer, [" good"])[0], encode(tokenizer, [" bad"])[0]]


def test_whole_shots_are_left_out_the_first_ones_first_and_never_the_question(tokenizer):
    alone = build(tokenizer, shots=[])
    needed = len(alone.context) + max(map(len, alone.answers))
    for n_dropped in range(4):
        kept = "\n\n".join([*SHOTS[n_dropped:], QUESTION["prompt"]])
        room = len(encode(tokenizer, [kept])[0]) + max(map(len, alone.answers))
        prompt = build(tokenizer, room=room)
        assert prompt.n_dropped == n_dropped
        assert tokenizer.decode(prompt.context) == kept
    with pytest.raises(UserError, match=rf"'q1' has {len(alone.context)} tokens .* reads {needed - 1}\nhint: "):
        build(tokenizer, room=needed - 1)


def test_room_is_kept_for_text_that_is_still_to_be_written(tokenizer):
    context = encode(tokenizer, [OPEN["prompt"]])[0]
    assert build(tokenizer, OPEN, [], answer_room=20, room=len(context) + 20).context == context
    with pytest.raises(UserError, match="needs 20 for its answer"):
        build(tokenizer, OPEN, [], answer_room=20, room=len(context) + 19)


def test_an_open_question_that_ends_a_line_is_answered_on_the_next(tokenizer):
    # else the model would write the line end, which is where an answer stops
    prompt = build(tokenizer, OPEN | {"prompt": "see what\n", "target": "the dog"}, [], answer_room=8)
    assert tokenizer.decode(prompt.context) == "see what\n"
    prompt = build(tokenizer, OPEN | {"prompt": "see what ", "target": "dog"}, [], answer_room=8)
    assert prompt.context == encode_pairs(tokenizer, [("see what ", "dog")])[0][0]
    assert again_text(tokenizer, prompt.start) == " "


def trained(pre_tokenizer):
    """Make a BPE tokenizer that cuts text into words in some way, or not at all: then tokens reach over words."""
    backend = Tokenizer(models.BPE(unk_token="?"))
    backend.pre_tokenizer = pre_tokenizer
    backend.train_from_iterator(["a b\n\nab ba\n\n b a\nab: b"] * 4, trainers.BpeTrainer(special_tokens=["?", "!"]))
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="!")


CUTS = {
    "bytes": pre_tokenizers.ByteLevel(add_prefix_space=False),
    "a space before every text": pre_tokenizers.Metaspace(),
    "words": pre_tokenizers.Whitespace(),
    "not at all": None,
}
TEXTS = st.text("ab: \n", max_size=12)


@pytest.mark.parametrize("cut", CUTS)
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    shots=st.lists(TEXTS, max_size=3),
    questions=st.lists(st.tuples(TEXTS, st.lists(st.sampled_from([" a", "b", " ab: b"]), min_size=1)), min_size=1),
)
def test_options_have_the_tokens_that_they_have_in_the_whole_text(cut, shots, questions):
    tokenizer = trained(CUTS[cut])
    rows = [{"item": "q", "prompt": prompt, "choices": choices, "target": ""} for prompt, choices in questions]
    prompts = build_prompts(tokenizer, rows, shots, separator="\n\n", room=10**6)
    for row, prompt in zip(rows, prompts, strict=True):
        text = "\n\n".join([*shots, row["prompt"]])
        pairs = encode_pairs(tokenizer, [(text, choice) for choice in row["choices"]])
        shared = commonprefix([context for context, _ in pairs])
        assert prompt.answers == [context[len(shared) :] + answer for context, answer in pairs]
        assert prompt.context == (shared or [end_of_text(tokenizer)])


def test_shots_are_not_read_again_for_every_option(tokenizer, monkeypatch):
    read = []

    def encode_and_note(tokenizer, texts):
        read.extend(dict.fromkeys(texts))
        return encode(tokenizer, texts)

    monkeypatch.setattr("ripeness.measure.prompts.encode", encode_and_note)
    monkeypatch.setattr("ripeness.models.tokens.encode", encode_and_note)
    build(tokenizer)
    assert sum(SHOTS[0] in text for text in read) == 1


def test_an_empty_prompt_gives_a_context_to_answer_after(tokenizer):
    prompt = build(tokenizer, QUESTION | {"prompt": "", "choices": ["good", "bad"]}, [])
    assert prompt.context == [end_of_text(tokenizer)]
    assert prompt.answers == [encode(tokenizer, ["good"])[0], encode(tokenizer, ["bad"])[0]]


def test_an_empty_option_is_refused(tokenizer):
    with pytest.raises(UserError, match=r"'q1' has an empty option: \[' good', ' '\]\nhint: "):
        build(tokenizer, QUESTION | {"choices": [" good", " "]})


@pytest.fixture
def probe(tmp_path):
    (tmp_path / "test.parquet").touch()
    identity = {"suite": "mine", "probe": "rte", "kind": "choice", "format": "default", "shots": 0}
    return identity | {"examples": str(tmp_path / "test.parquet")}


def test_probes_are_json_or_the_name_of_a_file_of_it(tmp_path, probe):
    (tmp_path / "probes.json").write_text(json.dumps([probe]))
    assert read_probes(json.dumps([probe])) == [probe]
    assert read_probes(str(tmp_path / "probes.json")) == [probe]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "chioce"}, "unknown kind 'chioce' of probe; known are choice, preference, generation, text"),
        ({"kind": "generation"}, "a generation probe lacks max_new_tokens, stop"),
        ({"shots": 4}, "a choice probe lacks shot_examples"),
        ({"examples": "nowhere.parquet"}, "probe 'rte': there is no file nowhere.parquet"),
        ({"suite": 1}, "probe 1: suite is 1, not a text"),
        ({"probe": None}, "probe 1: probe is None, not a text"),
        ({"examples": ["a"]}, r"probe 1: examples is \['a'\], not a text"),
        ({"kind": ["choice"]}, r"probe 1: kind is \['choice'\], not a text"),
        ({"shots": "two"}, "probe 1: shots is 'two', not a whole number"),
        ({"shots": -1, "shot_examples": __file__}, "probe 1: shots is -1"),
        ({"separator": 3}, "probe 1: separator is 3, not a text or null"),
        ({"kind": "generation", "stop": "", "max_new_tokens": "9"}, "max_new_tokens is '9', not a whole number"),
        ({"kind": "generation", "stop": "", "max_new_tokens": 0}, "max_new_tokens is 0"),
        ({"kind": "generation", "stop": 3, "max_new_tokens": 9}, "stop is 3, not a text"),
    ],
)
def test_a_probe_that_cannot_be_measured_is_refused(probe, change, message):
    with pytest.raises(UserError, match=message) as error:
        read_probes(json.dumps([probe | change]))
    assert "\nhint: " in str(error.value)


@pytest.mark.parametrize("content", ['{"a": 1}', "[1]", "[null]", '"x"', "3", "null", "", "[" * 100_000, "[{"])
def test_a_file_of_probes_that_holds_something_else_is_refused(tmp_path, content):
    (tmp_path / "probes.json").write_text(content)
    for text in (str(tmp_path / "probes.json"), *([content] if content.startswith("[") else [])):
        with pytest.raises(UserError) as error:
            read_probes(text)
        assert str(error.value).count("\nhint: ") == 1


@pytest.mark.parametrize("text", ["[{]", "nowhere.json"])
def test_probes_that_cannot_be_read_are_refused(text):
    with pytest.raises(UserError, match=r"(?s)(not JSON|no file nowhere.json).*hint: "):
        read_probes(text)
