"""Pre-train the nursery's encoder of pictures, and refuse it where it does not know what is asked.

By hand: python scripts/pretrain_encoder.py --settings '{"epochs": 20}' --output FOLDER. The folder is a CLIPVisionModel
in the layout of transformers, with encoder.json: settings, layer, and accuracy by question on scenes it has not seen.
"""

import logging
from dataclasses import asdict
from typing import Any

import torch

from ripeness.models.vision import PREPROCESSOR, encoder_of
from ripeness.runtime.command_line import argument_parser, json_option, output_folder, run
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import whole, write_json
from ripeness.runtime.typed_settings import check_types
from ripeness.train.encoder import EncoderSettings, check_accuracy, new_tower, pretrain


def read_settings(values: dict[str, Any]) -> EncoderSettings:
    """Return the settings in a JSON object; UserError for one that is unknown or of another type."""
    known = EncoderSettings.__dataclass_fields__
    if unknown := sorted(values.keys() - known.keys()):
        raise UserError(f"settings: unknown key {unknown[0]!r}\nhint: known are {', '.join(known)}")
    check_types("settings", EncoderSettings, values)
    return EncoderSettings(**values)


def main(argv: list[str] | None = None) -> None:
    """Write the encoder."""
    parser = argument_parser(__doc__)
    parser.add_argument("--settings", type=json_option, default={}, help="`pretrain` of the study's pictures, as JSON")
    parser.add_argument("--layer", type=int, default=-1, help="the layer whose states are read")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--output", required=True, type=output_folder, help="folder to write")
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    settings = read_settings(options.settings)
    torch.manual_seed(settings.seed)
    with whole(options.output) as folder:
        folder.mkdir()
        encoder = encoder_of(new_tower(settings), options.layer, folder / PREPROCESSOR)
        accuracy = pretrain(encoder, settings)
        logging.info("accuracy: %s", accuracy)
        check_accuracy(accuracy, settings.min_accuracy)
        encoder.tower.save_pretrained(folder)
        write_json(
            folder / "encoder.json", {"settings": asdict(settings), "layer": options.layer, "accuracy": accuracy}
        )


if __name__ == "__main__":
    run(main)
