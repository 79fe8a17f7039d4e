"""predict: what a model says of every item of every probe, nothing scored."""

import copy
import json
import math
import shutil
from pathlib import Path

import polars as pl
import pytest
import torch
from chat_shapes import CHATML
from transformers import AutoModelForCausalLM, AutoTokenizer

import export_model
import predict
import train_model
from ripeness.measure.prompts import draw_shots
from ripeness.models.batching import IGNORED, encode_examples
from ripeness.models.load import load_model
from ripeness.models.next_token import Stopping
from ripeness.models.tuned_weights import save_model
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import write_json
from ripeness.tables.columns import PREDICTIONS

PASSAGES = ["the dog ran far away", "a cat sat on the mat é " * 9, "yes"]


@pytest.fixture
def probes(tmp_path, examples):
    pl.DataFrame({"item": ["p0", "p1", "p2"], "text": PASSAGES}).write_parquet(tmp_path / "text.parquet")
    choice = {"suite": "mine", "probe": "film", "kind": "choice", "format": "default", "shots": 0}
    return [
        choice | {"examples": str(examples / "choice" / "test.parquet")},
        choice
        | {"shots": 2, "separator": "\n\n"}
        | {role: str(examples / "choice" / f"{name}.parquet") for role, name in FILES.items()},
        choice
        | {"probe": "see", "kind": "generation", "max_new_tokens": 6, "stop": "\n"}
        | {"examples": str(examples / "text" / "test.parquet")},
        {"suite": "running", "probe": "prose", "kind": "text", "format": "text", "shots": 0}
        | {"examples": str(tmp_path / "text.parquet")},
    ]


FILES = {"examples": "test", "shot_examples": "shots"}


@pytest.fixture
def run(tmp_path, checkpoint):
    """Give a function that runs the program on probes and returns its table."""

    def run(probes, *options, name="predictions"):
        output = tmp_path / f"{name}.parquet"
        predict.main(["--model", str(checkpoint), "--probes", json.dumps(probes), "--output", str(output), *options])
        return pl.read_parquet(output)

    return run


@pytest.fixture
def reader(checkpoint):
    """Give the log-likelihood of an answer, read as one would by hand."""
    model, tokenizer = AutoModelForCausalLM.from_pretrained(checkpoint), AutoTokenizer.from_pretrained(checkpoint)

    @torch.inference_mode()
    def logp(prompt, answer):
        context, whole = tokenizer(prompt)["input_ids"], tokenizer(prompt + answer)["input_ids"]
        logps = model(torch.tensor([whole])).logits[0].log_softmax(-1)
        return sum(logps[i - 1, whole[i]].item() for i in range(len(context), len(whole)))

    return logp


def test_every_item_of_every_probe_has_a_row(run, probes):
    table = run(probes)
    assert table.schema == pl.Schema(PREDICTIONS)
    counts = table.group_by("suite", "probe", "probe_kind", "probe_format", "shots", maintain_order=True).len().rows()
    assert counts == [
        ("mine", "film", "choice", "default", 0, 12),
        ("mine", "film", "choice", "default", 2, 12),
        ("mine", "see", "generation", "default", 0, 12),
        ("running", "prose", "text", "text", 0, 3),
    ]
    assert table["item"][:12].to_list() == [f"test:{n}" for n in range(12)]
    assert set(table["split"]) == {"test"}
    assert not table["is_truncated"].any()


def test_options_have_the_log_likelihoods_that_one_reads_by_hand(run, probes, examples, reader):
    rows = pl.read_parquet(examples / "choice" / "test.parquet").rows(named=True)
    for found, row in zip(run(probes[:1]).rows(named=True), rows, strict=True):
        assert found["logps"] == pytest.approx([reader(row["prompt"], option) for option in row["choices"]], abs=1e-4)
        assert [found[key] for key in ("choices", "gold", "cluster")] == [
            row[key] for key in ("choices", "gold", "cluster")
        ]


def test_right_answers_have_the_loss_that_transformers_gives_the_tokens_that_training_learns(
    run, probes, examples, reader, checkpoint, tokenizer
):
    pool, rows = (pl.read_parquet(examples / "text" / f"{name}.parquet").to_dicts() for name in ("shots", "test"))
    files = {"examples": str(examples / "text" / "test.parquet"), "separator": "\n\n"}
    shots = probes[2] | files | {"shots": 1, "shot_examples": str(examples / "text" / "shots.parquet")}
    plain, after_shots = run([probes[2]]), run([shots], name="shots")
    learned = encode_examples([(row["item"], row["prompt"], row["target"]) for row in rows], tokenizer, max_length=64)
    model = AutoModelForCausalLM.from_pretrained(checkpoint)
    for found, row, example in zip(plain.rows(named=True), rows, learned, strict=True):
        assert found["nll"] == pytest.approx(-reader(row["prompt"], row["target"]), abs=1e-4)
        n_answer = found["n_tokens"] + 1  # with the end of text
        assert example.targets == [IGNORED] * (len(example.tokens) - n_answer) + example.tokens[-n_answer:]
        labels = torch.tensor([example.targets[:-1]])
        loss = model(torch.tensor([example.tokens[:-1]]), labels=labels).loss.item()  # a mean over the answer's tokens
        assert found["nll"] / found["n_tokens"] == pytest.approx(loss, abs=1e-4)
    (shot,) = draw_shots(pool, 1, seed=0)
    for found, row in zip(after_shots.rows(named=True), rows, strict=True):
        before = "" if found["n_dropped_shots"] else f"{shot}\n\n"
        assert found["nll"] == pytest.approx(-reader(before + row["prompt"], row["target"]), abs=1e-4)


def test_a_right_answer_that_does_not_fit_or_is_empty_has_no_loss_and_stops_nothing(run, probes, tmp_path):
    targets = [" good", " far" * 70, ""]
    lines = [json.dumps({"prompt": "the film was", "target": target}) for target in targets]
    (tmp_path / "open.jsonl").write_text("\n".join(lines) + "\n")
    table = run([probes[2] | {"examples": str(tmp_path / "open.jsonl")}])
    assert table["n_tokens"].to_list() == [1, None, None]
    assert table["nll"].is_null().to_list() == [False, True, True]
    assert table["text"].null_count() == 0


def test_a_line_end_before_a_right_answer_is_read_with_the_prompt_as_in_training(
    run, probes, reader, tmp_path, tokenizer
):
    (tmp_path / "open.jsonl").write_text(json.dumps({"prompt": "the film was\n", "target": "good and long"}) + "\n")
    (row,) = run([probes[2] | {"examples": str(tmp_path / "open.jsonl")}]).rows(named=True)
    (learned,) = encode_examples([("a", "the film was\n", "good and long")], tokenizer, max_length=64)
    assert row["n_tokens"] == len([target for target in learned.targets if target != IGNORED]) - 1
    assert row["n_prompt_tokens"] == len(learned.tokens) - row["n_tokens"] - 1
    assert row["nll"] == pytest.approx(-reader("the film was\n", "good and long"), abs=1e-4)


def test_options_are_also_read_after_the_same_few_words(run, probes, reader, tokenizer):
    plain, found = run(probes[:1]), run([probes[0] | {"unconditional": "Answer:"}], name="alone")
    assert plain["logps_unconditional"].null_count() == 12
    assert found["logps"].to_list() == plain["logps"].to_list()
    alone = [reader("Answer:", option) for option in (" good", " bad")]
    for row in found.rows(named=True):
        assert row["logps_unconditional"] == pytest.approx(alone, abs=1e-4)
        assert row["n_option_tokens"] == [len(tokenizer(option)["input_ids"]) for option in row["choices"]]


def test_a_chat_is_asked_in_turns(run, probes, reader, tmp_path):
    turns = [{"role": "user", "content": "the film was long"}]
    lines = [
        {"turns": turns, "choices": ["good", "bad"], "gold": 1},
        {"turns": turns, "choices": ["bad", "yes"], "gold": 0},
    ]
    (tmp_path / "chat.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    table = run([probes[0] | {"format": "chat", "examples": str(tmp_path / "chat.jsonl"), "unconditional": "Answer:"}])
    asked = "User: the film was long\n\nAssistant:"
    assert table["logps"][0].to_list() == pytest.approx([reader(asked, " good"), reader(asked, " bad")], abs=1e-4)
    alone = reader("User: Answer:\n\nAssistant:", " bad")
    assert [table["logps_unconditional"][0][1], table["logps_unconditional"][1][0]] == pytest.approx(
        [alone] * 2, abs=1e-4
    )


def test_examples_may_be_lines_of_json_written_by_hand(run, probes, examples, tmp_path):
    rows = pl.read_parquet(examples / "choice" / "test.parquet").rows(named=True)
    keys = ("prompt", "choices", "gold")
    (tmp_path / "test.jsonl").write_text("".join(json.dumps({key: row[key] for key in keys}) + "\n" for row in rows))
    by_hand = run([probes[0] | {"examples": str(tmp_path / "test.jsonl")}], name="by-hand")
    assert by_hand["item"].to_list() == [f"test.jsonl:{number}" for number in range(1, 13)]
    assert by_hand.drop("item", "cluster").equals(run(probes[:1]).drop("item", "cluster"))


def test_half_precision_is_near_and_recorded(run, probes):
    half, single = run(probes[:1], "--precision", "bf16", name="half"), run(probes[:1])
    assert (set(half["precision"]), set(single["precision"])) == ({"bf16"}, {"fp32"})  # auto, without a GPU
    a, b = half["logps"].explode().to_list(), single["logps"].explode().to_list()
    assert a != b
    assert a == pytest.approx(b, abs=0.5)


def test_shots_change_with_the_seed_and_their_absence_does_not(run, probes):
    one, again, two = (run(probes[:2], "--seed", seed, name=seed) for seed in ("1", "1", "2"))
    assert one.equals(again)
    assert one[:12].equals(two[:12])
    assert one["logps"][12:].to_list() != two["logps"][12:].to_list()
    lengths = one["n_prompt_tokens"]
    assert all(few > zero for zero, few in zip(lengths[:12], lengths[12:], strict=True))


def test_shots_that_do_not_fit_are_dropped_and_counted(run, probes):
    table = run([probes[1] | {"shots": 8}])
    assert table["n_prompt_tokens"].max() <= 64
    assert table["n_dropped_shots"].min() > 0
    assert table["n_dropped_shots"].n_unique() > 1  # as many as each item needs
    assert run([probes[1] | {"shots": 1}])["n_dropped_shots"].to_list() == [0] * 12


def test_predictions_do_not_depend_on_the_batch(run, probes):
    single, many = run(probes, "--batch-tokens", "1", name="single"), run(probes, name="many")
    for a, b in zip(single.rows(named=True), many.rows(named=True), strict=True):
        assert a["logps"] == pytest.approx(b["logps"], abs=1e-4)
        assert a["nll"] == pytest.approx(b["nll"], abs=1e-4)
        assert a["text"] == b["text"]


def test_running_text_is_scored_whole_from_its_first_token(run, probes, reader, tokenizer):
    rows = run(probes[3:]).rows(named=True)
    for row, passage in zip(rows, PASSAGES, strict=True):
        assert row["n_tokens"] == len(tokenizer(passage)["input_ids"])
        assert row["n_bytes"] == len(passage.encode())
    assert rows[1]["n_tokens"] > 64  # longer than the model reads at once
    assert rows[0]["nll"] == pytest.approx(-reader("<|endoftext|>", PASSAGES[0]), abs=1e-4)


def test_what_is_no_number_is_null_with_the_reason_in_every_kind_of_probe(run, probes, broken, caplog):
    probes = [probes[0] | {"unconditional": "Answer:"}, *probes[1:]]
    with caplog.at_level("WARNING"):
        table = run(probes, "--model", str(broken), name="broken")
    assert table["reason"].null_count() == 0
    choices = table.filter(probe_kind="choice")
    assert choices["logps"].to_list() == [[None, None]] * 24
    assert choices["logps_unconditional"][:12].to_list() == [[None, None]] * 12
    assert choices["reason"][0].startswith("no finite log-likelihood of 2 of 2 options; ")
    others = table.filter(pl.col("probe_kind") != "choice")
    assert others["nll"].null_count() == others["text"].null_count() == others.height == 15
    assert "prose: 3 of 3 items without a number: no finite log-likelihood of the text" in caplog.text


@pytest.mark.parametrize("architecture", ["llama", "mamba"])  # options side by side, and one by one
def test_no_kind_of_model_counts_nan_for_an_answer(run, probes, tiny_model, tokenizer, tmp_path, architecture):
    model = tiny_model(architecture)
    model.get_output_embeddings().weight.data.fill_(float("nan"))
    model.save_pretrained(tmp_path / "nan")
    tokenizer.save_pretrained(tmp_path / "nan")
    table = run(probes, "--model", str(tmp_path / "nan"), name=architecture)
    assert table["reason"].null_count() == 0
    assert table["logps"].explode().drop_nulls().is_empty() and table["text"].drop_nulls().is_empty()


def test_options_say_which_of_them_have_the_same_text_and_are_read_alike(run, probes, tmp_path):
    lines = [
        {"prompt": "it is", "choices": [" good", " bad", " good"], "gold": 2},
        {"prompt": "it is", "choices": [" A", " B", " C"], "gold": 2, "same_text": [0, 1, 0]},
    ]
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    table = run([probes[0] | {"examples": str(tmp_path / "test.jsonl")}])
    assert table["same_text"].to_list() == [[0, 1, 0]] * 2
    assert table["same_tokens"].to_list() == [[0, 1, 0], [0, 1, 2]]


def test_a_diverged_model_is_not_measured(run, probes, tmp_path):
    write_json(tmp_path / "record.json", {"status": "diverged"})
    table = run(probes, "--training", str(tmp_path / "record.json"))
    assert (table.height, table.schema) == (0, pl.Schema(PREDICTIONS))


def test_a_model_whose_training_is_done_is_measured(run, probes, tmp_path):
    write_json(tmp_path / "record.json", {"status": "done"})
    table = run(probes[:1], "--training", str(tmp_path / "record.json"))
    assert all(map(math.isfinite, table["logps"].explode()))


@pytest.mark.parametrize("status", ["done", "diverged"])
def test_a_tuned_model_is_deleted_once_it_is_measured(run, probes, checkpoint, tmp_path, status):
    save_model(load_model(checkpoint), checkpoint, tuned := tmp_path / "tuned")
    write_json(tmp_path / "record.json", {"status": status})
    run(probes[:1], "--model", str(tuned), "--training", str(tmp_path / "record.json"), "--delete-model")
    assert tuned.is_dir() and not list(tuned.iterdir())


def test_a_small_state_is_measured_as_the_model_that_it_stands_for_and_deleted_like_one(
    run, probes, checkpoint, examples, tmp_path
):
    small, record = tmp_path / "small", tmp_path / "record.json"
    how = {"kind": "lora", "rank": 4, "alpha": 8, "learning_rate": 1e-2, "epochs": 2, "batch_size": 4, "seed": 1}
    words = ["--checkpoint", str(checkpoint), "--examples", str(examples / "choice" / "train.parquet")]
    train_model.main([*words, "--settings", json.dumps(how), "--output", str(small), "--record", str(record)])
    export_model.main([str(small), str(tmp_path / "whole")])
    found = {
        place: run(probes, "--model", str(tmp_path / place), "--training", str(record), "--delete-model", name=place)
        for place in ("small", "whole")
    }
    assert found["small"].equals(found["whole"])
    assert not found["small"].equals(run(probes, name="base"))
    assert small.is_dir() and not list(small.iterdir())


@pytest.mark.parametrize("status", ["done", "diverged"])
def test_a_folder_that_was_not_tuned_here_is_never_deleted(run, probes, checkpoint, tmp_path, status):
    """One with links to the files of another, as of a model of which only the weights differ, and with a note."""
    base, tuned = Path(shutil.copytree(checkpoint, tmp_path / "base")), tmp_path / "tuned"
    (base / "notes.txt").write_text("mine")
    tuned.mkdir()
    for path in base.iterdir():
        (tuned / path.name).symlink_to(path)
    write_json(tmp_path / "record.json", {"status": status})
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=r"was not tuned here, and is not deleted\nhint: "):
        run(probes[:1], "--model", str(tuned), "--training", str(tmp_path / "record.json"), "--delete-model")
    assert before.items() <= {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}.items()


def test_an_untouched_checkpoint_is_never_deleted(run, probes, checkpoint, tmp_path):
    same = Path(shutil.copytree(checkpoint, tmp_path / "same"))
    run(probes[:1], "--model", str(same), "--delete-model")
    assert {path.name for path in same.iterdir()} == {path.name for path in checkpoint.iterdir()}


def test_a_mistake_in_the_last_probe_leaves_no_table(run, probes, tmp_path):
    with pytest.raises(UserError, match=r"13 shots requested, but the pool has only 12\nhint: "):
        run([probes[0], probes[1] | {"shots": 13}])
    assert not list(tmp_path.glob("*predictions*"))


def test_a_model_that_is_not_there_is_refused(probes, tmp_path):
    with pytest.raises(UserError, match=r"there is no .*nowhere\nhint: "):
        predict.main(["--model", str(tmp_path / "nowhere"), "--probes", json.dumps(probes), "--output", "unused"])


def test_a_chat_ends_with_a_turn_of_its_template_and_text_where_the_folder_says(tmp_path, tiny_model, tokenizer):
    made = copy.deepcopy(tokenizer)
    made.add_special_tokens({"additional_special_tokens": ["<|im_end|>"]})
    model = tiny_model("llama")
    model.save_pretrained(tmp_path)
    write_json(tmp_path / "generation_config.json", {"eos_token_id": [0, 9]})
    loaded, probe = AutoModelForCausalLM.from_pretrained(tmp_path), {"stop": "\n", "max_new_tokens": 4}
    chat = [{"turns": [{"role": "user", "content": "see"}]}]
    assert predict.stopping_of(loaded, made, probe, [{"turns": []}]) == Stopping(4, ("\n",), frozenset({0, 9}))
    assert predict.stopping_of(loaded, made, probe, chat) == Stopping(4, ("\n", "\n\nUser:"), frozenset({0, 9}))
    made.chat_template = CHATML
    end = made.convert_tokens_to_ids("<|im_end|>")
    assert predict.stopping_of(loaded, made, probe, chat) == Stopping(4, ("\n",), frozenset({0, 9, end}))


def test_a_model_without_a_limit_reads_prompts_and_running_text(endless, tmp_path, probes):
    output = tmp_path / "predictions.parquet"
    predict.main(["--model", str(endless), "--probes", json.dumps(probes), "--output", str(output)])
    table = pl.read_parquet(output)
    assert set(table["probe"]) == {"film", "see", "prose"}
    assert all(math.isfinite(nll) for nll in table.filter(probe="prose")["nll"])


@pytest.mark.parametrize("output", ["model/model.safetensors", "model/new.parquet", "probes.json", "open.jsonl"])
def test_an_output_that_is_read_is_refused(checkpoint, tmp_path, output):
    shutil.copytree(checkpoint, tmp_path / "model")
    (tmp_path / "open.jsonl").write_text('{"prompt": "see", "target": " good"}\n')
    probe = {
        "suite": "a",
        "probe": "b",
        "kind": "generation",
        "format": "default",
        "shots": 0,
        "stop": "",
        "max_new_tokens": 2,
    }
    (tmp_path / "probes.json").write_text(json.dumps([probe | {"examples": str(tmp_path / "open.jsonl")}]))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    options = ["--model", str(tmp_path / "model"), "--probes", str(tmp_path / "probes.json")]
    with pytest.raises(UserError, match=r"overlaps with the input .*\nhint: give another output"):
        predict.main([*options, "--output", str(tmp_path / output)])
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_a_choice_without_choices_is_refused(run, probes, tmp_path):
    (tmp_path / "open.jsonl").write_text('{"prompt": "see", "target": " good"}\n')
    with pytest.raises(UserError, match=r"item 'open.jsonl:1' of .* has no choices\nhint: "):
        run([probes[0] | {"examples": str(tmp_path / "open.jsonl")}])
