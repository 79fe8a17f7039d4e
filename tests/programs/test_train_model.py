"""train_model: a tuned model that is a checkpoint of its own, a record of its training, or an error that helps."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer
from waiting import wait_for

import export_model
import train_model
from ripeness.data.passages import DOCUMENT_BYTES, cut
from ripeness.models.load import load_model
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json
from ripeness.tables.columns import EXAMPLES, write_table
from ripeness.train.objectives import objective

SETTINGS = {
    "kind": "full",
    "learning_rate": 3e-3,
    "epochs": 2,
    "batch_size": 4,
    "schedule": "linear",
    "warmup_ratio": 0.1,
    "weight_decay": 0.0,
    "clip": 1.0,
    "precision": "auto",
    "seed": 1,
}
LORA = {"kind": "lora", "rank": 2, "alpha": 4, "modules": ["q_proj"], "epochs": 6}


@pytest.fixture
def tune(tmp_path, checkpoint, examples):
    """Give a function that runs the program and returns the folder with model/ and record.json."""

    def run(name="run", *options, data=examples / "choice" / "train.parquet", start=checkpoint, **changes):
        train_model.main(
            [
                *options,
                "--checkpoint",
                str(start),
                "--examples",
                str(data),
                "--settings",
                json.dumps(SETTINGS | changes),
            ]
            + ["--output", str(tmp_path / name / "model"), "--record", str(tmp_path / name / "record.json")]
        )
        return tmp_path / name

    return run


def apart(ours, theirs):
    return [ours[name] - theirs[name] for name in theirs]


@pytest.fixture
def stream(tmp_path):
    """Write the training tokens of a corpus and give their file."""
    np.save(tmp_path / "train.npy", np.random.default_rng(0).integers(1, 300, 2000).astype(np.uint16))
    return tmp_path / "train.npy"


def weights(folder):
    return (folder / "model" / "model.safetensors").read_bytes()


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


def start_options(folder):
    return ["--start", str(folder / "model"), "--start-record", str(folder / "record.json")]


@pytest.mark.parametrize("kinds", [("full", "full"), ("lora", "full"), ("full", "lora"), ("lora", "lora", "lora")])
def test_a_training_starts_from_the_model_of_another(tune, checkpoint, kinds):
    changes = {"full": {}, "lora": LORA | {"epochs": 2}}
    folder = tune("0", **changes[kinds[0]])
    for place, kind in enumerate(kinds[1:], 1):
        exported = folder / "exported"
        export_model.main([str(folder / "model"), str(exported)])
        folder = tune(str(place), *start_options(folder), seed=2, **changes[kind])
    alone = tune("alone", start=exported, seed=2, **changes[kinds[-1]])
    assert read_json(folder / "record.json")["losses"] == read_json(alone / "record.json")["losses"]
    ours, theirs = (load_model(place / "model").state_dict() for place in (folder, alone))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    moved = apart(ours, {name: weight.detach() for name, weight in load_model(checkpoint).named_parameters()})
    far = math.sqrt(sum(weight.double().square().sum() for weight in moved))
    assert read_json(folder / "record.json")["displacement"] == pytest.approx(far, rel=1e-6)  # from the checkpoint


def test_a_small_state_whose_start_is_gone_says_so(tune, tmp_path):
    folder = tune("follower", *start_options(tune("first")), **LORA | {"steps": 1})
    (tmp_path / "first").rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=r"was tuned from is not at .*first/model\nhint: put it back"):
        load_model(folder / "model")


def test_a_dose_is_the_beginning_of_a_larger_one(tune, examples, monkeypatch):
    read, encode = [], objective.encode_examples
    monkeypatch.setattr(objective, "encode_examples", lambda rows, *a, **k: read.append(rows) or encode(rows, *a, **k))
    records = [read_json(tune(str(n), examples=n) / "record.json") for n in (3, 8, 12)]
    assert [record["n_examples"] for record in records] == [3, 8, 12] == [len(rows) for rows in read]
    assert read[0] == read[1][:3] and read[1] == read[2][:8] and len({row[0] for row in read[2]}) == 12
    tune("another seed", examples=3, seed=2)
    assert read[3] != read[0]
    assert records[0]["settings"]["examples"] == 3 and records[0]["n_tokens"] < records[1]["n_tokens"]
    for wrong, message in (13, "13 examples are wanted, but there are 12"), (0, "examples: 0 is less than 1"):
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


def test_nothing_is_tuned_from_a_model_that_diverged_but_the_grid_goes_on(tune):
    for name, changes in {"full": {}, "lora": LORA}.items():
        start = tune(f"start {name}", **changes | {"learning_rate": 1e6, "warmup_ratio": 0.0, "epochs": 10})
        assert read_json(start / "record.json")["status"] == "diverged"
        folder = tune(name, *start_options(start), **LORA)
        record = read_json(folder / "record.json")
        assert (record["status"], record["losses"], record["tokens_seen"]) == ("diverged", [None], 0)
        ours, theirs = (load_model(place / "model").state_dict() for place in (folder, start))
        assert all(torch.equal(ours[key].nan_to_num(), theirs[key].nan_to_num()) for key in theirs)


def test_small_states_that_lead_back_to_themselves_are_refused(tune):
    first = tune("first", **LORA | {"steps": 1})
    second = tune("second", *start_options(first), **LORA | {"steps": 1})
    record = read_json(first / "model/tuned.json")
    record["checkpoint"]["path"] = os.path.relpath(second / "model", first / "model")
    (first / "model/tuned.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match="leads back to it"):
        load_model(second / "model")


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


@pytest.mark.parametrize("changes", [{"epochs": 120}, LORA | {"epochs": 120}], ids=["full", "lora"])
def test_a_killed_training_goes_on_to_the_same_files(tune, tmp_path, checkpoint, examples, caplog, changes):
    expected = tune("whole", **changes)
    folder = tmp_path / "killed"
    command = [sys.executable, train_model.__file__, "--checkpoint", checkpoint, "--save-seconds", "0"]
    command += [
        "--examples",
        examples / "choice" / "train.parquet",
        "--settings",
        json.dumps(SETTINGS | changes),
    ]
    command += ["--output", folder / "model", "--record", folder / "record.json"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while not (folder / "record.state").exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    assert not (folder / "model").exists()
    with caplog.at_level("INFO"):
        tune("killed", **changes)
    assert "going on after step" in caplog.text
    name = "tuned.safetensors" if "rank" in changes else "model.safetensors"
    assert (folder / "model" / name).read_bytes() == (expected / "model" / name).read_bytes()
    assert (folder / "record.json").read_bytes() == (expected / "record.json").read_bytes()
    assert not (folder / "record.state").exists()


def test_text_is_read_again_as_often_as_the_share_says(tune, stream, tmp_path):
    plain, folder = tune(), tune("replay", "--replay-text", str(stream), replay=0.25)
    record = read_json(folder / "record.json")
    assert (record["n_replayed"], record["settings"]["replay"]) == (2 * 12 // 3, 0.25)
    assert record["n_tokens"] == read_json(plain / "record.json")["n_tokens"]  # of the examples
    assert weights(folder) != weights(plain)
    for options, changes in [((), {"replay": 0.25}), (("--replay-text", str(stream)), {})]:
        with pytest.raises(UserError, match=r"`replay` of the settings .* --replay-text names\nhint: "):
            tune("bad", *options, **changes)


def test_adapters_are_saved_as_a_small_state_which_stands_for_a_model_like_any_other(tune, checkpoint):
    folder = tune("lora", **LORA)
    record = read_json(folder / "record.json")
    assert record["settings"]["modules"] == ["q_proj"]
    assert {path.name for path in (folder / "model").glob("*.safetensors")} == {"tuned.safetensors"}
    ours, theirs = (load_model(path).state_dict() for path in (folder / "model", checkpoint))
    assert ours.keys() == theirs.keys()
    assert {name for name in theirs if not torch.equal(ours[name], theirs[name])} == {
        f"model.layers.{n}.self_attn.q_proj.weight" for n in (0, 1)
    }
    assert record["displacement"] == pytest.approx(math.sqrt(sum(w.square().sum() for w in apart(ours, theirs))))
    assert read_json(folder / "model" / "config.json") == read_json(checkpoint / "config.json")


def test_the_record_says_that_a_quantised_model_is_simulated(tune):
    record = read_json(tune("quantised", **LORA, quantised="nf4") / "record.json")
    assert record["quantised"] == {"to": "nf4", "simulated": True}
    assert record["settings"]["quantised"] == "nf4"
    assert record["displacement"] > 2 * read_json(tune("lora", **LORA) / "record.json")["displacement"]  # rounding too
    assert "quantised" not in read_json(tune("plain", **LORA) / "record.json")


def test_a_small_state_is_exported_as_a_folder_that_transformers_loads_by_itself(tune, tmp_path):
    folder = tune("lora", **LORA) / "model"
    with pytest.raises(OSError, match=r"no file named model.safetensors"):
        AutoModelForCausalLM.from_pretrained(folder)
    export_model.main([str(folder), str(tmp_path / "plain")])
    plain, ours = AutoModelForCausalLM.from_pretrained(tmp_path / "plain"), load_model(folder)
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), ours.parameters(), strict=True))
    words = AutoTokenizer.from_pretrained(tmp_path / "plain")("the film was", return_tensors="pt")
    assert torch.equal(plain(**words).logits, ours(**words).logits)
    with pytest.raises(UserError, match=r"overlaps with the input .*\nhint: "):
        export_model.main([str(folder), str(folder / "plain")])


def test_a_training_may_go_on_from_a_small_state_by_all_weights_or_once_it_is_exported(tune, tmp_path):
    folder = tune("lora", **LORA) / "model"
    with pytest.raises(UserError, match=r"is a small state .*kind lora.*\nhint: --start .*lora/model, and its"):
        tune("again", start=folder, **LORA)
    export_model.main([str(folder), str(tmp_path / "plain")])
    ours, theirs = tune("from-state", start=folder), tune("from-plain", start=tmp_path / "plain")
    assert weights(ours) == weights(theirs)
    assert (ours / "record.json").read_bytes() == (theirs / "record.json").read_bytes()
    tune("adapters", start=tmp_path / "plain", **LORA)


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


@pytest.mark.release
def test_two_processes_share_a_model_and_a_killed_training_of_theirs_goes_on(
    tune, tmp_path, checkpoint, examples, stream
):
    changes = {"epochs": 20, "pull": 0.01, "replay": 0.25}
    expected = tune("one", "--replay-text", str(stream), **changes)
    folder = tmp_path / "two"
    command = [sys.executable, train_model.__file__, "--checkpoint", checkpoint, "--gpus", "2", "--save-seconds", "0"]
    command += ["--examples", examples / "choice" / "train.parquet", "--output", folder / "model"]
    command += ["--settings", json.dumps(SETTINGS | changes), "--record", folder / "record.json"]
    command += ["--replay-text", stream]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment, start_new_session=True)
    while not (folder / "record.state").exists():
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for worker in workers_of(folder):
        os.kill(worker, signal.SIGKILL)
    assert not (folder / "model").exists()
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert "going on after step" in done.stderr
    ours, theirs = (read_json(path / "record.json") for path in (folder, expected))
    assert ours["losses"] == pytest.approx(theirs["losses"], abs=1e-4)
    assert ours["displacement"] == pytest.approx(theirs["displacement"], rel=1e-3)
    ours, theirs = (load_file(path / "model" / "model.safetensors") for path in (folder, expected))
    assert ours.keys() == theirs.keys()
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-4) for name in theirs)
    assert read_json(folder / "model" / "config.json") == read_json(expected / "model" / "config.json")


def test_workers_end_with_the_process_that_started_them(tmp_path, checkpoint, examples):
    command = [sys.executable, train_model.__file__, "--checkpoint", checkpoint, "--gpus", "2", "--save-seconds", "0"]
    command += ["--examples", examples / "choice" / "train.parquet", "--output", tmp_path / "model"]
    command += ["--settings", json.dumps(SETTINGS | {"epochs": 1000}), "--record", tmp_path / "record.json"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment)
    wait_for(lambda: (tmp_path / "record.state").exists() or process.poll() is not None)
    assert len(list(workers_of(tmp_path))) == 3  # with the process that started them
    process.kill()  # as SLURM and the kernel do; torchrun hears nothing of it
    process.wait()
    wait_for(lambda: not list(workers_of(tmp_path)))


def workers_of(folder):
    """Give the processes that work for this folder: torchrun gives each a session of its own."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder) in (process / "cmdline").read_text():
                yield int(process.name)
        except OSError:
            pass


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
