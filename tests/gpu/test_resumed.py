"""On a GPU, a training that was killed goes on to the same weights, to the bit; two GPUs train one model."""

import pytest
from far_device import NAME
from programs.test_train_processes import (  # noqa: F401
    test_a_killed_training_goes_on_to_the_same_files,
    test_two_processes_share_a_model_and_a_killed_training_of_theirs_goes_on,
)
from tuned_by_loop import encoded  # noqa: F401
from tuned_models import stream, tune  # noqa: F401
from unit.train.test_loop_ends import test_a_training_killed_at_any_step_goes_on_to_the_same_weights  # noqa: F401


@pytest.fixture(autouse=True)
def can_run(request, device):
    """Skip what the device cannot do."""
    import torch

    if device.type == NAME:
        pytest.skip("a tensor of the imitated device cannot be saved, and no other process knows it")
    if "two_processes" in request.node.name and device.type == "cuda" and torch.cuda.device_count() < 2:
        pytest.skip("there is one GPU, and this takes two")
