"""Read the study's key `theory`: settings of the simulation. Without numpy, since every job parses the Snakefile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ripeness.runtime.errors import UserError
from ripeness.runtime.typed_settings import check_types


@dataclass(frozen=True)
class Target:
    """The strengths and directions of a fine-tuning task, from those of pre-training.

    The `first` singular values (all of them for 0) are multiplied by `factor`, or all replaced by `constant`; the left
    singular vectors are turned by the rotation nearest to 1 + `rotation` times a standard normal matrix.
    """

    factor: float = 1.0
    first: int = 0
    constant: float | None = None
    rotation: float = 0.0


@dataclass(frozen=True)
class Settings:
    """One simulation. Times are steps times rate of gradient descent; config.schema.yaml explains and has defaults."""

    width: int
    spectrum_exponent: float
    pretraining: str
    initial_std: float
    pretraining_rate: float
    n_checkpoints: int
    first_time: float
    last_time: float
    gammas: Sequence[float]
    draws: int
    targets: Mapping[str, Target]
    examples: int
    label_noise: float
    steps: int
    rates: Sequence[float]
    fixed_rates: Sequence[float]
    pulls: Sequence[float]


def settings_from(values: dict[str, Any]) -> Settings:
    """Make settings from the study's key `theory`, without its seeds.

    Raises UserError for rates that contradict each other.
    """
    known = {entry.name for entry in fields(Settings)}
    if missing := sorted(known - values.keys()):
        raise UserError(f"theory: {', '.join(missing)} missing\nhint: config.schema.yaml explains the keys of `theory`")
    check_types("theory", Settings, values)
    for name, target in values["targets"].items():
        check_types(f"theory.targets.{name}", Target, target or {})
    targets = {name: Target(**(target or {})) for name, target in values["targets"].items()}
    settings = Settings(**{key: value for key, value in values.items() if key in known} | {"targets": targets})
    if settings.first_time >= settings.last_time:
        raise UserError(
            f"theory.first_time: {settings.first_time:g} is not before last_time, {settings.last_time:g}\n"
            "hint: features are learned between about 5 and 200"
        )
    steps = steps_of(settings)
    if len(set(steps)) < len(steps):
        raise UserError(
            f"theory.n_checkpoints: {settings.n_checkpoints} checkpoints from time {settings.first_time:g} on are less "
            f"than a step of {settings.pretraining_rate:g} apart\nhint: fewer checkpoints, or a lower pretraining_rate"
        )
    for rate in settings.fixed_rates:
        if rate not in settings.rates:
            rates = ", ".join(f"{known_rate:g}" for known_rate in settings.rates)
            raise UserError(
                f"theory.fixed_rates: {rate:g} is not one of the rates; they are {rates}\nhint: add it to theory.rates"
            )
    if 0 not in settings.pulls:
        raise UserError("theory.pulls: 0 is missing\nhint: the effect of a pull is measured against tuning without one")
    return settings


def steps_of(settings: Settings) -> list[int]:
    """List the steps of gradient descent at the checkpoints, which are even in the logarithm of time."""
    ratio = (settings.last_time / settings.first_time) ** (1 / (settings.n_checkpoints - 1))
    times = (settings.first_time * ratio**number for number in range(settings.n_checkpoints))
    return [round(time / settings.pretraining_rate) for time in times]
