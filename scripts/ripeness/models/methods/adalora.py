"""Train adapters B E A whose ranks fall where they matter least (AdaLoRA; Zhang et al. 2023, arXiv 2303.10512) by peft.

peft adds the term that keeps B and A orthogonal to the loss that a model returns itself. Here the loss is computed from
logits, so `penalty` is that term; without it adapters grow without bound. What decides which ranks fall, running means
of every step, is kept as buffers of the model, so that a training that was cut off goes on with them.
"""

import math
from typing import TYPE_CHECKING

import torch
from transformers import PreTrainedModel

from ripeness.models.methods.attached import State
from ripeness.models.methods.layer_names import chosen_modules, is_transposed, linear_modules
from ripeness.models.methods.peft_adapters import InPlace
from ripeness.study.methods.adalora import AdaloraSettings, check_steps, first_rank

if TYPE_CHECKING:
    from peft import AdaLoraConfig

MEMORY = "rank_allocation"  # the module of the model that has the buffers
INITIAL_SHARE, FINAL_SHARE, ORTHOGONALITY = 0.1, 0.3, 0.5  # where the settings say nothing


class AdaptiveRanks(InPlace):
    """Adapters whose ranks are allocated step by step."""

    def __init__(self, model: PreTrainedModel, settings: AdaloraSettings, config: "AdaLoraConfig") -> None:
        """Put adapters into a model."""
        from peft.tuners.adalora import AdaLoraModel

        super().__init__(model, lambda model: AdaLoraModel(model, config, "default"))
        self.settings, self.config = settings, config
        named = list(model.named_parameters())
        self.factors = {name: weight for name, weight in named if ".lora_" in name}
        self.values = [name for name in self.factors if ".lora_E." in name]

    def tensors(self) -> State:
        """Return the adapters, without what decides which ranks fall."""
        return {name: tensor for name, tensor in super().tensors().items() if not name.startswith(f"{MEMORY}.")}

    def begin(self, n_steps: int) -> None:
        """Plan when ranks fall, and make room for what decides which."""
        first, last = self.settings.initial_steps, self.settings.final_steps
        first = math.floor(INITIAL_SHARE * n_steps) if first is None else first
        last = math.floor(FINAL_SHARE * n_steps) if last is None else last
        check_steps("kind adalora", n_steps, first, last)
        self.config.tinit, self.config.tfinal, self.config.total_step = first, last, n_steps
        memory = torch.nn.Module()
        for number, weight in enumerate(self.factors.values()):
            memory.register_buffer(f"importance_{number}", torch.zeros_like(weight))
            memory.register_buffer(f"uncertainty_{number}", torch.zeros_like(weight))
        for number, name in enumerate(self.values):
            kept = torch.ones(len(self.factors[name]), dtype=torch.bool, device=self.factors[name].device)
            memory.register_buffer(f"kept_{number}", kept)
        self.model.add_module(MEMORY, memory)

    def penalty(self) -> torch.Tensor | None:
        """Return the mean distance of A A' and B'B from the identity, weighted."""
        strength = ORTHOGONALITY if self.settings.orthogonality is None else self.settings.orthogonality
        if not strength:
            return None
        squares = [
            w @ w.T if ".lora_A." in name else w.T @ w for name, w in self.factors.items() if ".lora_E." not in name
        ]
        apart = [torch.linalg.norm(square - torch.eye(len(square), device=square.device)) for square in squares]
        return strength * torch.stack(apart).mean()

    def after_step(self, step: int) -> None:
        """Let peft update what decides, and set the values of ranks that fall to zero."""
        memory, allocator = self.model.get_submodule(MEMORY), self.tuner.rankallocator
        for weight in self.factors.values():
            weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad  # of an expert not asked
        names = list(self.factors)
        allocator.ipt = dict.fromkeys(names)
        for kind, means in (("importance", allocator.exp_avg_ipt), ("uncertainty", allocator.exp_avg_unc)):
            means.update({name: memory.get_buffer(f"{kind}_{number}") for number, name in enumerate(names)})
        kept = {name: memory.get_buffer(f"kept_{number}") for number, name in enumerate(self.values)}
        self.config.rank_pattern = {name: mask.tolist() for name, mask in kept.items()}
        self.tuner.update_and_allocate(step)
        for kind, means in (("importance", allocator.exp_avg_ipt), ("uncertainty", allocator.exp_avg_unc)):
            for number, name in enumerate(names):
                if name in means:  # forgotten once ranks stay
                    memory.get_buffer(f"{kind}_{number}").copy_(means[name])
        for name, mask in kept.items():
            mask.copy_(torch.tensor(self.config.rank_pattern[name]))

    def merge(self) -> None:
        """Add the products to the weights, and take the adapters and all else out."""
        if hasattr(self.model, MEMORY):
            delattr(self.model, MEMORY)
        super().merge()


def attach(model: PreTrainedModel, settings: AdaloraSettings) -> AdaptiveRanks:
    """Put adapters into a model, which start from the random numbers at hand."""
    from peft import AdaLoraConfig  # not at the top: other jobs need not load it

    linear = linear_modules(model)
    config = AdaLoraConfig(
        init_r=first_rank(vars(settings)),
        target_r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=0.0,
        deltaT=settings.allocate_every or 1,
        target_modules=chosen_modules(linear, settings.modules),
        fan_in_fan_out=is_transposed(linear),
        total_step=1,  # known when the training begins
        tinit=0,
        tfinal=0,
    )
    return AdaptiveRanks(model, settings, config)
