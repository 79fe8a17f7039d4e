"""Weights by their digests: what counts as the same, what as partly so, and what as different."""

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from nursery import tuned_nursery
from safetensors.torch import load_file, save_file

from ripeness.audit.weights import same_weights
from ripeness.models.fingerprints import BLOCK, SMALL, digests_of, read_weights
from ripeness.study.annealed_twins import is_twin
from ripeness.study.load import load_study
from ripeness.study.same_weights import partly, same
from ripeness.workflow.lookups import audit as audit_lookups
from ripeness.workflow.lookups import fetch
from ripeness.workflow.lookups.audit import audit_plan, audited_checkpoints

FILE = "model.safetensors"
TASKS = Path(__file__).parents[3] / "tasks"


@pytest.fixture
def folder(tmp_path, checkpoint):
    return shutil.copytree(checkpoint, tmp_path / "a")


def changed(folder, name, change, **metadata):
    """A folder beside it whose tensors are changed in place, or replaced."""
    other = folder.parent / name
    other.mkdir()
    tensors = load_file(folder / FILE)
    tensors = change(tensors) or tensors
    save_file(tensors, other / FILE, metadata={"format": "pt"} | metadata)
    return other


def alike(*folders):
    records = {str(number): read_weights(folder) for number, folder in enumerate(folders)}
    return same(records), partly(records)


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


def as_type(dtype):
    return lambda tensors: {name: tensor.to(dtype) for name, tensor in tensors.items()}


def with_other_norms(tensors):
    return {name: tensor * 1.5 if tensor.ndim == 1 else tensor for name, tensor in tensors.items()}


def nudged(tensors):
    tensors["model.layers.1.mlp.up_proj.weight"][3, 4] += 1e-6


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_copy_that_was_saved_with_fewer_digits_is_the_same_checkpoint(folder, dtype):
    half = changed(folder, "half", as_type(dtype))
    back = changed(half, "back", as_type(torch.float32))
    equal, shared = alike(folder, half, back)
    assert [(group.owners, group.is_rounded) for group in equal] == [(("0", "1", "2"), True)] and not shared
    (exact,), _ = alike(half, back)
    assert not exact.is_rounded


@pytest.mark.parametrize("kinds", [(torch.bfloat16, torch.float16), (torch.float16, torch.bfloat16)])
def test_a_copy_that_was_rounded_twice_is_the_same_checkpoint(folder, kinds):
    spread = changed(folder, "spread", lambda t: {name: x * 10.0 ** (-6 * torch.rand_like(x)) for name, x in t.items()})
    once = changed(spread, "once", as_type(kinds[0]))
    twice = changed(once, "twice", as_type(kinds[1]))
    (equal,), shared = alike(spread, twice)
    assert equal.owners == ("0", "1") and equal.is_rounded and not shared
    assert alike(spread, changed(twice, "normed", with_other_norms))[0] == []


def test_copies_of_two_precisions_are_recognised_by_what_they_were_made_from(folder):
    copies = [changed(folder, str(dtype), as_type(dtype)) for dtype in (torch.float16, torch.bfloat16)]
    assert alike(*copies)[0] == []
    (equal,), _ = alike(*copies, folder)
    assert equal.owners == ("0", "1", "2")


def test_vectors_that_were_not_rounded_with_the_matrices_do_not_hide_a_copy(folder):
    def halve_matrices(tensors):
        return {name: tensor.bfloat16() if tensor.ndim == 2 else tensor for name, tensor in tensors.items()}

    spread = changed(folder, "spread", lambda t: {name: x * 1.001 if x.ndim == 1 else x for name, x in t.items()})
    (equal,), _ = alike(spread, changed(spread, "half", halve_matrices))
    assert equal.owners == ("0", "1")


def test_rounding_hides_no_difference(folder):
    # near in float32, or with other norms: neither is a rounded copy of the other
    half = changed(folder, "half", as_type(torch.bfloat16))
    assert alike(folder, changed(folder, "near", nudged))[0] == []
    assert alike(folder, changed(half, "normed", with_other_norms))[0] == []


def test_what_is_rounded_already_is_compared_number_by_number(folder):
    half = changed(folder, "half", as_type(torch.bfloat16))

    def move(tensors):
        tensors["model.layers.1.mlp.up_proj.weight"][3, 4] *= 1.5

    equal, (shared,) = alike(half, changed(half, "moved", move))
    assert not equal and shared.n_shared == shared.n_parts - 1


@pytest.mark.parametrize("n", [1000, SMALL + 3, BLOCK + 7])
def test_numbers_in_any_order_and_between_zeros_have_one_digest(tmp_path, n):
    torch.manual_seed(0)
    numbers = torch.randn(n)
    orders = {"a": numbers, "b": numbers.flip(0), "c": torch.cat([torch.zeros(5), numbers[torch.randperm(n)]])}
    for name, order in orders.items():
        save_file({"x": order.reshape(1, -1)}, tmp_path / f"{name}.safetensors")
    save_file({"x": (numbers * 1.01).reshape(1, -1)}, tmp_path / "other.safetensors")
    files = [tmp_path / f"{name}.safetensors" for name in (*orders, "other")]
    first, second, third, other = (digests_of([file])["numbers"] for file in files)
    assert first == second == third != other


@pytest.mark.parametrize("n", [1000, SMALL + 3, BLOCK + 7])
def test_a_rounded_copy_has_the_digests_of_its_original(tmp_path, n):
    torch.manual_seed(0)
    numbers = torch.randn(n) * 10.0 ** torch.randint(-45, 38, (n,))
    numbers[-3:] = torch.tensor([3e38, -0.0, 65520.0])
    for name, dtype in (("whole", torch.float32), ("BF16", torch.bfloat16), ("F16", torch.float16)):
        save_file({"x": numbers.to(dtype).reshape(1, -1)}, tmp_path / f"{name}.safetensors")
    whole, *copies = (digests_of([tmp_path / f"{name}.safetensors"])["rounded"] for name in ("whole", "BF16", "F16"))
    for form, copy in zip(("BF16", "F16"), copies, strict=True):
        assert copy["F32"] == copy[form] == whole[form] != whole["F32"]


def test_a_rounded_copy_as_another_step_is_fatal_and_said():
    def record(exact, rounded):
        samples = {"F32": exact, "BF16": rounded, "F16": f"{exact}h"}
        return {"kind": "tensors", "parts": [exact], "rest": []} | {
            "rounded": {form: {"parts": [digest], "rest": []} for form, digest in samples.items()}
        }

    points = [{"checkpoint": f"step{step}", "step": step, "tokens": step} for step in (1, 2, 3)]
    weights = {"step1": record("a", "b"), "step2": record("c", "d"), "step3": record("b", "b")}
    plan = {"series": {"s": {"checkpoints": points}}, "weights": {"s": {"seed": 1, "checkpoints": weights}}}
    (row,) = same_weights(plan)
    assert row.severity == "fatal" and row.seen == "step1 and step3 have the same weights (a), some of them rounded"


def test_double_precision_of_the_same_numbers_is_the_same(folder):
    double = changed(folder, "double", lambda tensors: {name: tensor.double() for name, tensor in tensors.items()})
    equal, shared = alike(folder, double)
    assert [group.owners for group in equal] == [("0", "1")] and not shared


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


def files(*parts):
    return {"kind": "files", "parts": list(parts), "rest": []}


def test_of_files_all_or_some_may_be_the_same_and_each_group_is_said_once():
    records = {
        "step0": files("a", "b", "c"), "step1": files("c", "b", "a"), "step2": files("d", "e", "f"),
        "step3": files("a", "h", "i"), "main": files("a", "b", "c"), "none": files(),
    }  # fmt: skip
    (equal,), (shared,) = same(records), partly(records)
    assert equal.owners == ("step0", "step1", "main")
    assert set(shared.owners) == {"step0", "step1", "main", "step3"} and (shared.n_shared, shared.n_parts) == (1, 3)
    # what is known in different ways is not compared
    assert same({"a": files("x"), "b": {"kind": "tensors", "parts": ["x"], "rest": []}}) == []


def plan_of(**series):
    config = tuned_nursery()
    given = {name: {"pretrain": config["series"]["nursery"]["pretrain"] | recipe, "checkpoints": lines}
             for name, (recipe, lines) in series.items()}  # fmt: skip
    suites = {name: suite for name, suite in config["suites"].items() if "texts" not in suite}
    return json.loads(audit_plan(load_study(config | {"series": given, "texts": {}, "suites": suites}, TASKS)))


WSD = {"schedule": "wsd", "end_step": 512, "decay_steps": 128}


@pytest.mark.parametrize(
    ("series", "words"),
    [
        ({"a": ({}, [{"step": 64}, {"step": 64, "name": "again"}])}, "step64 and again have the same weights"),
        ({"a": ({}, [{"step": 64}, {"step": 128}])}, None),
        # a run under two names counts twice; with another seed it is another run
        ({"a": ({}, [{"step": 64}]), "b": ({}, [{"step": 64}])}, "one run counts twice"),
        ({"a": ({}, [{"step": 64}]), "b": ({"seed": 7}, [{"step": 64}])}, None),
        ({"a": ({}, [{"step": 0}]), "b": (WSD, [{"step": 0}])}, None),
        (
            {"a": ({}, [{"step": 64}, {"step": 128}]), "b": (WSD, [{"step": 64}, {"step": 128}, {"step": 512}])},
            "step64 and step128 of a have the weights of those in b",
        ),
        # docs/decay.md: the end of a wsd run is an annealed branch of a constant one
        (
            {"a": ({}, [{"anneal_from": 384, "steps": 128}]), "b": (WSD, [{"step": 512}])},
            "one run counts twice",
        ),
        ({"a": (WSD, [{"step": 512}, {"anneal_from": 384, "steps": 128, "name": "branch"}])}, "have the same weights"),
    ],
)
def test_of_what_is_pretrained_here_the_plan_knows_which_weights_will_be_the_same(series, words):
    found = [row.seen for row in same_weights(plan_of(**series))]
    assert len(found) == (words is not None) and all(words in seen for seen in found), found


def test_the_hub_is_asked_of_what_lies_there_before_the_audit_and_of_nothing_else():
    lines = [{"step": 0}, {"step": 1}, {"path": "models/a", "step": 5, "tokens": 10_485_760, "name": "mine"}]
    config = tuned_nursery() | {"texts": {}, "suites": {"own": {"datasets": "own", "formats": "trained"}}}
    study = load_study(config | {"series": {"pythia": {"from": "pythia-70m", "checkpoints": lines}}}, TASKS)
    sources = json.loads(audit_lookups.listed_sources(study))["pythia"]
    assert sources["step0"] == {"repo": "EleutherAI/pythia-70m", "revision": "step0", "commit": None}
    assert set(sources) == {"step0", "step1"}
    plan = json.loads(audit_lookups.listed_plan(study))
    assert [point["tokens"] for point in plan["series"]["pythia"]["checkpoints"]] == [0, 2_097_152]
    assert plan["weights"]["pythia"]["known"][0]["names"] == ["step0", "step1"]
    assert audited_checkpoints(study)[0] == "results/nursery/audit/weights.json"
    disk = load_study(config | {"series": {"mine": {"checkpoints": lines[2:]}}}, TASKS)
    assert json.loads(audit_lookups.listed_sources(disk)) == {}
    assert audited_checkpoints(disk) == ["results/nursery/checkpoints/mine/mine"]
    # a known case is named in the remark
    for name in sources:
        plan["weights"]["pythia"]["checkpoints"][name] = files("x")
    (row,) = same_weights(plan)
    assert row.severity == "fatal" and "known: https://github.com/EleutherAI/pythia/issues/83" in row.seen


def test_weights_made_here_are_compared_when_they_are_there_unless_that_is_meant():
    place = SimpleNamespace(series="nursery")
    config = tuned_nursery()
    assert fetch.compare_option(load_study(config, TASKS), place) == "--compare-weights"
    meant = load_study(config | {"audit": {"acknowledge": {"same-weights": "a test"}}}, TASKS)
    assert fetch.compare_option(meant, place) == ""
    assert not any(is_twin(entry) for entry in meant.checkpoints["nursery"].values())
