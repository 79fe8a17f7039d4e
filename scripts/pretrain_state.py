"""Pre-train at constant rate from the start, or from an earlier state, to a step, and save the state there."""

import logging
from pathlib import Path

from ripeness.allocator import keep_freed_memory
from ripeness.command_line import argument_parser, json_option, run
from ripeness.errors import UserError
from ripeness.files import whole
from ripeness.pretraining import load_state, read_corpus, read_settings, save_state, start, train

logger = logging.getLogger(__name__)


def main(argv: list[str] | None = None) -> None:
    """Train from one step to another; the state is written whole or not at all."""
    parser = argument_parser(__doc__)
    parser.add_argument("--settings", required=True, type=json_option, help="a JSON object")
    parser.add_argument("--corpus", required=True, type=Path, help="folder of build_corpus.py")
    parser.add_argument("--until", required=True, type=int, help="step to stop at")
    parser.add_argument("--resume", type=Path, help="state of an earlier step")
    parser.add_argument("--output", required=True, type=Path, help="safetensors file to write")
    options = parser.parse_args(argv)
    logger.info("settings %s", options.settings)
    settings, stream = read_settings(options.settings), read_corpus(options.corpus)
    keep_freed_memory()
    if options.resume:
        training = load_state(options.resume, settings, options.corpus)
    else:
        training = start(settings, options.corpus)
    if training.step > options.until:
        raise UserError(
            f"The state is at step {training.step}, past step {options.until}.\n"
            "hint: resume from an earlier state, or none."
        )
    train(training, stream, options.until)
    with whole(options.output) as path:
        save_state(training, path)


if __name__ == "__main__":
    run(main)
