"""Tasks of lm-evaluation-harness: fetched once, then asked without anything else, with the harness's own numbers."""

import json
import math
import shutil

import datasets
import polars as pl
import pytest
from harness_tasks import write_tasks

pytest.importorskip("lm_eval", reason="lm-eval is not installed; it is in requirements-dev.lock")

import fetch_harness_task
import predict
import score
import train_model
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json
from ripeness.tables.columns import PREDICTIONS

SHOTS = {"My_Colours": (0, 6), "my_words": (0, 1), "my_prose": (0,)}


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    return write_tasks(tmp_path_factory.mktemp("harness") / "tasks")


def fetch(tasks, output, name, shots=(0,)):
    request = {"task": name, "shots": list(shots), "include_path": str(tasks)}
    fetch_harness_task.main(["--request", json.dumps(request), "--output", str(output)])
    return output


@pytest.fixture(scope="module")
def fetched(tasks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fetched")
    return {name: fetch(tasks, folder / name, name, shots) for name, shots in SHOTS.items()}


def ask(checkpoint, fetched, folder, *options):
    """Predict and score all tasks; the folder of the tables."""
    probe = {"suite": "reference", "kind": "harness", "format": "lm_eval"}
    probes = [
        probe | {"probe": name, "shots": n, "examples": str(fetched[name] / "task.json")}
        for name, shots in SHOTS.items()
        for n in shots
    ]
    folder.mkdir(exist_ok=True)
    output = ["--output", str(folder / "predictions.parquet")]
    predict.main(["--model", str(checkpoint), "--probes", json.dumps(probes), "--precision", "fp32", *output, *options])
    cell = {"study": "s", "dataset": "d", "format": "lm_eval", "method": "base", "learning_rate": None, "seed": 1}
    tables = [f"--{name}={folder / name}.parquet" for name in ("items", "measurements", "status")]
    files = ["--predictions", str(folder / "predictions.parquet"), "--checkpoint", str(checkpoint / "checkpoint.json")]
    score.main([*files, "--cell", json.dumps(cell), *tables])
    return folder


@pytest.fixture(scope="module")
def asked(checkpoint, fetched, tmp_path_factory):
    return ask(checkpoint, fetched, tmp_path_factory.mktemp("asked"))


@pytest.fixture(scope="module")
def reference(checkpoint, tasks):
    """What the harness itself finds: {(task, shots, metric): (value, standard error)}."""
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(tasks), include_defaults=False)
    found = {}
    for name, shots in SHOTS.items():
        for n in shots:
            of_model = {"model": "hf", "model_args": {"pretrained": str(checkpoint), "dtype": "float32"}}
            results = simple_evaluate(
                **of_model, tasks=[name], num_fewshot=n, task_manager=manager, device="cpu", bootstrap_iters=100
            )["results"][name]
            for key, value in results.items():
                metric, _, of_filter = key.partition(",")
                if of_filter and not metric.endswith("_stderr"):
                    found[name, n, key] = (value, results[f"{metric}_stderr,{of_filter}"])
    return found


def test_a_fetched_task_says_what_it_is_and_holds_its_data(fetched, tasks):
    record = read_json(fetched["My_Colours"] / "task.json")
    assert (record["task"], record["n_documents"], record["split"]) == ("My_Colours", 11, "test")
    assert record["splits"] == {"train": 11, "test": 11} and record["source"].startswith("lm_eval 0.")
    assert record["file"] == str(tasks / "colours.yaml") and not record["is_shipped"]
    assert record["config"]["doc_to_choice"] == ["good", "bad"] and len(record["sha256"]) == 64


def test_values_and_standard_errors_are_those_of_the_harness(asked, reference):
    rows = pl.read_parquet(asked / "measurements.parquet").rows(named=True)
    found = {(row["probe"], row["shots"], row["metric"]): row for row in rows}
    assert found.keys() == reference.keys()
    assert {key[2] for key in found} == {
        *("acc,none", "acc_norm,none", "f1,none", "exact_match,whole", "exact_match,letter", "bits_per_byte,none")
    }
    for key, (value, error) in reference.items():
        row = found[key]
        if "bits_per_byte" in key[2]:  # batches round differently
            assert row["value"] == pytest.approx(value, rel=1e-5), key
        else:
            assert row["value"] == pytest.approx(value, abs=1e-9), key
        if key[2].startswith(("f1", "bits_per_byte")):
            assert row["se"] is None
        else:
            assert row["se"] == pytest.approx(error, abs=1e-9), key
        assert row["n_items"] == 11 and row["source"].startswith("lm_eval 0.")
    assert len({row["value"] for row in rows}) > 3  # the model is neither always right nor always wrong


def test_there_is_a_row_an_item_with_the_metrics_of_every_filter(asked):
    table = pl.read_parquet(asked / "predictions.parquet")
    assert table.schema == pl.Schema(PREDICTIONS)
    words = table.filter(probe="my_words", shots=1).sort("item")
    assert words.height == 11 and set(words["item"]) == {f"my_words:{i}" for i in range(11)}
    assert (words["cluster"] == words["item"]).all() and (words["n_prompt_tokens"] > 5).all()
    metrics = [[entry["metric"] for entry in row] for row in words["harness"]]
    assert metrics == [["exact_match,whole", "exact_match,letter"]] * 11
    items = pl.read_parquet(asked / "items.parquet")
    assert items.height == table.height and items["is_correct"].null_count() == items.height


def test_a_prompt_that_the_harness_cuts_is_marked(asked):
    table = pl.read_parquet(asked / "predictions.parquet")
    room = 64  # of the tiny model
    assert not table.filter(shots=0)["is_truncated"].any()
    few = table.filter(probe="My_Colours", shots=6)
    assert few["is_truncated"].any() and (few["is_truncated"] | (few["n_prompt_tokens"] < room)).all()


def test_a_model_without_a_limit_is_asked_as_the_harness_asks_it(endless, fetched, tmp_path):
    table = pl.read_parquet(ask(endless, fetched, tmp_path / "endless") / "predictions.parquet")
    assert table.height and not table["is_truncated"].any()


def test_neither_the_seed_nor_the_task_s_own_rows_matter_once_it_is_fetched(
    checkpoint, fetched, asked, tasks, tmp_path
):
    shutil.move(tasks / "test.jsonl", tmp_path)
    try:
        again = ask(checkpoint, fetched, tmp_path / "again", "--seed", "7")
    finally:
        shutil.move(tmp_path / "test.jsonl", tasks)
    tables = [pl.read_parquet(folder / "predictions.parquet") for folder in (asked, again)]
    assert tables[0].equals(tables[1])


def test_precision_reaches_the_harness(checkpoint, fetched, asked, tmp_path):
    rough = ask(checkpoint, fetched, tmp_path, "--precision", "bf16")
    values = [
        pl.read_parquet(folder / "measurements.parquet").filter(metric="bits_per_byte,none")["value"][0]
        for folder in (asked, rough)
    ]
    assert values[0] != values[1] and values[0] == pytest.approx(values[1], rel=0.05)


def test_what_the_harness_scores_without_a_number_is_null_with_the_reason(broken, fetched, asked, tmp_path):
    folder = ask(broken, fetched, tmp_path)
    found, whole = (pl.read_parquet(place / "measurements.parquet") for place in (folder, asked))
    assert found.select("probe", "shots", "metric", "n_items").equals(
        whole.select("probe", "shots", "metric", "n_items")
    )
    assert found["value"].null_count() == found["se"].null_count() == found.height
    reasons = dict(found.select("probe", "reason").iter_rows())
    assert set(reasons.values()) == {
        "11 of 11 items without a number: logits that are not finite, or all equal, in some passes of the task"
    }
    assert whole["reason"].null_count() == whole.height
    items = pl.read_parquet(folder / "items.parquet")
    assert items["reason"].null_count() == 0


@pytest.mark.parametrize(
    ("name", "shots", "message"),
    [
        ("my_wrds", [0], r"no task 'my_wrds', nor has the folder .*\nhint: did you mean 'my_words'\?"),
        ("my_group", [0], r"'my_group' of lm_eval is a group of tasks\nhint: name its tasks .*: My_Colours, my_words"),
        ("my_prose", [0, 3], r"'my_prose' is for 0 shots only .* but 3 are requested\nhint: "),
    ],
)  # fmt: skip
def test_what_is_no_task_to_ask_is_refused_with_a_way_out(tasks, tmp_path, name, shots, message):
    with pytest.raises(UserError, match=message):
        fetch(tasks, tmp_path / "out", name, shots)
    assert not (tmp_path / "out").exists()


def test_a_task_whose_data_are_not_there_is_refused(tmp_path):
    tasks = write_tasks(tmp_path / "tasks")
    (tasks / "test.jsonl").unlink()
    with pytest.raises(UserError, match=r"'my_words' of lm_eval .* cannot be loaded: .*\nhint: fetching needs"):
        fetch(tasks, tmp_path / "out", "my_words")


def test_a_task_fetched_by_another_version_is_refused(checkpoint, fetched, tmp_path):
    folder = shutil.copytree(fetched["my_prose"], tmp_path / "my_prose")
    record = read_json(folder / "task.json") | {"source": "lm_eval 0.1"}
    (folder / "task.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match=r"'my_prose' was fetched by lm_eval 0\.1, and lm_eval .* is installed\nhint: "):
        ask(checkpoint, fetched | {"my_prose": folder}, tmp_path / "asked")


def test_a_task_that_the_harness_brings_is_built_from_its_own_file_and_the_fetched_data(tmp_path, monkeypatch):
    import datasets

    from ripeness.measure.harness import fetched_task, task_folder

    row = {"question": "who ran", "choices": {"text": ["a cat", "the mat"], "label": ["A", "B"]}, "answerKey": "A"}
    rows = datasets.Dataset.from_list([row | {"id": str(number)} for number in range(3)])
    published = datasets.DatasetDict({"train": rows, "validation": rows, "test": rows, "unused": rows})
    monkeypatch.setattr(fetch_harness_task, "find_file", lambda name, _: task_folder() / "arc/arc_easy.yaml")
    with monkeypatch.context() as patch:
        patch.setattr(datasets, "load_dataset", lambda **_: published)
        record = read_json(fetch(None, tmp_path / "arc_easy", "arc_easy") / "task.json")
    assert (record["file"], record["is_shipped"], record["n_documents"]) == ("arc/arc_easy.yaml", True, 3)
    assert record["splits"] == {"train": 3, "validation": 3, "test": 3}
    task = fetched_task(tmp_path / "arc_easy", shots=2)
    assert task.config.num_fewshot == 2 and task.doc_to_text(task.eval_docs[0]) == "Question: who ran\nAnswer:"


@pytest.mark.parametrize("kind", ["prefix", "prompt"])
def test_virtual_tokens_stand_before_what_the_harness_asks_too(checkpoint, fetched, asked, examples, tmp_path, kind):
    settings = {"kind": kind, "tokens": 6, "learning_rate": 0.1, "epochs": 3, "batch_size": 4, "seed": 1}
    words = ["--checkpoint", str(checkpoint), "--examples", str(examples / "choice/train.parquet")]
    words += ["--settings", json.dumps(settings), "--record", str(tmp_path / "record.json")]
    train_model.main([*words, "--output", str(tmp_path / "model")])
    ask(tmp_path / "model", fetched, tmp_path / "tables")
    found = pl.read_parquet(tmp_path / "tables/measurements.parquet")
    untouched = pl.read_parquet(asked / "measurements.parquet")
    assert found["value"].null_count() == 0 and not found["value"].equals(untouched["value"])
    cut = pl.read_parquet(tmp_path / "tables/predictions.parquet")["is_truncated"].sum()
    assert cut >= pl.read_parquet(asked / "predictions.parquet")["is_truncated"].sum()
    data = datasets.load_from_disk(str(fetched["my_prose"] / "data"))["test"]
    texts = [f"{noun} ran" for noun in data["noun"]]
    pl.DataFrame({"item": list(map(str, range(len(texts)))), "text": texts}).write_parquet(tmp_path / "text.parquet")
    probe = {"suite": "a", "probe": "prose", "kind": "text", "format": "text", "shots": 0}
    words = ["--probes", json.dumps([probe | {"examples": str(tmp_path / "text.parquet")}])]
    predict.main(["--model", str(tmp_path / "model"), *words, "--output", str(tmp_path / "text_predictions.parquet")])
    read = pl.read_parquet(tmp_path / "text_predictions.parquet")
    (bits,) = found.filter(metric="bits_per_byte,none")["value"]
    assert bits == pytest.approx(read["nll"].sum() / read["n_bytes"].sum() / math.log(2), rel=1e-4)
