"""On a GPU, twenty steps give the losses and the model of transformers' Trainer."""

from reference.test_trainer import (  # noqa: F401
    examples,
    fresh,
    test_losses_and_the_tuned_model_are_those_of_trainer,
)
