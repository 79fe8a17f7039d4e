"""Say what a training has cost, from its record and the log of what its program used."""

from pathlib import Path
from typing import Any

from ripeness.runtime.files import read_json

MB = 2**20
LOST = "delete the file; costs of this training are then unknown"


def costs_of(record: dict[str, Any], usage: str | None) -> dict[str, Any]:
    """Return the columns of costs; None for what a record of an older version, or a log that is gone, does not say.

    `tokens_seen` are those of all steps that were taken, with replayed text. `train_seconds` are those of the training
    alone, over all attempts; `peak_bytes` are of the GPU, or of the process where there was none.
    """
    seen = record.get("tokens_seen")
    if seen is None and record["status"] == "done" and "n_replayed" not in record:
        seen = record["n_tokens"]
    return {
        "trainable_parameters": record.get("trainable_parameters"),
        "state_bytes": record.get("state_bytes"),
        "tokens_seen": seen,
        "steps": 0 if "reason" in record else len(record["losses"]),
    } | used(Path(usage) if usage else None)


def used(path: Path | None) -> dict[str, Any]:
    """Return the seconds and the peak memory of a training; None each where its log is not there."""
    if path is None or not path.is_file() or not path.stat().st_size:  # of a job that failed Snakemake leaves it empty
        return {"train_seconds": None, "peak_bytes": None}
    usage = read_json(path, dict, advice=LOST)
    peak = usage.get("peak_cuda_mb") or usage.get("peak_memory_mb")
    return {"train_seconds": usage.get("train_s"), "peak_bytes": None if peak is None else round(peak * MB)}
