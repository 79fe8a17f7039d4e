"""The format chat: turns by the tokenizer's own template or a plain one, the same in training and in prediction."""

import copy
import signal

import pytest
from chat_shapes import CHATML, SHAPES
from tokenizer_kinds import tokenizer_of
from transformers import PreTrainedTokenizerFast

from ripeness.measure.prompts import build_prompts, draw_shots, unconditional_prompts
from ripeness.models import chat
from ripeness.models.batching import IGNORED, encode_examples
from ripeness.models.chat import PLAIN, TurnEnd, chat_prompt, chat_text, template_of, turn_end
from ripeness.models.token_healing import again_text, text_of
from ripeness.models.tokens import encode, end_of_text
from ripeness.runtime.errors import UserError

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
    prompt = build(spaced)
    assert spaced.decode(prompt.context) == "[the film was long]"
    assert [spaced.decode(answer) for answer in prompt.answers] == [" good", " very bad"]


@pytest.mark.parametrize("name", ["tokenizer", "own", "spaced"])
def test_training_reads_what_prediction_reads(request, name):
    tokenizer = request.getfixturevalue(name)
    prompt = build(tokenizer)
    (example,) = encode_examples([("q", QUESTION["turns"], QUESTION["target"])], tokenizer, max_length=1000)
    end = {"own": tokenizer.convert_tokens_to_ids("<|im_end|>")}.get(name, end_of_text(tokenizer))
    assert example.tokens == [*prompt.context, *prompt.answers[0], end]
    assert example.targets[: len(prompt.context)] == [IGNORED] * len(prompt.context)
    written = build(tokenizer, QUESTION | {"choices": []}, answer_room=5)
    assert written.context == prompt.context
    assert again_text(tokenizer, written.start) == ("" if name == "own" else " ")


@pytest.fixture(params=SHAPES)
def shape(request):
    return SHAPES[request.param]


@pytest.fixture
def shaped(shape):
    """Give a tokenizer with a chat template of a published shape."""
    backend = copy.deepcopy(tokenizer_of("cl100k").backend_tokenizer)
    backend.add_special_tokens(["<|im_start|>", "<|im_end|>", "<|im_sep|>", "</s>"])
    backend.add_tokens(["<think>", "</think>"])
    made = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>", bos_token="<s>")
    made.chat_template = shape.template
    return made


ANSWERED = {"role": "assistant", "content": "yes it is"}


def test_what_a_template_writes_before_an_answer_is_prompt_everywhere(shape, shaped):
    question = row("sky?", "yes it is", "no")
    prompt, end = build(shaped, question), shaped.convert_tokens_to_ids(shape.end)
    whole = encode(shaped, [chat_text(shaped, [user("sky?"), ANSWERED])])[0]
    (example,) = encode_examples([("q", question["turns"], "yes it is")], shaped, max_length=1000)
    written = build(shaped, question | {"choices": []}, answer_room=5)
    assert chat_prompt(shaped, [user("sky?")]) == shape.before
    assert turn_end(shaped) == TurnEnd(end, "")
    assert example.tokens == [*prompt.context, *prompt.answers[0], end]
    assert whole[: len(example.tokens) - 1] == example.tokens[:-1] and end in whole[len(example.tokens) - 1 :]
    assert example.targets == [IGNORED] * len(prompt.context) + example.tokens[len(prompt.context) :]
    assert written.context == prompt.context
    assert text_of(shaped, written.context) + again_text(shaped, written.start) == shape.before


def test_shots_are_turns_of_the_same_conversation(shape, shaped):
    prompt = build(shaped, row("sky?", "yes it is", "no"), [[user("so?"), ANSWERED]])
    text = chat_text(shaped, [user("so?"), ANSWERED, user("sky?"), ANSWERED])
    assert text_of(shaped, [*prompt.context, *prompt.answers[0]]) == text[: text.rindex("yes it is") + len("yes it is")]


def test_turns_that_a_published_template_refuses_are_an_error_of_the_user(shape, shaped):
    for first in ("system", "user"):
        turns = [{"role": first, "content": "so"}, user("sky?")]
        if first not in shape.refuses:
            assert "so" in chat_prompt(shaped, turns)
            continue
        with pytest.raises(
            UserError, match=rf"refuses turns of {first}, user, assistant: roles must alternate.*\nhint: "
        ):
            chat_prompt(shaped, turns)


def test_a_template_that_does_not_write_the_answer_is_refused(tokenizer):
    made = copy.deepcopy(tokenizer)
    made.chat_template = "{% for m in messages %}{{ m.content | upper }}{% endfor %}"
    with pytest.raises(UserError, match="does not write the assistant's answer as it is\nhint: "):
        chat_prompt(made, [user("sky?")])


@pytest.mark.parametrize(
    ("template", "turns", "lost"),
    [
        (
            SPACED.replace("{{ raise_exception('only user and assistant') }}", ""),
            ["system", "user"],
            "system turn 'no. 0",
        ),
        ("{{ messages[-2].content + '|' + messages[-1].content }}", ["user", "assistant", "user"], "user turn 'no. 0"),
        (CHATML.replace("m.content", "m.content | e"), ["user"], "user turn 'no. 0 < 1'"),
    ],
    ids=["no system", "the last question alone", "escaped"],
)
def test_a_template_that_leaves_out_words_of_a_turn_is_refused(tokenizer, template, turns, lost):
    made = copy.deepcopy(tokenizer)
    made.chat_template = template
    with pytest.raises(UserError, match=rf"leaves out or changes the {lost}.*\nhint: leave out the format"):
        chat_prompt(made, [{"role": role, "content": f"no. {n} < 1"} for n, role in enumerate(turns)])


def test_thoughts_of_former_answers_may_be_left_out(tokenizer):
    made = copy.deepcopy(tokenizer)
    made.chat_template = "{% for m in messages %}{{ m.content.split('</think>')[-1] | trim }}|{% endfor %}"
    turns = [user("so?"), {"role": "assistant", "content": "<think>\nfar\n</think>\n\nyes"}, user("sky?")]
    assert chat_prompt(made, turns) == "so?|yes|sky?|"


def test_words_that_a_template_writes_before_the_end_of_a_turn_end_it_too(own):
    made = copy.deepcopy(own)
    made.chat_template = OWN.replace("{{ m.content }}", "{{ m.content }} [/ANSWER] ")
    assert turn_end(made) == TurnEnd(made.convert_tokens_to_ids("<|im_end|>"), "[/ANSWER]")


def test_a_question_may_hold_the_mark_that_stands_for_an_answer(tokenizer):
    assert chat_prompt(tokenizer, [user("@answer@ or @@answer@?")]) == "User: @answer@ or @@answer@?\n\nAssistant: "


def test_an_answer_by_words_alone_ends_before_the_next_turn(tokenizer):
    assert turn_end(tokenizer) == TurnEnd(None, "\n\nUser:")
    made = copy.deepcopy(tokenizer)
    made.chat_template = CHATML.replace("<|im_end|>", "")  # signs that are no tokens
    assert turn_end(made) == TurnEnd(None, "\n<|im_start|>user")


def test_a_token_between_an_answer_and_the_next_turn_ends_writing(own):
    made = copy.deepcopy(own)
    made.chat_template = CHATML.replace("'<|im_end|>\n'", "('' if loop.last else '<|im_end|>\n')")
    assert turn_end(made) == TurnEnd(None, "<|im_end|>")


def test_every_name_of_strftime_stands_for_the_same_day(own):
    made = copy.deepcopy(own)
    made.chat_template = "{{ strftime_now('%A %-d %B %j, %d %b %Y') }}" + CHATML
    assert chat_prompt(made, [user("sky?")]).startswith("Friday 26 July 208, 26 Jul 2024")


def test_line_ends_among_the_added_tokens_end_no_answer(tokenizer):
    backend = copy.deepcopy(tokenizer.backend_tokenizer)
    backend.add_tokens(["\n\n", "  "])  # as Gemma has them
    made = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|endoftext|>")
    assert turn_end(made) == TurnEnd(None, "\n\nUser:")


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
    assert chat_prompt(own, turns).count("<|im_start|>") == 4
    assert chat_text(own, turns[:2]).endswith("far<|im_end|>\n")


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


def test_a_template_that_is_slow_for_one_conversation_alone_ends(monkeypatch):
    monkeypatch.setattr(chat, "SECONDS", 1)
    tokenizer = copy.deepcopy(tokenizer_of("gpt2"))
    loops = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    tokenizer.chat_template = "{% if 'sky' in messages[0].content %}" + loops + "{% endif %}" + PLAIN
    assert "sea?" in chat_prompt(tokenizer, [user("sea?")])
    before = signal.getsignal(signal.SIGVTALRM)
    with pytest.raises(UserError, match=r"more than 1 s for one conversation\nhint: "):
        chat_prompt(tokenizer, [user("sky?")])
    assert signal.getsignal(signal.SIGVTALRM) == before and signal.getitimer(signal.ITIMER_VIRTUAL) == (0, 0)


BEFORE_ANSWERS = {
    "the answer twice": "{% for m in messages %}{{ m.content }} {{ m.content }}<|end|>{% endfor %}",
    "the answer first": "{{ messages[-1].content }}|{% for m in messages %}{{ m.content }}<|end|>{% endfor %}",
    "its length": "{% for m in messages %}{{ m.content|length }} {{ m.content }}<|end|>{% endfor %}",
    "a word for long ones": "{% for m in messages %}{% if m.content|length > 80 %}Long: {% endif %}{{ m.content }}"
    "{% endfor %}",
    "its first letter": "{% for m in messages %}{{ m.content[0] }}: {{ m.content }}<|end|>{% endfor %}",
    "how many words": "{{ messages[-1].content.split()|length }}{% for m in messages %}{{ m.content }}<|end|>"
    "{% endfor %}",
}


@pytest.mark.parametrize("name", BEFORE_ANSWERS)
def test_a_template_that_tells_something_of_an_answer_before_it_is_refused(name):
    tokenizer = copy.deepcopy(tokenizer_of("gpt2"))
    tokenizer.chat_template = BEFORE_ANSWERS[name]
    with pytest.raises(UserError, match=r"something of the assistant's answer before the answer\nhint: "):
        chat_prompt(tokenizer, [user("sky?")])
