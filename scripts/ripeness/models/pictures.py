"""Pictures before a prompt: patch states of a frozen encoder, which a projector turns into embeddings of the model.

A patch of a picture is a token beyond the vocabulary: number V + p is patch p of all pictures at hand. So rows that are
packed, beginnings that are shared, padding and caches are those of text; the embeddings alone tell them apart. Nothing
can write such a token, and none is learned. The model stays a model of text with a projector next to it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch.nn.functional import gelu
from transformers import PretrainedConfig, PreTrainedModel

from ripeness.models.context_limits import text_config
from ripeness.models.live_states import LIVE, LiveStates
from ripeness.runtime.errors import UserError
from ripeness.runtime.made_here import damaged
from ripeness.storage.arrays import open_tensors
from ripeness.storage.parquet import read_table

PROJECTOR = "projector"  # the module of a model
FILE = "projector.safetensors"  # next to the weights of a model
MOST_ON_DEVICE = 4 * 2**30  # bytes of states; more stay in the memory of the CPU
STATES, ITEMS = "states.safetensors", "items.parquet"  # in a folder of pictures


@dataclass(frozen=True)
class Pictures:
    """Patch states (n, P, D) of pictures by an encoder, and the place of each item's picture among them.

    They are stored, or computed when they are read.
    """

    states: torch.Tensor | LiveStates
    places: Mapping[str, int]
    encoder: str

    @cached_property
    def n_patches(self) -> int:
        """How many tokens a picture is."""
        return int(self.states.shape[1])

    def tokens(self, item: str, vocabulary: int) -> list[int]:
        """Return the tokens of an item's picture, beyond a vocabulary; UserError for an item without one."""
        if item not in self.places:
            raise UserError(f"item {item!r} has no picture\nhint: name the pictures of this dataset")
        first = vocabulary + self.places[item] * self.n_patches
        return list(range(first, first + self.n_patches))


def write_pictures(folder: Path, pictures: Pictures) -> None:
    """Write patch states into a folder, and which item has which."""
    if isinstance(pictures.states, LiveStates):
        raise TypeError("states that are computed when they are read are not stored")
    write_places(folder, pictures.places)
    save_file({"states": pictures.states.contiguous()}, folder / STATES, {"encoder": pictures.encoder})


def write_places(folder: Path, places: Mapping[str, int]) -> None:
    """Write which item has which picture."""
    import polars as pl

    table = {"item": list(places), "picture": list(places.values())}
    pl.DataFrame(table, schema={"item": pl.String, "picture": pl.Int64}).write_parquet(folder / ITEMS)


def read_places(folder: Path) -> dict[str, int]:
    """Read which item has which picture."""
    table = read_table(folder / ITEMS, columns=["item", "picture"])
    return dict(zip(table["item"], table["picture"], strict=True))


def read_pictures(folder: Path) -> Pictures:
    """Read patch states, or the pictures that they are computed of; UserError where they are damaged."""
    if (folder / LIVE).is_file():
        from ripeness.models.live_pictures import read_live

        live, fingerprint = read_live(folder)
        return Pictures(live, read_places(folder), fingerprint)
    with open_tensors(folder / STATES) as file:
        if list(file.keys()) != ["states"] or "encoder" not in (file.metadata() or {}):
            raise damaged(folder / STATES, "it has no states of pictures")
        states, encoder = file.get_tensor("states"), file.metadata()["encoder"]
    return Pictures(states, read_places(folder), encoder)


class Projector(torch.nn.Module):
    """Two linear layers with GELU between them, as LLaVA-1.5 has it, from states of an encoder to embeddings.

    `states` (patches, width) are those of the pictures at hand; None where no picture is read.
    """

    def __init__(self, width: int, hidden: int, encoder: str) -> None:
        """Make it for states of some width of an encoder, and embeddings of some width; the start is torch's."""
        super().__init__()
        self.linear_1, self.linear_2 = torch.nn.Linear(width, hidden), torch.nn.Linear(hidden, hidden)
        self.encoder = encoder
        self.states: torch.Tensor | LiveStates | None = None
        self.handles: list[Any] = []
        self.patches: torch.Tensor | None = None

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Compute embeddings."""
        return self.linear_2(gelu(self.linear_1(states)))

    def read(self, embeddings: torch.nn.Module, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...] | None:
        """Take tokens of patches out of what the embeddings read (as their pre-hook)."""
        self.patches = None
        if self.states is None:
            return None
        (tokens,) = args
        patches = tokens - embeddings.num_embeddings
        self.patches = patches
        return (tokens.masked_fill(patches >= 0, 0),)

    def put(self, _embeddings: torch.nn.Module, _args: Any, output: torch.Tensor) -> torch.Tensor:
        """Put embeddings of patches in their places (as the embeddings' hook)."""
        patches, self.patches = self.patches, None
        if patches is None or self.states is None:
            return output
        is_patch = patches >= 0
        found = self(rows_of(self.states, patches[is_patch]).to(output.device)).to(output.dtype)
        return output.masked_scatter(is_patch[..., None], found)


def rows_of(states: torch.Tensor | LiveStates, places: torch.Tensor) -> torch.Tensor:
    """Return the states at places among those of all patches of all pictures."""
    return states.rows(places) if isinstance(states, LiveStates) else states[places.to(states.device)]


def projector_of(model: PreTrainedModel) -> Projector | None:
    """Return the projector of a model, if it has one."""
    return getattr(model, PROJECTOR, None)


def put_projector(model: PreTrainedModel, projector: Projector) -> None:
    """Have a model read pictures by a projector; UserError where it has one already."""
    if projector_of(model) is not None:
        raise UserError("the model has a projector already\nhint: kind: full or lora, which train it further")
    embeddings = model.get_input_embeddings()
    model.add_module(PROJECTOR, projector.to(model.device))
    projector.handles = [
        embeddings.register_forward_pre_hook(projector.read),
        embeddings.register_forward_hook(projector.put),
    ]


def take_projector(model: PreTrainedModel) -> Projector | None:
    """Take the projector of a model away, which is then a model of text; None where there is none."""
    projector = projector_of(model)
    if projector is not None:
        for handle in projector.handles:
            handle.remove()
        projector.handles, projector.states = [], None
        delattr(model, PROJECTOR)
    return projector


def vocabulary_of(config: PretrainedConfig) -> int:
    """Return the number of tokens of a model, after which those of pictures are counted."""
    return int(text_config(config).vocab_size)


def after_start(tokens: list[int], patches: list[int], start: list[int]) -> list[int]:
    """Put the tokens of a picture before those of a prompt, behind what starts a document."""
    n = len(start) if tokens[: len(start)] == start else 0
    return [*tokens[:n], *patches, *tokens[n:]]


def width_of_embeddings(model: PreTrainedModel) -> int:
    """Return the width of what a model reads."""
    return int(model.get_input_embeddings().weight.shape[1])


def show(model: PreTrainedModel, pictures: Pictures | None) -> None:
    """Have a model see pictures from now on, and its projector, if it has one, trained with whatever else is.

    UserError where it has none, or was tuned with another encoder.
    """
    projector = projector_of(model)
    if projector is not None:
        projector.requires_grad_(True)
    if pictures is None:
        return
    if projector is None:
        raise UserError("the model has no projector, and reads no pictures\nhint: tune it with kind: projector first")
    if projector.encoder != pictures.encoder:
        raise UserError(
            "the pictures were read by another encoder than the one that the projector learned from\n"
            "hint: encode them by that one, or tune the projector again"
        )
    if model.get_input_embeddings().num_embeddings != vocabulary_of(model.config):
        raise UserError(
            "the model has more embeddings than its config says, so no token can represent a picture\n"
            "hint: save it again with the vocabulary_size of its embeddings"
        )
    projector.states = pictures.states
    if isinstance(pictures.states, torch.Tensor):
        flat = pictures.states.flatten(0, 1)
        projector.states = flat.to(model.device) if flat.nbytes <= MOST_ON_DEVICE else flat


@contextmanager
def showing(model: PreTrainedModel, pictures: Pictures | None) -> Iterator[None]:
    """Have a model see pictures for a while."""
    show(model, pictures)
    try:
        yield
    finally:
        if (projector := projector_of(model)) is not None:
            projector.states = None


def save_projector(projector: Projector, folder: Path) -> None:
    """Write a projector next to the weights of a model."""
    state = {name: weight.detach().cpu().contiguous() for name, weight in projector.state_dict().items()}
    save_file(state, folder / FILE, {"encoder": projector.encoder})


def load_projector(model: PreTrainedModel, folder: Path) -> None:
    """Put the projector in a folder on a model, in place of one that it has; nothing where there is none."""
    if not (folder / FILE).is_file():
        return
    with open_tensors(folder / FILE) as file:
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        encoder = (file.metadata() or {}).get("encoder", "")
    take_projector(model)
    try:
        width = state["linear_1.weight"].shape[1]
        projector = Projector(width, width_of_embeddings(model), encoder)
        projector.load_state_dict(state)
    except (KeyError, RuntimeError) as error:
        raise damaged(folder / FILE, f"it is of another model: {str(error).splitlines()[0]}") from None
    put_projector(model, projector)
