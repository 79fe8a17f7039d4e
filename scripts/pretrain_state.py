"""Pre-train from the start, or from an earlier state, to a step, and save the state there.

A training that was cut off goes on where its state was saved, next to the output.
"""

import logging
from pathlib import Path

from ripeness.runtime.command_line import argument_parser, json_option, output_file, run
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import whole
from ripeness.runtime.freed_memory import keep_freed_memory
from ripeness.study.pretraining_settings import read_settings
from ripeness.train.pretraining import load_state, progress_of, read_corpus, save_state, start, train

logger = logging.getLogger(__name__)


def main(argv: list[str] | None = None) -> None:
    """Train from one step to another; the state is written whole or not at all."""
    parser = argument_parser(__doc__)
    parser.add_argument("--settings", required=True, type=json_option, help="a JSON object")
    parser.add_argument("--corpus", required=True, type=Path, help="folder of build_corpus.py")
    parser.add_argument("--until", required=True, type=int, help="step to stop at")
    parser.add_argument("--resume", type=Path, help="state of an earlier step")
    parser.add_argument("--output", required=True, type=output_file, help="safetensors file to write")
    parser.add_argument("--save-seconds", type=float, default=300, help="how often the training is saved to go on from")
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
    progress = progress_of(training, options.corpus, options.output, options.save_seconds)
    train(training, stream, options.until, progress=progress)
    with whole(options.output) as path:
        save_state(training, path)
    progress.remove()


if __name__ == "__main__":
    run(main)
