"""Every benchmark still runs: tiny models, two items, no timing looked at."""

import importlib
import json
import sys
from pathlib import Path

import pytest

import predict
import train_model

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
KEYS = {"benchmark", "model", "setting", "unit", "target", "note", "ours", "theirs", "ratio"}
ROWS = {
    "arc_easy": {"id": "a", "question": "what is good?", "choices": ["the film", "a dog ran", "no"], "gold": 1},
    "gsm8k": {"question": "what is it?", "answer": "it is\nlong"},
    "rte": {"premise": "the film was good", "hypothesis": "the film was bad", "label": "not_entailment"},
    "mnli": {"premise": "the dog ran far", "hypothesis": "a dog ran", "label": "neutral"},
}


@pytest.fixture(scope="module")
def arguments(tmp_path_factory, tokenizer, checkpoint):
    """Give options that name invented data, a tiny tokenizer and a tiny checkpoint."""
    folder = tmp_path_factory.mktemp("benchmarks")
    for dataset, row in ROWS.items():
        for split in ("train", "test"):
            path = folder / "data" / dataset / f"{split}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{json.dumps(row)}\n" * 4, encoding="utf-8")
    (folder / "tokenizers").mkdir()
    tokenizer.backend_tokenizer.save(str(folder / "tokenizers" / "gpt-neox-20b.tokenizer.json"))
    options = {"data": folder / "data", "tokenizers": folder / "tokenizers", "scratch": folder / "scratch"}
    options |= {"checkpoint": checkpoint, "output": folder / "benchmarks.json"}
    return ["--small", "--repeats", "1", *[word for key, value in options.items() for word in (f"--{key}", str(value))]]


@pytest.fixture
def run(arguments, monkeypatch, capsys):
    """Give a function that runs one benchmark as `make bench` does and returns its rows and what was printed."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    program = importlib.import_module("run")

    def run(name):
        program.main([*arguments, "--only", name])
        return json.loads(Path(arguments[-1]).read_text())[name], capsys.readouterr().out

    return run


@pytest.mark.parametrize(
    ("name", "needed", "n_rows"),
    [
        ("prediction", ["lm_eval"], 6),
        ("generation", [], 6),
        ("sensitivity", [], 1),
        pytest.param("training", ["trl"], 30, marks=pytest.mark.release),
        ("peft_trainer", [], 4),
        ("gpu", ["lm_eval", "trl"], 7),
    ],
)
def test_a_benchmark_gives_rows_of_the_table(run, name, needed, n_rows):
    for package in needed:
        pytest.importorskip(package, reason=f"{package} is not installed: see requirements-dev.in")
    rows, printed = run(name)
    assert len(rows) == n_rows
    assert all(set(row) == KEYS and row["benchmark"] == name for row in rows)
    assert all(row["ours"] > 0 and row["theirs"] > 0 for row in rows)
    assert all(f"| {row['setting']} |" in printed for row in rows)


def test_memory_is_measured_of_predicting_and_of_tuning(run, monkeypatch):
    def call(arguments):  # in this process, which has imported everything already
        if arguments[0] == "-c":
            return "1000"
        program, *arguments, _, usage = arguments
        {"predict": predict, "train_model": train_model}[Path(program).stem].main(arguments)
        Path(usage).write_text(json.dumps({"peak_memory_mb": 300}))

    monkeypatch.setattr(importlib.import_module("memory"), "call", call)
    rows, _ = run("memory")
    assert [row["setting"].split()[0] for row in rows] == ["predicting", "tuning"]
    for row in rows:
        assert set(row) == KEYS
        assert row["ours"] == pytest.approx(300, abs=0.1)
    assert rows[1]["theirs"] == rows[1]["ours"] and rows[1]["ratio"] == 1


def test_intervals_and_tests_of_turning_points_are_simulated(run):
    rows, printed = run("turning_points")
    assert {row["model"] for row in rows} >= {"knot", "contrast", "best checkpoint", "peak", "valley", "sup-F", "kink"}
    assert all(set(row) == KEYS and row["setting"].endswith((", 8 x 3", ", 12 x 3")) for row in rows)
    assert all(0 <= row["ours"] <= 1 or row["unit"] == "checkpoints" for row in rows)
    assert "| steep kink, 12 x 3 |" in printed and ">= 0.92, <= 0.97" in printed


def test_intervals_of_indicators_are_simulated(run):
    rows, printed = run("indicators")
    assert {row["model"] for row in rows} == {"pairs", "regret", "distinguished from chance"}
    assert all(set(row) == KEYS and row["setting"].endswith((", 6 x 3", ", 6 x 5")) for row in rows)
    assert all(0 <= row["ours"] <= 1 for row in rows) and "| predicts well, 6 x 5 |" in printed
    table = importlib.import_module("indicators").table(rows)
    assert "| predicts nothing, alike in all | distinguished from chance | at most 7 |" in table


def test_a_target_may_have_two_bounds():
    timing = importlib.import_module("timing")
    rows = [{"ratio": ratio, "target": ">= 0.92, <= 0.97"} for ratio in (0.9, 0.92, 0.95, 0.98)]
    assert [timing.is_met(row) for row in rows] == [False, True, True, False]


def test_without_a_gpu_the_table_says_so(arguments, monkeypatch):
    gpu, program = importlib.import_module("gpu"), importlib.import_module("run")
    monkeypatch.setattr(gpu.torch.cuda, "is_available", lambda: False)
    rows = gpu.run(importlib.import_module("subjects").read_options(None, arguments[1:-2]))
    assert "not measured" in program.table(rows)


def test_data_that_is_absent_is_said(arguments, tmp_path):
    from ripeness.runtime.errors import UserError

    subjects = importlib.import_module("subjects")
    options = subjects.read_options(None, [*arguments[:-2], "--data", str(tmp_path / "none")])
    with pytest.raises(UserError, match="RIPENESS_DATA"):
        subjects.arc_easy(options, "test", 2)
