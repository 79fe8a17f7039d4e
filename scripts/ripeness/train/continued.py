"""Running text as what a training learns: continued pre-training, in which every token of the text is predicted."""

from pathlib import Path

from transformers import PreTrainedTokenizerBase

from ripeness.data.passages import DOCUMENT_BYTES
from ripeness.models.batching import Example, of_text
from ripeness.runtime.errors import UserError
from ripeness.train.annealing import read_stream
from ripeness.train.modifiers.replay import PIECE_TOKENS


def text_examples(path: Path, tokenizer: PreTrainedTokenizerBase, window: int) -> list[Example]:
    """Return a text file as windows without overlap, of 512 tokens or what the model reads at once (`window`).

    The file is cut at line ends into documents of some thousand bytes, with the end of text before each. What does not
    fill a document, or a window, at the end of the file is left out. UserError where that leaves nothing.
    """
    stream, length = read_stream(path, tokenizer, path), min(PIECE_TOKENS, window)
    n_windows = len(stream) // length
    if not n_windows:
        raise UserError(
            f"{path} is shorter than one document of {DOCUMENT_BYTES} bytes, or one window of {length} tokens\n"
            "hint: name a longer text"
        )
    return [of_text(stream[n * length : (n + 1) * length].tolist()) for n in range(n_windows)]
