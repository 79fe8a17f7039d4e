"""Give a checked config its types, so that the type checker finds a key that is misspelt in code.

config.schema.yaml explains every key and has the defaults; here they have the same names. What a rule writes as JSON
comes from the mappings, since a job reruns when a byte of it changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, TypedDict, TypeVar

MODELS, PUBLISHED, THEORY = "models", "published", "theory"  # kinds of study; all but the first run no language model
BASE = "base"  # the method that leaves a checkpoint as it is

T = TypeVar("T")


class _ScheduledPretrain(TypedDict, total=False):
    """Keys of a pre-training that only some schedules have, or that a series may leave out."""

    end_step: int
    decay_steps: int
    final_ratio: float


class Pretrain(_ScheduledPretrain):
    """A pre-training done here (`series.NAME.pretrain`)."""

    source: dict[str, Any]
    n_tokens: int
    n_heldout: int
    vocabulary_size: int
    architecture: str
    hidden_size: int
    n_layers: int
    n_heads: int
    intermediate_size: int
    sequence_length: int
    batch_size: int
    learning_rate: float
    warmup_steps: int
    schedule: str
    weight_decay: float
    betas: list[float]
    clip: float
    initial_std: float
    embedding_std: float
    seed: int


class _SharedMethod(TypedDict, total=False):
    """Settings of tuning that every kind has; a kind's own are read by its own module."""

    kind: str
    epochs: int
    batch_size: int
    schedule: str
    warmup_ratio: float
    weight_decay: float
    clip: float
    precision: str
    steps: int
    replay: dict[str, Any]
    gradient_checkpointing: bool
    learns: str
    text: str  # a file, of what learns text
    examples: int
    gpu: int
    choose_by: str
    datasets: list[str]
    shots: list[int]  # of `base`


class Method(_SharedMethod, total=False):
    """A method (`methods.NAME`)."""

    learning_rate: float | list[float]
    by_dataset: dict[str, dict[str, Any]]


class Recipe(_SharedMethod, total=False):
    """A method with one learning rate, as it is on one dataset; `method` names the method.

    `doses_of` names the method that lists the dose, if there are several.
    """

    learning_rate: float
    method: str
    is_grid: bool
    doses_of: str


class Checkpoint(TypedDict, total=False):
    """A checkpoint of a series (a line of `series.NAME.checkpoints`), with what its series file knows of it."""

    step: int
    tokens: int
    lr: float
    phase: str
    path: str
    repo: str
    revision: str
    commit: str | None
    by_step: bool
    anneal_from: int  # of a pre-training done here: the step, with `steps` of decay
    anneal: str  # of an annealed twin: the checkpoint it starts from, and how it is annealed
    steps: int
    batch_size: int
    sequence_length: int
    learning_rate: float
    text: str


@dataclass(frozen=True)
class Series:
    """A series of checkpoints (`series.NAME`); `mapping` holds all its keys, for the facts of published runs.

    `methods` is None where all methods of the study tune it.
    """

    mapping: dict[str, Any]
    pretrain: Pretrain | None = None
    methods: list[str] | None = None
    gate_text: str | None = None
    accept_loss: bool = False
    every: str | None = None
    seed: int = 0


@dataclass(frozen=True)
class ItemSizes:
    """Numbers of items that are drawn of a dataset (`items`)."""

    train: int = 0
    validation: int = 0
    test: int = 0
    shots: int = 0
    shots_from: str = "train"
    seed: int = 0


@dataclass(frozen=True)
class Suite:
    """A list of what tuned models are measured on (`suites.NAME`): datasets, texts, or tasks of lm-eval.

    `tuned_on` is None where it is for models tuned on any dataset.
    """

    datasets: list[str] | Literal["own"] | None = None
    formats: list[str] | Literal["trained", "all"] | None = None
    shots: Sequence[int] = (0,)
    texts: list[str] | None = None
    lm_eval: list[str] | None = None
    tuned_on: list[str] | None = None


@dataclass(frozen=True)
class Text:
    """Running text (`texts.NAME`) from one of three sources."""

    heldout: bool = False
    path: str | None = None
    hub: dict[str, Any] | None = None
    items: int = 0


@dataclass(frozen=True)
class Noise:
    """Scales of noise, by what they are multiples of (`sensitivity.noise`)."""

    init: list[float]
    relative: list[float]
    absolute: list[float]


@dataclass(frozen=True)
class Sensitivity:
    """How weights are perturbed (`sensitivity`); `series` is None for all of them."""

    texts: list[str]
    noise: Noise
    seeds: list[int]
    bits: list[int]
    series: list[str] | None = None
    curvature: bool = False


@dataclass(frozen=True)
class Prediction:
    """How models are read (`predict`)."""

    batch_tokens: int = 4096
    precision: str = "auto"


@dataclass(frozen=True)
class StudyConfig:
    """A checked config with its defaults. What belongs to models is empty in a study that runs none.

    `sensitivity` is None where nothing is perturbed, `pictures` where no encoder reads any.
    """

    study: str
    kind: str
    published_cost: str | None
    series: dict[str, Series]
    datasets: dict[str, dict[str, Any] | None]
    formats: list[str]
    methods: dict[str, Method]
    seeds: list[int]
    items: ItemSizes
    suites: dict[str, Suite]
    texts: dict[str, Text]
    lm_eval: dict[str, str]
    predict: Prediction
    keep_models: str
    scratch: str
    published: dict[str, Any]
    sensitivity: Sensitivity | None
    theory: dict[str, Any]
    acknowledged: dict[str, str]
    pictures: dict[str, Any] | None

    @property
    def base_shots(self) -> list[int]:
        """List the numbers of shots that untouched checkpoints are measured with."""
        return self.methods[BASE]["shots"]

    @property
    def tuning_methods(self) -> dict[str, Method]:
        """Give the methods that tune: all but `base`."""
        return {name: settings for name, settings in self.methods.items() if name != BASE}

    @property
    def include_path(self) -> str | None:
        """Give the folder with the user's own tasks of lm-eval."""
        return self.lm_eval.get("include_path")

    @property
    def published_tables(self) -> list[str]:
        """List the files of published numbers."""
        return self.published.get("tables", [])

    @property
    def theory_seeds(self) -> list[int]:
        """List the seeds of the simulation."""
        return self.theory.get("seeds", [])


def kind_of(config: Mapping[str, Any]) -> str:
    """Name the kind of study that a config describes."""
    return next((kind for kind in (PUBLISHED, THEORY) if kind in config), MODELS)


def typed_config(config: Mapping[str, Any]) -> StudyConfig:
    """Read a checked config. Its parts are kept, not copied, so that they must not change later."""
    perturbed = config.get("sensitivity")
    return StudyConfig(
        study=config.get("study", ""),
        kind=kind_of(config),
        published_cost=config.get("published_cost"),
        series={name: picked(Series, values, mapping=values) for name, values in config.get("series", {}).items()},
        datasets=config.get("datasets", {}),
        formats=config.get("formats", []),
        methods=config.get("methods", {}),
        seeds=config.get("seeds", []),
        items=picked(ItemSizes, config.get("items", {})),
        suites={name: picked(Suite, values) for name, values in config.get("suites", {}).items()},
        texts={name: picked(Text, values) for name, values in config.get("texts", {}).items()},
        lm_eval=config.get("lm_eval", {}),
        predict=picked(Prediction, config.get("predict", {})),
        keep_models=config.get("keep_models", "none"),
        scratch=config.get("scratch", ""),
        published=config.get("published", {}),
        sensitivity=picked(Sensitivity, perturbed, noise=picked(Noise, perturbed["noise"])) if perturbed else None,
        theory=config.get("theory", {}),
        acknowledged=config.get("audit", {}).get("acknowledge", {}),
        pictures=config.get("pictures"),
    )


def picked(kind: type[T], values: Mapping[str, Any], **replaced: object) -> T:
    """Make a dataclass of those values that it has a field for."""
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]  # a dataclass, which no bound can say
    return kind(**{key: value for key, value in (dict(values) | replaced).items() if key in names})
