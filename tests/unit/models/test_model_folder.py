"""What a model's folder may hold: links that stay within, JSON of the right kind, weights as large as their files."""

import json
import pickle
import shutil
import zipfile

import pytest
import torch

from ripeness.models.convert import read_pickled
from ripeness.models.load import load_config, load_model
from ripeness.models.model_folder import check_json, check_links
from ripeness.models.tokens import load_tokenizer
from ripeness.runtime.errors import UserError


@pytest.fixture
def folder(checkpoint, tmp_path):
    return shutil.copytree(checkpoint, tmp_path / "model")


@pytest.mark.parametrize(
    "name", ["chat_template.jinja", "tokenizer_config.json", "merges.txt", "tokenizer.model", "generation_config.json"]
)
@pytest.mark.parametrize("how", ["outright", "relative", "by a link within", "by a folder", "to nothing"])
def test_a_small_file_that_is_a_link_out_of_the_folder_is_refused(folder, tmp_path, name, how):
    (tmp_path / "home").mkdir()
    (tmp_path / "home/secret").write_text("{}")
    (folder / name).unlink(missing_ok=True)
    if how == "by a link within":
        (folder / "inner").symlink_to(tmp_path / "home/secret")
    if how == "by a folder":
        (folder / "home").symlink_to(tmp_path / "home")
    targets = {"outright": tmp_path / "home/secret", "relative": "../home/secret", "by a link within": "inner"}
    (folder / name).symlink_to(targets.get(how, "home/secret" if how == "by a folder" else "/nowhere/secret"))
    for load in (check_links, load_tokenizer, load_config, load_model):
        with pytest.raises(UserError, match=rf"{name} is a link out of its folder, to .*\nhint: "):
            load(folder)


@pytest.mark.parametrize("name", ["additional_chat_templates", "additional_chat_templates/rag.jinja"])
def test_templates_in_a_folder_of_their_own_are_no_way_out(folder, tmp_path, name):
    (tmp_path / "elsewhere").mkdir()
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="is a link out of its folder"):
        check_links(folder)


def test_links_within_the_folder_and_weights_elsewhere_are_fine(folder, tmp_path):
    shutil.move(folder / "model.safetensors", tmp_path / "large.safetensors")
    (folder / "model.safetensors").symlink_to(tmp_path / "large.safetensors")
    (folder / "config.json").rename(folder / "config-v2.json")
    (folder / "config.json").symlink_to("config-v2.json")
    (folder / "readme").symlink_to("/nowhere")  # which nothing reads
    assert load_model(folder)
    with pytest.raises(UserError, match="model.safetensors is a link out of its folder"):
        check_links(folder, with_weights=True)


def in_cache(folder, home, name="config.json", blob="a" * 40):
    """The folder in the layout of the hub's cache, with one file as a link to a blob."""
    snapshot = shutil.copytree(folder, home / "models--x--y/snapshots" / ("c" * 40))
    (home / "models--x--y/blobs").mkdir()
    (snapshot / name).rename(home / "models--x--y/blobs" / blob)
    (snapshot / name).symlink_to(f"../../blobs/{blob}")
    return snapshot


@pytest.mark.parametrize("blob", ["a" * 40, "0" * 64])
def test_the_hub_s_own_cache_of_links_is_read(folder, tmp_path, blob):
    for place, name in enumerate(("config.json", "model.safetensors")):
        snapshot = in_cache(folder, tmp_path / str(place), name, blob)
        check_links(snapshot, with_weights=True)
        assert load_model(snapshot)


def test_what_only_looks_like_the_hub_s_cache_is_refused(folder, tmp_path):
    with pytest.raises(UserError, match="is a link out of its folder"):
        check_links(in_cache(folder, tmp_path / "a", blob="token"))
    snapshot = in_cache(folder, tmp_path / "b")
    (tmp_path / "home").mkdir()
    blobs = tmp_path / "b/models--x--y/blobs"
    (blobs / ("a" * 40)).rename(tmp_path / "home" / ("a" * 40))
    blobs.rmdir()
    blobs.symlink_to(tmp_path / "home")
    with pytest.raises(UserError, match="is a link out of its folder"):
        check_links(snapshot)


CONFIGS = ["{", "[1]", "", '"text"', "null", "[" * 100_000, '{"eos_token_id": "</s>"}', '{"eos_token_id": [1, "2"]}']
ODD_ENDS = ("true", '""', "0.0", "{}", "[false]", "[1.0]", "[null]", "[[1]]")
CONFIGS += [f'{{"eos_token_id": {value}}}' for value in ODD_ENDS]


@pytest.mark.parametrize("text", CONFIGS, ids=range(len(CONFIGS)))
@pytest.mark.parametrize("name", ["config.json", "generation_config.json"])
def test_a_damaged_configuration_is_one_error_with_its_place(folder, name, text):
    (folder / name).write_text(text)
    for load in (check_json, load_config, load_tokenizer, load_model):
        with pytest.raises(UserError) as error:
            load(folder)
        assert (
            str(error.value).startswith(f"{folder / name} cannot be read: ") and str(error.value).count("hint: ") == 1
        )


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("config.json", {"hidden_size": "large"}),
        ("config.json", {"model_type": 3}),
        ("config.json", {"num_attention_heads": [4]}),
        ("generation_config.json", {"max_new_tokens": "many"}),
        ("generation_config.json", {"max_new_tokens": -1}),
        ("generation_config.json", {"cache_implementation": {"a": 1}}),
        ("tokenizer_config.json", {"eos_token": 7}),
    ],
)
def test_a_configuration_of_wrong_types_is_one_error_or_none(folder, name, change):
    """Some of them transformers takes as they are."""
    path = folder / name
    path.write_text(json.dumps((json.loads(path.read_text()) if path.is_file() else {}) | change))
    for load in (load_config, load_tokenizer, load_model):
        try:
            load(folder)
        except UserError as error:
            assert str(error).count("hint: ") == 1 and str(folder) in str(error)


@pytest.mark.parametrize("text", ["{", "", "[]", '{"version": "1.0"}', '{"model": {"type": "BPE"}}'])
def test_a_damaged_tokenizer_is_one_error(folder, text):
    (folder / "tokenizer.json").write_text(text)
    with pytest.raises(UserError, match=r"tokenizer.json cannot be read: .*\nhint: it is damaged; copy or download"):
        load_tokenizer(folder)


def pickled(path, tensors):
    torch.save(tensors, path)
    return path


def deflated(path):
    """The same records, packed."""
    pickled(path.with_name("plain.bin"), {"a": torch.zeros(200_000)})
    with zipfile.ZipFile(path.with_name("plain.bin")) as plain, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for record in plain.infolist():
            out.writestr(record.filename, plain.read(record))


def overlapping(path):
    """A list of records in which each of many claims the bytes of one."""
    pickled(path, {"a": torch.zeros(1000)})
    with zipfile.ZipFile(path, "a") as archive:
        data = next(record for record in archive.infolist() if record.filename.endswith("data/0"))
        archive.filelist += [data] * 99
        archive._didModify = True


def repeated(path):
    pickled(path, {"a": torch.zeros(1).expand(1000, 1000)})


def shared(path):
    tensor = torch.zeros(10_000)
    pickled(path, {str(number): tensor for number in range(99)})


def repeated_in_the_old_form(path):
    torch.save({"a": torch.zeros(1).expand(10**6, 10**6)}, path, _use_new_zipfile_serialization=False)


def sparse(path):
    pickled(path, {"a": torch.zeros(9, 9).to_sparse()})


BOMBS = [deflated, overlapping, repeated, shared, repeated_in_the_old_form]


@pytest.mark.parametrize("make", BOMBS)
def test_weights_that_grow_when_they_are_read_are_refused(tmp_path, make):
    make(tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"pytorch_model.bin is larger in memory than on disk: .*\nhint: "):
        read_pickled(tmp_path / "pytorch_model.bin")


def test_tensors_that_are_not_dense_are_refused(tmp_path):
    sparse(tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"tensor a is not dense numbers\nhint: "):
        read_pickled(tmp_path / "pytorch_model.bin")


@pytest.mark.parametrize("is_new", [True, False])
def test_tied_weights_and_parts_of_larger_ones_are_read(tmp_path, is_new):
    table = torch.arange(4000.0).view(40, 100)
    tensors = {"embed": table, "head": table, "part": table[3:7], "turned": table.T, "none": torch.zeros(0)}
    torch.save(tensors, tmp_path / "pytorch_model.bin", _use_new_zipfile_serialization=is_new)
    found = read_pickled(tmp_path / "pytorch_model.bin")
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda _: b"", lambda b: b"\0" * len(b), pickle.dumps])
def test_damaged_pickles_are_one_error(tmp_path, damage):
    path = pickled(tmp_path / "pytorch_model.bin", {"a": torch.zeros(99)})
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=r"pytorch_model.bin .*\nhint: "):
        read_pickled(path)
