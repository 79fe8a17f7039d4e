"""The format chat: turns by the tokenizer's own template or a plain one, the same in training and in prediction."""

import copy

import pytest
from transformers import PreTrainedTokenizerFast

from ripeness.batching import IGNORED, encode_examples
from ripeness.chat import answer_lead, chat_text, template_of
from ripeness.errors import UserError
from ripeness.models import encode, end_of_text
from ripeness.prompts import build_prompts, draw_shots, unconditional_prompts

MARKS = ["<|im_start|>", "<|im_end|>", "<s>"]
OWN = (
    "{{ '<s>' }}{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPACED = (
    "{% for m in messages %}{% if m.role == 'user' %}[{{ m.content }}]{% elif m.role == 'assistant' %} {{ m.content }} "
    "{% else %}{{ raise_exception('only user and assistant') }}{% endif %}{% endfor %}"
)


def user(text):
    return {"role": "user", "content": text}


def row(text, *choices, gold=0):
    return {"item": text, "turns": [user(text)], "prompt": text, "choices": list(choices), "target": choices[gold]}


QUESTION = row("the film was long", "good", "very bad")
POOL = [row("a dog ran", "good", "bad"), row("a cat sat", "good", "bad", gold=1)]


@pytest.fixture(scope="module")
def own(tokenizer) -> PreTrainedTokenizerFast:
    """Give the tokenizer a chat template with marks of its own, and a text that begins with <s>."""
    from tokenizers.processors import TemplateProcessing

    backend = copy.deepcopy(tokenizer.backend_tokenizer)
    backend.add_special_tokens(MARKS)
    start = ("<s>", backend.token_to_id("<s>"))
    backend.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[start])
    made = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|endoftext|>", bos_token="<s>")
    made.chat_template = OWN
    return made


@pytest.fixture(scope="module")
def spaced(tokenizer):
    made = copy.deepcopy(tokenizer)
    made.chat_template = SPACED
    return made


def build(tokenizer, question=QUESTION, shots=(), **options):
    return build_prompts(tokenizer, [question], list(shots), **{"separator": "!?", "room": 1000} | options)[0]


def test_without_a_template_turns_are_lines_of_user_and_assistant(tokenizer):
    prompt = build(tokenizer, shots=draw_shots(POOL, 2, seed=0))
    text = tokenizer.decode(prompt.context)
    assert template_of(tokenizer) == "plain"
    assert text.endswith("User: the film was long\n\nAssistant:") and "!?" not in text
    assert "User: a cat sat\n\nAssistant: bad\n\n" in text and "User: a dog ran\n\nAssistant: good\n\n" in text
    assert [tokenizer.decode(answer) for answer in prompt.answers] == [" good", " very bad"]
    whole = encode(tokenizer, [text + " very bad"])[0]
    assert whole == prompt.context + prompt.answers[1]


def test_the_tokenizers_own_template_words_the_turns(own):
    prompt = build(own, shots=draw_shots(POOL[:1], 1, seed=0))
    assert template_of(own) == "tokenizer"
    assert own.decode(prompt.context) == (  # what starts a text is there once
        "<s><|im_start|>user\na dog ran<|im_end|>\n<|im_start|>assistant\ngood<|im_end|>\n"
        "<|im_start|>user\nthe film was long<|im_end|>\n<|im_start|>assistant\n"
    )
    assert [own.decode(answer) for answer in prompt.answers] == ["good", "very bad"]


def test_an_answer_stands_where_the_template_puts_it(spaced):
    assert answer_lead(spaced) == " "
    prompt = build(spaced)
    assert spaced.decode(prompt.context) == "[the film was long]"
    assert [spaced.decode(answer) for answer in prompt.answers] == [" good", " very bad"]


@pytest.mark.parametrize("name", ["tokenizer", "own", "spaced"])
def test_training_reads_what_prediction_asks(request, name):
    tokenizer = request.getfixturevalue(name)
    prompt = build(tokenizer)
    (example,) = encode_examples([("q", QUESTION["turns"], QUESTION["target"])], tokenizer, max_length=1000)
    assert example.tokens == [*prompt.context, *prompt.answers[0], end_of_text(tokenizer)]
    assert example.targets[: len(prompt.context)] == [IGNORED] * len(prompt.context)
    written = build(tokenizer, QUESTION | {"choices": []}, answer_room=5)
    assert written.context == prompt.context


@pytest.mark.parametrize("name", ["tokenizer", "own"])
def test_whole_turns_are_left_out_so_that_a_chat_fits(request, name):
    tokenizer = request.getfixturevalue(name)
    shots = draw_shots(POOL, 2, seed=0)
    longest = max(len(answer) for answer in build(tokenizer).answers)
    for n_dropped in range(3):
        whole = build(tokenizer, shots=shots[n_dropped:])
        fitted = build(tokenizer, shots=shots, room=len(whole.context) + longest)
        assert (fitted.context, fitted.n_dropped) == (whole.context, n_dropped)
    with pytest.raises(UserError, match="'the film was long' has .* tokens"):
        build(tokenizer, shots=shots, room=len(whole.context) + longest - 1)


def test_a_conversation_of_several_turns_is_read_to_its_end(own):
    turns = [user("a dog ran"), {"role": "assistant", "content": "far"}, user("a cat")]
    assert chat_text(own, turns).count("<|im_start|>") == 4
    assert chat_text(own, turns[:2], is_answered=True).endswith("far<|im_end|>\n")


def test_turns_that_a_template_refuses_are_named(spaced):
    with pytest.raises(UserError, match=r"refuses turns of system, user: only user and assistant\nhint: leave out"):
        chat_text(spaced, [{"role": "system", "content": "a"}, user("b")])


def test_options_follow_the_same_few_words_alone(tokenizer, own):
    plain = [{"item": str(n), "prompt": "it is", "choices": [" good", " bad"], "target": ""} for n in range(2)]
    prompts = unconditional_prompts(tokenizer, plain, "Answer:", room=100)
    assert list(prompts) == [" good", " bad"]  # each once
    assert {tokenizer.decode(prompt.context) for prompt in prompts.values()} == {"Answer:"}
    assert [prompt.answers for prompt in prompts.values()] == [[encode(tokenizer, [text])[0]] for text in prompts]
    lined = [plain[0] | {"prompt": "it is\n", "choices": ["good", "bad"]}]
    spaced = unconditional_prompts(tokenizer, lined, "Answer:", room=100)
    assert [prompt.answers for prompt in spaced.values()] == [prompt.answers for prompt in prompts.values()]
    chat = unconditional_prompts(own, [QUESTION], "Answer:", room=100)
    assert own.decode(chat["good"].context) == "<s><|im_start|>user\nAnswer:<|im_end|>\n<|im_start|>assistant\n"
