"""The same datasets, items and models read by lm-evaluation-harness and by this project."""

import json
import os
import random
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import fetch_dataset
import predict
import prepare_items
import render_examples
import score
from ripeness.data.nursery import world
from ripeness.runtime.files import write_json
from ripeness.study.schema import read_yaml
from ripeness.study.tasks import Task, load_task

ROOT = Path(__file__).parents[1]

DATA = Path(os.environ.get("RIPENESS_TEST_DATA", ROOT.parent / "shared")).resolve()

NEOX = DATA / "tokenizers/gpt-neox-20b.tokenizer.json"

# real datasets and items of each, by the tokenizer of a random model; the harness is slow with a large vocabulary
CHOICE = ("arc_easy", "openbookqa", "boolq", "mnli")

REAL = {"tiny vocabulary": ((*CHOICE, "gsm8k"), 40), "vocabulary of GPT-NeoX": ((*CHOICE, "dialogsum"), 12)}

SEED, SHOTS = 3, (0, 4)

NURSERY = {
    "architecture": "llama", "hidden_size": 32, "n_layers": 2, "n_heads": 4, "intermediate_size": 64,
    "sequence_length": 256, "batch_size": 2, "learning_rate": 3e-3, "warmup_steps": 10, "weight_decay": 0.01,
    "betas": [0.9, 0.99], "clip": 1.0, "initial_std": 0.1, "embedding_std": 0.5, "seed": 0,
}  # fmt: skip

# tasks that the project does not ship, and what is changed in those that it does
SCIENCE = {
    "title": "Science questions", "licence": "CC BY-SA 4.0", "kind": "choice", "metric": "accuracy",
    "fields": {"question": "question"}, "options": "choices", "answer": "gold",
    "formats": {"default": "Question: {{ question }}\nAnswer:"},
}  # fmt: skip

TASKS = {
    "arc_easy": SCIENCE | {"max_characters": 160},
    "openbookqa": SCIENCE | {"max_characters": 120, "formats": {"default": "{{ question }} "}},
    "copies": SCIENCE | {"formats": {"default": "{{ question }} "}},
    "boolq": {"max_characters": 350},
    "mnli": {"max_characters": 160},
    "gsm8k": {"max_characters": 300, "max_new_tokens": 8, "stop": "e"},
    "dialogsum": {
        "title": "A talk in one sentence", "licence": "", "kind": "generation", "metric": "rouge_l",
        "fields": {"dialogue": "dialogue"}, "target": "summary", "max_new_tokens": 8, "stop": "\n",
        "max_characters": 400, "formats": {"default": "{{ dialogue }}\nSummary:"},
    },
    "nursery-questions": {}, "nursery-mood": {}, "nursery-summary": {},
}  # fmt: skip


@dataclass(frozen=True)
class Dataset:
    """A prepared dataset: its task, the folder of its examples, and the raw rows of its test items and its shots."""

    task: Task
    examples: Path
    tests: list[dict[str, Any]]
    shots: list[dict[str, Any]]


@dataclass(frozen=True)
class Compared:
    """What both said of every item of every dataset and number of shots: (dataset, shots) -> rows in the same order."""

    model: Path
    datasets: list[Dataset]
    theirs: dict[tuple[str, int], list[dict[str, Any]]]
    ours: dict[tuple[str, int], list[dict[str, Any]]]

    def pairs(self, kind):
        """Give (where, our row, their row) for every item of a kind."""
        kinds = {dataset.task.name: dataset.task.kind for dataset in self.datasets}
        for (name, shots), rows in self.theirs.items():
            for our, their in zip(self.ours[name, shots], rows, strict=True):
                if kinds[name] == kind:
                    yield f"{our['item']} of {name} with {shots} shots", our, their


def prepare(name, files, folder, n_items):
    """Prepare a dataset of JSONL files with our programs."""
    shipped = ROOT / f"tasks/{name}.yaml"
    keys = (read_yaml(shipped) if shipped.is_file() else {"name": name}) | TASKS[name]
    keys.pop("id", None)  # items are numbered by their line, which is how their rows are found again
    folder.mkdir(parents=True)
    write_json(folder / f"{name}.yaml", keys | {"source": {split: str(path) for split, path in files.items()}})
    task = load_task(name, folder, overrides={})
    sizes = {"test": n_items, "shots": 8, "train": 1, "validation": 1, "seed": 0}
    rows, items, examples = (str(folder / part) for part in ("rows", "items", "examples"))
    words = json.dumps(asdict(task))
    fetch_dataset.main(["--source", json.dumps(task.source), "--licence", task.licence, "--output", rows])
    prepare_items.main(["--rows", rows, "--task", words, "--sizes", json.dumps(sizes), "--output", items])
    render_examples.main(["--items", items, "--task", words, "--format", "default", "--output", examples])
    raw = {path.name: path.read_text(encoding="utf-8").split("\n") for path in files.values()}
    chosen = {}
    for role in ("test", "shots"):
        places = [item.rsplit(":", 1) for item in pl.read_parquet(folder / f"examples/{role}.parquet")["item"]]
        chosen[role] = [json.loads(raw[file][int(line) - 1]) for file, line in places]
    return Dataset(task, folder / "examples", chosen["test"], chosen["shots"])


def harness_task(dataset, shots, folder):
    """Say the dataset as a task of the harness, which reads the raw rows of its items from a JSONL file."""
    from lm_eval.api.task import ConfigurableTask

    task = dataset.task
    path = folder / f"{task.name}.{shots}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in dataset.tests), encoding="utf-8")
    config = {
        "task": f"{task.name}/{shots}",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(path)}, "cache_dir": str(folder / "cache")},
        "test_split": "test",
        "num_fewshot": shots,
        "fewshot_config": {
            "sampler": "first_n",
            "samples": [dataset.shots[i] for i in random.Random(SEED).sample(range(len(dataset.shots)), shots)],
        },
        "doc_to_text": task.formats["default"],
        "target_delimiter": "" if task.formats["default"].endswith(" ") else " ",
        "doc_to_target": task.answer or task.target,
    }
    if task.kind == "generation":
        config |= {
            "output_type": "generate_until",
            "generation_kwargs": {"until": [task.stop], "max_gen_toks": task.max_new_tokens, "do_sample": False},
            "metric_list": [{"metric": "bypass", "aggregation": "bypass", "higher_is_better": True}],
        }
    else:
        metrics = ("acc", "acc_norm", "acc_bytes")
        means = [{"metric": metric, "aggregation": "mean", "higher_is_better": True} for metric in metrics]
        config |= {"output_type": "multiple_choice", "doc_to_choice": task.options, "metric_list": means}
    if task.labels:
        values = {"True": "yes", "False": "no"} if task.name == "boolq" else {}
        names = list(task.labels)
        config["doc_to_choice"] = [word.strip() for word in task.labels.values()]
        config["doc_to_target"] = lambda row: names.index(values.get(str(row[task.label]), row[task.label]))
    return ConfigurableTask(config=config)


def theirs(model, datasets, folder):
    """Let the harness answer: prompt, log-likelihoods or text, and accuracies of every item."""
    from lm_eval import evaluate
    from lm_eval.models.huggingface import HFLM

    lm = HFLM(pretrained=str(model), dtype="float32", device="cpu", batch_size=8)
    tasks = {f"{d.task.name}/{shots}": harness_task(d, shots, folder) for d in datasets for shots in SHOTS}
    found = evaluate(lm=lm, task_dict=tasks, log_samples=True, bootstrap_iters=0)["samples"]
    result = {}
    for name, samples in found.items():
        dataset, shots = name.split("/")
        result[dataset, int(shots)] = [
            {
                "prompt": sample["arguments"][0][0],
                "answers": [resp[0] for resp in sample["resps"]],
                **{metric: sample.get(metric) for metric in ("acc", "acc_norm", "acc_bytes")},
            }
            for sample in sorted(samples, key=lambda sample: sample["doc_id"])
        ]
    return result


def ours(model, datasets, folder, *, batch_tokens=4096, backwards=False):
    """Answer with predict and score: the scored items, with the prompt as the model read it."""
    probes, read = [], []
    for dataset in datasets:
        test, shots = (dataset.examples / f"{role}.parquet" for role in ("test", "shots"))
        if backwards:
            test = folder / f"{dataset.task.name}.parquet"
            pl.read_parquet(dataset.examples / "test.parquet").reverse().write_parquet(test)
        task = dataset.task
        probe = {"suite": "mine", "probe": task.name, "kind": task.kind, "format": "default", "examples": str(test)}
        probe |= {"separator": task.separator, "max_new_tokens": task.max_new_tokens, "stop": task.stop}
        probes += [probe | {"shots": n, "shot_examples": str(shots)} for n in SHOTS]

    def build_prompts(tokenizer, *args, **kwargs):
        prompts = original(tokenizer, *args, **kwargs)
        read.extend(tokenizer.decode(prompt.context, skip_special_tokens=True) for prompt in prompts)
        return prompts

    with pytest.MonkeyPatch.context() as patch:
        original = predict.build_prompts
        patch.setattr(predict, "build_prompts", build_prompts)
        options = ["--seed", str(SEED), "--batch-tokens", str(batch_tokens), "--output", str(folder / "p.parquet")]
        predict.main(["--model", str(model), "--probes", json.dumps(probes), "--precision", "fp32", *options])
    cell = {"study": "s", "dataset": "d", "format": "default", "method": "base", "learning_rate": None, "seed": SEED}
    options = ["--predictions", str(folder / "p.parquet"), "--checkpoint", str(model / "checkpoint.json")]
    options += [f"--{table}={folder / table}.parquet" for table in ("items", "measurements", "status")]
    score.main([*options, "--cell", json.dumps(cell)])
    items = pl.read_parquet(folder / "items.parquet").with_columns(prompt=pl.Series(read))
    logps = pl.read_parquet(folder / "p.parquet", columns=["logps", "target"])
    result = {}
    for row in pl.concat([items, logps], how="horizontal").rows(named=True):
        result.setdefault((row["probe"], row["shots"]), []).append(row)
    return {key: rows[::-1] for key, rows in result.items()} if backwards else result


def save_model(folder, model, tokenizer):
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    write_json(folder / "checkpoint.json", dict.fromkeys(("step", "tokens", "lr", "seed"), 0) | NAMES)
    return folder


NAMES = {"series": "tiny", "checkpoint": "step0", "phase": "stable"}


def real_datasets(names, n_items, folder):
    """Prepare some real datasets."""
    splits = ("train", "validation", "test")
    files = {name: {split: DATA / f"data/{name}/{split}.jsonl" for split in splits} for name in names}
    if missing := [name for name in names if not files[name]["test"].is_file()]:
        pytest.skip(f"no {', '.join(missing)} in {DATA / 'data'}; RIPENESS_TEST_DATA names another folder")
    if "dialogsum" in names:
        files["dialogsum"] = dict.fromkeys(splits, files["dialogsum"]["train"])  # the others have three summaries a row
    return [prepare(name, files[name], folder / name, n_items) for name in names]


def nursery_datasets(folder):
    """Prepare datasets of the nursery, and one of questions whose options are all the same."""
    made = {}
    for name in ("nursery-questions", "nursery-mood", "nursery-summary"):
        sizes = {"train": 30, "validation": 4, "test": 40}
        made[name] = {
            split: world.rows(name.removeprefix("nursery-"), n=n, split=split, seed=0) for split, n in sizes.items()
        }
    made["copies"] = {
        split: [{"question": f"{split} {n} ?", "choices": ["red", "red", "red"], "gold": n % 3} for n in range(40)]
        for split in ("train", "validation", "test")
    }
    datasets = []
    for name, splits in made.items():
        (folder / name).mkdir(parents=True)
        files = {split: folder / name / f"{split}.jsonl" for split in splits}
        for split, rows in splits.items():
            files[split].write_text("".join(json.dumps(row) + "\n" for row in rows))
        datasets.append(prepare(name, files, folder / name / "prepared", 40))
    return datasets


def nursery_model(folder):
    """Pre-train for some seconds in the nursery's world."""
    import build_corpus
    import pretrain_checkpoint
    import pretrain_state

    recipe = {"world": {"seed": 0}, "vocabulary_size": 512, "n_tokens": 80_000, "n_heldout": 2}
    settings = ["--settings", json.dumps(NURSERY), "--corpus", str(folder / "corpus")]
    build_corpus.main(["--recipe", json.dumps(recipe), "--output", str(folder / "corpus")])
    pretrain_state.main([*settings, "--until", "1", "--output", str(folder / "state")])
    checkpoint = {"series": "nursery", "checkpoint": "step120", "phase": "stable", "step": 120}
    options = ["--state", str(folder / "state"), "--checkpoint", json.dumps(checkpoint)]
    pretrain_checkpoint.main([*settings, *options, "--output", str(folder / "model")])
    return folder / "model"
