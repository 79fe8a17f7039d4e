"""One rule for all claims: an effect, the smallest effect that matters and what the claim expects give a verdict and p.

A verdict is a one-sided test at half of 1 - confidence, so that p <= 1 - confidence just where the interval decides.
"Too small to matter" is two one-sided tests (Schuirmann 1987); claims of several parts are joined by
intersection-union (Berger 1982): all parts must hold, and any that does not, corrected for their number, may fall.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Protocol

import numpy as np
from scipy import special

from ripeness.stats.noncentral_t import chance_below, shift_above

POWER = 0.8  # of the smallest detectable effect
SUPPORTED, TOO_SMALL, REVERSED, UNDECIDED = VERDICTS = ("supported", "too small to matter", "reversed", "undecided")
EFFECT, NO_EFFECT, NO_HARM = EXPECTED = ("effect", "no effect", "no harm")


class Tested(Protocol):
    """An effect that can be held against any limit; `se` is NaN where its errors are drawn and not Student's."""

    @property
    def effect(self) -> float:
        """The estimate."""
        ...

    @property
    def se(self) -> float:
        """Its standard error."""
        ...

    @property
    def df(self) -> float:
        """The degrees of freedom of its standard error."""
        ...

    def p_above(self, limit: float) -> float:
        """Compute the one-sided p of the claim that the effect is above a limit."""
        ...

    def p_below(self, limit: float) -> float:
        """Compute the one-sided p of the claim that the effect is below a limit."""
        ...

    def interval(self, confidence: float) -> tuple[float, float]:
        """Give the two-sided interval at a confidence."""
        ...


def verdict_of(low: float, high: float, *, smallest: float, expects: str = EFFECT) -> str:
    """Read the verdict off an interval. NaN decides nothing."""
    is_small = -smallest < low and high < smallest
    if expects == NO_HARM:
        return SUPPORTED if high < smallest else REVERSED if low > smallest else UNDECIDED
    if expects == NO_EFFECT:
        return SUPPORTED if is_small else REVERSED if low > smallest or high < -smallest else UNDECIDED
    if expects != EFFECT:
        raise ValueError(f"expects is {expects!r}; known are {', '.join(EXPECTED)}")
    if low > smallest:
        return SUPPORTED
    return TOO_SMALL if is_small else REVERSED if high < -smallest else UNDECIDED


def one_sided(result: Tested, *, smallest: float, expects: str) -> dict[str, float]:
    """Compute the one-sided p of every verdict that a claim can get."""
    is_small = max(result.p_below(smallest), result.p_above(-smallest))
    if expects == NO_HARM:
        return {SUPPORTED: result.p_below(smallest), REVERSED: result.p_above(smallest)}
    if expects == NO_EFFECT:
        return {SUPPORTED: is_small, REVERSED: min(result.p_above(smallest), result.p_below(-smallest))}
    if expects != EFFECT:
        raise ValueError(f"expects is {expects!r}; known are {', '.join(EXPECTED)}")
    return {SUPPORTED: result.p_above(smallest), TOO_SMALL: is_small, REVERSED: result.p_below(-smallest)}


@dataclass(frozen=True)
class Part:
    """What a claim, or one of its parts, is decided on.

    `expects` is that of the claim where it is empty. `tries` is the number of things of which this is the best: its p
    is multiplied by it. A part that says that something exists cannot fall to examples (`may_fall`); a claim of which
    another part was not measured cannot be shown to hold (`may_hold`). `bounds` are the ends of the scale. `spread` is
    what the effect varies by, of which `larger_studies` tells what a larger study would show.
    """

    result: Tested
    smallest: float
    expects: str = ""
    label: str = ""
    unit: str = ""
    tries: int = 1
    may_fall: bool = True
    may_hold: bool = True
    bounds: tuple[float, float] = (-inf, inf)
    spread: object | None = None

    def p_values(self) -> Mapping[str, float]:
        """Compute the two-sided p of every verdict, corrected for the tries; it may exceed 1."""
        found = one_sided(self.result, smallest=self.smallest, expects=self.expects)
        may = {SUPPORTED: self.may_hold}
        return {verdict: 2 * self.tries * p if may.get(verdict, self.may_fall) else inf for verdict, p in found.items()}

    def against(self) -> tuple[float, str]:
        """Find the least p of a verdict other than supported, with the verdict; infinite where it may not fall."""
        return min((p, verdict) for verdict, p in self.p_values().items() if verdict != SUPPORTED)

    def interval(self, level: float) -> tuple[float, float]:
        """Give the interval at 1 - level, corrected for the tries."""
        low, high = self.result.interval(1 - level / self.tries)
        return max(low, self.bounds[0]), min(high, self.bounds[1])

    def detectable(self, level: float, power: float = POWER) -> float | None:
        """Compute the true effect at which 80 % of such studies (`power`) would support the claim, tested at a level.

        Noncentral t, with the standard error as found; for many degrees of freedom smallest + (t_{1-level/2} + t_{.8})
        se. None where the claim is that there is no effect, errors are not Student's, or no effect is large enough.
        """
        se, df = self.result.se, self.result.df
        if self.expects != EFFECT or not se > 0 or not self.may_hold:
            return None
        effect = self.smallest + shift_above(quantile(df, level / self.tries), df=df, power=power) * se
        return effect if effect <= self.bounds[1] else None

    def power_at_zero(self, level: float) -> float | None:
        """Compute the share of such studies that would support a claim of no effect, or no harm, if the truth is 0."""
        se, df = self.result.se, self.result.df
        if self.expects == EFFECT or not se > 0 or not self.may_hold:
            return None
        below = 1 - chance_below(quantile(df, level / self.tries), df=df, shift=self.smallest / se)
        return below if self.expects == NO_HARM else max(0.0, 2 * below - 1)


def chances_of(part: Part, level: float, *, se: float, df: float) -> tuple[float, float]:
    """Compute the shares of studies that support a claim and that decide against it, tested at a level.

    The true effect is taken to be the measured one, of standard error `se` on `df` degrees of freedom.
    """
    effect, smallest, reach = part.result.effect, part.smallest, quantile(df, level / part.tries)

    def below(limit: float) -> float:
        return chance_below(-reach, df=df, shift=(effect - limit) / max(se, 1e-12))

    def above(limit: float) -> float:
        return chance_below(-reach, df=df, shift=(limit - effect) / max(se, 1e-12))

    small = max(0.0, below(smallest) + above(-smallest) - 1)
    support, against = {
        EFFECT: (above(smallest), small + below(-smallest)),
        NO_EFFECT: (small, above(smallest) + below(-smallest)),
        NO_HARM: (below(smallest), above(smallest)),
    }[part.expects or EFFECT]
    return support * part.may_hold, against * part.may_fall


def quantile(df: float, level: float) -> float:
    """Give Student's two-sided quantile."""
    return float(special.stdtrit(df, 1 - level / 2))


@dataclass(frozen=True)
class Outcome:
    """The verdict that a claim comes nearest to, its p, and the part that it is read from.

    `share` is by how much the level is divided for the part's interval, since any of several parts may fall.
    """

    verdict: str
    p_value: float
    part: Part
    share: int


def outcome_of(alternatives: Sequence[Sequence[Part]]) -> Outcome:
    """Find the nearest verdict of a claim that holds if all parts of any alternative do.

    It falls if a part of every alternative does. Supported is read from the weakest proof; else from the part that is
    most clearly against, of the alternative that it is least clear of.
    """
    support, weakest = min(
        (max(((part.p_values()[SUPPORTED], part) for part in parts), key=by_p) for parts in alternatives), key=by_p
    )
    falls = [min(((part.against(), part) for part in parts), key=lambda one: one[0][0]) for parts in alternatives]
    shares = [len(parts) for parts in alternatives]
    (against, verdict), part, share = max(
        (((p * share, verdict), part, share) for ((p, verdict), part), share in zip(falls, shares, strict=True)),
        key=lambda one: one[0][0],
    )
    if support <= against:
        return Outcome(SUPPORTED, min(1.0, support), weakest, 1)
    return Outcome(verdict, min(1.0, against), part, share)


def by_p(pair: tuple[float, Part]) -> float:
    """Give the p of a pair of p and part."""
    return pair[0]


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p values for the number of hypotheses tested (Holm 1979), in the order given."""
    order = np.argsort(p_values)
    stepped = np.asarray(p_values, float)[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return adjusted.tolist()


def holm_levels(p_values: Sequence[float], level: float) -> list[float]:
    """Find the level that Holm's steps test each hypothesis at: all that is left where they stop, at that step's."""
    order = np.argsort(p_values)
    levels, left = np.empty(len(p_values)), len(p_values)
    for place, index in enumerate(order):
        levels[order[place:]] = level / left
        if p_values[index] > level / left:
            break
        left -= 1
    return levels.tolist()
