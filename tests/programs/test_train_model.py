"""train_model: a tuned model that is a checkpoint of its own, a record of its training, or an error that helps."""

import json
import math
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import torch
from safetensors.torch import load_file
from tuned_models import LORA, SETTINGS, apart, weights

import train_model
from ripeness.data.passages import DOCUMENT_BYTES, cut
from ripeness.models.load import load_model
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json
from ripeness.tables.columns import EXAMPLES, write_table
from ripeness.train.objectives import objective


def test_a_model_without_a_limit_is_tuned(endless, tmp_path, examples, stream):
    words = ["--examples", str(examples / "choice" / "train.parquet"), "--replay-text", str(stream)]
    words += ["--settings", json.dumps(SETTINGS | {"replay": 0.2}), "--record", str(tmp_path / "record.json")]
    train_model.main(["--checkpoint", str(endless), *words, "--output", str(tmp_path / "model")])
    record = read_json(tmp_path / "record.json")
    assert record["status"] == "done" and record["losses"][-1] < record["losses"][0]


def test_the_model_is_tuned_and_its_training_recorded(tune, checkpoint):
    folder = tune()
    record = read_json(folder / "record.json")
    assert record["settings"] == SETTINGS
    assert (record["status"], record["n_examples"], record["n_truncated"]) == ("done", 12, 0)
    assert len(record["losses"]) == 6
    assert record["losses"][-1] < record["losses"][0] - 0.5
    assert weights(folder) != (checkpoint / "model.safetensors").read_bytes()
    ours, theirs = (load_file(path / "model.safetensors") for path in (folder / "model", checkpoint))
    far, size = (
        math.sqrt(sum(w.double().square().sum() for w in many)) for many in (apart(ours, theirs), theirs.values())
    )
    assert (record["displacement"], record["relative_displacement"]) == pytest.approx((far, far / size))
    assert {path.name for path in (folder / "model").iterdir()} >= {"config.json", "tokenizer.json", "checkpoint.json"}
    assert not list(folder.glob(".*"))


def test_the_record_says_what_moved_what_was_read_and_how_large_the_state_is(tune, monkeypatch):
    folder, noted = tune(), {}
    record, n_weights = (
        read_json(folder / "record.json"),
        sum(w.numel() for w in load_model(folder / "model").parameters()),
    )
    assert record["trainable_parameters"] == n_weights and record["tokens_seen"] == record["n_tokens"]
    assert record["state_bytes"] == len(weights(folder)) >= 4 * n_weights
    monkeypatch.setattr(train_model, "note_usage", noted.update)
    small = read_json(tune("lora", **LORA | {"steps": 3}) / "record.json")
    assert small["trainable_parameters"] == 2 * 2 * (32 + 32) and small["state_bytes"] < record["state_bytes"] / 4
    assert noted["train_s"] > 0
    cut = read_json(tune("diverged", learning_rate=1e6, warmup_ratio=0.0, epochs=10) / "record.json")
    assert cut["tokens_seen"] == pytest.approx(cut["n_tokens"] * len(cut["losses"]) / 30, rel=0.2)


def test_replayed_text_counts_among_the_tokens_that_were_seen(tune, stream):
    record = read_json(tune("run", "--replay-text", str(stream), replay=0.5) / "record.json")
    assert record["n_replayed"] == 24 and record["tokens_seen"] == record["n_tokens"] + 24 * 64


def test_a_dose_is_the_beginning_of_a_larger_one(tune, examples, monkeypatch):
    read, encode = [], objective.encode_examples
    monkeypatch.setattr(objective, "encode_examples", lambda rows, *a, **k: read.append(rows) or encode(rows, *a, **k))
    records = [read_json(tune(str(n), examples=n) / "record.json") for n in (3, 8, 12)]
    assert [record["n_examples"] for record in records] == [3, 8, 12] == [len(rows) for rows in read]
    assert read[0] == read[1][:3] and read[1] == read[2][:8] and len({row[0] for row in read[2]}) == 12
    tune("another seed", examples=3, seed=2)
    assert read[3] != read[0]
    assert records[0]["settings"]["examples"] == 3 and records[0]["n_tokens"] < records[1]["n_tokens"]
    for wrong, message in (13, "13 examples are requested, but there are only 12"), (0, "examples: 0 is less than 1"):
        with pytest.raises(UserError, match=message):
            tune("wrong", examples=wrong)


def test_a_text_is_learned_token_by_token(tmp_path, checkpoint, tokenizer):
    lines = [f"the film was {'good' if n % 3 else 'bad'} and long, a dog sat on the mat" for n in range(300)]
    (tmp_path / "domain.txt").write_text("\n".join(lines) + "\n")

    def learn(name, *more, **changes):
        settings = json.dumps(SETTINGS | {"learns": "text", "learning_rate": 1e-3, "epochs": 2} | changes)
        words = ["--checkpoint", str(checkpoint), "--settings", settings, "--output", str(tmp_path / name / "model")]
        train_model.main([*words, "--record", str(tmp_path / name / "record.json"), *more])
        return tmp_path / name

    text = ["--text", str(tmp_path / "domain.txt")]
    folder = learn("full", *text)
    record = read_json(folder / "record.json")
    documents = cut((tmp_path / "domain.txt").read_text(), DOCUMENT_BYTES)
    n_tokens = sum(1 + len(tokenizer(document)["input_ids"]) for document in documents)
    assert record["n_examples"] == n_tokens // 64 > 30 and record["tokens_seen"] == 2 * 64 * record["n_examples"]
    model, window = load_model(checkpoint), (tokenizer.eos_token_id, *tokenizer(documents[0])["input_ids"])[:64]
    tokens = torch.tensor([window])
    loss = torch.nn.functional.cross_entropy(model(input_ids=tokens).logits[0, :-1], tokens[0, 1:])
    one_step = learn("first", *text, epochs=1, batch_size=10**4)  # the loss of all windows before any update
    assert read_json(one_step / "record.json")["losses"][0] == pytest.approx(loss.item(), rel=0.3)
    assert record["losses"][-1] < record["losses"][0] - 1
    small = learn("lora", *text, **LORA | {"epochs": 1})
    assert (small / "model/tuned.safetensors").is_file()
    (tmp_path / "short.txt").write_text("the film")
    for words, message in (
        (["--text", str(tmp_path / "short.txt")], "short.txt is shorter than one document"),
        (["--examples", str(tmp_path / "domain.txt")], "settings.learns is text, .* --text alone"),
        ([*text, "--examples", str(tmp_path / "domain.txt")], "--text alone"),
    ):
        with pytest.raises(UserError, match=message):
            learn("wrong", *words)
    with pytest.raises(UserError, match="settings.learns is answers, .* --examples alone"):
        learn("wrong", *text, learns=None)


def test_examples_may_be_lines_of_json_written_by_hand(tune, tmp_path, examples):
    rows = pl.read_parquet(examples / "choice" / "train.parquet").rows(named=True)
    lines = [json.dumps({"prompt": row["prompt"], "target": row["target"]}) for row in rows]
    (tmp_path / "train.jsonl").write_text("\n".join(lines) + "\n")
    by_hand = tune("by hand", data=tmp_path / "train.jsonl")
    assert weights(by_hand) == weights(tune())
    (tmp_path / "bad.jsonl").write_text(lines[0] + '\n{"prompt": "no target"}\n')
    with pytest.raises(UserError, match=r"bad.jsonl:2: not an example .*'target'.*\nhint: "):
        tune("bad", data=tmp_path / "bad.jsonl")


def test_tokens_are_counted_over_all_epochs(tune, examples, tokenizer):
    rows = pl.read_parquet(examples / "choice" / "train.parquet").rows(named=True)
    n_tokens = sum(len(tokenizer(row["prompt"] + row["target"])["input_ids"]) + 1 for row in rows)
    assert read_json(tune(epochs=3) / "record.json")["n_tokens"] == 3 * n_tokens


def test_the_same_seed_gives_the_same_files_and_another_seed_others(tune):
    first, again, other = tune("first"), tune("again"), tune("other", seed=2)
    assert weights(first) == weights(again) != weights(other)
    assert (first / "record.json").read_bytes() == (again / "record.json").read_bytes()


@pytest.mark.parametrize("learning_rate", [10.0, 1e6])
def test_divergence_is_recorded_and_not_an_error(tune, learning_rate):
    record = read_json(tune(learning_rate=learning_rate, warmup_ratio=0.0, epochs=10) / "record.json")
    assert record["status"] == "diverged"
    assert len(record["losses"]) > 1


def test_a_record_is_json_even_where_a_loss_is_no_number(tune):
    text = (tune(learning_rate=1e30, warmup_ratio=0.0, epochs=3) / "record.json").read_text()
    record = json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} is not JSON"))
    assert record["status"] == "diverged"


def test_text_is_read_again_as_often_as_the_share_says(tune, stream, tmp_path):
    plain, folder = tune(), tune("replay", "--replay-text", str(stream), replay=0.25)
    record = read_json(folder / "record.json")
    assert (record["n_replayed"], record["settings"]["replay"]) == (2 * 12 // 3, 0.25)
    assert record["n_tokens"] == read_json(plain / "record.json")["n_tokens"]  # of the examples
    assert weights(folder) != weights(plain)
    for options, changes in [((), {"replay": 0.25}), (("--replay-text", str(stream)), {})]:
        with pytest.raises(UserError, match=r"`replay` of the settings .* --replay-text names\nhint: "):
            tune("bad", *options, **changes)


def test_fewer_steps_are_fewer_tokens(tune, examples):
    record, whole = (
        read_json(tune(name, **more) / "record.json") for name, more in [("few", {"steps": 2}), ("all", {})]
    )
    assert (len(record["losses"]), len(whole["losses"])) == (2, 6)
    assert 0 < record["n_tokens"] < whole["n_tokens"]


def test_forgetting_on_a_text_is_measured_where_it_is_asked_for(tune, tmp_path):
    pl.DataFrame({"item": ["a", "b"], "text": ["the dog ran far", "a cat sat on mat"]}).write_parquet(
        tmp_path / "t.parquet"
    )
    plain, folder = tune(), tune("asked", "--curvature-text", str(tmp_path / "t.parquet"))
    record = read_json(folder / "record.json")
    losses = record.pop("text_losses")
    assert math.isfinite(record.pop("curvature"))
    assert losses["increase"] == pytest.approx(losses["tuned"] - losses["checkpoint"])
    assert record == read_json(plain / "record.json")
    assert weights(folder) == weights(plain)
    with pytest.raises(UserError, match=r"measured on one GPU\nhint: "):
        tune("two", "--curvature-text", str(tmp_path / "t.parquet"), "--gpus", "2")


def test_an_example_that_does_not_fit_leaves_nothing_behind(tune, tmp_path):
    row = {"item": "q9", "cluster": "q9", "prompt": "far " * 80, "choices": [], "gold": -1, "target": " good"}
    write_table(tmp_path / "long.parquet", [row], EXAMPLES)
    with pytest.raises(UserError, match="'q9' has 84 tokens .* the model reads 64"):
        tune(data=tmp_path / "long.parquet")
    assert not (tmp_path / "run").exists()


def test_a_mistake_ends_with_status_2_and_a_plain_message(tmp_path, examples):
    program = Path(train_model.__file__)
    command = [sys.executable, program, "--checkpoint", tmp_path / "nowhere"]
    command += ["--examples", examples / "choice" / "train.parquet", "--settings", json.dumps(SETTINGS)]
    command += ["--output", tmp_path / "model", "--record", tmp_path / "record.json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: there is no {tmp_path / 'nowhere'}\nhint: ")
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epoch": 8}, "unknown key 'epoch'\nhint: did you mean 'epochs'"),
        ({"schedule": "step"}, "unknown schedule 'step'"),
    ],
)
def test_settings_that_are_not_known_are_refused(tune, change, message):
    with pytest.raises(UserError, match=message):
        tune(**change)
