"""Estimate the memory and time that a job requests, from the size of its model and its operations.

Estimates on the safe side, for a scheduler that ends jobs which exceed their request; every attempt requests more.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ripeness.study.grid import Cell, Study, probes_of
from ripeness.study.methods.register import KINDS
from ripeness.study.methods.settings import POLICY, RULE, TEXT
from ripeness.study.objectives.goal import draws_texts, ranked_by
from ripeness.study.pictures import cell_sees
from ripeness.workflow.lookups.train import training_settings
from ripeness.workflow.operations import (
    annealing_operations,
    annealing_tokens,
    n_parameters,
    picture_mb,
    prediction_operations,
    sensitivity_operations,
    text_tokens,
    training_operations,
)
from ripeness.workflow.wildcards import Wildcards, cell_of

LIBRARIES_MB = 2000  # Python with torch and transformers, and the tables that a job reads
TRAINING_BYTES = 20  # a parameter: weights, gradient and both moments in fp32, and a copy while they are saved
START_BYTES = 4  # in addition: the weights at the start, which a model is pulled to or a policy is compared with
LOADING_BYTES = 8  # of each process while it loads, and of one while it saves: weights in fp32, and a copy
PREDICTION_BYTES = 8  # weights in fp32, and a copy while they are loaded
TOKEN_BYTES = 60  # of a token that waits to be trained on: an integer of Python, in two lists
PERTURBATION_BYTES = 16  # weights in fp32, their exact copy, the noise of one seed, and the sum of a large tensor
BATCH_MB = 1000  # activations and logits of a batch
PICTURE_COPIES = 1.3  # of the pictures of a dataset, while they are read or written
FLOPS = 1e13  # a second: a tenth of what one GPU of a cluster does in bf16
START_MINUTES = 10  # a job's start on a slow file system


def wanted_gpus(study: Study) -> dict[str, int]:
    """Return the GPUs that every method uses for one model."""
    return {method: settings["gpu"] for method, settings in study.settings.tuning_methods.items()}


def training_gpus(study: Study, wildcards: Wildcards) -> int:
    """Return the GPUs that a training uses for its model."""
    return training_settings(study, wildcards)["gpu"]


def training_memory(study: Study, wildcards: Wildcards, attempt: int) -> int:
    """Estimate the megabytes for a training, each of whose processes loads the model; doubled with every attempt."""
    n_processes, settings = training_gpus(study, wildcards), training_settings(study, wildcards)
    if not KINDS[settings["kind"]].takes_steps:
        return prediction_memory(study, wildcards, attempt)
    n_bytes = TRAINING_BYTES + more_bytes(settings) if n_processes == 1 else LOADING_BYTES
    learned = text_tokens(settings) // settings["epochs"] if settings.get("learns") == TEXT else 0
    pictures = seen_mb(study, wildcards, lambda _: [wildcards.dataset])
    return n_processes * (memory(study, wildcards, n_bytes, attempt) + round(learned * TOKEN_BYTES / 2**20)) + pictures


def more_bytes(settings: Mapping[str, Any]) -> int:
    """Return the bytes a parameter that few trainings need in addition: of the start, and of a reward model."""
    is_policy = settings.get("learns") == POLICY
    rewarded = PREDICTION_BYTES if draws_texts(settings) and ranked_by(settings) != RULE else 0
    return rewarded + (START_BYTES if is_policy or "pull" in settings else 0)


def prediction_memory(study: Study, wildcards: Wildcards, attempt: int) -> int:
    """Estimate the megabytes for a prediction; doubled with every attempt."""
    pictures = seen_mb(study, wildcards, lambda cell: [probe.probe for probe in probes_of(study, cell)])
    return memory(study, wildcards, PREDICTION_BYTES, attempt) + pictures


def sensitivity_memory(study: Study, wildcards: Wildcards, attempt: int) -> int:
    """Estimate the megabytes for a checkpoint with perturbed weights; doubled with every attempt."""
    return memory(study, wildcards, PERTURBATION_BYTES, attempt)


def memory(study: Study, wildcards: Wildcards, n_bytes: int, attempt: int) -> int:
    """Estimate the megabytes of a job with so many bytes a parameter."""
    model = n_parameters(study, wildcards.series, wildcards.checkpoint) * n_bytes / 2**20
    return round((LIBRARIES_MB + BATCH_MB + model) * 2 ** (attempt - 1))


def annealing_memory(study: Study, wildcards: Wildcards, attempt: int) -> int:
    """Estimate the megabytes for annealing a checkpoint, whose text is held as tokens; doubled with every attempt."""
    tokens = annealing_tokens(study.checkpoints[wildcards.series][wildcards.checkpoint]) * TOKEN_BYTES / 2**20
    return memory(study, wildcards, TRAINING_BYTES, attempt) + round(tokens)


def annealing_minutes(study: Study, wildcards: Wildcards, attempt: int) -> int:
    """Estimate the minutes for annealing a checkpoint."""
    return minutes(annealing_operations(study, wildcards.series, wildcards.checkpoint), attempt)


def training_minutes(study: Study, wildcards: Wildcards, attempt: int) -> int:
    """Estimate the minutes for a training."""
    settings = training_settings(study, wildcards)
    return minutes(training_operations(study, wildcards, settings) / settings["gpu"], attempt)


def prediction_minutes(study: Study, wildcards: Wildcards, attempt: int) -> int:
    """Estimate the minutes for a prediction."""
    return minutes(prediction_operations(study, cell_of(wildcards)), attempt)


def sensitivity_minutes(study: Study, wildcards: Wildcards, attempt: int) -> int:
    """Estimate the minutes for all perturbations of a checkpoint."""
    return minutes(sensitivity_operations(study, wildcards.series, wildcards.checkpoint), attempt)


def encoding_memory(study: Study, wildcards: Wildcards, attempt: int) -> int:
    """Estimate the megabytes for the states of a dataset's pictures, which are held at once; doubled every attempt."""
    pictures = PICTURE_COPIES * picture_mb(study, wildcards.dataset)
    return round((LIBRARIES_MB + BATCH_MB + pictures) * 2 ** (attempt - 1))


def seen_mb(study: Study, wildcards: Wildcards, datasets: Callable[[Cell], Iterable[str]]) -> int:
    """Estimate the megabytes of the pictures that a model reads of the largest of some datasets; 0 if it reads none.

    A chosen model that is tuned again is no cell: it may read the pictures of its dataset.
    """
    if study.settings.pictures is None:
        return 0
    names: Iterable[str] = [wildcards.dataset]
    if hasattr(wildcards, "format"):
        cell = cell_of(wildcards)
        names = datasets(cell) if cell_sees(study, cell) else []
    shown = [name for name in names if name in study.tasks and study.tasks[name].image]
    return round(PICTURE_COPIES * max((picture_mb(study, name) for name in shown), default=0.0))


def minutes(operations: float, attempt: int) -> int:
    """Estimate the minutes of a job with so many operations."""
    return round((START_MINUTES + operations / FLOPS / 60) * attempt)
