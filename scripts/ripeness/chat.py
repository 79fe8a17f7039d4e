"""The format `chat`: turns of a conversation as text and tokens, by the tokenizer's chat template or a plain one."""

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from ripeness.errors import UserError
from ripeness.models import document_start, encode_pairs

Turns = list[dict[str, str]]  # {role, content} each, as chat templates take them

# Where a tokenizer has no chat template, as most models have none that were only pre-trained.
PLAIN = (
    "{% for turn in messages %}{{ turn.role | capitalize }}: {{ turn.content }}\n\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)


def template_of(tokenizer: PreTrainedTokenizerBase) -> str:
    """Which template words a chat: "tokenizer", its own, or "plain", a line `User: ...` or `Assistant: ...` a turn."""
    return "tokenizer" if tokenizer.chat_template else "plain"


def chat_text(tokenizer: PreTrainedTokenizerBase, turns: Turns, *, is_answered: bool = False) -> str:
    """Turns as text, up to where the assistant's answer begins unless they hold it already.

    What starts a document is left to `contexts_of`. UserError for turns that the template refuses, as some do a system.
    """
    template = None if tokenizer.chat_template else PLAIN
    how = {"chat_template": template, "tokenize": False, "add_generation_prompt": not is_answered}
    try:
        text = tokenizer.apply_chat_template(turns, **how)
    except TemplateError as error:
        roles = ", ".join(turn["role"] for turn in turns)
        raise UserError(
            f"the chat template of the tokenizer refuses turns of {roles}: {error}\n"
            "hint: leave out the format `chat`, or write turns that the model knows"
        ) from None
    return text.removeprefix(tokenizer.bos_token) if document_start(tokenizer) else text


def answer_lead(tokenizer: PreTrainedTokenizerBase) -> str:
    """What the template writes between the place where an answer is asked for and the answer: nothing or a space."""
    question, answer = {"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}
    asked = chat_text(tokenizer, [question])
    whole = chat_text(tokenizer, [question, answer], is_answered=True)
    return whole[len(asked) :].partition("!")[0] if whole.startswith(asked) else ""


def encode_chats(
    tokenizer: PreTrainedTokenizerBase, chats: list[tuple[Turns, list[str]]]
) -> list[tuple[list[int], list[list[int]]]]:
    """Tokens of the turns of every chat, and of each answer that may follow them.

    A line end before the answer is the template's and belongs to the turns; a space is the answer's, as elsewhere.
    """
    lead = answer_lead(tokenizer)
    texts = [chat_text(tokenizer, turns) for turns, _ in chats]
    pairs = [(text, lead + answer) for text, (_, answers) in zip(texts, chats, strict=True) for answer in answers]
    encoded = iter(encode_pairs(tokenizer, pairs, strip=" "))
    of_each = [[next(encoded) for _ in answers] for _, answers in chats]
    return [(pairs[0][0], [answer for _, answer in pairs]) for pairs in of_each]
