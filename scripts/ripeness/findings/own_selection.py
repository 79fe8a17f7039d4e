"""Which rows a user's own claim selects, and which of their names the claim compares."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from ripeness.runtime.errors import UserError
from ripeness.study.own_claims import (
    ALL,
    FIRST,
    KEYS,
    LAST,
    OTHERS,
    OWN,
    SCORE,
    TRAINED,
    Selection,
    check_names,
    inherited,
    is_base,
    is_of_texts,
    names_in,
)
from ripeness.study.study_config import BASE

OF_TUNING = {"dataset", "format", "method", "seed"}  # what an untouched checkpoint does not have
WRITTEN_OUT = ("claim", "compare", "metric", "of", "smallest", "direction", "expects")
LEVELS = ("series", "point", "dataset", "probe", "format", "asked_in", "method", "seed")


@dataclass(frozen=True)
class OwnClaim:
    """A claim of the user: `against` is None for a trend; `written` says when it was written, as seen from results."""

    name: str
    claim: str
    compare: Selection
    against: Selection | None
    metric: str
    of: str
    smallest: float
    direction: str
    expects: str
    written: str = ""
    named_against: Selection = field(default_factory=dict)  # what `against` says itself, without what it inherits

    @classmethod
    def of_settings(cls, name: str, settings: Mapping[str, Any], written: str = "") -> "OwnClaim":
        """Make a claim of its settings in a study's config."""
        if missing := [key for key in WRITTEN_OUT if key not in settings]:
            raise UserError(
                f"claim {name!r} has no {', '.join(missing)}\n"
                f"hint: a study file fills in what it leaves out; by hand give all of {', '.join(WRITTEN_OUT)}"
            )
        against = inherited(settings) if "against" in settings else None
        kept = {key: settings[key] for key in WRITTEN_OUT}
        named = settings.get("against", {})
        return cls(name=name, against=against, written=written, named_against=named, **kept)

    @property
    def sign(self) -> int:
        """1 where the claim says more, -1 where it says less."""
        return 1 if self.direction == "more" else -1

    @property
    def is_of_texts(self) -> bool:
        """Say whether the claim is about running text."""
        return is_of_texts(self.metric)

    @property
    def is_tuned(self) -> bool:
        """Say whether the claim is about tuned models on a side."""
        return not all(is_base(side) for side in (self.compare, self.against or self.compare))

    def names(self, key: str) -> list[str]:
        """List what both sides name under a key."""
        return [name for side in (self.compare, self.against or {}) for name in names_in(side, key)]

    def compared(self) -> set[str]:
        """List the keys in which the two sides differ."""
        against = self.against or {}
        return {key for key in (*KEYS, "shots") if against and self.compare.get(key) != against.get(key)}

    def sampled(self) -> list[str]:
        """List which of dataset and probe the claim does not name, so that they stand for others like them."""
        is_own = (set(self.names("probe")) or {OWN}) == {OWN} and not self.is_of_texts
        free = ["dataset"] if not self.names("dataset") and (is_own or self.is_tuned) else []
        if is_own or self.is_of_texts:
            return free
        words = {OWN, OTHERS, ALL}
        return [*free, *(["probe"] if not set(self.names("probe")) - words else [])]


def higher_score(compare: Mapping[str, Any], against: Mapping[str, Any], smallest: float) -> OwnClaim:
    """Make the claim that a selection scores higher than another one, for a finding that has words of its own."""
    return OwnClaim(
        name="",
        claim="",
        compare=compare,
        against=against,
        metric=SCORE,
        of="level",
        smallest=smallest,
        direction="more",
        expects="effect",
        named_against=against,
    )


def selected(
    rows: pl.DataFrame, selection: Selection, *, written: Selection | None = None, is_text: bool = False
) -> pl.DataFrame:
    """Keep the rows of a selection at all checkpoints of its trend; `is_chosen` are those at the checkpoints named.

    `written` holds the keys that were written for this side: what it only inherits of tuning does not restrict an
    untouched checkpoint.
    """
    own = selection if written is None else written
    base = is_base(selection)
    rows = rows.filter(within("method", selection) if "method" in selection else pl.col("method") != BASE)
    for key in ("series", "dataset", "format"):
        if key in selection and (key in own or not base or key == "series"):
            rows = rows.filter(within(key, selection))
    rows = rows.filter(of_probes(selection, base, is_text), of_formats(selection, base, is_text))
    named = names_in(selection, "checkpoint")
    if "phase" in selection:
        rows = rows.filter(within("phase", selection))
    else:
        rows = rows.filter(pl.col("is_trend") | pl.col("checkpoint").is_in(named))
    order = rows.select("series", "checkpoint", "tokens").unique().sort("series", "tokens", "checkpoint")
    ends = {FIRST: order.group_by("series").first(), LAST: order.group_by("series").last()}
    chosen = pl.lit(value=True) if not named else pl.col("checkpoint").is_in(named)
    for word, places in ends.items():
        if word in named:
            keys = [f"{series}/{name}" for series, name in places.select("series", "checkpoint").rows()]
            chosen = chosen | pl.format("{}/{}", "series", "checkpoint").is_in(keys)
    return rows.with_columns(is_chosen=chosen)


def within(key: str, selection: Selection) -> pl.Expr:
    """Match the names under a key."""
    return pl.col(key).is_in(names_in(selection, key))


def of_probes(selection: Selection, base: bool, is_text: bool) -> pl.Expr:
    """Match what is asked: an untouched checkpoint has no dataset of its own, so that it is asked all."""
    names = names_in(selection, "probe") or [ALL if is_text else OWN]
    words = {OWN: pl.col("is_own"), OTHERS: ~pl.col("is_own"), ALL: pl.lit(value=True)}
    found = pl.col("probe").is_in(names)
    for name in names:
        found = found | (words[ALL if base else name] if name in words else pl.lit(value=False))
    return found


def of_formats(selection: Selection, base: bool, is_text: bool) -> pl.Expr:
    """Match the format that is asked in."""
    names = names_in(selection, "asked_in") or [TRAINED]
    if TRAINED not in names:
        return pl.col("asked_in").is_in(names)
    if base or is_text:
        return pl.lit(value=True)
    return pl.col("asked_in").is_in(names) | (pl.col("asked_in") == pl.col("format"))


def check_selection(where: str, selection: Selection, rows: pl.DataFrame) -> None:
    """Refuse names that no row has."""
    check_names(where, selection, {key: sorted(rows[key].drop_nulls().unique()) for key in KEYS if key in rows.columns})


def levels_apart(claim: OwnClaim) -> set[str]:
    """List the levels of LEVELS that the two sides are not matched by, since the claim compares them."""
    compared = claim.compared()
    apart = {key for key in compared if key in LEVELS}
    if "checkpoint" in compared:
        apart.add("point")
    if "dataset" in compared and (set(claim.names("probe")) or {OWN}) == {OWN}:
        apart.add("probe")
    if "format" in compared and (set(claim.names("asked_in")) or {TRAINED}) == {TRAINED}:
        apart.add("asked_in")
    return apart


def levels_of_side(selection: Selection) -> list[str]:
    """List the levels that rows of a selection have."""
    return [level for level in LEVELS if not (is_base(selection) and level in OF_TUNING)]
