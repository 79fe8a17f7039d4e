"""Train a projector of pictures before a model that stays as it is (the first stage of LLaVA)."""

from transformers import PreTrainedModel

from ripeness.models.methods.attached import Attached, State, put_in
from ripeness.models.pictures import Projector, put_projector, width_of_embeddings
from ripeness.study.methods.projector import ProjectorSettings


class ProjectorAlone(Attached):
    """A projector before a model whose weights are frozen meanwhile."""

    def __init__(self, model: PreTrainedModel, projector: Projector) -> None:
        """Freeze the model, and put the projector before it."""
        self.model, self.projector = model, projector
        self.is_trained = [(weight, weight.requires_grad) for weight in model.parameters()]
        model.requires_grad_(False)
        put_projector(model, projector)

    def state(self) -> State:
        """Return a copy of the projector."""
        return {name: weight.detach().cpu().clone() for name, weight in self.projector.state_dict().items()}

    def load(self, state: State) -> None:
        """Put a state in the place of that at hand."""
        put_in(dict(self.projector.named_parameters()), state)

    def merge(self) -> None:
        """Let the weights of the model be trained again; the projector stays before it."""
        for weight, is_trained in self.is_trained:
            weight.requires_grad_(is_trained)


def attach(model: PreTrainedModel, settings: ProjectorSettings) -> ProjectorAlone:
    """Put a projector before a model, which starts from the random numbers at hand."""
    projector = Projector(settings.width, width_of_embeddings(model), settings.encoder_digest)
    projector.requires_grad_(True)
    return ProjectorAlone(model, projector)
