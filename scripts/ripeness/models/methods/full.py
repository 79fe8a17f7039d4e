"""Train all weights of a model."""

from transformers import PreTrainedModel

from ripeness.models.methods.attached import Attached
from ripeness.study.methods.full import FullSettings


def attach(model: PreTrainedModel, settings: FullSettings) -> Attached:
    """Leave the model as it is."""
    return Attached()
