"""What each column of the tables of simulated networks means (docs/theory.md)."""

RUN = {
    "study": "Name of the study.",
    "seed": "Seed of the network and its data.",
    "checkpoint": "Number of the checkpoint, in the order of time.",
    "time": "Time of pre-training: steps times rate.",
    "n_learned": "Features that are learned.",
}
NOISY = RUN | {
    "gamma": "Standard deviation of the noise on every weight.",
    "base_loss": "Loss before noise.",
    "loss": "Mean loss under noise.",
    "increase": "Loss under noise minus loss before.",
    "se": "Standard error of the increase over draws of the noise.",
    "expected_increase": "The increase by the closed form.",
    "flow_loss": "Loss of gradient flow at this time, by the closed form.",
}
FEATURES = RUN | {
    "strength": "Strength of the feature that was learned last.",
    "gamma": "Standard deviation of the noise on every weight.",
    "threshold": "Strength below which a feature is learned at a loss, 2 gamma^2 d.",
    "base_loss": "Loss before noise.",
    "loss": "Mean loss under noise.",
    "expected_loss": "The same by the closed form.",
    "change": "Loss under noise minus that with one feature less.",
    "se": "Standard error of the change over draws of the noise.",
    "expected_change": "The change by the closed form.",
}
TUNED_NETWORK = RUN | {
    "target": "What the network was tuned on.",
    "rotation": "How far the left singular vectors of the target are rotated.",
    "is_opposed": "Whether the target opposes what was learned.",
    "rate": "Learning rate of the tuning.",
    "is_fixed": "Whether the rate is one of those that are the same for all checkpoints.",
    "is_chosen": "Whether the rate was best for the checkpoint on validation data.",
    "pull": "Strength of the pull towards the start.",
    "base_loss": "Loss of pre-training before tuning.",
    "loss": "Loss of pre-training after tuning.",
    "task_base_loss": "Loss on the target before tuning.",
    "task_loss": "Loss on the target after tuning.",
    "validation_loss": "Loss on validation data of the target, by which rates are chosen.",
    "displacement": "Distance of the weights from the start.",
}
