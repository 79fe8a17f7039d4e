"""On a GPU, passes in bf16 are near to those in fp32; how near is said at the end of the tests."""

import pytest
from tuned_by_loop import encoded, tune  # noqa: F401

from ripeness.models.forward.likelihood import Request, log_likelihoods
from ripeness.models.load import autocast


@pytest.mark.parametrize("architecture", ["llama", "gpt_neox", "olmo2"])
def test_log_likelihoods_in_half_precision_are_near(tiny_model, architecture, device, record_property):
    model = tiny_model(architecture)
    requests = [Request([5, *range(7, 9 + n)], [40 + n, 3, 9]) for n in range(20)]
    single = log_likelihoods(model, requests, batch_tokens=4096)
    with autocast(device, "bf16"):
        half = log_likelihoods(model, requests, batch_tokens=4096)
    differences = [abs(a - b) for one, other in zip(single, half, strict=True) for a, b in zip(one, other, strict=True)]
    record_property(f"largest difference of a log-likelihood in bf16, {architecture} (nats)", max(differences))
    assert 0 < max(differences) < 0.5


def test_losses_in_half_precision_are_near(tiny_model, encoded, record_property):  # noqa: F811
    single, half = tune(tiny_model, encoded), tune(tiny_model, encoded, precision="bf16")
    difference = max(abs(a - b) for a, b in zip(single[0], half[0], strict=True))
    record_property("largest difference of a loss in bf16 (nats)", difference)
    assert 0 < difference < 0.05
