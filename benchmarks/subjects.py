"""What is measured: two models, and items of published datasets in the wording of tasks/."""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"  # one thread each

import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from ripeness.data.nursery.tasks import answer_text, prompt_text
from ripeness.data.nursery.world import rows as world_rows
from ripeness.models.load import load_model
from ripeness.models.tokens import load_tokenizer
from ripeness.runtime.command_line import argument_parser
from ripeness.runtime.command_line import run as run_program
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import whole

PROJECT = Path(__file__).resolve().parents[1]
NURSERY, SMALL, BIG = "nursery", "0.1M, 50k words", "100M"
ROOM = 2048  # tokens that both models read: the nursery's 128 would hold few real items, and its positions rotate
SHAPES = {
    SMALL: {"hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 2, "num_attention_heads": 4},
    BIG: {"hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 12, "num_attention_heads": 12},
}
TINY = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}


@dataclass(frozen=True)
class Subject:
    """A model that is measured, and its folder."""

    name: str
    folder: Path
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase


def read_options(description: str | None, argv: list[str] | None = None) -> argparse.Namespace:
    """Options of one benchmark, for the command line."""
    parser = argument_parser(description)
    add_options(parser)
    return parser.parse_args(argv)


def print_rows(run: Callable[[argparse.Namespace], Iterable[dict]], description: str | None) -> None:
    """Run one benchmark as a program, with the options of its command line, and print its rows."""

    def main() -> None:
        for found in run(read_options(description)):
            print(found)

    run_program(main)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that every benchmark has."""
    data = os.environ.get("RIPENESS_DATA", str(PROJECT.parent / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=Path(data), help="folder of <dataset>/<split>.jsonl")
    tokenizers = PROJECT.parent / "shared" / "tokenizers"
    parser.add_argument("--tokenizers", type=Path, default=tokenizers, help="folder of gpt-neox-20b.tokenizer.json")
    checkpoint = PROJECT / "results" / "nursery" / "checkpoints" / "nursery" / "step2048"
    parser.add_argument(
        "--checkpoint", type=Path, default=checkpoint, help="a checkpoint of the nursery, which make study makes"
    )
    scratch = Path(tempfile.gettempdir()) / f"ripeness-benchmarks-{os.getuid()}"
    parser.add_argument("--scratch", type=Path, default=scratch, help="folder for the random models")
    parser.add_argument("--repeats", type=int, default=5, help="timings, of which the median counts")
    parser.add_argument("--small", action="store_true", help="tiny models and two items: does it work?")


def subjects(options: argparse.Namespace) -> Iterator[Subject]:
    """The nursery, a random Llama of its size with a common vocabulary, and one of 124 M parameters; on one thread.

    The nursery knows the words of its world and spells out real text, in four times as many tokens as usual.
    """
    torch.set_num_threads(1)
    for name in (NURSERY, SMALL, BIG):
        folder = folder_of(name, options)
        model = load_model(folder)
        model.config.max_position_embeddings = ROOM
        yield Subject(name, folder, model, load_tokenizer(folder))


def folder_of(name: str, options: argparse.Namespace) -> Path:
    """Folder of a model, which is made where it must be."""
    if name == NURSERY:
        if not (options.checkpoint / "config.json").is_file():
            raise UserError(f"there is no {options.checkpoint}\nhint: make study, or name a checkpoint by --checkpoint")
        return options.checkpoint
    folder = options.scratch / (f"tiny {name}" if options.small else name)
    if not (folder / "config.json").is_file():
        make_model(folder, TINY if options.small else SHAPES[name], options)
    return folder


def make_model(folder: Path, shape: dict[str, int], options: argparse.Namespace) -> None:
    """Save a random Llama with the tokenizer of GPT-NeoX, whose vocabulary it has."""
    tokenizer = gpt_neox_tokenizer(options)
    config = LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=ROOM, tie_word_embeddings=True, **shape)
    config.update({"bos_token_id": None, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": None})
    torch.manual_seed(0)
    with whole(folder) as temporary:
        LlamaForCausalLM(config).save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)


def gpt_neox_tokenizer(options: argparse.Namespace) -> PreTrainedTokenizerBase:
    """The tokenizer of GPT-NeoX, Pythia and, but for special tokens, OLMo."""
    source = options.tokenizers / "gpt-neox-20b.tokenizer.json"
    if not source.is_file():
        raise UserError(f"there is no {source}\nhint: name its folder with --tokenizers")
    return PreTrainedTokenizerFast(tokenizer_file=str(source), eos_token="<|endoftext|>")


def read_rows(options: argparse.Namespace, dataset: str, split: str, n: int) -> list[dict]:
    """The first rows of a split of a published dataset."""
    path = options.data / dataset / f"{split}.jsonl"
    if not path.is_file():
        raise UserError(f"there is no {path}\nhint: name the folder of the data with --data or RIPENESS_DATA")
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines[:n]]


def arc_easy(options: argparse.Namespace, split: str, n: int) -> list[dict]:
    """Questions whose options are texts of several tokens, as render_examples would write them."""
    return [
        {
            "item": row["id"],
            "prompt": f"Question: {row['question']}\nAnswer:",
            "choices": [f" {choice}" for choice in row["choices"]],
            "target": f" {row['choices'][row['gold']]}",
        }
        for row in read_rows(options, "arc_easy", split, n)
    ]


def gsm8k(options: argparse.Namespace, split: str, n: int) -> list[dict]:
    """Word problems, answered by text."""
    return [
        {
            "item": str(number),
            "prompt": f"Question: {row['question']}\nSolution:",
            "choices": [],
            "target": f" {row['answer']}",
        }
        for number, row in enumerate(read_rows(options, "gsm8k", split, n))
    ]


def nursery_summary(split: str, n: int) -> list[dict]:
    """News of the nursery's world, answered by a headline that the nursery has learned to write and to end."""
    return [
        {
            "item": row["id"],
            "prompt": prompt_text("summary", row, "default"),
            "choices": [],
            "target": f" {answer_text('summary', row)}",
        }
        for row in world_rows("summary", n=n, split=split, seed=0)
    ]


FORMATS = {
    "default": "Premise: {premise}\nHypothesis: {hypothesis}\nThe hypothesis is",
    "instruct": "Read the premise and say whether the hypothesis is true, false or unsure.\n"
    "{premise}\n{hypothesis}\nAnswer:",
}


def entailment(options: argparse.Namespace, dataset: str, n: int, form: str = "default") -> list[tuple[str, str, str]]:
    """Training examples (item, prompt, answer) of rte or mnli; worded as in tasks/mnli.yaml."""
    words = {"entailment": " true", "not_entailment": " false", "neutral": " unsure", "contradiction": " false"}
    return [
        (str(i), FORMATS[form].format(**row), words[row["label"]])
        for i, row in enumerate(read_rows(options, dataset, "train", n))
    ]


def shot_texts(examples: list[dict]) -> list[str]:
    """Examples as they stand before a question."""
    return [example["prompt"] + example["target"] for example in examples]
