"""The model that a training started from, without a second one in memory: what is trained of it is kept as it was."""

from collections.abc import Iterator
from contextlib import contextmanager

from transformers import PreTrainedModel


class StartWeights:
    """What is trained of a model, as it is now; few numbers where a kind has a small state."""

    def __init__(self, model: PreTrainedModel, left_out: str) -> None:
        """Copy all weights that are trained, but those of a module that is not the model's own."""
        self.model = model
        self.kept = {
            name: weight.detach().clone()
            for name, weight in model.named_parameters()
            if weight.requires_grad and not name.startswith(left_out)
        }

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Have the model be the one at the start for a while."""
        self.exchange()
        try:
            yield
        finally:
            self.exchange()

    def exchange(self) -> None:
        """Exchange what is trained with what was kept."""
        weights = dict(self.model.named_parameters())
        for name, kept in self.kept.items():
            weights[name].data, self.kept[name] = kept, weights[name].data
