"""Virtual tokens through the programs: trained, measured in every way, scored, and refused where they cannot be."""

import json
import shutil

import polars as pl
import pytest
import torch
from chat_shapes import CHATML
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache

import export_model
import measure_sensitivity
import predict
import score
import train_model
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json
from ripeness.tables.columns import EXAMPLES, write_table

PASSAGES = ["the dog ran far away", "a cat sat on the mat " * 5, "yes"]
SHARED = {"learning_rate": 3e-2, "epochs": 4, "batch_size": 4, "seed": 1}
KINDS = {
    "prefix": SHARED | {"kind": "prefix", "tokens": 6},
    "prompt": SHARED | {"kind": "prompt", "tokens": 6},
    "encoded": SHARED | {"kind": "prompt", "tokens": 6, "encoder": 8},
}


@pytest.fixture(scope="module")
def tune(tmp_path_factory, checkpoint, examples):
    """Give a function that tunes a checkpoint and returns the folder of model/ and record.json."""

    def run(*options, start=checkpoint, data=examples / "choice" / "train.parquet", **settings):
        folder = tmp_path_factory.mktemp("run")
        words = ["--checkpoint", str(start), "--examples", str(data), "--settings", json.dumps(settings), *options]
        train_model.main([*words, "--output", str(folder / "model"), "--record", str(folder / "record.json")])
        return folder

    return run


@pytest.fixture(scope="module")
def tuned(tune):
    return {name: tune(**settings) for name, settings in KINDS.items()}


@pytest.fixture
def probes(tmp_path, examples):
    pl.DataFrame({"item": ["p0", "p1", "p2"], "text": PASSAGES}).write_parquet(tmp_path / "text.parquet")
    choice = {"suite": "mine", "probe": "film", "kind": "choice", "format": "default", "shots": 0}
    files = {"examples": str(examples / "choice" / "test.parquet")}
    shots = {"shots": 3, "separator": "\n\n", "shot_examples": str(examples / "choice" / "shots.parquet")}
    written = {"probe": "see", "kind": "generation", "max_new_tokens": 6, "stop": "\n"}
    text = {"suite": "running", "probe": "prose", "kind": "text", "format": "text", "shots": 0}
    return [
        choice | files,
        choice | files | shots,
        choice | written | {"examples": str(examples / "text" / "test.parquet")},
        text | {"examples": str(tmp_path / "text.parquet")},
    ]


def predicted(model, probes, folder, *options):
    output = folder / "predictions.parquet"
    predict.main(["--model", str(model), "--probes", json.dumps(probes), "--output", str(output), *options])
    return pl.read_parquet(output)


@pytest.fixture(scope="module")
def plain(checkpoint):
    """Give the logits of texts after virtual tokens as transformers by itself has them."""
    model, tokenizer = AutoModelForCausalLM.from_pretrained(checkpoint), AutoTokenizer.from_pretrained(checkpoint)

    @torch.inference_mode()
    def logps(folder, context, answer):
        """Log-probability of tokens after others."""
        numbers, tokens = load_file(folder / "model/tuned.safetensors")["virtual_tokens"], torch.tensor([context])
        given = {"input_ids": torch.cat([tokens, torch.tensor([answer])], dim=1)}
        if read_json(folder / "model/tuned.json")["settings"]["kind"] == "prefix":
            past = DynamicCache()
            parts = numbers.view(1, 6, 4, 2, 8).permute(2, 0, 3, 1, 4)  # two layers, two heads of eight
            for layer in range(2):
                past.update(parts[2 * layer], parts[2 * layer + 1], layer)
            logits = model(**given, past_key_values=past).logits[0]
        else:
            texts = model.get_input_embeddings()(given["input_ids"])
            logits = model(inputs_embeds=torch.cat([numbers[None], texts], dim=1)).logits[0, 6:]
        rows = logits.log_softmax(-1)[len(context) - 1 : -1]
        return rows.gather(1, torch.tensor(answer)[:, None]).sum().item()

    return tokenizer, logps


@pytest.mark.parametrize("name", KINDS)
def test_all_that_is_measured_is_read_after_the_virtual_tokens(tuned, probes, examples, plain, tmp_path, name):
    tokenizer, logps = plain
    found = predicted(tuned[name] / "model", probes, tmp_path)
    rows = pl.read_parquet(examples / "choice/test.parquet").rows(named=True)
    for row, said in zip(rows, found.filter(probe="film", shots=0).rows(named=True), strict=True):
        for choice, logp in zip(row["choices"], said["logps"], strict=True):
            context, whole = (tokenizer(text)["input_ids"] for text in (row["prompt"], row["prompt"] + choice))
            assert logp == pytest.approx(logps(tuned[name], context, whole[len(context) :]), abs=1e-3)
    for text, said in zip(PASSAGES, found.filter(probe="prose").rows(named=True), strict=True):
        expected = logps(tuned[name], [0], tokenizer(text)["input_ids"])
        assert said["nll"] == pytest.approx(-expected, abs=1e-3)
    written = found.filter(probe="see")
    assert written["text"].null_count() == written["nll"].null_count() == 0
    assert found["reason"].null_count() == found.height


def test_less_room_is_left_for_shots(tuned, probes, checkpoint, tmp_path):
    wide = [probe | {"shots": 4} for probe in probes[1:2]]
    untouched, found = (predicted(model, wide, tmp_path) for model in (checkpoint, tuned["prefix"] / "model"))
    assert found["n_dropped_shots"].sum() > untouched["n_dropped_shots"].sum()
    assert found["n_prompt_tokens"].max() <= 64 - 6


@pytest.mark.parametrize("name", KINDS)
def test_a_chat_and_half_precision_are_measured(tuned, checkpoint, probes, tmp_path, name):
    folder = tmp_path / "study"
    shutil.copytree(tuned[name] / "model", folder / "model")
    shutil.copytree(checkpoint, folder / "base")
    record = json.loads((folder / "model/tuned.json").read_text())
    record["checkpoint"]["path"] = "../base"
    (folder / "model/tuned.json").write_text(json.dumps(record))
    (folder / "model/chat_template.jinja").write_text(CHATML, encoding="utf-8")
    row = {"item": "q1", "cluster": "q1", "choices": [" good", " bad"], "gold": 0, "target": " good"}
    turns = [{"role": "user", "content": "a film"}]
    write_table(tmp_path / "chat.parquet", [row | {"prompt": "", "turns": turns}], EXAMPLES)
    chat = [probes[0] | {"examples": str(tmp_path / "chat.parquet")}]
    full, half = (predicted(folder / "model", chat, tmp_path, "--precision", kind) for kind in ("fp32", "bf16"))
    assert half["logps"][0].to_list() == pytest.approx(full["logps"][0].to_list(), rel=0.05)
    assert half["logps"][0].to_list() != full["logps"][0].to_list()


def test_the_record_has_no_displacement_and_the_table_of_cells_says_why(tuned, probes, checkpoint, tmp_path):
    record = read_json(tuned["prefix"] / "record.json")
    assert record["losses"][-1] < record["losses"][0]
    assert not {"displacement", "curvature"} & record.keys()
    predicted(tuned["prefix"] / "model", probes, tmp_path)
    cell = {"study": "s", "dataset": "d", "format": "io", "method": "prefix", "learning_rate": 3e-2, "seed": 1}
    words = [
        "--predictions",
        str(tmp_path / "predictions.parquet"),
        "--checkpoint",
        str(checkpoint / "checkpoint.json"),
    ]
    words += ["--cell", json.dumps(cell), "--training", str(tuned["prefix"] / "record.json")]
    score.main([*words, *(f"--{name}={tmp_path / name}.parquet" for name in ("items", "measurements", "status"))])
    (row,) = pl.read_parquet(tmp_path / "status.parquet").rows(named=True)
    assert (row["status"], row["displacement"], row["relative_displacement"]) == ("done", None, None)


@pytest.mark.parametrize("name", KINDS)
def test_sensitivity_is_that_of_the_weights_alone(tuned, checkpoint, tmp_path, name):
    pl.DataFrame({"item": ["p0", "p1"], "text": PASSAGES[:2]}).write_parquet(tmp_path / "text.parquet")
    how = {"noise": {"relative": [0.1], "init": [0.1], "absolute": []}, "seeds": [1], "bits": [4]}
    words = ["--texts", json.dumps({"prose": str(tmp_path / "text.parquet")}), "--settings", json.dumps(how)]
    words += ["--model", str(tuned[name] / "model"), "--start", str(checkpoint)]
    measure_sensitivity.main([*words, "--output", str(tmp_path / "table.parquet")])
    table = pl.read_parquet(tmp_path / "table.parquet")
    probe = {"suite": "a", "probe": "prose", "kind": "text", "format": "text", "shots": 0}
    probe |= {"examples": str(tmp_path / "text.parquet")}
    found = predicted(tuned[name] / "model", [probe], tmp_path)
    expected = found["nll"].sum() / found["n_tokens"].sum()
    assert table["base_loss"].to_list() == pytest.approx([expected] * 3, abs=1e-6)
    assert all(abs(change) > 1e-4 for change in table["increase"])


def test_what_stays_attached_is_not_written_as_a_plain_model_and_no_training_starts_from_it(tuned, tune, tmp_path):
    for folder in tuned.values():
        with pytest.raises(UserError, match=r"stored next to the weights of its checkpoint and cannot .*\nhint: "):
            export_model.main([str(folder / "model"), str(tmp_path / "plain")])
        with pytest.raises(UserError, match=r"that starts from it would lose it\nhint: start from a "):
            tune(start=folder / "model", kind="full", **SHARED)
    assert not (tmp_path / "plain").exists()


def test_an_example_that_fits_without_virtual_tokens_alone_is_refused(tune, tmp_path):
    row = {"item": "q9", "cluster": "q9", "prompt": "far " * 55, "choices": [], "gold": -1, "target": " good"}
    write_table(tmp_path / "long.parquet", [row], EXAMPLES)
    with pytest.raises(
        UserError, match="'q9' has 59 tokens with its answer, but the model reads 58 after 6 virtual ones"
    ):
        tune(data=tmp_path / "long.parquet", **KINDS["prefix"])
    assert tune(data=tmp_path / "long.parquet", **KINDS["prefix"] | {"tokens": 5, "epochs": 1})


@pytest.mark.parametrize("n", [60, 64, 90])
def test_virtual_tokens_that_leave_no_room_are_refused_before_a_text_is_cut_into_windows(checkpoint, tmp_path, n):
    (tmp_path / "domain.txt").write_text("the film was good and long\n" * 400)
    settings = json.dumps(KINDS["prefix"] | {"tokens": n, "learns": "text"})
    words = ["--checkpoint", str(checkpoint), "--text", str(tmp_path / "domain.txt"), "--settings", settings]
    with pytest.raises(UserError, match=f"tokens: {n} virtual tokens leave no room for text in the 64 .*\nhint: "):
        train_model.main([*words, "--output", str(tmp_path / "model"), "--record", str(tmp_path / "record.json")])


@pytest.mark.parametrize("name", ["prefix", "prompt"])
def test_no_curvature_is_asked_for_where_no_weight_moves(tune, examples, name):
    with pytest.raises(UserError, match="do not change, so there is no curvature\nhint: leave out --curv"):
        tune("--curvature-text", str(examples / "choice" / "train.parquet"), **KINDS[name])
