"""Show one test item of every dataset and format as the model reads it, with each number of shots of the study."""

from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from ripeness.measure.prompts import SEPARATOR, build_prompts, draw_shots
from ripeness.models.chat import template_of
from ripeness.models.token_healing import again_text, beginnings, continuation_text, text_of
from ripeness.models.tokens import load_tokenizer
from ripeness.runtime.command_line import argument_parser, existing, output_file, run
from ripeness.runtime.files import write_json
from ripeness.storage.parquet import read_table
from ripeness.study.probes import read_probes


def main(argv: list[str] | None = None) -> None:
    """Write a JSON list: dataset, format, shots, prompt, chat template, options or target, gold, tokens."""
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--checkpoint", required=True, type=existing, help="a checkpoint; its tokenizer reads the prompts"
    )
    parser.add_argument("--probes", required=True, type=read_probes, help="probes with their files, as JSON")
    parser.add_argument("--seed", type=int, default=0, help="seed of the shots")
    parser.add_argument("--output", required=True, type=output_file, help="JSON file to write")
    options = parser.parse_args(argv)
    tokenizer = load_tokenizer(options.checkpoint)
    write_json(options.output, [first_item(tokenizer, probe, options.seed) for probe in options.probes])


def first_item(tokenizer: PreTrainedTokenizerBase, probe: dict[str, Any], seed: int) -> dict[str, Any]:
    """Describe the first test item of a probe as a model reads it."""
    example = read_table(Path(probe["examples"]), n_rows=1).row(0, named=True)
    shots = []
    if probe["shots"]:
        shots = draw_shots(read_table(Path(probe["shot_examples"])).to_dicts(), probe["shots"], seed=seed)
    # a model's window plays no part here: the report shows the prompt before any shot is left out for room
    (prompt,) = build_prompts(
        tokenizer,
        [example],
        shots,
        separator=probe.get("separator", SEPARATOR),
        room=10**9,
        answer_room=probe.get("max_new_tokens", 0),
        begun=beginnings(read_table(Path(probe["examples"]), columns=["target"])["target"]),
    )
    return {
        "dataset": probe["probe"],
        "format": probe["format"],
        "shots": probe["shots"],
        "prompt": text_of(tokenizer, prompt.context) + again_text(tokenizer, prompt.start),
        "chat_template": template_of(tokenizer) if example["turns"] else None,
        "options": [continuation_text(tokenizer, prompt.context, answer) for answer in prompt.answers],
        "target": example["target"],
        "gold": example["gold"],
        "n_tokens": len(prompt.context),
    }


if __name__ == "__main__":
    run(main)
