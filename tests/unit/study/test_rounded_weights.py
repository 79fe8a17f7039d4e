"""Copies of weights that were rounded are recognised, and rounding hides no difference."""

import pytest
import torch
from compared_weights import alike, as_type, changed, nudged, with_other_norms
from safetensors.torch import save_file

from ripeness.audit.weights import same_weights
from ripeness.models.fingerprints import BLOCK, SMALL, digests_of


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
