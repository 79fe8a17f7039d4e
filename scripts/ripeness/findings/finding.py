"""What a finding is, the settings it is tested under, and the caveats that all findings share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from ripeness.runtime.errors import UserError
from ripeness.runtime.typed_settings import check_types
from ripeness.stats.looks import share_of
from ripeness.stats.resampling import Estimate
from ripeness.stats.verdicts import UNDECIDED, Part, Tested, outcome_of


@dataclass(frozen=True)
class Settings:
    """How claims are tested; scores and margins are shares from 0 to 1."""

    smallest_effect: float = 0.02
    smallest_loss: float = 0.02  # nats a token
    smallest_accuracy: float = 0.05  # share of pairs of checkpoints that an indicator orders right, above chance
    smallest_slope: float = 0.1  # doublings for a doubling of tokens
    smallest_doublings: float = 0.1  # of a loss increase: 7 % more
    learned_margin: float = 0.1  # a dataset is learned when its score is this far above the floor
    confidence: float = 0.95
    draws: int = 2000
    permutations: int = 200
    has_details: bool = True  # single curves, pairs and checkpoints are written down too; no verdict rests on them
    min_items: int = 20  # per dataset; an interval over fewer is not to be trusted
    min_checkpoints: int = 4  # for a statement about a trend
    shots: int = 0
    method: str = "full"
    seed: int = 0
    learned: Sequence[str] = ()  # probes of published tables that are said to be learned in pre-training, or not
    not_learned: Sequence[str] = ()
    form: Sequence[str] = ()  # datasets that teach how to answer, and those that teach facts
    knowledge: Sequence[str] = ()
    weights: Mapping[str, float] = field(default_factory=dict)  # of datasets, in the answer for all of them; else 1
    is_one_label_meant: bool = False  # probes that may have one label for all answers are not left out
    kinds: Mapping[str, str] = field(default_factory=dict)  # of datasets of published tables that models were tuned on
    runs: Mapping[str, str] = field(
        default_factory=dict
    )  # series -> what it shares with those that differ by seed alone
    families: Mapping[str, str] = field(default_factory=dict)  # and with those that differ by seed and schedule alone
    views: Mapping[str, str] = field(default_factory=dict)  # probes with other pictures -> exchanged, blank or part
    looks: int | None = None  # at growing results that are planned; see findings/looks.py
    look: int = 0  # at these results, which of them; 0: looks are not counted

    @property
    def level(self) -> float:
        """The p up to which a claim is decided, without the rounding error of 1 - 0.9."""
        return round(1 - self.confidence, 12)

    @property
    def decided_level(self) -> float:
        """The part of it that this look at the results may spend."""
        return self.level_at(self.look)

    @property
    def next_level(self) -> float:
        """The part of it that the look after this one may spend, as that at a larger study is."""
        return self.level_at(self.look + 1 if self.look else 0)

    def level_at(self, look: int) -> float:
        """Return the part of it that a look may spend; all of it where looks are not counted (0)."""
        return self.level * (share_of(look, self.looks) if look else 1.0)


@dataclass(frozen=True)
class Finding:
    """One claim, tested. Effects are None where they cannot be computed; `statement` then says why.

    The words of the claim (`id`, `claim`, `source`, `figure`, `unit`) are put in by `Claim.test`, the verdict and all
    that rests on it (`p_value` to `decided_confidence`, `parts`) by `deciding.adjusted`. A judge gives the `tests` that
    decide: alternatives, of one of which all parts must hold; none where the claim may not be decided. `on_these` is
    the effect with its interval on the datasets of the study, where the claim is about datasets like these.
    `needs_more` says of an undecided claim how many of each level alone would decide it at the next look:
    {level: {"now", "needed"}}; `variance` has the parts that this rests on.
    """

    id: str = ""
    claim: str = ""
    source: str = ""
    written: str = ""
    figure: str = ""
    verdict: str = UNDECIDED
    statement: str = ""
    unit: str = ""
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    confidence: float = 0.95
    smallest: float | None = None
    expects: str = ""
    part: str = ""
    on_these: Mapping[str, float] | None = None
    covers: str = "nothing"
    n_checkpoints: int = 0
    n_seeds: int = 0
    n_items: int = 0
    mde: float | None = None
    power_at_zero: float | None = None
    p_value: float | None = None
    p_holm: float | None = None
    decided_low: float | None = None
    decided_high: float | None = None
    decided_confidence: float | None = None
    needs_more: Mapping[str, Mapping[str, int | None]] | None = None
    variance: Mapping[str, Any] | None = None
    parts: tuple[Mapping[str, object], ...] = ()
    robustness: Mapping[str, object] | None = None
    caveats: tuple[str, ...] = ()
    details: tuple[Mapping[str, object], ...] = field(default=(), repr=False)
    tests: tuple[tuple[Part, ...], ...] = field(default=(), repr=False, compare=False)


def settings_from(values: Mapping[str, Any]) -> Settings:
    """Make settings from the study's key `findings`; UserError for a key that is not known."""
    known = [entry.name for entry in fields(Settings)]
    for key in values:
        if key not in known:
            raise UserError(
                f"findings: unknown key {key!r}; known are {', '.join(known)}\n"
                "hint: config.schema.yaml explains the keys of `findings`"
            )
    check_types("findings", Settings, values)
    return Settings(**values)


def undecided(blank: Finding, reason: str) -> Finding:
    """Say that the claim cannot be decided, and why; the numbers stay."""
    return replace(blank, tests=(), statement=f"Cannot be decided: {reason}.")


def on_enough(finding: Finding, n_checkpoints: int, settings: Settings) -> Finding:
    """Make the finding undecided where it rests on too few checkpoints for a statement about pre-training."""
    least = settings.min_checkpoints
    if not finding.tests or n_checkpoints >= least:
        return finding
    few = "one checkpoint is" if n_checkpoints == 1 else f"{n_checkpoints} checkpoints are"
    return undecided(finding, f"{few} too few (at least {least}). {finding.statement}".rstrip("."))


def with_effect(finding: Finding, result: Tested, settings: Settings, *, smallest: float | None = None) -> Finding:
    """Let an estimate decide the claim; `smallest` is the effect that matters, else that of scores."""
    least = settings.smallest_effect if smallest is None else smallest
    return with_parts(finding, ((Part(result, least),),), settings)


def with_parts(finding: Finding, tests: Sequence[Sequence[Part]], settings: Settings) -> Finding:
    """Let parts decide the claim: all of any alternative must hold. The numbers are those of the part that decides."""
    alternatives = tuple(map(tuple, tests))
    is_joint = sum(map(len, alternatives)) > 1
    part = outcome_of(alternatives).part if is_joint else alternatives[0][0]
    low, high = part.interval(settings.level)
    return replace(
        finding,
        effect=part.result.effect,
        low=low,
        high=high,
        confidence=1 - settings.level / part.tries,
        smallest=part.smallest,
        expects=part.expects,
        part=part.label,
        unit=part.unit or finding.unit,
        tests=() if np.isnan(low) else alternatives,
    )


def number(value: float) -> float | None:
    """Make a number fit for JSON."""
    return None if np.isnan(value) else float(value)


def numbers(result: Estimate) -> dict[str, float]:
    """Write an estimate into a row of `details`."""
    return {"effect": result.effect, "low": result.low, "high": result.high}


def signed(value: float) -> str:
    """Write a change of score with its sign: +0.42, −0.03."""
    if np.isnan(value):
        return "undefined"
    text = f"{value:+.2f}".replace("-", "−")
    return "0.00" if text in ("+0.00", "−0.00") else text


def times(effect: float, low: float = float("nan"), high: float = float("nan")) -> str:
    """Write a logarithm of base 2 as a factor, with its interval if there is one: 1.41 times [1.20, 1.66]."""
    if np.isnan(effect):
        return "an undefined number of times"
    reach = "" if np.isnan(low) else f" [{2**low:.2f}, {2**high:.2f}]"
    return f"{2**effect:.2f} times{reach}"


def between(low: float, high: float) -> str:
    """Write an interval: [+0.31, +0.52]."""
    return f"[{signed(low)}, {signed(high)}]"


def listed(names: list[str]) -> str:
    """Join names for a sentence: "a", "a and b", "a, b and c"; "none" for no name."""
    if not names:
        return "none"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
