"""A device that is none: its tensors lie in the memory of the CPU, and must not meet tensors of the CPU.

So code for a GPU is tried without one: what it forgets to copy to the device of the model fails here as it would there.
Numbers are computed by the kernels of the CPU, step by step as those of a GPU would be. `cuda` itself is not imitated:
what is asked of it by name, such as pinned memory or bf16 by default, is not tried.
"""

from functools import partial
from typing import Any

import torch
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

NAME = "far"
# Operations that copy, and those that take places from the CPU, as they do where the device is a GPU.
MAY_MIX = {"_to_copy", "copy_", "_copy_from", "index", "index_put", "index_put_", "_index_put_impl_"}


class FarTensor(torch.Tensor):
    """A tensor of the device; `near` has its numbers."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, near: torch.Tensor) -> "FarTensor":
        layout = {"strides": near.stride(), "storage_offset": near.storage_offset(), "dtype": near.dtype}
        return torch.Tensor._make_wrapper_subclass(cls, near.shape, device=torch.device(NAME, 0), **layout)

    def __init__(self, near: torch.Tensor) -> None:
        self.near = near

    def tolist(self) -> list:
        """Give the numbers, which torch itself gives of no tensor like this."""
        return self.near.tolist()

    def __repr__(self) -> str:
        return f"FarTensor({self.near})"

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return computed(function, args, kwargs or {})


def computed(function: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
    """Compute an operation on the numbers of its tensors; RuntimeError where they are on two devices."""
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    far = [tensor for tensor in tensors if isinstance(tensor, FarTensor)]
    near = [tensor for tensor in tensors if not isinstance(tensor, FarTensor) and tensor.ndim]
    if far and near and function._schema.name.split("::")[1] not in MAY_MIX:
        raise RuntimeError(f"{function} of tensors on two devices: {[tuple(tensor.shape) for tensor in near]} are near")
    device = kwargs.get("device")
    is_far = bool(far) if device is None else torch.device(device).type == NAME
    args, kwargs = tree_map(lambda leaf: leaf.near if isinstance(leaf, FarTensor) else leaf, (args, kwargs))
    found = function(*args, **kwargs | ({} if device is None else {"device": "cpu"}))
    known = {id(tensor.near): tensor for tensor in far}  # what is changed in place stays the same tensor

    def put_far(leaf: Any) -> Any:
        if not isinstance(leaf, torch.Tensor):
            return leaf
        return known[id(leaf)] if id(leaf) in known else FarTensor(leaf)

    return tree_map(put_far, found) if is_far else found


class FarDevice(TorchDispatchMode):
    """Within it, tensors can be made on the device."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        device = kwargs.get("device")
        is_far = device is not None and torch.device(device).type == NAME
        return computed(function, args, kwargs) if is_far else function(*args, **kwargs)


class Module(backend_registration._DummyBackendModule):
    """What torch asks of a device."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]


def register() -> list[torch.library.Library]:
    """Make the device known to torch, before anything that uses it is imported; keep what is returned."""
    backend_registration._setup_privateuseone_for_python_backend(NAME, backend_module=Module())
    others, ours, aten = torch.library.Library("_", "IMPL"), torch.library.Library("aten", "IMPL"), torch.ops.aten
    others.fallback(lambda function, *args, **kwargs: computed(function, args, kwargs), "PrivateUse1")
    for name, function in {
        "empty_strided": aten.empty_strided.default,
        "empty.memory_format": aten.empty.memory_format,
        "copy_": aten.copy_.default,
    }.items():
        ours.impl(name, lambda *args, of=function, **kwargs: computed(of, args, kwargs), "PrivateUse1")
    autocast = torch.library.Library("_", "IMPL")
    autocast.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
    for name in ("linear", "scaled_dot_product_attention"):
        ours.impl(name, partial(in_half, getattr(aten, name).default), "AutocastPrivateUse1")
    torch.inference_mode = torch.no_grad  # whose tensors cannot be those of another device
    return [others, ours, autocast]


def in_half(function: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
    """Compute in bf16, as autocast does it for products and attention."""

    def halved(leaf: Any) -> Any:
        return leaf.to(torch.bfloat16) if isinstance(leaf, torch.Tensor) and leaf.is_floating_point() else leaf

    with torch._C._ExcludeDispatchKeyGuard(torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastPrivateUse1)):
        args, kwargs = tree_map(halved, (args, kwargs))
        return function(*args, **kwargs)
