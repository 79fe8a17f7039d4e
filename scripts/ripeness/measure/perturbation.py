"""Weights with noise or rounded, for as long as they are read so; afterwards they are, bit by bit, what they were.

Noise on a tensor is scale x std x Z with Z from N(0, 1), the same Z for every scale, normalisation and checkpoint. The
std of a tensor, by normalisation:

init      that of its initialisation, so that nothing depends on the weights as they are now (Springer et al. 2025,
          arXiv 2503.19206, section 3: covariance of the initial weights). Norm gains and biases begin as constants,
          std 0, and get no noise.
relative  the root mean square of its weights as they are now
absolute  1
"""

import hashlib
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from transformers import PretrainedConfig, PreTrainedModel
from transformers.pytorch_utils import Conv1D

from ripeness.models.context_limits import text_config
from ripeness.models.gate.folder import weight_files
from ripeness.models.load import load_model
from ripeness.runtime.errors import UserError
from ripeness.storage.arrays import open_tensors

Weights = dict[str, torch.Tensor]

STATE_PREFIX = "weight."  # of the weights in a training state of pretrain_state, next to the optimiser's moments
CUT_AT_3 = 0.98658  # std of a normal distribution that is cut off at three deviations, as OLMo draws
LAYER = re.compile(r"\.layers\.(\d+)\.")


def weights_of(model: PreTrainedModel) -> Weights:
    """Collect the weights by name, without gradients; tied ones once."""
    return {name: weight.detach() for name, weight in model.named_parameters() if weight.is_floating_point()}


def copies_of(weights: Weights) -> Weights:
    """Copy weights exactly."""
    return {name: weight.clone() for name, weight in weights.items()}


@contextmanager
def replaced(weights: Weights, originals: Weights, change: Callable[[str, torch.Tensor], torch.Tensor]) -> Iterator:
    """Put what `change` (name, original) returns in the place of every weight until the block ends, then the copies."""
    try:
        for name, weight in weights.items():
            weight.copy_(change(name, originals[name]))
        yield
    finally:
        for name, weight in weights.items():
            weight.copy_(originals[name])


def draw_noise(weights: Weights, seed: int) -> Weights:
    """Draw standard normal noise in fp32 for every weight, from the seed, the weight's name and its shape alone.

    Drawn on the processor, so that a GPU has the same.
    """
    noise = {}
    for name, weight in weights.items():
        digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "little", signed=True))
        noise[name] = torch.randn(weight.shape, generator=generator).to(weight.device)
    return noise


def with_noise(noise: Weights, stds: dict[str, float], scale: float) -> Callable[[str, torch.Tensor], torch.Tensor]:
    """Make the change that adds noise, summed in fp32. UserError for a scale that fp32 cannot hold."""
    if (largest := scale * max(stds.values())) > torch.finfo(torch.float32).max:
        raise UserError(
            f"noise of scale {scale:g} has a std of {largest:.3g}, which is too large for single precision\n"
            "hint: a far smaller scale already destroys the model; use one such as 0.1"
        )

    def change(name: str, original: torch.Tensor) -> torch.Tensor:
        return torch.add(original, noise[name], alpha=scale * stds[name]) if stds[name] else original

    return change


def rounding(model: PreTrainedModel, bits: int) -> Callable[[str, torch.Tensor], torch.Tensor]:
    """Make the change that rounds matrices to 2^bits - 1 levels, symmetric about 0, and leaves vectors.

    The outermost levels are plus and minus the largest weight of an output channel (of an embedding: of a token).
    """
    transposed = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, Conv1D)}

    def change(name: str, original: torch.Tensor) -> torch.Tensor:
        if original.ndim < 2:
            return original
        return rounded(original, bits, inputs=0 if name in transposed else -1)

    return change


def rounded(matrix: torch.Tensor, bits: int, *, inputs: int = -1) -> torch.Tensor:
    """Round a matrix to 2^bits - 1 levels in fp32; `inputs` is the dimension along an output channel."""
    matrix, top = matrix.float(), 2 ** (bits - 1) - 1
    step = matrix.abs().amax(inputs, keepdim=True) / top
    step[step == 0] = 1.0
    return (matrix / step).round_().mul_(step)


def stds_of(normalisation: str, originals: Weights, config: PretrainedConfig, start: Path | None) -> dict[str, float]:
    """Compute the std of noise of scale 1 for every weight; `start` is the model at step 0, where it is known."""
    if normalisation == "absolute":
        return dict.fromkeys(originals, 1.0)
    if normalisation == "relative":
        return {name: weight.double().square().mean().sqrt().item() for name, weight in originals.items()}
    return measured_stds(start, originals) if start else initial_stds(config, originals)


def measured_stds(start: Path, weights: Weights) -> dict[str, float]:
    """Measure the std of every tensor at step 0, from a checkpoint folder or a state of pretrain_state."""
    files, prefix = (weight_files(start), "") if start.is_dir() else ([start], STATE_PREFIX)
    stds: dict[str, float] = {}
    for path in files:
        with open_tensors(path) as file:
            names = {name.removeprefix(prefix): name for name in file.keys() if name.startswith(prefix)}  # noqa: SIM118
            stds |= {name: spread(file.get_tensor(names[name])) for name in weights.keys() & names.keys()}
    if start.is_dir() and stds.keys() != weights.keys():  # transformers knows other spellings
        stds = {name: spread(weight) for name, weight in weights_of(load_model(start, on_gpu=False)).items()}
    if missing := sorted(weights.keys() - stds.keys()):
        raise UserError(f"{start} has no tensor {missing[0]}\nhint: the model at step 0 belongs to another series")
    return stds


def spread(tensor: torch.Tensor) -> float:
    """Compute the standard deviation of a tensor; exactly 0 where all numbers are equal."""
    numbers = tensor.double()
    return 0.0 if (numbers == numbers.flatten()[0]).all() else numbers.std(correction=0).item()


def initial_stds(config: PretrainedConfig, weights: Weights) -> dict[str, float]:
    """Compute the std at initialisation from the config: matrices only, as vectors are constants.

    That of the config's `initializer_range`, but for OLMo (the first, whose config.json says nothing true of it): its
    `mitchell` initialisation, 1/sqrt(width), and for what writes into the residual stream of layer l (from 0)
    1/sqrt(2 x inputs x (l + 1)), each cut off at three deviations (olmo/model.py and configs/official-0724/OLMo-1B.yaml
    of github.com/allenai/OLMo).
    """
    config = text_config(config)
    if config.model_type == "olmo":
        return {name: mitchell_std(name, weight, config.hidden_size) for name, weight in weights.items()}
    std = getattr(config, "initializer_range", getattr(config, "init_std", None))  # OPT has the other name
    if std is None:
        raise UserError(
            f"the config of {config.model_type!r} does not specify its initialisation (initializer_range)\n"
            "hint: add the checkpoint at step 0 to the series, or take the normalisations relative and absolute"
        )
    return {name: float(std) if weight.ndim > 1 else 0.0 for name, weight in weights.items()}


def mitchell_std(name: str, weight: torch.Tensor, width: int) -> float:
    """Compute the std of a tensor of the first OLMo at its initialisation."""
    if weight.ndim < 2:
        return 0.0
    is_output = name.endswith(("self_attn.o_proj.weight", "mlp.down_proj.weight"))
    layer = LAYER.search(name) if is_output else None
    variance = 2 * weight.shape[1] * (int(layer[1]) + 1) if layer else width
    return CUT_AT_3 / math.sqrt(variance)
