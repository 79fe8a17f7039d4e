"""A model with adapters, from training to measuring: programs load it and know nothing of its kind."""

import json
import shutil

import polars as pl
import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import gelu
from transformers import AutoModelForCausalLM, AutoTokenizer

import export_model
import measure_sensitivity
import predict
import train_model
from ripeness.models.load import load_model
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json

HOW = {"kind": "adapter", "size": 4, "learning_rate": 3e-2, "epochs": 6, "batch_size": 4, "seed": 1}
FULL = {"kind": "full", "learning_rate": 1e-3, "epochs": 1, "batch_size": 4, "seed": 1}
PASSAGES = ["the dog ran far away", "a cat sat on the mat and is good", "yes"]


@pytest.fixture
def text(tmp_path):
    pl.DataFrame({"item": ["p0", "p1", "p2"], "text": PASSAGES}).write_parquet(tmp_path / "text.parquet")
    return tmp_path / "text.parquet"


@pytest.fixture
def tune(tmp_path, checkpoint, examples):
    """Give a function that runs the program and returns the folder with model/ and record.json."""

    def run(name, settings, *options, start=checkpoint):
        words = ["--checkpoint", start, "--examples", examples / "choice" / "train.parquet", *options]
        words += ["--output", tmp_path / name / "model", "--record", tmp_path / name / "record.json"]
        train_model.main([*map(str, words), "--settings", json.dumps(settings)])
        return tmp_path / name

    return run


def with_adapters(checkpoint, state):
    """The checkpoint by transformers, with the adapters of a state added by hand behind the parts that it names."""
    model = AutoModelForCausalLM.from_pretrained(checkpoint)
    for place in sorted({name.rsplit(".", 2)[0] for name in state}):
        down, down_bias, up, up_bias = (
            state[f"{place}.{inner}"] for inner in ("down.weight", "down.bias", "up.weight", "up.bias")
        )

        def add(part, args, output, down=down, down_bias=down_bias, up=up, up_bias=up_bias):
            first = output[0] if isinstance(output, tuple) else output
            first = first + gelu(first @ down.T + down_bias) @ up.T + up_bias
            return (first, *output[1:]) if isinstance(output, tuple) else first

        model.get_submodule(place).register_forward_hook(add)
    return model.eval()


@torch.no_grad()
def logp(model, tokenizer, prompt, answer):
    context, whole = tokenizer(prompt)["input_ids"], tokenizer(prompt + answer)["input_ids"]
    logps = model(torch.tensor([whole])).logits[0].log_softmax(-1)
    return sum(logps[i - 1, whole[i]].item() for i in range(len(context), len(whole)))


def test_programs_measure_a_model_with_the_adapters_that_were_learned(tune, checkpoint, examples, text, tmp_path):
    folder = tune("adapter", HOW)
    assert [path.name for path in (folder / "model").glob("*.safetensors")] == ["tuned.safetensors"]
    by_hand = with_adapters(checkpoint, load_file(folder / "model" / "tuned.safetensors"))
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    choice = {"suite": "mine", "probe": "film", "kind": "choice", "format": "default", "shots": 0}
    choice |= {"examples": str(examples / "choice" / "test.parquet")}
    probes = json.dumps([choice, {**choice, "probe": "prose", "kind": "text", "format": "text", "examples": str(text)}])
    for name, model in (("tuned", folder / "model"), ("base", checkpoint)):
        predict.main(["--model", str(model), "--probes", probes, "--output", str(tmp_path / f"{name}.parquet")])
    tuned, base = (pl.read_parquet(tmp_path / f"{name}.parquet") for name in ("tuned", "base"))
    rows = pl.read_parquet(examples / "choice" / "test.parquet").to_dicts()
    for row, said, before in zip(rows, tuned[:12].to_dicts(), base[:12].to_dicts(), strict=True):
        expected = [logp(by_hand, tokenizer, row["prompt"], option) for option in row["choices"]]
        assert said["logps"] == pytest.approx(expected, abs=1e-3)
        assert said["logps"] != pytest.approx(before["logps"], abs=0.1)
    assert tuned[12:]["nll"].to_list() == pytest.approx(
        [-logp(by_hand, tokenizer, "<|endoftext|>", passage) for passage in PASSAGES], abs=1e-3
    )


def test_the_sensitivity_of_a_model_with_adapters_is_that_of_its_own_weights(tune, checkpoint, text, tmp_path):
    folder = tune("adapter", HOW)
    settings = {"noise": {"init": [0.1], "relative": [0.1]}, "seeds": [1], "bits": [8]}
    words = ["--texts", json.dumps({"prose": str(text)}), "--settings", json.dumps(settings)]
    words += ["--model", str(folder / "model"), "--start", str(checkpoint)]
    measure_sensitivity.main([*words, "--output", str(tmp_path / "table.parquet")])
    table = pl.read_parquet(tmp_path / "table.parquet")
    by_hand = with_adapters(checkpoint, load_file(folder / "model" / "tuned.safetensors"))
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    lost = -sum(logp(by_hand, tokenizer, "<|endoftext|>", passage) for passage in PASSAGES)
    n_tokens = sum(len(tokenizer(passage)["input_ids"]) for passage in PASSAGES)
    assert table["base_loss"].to_list() == pytest.approx([lost / n_tokens] * 3, abs=1e-3)
    assert table["loss"].is_not_null().all() and (table["loss"] - table["base_loss"]).abs().min() > 1e-6


def test_a_model_whose_weights_stay_has_no_displacement_and_no_curvature(tune, text):
    with pytest.raises(UserError, match="do not change, so there is no curvature\nhint: leave out --curv"):
        tune("bent", HOW, "--curvature-text", text)
    record = read_json(tune("adapter", HOW) / "record.json")
    assert record["not_moved"].startswith("what was learned stands next to the weights")
    assert not record.keys() & {"displacement", "relative_displacement", "curvature", "text_losses"}
    moved = read_json(tune("full", FULL, "--curvature-text", text) / "record.json")
    assert moved.keys() >= {"displacement", "relative_displacement", "curvature", "text_losses"}


@pytest.mark.parametrize("settings", [FULL, HOW], ids=["full", "adapter"])
def test_no_training_starts_from_it_and_no_plain_folder_is_made_of_it(tune, tmp_path, settings):
    folder = tune("adapter", HOW) / "model"
    with pytest.raises(UserError, match=r"stored next to the weights .*\nhint: start from a checkpoint"):
        tune("again", settings, start=folder)
    with pytest.raises(UserError, match=r"stored next to the weights .*\nhint: "):
        export_model.main([str(folder), str(tmp_path / "plain")])
    assert not (tmp_path / "plain").exists() and not (tmp_path / "again" / "model").exists()


OF = {"kind": "fusion", "of": {"method": "adapter", "datasets": ["a", "b"]}}
FUSED = OF | {"learning_rate": 1e-3, "epochs": 2, "batch_size": 4, "seed": 1}


def test_a_fusion_is_tuned_of_models_with_adapters_and_needs_them_no_longer(tune, checkpoint, tmp_path):
    one, other = (tune(name, HOW | {"seed": seed}) / "model" for seed, name in enumerate(("one", "other"), start=1))
    folder = tune("fused", FUSED, "--of", one, other)
    learned, read = load_file(folder / "model" / "tuned.safetensors"), load_file(other / "tuned.safetensors")
    assert all(torch.equal(learned[name.replace(".down", ".adapters.1.down").replace(".up", ".adapters.1.up")], tensor)
               for name, tensor in read.items())  # fmt: skip
    shutil.rmtree(one)
    shutil.rmtree(other)
    model = load_model(folder / "model")
    tokens = torch.tensor([[5, 6, 7]])
    assert not torch.allclose(model(tokens).logits, load_model(checkpoint)(tokens).logits, atol=1e-2)
    assert read_json(folder / "record.json")["settings"]["of"] == OF["of"]


def test_a_fusion_of_other_models_than_its_settings_say_is_refused(tune, checkpoint, tmp_path):
    adapter, lora = (
        tune("adapter", HOW) / "model",
        tune("lora", FULL | {"kind": "lora", "rank": 2, "alpha": 4}) / "model",
    )
    moved = tune("full", FULL) / "model"
    elsewhere = tune("elsewhere", HOW, start=moved) / "model"
    for named, message in {
        (adapter,): r"--of names 1 models, but the settings of kind fusion name 2\nhint: ",
        (adapter, lora): r"lora/model has no state of kind adapter\nhint: ",
        (adapter, moved): r"full/model has no state of kind adapter\nhint: ",
        (adapter, elsewhere): r"elsewhere/model was tuned from another model than this training starts from\nhint: ",
    }.items():
        with pytest.raises(UserError, match=message):
            tune("fused", FUSED, "--of", *named)
    with pytest.raises(UserError, match=r"--of names 1 models, but the settings of kind adapter name 0\nhint: "):
        tune("again", HOW, "--of", adapter)
