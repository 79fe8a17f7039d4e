"""Weights and tokenizers of other formats: converted once, or refused without running what they contain."""

import io
import json

import pytest
import torch
from hub_fixtures import BRANCH, MODEL, fetch, source_of
from safetensors.torch import load_file

from ripeness.models.convert import INDEX
from ripeness.models.load import load_model
from ripeness.models.tokens import load_tokenizer
from ripeness.runtime.errors import UserError


def pickled(tensors):
    buffer = io.BytesIO()
    torch.save(tensors, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("n_parts", [1, 2])
@pytest.mark.parametrize("is_tied", [False, True])
def test_pickled_weights_are_converted_once(hub, files, tiny_model, tokenizer, tmp_path, waits, n_parts, is_tied):
    model = tiny_model("gpt_neox", tie_word_embeddings=is_tied)
    tensors = model.state_dict()  # tied ones share their memory
    files = {name: content for name, content in files.items() if name.startswith(("tokenizer", "README"))}
    files["config.json"] = json.dumps(model.config.to_dict() | {"architectures": ["GPTNeoXForCausalLM"]}).encode()
    if n_parts == 1:
        files["pytorch_model.bin"] = pickled(tensors)
    else:
        names = {name: f"pytorch_model-0000{number % 2 + 1}-of-00002.bin" for number, name in enumerate(tensors)}
        for part in set(names.values()):
            files[part] = pickled({name: tensors[name] for name in tensors if names[name] == part})
        files["pytorch_model.bin.index.json"] = json.dumps({"weight_map": names}).encode()
    hub.repository(MODEL).add(BRANCH, files)
    output = fetch(tmp_path, source_of(hub))
    assert not list(output.glob("*.bin")) and (output / INDEX).exists() == (n_parts == 2)
    found = {name: tensor for path in output.glob("*.safetensors") for name, tensor in load_file(path).items()}
    assert found.keys() == tensors.keys() and all(torch.equal(found[name], tensors[name]) for name in found)
    text = torch.arange(5)[None]
    with torch.no_grad():
        assert torch.equal(load_model(output)(text).logits, model(text).logits)


class Evil:
    """What would run when it is unpickled."""

    def __reduce__(self):
        return (print, ("run!",))


def test_a_pickle_that_holds_more_than_weights_is_refused_and_not_run(hub, files, tmp_path, capsys, waits):
    del files["model.safetensors"]
    files["pytorch_model.bin"] = pickled({"a": torch.zeros(1), "b": Evil()})
    hub.repository(MODEL).add(BRANCH, files)
    message = rf"the checkpoint {MODEL} at {BRANCH}: pytorch_model.bin cannot be read without running what is in it"
    with pytest.raises(UserError, match=message):
        fetch(tmp_path, source_of(hub))
    assert "run!" not in capsys.readouterr().out


def test_a_tokenizer_of_two_files_is_converted_and_one_of_sentencepiece_refused(hub, files, tokenizer, tmp_path, waits):
    whole = files.pop("tokenizer.json")
    tokenizer.backend_tokenizer.model.save(str(tmp_path))
    files |= {name: (tmp_path / name).read_bytes() for name in ("vocab.json", "merges.txt")}
    files["tokenizer_config.json"] = json.dumps(
        {"tokenizer_class": "GPT2Tokenizer", "eos_token": "<|endoftext|>", "add_prefix_space": False}
    ).encode()
    hub.repository(MODEL).add(BRANCH, files)
    text = "the film was good, and longer\n than ever"
    assert load_tokenizer(fetch(tmp_path, source_of(hub)))(text) == tokenizer(text)
    assert json.loads(whole)["model"]["type"] == "BPE"
    del files["vocab.json"], files["merges.txt"]
    files["tokenizer.model"] = b"sentencepiece"
    hub.repository(MODEL).add(BRANCH, files)
    with pytest.raises(UserError, match=r"no tokenizer.json, but tokenizer.model \(SentencePiece\)\nhint: .*`path`"):
        fetch(tmp_path, source_of(hub))
