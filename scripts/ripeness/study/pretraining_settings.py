"""Define the settings of a pre-training, and its learning rate at every step: a pure function of both.

A warm-up-stable-decay run (WSD; Hu et al. 2024, arXiv 2404.06395) is a constant one whose last steps have a `Decay`; a
run of its own for each budget is a cosine that ends at the budget. `pretraining_steps` says so of a study's series.
"""

from dataclasses import asdict, dataclass, fields

from ripeness.runtime.errors import UserError
from ripeness.runtime.typed_settings import check_types
from ripeness.study.learning_rates import learning_rate

ARCHITECTURES = ("llama", "olmo2")
SCHEDULES = ("constant", "cosine")
ENDS = ("schedule", "end_step", "final_ratio")  # what a constant rate does not have


@dataclass(frozen=True)
class PretrainingSettings:
    """One pre-training: the model, the batch, the optimiser. Sizes in units, steps and tokens.

    `initial_std` and `embedding_std` are the standard deviations of matrices and embeddings at step 0: where words of
    one class differ little at first, a tiny model learns the class and then takes long to tell the words apart.
    `learning_rate` is reached after `warmup_steps` and then kept, or falls along a cosine to `final_ratio` of it at
    `end_step`; `betas` are those of AdamW, `clip` the largest norm of the gradient. A step reads `batch_size` sequences
    of `sequence_length` tokens.
    """

    architecture: str
    hidden_size: int
    n_layers: int
    n_heads: int
    intermediate_size: int
    sequence_length: int
    batch_size: int
    learning_rate: float
    warmup_steps: int
    weight_decay: float
    betas: tuple[float, float]
    clip: float
    initial_std: float
    embedding_std: float
    seed: int
    n_threads: int = 1
    schedule: str = "constant"
    end_step: int = 0
    final_ratio: float = 0.1


@dataclass(frozen=True)
class Decay:
    """A linear decay of the rate to zero over `steps` steps that begins after step `start`."""

    start: int
    steps: int


def read_settings(value: dict) -> PretrainingSettings:
    """Make settings from their JSON form, or raise UserError that names the key or the value."""
    known = [field.name for field in fields(PretrainingSettings)]
    unknown = sorted(set(value) - set(known))
    missing = sorted(set(known) - set(value) - {"n_threads", *ENDS})
    if unknown or missing:
        raise UserError(
            f"Settings of a pre-training: unknown {unknown}, missing {missing}; known are {', '.join(known)}.\n"
            "hint: they stand under the series in the config."
        )
    check_types("settings of a pre-training", PretrainingSettings, value)
    if value["architecture"] not in ARCHITECTURES:
        raise UserError(
            f"Unknown architecture {value['architecture']!r}; known are {', '.join(ARCHITECTURES)}.\n"
            "hint: it stands under the series in the config."
        )
    if value["hidden_size"] % (2 * value["n_heads"]):
        raise UserError(
            f"hidden_size {value['hidden_size']} does not divide into {value['n_heads']} heads of an even size.\n"
            "hint: choose a hidden_size that is a multiple of twice n_heads."
        )
    check_schedule(value)
    first, second = value["betas"]
    return PretrainingSettings(**{**value, "betas": (float(first), float(second))})


def check_schedule(value: dict) -> None:
    """Refuse a schedule that is unknown, or a cosine that is over before the warm-up is."""
    schedule, end, final = value.get("schedule", "constant"), value.get("end_step", 0), value.get("final_ratio", 0.1)
    if schedule not in SCHEDULES:
        raise UserError(
            f"Unknown schedule {schedule!r}; known are {', '.join(SCHEDULES)}.\n"
            "hint: `wsd` is `constant` with decayed checkpoints, `cosine-per-budget` a `cosine` for each."
        )
    if schedule == "cosine" and (end <= value["warmup_steps"] or not 0 <= final <= 1):
        raise UserError(
            f"A cosine to {final} of the rate at step {end} after {value['warmup_steps']} warmup_steps.\n"
            "hint: choose an end_step after the warm-up, and a final_ratio from 0 to 1."
        )


def learning_rate_of(step: int, settings: PretrainingSettings, decay: Decay | None = None) -> float:
    """Give the rate of the update that leads to `step`: warm-up, then what the schedule says, then the decay, if any.

    Step 0 is led to by no update and has rate 0; the last update of a decay has rate / steps. A decay falls from the
    rate at its start, where a cosine stands still.
    """
    if step == 0:
        return 0.0
    rate = settings.learning_rate * min(1.0, step / max(settings.warmup_steps, 1))
    if settings.schedule == "cosine":
        rate *= cosine_share(step if decay is None else min(step, decay.start), settings)
    if decay is not None and step > decay.start:
        rate *= max(0.0, (decay.start + decay.steps - step + 1) / decay.steps)
    return rate


def cosine_share(step: int, settings: PretrainingSettings) -> float:
    """Return the share of the peak rate at a step of a cosine; 1 during the warm-up."""
    names = {"warmup_steps": settings.warmup_steps, "end_step": settings.end_step, "final_ratio": settings.final_ratio}
    return learning_rate({"peak": 1.0, "decay": "cosine", **names}, max(step, settings.warmup_steps))


def recorded(settings: PretrainingSettings) -> dict:
    """Return the settings that a state is known by; a constant rate has no end."""
    return {key: value for key, value in asdict(settings).items() if settings.schedule != "constant" or key not in ENDS}
