"""An item is the same tokens everywhere: those of the whole text, cut by characters."""

from unicodedata import combining

import pytest
from tokenizer_kinds import KINDS, tokenizer_of

from ripeness.batching import IGNORED, encode_examples
from ripeness.errors import UserError
from ripeness.models import contexts_of, document_start, encode, encode_pairs, encode_with_places, end_of_text
from ripeness.prompts import build_prompts
from ripeness.token_healing import again_text, allowed, continuation_text, starts, still_to_write, text_after

ENDINGS = [
    *(" ", "  ", "\t", "\n", "\n\n", "\r\n", ' "', "'", " (", "[", "{", ":", "-", " 7", "42"),
    *(" 日", " 🙂", " cafe\u0301", " yes", ""),
]
ANSWERS = ["yes", " yes", "no\nyes", '"yes" or', "42", "本語", "!", "🙂!", "\u0301s", "\nno"]
# What these write is not the text that they read: capitals, accents, spaces at the edges, unknown signs.
LOSSY = {"wordpiece", "nfc", "lower case", "unigram", "metaspace always", "metaspace first", "metaspace never"}


def prompts_of(ending):
    return [f"Q: is it?\nThe answer{ending}", f"so{ending}"]


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.mark.parametrize("ending", ENDINGS, ids=repr)
def test_prompt_and_answer_are_the_tokens_of_the_whole_text(kind, ending):
    tokenizer = tokenizer_of(kind)
    pairs = [(prompt, answer) for prompt in prompts_of(ending) for answer in ANSWERS]
    wholes = encode_with_places(tokenizer, [prompt + answer for prompt, answer in pairs])
    for (prompt, answer), (context, answered), (tokens, places) in zip(
        pairs, encode_pairs(tokenizer, pairs), wholes, strict=True
    ):
        assert context + answered == tokens == encode(tokenizer, [prompt + answer])[0]
        assert answered and all(end <= len(prompt) for _, end in places[: len(context)])
        if kind != "wordpiece" or not combining(answer[0]):  # which leaves out marks and spaces
            assert (prompt + answer)[places[len(context)][0] :].endswith(answer.lstrip())
        if kind not in LOSSY:  # the answer is written as it is, with what the prompt has of its first token
            text = continuation_text(tokenizer, context, answered)
            assert text.endswith(answer) and prompt.endswith(text.removesuffix(answer))


@pytest.mark.parametrize("ending", ENDINGS, ids=repr)
def test_training_scoring_and_writing_agree(kind, ending):
    tokenizer = tokenizer_of(kind)
    for prompt in prompts_of(ending):
        for answer in ANSWERS:
            row = {"item": "i", "prompt": prompt, "turns": [], "choices": [answer], "target": answer}
            (scored,) = build_prompts(tokenizer, [row], [], separator="\n", room=500)
            (trained,) = encode_examples([("i", prompt, answer)], tokenizer, max_length=500)
            n = len(scored.context)
            assert trained.tokens == [*scored.context, *scored.answers[0], end_of_text(tokenizer)]
            assert trained.targets == [IGNORED] * n + trained.tokens[n:]
            try:
                (asked,) = build_prompts(
                    tokenizer, [row | {"choices": []}], [], separator="\n", room=500, answer_room=9
                )
            except UserError as error:  # what no text can be written after
                assert kind == "nfc" and "begins with a mark" in str(error)
                assert combining(answer[0]) and prompt[-1].isalpha()
                continue
            check_written(tokenizer, kind, asked, trained.tokens[:-1], n, answer)


def check_written(tokenizer, kind, asked, tokens, n_context, answer):
    """Check that what was learned can be written after what is asked, and is the answer's text then."""
    start = len(asked.context)
    if asked.context == [end_of_text(tokenizer)]:  # nothing of the prompt is settled
        return
    if tokenizer.convert_tokens_to_ids("[UNK]") in tokens:  # what no text is tried with
        return
    assert asked.context == tokens[:start] and start <= n_context
    again = asked.start.again
    for token in tokens[start:]:
        if again:
            assert token in allowed(tokenizer, again)
            again = still_to_write(tokenizer, again, token)
    if kind not in LOSSY:
        assert text_after(tokenizer, asked.start, tokens[start:]).strip() == answer.strip()


@pytest.mark.parametrize(
    ("kind", "prompt", "lead", "again"),
    [
        ("gpt2", "the answer is ", "", " "),
        ("gpt2", "Summary:\n\n", "", ""),  # two line ends alone are one token, before a word they are two
        ("gpt2", "Answer:", " ", ""),
        ("cl100k", "Q: is it no-", "", "-"),
        ("cl100k", "Summary:\n", "", ""),
        ("cl100k", "Summary:", "\n", ":"),
        ("digits", "it is ", "", " "),
        ("merges over spaces", "Q: is it\nAnswer:", " ", "\nAnswer:"),
        ("metaspace always", "it is ", "", " "),
        ("wordpiece", "it is ye", "", "ye"),
        ("a start", "it is", " ", ""),
    ],
)
def test_only_what_a_longer_token_may_begin_with_is_written_again(kind, prompt, lead, again):
    tokenizer = tokenizer_of(kind)
    (start,) = starts(tokenizer, [(prompt, lead)])
    assert again_text(tokenizer, start) == again
    assert start.context == encode(tokenizer, [prompt + lead + "42"])[0][: len(start.context)]
    assert bool(again) == bool(start.n_again)


def test_a_line_end_that_merges_with_the_sign_before_stays_with_the_prompt():
    tokenizer = tokenizer_of("cl100k")
    ((context, answer),) = encode_pairs(tokenizer, [("Summary:\n", "yes it is.")])
    assert tokenizer.convert_ids_to_tokens(context)[-1] == ":Ċ"
    assert continuation_text(tokenizer, context, answer) == "yes it is."


def test_options_that_meet_the_prompt_in_one_token_are_asked_for_that_token():
    tokenizer = tokenizer_of("merges over spaces")
    row = {"item": "i", "prompt": "Q\nAnswer:", "choices": [" yes", " no", " 42"], "target": " yes"}
    (prompt,) = build_prompts(tokenizer, [row], [], separator="\n", room=500)
    for choice, answer in zip(row["choices"], prompt.answers, strict=True):
        assert answer
        assert prompt.context + answer == contexts_of(tokenizer, encode(tokenizer, ["Q\nAnswer:" + choice]))[0]


def test_an_answer_without_a_token_is_refused():
    tokenizer = tokenizer_of("wordpiece")
    row = {"item": "i", "prompt": "is it", "choices": [" yes", " \x07"], "target": " yes"}
    with pytest.raises(UserError, match=r"no token for the answer ' \\x07' after 'is it'\nhint: leave out"):
        build_prompts(tokenizer, [row], [], separator="\n", room=500)
    with pytest.raises(UserError, match="no token for the answer"):
        encode_examples([("i", "is it", " \x07")], tokenizer, max_length=500)


def test_what_starts_a_document_stands_there_once():
    tokenizer = tokenizer_of("a start")
    (start,) = document_start(tokenizer)
    assert contexts_of(tokenizer, encode(tokenizer, ["it is", "<s>it is"])) == 2 * [
        [start, *encode(tokenizer, ["it is"])[0]]
    ]
