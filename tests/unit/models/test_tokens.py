"""An item is the same tokens everywhere: those of the whole text, cut by characters."""

from unicodedata import combining

import pytest
from tokenizer_kinds import KINDS, tokenizer_of
from tokenizers import AddedToken, Tokenizer, models, processors
from transformers import PreTrainedTokenizerFast

from ripeness.measure.prompts import build_prompts
from ripeness.models.batching import IGNORED, encode_examples
from ripeness.models.token_healing import (
    Start,
    again_text,
    allowed,
    beginnings,
    continuation_text,
    starts,
    still_to_write,
    text_after,
    text_of,
    vocabulary,
)
from ripeness.models.tokens import (
    contexts_of,
    document_start,
    encode,
    encode_pairs,
    encode_with_places,
    end_of_text,
    unread,
)
from ripeness.runtime.errors import UserError
from ripeness.study.equal_options import composed

ENDINGS = [
    *(" ", "  ", "\t", "\n", "\n\n", "\r\n", ' "', "'", " (", "[", "{", ":", "-", " 7", "42"),
    *(" 日", " 🙂", " cafe\u0301", " yes", ""),
]
ANSWERS = ["yes", " yes", "no\nyes", '"yes" or', "42", "本語", "!", "🙂!", "\u0301s", "\nno"]
# What these write is not the text that they read: capitals, accents, spaces at the edges, unknown signs.
LOSSY = {"wordpiece", "nfc", "lower case", "unigram", "metaspace always", "metaspace first", "metaspace never"} | {
    "no accents", "a space put first"
}  # fmt: skip


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
        if kind not in ("wordpiece", "no accents") or not combining(answer[0]):  # which leave out marks
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
            rows = [row | {"choices": []}, *({"item": "o", "prompt": "so", "target": other} for other in ANSWERS)]
            asked = build_prompts(tokenizer, rows, [], separator="\n", room=500, answer_room=9)[0]
            check_written(tokenizer, kind, asked, trained.tokens[:-1], n, answer)


def check_written(tokenizer, kind, asked, tokens, n_context, answer):
    """Check that what was learned can be written after what is asked, and is the answer's text then."""
    start = len(asked.context)
    if asked.context == [end_of_text(tokenizer)]:  # nothing of the prompt is settled
        return
    if combining(answer[0]) or tokenizer.convert_tokens_to_ids("[UNK]") in tokens:  # what no text is tried with
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
    ("kind", "prompt", "answers", "again"),
    [
        ("gpt2", "the answer is ", ["yes", "no"], " "),
        ("gpt2", "Summary:\n\n", ["yes"], ""),  # two line ends alone are one token, before a word they are two
        ("gpt2", "Answer:", [" yes"], ""),
        ("cl100k", "Q: is it no-", ["yes"], "-"),
        ("cl100k", "Q: is it no-", ["42", "(no)"], ""),  # which no token joins with the sign
        ("cl100k", "Summary:\n", ["yes"], ""),
        ("cl100k", "Summary:", ["\nyes"], ":"),
        ("digits", "it is ", ["yes", "42"], " "),
        ("digits", "it is ", ["42", "7"], ""),
        ("merges over spaces", "Q: is it\nAnswer:", [" yes"], "\nAnswer:"),
        ("metaspace always", "it is ", ["yes"], " "),
        ("wordpiece", "it is ye", ["s"], "ye"),
        ("a start", "it is", [" yes"], ""),
        ("an end", "it is", [" yes"], ""),
        ("gemma", "Summary:\n", ["\nyes"], "\n"),
    ],
)
def test_only_what_an_answer_may_join_is_written_again(kind, prompt, answers, again):
    tokenizer = tokenizer_of(kind)
    (start,) = starts(tokenizer, [prompt], beginnings(answers))
    assert again_text(tokenizer, start) == again
    for answer in answers:
        ((context, _),) = encode_pairs(tokenizer, [(prompt, answer)])
        assert start.context == context[: len(start.context)]
    assert bool(again) == bool(start.n_again)


def test_where_text_starts_tells_nothing_of_an_items_own_answer():
    rows = [{"item": str(n), "prompt": "it is ", "choices": [], "target": t} for n, t in enumerate(["42", "yes", "no"])]
    prompts = build_prompts(tokenizer_of("digits"), rows, [], separator="\n", room=500, answer_room=9)
    assert len({tuple(prompt.context) for prompt in prompts}) == 1 and prompts[0].start.again


def test_shots_of_every_number_stand_before_an_open_question_of_a_chat():
    tokenizer = tokenizer_of("gpt2")
    turns = [{"role": "user", "content": "is it?"}]
    row = {"item": "i", "prompt": "is it?", "turns": turns, "choices": [], "target": "yes"}
    shots = [[*turns, {"role": "assistant", "content": "no"}]] * 3
    (prompt,) = build_prompts(tokenizer, [row], shots, separator="\n", room=500, answer_room=9)
    assert prompt.n_dropped == 0 and text_of(tokenizer, prompt.context).count("is it?") == 4


def test_a_start_is_there_though_the_vocabulary_has_few_letters():
    backend = Tokenizer(models.BPE({"<s>": 0, "</s>": 1, "C": 2, "G": 3, "CG": 4}, [("C", "G")]))
    backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>")
    assert document_start(tokenizer) == [0]


def test_a_special_token_that_takes_in_white_space_stays_with_the_prompt():
    backend = tokenizer_of("gpt2").backend_tokenizer
    backend = Tokenizer.from_str(backend.to_str())
    backend.add_special_tokens([AddedToken("<|assistant|>", rstrip=True)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|end|>")
    ((context, answer),) = encode_pairs(tokenizer, [("so<|assistant|>", " yes")])
    assert (text_of(tokenizer, context), text_of(tokenizer, answer)) == ("so<|assistant|>", "yes")


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


@pytest.mark.parametrize("kind_", ["nfc", "gpt2"])
@pytest.mark.parametrize(
    ("prompt", "answer"), [("so \u1112", "\u1161n"), ("so \u1112\u1161", "\u11ab yes"), ("\u0bc6", "\u0bbe!")]
)
def test_a_letter_that_joins_the_prompts_last_one_belongs_to_the_answer(kind_, prompt, answer):
    # as of Hangul and Tamil, which are no marks
    tokenizer = tokenizer_of(kind_)
    ((context, answered),) = encode_pairs(tokenizer, [(prompt, answer)])
    assert context + answered == encode(tokenizer, [prompt + answer])[0]
    joined = prompt.removeprefix("so ") if kind_ == "nfc" else ""
    assert text_of(tokenizer, context) == prompt.removesuffix(joined)
    assert text_of(tokenizer, answered) == composed(joined + answer) if joined else answer


@pytest.mark.parametrize(
    ("kind_", "text", "lost"),
    [
        ("gpt2", "日本 🙂 q", ""),
        ("llama 2", "日本 🙂 q", ""),
        ("metaspace always", "yes ж? 🎉", "ж🎉"),
        ("wordpiece", "yes \u0436\u0436", "\u0436\u0436"),
        ("unigram", "yes ж no", "ж"),
        ("no accents", "caf\u00e9 cafe\u0301", ""),
    ],
)
def test_signs_that_a_model_cannot_tell_from_others_are_found(kind_, text, lost):
    assert unread(tokenizer_of(kind_), [text, "yes"]) == [lost, ""]


def test_what_starts_a_document_stands_there_once():
    tokenizer = tokenizer_of("a start")
    (start,) = document_start(tokenizer)
    assert contexts_of(tokenizer, encode(tokenizer, ["it is", "<s>it is"])) == 2 * [
        [start, *encode(tokenizer, ["it is"])[0]]
    ]


def test_a_long_end_of_a_prompt_can_be_spelled_again():
    """Each way to cut it was once tried by itself, which took as long as there are ways."""
    tokenizer = tokenizer_of("unigram with bytes")
    (end,) = encode(tokenizer, ["日🙂" * 20])
    again = vocabulary(tokenizer).spell(end)
    for token in end:
        assert token in allowed(tokenizer, again)
        again = still_to_write(tokenizer, again, token)
    assert again == ""


def test_nothing_is_written_in_place_of_an_unknown_sign_that_may_join():
    backend = Tokenizer(
        models.BPE({"<unk>": 0, "a": 1, "<": 2, "u": 3, "n": 4, "k": 5, ">": 6, "</s>": 7}, [], fuse_unk=True)
    )
    backend.model.unk_token = "<unk>"
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>")
    (start,) = starts(tokenizer, ["aß"], beginnings(["ßa", "a"]))
    assert start == Start([1, 0])


def test_a_number_that_goes_on_from_shots_to_answer_is_read_as_one():
    tokenizer = tokenizer_of("digits from the right")
    row = {"item": "i", "prompt": "123", "turns": [], "choices": ["1", "420"], "target": "1"}
    (prompt,) = build_prompts(tokenizer, [row], ["7 42"], separator="", room=99)
    for choice, answer in zip(row["choices"], prompt.answers, strict=True):
        assert prompt.context + answer == encode(tokenizer, ["7 42123" + choice])[0]


def test_what_some_answers_are_one_token_with_is_learned_before_the_others_too():
    """Else a tuned model writes ` yes` alone: after `it is` it has learned nothing else."""
    tokenizer = tokenizer_of("digits")
    rows = [("a", "it is ", "yes"), ("b", "it is ", "42")]
    joined, apart = encode_examples(rows, tokenizer, max_length=99)
    (alone,) = encode_examples(rows[1:], tokenizer, max_length=99)
    before, end = len(encode(tokenizer, ["it is"])[0]), end_of_text(tokenizer)
    assert joined.targets == [IGNORED] * before + [*encode(tokenizer, [" yes"])[0], end]
    assert apart.tokens == alone.tokens == [*encode(tokenizer, ["it is 42"])[0], end]
    assert apart.targets == [IGNORED] * before + apart.tokens[before:]
    assert alone.targets == [IGNORED] * (before + 1) + alone.tokens[before + 1 :]
    (start, _) = starts(tokenizer, ["it is ", "it is "], beginnings(["yes", "42"]))
    assert len(start.context) == before
