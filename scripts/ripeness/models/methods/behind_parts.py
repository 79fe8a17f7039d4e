"""Put small networks behind the parts of a model's blocks by hooks: each reads and changes what its part gives.

They do not become weights. When a training ends, or a state is loaded, they stay as hooks, which are no parameters of
the model: its own weights are those of the checkpoint, and whoever measures the model needs to know nothing of them.
They treat each token alone, so that sequences in a row do not see each other.
"""

from collections.abc import Mapping
from typing import Any

import torch
from transformers import PreTrainedModel

from ripeness.models.context_limits import text_config
from ripeness.models.methods.attached import Attached, State, put_in
from ripeness.models.methods.places import blocks_of
from ripeness.models.sharding import n_processes
from ripeness.runtime.errors import UserError

NETWORKS = "behind_parts"  # the module of the model that has them while they are trained
TRIAL = (1, 2, 3, 4, 5)  # tokens that a model reads to show what its parts give


class Behind(torch.nn.Module):
    """A network behind a part; called as a hook with the part, its arguments and what it gave."""

    def changed(self, states: torch.Tensor) -> torch.Tensor:
        """Return states (.., d) in place of those that the part gave."""
        raise NotImplementedError

    def forward(self, part: torch.nn.Module, arguments: tuple[Any, ...], output: Any) -> Any:
        """Change the states in what a part gave: a tensor, or the first of several things."""
        if isinstance(output, tuple):
            return self.changed(output[0]), *output[1:]
        return self.changed(output)


class BehindParts(Attached):
    """Networks behind parts of a model, whose own weights are frozen meanwhile."""

    def __init__(self, model: PreTrainedModel, networks: Mapping[str, Behind]) -> None:
        """Hang networks behind the parts of these full names. UserError on several GPUs."""
        if n_processes() > 1:
            raise UserError("a model with adapters is not shared out to several GPUs\nhint: --gpus 1, or kind: full")
        self.model, self.networks = model, dict(networks)
        self.is_trained = [weight.requires_grad for weight in model.parameters()]
        model.requires_grad_(False)
        for name, network in self.networks.items():
            part = model.get_submodule(name)
            weight = next(part.parameters())
            part.register_forward_hook(network.to(weight.device, weight.dtype))
        # one after the other, since names of modules have no dots
        model.add_module(NETWORKS, torch.nn.ModuleList(self.networks.values()))

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


def parts_of(model: PreTrainedModel) -> list[tuple[str, str]]:
    """Return the full names of the two parts of each block in their order: what mixes tokens, and the feed-forward.

    Parts are what a block has directly, with a matrix, and gives states of the model's width in a pass that is tried.
    UserError for a model with a block that has not two of them.
    """
    given = outputs_of_children(model)
    found = []
    for name, block in blocks_of(model).items():
        own = [part for part in given if part.rpartition(".")[0] == name]
        if len(own) != 2:
            children = ", ".join(inner for inner, _ in block.named_children())
            raise UserError(
                f"the block {name} ({type(block).__name__}) has not one part for attention and one for feed-forward "
                f"whose outputs are as wide as the model; it has {children}\n"
                "hint: kind: lora, which changes linear layers wherever they are, or kind: full"
            )
        found.append((own[0], own[1]))
    if not found:
        raise UserError("the model has no blocks\nhint: kind: full trains all of its weights")
    return found


@torch.no_grad()
def outputs_of_children(model: PreTrainedModel) -> list[str]:
    """Return the full names of the children of blocks that are parts, in the order in which a pass calls them."""
    calls: dict[str, bool] = {}
    config, device = text_config(model.config), model.device
    size = len(TRIAL) * config.hidden_size

    def noting(name: str) -> Any:
        def note(part: torch.nn.Module, arguments: tuple[Any, ...], output: Any) -> None:
            states = output[0] if isinstance(output, tuple) else output
            is_wide = isinstance(states, torch.Tensor) and states.shape[-1:] == (config.hidden_size,)
            calls[name] = is_wide and states.numel() == size and calls.get(name, True)

        return note

    hooks = [
        child.register_forward_hook(noting(f"{name}.{inner}"))
        for name, block in blocks_of(model).items()
        for inner, child in block.named_children()
        if any(weight.ndim > 1 for weight in child.parameters())
    ]
    was_training = model.training
    try:
        tokens = torch.tensor([[token % config.vocab_size for token in TRIAL]], device=device)
        model.eval()(input_ids=tokens, use_cache=False)
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    return [name for name, is_part in calls.items() if is_part]
