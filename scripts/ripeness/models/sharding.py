"""One training on several GPUs: each holds a share of weights, gradients and moments, and reads a share of a batch.

Fully sharded data parallelism as torch has it (`fully_shard`; Zhao et al. 2023, arXiv 2304.11277). Losses and weights
are those of one process up to rounding, so the number of GPUs is no setting of a study's results. Without GPUs the
processes talk by gloo and compute on processors.
"""

import ctypes
import os
import signal
import sys

import torch
import torch.distributed as dist
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_state_dict,
    set_state_dict,
)
from torch.distributed.fsdp import fully_shard
from transformers import PreTrainedModel

STARTER = "RIPENESS_TORCHRUN"  # the process that has become torchrun
WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)


def start_processes(n: int) -> None:
    """Continue as `n` processes of this program, started by torchrun; returns in each, or at once if n is 1."""
    if n > 1 and "RANK" not in os.environ:
        os.environ[STARTER] = str(os.getpid())  # exec keeps it
        start = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={n}", "--no-python"]
        os.execv(sys.executable, [sys.executable, *start, sys.executable, *sys.argv])
    if "RANK" in os.environ:
        end_with_starter()
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")


def end_with_starter() -> None:
    """Have the kernel kill this process when torchrun ends, which gives each a session that no signal to it reaches."""
    if sys.platform == "linux" and STARTER in os.environ:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != int(os.environ[STARTER]):
            os._exit(1)  # it has ended before


def rank() -> int:
    """Return the number of this process; 0 writes the files."""
    return dist.get_rank() if dist.is_initialized() else 0


def n_processes() -> int:
    """Return how many processes train one model."""
    return dist.get_world_size() if dist.is_initialized() else 1


def shard(model: PreTrainedModel) -> PreTrainedModel:
    """Shard a model, which may be in CPU memory, over the processes, layer by layer."""
    if n_processes() > 1:
        for module in model.modules():
            if type(module).__name__ in (model._no_split_modules or ()):
                fully_shard(module)
        fully_shard(model)
    return model


def summed(*values: float) -> list[float]:
    """Sum numbers over the processes."""
    if n_processes() == 1:
        return list(values)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    total = torch.tensor(values, dtype=torch.float64, device=device)
    dist.all_reduce(total)
    return total.tolist()


def whole_weights(model: PreTrainedModel) -> dict | None:
    """Gather the weights of a sharded model on the first process; None where it is not sharded."""
    if n_processes() == 1:
        return None
    weights = get_model_state_dict(model, options=WHOLE)
    return {name: weight for name, weight in weights.items() if name not in model.all_tied_weights_keys}


def whole_state(model: PreTrainedModel, optimizer: torch.optim.Optimizer) -> tuple[dict, dict]:
    """Gather weights and optimizer state; all processes must call it, the first one gets them."""
    if n_processes() == 1:
        return model.state_dict(), optimizer.state_dict()
    return get_state_dict(model, optimizer, options=WHOLE)


def load_whole_state(model: PreTrainedModel, optimizer: torch.optim.Optimizer, weights: dict, state: dict) -> None:
    """Put back what `whole_state` gave."""
    if n_processes() == 1:
        model.load_state_dict(weights)
        optimizer.load_state_dict(state)
    else:
        set_state_dict(model, optimizer, model_state_dict=weights, optim_state_dict=state, options=WHOLE)
