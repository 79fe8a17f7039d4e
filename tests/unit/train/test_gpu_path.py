"""What a GPU needs of a row: the host reads nothing back, and weights are cast once for all rows of a step."""

from collections import Counter

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ripeness.models.batching import encode_examples
from ripeness.models.forward.packing import narrows_exactly, packing
from ripeness.models.forward.transfer import to_device
from ripeness.train.backward import backward
from ripeness.train.objectives.objective import ANSWERS
from ripeness.train.reading import Reading, answer_logits

ROWS = [
    (f"row{n}", "the film was " + "far " * (n % 4) + "long\nit is", [" good", " very bad"][n % 2]) for n in range(10)
]


@pytest.fixture(scope="module")
def examples(tokenizer):
    return encode_examples(ROWS, tokenizer, max_length=64)


@pytest.mark.parametrize("architecture", ["llama", "gpt_neox", "olmo2"])
def test_a_row_is_read_without_a_number_that_the_host_waits_for(tiny_model, examples, architecture):
    """A model on the device `meta` has no numbers: whoever wants to read one fails.

    Rows are packed. Where they are padded instead, transformers reads the positions itself.
    """
    model = tiny_model(architecture)
    with packing(model, 64) as packs:
        assert packs
        assert narrows_exactly(model)  # tried while there are numbers
        model.to("meta")
        logits, targets = answer_logits(model, examples, pad=0, is_packed=True)
        loss = ANSWERS.loss(logits, targets, examples, ANSWERS.size(examples))
        loss.backward()
    assert len(logits) == len(targets) == ANSWERS.size(examples)
    with pytest.raises(RuntimeError):
        loss.item()


class Casts(TorchDispatchMode):
    """Count the casts of matrices of each shape to bfloat16."""

    def __init__(self):
        super().__init__()
        self.n = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        is_cast = function is torch.ops.aten._to_copy.default and found.dtype == torch.bfloat16
        if is_cast and isinstance(args[0], torch.nn.Parameter):
            self.n[id(args[0])] += 1
        return found


def gradients(model, examples, precision, row_tokens):
    model.zero_grad()
    reading = Reading(model, 0, True, precision)
    with packing(model, 64):
        loss = backward(reading, row_tokens, batch=examples, text=[], objective=ANSWERS)
    return loss, [weight.grad.clone() for weight in model.parameters()]


def test_weights_are_cast_once_a_step_however_many_rows_it_has(tiny_model, examples):
    model = tiny_model("llama")
    gradients(model, examples, "bf16", 60)  # tries how the model packs
    with Casts() as casts:
        loss, found = gradients(model, examples, "bf16", 60)
    assert casts.n and set(casts.n.values()) == {1}
    expected_loss, expected = gradients(model, examples, "fp32", 10_000)
    assert loss == pytest.approx(expected_loss, rel=0.01)
    far, near = (torch.cat([one.flatten() for one in some]) for some in (found, expected))
    assert torch.linalg.vector_norm(far - near) < 0.05 * torch.linalg.vector_norm(near)


def test_layouts_go_to_a_device_with_all_that_they_hold(examples):
    assert to_device(examples, torch.device("cpu")) is examples
    moved = to_device([torch.ones(2), None, 3], torch.device("meta"))
    assert moved[0].device.type == "meta" and moved[1:] == [None, 3]
