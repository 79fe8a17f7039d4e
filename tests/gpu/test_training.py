"""On a GPU, tuning gives the losses of transformers' Trainer and of a loop by hand, in rows of any size."""

import pytest
from tuned_by_loop import SETTINGS, encoded, tune  # noqa: F401
from unit.train.test_loop import test_losses_and_weights_are_those_of_a_loop_written_by_hand  # noqa: F401
from unit.train.test_loop_rows import (  # noqa: F401
    test_a_beginning_that_is_read_once_trains_the_same_model,
    test_a_model_that_cannot_pack_is_tuned_with_padding,
    test_half_precision_trains_with_weights_in_single_precision,
    test_rows_are_halved_until_they_fit_into_memory,
    test_rows_of_any_size_give_the_same_model_up_to_rounding,
)

from ripeness.train.loop import train

MEBIBYTE = 2**20


def test_rows_are_halved_when_the_memory_of_a_gpu_is_full(tiny_model, encoded, device):  # noqa: F811
    import torch

    if device.type != "cuda":
        pytest.skip("only a GPU has a memory whose size can be set; the test above imitates it")
    sizes = {"max_position_embeddings": 1024, "vocab_size": 50_000}
    many, settings = encoded * 400, SETTINGS
    expected = train(tiny_model(**sizes), many[:4000], settings, pad=0)
    model = tiny_model(**sizes)
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(device).total_memory
    try:
        torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 200 * MEBIBYTE) / total)
        outcome = train(model, many[:4000], settings, pad=0)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert outcome.row_tokens < expected.row_tokens
    assert outcome.losses == pytest.approx(expected.losses, abs=1e-4)
