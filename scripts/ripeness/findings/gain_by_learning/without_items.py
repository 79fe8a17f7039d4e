"""What tuning gains where there are measurements and no items."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import polars as pl

from ripeness.findings.finding import (
    Finding,
    Settings,
    listed,
    number,
    on_enough,
    signed,
    undecided,
)
from ripeness.findings.gain_by_learning.classes import FEW
from ripeness.findings.pairs import late, trend
from ripeness.findings.study_tables import Tables
from ripeness.findings.trajectories import points_of, trajectories_of
from ripeness.findings.two_estimates import OF_CHANGES, alone, both_of, two_lines, with_both
from ripeness.findings.without_items import (
    MANY,
    PLACE,
    above_floor,
    caveats_of,
    covers_of,
    estimated,
    method_caveats,
    missing_caveats,
    pairs_of,
)
from ripeness.stats.at_large import Sources
from ripeness.stats.random_levels import Component, between_classes
from ripeness.tables.intervals import compared, mean_or_null
from ripeness.tables.single_numbers import as_number


def group_of(measurements: pl.DataFrame, settings: Settings) -> dict[tuple[str, str], str]:
    """Class each (series, probe) as learned or not: as the config says, else by the later half of its curve.

    Probes in no group of the config, and those whose floor is not known, are left out.
    """
    if settings.learned or settings.not_learned:
        given = dict.fromkeys(settings.learned, "learned") | dict.fromkeys(settings.not_learned, "not learned")
        places = measurements.select("series", "probe").unique().rows()
        return {(series, probe): given[probe] for series, probe in places if probe in given}
    curves = [curve for curve in trajectories_of(compared(measurements)) if not np.isnan(curve.floor)]
    classes = {True: "learned", False: "not learned"}
    return {(c.series, c.probe): classes[above_floor(c) > settings.learned_margin] for c in curves if c.kind != "text"}


def named(rows: list[tuple], columns: list[str]) -> pl.DataFrame:
    """Make a frame of names."""
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")


def group_means(gains: pl.DataFrame) -> dict[str, tuple[float, float]]:
    """Average the gain of each group, with an upper bound of its standard error; every probe counts the same."""
    probes = gains.group_by("group", "probe").agg(pl.col("change").mean(), se=mean_or_null("se"))
    groups = probes.group_by("group").agg(pl.col("change").mean(), se=mean_or_null("se"))
    return {name: (change, np.nan if se is None else se) for name, change, se in groups.iter_rows()}


def judge(tables: Tables, settings: Settings) -> Finding:
    """Compare the gains of both groups at every checkpoint; see claim.py.

    Decided only where the config names the groups and every number has its standard error: groups that are read off
    the same scores as the gains would make a difference by themselves.
    """
    measurements = tables.reported
    pairs = pairs_of(measurements).filter("is_own")
    caveats = [*caveats_of(measurements, settings), *method_caveats(measurements), *missing_caveats(pairs)]
    if pairs.is_empty():
        reason = "no pair of a tuned model and its untouched checkpoint was measured on the dataset tuned on"
        return undecided(Finding(caveats=tuple(caveats)), reason)
    groups = [(*place, group) for place, group in group_of(measurements, settings).items()]
    pairs = pairs.join(named(groups, ["series", "probe", "group"]), on=["series", "probe"], how="left")
    ends = [(p.series, p.checkpoint) for found in points_of(measurements).values() for p in late(trend(found))]
    gains = pairs.filter(pl.col("group").is_not_null())
    main = gains.join(named(ends, ["series", "checkpoint"]), on=["series", "checkpoint"], how="semi")
    finding = Finding(
        covers=covers_of(measurements, is_tuned=True),
        n_seeds=measurements.filter(pl.col("method") != "base")["seed"].drop_nulls().n_unique(),
        n_checkpoints=main.select("series", "checkpoint").unique().height,
        caveats=tuple(caveats),
        details=tuple(gain_rows(pairs, settings)),
    )
    means = group_means(main)
    if len(means) < 2:
        only = next(iter(means), None)
        probes = listed(sorted(set(main["probe"])))
        what = f"every dataset is in the group {only!r} ({probes})" if only else "no dataset is in a group"
        return undecided(finding, f"at the later checkpoints {what}, which leaves nothing to compare")
    most = gains.group_by("series").agg(n=pl.col("checkpoint").n_unique())["n"].max()
    return on_enough(judged_gain(finding, means, main, settings), int(as_number(most)), settings)


def judged_gain(
    finding: Finding, means: Mapping[str, tuple[float, float]], main: pl.DataFrame, settings: Settings
) -> Finding:
    """Put the difference of both groups into the finding, and the verdict or why there is none."""
    (unlearned, se_unlearned), (learned, se_learned) = means["not learned"], means["learned"]
    result = estimated(unlearned - learned, float(np.hypot(se_unlearned, se_learned)), settings)
    names = {name: sorted(set(main.filter(group=name)["probe"])) for name in means}
    is_given = bool(settings.learned or settings.not_learned)
    reasons = []
    if not is_given:
        reasons.append("without items, the groups come from the same scores that the gains start from")
    if np.isnan(result.low):
        reasons.append("some numbers have no standard error")
    statement = (
        f"Over the later half of the checkpoints tuning gains {signed(unlearned)} on datasets not learned in "
        f"pre-training ({listed(names['not learned'])}) and {signed(learned)} on learned ones "
        f"({listed(names['learned'])}), a difference of {signed(result.effect)}."
    )
    source = "as the config names them" if is_given else "by their untouched scores at the later checkpoints"
    finding = replace(finding, caveats=(*finding.caveats, f"Datasets are grouped {source}; groups are taken as given."))
    if reasons:
        said = f"Cannot be decided: {listed(reasons)}. {statement} {alone(result)}"
        return replace(finding, statement=said, effect=result.effect)
    gains = main.group_by("group", "probe").agg(pl.col("change").mean())
    classes = [gains.filter(group=name)["change"].to_numpy() for name in ("not learned", "learned")]
    datasets, sources = between_classes(classes[0], classes[1]), Sources(Component(result.se**2, MANY))
    both = both_of(result.effect, datasets, sources, settings, n_datasets=sum(map(len, classes)), most=OF_CHANGES)
    finding = replace(finding, statement=f"{statement} {two_lines(both)}")
    return with_both(finding, both, settings, too_few=FEW, is_tuned=False)


def gain_rows(pairs: pl.DataFrame, settings: Settings) -> list[dict[str, object]]:
    """Make the rows of `details`: at each checkpoint the mean gain of both groups, then that of each dataset."""
    rows: list[dict[str, object]] = []
    for place, part in sorted(pairs.group_by(PLACE), key=lambda one: (one[0][0], one[0][2], one[0][1])):
        where = dict(zip(PLACE, place, strict=True))
        means = group_means(part.filter(pl.col("group").is_not_null()))
        if means:
            found = {name.replace(" ", "_"): mean for name, (mean, _) in means.items()}
            row = {"level": "groups", **where, "not_learned": None, "learned": None, **found}
            if len(means) == 2:
                (unlearned, se), (learned, se_learned) = means["not learned"], means["learned"]
                gap = estimated(unlearned - learned, float(np.hypot(se, se_learned)), settings)
                row |= {"effect": gap.effect, "low": number(gap.low), "high": number(gap.high)}
            rows.append(row)
        for one in part.sort("probe", "dataset").iter_rows(named=True):
            gain = estimated(one["change"], np.nan if one["se"] is None else one["se"], settings)
            numbers = {"effect": gain.effect, "low": number(gain.low), "high": number(gain.high)}
            shown = {key: one[key] for key in ("dataset", "probe", "group", "before", "after")}
            rows.append({"level": "dataset", **where, **shown, **numbers})
    return rows
