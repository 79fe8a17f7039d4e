"""Folders of pictures whose states are computed when they are read: their contents, and which encoder reads them.

A photograph takes 0.1 MB, its states by CLIP ViT-L/14 at 336 pixels 2.4 MB.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from ripeness.models.live_states import LIVE, LiveStates
from ripeness.models.vision import Encoder, encode, load_encoder
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json, write_json
from ripeness.storage.pictures import read_contents, write_pictures

KEYS = ("encoder", "layer", "fingerprint", "names", "shape")


def write_live(folder: Path, place: Path, encoder: Encoder, contents: Mapping[str, bytes]) -> None:
    """Write the contents of pictures, and by which encoder (in a folder `place`) they are read."""
    write_pictures(folder, dict(contents))
    shape = [len(contents), encoder.n_patches, int(encoder.tower.config.hidden_size)]
    how = {"encoder": str(place), "layer": encoder.layer, "fingerprint": encoder.fingerprint}
    write_json(folder / LIVE, how | {"names": list(contents), "shape": shape})


def read_live(folder: Path) -> tuple[LiveStates, str]:
    """Read the pictures in a folder with their encoder and its fingerprint; UserError where it is another one now."""
    how = read_json(folder / LIVE, dict, keys=KEYS)
    encoder = load_encoder(Path(how["encoder"]), layer=how["layer"])
    if encoder.fingerprint != how["fingerprint"]:
        raise UserError(
            f"the encoder in {how['encoder']} is not the one that {folder} was written for\n"
            "hint: delete the folder of pictures; the next run makes it again"
        )
    n_pictures, n_patches, width = how["shape"]
    contents = read_contents(folder, how["names"])
    return LiveStates(contents, partial(encode, encoder), (n_pictures, n_patches, width)), encoder.fingerprint
