"""Draw the item scores of a study whose effects are known.

Choice datasets are learned in pre-training or never, generated answers are learned. An untouched model's score follows
a curve over checkpoints. Tuning adds a gain on its own dataset and a change on others, and formats move a score up and
down. Every effect has a mean, which is the truth, and may scatter between datasets, checkpoints and seeds.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
import polars as pl
from scipy import special

from ripeness.calibration.noise import answers, autocorrelated, difficulties
from ripeness.findings.scores import Block, Point, Row, Scores
from ripeness.tables.columns import IS_CHOSEN, MEASUREMENTS, conform

FORMATS = ("default", "io")
SERIES = "run"
PERSISTENT = 0.5  # of a seed's variance: the same at all checkpoints
COMMON = 0.5  # of the variance of what a checkpoint adds to changes: the same for all pairs of datasets
FIRST_TOKENS = 2**30
HARM = {"choice": "harm_generation", "generation": "harm_choice"}  # by the kind of the dataset tuned on


@dataclass(frozen=True)
class ScoreDesign:
    """Size and truth of a study on scores; effects and standard deviations are shares from 0 to 1.

    `*_sd` of gain, format and transfer are those between datasets, `checkpoint_sd` that of every score and effect about
    its curve, with `rho` between neighbours.
    """

    n_checkpoints: int = 8
    n_seeds: int = 3
    n_items: int = 200
    n_learned: int = 2
    n_never: int = 2
    n_generation: int = 2
    options: tuple[int, ...] = (4,)  # numbers of options of the choice datasets, in turn
    learned_height: float = 0.3  # above the floor, at the last checkpoints
    never_height: float = 0.0
    start_height: float = 0.0  # of learned datasets at the first checkpoint
    rises_at: float = 0.25  # of the way through the checkpoints
    gain: float = 0.1  # on learned datasets
    gain_gap: float = 0.0  # more than that on those never learned
    is_logit_gain: bool = False  # the gain is on the logit scale
    format_level: float = 0.06  # standard deviation over formats, the mean over checkpoints
    format_fall: float = 0.0  # of it, earlier minus later half
    harm_generation: float = 0.0  # lost on generated answers by tuning on choices
    harm_choice: float = 0.0  # lost on choices by tuning on generated answers
    carried: float = 0.0  # change on other datasets of the type, later minus earlier half
    height_sd: float = 0.0
    gain_sd: float = 0.0
    format_sd: float = 0.0
    transfer_sd: float = 0.0
    checkpoint_sd: float = 0.0
    rho: float = 0.0
    seed_sd: float = 0.02
    cluster_size: int = 1
    failed: float = 0.0  # share of tuned models
    missing: float = 0.0  # share of cells of a checkpoint and dataset
    is_uneven: bool = False  # every other dataset has one seed less
    phase: str = "stable"
    is_trained_first: bool = False  # else the first checkpoint has seen no tokens

    @property
    def datasets(self) -> list[str]:
        """The names of the datasets."""
        counts = {"learned": self.n_learned, "never": self.n_never, "generation": self.n_generation}
        return [f"{kind}{number}" for kind, n in counts.items() for number in range(n)]

    @property
    def places(self) -> np.ndarray:
        """Checkpoints in order of log tokens, from 0 to 1."""
        return np.linspace(0, 1, self.n_checkpoints)

    @property
    def floors(self) -> np.ndarray:
        """The score that needs no skill, by dataset."""
        return np.array(
            [
                0.05 if kind_of(name) == "generation" else 1 / self.options[place % len(self.options)]
                for place, name in enumerate(self.datasets)
            ]
        )

    @property
    def is_learned(self) -> np.ndarray:
        """Whether each dataset is learned in pre-training."""
        return np.array([not name.startswith("never") for name in self.datasets])

    @property
    def trend(self) -> np.ndarray:
        """A line over checkpoints whose later half is 1 more than the earlier one in the mean; its mean is 0."""
        half = self.n_checkpoints // 2
        line = self.places - self.places.mean()
        return line / (line[-half:].mean() - line[:half].mean())


@dataclass(frozen=True)
class Effects:
    """Expected scores and effects: heights above the floor and formats [checkpoints, datasets], and changes by tuning.

    `change` [checkpoints, tuned on, measured on].
    """

    base: np.ndarray
    deviation: np.ndarray
    change: np.ndarray


def kind_of(dataset: str) -> str:
    """Say whether a dataset's answers are chosen or generated."""
    return "generation" if dataset.startswith("generation") else "choice"


def points_of(design: ScoreDesign) -> list[Point]:
    """List the checkpoints of the run, each with twice the tokens of the one before."""
    tokens = [FIRST_TOKENS * 2**k for k in range(design.n_checkpoints)]
    tokens[0] *= design.is_trained_first
    return [Point(SERIES, f"step{k}", k, seen, design.phase, 0) for k, seen in enumerate(tokens)]


def effects_of(design: ScoreDesign, rng: np.random.Generator | None) -> Effects:
    """Draw the effects of one study; without `rng` the true means."""
    n, names = len(design.datasets), design.datasets

    def scattered(sd: float, *shape: int) -> np.ndarray:
        return np.zeros(shape) if rng is None or sd == 0 else sd * rng.standard_normal(shape)

    def wandering(sd: float, *shape: int) -> np.ndarray:
        size = (design.n_checkpoints, *shape)
        return np.zeros(size) if rng is None or sd == 0 else sd * autocorrelated(size, design.rho, rng)

    rise = special.expit(30 * (design.places - design.rises_at))[:, None]
    top = np.where(design.is_learned, design.learned_height, design.never_height) + scattered(design.height_sd, n)
    start = np.where(design.is_learned, design.start_height, design.never_height)
    base = design.floors + start + (top - start) * rise + wandering(design.checkpoint_sd, n)
    fall = design.format_fall + scattered(design.format_sd, n)
    deviation = design.format_level - design.trend[:, None] * fall + wandering(design.checkpoint_sd, n)
    if design.format_level == 0:
        deviation = np.zeros_like(deviation)
    change = np.zeros((design.n_checkpoints, n, n))
    for (a, tuned), (b, measured) in product(enumerate(names), repeat=2):
        if a == b:
            change[:, a, b] = own_gain(design, base[:, a], bool(design.is_learned[a]))
        elif kind_of(tuned) == kind_of(measured):
            change[:, a, b] = design.carried * design.trend
        else:
            change[:, a, b] = -getattr(design, HARM[kind_of(tuned)])
    gains = scattered(design.gain_sd, n)
    part = design.transfer_sd / np.sqrt(3)
    between = scattered(part, n, 1) + scattered(part, 1, n) + scattered(part, n, n)
    within = np.array([[kind_of(a) == kind_of(b) for b in names] for a in names])
    change += np.where(np.eye(n, dtype=bool), gains, np.where(within, between * design.trend[:, None, None], between))
    common = wandering(design.checkpoint_sd * np.sqrt(COMMON), 1, 1)
    change += common + wandering(design.checkpoint_sd * np.sqrt(1 - COMMON), n, n)
    return Effects(np.clip(base, 0, 1), np.maximum(deviation, 0), change)


def own_gain(design: ScoreDesign, base: np.ndarray, is_learned: bool) -> np.ndarray:
    """Compute what tuning adds on its own dataset [checkpoints]."""
    gain = design.gain + (0.0 if is_learned else design.gain_gap)
    return special.expit(special.logit(base) + gain) - base if design.is_logit_gain else np.full(len(base), gain)


def format_offsets() -> np.ndarray:
    """Return what formats add for each unit of their standard deviation; the mean is 0."""
    line = np.arange(len(FORMATS)) - (len(FORMATS) - 1) / 2
    return line / line.std(ddof=1)


def draw_scores(design: ScoreDesign, rng: np.random.Generator) -> Scores:
    """Draw the item scores of a study."""
    effects = effects_of(design, rng)
    shape = (design.n_checkpoints, len(design.datasets), len(FORMATS), design.n_seeds)
    persistent = np.sqrt(PERSISTENT) * rng.standard_normal((1, shape[1], 1, shape[3]))
    shifts = design.seed_sd * (persistent + np.sqrt(1 - PERSISTENT) * rng.standard_normal(shape))
    is_there = there(design, shape, rng)
    blocks = {}
    for probe, name in enumerate(design.datasets):
        rows, expected = expected_of(design, effects, shifts, is_there, probe, int(rng.choice([-1, 1])))
        difficulty = difficulties(design.n_items, design.cluster_size, rng)
        codes = np.array([0 if row.method == "base" else 1 + design.datasets.index(row.dataset) for row in rows])
        values = answers(expected, codes, difficulty, is_choice=kind_of(name) == "choice", rng=rng)
        clusters, items = np.arange(design.n_items) // design.cluster_size, np.arange(design.n_items)
        blocks[name, "test"] = Block(name, kind_of(name), rows, values, clusters, items % design.options[0])
    return Scores({SERIES: points_of(design)}, blocks)


def there(design: ScoreDesign, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Say which tuned models are there [checkpoints, datasets, formats, seeds]."""
    found = rng.random(shape) >= design.failed
    found &= (rng.random(shape[:2]) >= design.missing)[:, :, None, None]
    if design.is_uneven:
        found[:, 1::2, :, -1] = False
    return found


def expected_of(
    design: ScoreDesign, effects: Effects, shifts: np.ndarray, is_there: np.ndarray, probe: int, sign: int
) -> tuple[list[Row], np.ndarray]:
    """List the models that are asked about one dataset, and their expected scores.

    A format moves a tuned model on its own dataset, and others as far as there is something to move.
    """
    names = design.datasets
    offsets = sign * format_offsets()
    rows, expected = [], []
    known = np.clip((effects.base[:, probe] - design.floors[probe]) / 0.1, 0, 1)
    for k, asked in product(range(design.n_checkpoints), range(len(FORMATS))):
        point, level = f"step{k}", effects.base[k, probe]
        offset = effects.deviation[k, probe] * offsets[asked]
        rows.append(Row(SERIES, point, names[probe], FORMATS[asked], "base", 0, FORMATS[asked]))
        expected.append(level + known[k] * offset)
        for tuned, trained, seed in product(range(len(names)), range(len(FORMATS)), range(design.n_seeds)):
            is_own = tuned == probe
            if not is_there[k, tuned, trained, seed] or not (is_own or trained == asked):
                continue
            rows.append(Row(SERIES, point, names[tuned], FORMATS[trained], "full", seed, FORMATS[asked]))
            change = effects.change[k, tuned, probe] + shifts[k, tuned, trained, seed]
            expected.append(level + change + (1.0 if is_own else known[k]) * offset)
    return rows, np.clip(expected, 0.0, 1.0)


def floors_table(design: ScoreDesign) -> pl.DataFrame:
    """Make the rows of the measurements table that say what needs no skill."""
    rows = [
        {"probe": name, "probe_kind": "choice", "probe_format": asked, "chance": floor, "majority": floor}
        | {"suite": "in-domain", "split": "test", "series": SERIES, "method": "base"}
        for name, floor in zip(design.datasets, design.floors.tolist(), strict=True)
        for asked in FORMATS
        if kind_of(name) == "choice"
    ]
    return conform([row | {"is_chosen": True} for row in rows], MEASUREMENTS | IS_CHOSEN)
