"""Tasks of lm-evaluation-harness: built from what was fetched, and asked of a model as the harness itself does.

lm_eval is an optional package, so it is imported only where it is used.
"""

import logging
import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from importlib.metadata import version
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ripeness.models.context_limits import window_for_text
from ripeness.models.load import is_even
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json
from ripeness.runtime.made_here import damaged
from ripeness.storage.arrays import first_line

if TYPE_CHECKING:
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.models.huggingface import HFLM

SHOT_SEED, OTHER_SEED, PYTHON_SEED = 1234, 1234, 0  # those of `lm_eval` itself where none are given
NO_METRIC = "bypass"  # what the harness calls no metric at all


def source() -> str:
    """Name the harness and its version."""
    return f"lm_eval {version('lm-eval')}"


def task_folder() -> Path:
    """Return the folder of the tasks that come with lm-eval."""
    import lm_eval.tasks

    return Path(lm_eval.tasks.__file__).parent


def build_task(path: Path, *, dataset: Any = None, shots: int | None = None) -> "ConfigurableTask":
    """Build a task from its file; with `dataset` in place of the data that it would load."""
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.tasks._yaml_loader import load_yaml

    config = {key: value for key, value in load_yaml(path).items() if key not in ("tag", "group", "task_list")}
    if dataset is not None:
        config["custom_dataset"] = lambda **_: dataset
    if shots is not None:
        config["num_fewshot"] = shots
    return ConfigurableTask(config=config)


def fetched_task(folder: Path, *, shots: int) -> "ConfigurableTask":
    """Build a task from the folder of fetch_harness_task: nothing is loaded from elsewhere."""
    from datasets import load_from_disk

    record = read_json(folder / "task.json", dict, keys=("task", "source", "file", "is_shipped"))
    if record["source"] != source():
        raise UserError(
            f"the task {record['task']!r} was fetched by {record['source']}, and {source()} is installed\n"
            f"hint: install that version again, or remove {folder} to fetch and measure again"
        )
    path = task_folder() / record["file"] if record["is_shipped"] else Path(record["file"])
    try:
        dataset = load_from_disk(str(folder / "data"))
    except Exception as error:  # whatever Arrow and the library of datasets make of a damaged file
        raise damaged(folder / "data", first_line(error)) from None
    return build_task(path, dataset=dataset, shots=shots)


def predict_task(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, probe: dict[str, Any], *, batch_tokens: int
) -> list[dict[str, Any]]:
    """Make one row per item, with the harness's metrics. Precision is that of the autocast around the call."""
    from lm_eval import evaluate
    from lm_eval.models.huggingface import HFLM

    folder = Path(probe["examples"]).parent
    name = read_json(folder / "task.json", dict, keys=("task",))["task"]
    task = fetched_task(folder, shots=probe["shots"])
    random.seed(PYTHON_SEED)
    np.random.seed(OTHER_SEED)
    torch.manual_seed(OTHER_SEED)
    task.set_fewshot_seed(seed=SHOT_SEED)
    lm = HFLM(
        pretrained=model,
        tokenizer=deepcopy(tokenizer),  # it is given a token to pad with
        batch_size=max(1, batch_tokens // window_for_text(model)),
        max_length=window_for_text(model),
        # an autocast of its own would end ours
        mixed_precision_dtype="bfloat16" if torch.is_autocast_enabled(model.device.type) else None,
    )
    with watched(model) as are_none:
        found = evaluate(lm=lm, task_dict={"tasks": {name: task}}, log_samples=True, bootstrap_iters=0)
    rows = item_rows(lm, task, name, found)
    if any(are_none):
        rows = [
            without_values(row, "logits that are not finite, or all equal, in some passes of the task") for row in rows
        ]
    return rows


@contextmanager
def watched(model: PreTrainedModel) -> Iterator[list[torch.Tensor]]:
    """Record for every forward pass whether the logits of the last tokens are valid (see `token_logps`).

    The largest of NaN is no token, yet the harness would write it.
    """
    found: list[torch.Tensor] = []

    def look(_: torch.nn.Module, __: tuple, output: Any) -> None:
        last = output.logits[:, -1]
        found.append(last.isnan().any() | ((last.amax(-1) == last.amin(-1)).any() & (not is_even(model))))

    handle = model.register_forward_hook(look)
    try:
        yield found
    finally:
        handle.remove()


def without_values(row: dict[str, Any], reason: str) -> dict[str, Any]:
    """Make the row of an item whose metrics have no number."""
    return row | {"harness": [entry | {"value": None} for entry in row["harness"]], "reason": reason}


def is_finite(responses: Any) -> bool:
    """Return whether all log-likelihoods among the responses to an item are finite; texts are no numbers."""
    if isinstance(responses, (list, tuple)):
        return all(map(is_finite, responses))
    return not isinstance(responses, float) or math.isfinite(responses)


def item_rows(lm: "HFLM", task: "ConfigurableTask", name: str, found: dict[str, Any]) -> list[dict[str, Any]]:
    """Make a row for each document from the samples that lm-eval logs, with the metrics of all filters.

    The harness takes a log-likelihood that is NaN for the first option or for the best: such an item has no metric.
    """
    totals = {key: value for key, value in found["results"][name].items() if isinstance(value, Real)}
    means = mean_metrics(task, found["samples"][name])
    rows: dict[int, dict[str, Any]] = {}
    for sample in found["samples"][name]:
        if sample["doc_id"] not in rows:
            fits = [room_of(lm, arguments) for arguments in sample["arguments"]]
            rows[sample["doc_id"]] = {
                "item": f"{name}:{sample['doc_id']}",
                "cluster": f"{name}:{sample['doc_id']}",
                "n_prompt_tokens": max(n_tokens for n_tokens, _ in fits),
                "is_truncated": any(is_cut for _, is_cut in fits),
                "n_dropped_shots": 0,
                "split": task.config.test_split or task.config.validation_split,
                "source": source(),
                "harness": [],
            }
        is_read = is_finite(sample["resps"])
        if not is_read:
            rows[sample["doc_id"]]["reason"] = "no finite log-likelihood of what the harness scores"
        for metric in sample["metrics"]:
            key = f"{metric},{sample['filter']}"
            value = sample[metric] if key in means else totals.get(key)
            if metric != NO_METRIC and value is not None:
                entry = {"metric": key, "value": float(value) if is_read else None, "is_mean": key in means}
                rows[sample["doc_id"]]["harness"].append(entry)
    if n_cut := sum(row["is_truncated"] for row in rows.values()):
        logging.info("%s: the harness cuts %d of %d prompts from the left", name, n_cut, len(rows))
    return [rows[number] for number in sorted(rows)]


def mean_metrics(task: "ConfigurableTask", samples: list[dict[str, Any]]) -> set[str]:
    """List the metrics ("name,filter") that are means over items; others have one value for the whole task."""
    from lm_eval.api.metrics import mean

    functions = task.aggregation()
    numbers: dict[str, bool] = {}
    for sample in samples:
        for metric in sample["metrics"]:
            is_number = isinstance(sample[metric], (Real, np.bool_)) and functions.get(metric, mean) is mean
            key = f"{metric},{sample['filter']}"
            numbers[key] = numbers.get(key, True) and is_number
    return {key for key, is_number in numbers.items() if is_number}


def room_of(lm: "HFLM", arguments: tuple) -> tuple[int, bool]:
    """Count the tokens of a prompt, and return whether the harness cuts it from the left to fit the model."""
    if len(arguments) == 1:  # running text, which it reads in windows
        return 0, False
    context, more = arguments
    if isinstance(more, str):
        prompt, answer = lm._encode_pair(context, more) if context else ([lm.prefix_token_id], lm.tok_encode(more))
        return len(prompt), len(prompt) + len(answer) > lm.max_length + 1
    n_tokens = len(lm.tok_encode(context))
    return n_tokens, n_tokens > lm.max_length - int(more.get("max_gen_toks", lm.max_gen_toks))
