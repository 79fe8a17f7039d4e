"""Copies of the same weights that were rounded differently are said to be perhaps the same; others are not."""

from itertools import combinations

import pytest
import torch
from safetensors.torch import load_file, save_file

from ripeness.audit.nearly_same import nearly_same
from ripeness.audit.weights import same_weights
from ripeness.models.fingerprints import digests_of

FILE = "model.safetensors"


def cut(tensor):
    """What some old conversions make: the last digits cut off."""
    return (tensor.contiguous().view(torch.int32) & -65536).view(torch.float32)


def cut_half(tensor):
    return torch.where(
        tensor.half().float().abs() > tensor.abs(), torch.nextafter(tensor.half(), tensor.half() * 0), tensor.half()
    )


FORMS = {
    "bfloat16": lambda tensor: tensor.bfloat16(),
    "float16": lambda tensor: tensor.half(),
    "cut bfloat16": lambda tensor: cut(tensor).bfloat16(),
    "cut float16": cut_half,
    "float16, then bfloat16": lambda tensor: tensor.half().bfloat16(),
}


@pytest.fixture
def weights(checkpoint):
    drawn = torch.Generator().manual_seed(0)
    found = load_file(checkpoint / FILE)
    return {name: torch.randn(tensor.shape, generator=drawn) * 0.02 for name, tensor in found.items()}


def record(folder, tensors, name):
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, folder / f"{name}.safetensors")
    return digests_of([folder / f"{name}.safetensors"])


@pytest.mark.parametrize(("one", "other"), list(combinations(FORMS, 2)))
def test_two_roundings_of_the_same_weights_without_the_original(tmp_path, weights, one, other):
    records = {name: record(tmp_path, {k: FORMS[name](t) for k, t in weights.items()}, name) for name in (one, other)}
    found = list(nearly_same(records))
    # of a copy of the other, the digests say that it is one
    is_known = (one, other) == ("float16", "float16, then bfloat16")
    assert [pair[:2] for pair in found] == ([] if is_known else [(one, other)])


@pytest.mark.parametrize("form", ["cut bfloat16", "cut float16"])
def test_digits_that_were_cut_off_and_the_original(tmp_path, weights, form):
    made = {key: FORMS[form](tensor) for key, tensor in weights.items()}
    records = {"original": record(tmp_path, weights, "original"), "cut": record(tmp_path, made, "cut")}
    assert len(list(nearly_same(records))) == 1


@pytest.mark.parametrize("share", [1.0, 0.1, 0.03])
@pytest.mark.parametrize("forms", [*combinations(FORMS, 2), ("bfloat16", "bfloat16"), ("float16", "float16")])
def test_weights_that_were_trained_between_are_others(tmp_path, weights, share, forms):
    drawn = torch.Generator().manual_seed(1)
    later = {key: tensor + share * 0.02 * torch.randn(tensor.shape, generator=drawn) for key, tensor in weights.items()}
    records = {
        "one": record(tmp_path, {key: FORMS[forms[0]](tensor) for key, tensor in weights.items()}, "one"),
        "later": record(tmp_path, {key: FORMS[forms[1]](tensor) for key, tensor in later.items()}, "later"),
    }
    assert list(nearly_same(records)) == []


def test_the_audit_warns_of_them(tmp_path, weights):
    checkpoints = {
        name: record(tmp_path, {key: FORMS[form](tensor) for key, tensor in weights.items()}, name)
        for name, form in {"step1": "bfloat16", "step2": "float16"}.items()
    }
    points = [{"checkpoint": name, "tokens": None, "step": number} for number, name in enumerate(checkpoints, 1)]
    plan = {
        "series": {"mine": {"checkpoints": points}},
        "weights": {"mine": {"seed": 1, "known": [], "checkpoints": checkpoints}},
    }
    (row,) = same_weights(plan)
    assert row.severity == "warning" and row.seen == (
        "step1 and step2 may be the same weights: the numbers that were compared, of bfloat16 and of float16, differ "
        "by no more than rounding explains"
    )


def test_what_is_known_of_an_earlier_version_is_not_compared(tmp_path, weights):
    records = {
        name: record(tmp_path, {key: FORMS[name](tensor) for key, tensor in weights.items()}, name)
        for name in ("bfloat16", "float16")
    }
    for one in records.values():
        del one["kept"]
    assert list(nearly_same(records)) == []
