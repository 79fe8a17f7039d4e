"""predict: what a model says of every item of every probe, nothing scored."""

import copy
import json
import math

import polars as pl
import pytest
import torch
from chat_shapes import CHATML
from predicted_probes import PASSAGES
from transformers import AutoModelForCausalLM

import predict
from ripeness.measure.prompts import draw_shots
from ripeness.models.batching import IGNORED, encode_examples
from ripeness.models.next_token import Stopping
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import write_json
from ripeness.tables.columns import PREDICTIONS


def test_every_item_of_every_probe_has_a_row(predicted, probes):
    table = predicted(probes)
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


def test_options_have_the_log_likelihoods_that_one_reads_by_hand(predicted, probes, examples, reader):
    rows = pl.read_parquet(examples / "choice" / "test.parquet").rows(named=True)
    for found, row in zip(predicted(probes[:1]).rows(named=True), rows, strict=True):
        assert found["logps"] == pytest.approx([reader(row["prompt"], option) for option in row["choices"]], abs=1e-4)
        assert [found[key] for key in ("choices", "gold", "cluster")] == [
            row[key] for key in ("choices", "gold", "cluster")
        ]


def test_right_answers_have_the_loss_that_transformers_gives_the_tokens_that_training_learns(
    predicted, probes, examples, reader, checkpoint, tokenizer
):
    pool, rows = (pl.read_parquet(examples / "text" / f"{name}.parquet").to_dicts() for name in ("shots", "test"))
    files = {"examples": str(examples / "text" / "test.parquet"), "separator": "\n\n"}
    shots = probes[2] | files | {"shots": 1, "shot_examples": str(examples / "text" / "shots.parquet")}
    plain, after_shots = predicted([probes[2]]), predicted([shots], name="shots")
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


def test_a_right_answer_that_does_not_fit_or_is_empty_has_no_loss_and_stops_nothing(predicted, probes, tmp_path):
    targets = [" good", " far" * 70, ""]
    lines = [json.dumps({"prompt": "the film was", "target": target}) for target in targets]
    (tmp_path / "open.jsonl").write_text("\n".join(lines) + "\n")
    table = predicted([probes[2] | {"examples": str(tmp_path / "open.jsonl")}])
    assert table["n_tokens"].to_list() == [1, None, None]
    assert table["nll"].is_null().to_list() == [False, True, True]
    assert table["text"].null_count() == 0


def test_a_line_end_before_a_right_answer_is_read_with_the_prompt_as_in_training(
    predicted, probes, reader, tmp_path, tokenizer
):
    (tmp_path / "open.jsonl").write_text(json.dumps({"prompt": "the film was\n", "target": "good and long"}) + "\n")
    (row,) = predicted([probes[2] | {"examples": str(tmp_path / "open.jsonl")}]).rows(named=True)
    (learned,) = encode_examples([("a", "the film was\n", "good and long")], tokenizer, max_length=64)
    assert row["n_tokens"] == len([target for target in learned.targets if target != IGNORED]) - 1
    assert row["n_prompt_tokens"] == len(learned.tokens) - row["n_tokens"] - 1
    assert row["nll"] == pytest.approx(-reader("the film was\n", "good and long"), abs=1e-4)


def test_options_are_also_read_after_the_same_few_words(predicted, probes, reader, tokenizer):
    plain, found = predicted(probes[:1]), predicted([probes[0] | {"unconditional": "Answer:"}], name="alone")
    assert plain["logps_unconditional"].null_count() == 12
    assert found["logps"].to_list() == plain["logps"].to_list()
    alone = [reader("Answer:", option) for option in (" good", " bad")]
    for row in found.rows(named=True):
        assert row["logps_unconditional"] == pytest.approx(alone, abs=1e-4)
        assert row["n_option_tokens"] == [len(tokenizer(option)["input_ids"]) for option in row["choices"]]


def test_a_chat_is_asked_in_turns(predicted, probes, reader, tmp_path):
    turns = [{"role": "user", "content": "the film was long"}]
    lines = [
        {"turns": turns, "choices": ["good", "bad"], "gold": 1},
        {"turns": turns, "choices": ["bad", "yes"], "gold": 0},
    ]
    (tmp_path / "chat.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    table = predicted(
        [probes[0] | {"format": "chat", "examples": str(tmp_path / "chat.jsonl"), "unconditional": "Answer:"}]
    )
    asked = "User: the film was long\n\nAssistant:"
    assert table["logps"][0].to_list() == pytest.approx([reader(asked, " good"), reader(asked, " bad")], abs=1e-4)
    alone = reader("User: Answer:\n\nAssistant:", " bad")
    assert [table["logps_unconditional"][0][1], table["logps_unconditional"][1][0]] == pytest.approx(
        [alone] * 2, abs=1e-4
    )


def test_examples_may_be_lines_of_json_written_by_hand(predicted, probes, examples, tmp_path):
    rows = pl.read_parquet(examples / "choice" / "test.parquet").rows(named=True)
    keys = ("prompt", "choices", "gold")
    (tmp_path / "test.jsonl").write_text("".join(json.dumps({key: row[key] for key in keys}) + "\n" for row in rows))
    by_hand = predicted([probes[0] | {"examples": str(tmp_path / "test.jsonl")}], name="by-hand")
    assert by_hand["item"].to_list() == [f"test.jsonl:{number}" for number in range(1, 13)]
    assert by_hand.drop("item", "cluster").equals(predicted(probes[:1]).drop("item", "cluster"))


def test_half_precision_is_near_and_recorded(predicted, probes):
    half, single = predicted(probes[:1], "--precision", "bf16", name="half"), predicted(probes[:1])
    assert (set(half["precision"]), set(single["precision"])) == ({"bf16"}, {"fp32"})  # auto, without a GPU
    a, b = half["logps"].explode().to_list(), single["logps"].explode().to_list()
    assert a != b
    assert a == pytest.approx(b, abs=0.5)


def test_shots_change_with_the_seed_and_their_absence_does_not(predicted, probes):
    one, again, two = (predicted(probes[:2], "--seed", seed, name=seed) for seed in ("1", "1", "2"))
    assert one.equals(again)
    assert one[:12].equals(two[:12])
    assert one["logps"][12:].to_list() != two["logps"][12:].to_list()
    lengths = one["n_prompt_tokens"]
    assert all(few > zero for zero, few in zip(lengths[:12], lengths[12:], strict=True))


def test_shots_that_do_not_fit_are_dropped_and_counted(predicted, probes):
    table = predicted([probes[1] | {"shots": 8}])
    assert table["n_prompt_tokens"].max() <= 64
    assert table["n_dropped_shots"].min() > 0
    assert table["n_dropped_shots"].n_unique() > 1  # as many as each item needs
    assert predicted([probes[1] | {"shots": 1}])["n_dropped_shots"].to_list() == [0] * 12


def test_predictions_do_not_depend_on_the_batch(predicted, probes):
    single, many = predicted(probes, "--batch-tokens", "1", name="single"), predicted(probes, name="many")
    for a, b in zip(single.rows(named=True), many.rows(named=True), strict=True):
        assert a["logps"] == pytest.approx(b["logps"], abs=1e-4)
        assert a["nll"] == pytest.approx(b["nll"], abs=1e-4)
        assert a["text"] == b["text"]


def test_running_text_is_scored_whole_from_its_first_token(predicted, probes, reader, tokenizer):
    rows = predicted(probes[3:]).rows(named=True)
    for row, passage in zip(rows, PASSAGES, strict=True):
        assert row["n_tokens"] == len(tokenizer(passage)["input_ids"])
        assert row["n_bytes"] == len(passage.encode())
    assert rows[1]["n_tokens"] > 64  # longer than the model reads at once
    assert rows[0]["nll"] == pytest.approx(-reader("<|endoftext|>", PASSAGES[0]), abs=1e-4)


def test_options_say_which_of_them_have_the_same_text_and_are_read_alike(predicted, probes, tmp_path):
    lines = [
        {"prompt": "it is", "choices": [" good", " bad", " good"], "gold": 2},
        {"prompt": "it is", "choices": [" A", " B", " C"], "gold": 2, "same_text": [0, 1, 0]},
    ]
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    table = predicted([probes[0] | {"examples": str(tmp_path / "test.jsonl")}])
    assert table["same_text"].to_list() == [[0, 1, 0]] * 2
    assert table["same_tokens"].to_list() == [[0, 1, 0], [0, 1, 2]]


def test_a_mistake_in_the_last_probe_leaves_no_table(predicted, probes, tmp_path):
    with pytest.raises(UserError, match=r"13 shots requested, but the pool has only 12\nhint: "):
        predicted([probes[0], probes[1] | {"shots": 13}])
    assert not list(tmp_path.glob("*predictions*"))


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


def test_a_choice_without_choices_is_refused(predicted, probes, tmp_path):
    (tmp_path / "open.jsonl").write_text('{"prompt": "see", "target": " good"}\n')
    with pytest.raises(UserError, match=r"item 'open.jsonl:1' of .* has no choices\nhint: "):
        predicted([probes[0] | {"examples": str(tmp_path / "open.jsonl")}])
