"""A model folder of others is looked at before anything in it is used; what is refused is one error with a hint."""

import json
import shutil
import time

import pytest
import torch
from safetensors.torch import load_file, save_file

from ripeness.models.convert import read_pickled
from ripeness.models.foreign_folder import check_chat_template, check_foreign
from ripeness.models.model_folder import check_json
from ripeness.runtime.errors import UserError

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0a\nsize 12\n"
ENDLESS = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}{{ messages[0].content }}"
TEMPLATES = {
    "nested loops": (ENDLESS, "more than 10 s"),
    "a long text": ("{{ 'x' * 10**11 }}", "too much memory"),
    "a doubled text": (
        "{% set n = namespace(a='xx') %}{% for i in range(60) %}{% set n.a = n.a ~ n.a %}{% endfor %}",
        "memory",
    ),
    "a drawn word": ("{{ ['a', 'b']|random }}{{ messages[0].content }}", "its text differs every time"),
    "a drawn word by map": ("{{ [['a']]|map('random')|list }}", "its text differs every time"),
    "filler text": ("{{ lipsum(n=5) }}", "its text differs every time"),
    "loops over the letters": (
        "{% for a in messages[0].content %}{% for b in messages[0].content %}{% for c in messages[0].content %}"
        "{% endfor %}{% endfor %}{% endfor %}{{ messages[0].content }}",
        "more than 10 s",
    ),
    "a text as large as a power of the turn's": (
        "{{ 'x' * (messages[0].content|length ** 3) }}{{ messages[0].content }}",
        "too much memory",
    ),
    "what is no text": ("{{ messages|map(attribute='content') }}", "its text differs every time"),
    "a function": ("{{ raise_exception }}{{ messages[0].content }}", "its text differs every time"),
}
GOOD = {
    "turns": "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}",
    "one that refuses": "{{ raise_exception('no system turn') }}",
    "one that does not parse": "{% for",
    "a date": "{{ strftime_now('%d') }}{{ messages[0].content }}",
    "a word for every letter": "{% for a in messages[0].content %}{{ a }} {% endfor %}",
    "a list": "{{ messages|map(attribute='content')|list }}",
    "a word": "at random {{ messages[0].content }}",
}


@pytest.fixture
def folder(checkpoint, tmp_path):
    return shutil.copytree(checkpoint, tmp_path / "model")


def refused(folder, words):
    with pytest.raises(UserError, match=rf"(?s){words}.*\nhint: ") as error:
        check_json(folder)
    assert str(error.value).count("hint: ") == 1 and str(folder) in str(error.value)


def change_json(path, **values):
    path.write_text(json.dumps((json.loads(path.read_text()) if path.exists() else {}) | values))


def test_a_good_folder_passes(folder):
    check_json(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "merges.txt", "pytorch_model.bin"])
def test_a_pointer_of_git_lfs_is_not_taken_for_a_damaged_file(folder, name):
    (folder / name).write_text(POINTER)
    refused(folder, f"{name} is a pointer of Git LFS")


def test_an_adapter_next_to_a_model_is_refused_since_the_two_would_be_loaded_as_one(folder):
    change_json(folder / "adapter_config.json", peft_type="LORA", base_model_name_or_path="elsewhere/model")
    refused(folder, "holds an adapter next to a model")


@pytest.mark.parametrize("kind", [torch.int32, torch.int8, torch.uint8, torch.bool])
def test_weights_of_whole_numbers_are_refused_and_a_table_of_positions_is_not(folder, kind):
    tensors = load_file(folder / "model.safetensors")
    save_file(tensors | {"model.position_ids": torch.arange(4)}, folder / "model.safetensors")
    check_json(folder)
    tensors["lm_head.weight"] = tensors["lm_head.weight"].to(kind)
    save_file(tensors, folder / "model.safetensors")
    refused(folder, "lm_head.weight consists of whole numbers")


@pytest.mark.parametrize("kind", [torch.float8_e4m3fn, torch.float8_e5m2])
@pytest.mark.parametrize("pickled", [False, True])
def test_weights_of_eight_bits_are_refused(folder, tmp_path, kind, pickled):
    tensors = {name: tensor.to(kind) for name, tensor in load_file(folder / "model.safetensors").items()}
    if pickled:
        torch.save(tensors, tmp_path / "pytorch_model.bin")
        with pytest.raises(UserError, match=r"consists of numbers of the type torch.float8.*\nhint: "):
            read_pickled(tmp_path / "pytorch_model.bin")
    else:
        save_file(tensors, folder / "model.safetensors")
        refused(folder, "consists of numbers of 8 bits or fewer")


def test_pickled_weights_of_whole_numbers_are_refused_and_a_table_of_positions_is_not(tmp_path):
    path = tmp_path / "pytorch_model.bin"
    torch.save({"a.weight": torch.rand(4, 4), "position_ids": torch.arange(9)}, path)
    assert set(read_pickled(path)) == {"a.weight", "position_ids"}
    torch.save({"a.weight": torch.ones(4, 4, dtype=torch.int8)}, path)
    with pytest.raises(UserError, match=r"a.weight consists of numbers of the type torch.int8.*\nhint: "):
        read_pickled(path)


@pytest.mark.parametrize("name", [7, None, ["a"], {"a": 1}])
def test_an_index_that_names_no_text_is_refused(folder, name):
    change_json(folder / "model.safetensors.index.json", weight_map={"a": name})
    refused(folder, "index.json names the file")


def test_a_normalizer_that_makes_a_text_many_times_as_long_is_refused(folder):
    longer = {"type": "Replace", "pattern": {"String": "e"}, "content": "e" * 1000}
    change_json(folder / "tokenizer.json", normalizer={"type": "Sequence", "normalizers": [longer] * 3})
    refused(folder, "its normalizer may make a text 1,000,000,000 times as long")
    change_json(folder / "tokenizer.json", normalizer=longer)
    check_json(folder)


@pytest.mark.parametrize("place", ["chat_template.jinja", "additional_chat_templates/a.jinja", "config", "list"])
@pytest.mark.parametrize("name", TEMPLATES)
def test_a_chat_template_without_bounds_or_with_chance_is_refused_wherever_it_stands(folder, name, place):
    template, words = TEMPLATES[name]
    if place != "chat_template.jinja" and "loops" in name:  # which take their time
        template = "{{ lipsum() }}"  # once is enough of what takes ten seconds
        words = "its text differs every time"
    if place in ("config", "list"):
        said = template if place == "config" else [{"name": "default", "template": template}]
        change_json(folder / "tokenizer_config.json", chat_template=said)
    else:
        (folder / place).parent.mkdir(exist_ok=True)
        (folder / place).write_text(template)
    began = time.process_time()
    refused(folder, words)
    assert time.process_time() - began < 5


@pytest.mark.parametrize("name", GOOD)
def test_other_chat_templates_pass(tmp_path, name):
    check_chat_template(tmp_path, GOOD[name])


@pytest.mark.parametrize("content", [b"", b"\xff" * 20, b"\xff\xff\xff\xff\xff\xff\xff\x7f{", b"\x02\0\0\0\0\0\0\0[]"])
def test_damaged_files_are_left_to_the_gate(folder, content):
    (folder / "model.safetensors").write_bytes(content)
    (folder / "tokenizer.json").write_bytes(content)
    check_foreign(folder)
