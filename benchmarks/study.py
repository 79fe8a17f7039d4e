"""A whole study: `python scripts/run_study.py` against a shell loop of one TRL and one lm-eval process a cell.

Compared, on a clock: cells of the nursery (2 checkpoints x 4 datasets x 3 formats, one seed, all weights tuned), each
measured on the 200 test items of its dataset in all three formats. Ours is Snakemake in a copy of the project, with two
jobs at once, asked for the scores of these cells; a second row adds what the study does beyond the loop: it measures
the untouched checkpoints, collects, tests the claims, draws and writes the report. The loop is `xargs -P 2`, so two
cells at once: trl_cell.py tunes and saves, then `lm_eval run` loads and measures. Done for both before the clock
starts: pre-training, items, examples (as JSONL for the loop, with a task YAML each).
Equal: examples, epochs, batch size, learning rate and schedule, loss on the answer only, fp32, test
items, prompts, one thread a process. The order of the training examples differs, and the loop scores texts by equality
where ours has ROUGE-L; so the mean accuracy of both stands in the note.

python benchmarks/study.py --cells 6    # fewer cells: 1, 2 or 4 datasets at one or both checkpoints
"""

import argparse
import json
import logging
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from shlex import join

import polars as pl
import yaml
from subjects import PROJECT, add_options
from timing import row

from ripeness.data.nursery.world import heldout_documents
from ripeness.runtime.command_line import argument_parser
from ripeness.runtime.command_line import run as run_program
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json
from ripeness.study.grid import plan_cells
from ripeness.study.load import load_study
from ripeness.study.schema import read_yaml
from ripeness.workflow.usage_logs import warm_cpu

PARTS = ("Snakefile", "rules", "scripts", "tasks", "reports", "envs", "config.yaml", "config.schema.yaml")
CHECKPOINTS = ("step2048", "step1024")
CELLS, AT_ONCE = 24, 2
FULL = {"kind": "full", "learning_rate": 1e-3, "epochs": 3, "batch_size": 32}
STUDY, SEED = "benchmark", 1
GATE_TEXT = "gate.txt"  # of the nursery's world; it reads no English prose


def study_config(checkpoints: list[Path], n_datasets: int) -> dict:
    """The nursery cut down: these checkpoints from folders, some datasets, one seed, one suite."""
    nursery = read_yaml(PROJECT / "studies/nursery-full.yaml")
    facts = [read_json(folder / "checkpoint.json") for folder in checkpoints]
    entries = [
        {"path": str(folder.resolve()), "name": folder.name, "step": fact["step"], "tokens": fact["tokens"]}
        for folder, fact in zip(checkpoints, facts, strict=True)
    ]
    return {
        "study": STUDY, "title": "A benchmark", "series": {"nursery": {"checkpoints": entries, "gate_text": GATE_TEXT}},
        "datasets": dict(list(nursery["datasets"].items())[:n_datasets]), "formats": nursery["formats"],
        "methods": {"base": {"shots": [0]}, "full": FULL}, "seeds": [SEED], "items": nursery["items"],
        "suites": {"in-domain": {"datasets": "own", "formats": "all"}},
    }  # fmt: skip


def copy_project(folder: Path, config: dict) -> None:
    """Copy what a run needs, with the study."""
    folder.mkdir(parents=True)
    for part in [*PARTS, "task.schema.yaml"]:
        copy = shutil.copytree if (PROJECT / part).is_dir() else shutil.copy
        copy(PROJECT / part, folder / part)
    (folder / "study.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    (folder / GATE_TEXT).write_text("\n".join(heldout_documents(20, SEED)), encoding="utf-8")


def environment() -> dict[str, str]:
    """Nothing is fetched; the programs found first are those of this environment; one thread a process."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    return os.environ | offline | {"PATH": path, "OMP_NUM_THREADS": "1"}


def checked(command: list[str], folder: Path, *, words: str | None = None) -> tuple[float, float]:
    """Run a command; seconds on a clock and of CPU. RuntimeError with the end of what it said where it fails."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with (folder / "said.txt").open("w+") as said:
        process = subprocess.run(
            command, cwd=folder, env=environment(), input=words, text=True, stdout=said, stderr=said
        )
        seconds = time.perf_counter() - start
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"{join(command)} failed: {said.read()[-3000:]}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime


def prepare(folder: Path, config: dict) -> None:
    """Make the items and examples of the study, and fetch its checkpoints."""
    examples = [f"results/{STUDY}/examples/{name}/{form}" for name in config["datasets"] for form in config["formats"]]
    checkpoints = [
        f"results/{STUDY}/checkpoints/nursery/{c['name']}" for c in config["series"]["nursery"]["checkpoints"]
    ]
    command = [sys.executable, "-m", "snakemake", "--configfile", "study.yaml", "--cores", str(AT_ONCE)]
    checked([*command, "prepare", *examples, *checkpoints], folder)


def harness_task(name: str, form: str, rows: Path) -> dict:
    """A dataset in a format as a task of lm-evaluation-harness."""
    task = {
        "task": f"{name}-{form}", "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(rows)}},
        "test_split": "test", "doc_to_text": "{{prompt}}", "target_delimiter": "", "num_fewshot": 0,
    }  # fmt: skip
    written = read_yaml(PROJECT / "tasks" / f"{name}.yaml")
    if written["kind"] == "choice":
        task |= {"output_type": "multiple_choice", "doc_to_choice": "choices", "doc_to_target": "gold"}
    else:
        stop = {"until": [written["stop"]], "max_gen_toks": written["max_new_tokens"], "do_sample": False}
        task |= {"output_type": "generate_until", "doc_to_target": "{{target}}", "generation_kwargs": stop}
    metric = "acc" if written["kind"] == "choice" else "exact_match"
    return task | {"metric_list": [{"metric": metric, "aggregation": "mean", "higher_is_better": True}]}


def write_rows(path: Path, examples: Path, role: str) -> Path:
    """Write rendered examples as JSONL: all columns of test items, prompt and answer of others."""
    rows = pl.read_parquet(examples / f"{role}.parquet").with_columns(completion="target")
    rows = rows if role == "test" else rows.select("prompt", "completion")
    path.write_text("".join(json.dumps(row) + "\n" for row in rows.iter_rows(named=True)), encoding="utf-8")
    return path


def write_loop(folder: Path, examples: Path, config: dict) -> list[Path]:
    """Write the JSONL files, the task files and a shell script for every cell; return the scripts."""
    tasks = folder / "tasks"
    tasks.mkdir(parents=True)
    for name in config["datasets"]:
        for form in config["formats"]:
            rows = {
                role: write_rows(tasks / f"{name}-{form}.{role}.jsonl", examples / name / form, role)
                for role in ("train", "test")
            }
            task = harness_task(name, form, rows["test"])
            (tasks / f"{name}-{form}.yaml").write_text(yaml.safe_dump(task), encoding="utf-8")
    scripts = []
    for checkpoint in config["series"]["nursery"]["checkpoints"]:
        for name in config["datasets"]:
            for form in config["formats"]:
                cell = folder / f"{checkpoint['name']}-{name}-{form}"
                scripts.append(write_cell(cell, tasks, checkpoint["path"], name, form, config["formats"]))
    return scripts


def write_cell(cell: Path, tasks: Path, checkpoint: str, name: str, form: str, formats: list[str]) -> Path:
    """Write the shell script of one cell: tune, then measure in all formats."""
    settings = json.dumps(FULL | {"warmup_ratio": 0.03, "seed": SEED})
    tune = [sys.executable, str(Path(__file__).with_name("trl_cell.py")), "--checkpoint", checkpoint]
    tune += ["--examples", str(tasks / f"{name}-{form}.train.jsonl"), "--settings", settings, "--output", str(cell)]
    measure = [
        sys.executable,
        "-m",
        "lm_eval",
        "run",
        "--model",
        "hf",
        "--model_args",
        f"pretrained={cell},dtype=float32",
    ]
    measure += ["--tasks", ",".join(f"{name}-{asked}" for asked in formats), "--include_path", str(tasks)]
    measure += ["--device", "cpu", "--batch_size", "64", "--output_path", f"{cell}.json"]
    script = cell.with_suffix(".sh")
    script.write_text(f"set -e\n{join(tune)}\n{join(measure)}\nrm -r {join([str(cell)])}\n", encoding="utf-8")
    return script


def run_ours(command: list[str], project: Path, results: Path) -> tuple[float, float]:
    """Run Snakemake; seconds on a clock, and of CPU with those of the process that jobs are forked from."""
    seconds, cpu = checked(command, project)
    return seconds, cpu + warm_cpu(results / "logs")


def our_accuracy(results: Path) -> float:
    """Mean accuracy of the tuned models."""
    rows = pl.read_parquet(results / "tables" / "measurements.parquet").filter(method="full", metric="accuracy")
    return float(rows["value"].mean())


def their_accuracy(folder: Path) -> float:
    """The same of the loop."""
    found = [read_json(path)["results"] for path in sorted(folder.glob("*.json"))]
    return statistics.mean(task["acc,none"] for results in found for task in results.values() if "acc,none" in task)


def run(options: argparse.Namespace) -> list[dict]:
    """The row of the table."""
    n_cells = 3 if options.small else getattr(options, "cells", CELLS)
    wanted = [options.checkpoint.parent / name for name in CHECKPOINTS[: 1 if n_cells <= CELLS // 2 else 2]]
    if missing := [folder for folder in wanted if not (folder / "checkpoint.json").is_file()]:
        raise UserError(f"there is no {missing[0]}\nhint: make study first, or name a checkpoint with --checkpoint")
    config = study_config(wanted, max(1, min(4, n_cells // (3 * len(wanted)))))
    n_cells = 3 * len(wanted) * len(config["datasets"])
    with tempfile.TemporaryDirectory(prefix="ripeness-benchmark-") as name:
        project, loop = Path(name) / "project", Path(name) / "loop"
        copy_project(project, config)
        prepare(project, config)
        results = project / "results" / STUDY
        scripts = write_loop(loop, results / "examples", config)
        snakemake = [sys.executable, "-m", "snakemake", "--configfile", "study.yaml", "--cores", str(AT_ONCE)]
        cells = plan_cells(load_study(config, project / "tasks"))
        tuned = [f"results/{STUDY}/cells/{cell.path}/measurements.parquet" for cell in cells if cell.method != "base"]
        ours, our_cpu = run_ours([*snakemake, *tuned], project, results)
        rest, rest_cpu = run_ours(snakemake, project, results)
        logging.info("%d cells: ours %.1f s, %.1f CPU s; the rest %.1f s", n_cells, ours, our_cpu, rest)
        words = "".join(f"{script}\n" for script in scripts)
        theirs, their_cpu = checked(["xargs", "-P", str(AT_ONCE), "-n", "1", "sh"], loop, words=words)
        note = f"mean accuracy {our_accuracy(results):.3f} and {their_accuracy(loop):.3f}; {AT_ONCE} cells at once"
    setting, beyond = f"{n_cells} cells, tuned and measured", "the whole study"
    shared = "on both cores; a busy machine disturbs it less"
    return [
        row("study", "nursery", name, ours=mine, theirs=other, unit=unit, ratio=other / mine, target=target, note=said)
        for name, mine, other, unit, target, said in [
            (setting, ours, theirs, "s", ">= 10", note),
            (setting, our_cpu, their_cpu, "CPU s", "", shared),
            (beyond, ours + rest, theirs, "s", "", f"{n_cells} untouched cells, findings, figures and report as well"),
            (beyond, our_cpu + rest_cpu, their_cpu, "CPU s", "", shared),
        ]
    ]


def main() -> None:
    """Print the row."""
    parser = argument_parser(__doc__)
    add_options(parser)
    parser.add_argument("--cells", type=int, default=CELLS, help=f"how many cells, at most {CELLS}")
    for found in run(parser.parse_args()):
        print(found)


if __name__ == "__main__":
    run_program(main)
