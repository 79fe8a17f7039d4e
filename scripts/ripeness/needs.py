"""What a job needs of a machine: memory and time, from the size of its model and the tokens that it reads.

Estimates on the safe side, for a scheduler that ends jobs which need more than they said; every attempt asks for more.
"""

from pathlib import Path
from typing import Any

from ripeness.files import read_json
from ripeness.lookups import cell_of, results
from ripeness.plan import Cell, Study, probes_of

LIBRARIES_MB = 2000  # Python with torch and transformers, and the tables that a job reads
TRAINING_BYTES = 20  # a parameter: weights, gradient and both moments in fp32, and a copy while they are saved
PREDICTION_BYTES = 8  # weights in fp32, and a copy while they are loaded
BATCH_MB = 1000  # activations and logits of a batch
FLOPS = 1e13  # a second: a tenth of what one GPU of a cluster does in bf16
START_MINUTES = 10  # a job's start on a slow file system
TOKENS_AN_ITEM = 512  # a prompt with its answer, at most on average
UNKNOWN_PARAMETERS = 1_000_000_000  # of a checkpoint that is not fetched yet; once it is, its files say
DTYPE_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}


def training_memory(study: Study, wildcards: Any, attempt: int) -> int:
    """Megabytes for a training; doubled with every attempt."""
    return memory(study, cell_of(wildcards), TRAINING_BYTES, attempt)


def prediction_memory(study: Study, wildcards: Any, attempt: int) -> int:
    """Megabytes for a prediction; doubled with every attempt."""
    return memory(study, cell_of(wildcards), PREDICTION_BYTES, attempt)


def memory(study: Study, cell: Cell, n_bytes: int, attempt: int) -> int:
    """Megabytes of a job that holds so many bytes a parameter."""
    model = n_parameters(study, cell.series, cell.checkpoint) * n_bytes / 2**20
    return round((LIBRARIES_MB + BATCH_MB + model) * 2 ** (attempt - 1))


def training_minutes(study: Study, wildcards: Any, attempt: int) -> int:
    """Minutes for a training: forward and backward, six operations a parameter and token."""
    cell = cell_of(wildcards)
    recipe = study.recipes[cell.method]
    n_tokens = study.config["items"]["train"] * recipe["epochs"] * TOKENS_AN_ITEM
    return minutes(study, cell, 6 * n_tokens, attempt)


def prediction_minutes(study: Study, wildcards: Any, attempt: int) -> int:
    """Minutes for a prediction: forward only, of every item of every probe with its shots."""
    cell = cell_of(wildcards)
    n_prompts = sum(1 + probe.shots for probe in probes_of(study, cell))
    return minutes(study, cell, 2 * n_prompts * study.config["items"]["test"] * TOKENS_AN_ITEM, attempt)


def minutes(study: Study, cell: Cell, operations: float, attempt: int) -> int:
    """Minutes of a job that does so many operations a parameter."""
    seconds = operations * n_parameters(study, cell.series, cell.checkpoint) / FLOPS
    return round((START_MINUTES + seconds / 60) * attempt)


def n_parameters(study: Study, series: str, checkpoint: str) -> int:
    """Parameters of a checkpoint: of its files where they are, else as its settings make them, else a guess."""
    settings, entry = study.config["series"][series], study.checkpoints[series][checkpoint]
    if "pretrain" in settings:
        return designed_parameters(settings["pretrain"])
    folder = entry.get("path") or f"{results(study)}/checkpoints/{series}/{checkpoint}"
    return stored_parameters(folder) or UNKNOWN_PARAMETERS


def designed_parameters(design: dict[str, Any]) -> int:
    """Parameters of a Llama or OLMo-2 with tied embeddings, norms left out."""
    hidden = design["hidden_size"]
    layer = 4 * hidden**2 + 3 * hidden * design["intermediate_size"]
    return design["vocabulary_size"] * hidden + design["n_layers"] * layer


def stored_parameters(folder: str) -> int:
    """Parameters in the weight files of a folder; 0 where there are none yet."""
    n_bytes = sum(path.stat().st_size for path in Path(folder).glob("*.safetensors"))
    if not n_bytes:
        return 0
    config = read_json(Path(folder) / "config.json")
    dtype = config.get("dtype") or config.get("torch_dtype") or "float32"
    return n_bytes // DTYPE_BYTES.get(dtype, 4)
