"""How often intervals of turning points hold the truth, and how often tests see what is not there.

Simulated: a loss at 8, 12 and 20 checkpoints and 3 and 5 seeds, evenly spaced in log tokens; noise of the checkpoint,
which its seeds share (sd 0.05), and of the seed (sd 0.06). Each share is of 5,000 data sets:
its own standard error is 0.3 % near 95 %.

python benchmarks/turning_points.py      # the table of docs/statistics.md
"""

import argparse
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats
from subjects import read_options
from timing import is_met, row

from ripeness.runtime.command_line import run as run_program
from ripeness.stats.broken_stick import best_knot, broken_stick, kink_p, knot_p, line_p
from ripeness.stats.curves import Design, design_of, hinge, line_residuals, project_out
from ripeness.stats.peaks import Peak, peak_contrast
from ripeness.stats.turning_points import MIN_FOR_KINK, kinds_of

SIZES = [(n, seeds) for n in (8, 12, 20) for seeds in (3, 5)]
CHECKPOINT_SD, SEED_SD = 0.05, 0.06
REPETITIONS, WIDTHS, DRAWS, SEEDS = 5000, 50, 999, 8
CONFIDENCE, ALPHA = 0.95, 0.05
SEED = 7  # of noise that was not looked at while methods were chosen
COVERS, AT_LEAST, RARELY = ">= 0.92, <= 0.97", ">= 0.92", "<= 0.06"
LINES = ("flat", "slow fall", "fall")  # of the truths below: nothing bends
WORDS = {COVERS: "92 to 97", AT_LEAST: "at least 92", RARELY: "at most 6", "": ""}  # targets in percent
Truth = Callable[[np.ndarray], np.ndarray]

# u runs from 0 at the first checkpoint to 1 at the last
KINKS: dict[str, tuple[float, float, float]] = {  # place, slope before, slope after
    "gentle kink": (0.55, -0.5, 0.0),
    "kink": (0.55, -2.0, 0.0),
    "steep kink": (0.55, -10.0, -0.5),
    "kink near the end": (0.8, -2.0, 0.5),
    "kink near the start": (0.22, -6.0, -0.5),
    "V": (0.55, -2.0, 1.5),
}
SMOOTH: dict[str, Truth] = {
    "exponential": lambda u: np.exp(-3 * u),
    "steep exponential": lambda u: 3 * np.exp(-6 * u),
    "U": lambda u: 4 * (u - 0.6) ** 2,
    "logistic": lambda u: 1 / (1 + np.exp(12 * (u - 0.45))),
}
WORSENING: dict[str, Truth] = {  # of which the last checkpoint is not the best
    "shallow V": lambda u: 0.3 * np.abs(u - 0.55),
    "V": lambda u: 1.2 * np.abs(u - 0.55),
    "steep V": lambda u: 6 * np.abs(u - 0.55),
    "shallow U": lambda u: 1.2 * (u - 0.6) ** 2,
    "U": lambda u: 4 * (u - 0.6) ** 2,
    "fall, then a slow rise": lambda u: 1.2 * np.exp(-6 * u) + 0.4 * np.maximum(u - 0.5, 0),
}
NEVER_WORSE: dict[str, Truth] = {
    "flat": lambda u: 0 * u,
    "slow fall": lambda u: -0.12 * u,
    "fall": lambda u: -u,
    "plateau": lambda u: 0.6 * np.exp(-6 * u),
    "steep plateau": lambda u: 2.4 * np.exp(-6 * u),
    "kinked plateau": lambda u: -2 * np.minimum(u, 0.55),
}


@dataclass(frozen=True)
class Trial:
    """Checkpoints and seeds of the data sets, how many there are, and how many of them also give a width."""

    n: int
    seeds: int
    repetitions: int
    widths: int
    draws: int
    rng: np.random.Generator

    @property
    def u(self) -> np.ndarray:
        """The checkpoints' places."""
        return np.linspace(0, 1, self.n)

    @property
    def design(self) -> Design:
        """What is fitted to them."""
        return design_of(tuple(self.u.tolist()))

    def setting(self, name: str) -> str:
        """The truth and the size in words."""
        return f"{name}, {self.n} x {self.seeds}"


def simulated(trial: Trial, truth: np.ndarray) -> np.ndarray:
    """Means over seeds of all data sets, [checkpoints, n]."""
    checkpoint = CHECKPOINT_SD * trial.rng.standard_normal((trial.n, trial.repetitions))
    seed = SEED_SD * trial.rng.standard_normal((trial.n, trial.seeds, trial.repetitions))
    return truth[:, None] + checkpoint + seed.mean(axis=1)


def kinked(u: np.ndarray, place: float, before: float, after: float) -> np.ndarray:
    """Two lines that meet."""
    return before * u + (after - before) * np.maximum(u - place, 0)


def rows_of_knots(trial: Trial) -> Iterator[dict]:
    """Coverage of the interval of a knot; the plain profile F beside it, and the width in checkpoints."""
    for name, numbers in KINKS.items():
        yield from rows_of_knot(trial, name, kinked(trial.u, *numbers), numbers[0], COVERS)
    for name, curve in SMOOTH.items():  # which have no knot: where two lines fit best if nothing disturbs them
        yield from rows_of_knot(trial, name, curve(trial.u), best_knot(trial.design, curve(trial.u)), COVERS)


def rows_of_knot(trial: Trial, name: str, truth: np.ndarray, place: float, target: str) -> Iterator[dict]:
    """Of one truth: ours as printed, from the first knot that is held to the last, and the plain profile F."""
    means, design = simulated(trial, truth), trial.design
    term = project_out(hinge(design.x, np.array([place])), design.line)[0]
    held = by_seed(lambda part, seed: knot_p(design, part, place, draws=trial.draws, seed=seed), means) > ALPHA
    widths = []
    for k in np.unique(np.append(np.flatnonzero(~held), np.arange(trial.widths))):
        low, high = limits_of(trial, means[:, k])
        held[k] |= low <= place <= high  # the set may leave out a place between two that it holds
        widths += [(high - low) * (trial.n - 1)] if k < trial.widths else []
    left = line_residuals(design, means)
    whole, at = (left**2).sum(axis=0), (term @ left) ** 2
    least = whole - np.maximum(design.hinges.explained_ss(left), at)
    plain = (whole - at) <= least * (1 + stats.f.ppf(CONFIDENCE, 1, design.df) / design.df)
    yield row(
        "turning_points", "knot", trial.setting(name), unit="covered", target=target,
        ours=held.mean(), theirs=plain.mean(), ratio=held.mean(), note="theirs: threshold of the F distribution",
    )  # fmt: skip
    yield row(
        "turning_points", "knot, width", trial.setting(name), unit="checkpoints", target="",
        ours=float(np.median(widths)), theirs=None, ratio=None,
    )  # fmt: skip


def limits_of(trial: Trial, means: np.ndarray) -> tuple[float, float]:
    """The outermost knots that one data set does not contradict."""
    stick = broken_stick(
        trial.design, means, p_line=0.0, confidence=CONFIDENCE, draws=trial.draws, seed=0, may_kink=False
    )
    first, last = trial.design.knots[[0, -1]].tolist()
    return first if stick.low is None else stick.low, last if stick.high is None else stick.high


def by_seed(test: Callable[[np.ndarray, int], np.ndarray], means: np.ndarray) -> np.ndarray:
    """A test of data sets [checkpoints, n], each eighth with draws of its own: one set would be one threshold."""
    parts = np.array_split(means, SEEDS, axis=1)
    return np.concatenate([test(part, seed) for seed, part in enumerate(parts)])


def rows_of_peaks(trial: Trial) -> Iterator[dict]:
    """Coverage of the contrast of the last with the best before it, and how often each test sees something."""
    for name, curve in (WORSENING | NEVER_WORSE).items():
        means = simulated(trial, curve(trial.u))
        peaks = [
            peak_contrast(trial.design, column, confidence=CONFIDENCE, draws=trial.draws, seed=k % SEEDS)
            for k, column in enumerate(means.T)
        ]
        yield from rows_of_peak(trial, name, curve(trial.u), means, peaks)


def rows_of_peak(trial: Trial, name: str, truth: np.ndarray, means: np.ndarray, peaks: list[Peak]) -> Iterator[dict]:
    """Rows of one truth. A test may see a bend in a bent curve, but neither a peak nor a valley where nothing rises."""
    effect, best = truth[-1] - truth[:-1].min(), int(truth.argmin())
    reach = stats.t.ppf((1 + CONFIDENCE) / 2, trial.design.df) * np.sqrt(2)
    covered = share(peak.low <= effect <= peak.high for peak in peaks)
    yield row(
        "turning_points", "contrast", trial.setting(name), unit="covered", target=COVERS, ours=covered,
        theirs=share(abs(peak.effect - effect) <= reach * peak.sd for peak in peaks), ratio=covered,
        note="theirs: t interval as if the best had not been picked",
    )  # fmt: skip
    p_line = line_p(trial.design, means, seed=0)
    kinds = [kinds_of(peak, p, None, CONFIDENCE)[0] for peak, p in zip(peaks, p_line.tolist(), strict=True)]
    rarely, of_line = (RARELY if name in names else "" for names in (NEVER_WORSE, LINES))
    yield from (
        row("turning_points", test, trial.setting(name), unit=unit, target=target, ours=seen, theirs=None, ratio=seen)
        for test, unit, target, seen in (
            ("best checkpoint", "covered", AT_LEAST, share(best in peak.candidates for peak in peaks)),
            ("peak", "seen", rarely, share(peak.p_value <= ALPHA and peak.effect > 0 for peak in peaks)),
            ("valley", "seen", rarely, share(peak.p_monotone <= ALPHA for peak in peaks)),
            ("sup-F", "seen", of_line, share(p_line <= ALPHA)),
            ("anything", "seen", of_line, share(kind != "none" for kind in kinds)),
        )
    )


def rows_of_kinks(trial: Trial) -> Iterator[dict]:
    """How often a kink is seen in smooth curves, where it is not, and in kinks."""
    if trial.n < MIN_FOR_KINK:
        return
    truths = {name: curve(trial.u) for name, curve in SMOOTH.items()}
    for name, truth in (truths | {name: kinked(trial.u, *numbers) for name, numbers in KINKS.items()}).items():
        means = simulated(trial, truth)
        p = [kink_p(trial.design, column, draws=trial.draws, seed=k % SEEDS) for k, column in enumerate(means.T)]
        seen = share(value <= ALPHA for value in p)
        target = RARELY if name in SMOOTH and name != "logistic" else ""
        yield row(
            "turning_points", "kink", trial.setting(name), unit="seen", target=target, ours=seen, theirs=None,
            ratio=seen,
        )  # fmt: skip


def share(found: Iterable[bool]) -> float:
    """The share of what is true."""
    return float(np.mean(list(found)))


def run(options: argparse.Namespace) -> list[dict]:
    """Rows of all sizes; ten data sets each where it is to be small."""
    rows: list[dict] = []
    for n, seeds in SIZES[:3:2] if options.small else SIZES:
        logging.info("turning points: %d checkpoints, %d seeds", n, seeds)
        size = (10, 2, 19) if options.small else (REPETITIONS, WIDTHS, DRAWS)
        trial = Trial(n, seeds, *size, np.random.default_rng([SEED, n, seeds]))
        for part in (rows_of_knots, rows_of_peaks, rows_of_kinks):
            rows += part(trial)
    return rows


def table(rows: list[dict]) -> str:
    """Rows by truth, sizes side by side, in percent; where a target is missed the number is bold."""
    sizes = [f"{n} x {seeds}" for n, seeds in SIZES]
    lines = [["what", "truth", "", *sizes], ["---"] * (3 + len(sizes))]
    found: dict[tuple[str, str, str], dict[str, str]] = {}
    for entry in rows:
        name, size = entry["setting"].rsplit(", ", 1)
        text = f"{entry['ours'] * (100 if entry['unit'] != 'checkpoints' else 1):.1f}"
        key = (entry["model"], name, WORDS[entry["target"]])
        found.setdefault(key, {})[size] = f"**{text}**" if is_met(entry) is False else text
        if entry["theirs"] is not None:
            found.setdefault((f"{entry['model']}, plainly", name, ""), {})[size] = f"{100 * entry['theirs']:.1f}"
    lines += [[*key, *(cells.get(size, "–") for size in sizes)] for key, cells in found.items()]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    """Print the table."""
    print(table(run(read_options(__doc__))))


if __name__ == "__main__":
    run_program(main)
