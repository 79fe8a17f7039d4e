"""Turn published rows into the tables of a study: measurements, which findings and figures read, and cells."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from ripeness.runtime.errors import UserError
from ripeness.study.schema import hint
from ripeness.study.scoring.metrics import KINDS, primary_metrics
from ripeness.tables.columns import CELLS, IS_CHOSEN, MEASUREMENTS, OTHER_DATASET, OWN_DATASET, conform
from ripeness.tables.intervals import scores
from ripeness.tables.published_csv import Line

MODEL = ["series", "checkpoint", "dataset", "format", "method", "seed"]
ASKED = ["probe", "probe_format", "shots"]
IS_BASE = pl.col("method") == "base"


def measurements_of(lines: list[Line], settings: Mapping[str, Any], study: str) -> pl.DataFrame:
    """Make measurements of rows; `settings` is the study's key `published`.

    Tuned models that were measured with other numbers of shots than they are compared at are kept and not chosen.
    """
    check_names(lines, settings)
    names = {"study": study, "split": "test", "source": sources(settings)}
    known = {name: MEASUREMENTS.get(name, pl.String()) for name in lines[0].values}
    rows = pl.DataFrame([line.values for line in lines], schema=known)
    is_text = pl.col("probe_kind") == "text"
    asked = pl.when(is_text).then(pl.lit("text")).otherwise(pl.col("format").fill_null("default"))
    rows = rows.with_columns(
        probe_format=asked,
        dataset=pl.when(IS_BASE).then("probe").otherwise("dataset"),
        **{name: pl.lit(value) for name, value in names.items()},
    )
    usual = {kind: primary_metrics(kind)[0] for kind in KINDS}
    is_primary = pl.col("metric") == pl.col("probe_kind").replace_strict(usual, return_dtype=pl.String)
    rows = rows.with_columns(
        is_primary=is_primary, format=pl.when(IS_BASE | is_text).then("probe_format").otherwise(trained_in(settings))
    )
    own = pl.DataFrame(own_probes(lines, settings), schema=["dataset", "probe"], orient="row")
    own = own.cast(pl.String).with_columns(own=pl.lit(OWN_DATASET))
    rows = rows.join(own, on=["dataset", "probe"], how="left", maintain_order="left")
    suite = pl.when(IS_BASE).then(pl.lit("base")).otherwise(pl.col("own").fill_null(OTHER_DATASET))
    rows = with_choice(rows.with_columns(suite=suite).drop("own"), settings.get("shots"))
    return conform(rows.drop("format_trained"), MEASUREMENTS | IS_CHOSEN)


def sources(settings: Mapping[str, Any]) -> str:
    """Name the tables."""
    return ", ".join(Path(path).name for path in settings["tables"])


def check_names(lines: list[Line], settings: Mapping[str, Any]) -> None:
    """Refuse names in the config that the tables do not have."""
    probes = sorted({line.values["probe"] for line in lines})
    datasets = sorted({line.values["dataset"] for line in lines} - {None})
    groups = {name: settings.get(name, []) for name in ("learned", "not_learned")}
    named = [(f"published.{name}", probe, probes) for name, found in groups.items() for probe in found]
    for dataset, entry in settings.get("tuned_on", {}).items():
        named.append(("published.tuned_on", dataset, datasets))
        named += [(f"published.tuned_on.{dataset}.probes", probe, probes) for probe in entry.get("probes", [])]
    for where, name, known in named:
        if name not in known:
            near = hint(name, known, otherwise="names are those in the tables")
            raise UserError(f"{where}: {name!r} is not in the tables; there are {', '.join(known) or 'none'}\n{near}")
    if both := sorted(set(groups["learned"]) & set(groups["not_learned"])):
        raise UserError(f"published: {both[0]!r} is both learned and not_learned\nhint: a probe is in one group")


def own_probes(lines: list[Line], settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Map each dataset to the probes on which tuning on it counts as its gain, as rows (dataset, probe)."""
    datasets = {line.values["dataset"] for line in lines} - {None}
    given = settings.get("tuned_on", {})
    return [(name, probe) for name in sorted(datasets) for probe in given.get(name, {}).get("probes", [name])]


def trained_in(settings: Mapping[str, Any]) -> pl.Expr:
    """Return the format that a model was tuned in.

    Where the table is silent, that of the config if it was ever asked in it.

    Else `default`, else the first by the alphabet, as for untouched models.
    """
    key = ["dataset", "method", "probe"]
    usual = pl.lit(settings.get("trained_format", "default"))
    first = pl.col("probe_format").min().over(key)
    guess = pl.when((pl.col("probe_format") == usual).any().over(key)).then(usual).otherwise(first)
    return pl.coalesce("format_trained", guess)


def with_choice(rows: pl.DataFrame, shots: int | None) -> pl.DataFrame:
    """Add `is_chosen`: tuned models are read at one number of shots a probe.

    That of the config, or the one at which most of them have an untouched counterpart; the fewest of equals.
    """
    if shots is not None:
        return rows.with_columns(is_chosen=IS_BASE | (pl.col("shots") == shots))
    place = ["series", "checkpoint", *ASKED, "metric"]
    tuned = rows.filter(~IS_BASE)
    paired = tuned.join(rows.filter(IS_BASE), on=place, how="semi")
    most = (
        (paired if paired.height else tuned)
        .group_by("probe", "shots")
        .len()
        .sort("probe", "len", "shots", descending=[False, True, False])
        .group_by("probe", maintain_order=True)
        .agg(compared=pl.col("shots").first())
    )
    rows = rows.join(most, on="probe", how="left", maintain_order="left")
    return rows.with_columns(is_chosen=IS_BASE | (pl.col("shots") == pl.col("compared")).fill_null(True)).drop(
        "compared"
    )


def cells_of(measurements: pl.DataFrame) -> pl.DataFrame:
    """Return one row a model and checkpoint.

    `missing` where it was not measured on what it was at other checkpoints.
    """
    chosen = measurements.filter("is_chosen")
    present = chosen.select(*MODEL, *ASKED).unique()
    points = chosen.select("series", "checkpoint", "tokens", "phase").unique()
    designs = present.drop("checkpoint").unique()
    planned = designs.join(points, on="series")
    absent = planned.join(present, on=[*MODEL, *ASKED], how="anti", nulls_equal=True)
    asked = pl.format("{} ({}, {} shots)", "probe", "probe_format", "shots")
    reasons = absent.group_by(MODEL).agg(reason=pl.lit("not measured on ") + asked.sort().str.join(", "))
    cells = planned.select(*MODEL, "tokens", "phase").unique().join(reasons, on=MODEL, how="left", nulls_equal=True)
    status = pl.when(pl.col("reason").is_null()).then(pl.lit("done")).otherwise(pl.lit("missing"))
    cells = cells.with_columns(status=status, reason=pl.col("reason").fill_null(""), is_chosen=pl.lit(True))
    return conform(cells.sort("series", "tokens", *MODEL), CELLS | IS_CHOSEN)


def lacks_of(measurements: pl.DataFrame) -> list[str]:
    """List what the tables do not state, and what follows from it."""
    n, chosen = measurements.height, measurements.filter("is_chosen")
    tuned = chosen.filter(~IS_BASE)
    lacks = [
        "No items: nothing is paired by item, no format is permuted within items, and a dataset is judged by the "
        "same numbers that measure it."
    ]
    if without := measurements["se"].null_count():
        lacks.append(f"No standard error in {without} of {n} rows: what rests on them has no interval.")
    if tuned.height and tuned["seed"].null_count():
        lacks.append("No seeds of tuning: intervals, where there are any, cover the sampling of items only.")
    rates = tuned.group_by(*MODEL, *ASKED, "metric").agg(n=pl.col("learning_rate").n_unique())
    if n_averaged := rates.filter(pl.col("n") > 1).height:
        lacks.append(f"No choice among learning rates: {n_averaged} numbers of tuned models are means over several.")
    floors = chosen.filter(probe_kind="choice").group_by("probe").agg(pl.col("chance", "majority").max())
    unknown = floors.filter(pl.all_horizontal(pl.col("chance", "majority").is_null()))["probe"].sort().to_list()
    if unknown:
        lacks.append(f"No chance level for {', '.join(unknown)}: whether these are learned is not judged.")
    known = floors.filter(pl.col("chance").is_not_null(), pl.col("majority").is_null())["probe"].sort().to_list()
    if known:
        lacks.append(
            f"No share of the commonest answer (`majority`) for {', '.join(known)}: a probe that sits at it looks "
            "learned, or high from its first row on."
        )
    unread = sorted(set(chosen["probe"]) - set(scores(chosen)["probe"]))
    if unread:
        lacks.append(
            f"No accuracy of choices, ROUGE-L of generated or bits per byte of running text for {', '.join(unread)}: "
            "kept in the table and not read."
        )
    lacks += shots_apart(measurements)
    if apart := n - chosen.height:
        lacks.append(f"{apart} rows of tuned models with other numbers of shots are kept in the table and not read.")
    return lacks


def shots_apart(measurements: pl.DataFrame) -> list[str]:
    """List what `published.shots` leaves out: probes on which models were measured with other numbers of shots only."""
    tuned, base = measurements.filter(~IS_BASE), measurements.filter(IS_BASE)
    read = tuned.filter("is_chosen").group_by("probe").agg(at=pl.col("shots").min())
    lost = tuned.join(read, on="probe", how="anti")
    asked = base.join(read, on="probe").group_by("probe", "at").agg(pl.col("shots").unique())
    alone = base.join(asked.filter(~pl.col("shots").list.contains(pl.col("at"))), on="probe", how="semi")
    found = []
    for rows, who in ((lost, "tuned"), (alone, "untouched")):
        if not rows.is_empty():
            names = ", ".join(sorted(set(rows["probe"])))
            numbers = ", ".join(map(str, sorted(set(rows["shots"]))))
            found.append(
                f"`published.shots` leaves out {names}: {who} models have rows at {numbers} shots only. Without the "
                "key each probe is read at the number at which most of its models can be compared."
            )
    return found
