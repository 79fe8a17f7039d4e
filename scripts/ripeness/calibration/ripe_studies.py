"""Draw the scores of tuned models of which the best checkpoint is known, and compare what `ripe` answers."""

from dataclasses import dataclass

import numpy as np

from ripeness.calibration.noise import answers, autocorrelated, difficulties
from ripeness.findings.finding import Settings
from ripeness.findings.ripe import Answer, answer

BEST_AT = 0.6  # of the way through the checkpoints, where scores are highest
LEVEL = 0.7
LAST, SET = "ripe: chosen minus last", "ripe: may be best"


@dataclass(frozen=True)
class RipeDesign:
    """Size and truth of a study of tuned models: expected scores rise to a `peak` and fall, shares from 0 to 1."""

    n_checkpoints: int = 8
    n_seeds: int = 3
    n_items: int = 200
    n_validation: int = 100
    n_datasets: int = 1
    peak: float = 0.0  # the best checkpoint above the last
    checkpoint_sd: float = 0.01
    rho: float = 0.0
    seed_sd: float = 0.02
    failed: float = 0.0

    @property
    def curve(self) -> np.ndarray:
        """Expected scores [checkpoints], without their scatter."""
        places = np.linspace(0, 1, self.n_checkpoints)
        bowl = ((places - BEST_AT) / (1 - BEST_AT)) ** 2
        return LEVEL - self.peak * (bowl - bowl.min()) / (bowl[-1] - bowl.min())


def draw_ripe(design: RipeDesign, rng: np.random.Generator) -> tuple[dict[str, dict[str, np.ndarray]], np.ndarray]:
    """Draw scores [checkpoints, seeds, items] by dataset and split; with the true means [checkpoints] over datasets."""
    parts, means = {}, []
    shape = (design.n_checkpoints, design.n_seeds)
    for number in range(design.n_datasets):
        mean = design.curve + design.checkpoint_sd * autocorrelated((design.n_checkpoints,), design.rho, rng)
        expected = np.clip(mean[:, None] + design.seed_sd * rng.standard_normal(shape), 0, 1).ravel()
        failed = rng.random(expected.shape) < design.failed
        split = {}
        for name, n_items in (("validation", design.n_validation), ("test", design.n_items)):
            codes = np.repeat(np.arange(design.n_checkpoints), design.n_seeds)
            values = answers(expected, codes, difficulties(n_items, 1, rng), is_choice=True, rng=rng)
            values[failed] = np.nan
            split[name] = values.reshape(*shape, n_items)
        parts[f"set{number}"] = split
        means.append(mean)
    return parts, np.mean(means, axis=0)


def ripe_rows(design: RipeDesign, rng: np.random.Generator, settings: Settings) -> list[dict[str, object]]:
    """Draw one study and say whether its answer is right: the last checkpoint's cost, and the set of the best.

    The set is wrong where the best checkpoint is not in it, and left open where it leaves none out.
    """
    parts, means = draw_ripe(design, rng)
    names = [f"step{k}" for k in range(design.n_checkpoints)]
    points = [{"checkpoint": name, "step": k, "tokens": 2 ** (30 + k)} for k, name in enumerate(names)]
    found = answer("run", "full", "all", points, parts, settings)
    best = names[int(means.argmax())]
    is_open = len(found.may_be_best) == len(names)
    last = {"verdict": "answered", "effect": found.last_is_worse_by, "low": found.low, "high": found.high}
    truth = None if found.low is None else cost_of_last(found, names, means)
    whole = {"verdict": "undecided" if is_open else "answered", "is_right": best in found.may_be_best}
    return [
        {"finding": LAST, "is_right": True, "holds": True, "truth": truth, **last},
        {"finding": SET, "holds": True, **whole},
    ]


def cost_of_last(found: Answer, names: list[str], means: np.ndarray) -> float | None:
    """Compute what the last checkpoint costs in truth against the chosen one."""
    return None if found.checkpoint is None else float(means[names.index(found.checkpoint)] - means[-1])
