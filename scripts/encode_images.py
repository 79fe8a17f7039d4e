"""Read the pictures of one dataset by a frozen encoder: the patch states of every picture that is asked about, once.

By hand: python scripts/encode_images.py --rows datasets/NAME --items items/NAME --encoder FOLDER --layer -2 --output
FOLDER. With --control exchanged each question has another picture of its role, with --control blank a grey one.
"""

import random
from pathlib import Path

import numpy as np
import torch

from ripeness.data.items import ROLES
from ripeness.data.nursery.scenes import npy_bytes
from ripeness.models.live_pictures import write_live
from ripeness.models.pictures import Pictures, write_pictures, write_places
from ripeness.models.vision import encode, load_encoder
from ripeness.runtime.command_line import argument_parser, existing, output_folder, run
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json_lines, whole
from ripeness.storage.pictures import read_contents, read_pictures

GREY = 128


def pictures_asked(items: Path) -> dict[str, dict[str, str]]:
    """Return the name of the picture of each item, by role; UserError for items without pictures."""
    found = {
        role: {row["id"]: row.get("picture", "") for row in read_json_lines(items / f"{role}.jsonl")} for role in ROLES
    }
    if lacking := [item for names in found.values() for item, name in names.items() if not name]:
        raise UserError(
            f"item {lacking[0]!r} of {items} has no picture\nhint: `image` of the task file names its column"
        )
    return found


def exchanged(names: dict[str, str], role: str) -> dict[str, str]:
    """Give every item another picture of the same role: all pictures move on by one place in an order of a seed."""
    order = sorted(set(names.values()))
    if len(order) < 2:
        raise UserError(f"{role} has one picture, so there is no other one to exchange it for\nhint: use more items")
    random.Random(f"exchanged {role}").shuffle(order)
    following = dict(zip(order, [*order[1:], order[0]], strict=True))
    return {item: following[name] for item, name in names.items()}


def main(argv: list[str] | None = None) -> None:
    """Write the states of all pictures, and which item has which."""
    parser = argument_parser(__doc__)
    parser.add_argument("--rows", required=True, type=existing, help="folder that make_dataset or fetch_dataset wrote")
    parser.add_argument("--items", required=True, type=existing, help="folder that prepare_items wrote")
    parser.add_argument("--encoder", required=True, type=existing, help="folder of CLIP or SigLIP")
    parser.add_argument("--layer", type=int, default=-2, help="the layer whose states are taken")
    parser.add_argument(
        "--control", choices=("own", "exchanged", "blank"), default="own", help="other pictures than asked about"
    )
    parser.add_argument("--live", action="store_true", help="store the pictures, and no states, which are larger")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--output", required=True, type=output_folder, help="folder to write")
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    encoder = load_encoder(options.encoder, layer=options.layer)
    by_role = pictures_asked(options.items)
    if options.control == "exchanged":
        by_role = {role: exchanged(names, role) for role, names in by_role.items()}
    named = {item: name for names in by_role.values() for item, name in names.items()}
    if options.control == "blank":
        named = dict.fromkeys(named, "blank")
    names = sorted(set(named.values()))
    place_of = {name: place for place, name in enumerate(names)}
    places = {item: place_of[name] for item, name in named.items()}
    grey = np.full((encoder.size, encoder.size, 3), GREY, dtype=np.uint8)
    with whole(options.output) as folder:
        folder.mkdir()
        if options.live:
            contents = {"blank": npy_bytes(grey)} if options.control == "blank" else read_contents(options.rows, names)
            write_live(folder, options.encoder, encoder, contents)
            write_places(folder, places)
        else:
            pictures = [grey] if options.control == "blank" else list(read_pictures(options.rows, names).values())
            write_pictures(folder, Pictures(encode(encoder, pictures), places, encoder.fingerprint))


if __name__ == "__main__":
    run(main)
