"""Hold virtual tokens that a kind trains, which stay before every text of the model once they are learned.

The tuned state is what the model reads of them; an encoder that computed it in training is not part of it.
"""

from transformers import PreTrainedModel

from ripeness.models.context_limits import VIRTUAL, room_after
from ripeness.models.forward.packing import WHOLE, ways_to_pack
from ripeness.models.forward.trials import forget_trials
from ripeness.models.forward.virtual_tokens import VirtualTokens, put_before
from ripeness.models.methods.attached import Attached, State, put_in
from ripeness.models.sharding import n_processes
from ripeness.runtime.errors import UserError

NUMBERS = "virtual_tokens"  # the tensor of the state


class BeforeText(Attached):
    """Virtual tokens of a model, whose weights are frozen meanwhile."""

    def __init__(self, model: PreTrainedModel, kind: str, virtual: VirtualTokens) -> None:
        """Put virtual tokens before every text; UserError where a model reads packed rows otherwise with them."""
        self.model, self.virtual = model, virtual
        self.is_trained = [weight.requires_grad for weight in model.parameters()]
        model.requires_grad_(False)
        self.take_away = put_before(model, virtual)
        if WHOLE not in ways_to_pack(model):
            self.remove()
            raise does_not_pack(model, kind)

    def state(self) -> State:
        """Return a copy of what the model reads of the virtual tokens."""
        return {NUMBERS: self.virtual.values().cpu()}

    def load(self, state: State) -> None:
        """Put a state in the place of what is trained, and of an encoder."""
        numbers = self.virtual.values()
        put_in({NUMBERS: numbers}, state)
        self.virtual.fold(numbers)

    def merge(self) -> None:
        """Let virtual tokens stay as they are before every text, and the weights be trained again."""
        self.virtual.fold()
        forget_trials()  # they may be far from what was tried
        self.thaw()

    def remove(self) -> None:
        """Make the model what it was before."""
        self.take_away()
        self.thaw()

    def thaw(self) -> None:
        """Let the weights of the model be trained again."""
        weights = [weight for name, weight in self.model.named_parameters() if not name.startswith(f"{VIRTUAL}.")]
        for weight, is_trained in zip(weights, self.is_trained, strict=True):
            weight.requires_grad_(is_trained)


def check_model(model: PreTrainedModel, kind: str, n_tokens: int) -> None:
    """Refuse a model that virtual tokens cannot stand before, or in which they leave no room."""
    if n_processes() > 1:
        raise UserError("a model with virtual tokens cannot be split over several GPUs\nhint: --gpus 1, or kind: full")
    room_after(model.config, n_tokens)
    if WHOLE not in ways_to_pack(model):
        raise does_not_pack(model, kind)


def does_not_pack(model: PreTrainedModel, kind: str) -> UserError:
    """Make the error for a model that computes something else where texts lie one after the other in a row."""
    return UserError(
        f"kind {kind} is for models whose logits stay the same where texts lie one after the other in a row; those of "
        f"this {model.config.model_type} do not, as was tried\n"
        "hint: another kind, such as lora, or a model that docs/models.md lists as packed"
    )
