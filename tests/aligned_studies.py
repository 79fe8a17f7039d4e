"""Studies of alignment whose truth is planted: losses on text by stage, and what the rule gives to own texts."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
from overtrained import SETTINGS

from ripeness.findings.deciding import adjusted
from ripeness.findings.finding import Finding, Settings
from ripeness.findings.register import CLAIMS
from ripeness.findings.study_tables import Tables
from ripeness.tables.columns import CELLS, IS_CHOSEN, MEASUREMENTS, conform

CLAIM_OF = {claim.id: claim for claim in CLAIMS}
TEXT = {"probe": "prose", "probe_kind": "text", "probe_format": "text", "metric": "loss", "split": None}
ANSWERS = {"probe_kind": "choice", "probe_format": "default", "metric": "answer_loss", "split": "test"}
Course = Callable[[float], float]  # over u, from 0 at the first checkpoint to 1 at the last


@dataclass(frozen=True)
class Truth:
    """What stages do: nats of text that they add to their start, and what texts are worth by the rule, over u."""

    tuning: Course = lambda u: 0.5  # nats that supervised tuning adds to the checkpoint
    stage: Course = lambda u: 0.1  # and each later stage to its start
    alone: Course = lambda u: 0.1  # and reinforcement to the checkpoint
    tuned: Course = lambda u: 0.3 + 0.2 * u  # worth after supervised tuning
    gain: Course = lambda u: 0.2  # what reinforcement by the rule adds to it
    gap: Course = lambda u: 0.1  # what a reward model in its place loses of that
    n: int = 8
    datasets: int = 3
    seeds: int = 3
    noise: float = 0.004
    scatter: float = 0.0  # of checkpoints and datasets, in all that stages do
    error: float = 0.01  # of a worth over prompts


METHODS = {
    "sft": {"learns": "answers"},
    "dpo": {"learns": "preferences", "start": "sft"},
    "rm": {"learns": "reward", "start": "sft"},
    "grpo": {"learns": "policy", "start": "sft", "rewarded_by": "rule"},
    "grpo-rm": {"learns": "policy", "start": "sft", "rewarded_by": "rm"},
    "grpo-after-dpo": {"learns": "policy", "start": "dpo", "rewarded_by": "rule"},
    "grpo-alone": {"learns": "policy", "rewarded_by": "rule"},
}


def planted(truth: Truth, seed: int = 0) -> Tables:
    """Draw the tables of a study."""
    rng = np.random.default_rng(seed)
    rows, cells = [], []
    for k, d in product(range(truth.n), range(truth.datasets)):
        place = {"study": "planted", "series": "run", "checkpoint": f"step{k}", "step": k, "tokens": 1000 * 2**k}
        place |= {"phase": "stable", "pretraining_seed": 0, "lr": 1e-3, "is_chosen": True, "suite": "s", "shots": 0}
        u, moved = k / max(truth.n - 1, 1), truth.scatter * rng.standard_normal()
        rows.append(place | TEXT | {"method": "base", "seed": 0, "value": 3 - u})
        for number in range(truth.seeds):
            text = texts_of(truth, u, moved)
            worth = worths_of(truth, u, moved, rng)
            for method, facts in METHODS.items():
                cell = {"dataset": f"set{d}", "format": "default", "method": method, "seed": number}
                cell |= {"learning_rate": 1e-3}
                if method in text:
                    value = text[method] + truth.noise * rng.standard_normal()
                    rows.append(place | cell | TEXT | {"value": value})
                if method == "sft":
                    rows.append(place | cell | ANSWERS | {"probe": f"set{d}", "value": 1 - truth.tuned(u)})
                told = worth.get(method, {})
                row = place | cell | facts | told | {"kind": "full", "status": "done"}
                cells.append({key: value for key, value in row.items() if key in CELLS | IS_CHOSEN})
    return Tables.of(
        measurements=conform(rows, MEASUREMENTS | IS_CHOSEN), cells=conform(cells, CELLS | IS_CHOSEN), scores="not read"
    )


def texts_of(truth: Truth, u: float, moved: float) -> dict[str, float]:
    """Return the loss on text after each stage, which is what its start has and what it adds."""
    sft = 3 - u + truth.tuning(u)
    stage = truth.stage(u) + moved
    one = dict.fromkeys(("dpo", "grpo", "grpo-rm"), sft + stage)
    return one | {"sft": sft, "grpo-after-dpo": sft + 2 * stage, "grpo-alone": 3 - u + truth.alone(u) + moved}


def worths_of(truth: Truth, u: float, moved: float, rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """Return what the rule gives to texts of each policy and of its start."""

    def told(before: float, after: float, reward: float) -> dict[str, float]:
        before, after = (value + truth.noise * rng.standard_normal() for value in (before, after))
        found = {"truth_before": before, "truth": after, "pass_at_64_before": before, "pass_at_64": after}
        found |= dict.fromkeys(("truth_se", "truth_before_se"), truth.error)
        return found | {"reward_before": 0.0, "reward": reward}

    tuned, gain = truth.tuned(u), truth.gain(u) + moved
    return {
        "grpo": told(tuned, tuned + gain, gain),
        "grpo-rm": told(tuned, tuned + gain - truth.gap(u) - moved, 1.0),
        "grpo-after-dpo": told(tuned, tuned + gain, gain),
        "grpo-alone": told(0.1, 0.1 + gain, gain),
    }


def judged(name: str, tables: Tables, settings: Settings = SETTINGS) -> Finding:
    """Test one claim alone."""
    return adjusted([CLAIM_OF[name].test(tables, settings)], settings)[0]
