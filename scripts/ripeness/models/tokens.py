"""Load tokenizers, and turn prompts and their answers into tokens."""

from itertools import chain
from pathlib import Path
from unicodedata import category, combining

from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from ripeness.models.model_folder import CONFIGS, advice_on, check_is_model
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json
from ripeness.runtime.made_here import damaged
from ripeness.storage.arrays import first_line
from ripeness.study.equal_options import composed

# Everything of a checkpoint folder that is not weights and that prediction or a user needs next to them.
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
)


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a checkpoint folder: that of its tokenizer.json."""
    check_is_model(folder)
    return read_tokenizer(folder)


def read_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a folder that need not hold a model; UserError where it is damaged."""
    try:
        return built_tokenizer(folder)
    except UserError:
        raise
    except Exception as error:  # the tokenizers library raises nothing narrower
        raise damaged(Path(folder) / "tokenizer.json", first_line(error), advice_on(folder)) from None


def built_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Build the tokenizer that tokenizer.json holds.

    AutoTokenizer may build another one than tokenizer.json holds, by the class that a configuration names, so that the
    file is read by the class that takes it as it is. Special tokens that only the named class knows are taken from it.
    Merges that are left out at random (`dropout`) are made, so that a text always has the same tokens.
    UserError for a tokenizer that no `tokenizers` backend stands behind.
    """
    how = {"local_files_only": True, "trust_remote_code": False}
    if not (Path(folder) / "tokenizer.json").is_file():
        tokenizer = AutoTokenizer.from_pretrained(folder, **how)
        if not tokenizer.is_fast:
            raise UserError(
                f"the tokenizer in {folder} has no tokenizer.json\n"
                "hint: save it once with `use_fast=True`; transformers then writes the file"
            )
        return tokenizer
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, **how)
    backend = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))  # without what a configuration adds to it
    backend.post_processor = tokenizer.backend_tokenizer.post_processor
    if getattr(backend.model, "dropout", None):
        backend.model.dropout = None
    tokenizer._tokenizer = backend
    if tokenizer.eos_token is None:  # GPT-2 and others of its time say it nowhere but in their class
        named, known = AutoTokenizer.from_pretrained(folder, **how), tokenizer.get_vocab()
        tokens = {name: getattr(named, name) for name in ("bos_token", "eos_token", "unk_token", "pad_token")}
        absent = {name: token for name, token in tokens.items() if not getattr(tokenizer, name)}
        tokenizer.add_special_tokens({name: token for name, token in absent.items() if token in known})
    return tokenizer


def end_of_text(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the token that ends an answer and starts a document."""
    if tokenizer.eos_token is not None and tokenizer.eos_token_id is None:
        raise UserError(
            f"tokenizer.json does not know the end-of-text token {tokenizer.eos_token!r}\n"
            "hint: tokenizer_config.json names a token that the model never learned; fix `eos_token`"
        )
    if tokenizer.eos_token_id is None:
        raise UserError("the tokenizer has no end-of-text token\nhint: set `eos_token` in tokenizer_config.json")
    return int(tokenizer.eos_token_id)


def end_tokens(folder: Path) -> frozenset[int]:
    """Collect the tokens that end generation: every `eos_token_id` of config.json and generation_config.json.

    Only what the files say counts: a class of transformers has a number of its own where they say nothing.
    """
    return frozenset(token for tokens in named_ends(folder).values() for token in tokens if token >= 0)


def named_ends(folder: Path) -> dict[str, list[int]]:
    """Collect every `eos_token_id` that the configurations in a folder name, by the name of the file."""
    found: dict[str, list[int | None]] = {}
    for name in CONFIGS:
        path = Path(folder) / name
        config = read_json(path) if path.is_file() else {}
        for part in (config, config.get("text_config") or {}):
            ids = part.get("eos_token_id")
            found[name] = found.get(name, []) + (ids if isinstance(ids, list) else [ids])
    return {name: [token for token in tokens if token is not None] for name, tokens in found.items()}


def encode(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    """Tokenize each text without special tokens; one call for all, since a call costs more than a short text."""
    distinct = list(dict.fromkeys(texts))
    if not distinct:
        return []
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    # the fast call leaves out what nobody asks for here: the place in the text of every token
    encoded = [encoding.ids for encoding in backend.encode_batch_fast(distinct, add_special_tokens=False)]
    tokens = dict(zip(distinct, encoded, strict=True))
    return [tokens[text] for text in texts]


def encode_with_places(
    tokenizer: PreTrainedTokenizerBase, texts: list[str]
) -> list[tuple[list[int], list[tuple[int, int]]]]:
    """Tokenize each text without special tokens; also return the characters (first, last + 1) of each token."""
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    after = backend.post_processor
    backend.post_processor = None  # some leave the space that begins a token out of its place
    try:
        encoded = backend.encode_batch(texts, add_special_tokens=False)
    finally:
        backend.post_processor = after
    return [(encoding.ids, encoding.offsets) for encoding in encoded]


def unread(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[str]:
    """Find the signs of each text (letters, digits, punctuation, symbols) that a model cannot tell from others.

    They have no token, or the one for all unknown signs.
    """
    one, other = encode(tokenizer, ["\U0010fffd", "\U0010fffc"])  # which mean nothing, so that no vocabulary has them
    named = getattr(tokenizer.backend_tokenizer.model, "unk_token", None) or tokenizer.unk_token
    unknown = {*one[-1:]} & {*other[-1:]} | {tokenizer.backend_tokenizer.token_to_id(named or "")}
    found = []
    for text, (tokens, places) in zip(texts, encode_with_places(tokenizer, texts), strict=True):
        read = {
            place
            for token, (first, end) in zip(tokens, places, strict=True)
            if token not in unknown
            for place in range(first, end)
        }
        signs = (sign for place, sign in enumerate(text) if place not in read and category(sign)[0] in "LNPS")
        found.append("".join(signs))
    return found


def cut(places: list[tuple[int, int]], n_characters: int) -> int:
    """Count the tokens that lie entirely within the first characters of a text.

    A token that spans the boundary lies beyond it, and so do those that share a character with such a token.
    """
    n = next((number for number, (_, end) in enumerate(places) if end > n_characters), len(places))
    while 0 < n < len(places) and places[n - 1][1] > places[n][0]:
        n -= 1
    return n


def encode_pairs(tokenizer: PreTrainedTokenizerBase, pairs: list[tuple[str, str]]) -> list[tuple[list[int], list[int]]]:
    """Tokenize each prompt and the answer that follows it; together they are the tokens of the whole text.

    What an item is in tokens is decided here, for training, scoring and generation. The whole text is turned into
    tokens and cut by characters; a token that spans the end of the prompt belongs to the answer. The prompt may have no
    token: see `contexts_of`. UserError for an answer that no token stands for.
    """
    wholes = list(dict.fromkeys(prompt + answer for prompt, answer in pairs))
    encoded = dict(zip(wholes, encode_with_places(tokenizer, wholes), strict=True))
    found = []
    for prompt, answer in pairs:
        tokens, places = encoded[prompt + answer]
        n = cut(places, len(prompt))
        n += n < len(tokens) and is_prompts(tokenizer, prompt, tokens[n], places[n])
        n_joined = joining(prompt, answer)
        if n_joined and is_composed(tokenizer, prompt, tokens[:n], places[n : n + 1]):
            n = cut(places, len(prompt) - n_joined)
        if n == len(tokens) and answer.strip():
            raise UserError(
                f"the tokenizer has no token for the answer {answer!r} after {prompt[-20:]!r}\n"
                "hint: leave out the row, or write the answer in characters that the tokenizer knows"
            )
        found.append((tokens[:n], tokens[n:]))
    return found


def is_prompts(tokenizer: PreTrainedTokenizerBase, prompt: str, token: int, place: tuple[int, int]) -> bool:
    """Return whether a token at the end of a prompt is an added token of the prompt that includes white space."""
    added = tokenizer.added_tokens_decoder.get(token)
    return added is not None and bool(added.content.strip()) and prompt[place[0] :].strip() == added.content.strip()


def joining(prompt: str, answer: str) -> int:
    """Count the letters at the end of a prompt that the beginning of an answer may join, such as a mark."""
    first = answer[:1]
    whole = (n for n in (1, 2) if first and len(composed(prompt[-n:] + first)) == 1)
    return next(whole, int(bool(combining(first or " "))))


def is_composed(
    tokenizer: PreTrainedTokenizerBase, prompt: str, context: list[int], after: list[tuple[int, int]]
) -> bool:
    """Return whether the mark or letter that begins an answer has merged with the prompt's last letter.

    Then no token begins at the end of the prompt, and the prompt's tokens are not those that it has alone.
    """
    is_gone = all(start > len(prompt) for start, _ in after)
    return is_gone and context != encode(tokenizer, [prompt])[0][: len(context)]


def contexts_of(tokenizer: PreTrainedTokenizerBase, prompts: list[list[int]]) -> list[list[int]]:
    """Complete the tokens that a model reads before each answer; there is always at least one.

    An answer to an empty prompt follows the end-of-text token, which stands between documents, as it does in
    lm-evaluation-harness. What starts a document stands there once, also where a prompt brings it.
    """
    start = document_start(tokenizer)
    return [
        (tokens if tokens[: len(start)] == start else [*start, *tokens]) or [end_of_text(tokenizer)]
        for tokens in prompts
    ]


def document_start(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Find the special tokens that the tokenizer puts before a text, usually one or none."""
    added = tokenizer.added_tokens_decoder
    words = (tokenizer.decode([token]).strip() for token in range(min(len(tokenizer), 1000)) if token not in added)
    for text in chain(("a", "A", "1"), words):  # of which the vocabulary has some
        (alone,) = encode(tokenizer, [text])
        whole = tokenizer(text, add_special_tokens=True)["input_ids"]
        places = range(len(whole) - len(alone) + 1) if alone else ()
        if n := [n for n in places if whole[n : n + len(alone)] == alone]:
            return whole[: n[0]]
    return []
