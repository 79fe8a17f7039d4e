"""Weights by their digests: what counts as the same, what as partly so, and what as different."""

import os
import shutil

import pytest
import torch
from compared_weights import FILE, alike, changed, nudged
from safetensors.torch import load_file, save_file

from ripeness.models.fingerprints import BLOCK, digests_of, read_weights


def in_shards(folder):
    tensors = load_file(folder / FILE)
    other = folder.parent / "shards"
    other.mkdir()
    for number, names in enumerate((sorted(tensors)[::2], sorted(tensors)[1::2]), 1):
        save_file({name: tensors[name] for name in names}, other / f"model-0000{number}-of-00002.safetensors")
    return other


def as_copy(folder):
    return shutil.copytree(folder, folder.parent / "b")


def as_link(folder):
    os.symlink(folder, folder.parent / "b")
    return folder.parent / "b"


def as_hard_link(folder):
    (folder.parent / "b").mkdir()
    os.link(folder / FILE, folder.parent / "b" / "weights.safetensors")
    return folder.parent / "b"


def with_other_metadata(folder):
    return changed(folder, "b", lambda tensors: None, step="4096", author="somebody")


def without_prefix(folder):
    return changed(folder, "b", lambda tensors: {name.removeprefix("model."): tensors[name] for name in tensors})


def with_other_zeros(folder):
    # conversions lose the sign of zero; the float16 of published checkpoints have many
    def negate(tensors):
        return {name: torch.where(tensor == 0, -0.0, tensor) for name, tensor in tensors.items()}

    def clear(tensors):
        tensors["model.embed_tokens.weight"][3:5] = 0

    changed(folder, "zeros", clear)
    shutil.copyfile(folder.parent / "zeros" / FILE, folder / FILE)
    return changed(folder, "b", negate)


def with_buffers(folder):
    buffers = {"model.layers.0.rotary_emb.inv_freq": torch.rand(4), "masked_bias": torch.tensor(-1e9)}
    return changed(folder, "b", lambda tensors: tensors | buffers)


def with_the_output_layer_twice(folder):
    return changed(folder, "b", lambda t: t | {"lm_head.copy": t["model.embed_tokens.weight"].clone()})


def with_a_matrix_that_no_model_reads(folder):
    return changed(folder, "b", lambda tensors: tensors | {"model.layers.9.next.weight": torch.rand(4, 4)})


@pytest.mark.parametrize(
    "make",
    [
        as_copy, as_link, as_hard_link, in_shards, with_other_metadata, without_prefix, with_other_zeros, with_buffers,
        with_the_output_layer_twice, with_a_matrix_that_no_model_reads,
    ],
)  # fmt: skip
def test_the_same_weights_are_the_same_in_whatever_form_they_are_saved(folder, make):
    equal, shared = alike(folder, make(folder))
    assert [group.owners for group in equal] == [("0", "1")] and not shared


def with_every_matrix_transposed(folder):
    return changed(folder, "b", lambda t: {name: x.T.contiguous() if x.ndim == 2 else x for name, x in t.items()})


def with_rows_of_zeros_for_more_tokens(folder):
    def pad(tensors):
        rows = tensors["model.embed_tokens.weight"]
        return tensors | {"model.embed_tokens.weight": torch.cat([rows, torch.zeros(7, rows.shape[1])])}

    return changed(folder, "b", pad)


def with_queries_keys_and_values_in_one(folder):
    def fuse(tensors):
        layers = {name.partition(".self_attn.")[0] for name in tensors if ".self_attn." in name}
        apart = {layer: [f"{layer}.self_attn.{part}_proj.weight" for part in "qkv"] for layer in layers}
        fused = {f"{layer}.qkv": torch.cat([tensors[name] for name in names]) for layer, names in apart.items()}
        return {name: x for name, x in tensors.items() if name not in sum(apart.values(), [])} | fused

    other = folder.parent / "b"
    other.mkdir()
    save_file(fuse(load_file(folder / FILE)), other / FILE)
    return other


@pytest.mark.parametrize(
    "make", [with_every_matrix_transposed, with_rows_of_zeros_for_more_tokens, with_queries_keys_and_values_in_one]
)
def test_weights_laid_out_in_other_matrices_are_the_same(folder, make):
    (equal,), shared = alike(folder, make(folder))
    assert equal.owners == ("0", "1") and not equal.is_rounded and not shared


def test_one_number_that_differs_in_transposed_matrices_makes_other_weights(folder):
    def move(tensors):  # by one that is looked at, whatever its bits were
        matrix = tensors["model.layers.1.mlp.up_proj.weight"]
        matrix[matrix.abs() > matrix.abs().quantile(0.9)] *= 1.01

    moved = changed(with_every_matrix_transposed(folder), "moved", move)
    assert alike(folder, moved)[0] == []


def test_one_number_that_differs_makes_other_weights_that_share_the_rest(folder):
    equal, (shared,) = alike(folder, changed(folder, "b", nudged))
    matrices = {name for name, tensor in load_file(folder / FILE).items() if tensor.ndim == 2}
    assert not equal
    assert shared.owners == ("0", "1") and (shared.n_shared, shared.n_parts) == (len(matrices) - 1, len(matrices))


def test_weights_that_differ_in_a_vector_only_are_not_the_same(folder):
    def move(tensors):
        tensors["model.norm.weight"][5] = 0.5  # the other norms are all ones, as this one was

    equal, (shared,) = alike(folder, changed(folder, "b", move))
    assert not equal and shared.n_shared == shared.n_parts


def test_models_of_other_seeds_share_nothing_although_their_norms_are_all_ones(folder, tiny_model):
    (folder.parent / "other").mkdir()
    tiny_model("llama", seed=1).save_pretrained(folder.parent / "other")
    assert alike(folder, folder.parent / "other") == ([], [])
    assert set(read_weights(folder)["rest"]) == set(read_weights(folder.parent / "other")["rest"]) != set()


def test_a_large_tensor_is_read_in_pieces_and_every_piece_counts(tmp_path):
    tensor = torch.arange(BLOCK + 7, dtype=torch.float32).reshape(1, -1)
    for name, place in (("a", 0), ("b", BLOCK + 3)):
        moved = tensor.clone()
        moved[0, place] -= 1
        save_file({"x": moved}, tmp_path / f"{name}.safetensors")
    first, second = (digests_of([tmp_path / f"{name}.safetensors"]) for name in "ab")
    assert len(first["parts"]) == 1 and first != second


def test_swapped_tensors_of_one_shape_are_the_same_set_of_weights(folder):
    # a conversion that puts weights into the wrong places makes no other checkpoint of them
    def swap(tensors):
        names = ["model.layers.0.mlp.up_proj.weight", "model.layers.1.mlp.up_proj.weight"]
        return tensors | dict(zip(names, [tensors[name] for name in reversed(names)], strict=True))

    equal, _ = alike(folder, changed(folder, "b", swap))
    assert len(equal) == 1
