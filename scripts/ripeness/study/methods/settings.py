"""Define the settings that all kinds of tuning share, and what the plan knows of a kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

# What a method learns; answers if it does not say it.
ANSWERS, TEXT, PREFERENCES, REWARD, POLICY = "answers", "text", "preferences", "reward", "policy"
RULE = "rule"  # the reward of a policy that is its task's own
REWARD_MODEL = "reward"  # the role of a reward model


@dataclass(frozen=True, kw_only=True)
class MethodSettings:
    """What the settings of every kind have; config.schema.yaml explains the values and has the same defaults.

    What is None is not done. `examples` is a dose: so many of the examples are learned from, all without it. `learns`
    None is answers. The class of a kind has the kind's name as the default of `kind`, and its own settings.
    """

    kind: str
    seed: int
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    examples: int | None = None
    learns: str | None = None


@dataclass(frozen=True, kw_only=True)
class TrainingSettings(MethodSettings):
    """How a model is tuned by steps of an optimizer, whatever the kind.

    What is None is not done. `replay` is the share of pre-training text, which lies elsewhere.
    """

    learning_rate: float
    epochs: int
    batch_size: int
    schedule: Literal["linear", "constant", "cosine"] = "linear"
    warmup_ratio: float = 0.03
    weight_decay: float = 0.0
    clip: float = 1.0
    steps: int | None = None
    replay: float | None = None
    gradient_checkpointing: bool | None = None


@dataclass(frozen=True)
class Reference:
    """A method whose model a training reads, in some role: on the same dataset, or on each that is named.

    With `kind` it must be of this kind, and start from the same model as the training. `key` is the setting that names
    it, where that is not the role.
    """

    role: str
    method: str
    datasets: tuple[str, ...] = ()
    kind: str = ""
    key: str = ""


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Settings of a kind that chooses among label words, which all items share, by a linear map of a model's states.

    The words are those of the training items; no config gives them.
    """

    labels: tuple[str, ...] = ()

    def with_labels(self, labels: tuple[str, ...]) -> Self:
        """Return the settings with the label words of the items at hand."""
        return replace(self, labels=labels)


@dataclass(frozen=True, kw_only=True)
class Seeing:
    """Settings of a kind that reads states of an encoder of pictures, by their width and the encoder's digest.

    Those are of the pictures at hand; no config gives them.
    """

    width: int = 0
    encoder_digest: str = ""

    def with_encoder(self, width: int, digest: str) -> Self:
        """Return the settings with what is known of the pictures at hand."""
        return replace(self, width=width, encoder_digest=digest)


def no_check(where: str, given: Mapping[str, Any]) -> None:
    """Accept all settings."""


def all_weights(given: Mapping[str, Any], n_parameters: int) -> int:
    """Return the numbers in the tuned state of a kind that trains all weights."""
    return n_parameters


def no_references(given: Mapping[str, Any]) -> list[Reference]:
    """Return nothing: a training reads the model that it starts from, and no other."""
    return []


def nothing(given: Mapping[str, Any]) -> int:
    """Return 0."""
    return 0


def no_remarks(settings: TrainingSettings) -> dict[str, Any]:
    """Return nothing."""
    return {}


def changes_model(given: Mapping[str, Any]) -> bool:
    """Return that the model itself does not stay the checkpoint."""
    return False


@dataclass(frozen=True)
class Kind:
    """What the config and the plan know of a kind of tuning.

    `settings` has a field `kind` whose default is the kind's name. `keys` is the JSON schema of the settings that are
    the kind's own, without types and defaults, which the dataclass has. `example` shows values of required ones.
    `refused` gives the reason and a hint for settings of other kinds that this one cannot have. `check(where, given)`
    raises UserError for a method of the config, or settings of a training, that cannot be. With `has_small_state` a
    tuned model is saved as a small state next to the checkpoint; `state_size(given, n_parameters)` estimates how many
    numbers that is. What `merges` becomes weights of the model; else it stays attached, and the weights are those of
    the checkpoint. `before_text(given)` counts the virtual tokens that stand before every text. `remarks(settings)` are
    further entries of the record of a training. `reads(given)` are the methods whose models a training reads
    in addition to its start. `learns` is what it can learn; None is everything.
    `no_start` says, with a hint, why no other training can
    start from a model of this kind. Where `leaves_model(given)`, the model itself stays the checkpoint: nothing but the
    choice among labels is measured. `followers` are the kinds whose trainings may start from a model of this kind
    although what it learned stays attached: they train that too.
    """

    settings: type[MethodSettings]
    trains: str
    keys: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    example: str = ""
    refused: Mapping[str, str] = field(default_factory=dict)
    check: Callable[[str, Mapping[str, Any]], None] = no_check
    has_small_state: bool = False
    merges: bool = True
    before_text: Callable[[Mapping[str, Any]], int] = nothing
    state_size: Callable[[Mapping[str, Any], int], int] = all_weights
    remarks: Callable[[TrainingSettings], dict[str, Any]] = no_remarks
    reads: Callable[[Mapping[str, Any]], list[Reference]] = no_references
    learns: tuple[str, ...] | None = None
    no_start: str = ""
    followers: tuple[str, ...] = ()
    leaves_model: Callable[[Mapping[str, Any]], bool] = changes_model

    @property
    def name(self) -> str:
        """Return the kind's name."""
        return str(vars(self.settings)["kind"])

    @property
    def takes_steps(self) -> bool:
        """Whether a model is tuned by steps of an optimizer, and not by a fit to states that are read once."""
        return issubclass(self.settings, TrainingSettings)

    def moves_weights(self, given: Mapping[str, Any]) -> bool:
        """Tell whether weights of the model itself change, and nothing that was learned stays next to them."""
        return self.merges and not self.leaves_model(given)

    @property
    def sees(self) -> bool:
        """Whether a training reads pictures, and so needs their states."""
        return issubclass(self.settings, Seeing)

    @property
    def has_labels(self) -> bool:
        """Whether an answer is a choice among label words that all items share."""
        return issubclass(self.settings, Labelled)
