"""Put small networks behind the parts of a model's blocks by hooks: each reads and changes what its part gives.

They do not become weights. When a training ends, or a state is loaded, they stay as hooks, which are no parameters of
the model: its own weights are those of the checkpoint, and whoever measures the model needs to know nothing of them.
They treat each token alone, so that sequences in a row do not see each other.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from transformers import PreTrainedModel

from ripeness.models.context_limits import text_config
from ripeness.models.methods.attached import Attached, State, put_in
from ripeness.models.methods.layer_names import blocks_of
from ripeness.models.sharding import n_processes
from ripeness.runtime.errors import UserError

NETWORKS = "behind_parts"  # the module of the model that has them while they are trained
NO_STATES = 0, 0
TRIAL = (1, 2, 3, 4, 5)  # tokens that a model reads to show what its parts give


class Behind(torch.nn.Module):
    """A network behind a part; called as a hook with the part, its arguments and what it gave."""

    def changed(self, states: torch.Tensor) -> torch.Tensor:
        """Return states (.., d) in place of those that the part gave."""
        raise NotImplementedError

    def forward(self, part: torch.nn.Module, arguments: tuple[Any, ...], output: Any) -> Any:
        """Change the states in what a part gave: a tensor, or the first of several things."""
        if isinstance(output, torch.Tensor):
            return self.changed(output)
        return type(output)([self.changed(output[0]), *output[1:]])


class BehindParts(Attached):
    """Networks behind parts of a model, whose own weights are frozen meanwhile."""

    def __init__(self, model: PreTrainedModel, networks: Mapping[str, Behind]) -> None:
        """Hang networks behind the parts of these full names. UserError on several GPUs."""
        if n_processes() > 1:
            raise UserError("a model with adapters cannot be split over several GPUs\nhint: --gpus 1, or kind: full")
        self.model = model
        self.is_trained = [weight.requires_grad for weight in model.parameters()]
        model.requires_grad_(False)
        self.hang(networks)

    def hang(self, networks: Mapping[str, Behind]) -> None:
        """Hang networks behind the parts of these full names, once."""
        self.networks = dict(networks)
        for name, network in self.networks.items():
            part = self.model.get_submodule(name)
            weight = next(part.parameters())
            part.register_forward_hook(network.to(weight.device, weight.dtype))
        # one after the other, since names of modules have no dots
        self.model.add_module(NETWORKS, torch.nn.ModuleList(self.networks.values()))

    def places(self) -> State:
        """Return all tensors of the networks, by the full name of the part and theirs."""
        found = ((name, network.state_dict(keep_vars=True)) for name, network in self.networks.items())
        return {f"{name}.{inner}": tensor.detach() for name, tensors in found for inner, tensor in tensors.items()}

    def state(self) -> State:
        """Return a copy of all tensors of the networks."""
        return {name: tensor.cpu().clone() for name, tensor in self.places().items()}

    def load(self, state: State) -> None:
        """Put tensors in the place of those at hand."""
        put_in(self.places(), state)

    def merge(self) -> None:
        """Leave the networks as hooks, and let the model's own weights be trained again."""
        delattr(self.model, NETWORKS)
        for network in self.networks.values():
            network.requires_grad_(False)
        for weight, is_trained in zip(self.model.parameters(), self.is_trained, strict=True):
            weight.requires_grad_(is_trained)


def parts_of(model: PreTrainedModel) -> list[dict[str, int]]:
    """Return the two parts of each block: what mixes tokens, then the feed-forward part; full names, with their widths.

    UserError for a model with a block that has not two of them. What a text does not pass through, such as layers for
    pictures, is no block.
    """
    blocks, given = blocks_of(model), sizes_of_states(model)
    called = [name for name in blocks if name in given and not any(name.startswith(f"{other}.") for other in blocks)]
    if not called:
        raise UserError("the model has no blocks\nhint: kind: full trains all of its weights")
    return [parts_of_block(name, blocks[name], given) for name in called]


def parts_of_block(name: str, block: torch.nn.Module, given: dict[str, tuple[int, int]]) -> dict[str, int]:
    """Return the two parts of one block.

    Parts are what a block has directly, with a matrix, and gives states as the block itself; where there are more than
    two, layers that are a single matrix do not count.
    """
    children = {f"{name}.{inner}": child for inner, child in block.named_children()}
    own = [part for part in given if part in children and given[part] == given[name] != NO_STATES]
    if len(own) > 2:
        own = [part for part in own if list(children[part].children())]
    if len(own) != 2:
        raise UserError(
            f"the block {name} ({type(block).__name__}) has not one part for attention and one for feed-forward whose "
            f"outputs are as wide as its own; it has {', '.join(inner for inner, _ in block.named_children())}\n"
            "hint: kind: lora, which changes linear layers wherever they are, or kind: full"
        )
    return {part: given[part][0] for part in own}


@torch.no_grad()
def sizes_of_states(model: PreTrainedModel) -> dict[str, tuple[int, int]]:
    """Return the width and the numbers of the states that blocks and their children with matrices give in a pass.

    By full names, in the order in which the pass ends them.
    """
    found: dict[str, set[tuple[int, int]]] = {}

    def note(name: str, part: torch.nn.Module, arguments: tuple[Any, ...], output: Any) -> None:
        found.setdefault(name, set()).add(size_of_states(output))

    blocks = blocks_of(model)
    children = {f"{name}.{inner}": child for name, block in blocks.items() for inner, child in block.named_children()}
    with_matrix = {name: one for name, one in children.items() if any(weight.ndim > 1 for weight in one.parameters())}
    hooks = [one.register_forward_hook(partial(note, name)) for name, one in (blocks | with_matrix).items()]
    was_training = model.training
    try:
        tokens = [token % text_config(model.config).vocab_size for token in TRIAL]
        model.eval()(input_ids=torch.tensor([tokens], device=model.device), use_cache=False)
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    return {name: sizes.pop() if len(sizes) == 1 else NO_STATES for name, sizes in found.items()}


def size_of_states(output: Any) -> tuple[int, int]:
    """Return the width and the numbers of the states in an output; NO_STATES where it is not known which these are."""
    several = list(output) if type(output) in (tuple, list) else [output]
    tensors = [one for one in several if isinstance(one, torch.Tensor) and one.is_floating_point()]
    if not tensors or tensors[0] is not several[0] or any(one.shape == tensors[0].shape for one in tensors[1:]):
        return NO_STATES
    return tensors[0].shape[-1], tensors[0].numel()
