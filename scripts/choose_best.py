"""Choose the model of a checkpoint, dataset and method that is kept: the best on validation items."""

import logging
import shutil

from ripeness.runtime.command_line import argument_parser, existing, json_option, output_folder, run
from ripeness.runtime.files import whole, write_json
from ripeness.storage.parquet import check_table
from ripeness.tables.chosen_rates import best_model
from ripeness.tables.columns import read_measurements


def main(argv: list[str] | None = None) -> None:
    """Write a folder with what train_model needs to tune it again: examples and settings.json; and choice.json."""
    parser = argument_parser(__doc__)
    parser.add_argument("--measurements", required=True, type=existing, help="all measurements of the checkpoint")
    parser.add_argument("--examples", required=True, type=existing, nargs="+", help="examples of every format, folders")
    parser.add_argument("--dataset", required=True, help="the dataset that it was tuned on")
    parser.add_argument("--method", required=True, help="the method by which it was tuned")
    parser.add_argument("--settings", required=True, type=json_option, help="the settings of the method, as JSON")
    parser.add_argument("--choose-by", choices=("score", "loss"), default="score", help="what is compared")
    parser.add_argument("--output", required=True, type=output_folder, help="folder to write")
    options = parser.parse_args(argv)
    measurements = read_measurements(options.measurements)
    best = best_model(measurements, options.dataset, options.method, options.choose_by)
    logging.info("the best: %s", best)
    (examples,) = (folder for folder in options.examples if folder.name == best["format"])
    with whole(options.output) as folder:
        folder.mkdir()
        for name in ("train.parquet", "validation.parquet"):
            check_table(examples / name)
            shutil.copyfile(examples / name, folder / name)
        chosen = {key: best[key] for key in ("learning_rate", "seed") if best[key] is not None}
        write_json(folder / "settings.json", options.settings | chosen)
        write_json(folder / "choice.json", best)


if __name__ == "__main__":
    run(main)
