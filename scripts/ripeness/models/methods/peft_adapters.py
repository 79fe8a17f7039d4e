"""Hold adapters of peft that stand in place of a model's layers and become part of their weights at the end.

The adapters are the tuned state. They are merged into the weights, so that measuring a model, and how far it has moved,
is the same for every kind.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from transformers import PreTrainedModel

from ripeness.models.methods.attached import Attached, State, put_in
from ripeness.models.sharding import n_processes
from ripeness.runtime.errors import UserError

if TYPE_CHECKING:
    from peft.tuners.tuners_utils import BaseTuner


class InPlace(Attached):
    """Adapters in a model, whose weights are frozen meanwhile."""

    def __init__(self, model: PreTrainedModel, make: Callable[[PreTrainedModel], "BaseTuner"]) -> None:
        """Have a tuner of peft made, which puts adapters into the model itself.

        UserError on several GPUs, and for a model of which peft cannot change the layers.
        """
        if n_processes() > 1:
            raise UserError("a model with adapters cannot be split over several GPUs\nhint: --gpus 1, or kind: full")
        self.model = model
        self.is_trained = [weight.requires_grad for weight in model.parameters()]
        self.known = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
        try:
            self.tuner = make(model)
        except (TypeError, ValueError, NotImplementedError) as error:  # of a layer, a setting, or their sizes
            raise UserError(
                f"peft cannot adapt these layers in this way: {str(error).strip().splitlines()[0]}\n"
                "hint: other `modules`, or another kind"
            ) from error

    def tensors(self) -> State:
        """Return what the adapters consist of by its names in the model, as it is; what they share once."""
        found, seen = {}, set(self.known)
        for name, tensor in self.model.state_dict(keep_vars=True).items():
            if id(tensor) not in seen:
                found[name] = tensor.detach()
            seen.add(id(tensor))
        return found

    def state(self) -> State:
        """Return a copy of what the adapters consist of."""
        return {name: tensor.cpu().clone() for name, tensor in self.tensors().items()}

    def load(self, state: State) -> None:
        """Put a state in the place of that at hand."""
        put_in(self.tensors(), state)

    def merge(self) -> None:
        """Put what the adapters do into the weights, and take them out."""
        self.tuner.merge_and_unload()
        for weight, is_trained in zip(self.model.parameters(), self.is_trained, strict=True):
            weight.requires_grad_(is_trained)
