"""The tidy frame behind each figure: what its CSV holds and its chart draws.

Every frame has a column `row` (which strip of the figure) and `panel` (which small multiple of the strip),
the identity of the point, `value`, and `low` to `high`, a 95 % interval (intervals.py says what it covers).
Every function named after a figure takes the measurements and the cells, whether it needs both or not.
"""

from collections.abc import Sequence

import polars as pl
from polars import selectors

from ripeness.findings.finding import Settings
from ripeness.findings.trajectories import row_of, trajectories_of
from ripeness.runtime.wording import human
from ripeness.tables.columns import HAS_VALUE, IS_OWN, OWN_DATASET
from ripeness.tables.intervals import POINT, UNTUNED, changes, compared, paired_variance, pooled, scores, with_interval

Items = Sequence[pl.LazyFrame]  # a table a checkpoint, so that all of them need not be in memory

# Expected range of k independent standard normal numbers (d2 of control charts; ASTM E2587, table 49).
EXPECTED_RANGE = {2: 1.128, 3: 1.693, 4: 2.059, 5: 2.326, 6: 2.534}


def with_labels(frame: pl.DataFrame, panel: str) -> pl.DataFrame:
    """Add `panel` (the column of that name; with the series where there are several) and checkpoint labels.

    `label` names a checkpoint by its tokens, `order` sorts the labels, and `is_alone` marks an annealed checkpoint, or
    the one of its phase in a series, which no line connects to: it differs from the others in more than tokens.
    """
    series = [pl.col("series"), pl.lit(": ")] if frame["series"].n_unique() > 1 else []
    points = frame.select("series", "checkpoint", "tokens", "phase").unique()
    points = points.with_columns(
        ((pl.col("phase") == "annealed") | (pl.len().over("series", "phase") == 1)).alias("is_alone"),
        pl.struct("tokens", "phase")
        .map_elements(
            lambda point: human(point["tokens"]) + (" " + point["phase"] if point["phase"] != "stable" else ""),
            return_dtype=pl.String,
        )
        .alias("label"),
    )
    repeated = pl.len().over("series", "label") > 1
    points = points.with_columns(
        pl.when(repeated).then("checkpoint").otherwise("label").alias("label"),
        pl.struct("tokens", pl.col("phase") != "stable", "checkpoint").rank("dense").cast(pl.Int64).alias("order"),
    )
    return frame.with_columns(pl.concat_str(*series, pl.col(panel)).alias("panel")).join(
        points.drop("tokens", "phase"), on=["series", "checkpoint"]
    )


def tidy(frame: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Put the identity first, sort by it and round, so that the CSV is the same in every run."""
    first = [name for name in ("row", "panel", *POINT, "label", *keys, "value", "low", "high") if name in frame.columns]
    rounded = frame.select(*first, pl.exclude(first)).with_columns(selectors.float().round(5))
    return rounded.sort([name for name in first if name not in ("value", "low", "high", "label")])


def availability(measurements: pl.DataFrame, cells: pl.DataFrame) -> pl.DataFrame:
    """Every cell of the study with its status (done, diverged, missing) and facts of its training.

    Running text and tasks of lm-eval, on which only the untouched model has a cell, are shown where not done.
    """
    # a method with several learning rates has a cell for each
    is_grid = pl.col("learning_rate").n_unique().over("method", "dataset") > 1
    rate = pl.when(is_grid).then(pl.concat_str(pl.lit(" "), "learning_rate")).otherwise(pl.lit(""))
    recipe = pl.concat_str("method", rate)
    seed = pl.concat_str(pl.lit("seed "), "seed")  # published numbers may name none
    cell = pl.concat_str([recipe, pl.col("format"), seed], separator=" · ", ignore_nulls=True)
    keys = ["dataset", "format", "method", "learning_rate", "seed"]
    shown = cells.filter(~pl.col("format").is_in(UNTUNED) | (pl.col("status") != "done"))
    frame = shown.with_columns(pl.lit("cells").alias("row"), cell.alias("cell"), pl.lit(0).alias("step"))
    return tidy(with_labels(frame, "dataset").drop("step"), keys)


def learned_in_pretraining(measurements: pl.DataFrame, cells: pl.DataFrame) -> pl.DataFrame:
    """Scores of untouched checkpoints by format and number of shots, and the log-probability of the gold."""
    by = ["series", *POINT[1:], "probe", "probe_format", "shots"]
    base = measurements.filter(pl.col("method") == "base", pl.col("probe_kind").is_in(["choice", "generation"]))
    shots = pl.concat_str(pl.lit("score, "), "shots", pl.lit(" shots"))
    score = with_interval(pooled(scores(base), by), is_share=True).with_columns(shots.alias("row"))
    gold = base.filter(HAS_VALUE, pl.col("metric") == "logp_gold", pl.col("shots") == 0, pl.col("split") == "test")
    title = pl.lit("log-probability of the right answer, 0 shots").alias("row")
    chances = [pl.lit(None, pl.Float64).alias(name) for name in ("chance", "majority")]
    surprise = with_interval(pooled(gold, by), is_share=False).with_columns(title, *chances)
    frame = pl.concat([score, surprise.select(score.columns)]).rename({"probe_format": "format"})
    return tidy(with_labels(frame, "probe"), ["format", "shots"])


def saturation(measurements: pl.DataFrame, cells: pl.DataFrame, settings: Settings | None = None) -> pl.DataFrame:
    """When each untouched trajectory saturates; see trajectories.py. A point is its last checkpoint."""
    rows = [row_of(curve, settings or Settings()) for curve in trajectories_of(measurements)]
    if not rows:
        return pl.DataFrame()
    tokens = dict.fromkeys(("saturation_tokens", "earliest_tokens", "latest_tokens"), pl.Int64)
    more = {"step": pl.Int64, "saturates_at": pl.String, "se": pl.Float64, "floor": pl.Float64, "tau": pl.Float64}
    frame = pl.DataFrame(rows, schema_overrides=tokens | more, infer_schema_length=None).with_columns(
        row=pl.concat_str(pl.lit("untouched, "), "shots", pl.lit(" shots"))
    )
    return tidy(with_labels(frame, "probe"), ["probe", "format", "shots"])


def contrast(measurements: pl.DataFrame, items: Items | None, *, kinds: list[str], name: str) -> pl.DataFrame:
    """Tuned minus untouched and both levels, by dataset tuned on: for each format and for their mean.

    `row` is `change in <name>` or `<name>`; `format` is the training format or `all`.
    """
    is_share = kinds != ["text"]
    by = ["series", *POINT[1:], "dataset", "probe", "method"]
    rows = compared(measurements)
    frames = []
    for scope in ([], ["format"]):
        paired = None if items is None or not is_share else paired_variance(items, by + scope)
        change = changes(rows, by + scope, paired, kinds=kinds).with_columns(pl.lit(f"change in {name}").alias("row"))
        level = scores(rows).filter(pl.col("probe_kind").is_in(kinds))
        level = with_interval(pooled(level, by + scope), is_share=is_share)
        level = level.with_columns(pl.lit(name).alias("row"), pl.lit("none: one model").alias("items"))
        both = pl.concat([change, level.select(change.columns)])
        frames.append(both if scope else both.with_columns(pl.lit("all").alias("format")))
    return pl.concat([frame.select(frames[0].columns) for frame in frames])


def gain(measurements: pl.DataFrame, cells: pl.DataFrame, items: Items | None = None) -> pl.DataFrame:
    """Score gained by tuning on the dataset itself, and the scores before and after."""
    # measured on the dataset and in the format that the model was tuned in
    as_trained = pl.col("format") == pl.col("probe_format")
    in_domain = (pl.col("dataset") == pl.col("probe")) & as_trained
    own = None if items is None else [part.filter(in_domain) for part in items]
    rows = measurements.filter(IS_OWN & as_trained)
    tuned = rows.filter(pl.col("method") != "base").select("series", "probe").unique()
    rows = rows.join(tuned, on=["series", "probe"], how="semi")
    frame = contrast(rows, own, kinds=["choice", "generation"], name="score")
    return tidy(with_labels(frame, "probe"), ["method", "format"])


def gain_by_group(findings: list[dict]) -> pl.DataFrame:
    """Mean gain at each checkpoint of datasets learned in pre-training and of others, and the difference.

    From the rows of the finding `gain-by-learning`, which classes datasets; the difference has its interval.
    """
    groups, rows = {"not_learned": "not learned", "learned": "learned"}, []
    details = [row for one in findings if one["id"] == "gain-by-learning" for row in one["details"]]
    for row in details:
        if row["level"] != "groups":
            continue
        place = {key: row[key] for key in ("series", "checkpoint", "tokens", "phase")}
        place |= {"panel": "mean of the datasets of a group", "low": None, "high": None}
        for key, name in groups.items():
            if row[key] is not None:
                rows.append({"row": "gain", "group": name, "value": row[key]} | place)
        if row.get("effect") is not None:
            ends = {end: row[end] for end in ("low", "high")}
            rows.append({"row": "difference", "group": "difference", "value": row["effect"]} | place | ends)
    if not rows:
        return pl.DataFrame()
    frame = pl.DataFrame(rows, schema_overrides={"low": pl.Float64, "high": pl.Float64}, infer_schema_length=None)
    return tidy(with_labels(frame, "panel"), ["group"])


def pretraining_text(measurements: pl.DataFrame, cells: pl.DataFrame) -> pl.DataFrame:
    """Bits per byte of running text before and after tuning, by dataset tuned on (not paired)."""
    text = measurements.filter(pl.col("probe_kind") == "text")
    tuned = text.filter(pl.col("method") != "base")
    # The untouched model belongs beside every dataset and format that the series was tuned in.
    owners = tuned.select("series", "dataset", "format").unique()
    base = text.filter(pl.col("method") == "base")
    if tuned.height:
        base = base.drop("dataset", "format").join(owners, on="series")
    frame = contrast(
        pl.concat([tuned, base.select(tuned.columns)]), None, kinds=["text"], name="bits per byte"
    ).with_columns(pl.concat_str("dataset", pl.lit(" on "), "probe").alias("trained"))
    panel = "trained" if frame["probe"].n_unique() > 1 else "dataset"
    return tidy(with_labels(frame, panel).drop("trained"), ["method", "format"])


def format_spread(measurements: pl.DataFrame, cells: pl.DataFrame) -> pl.DataFrame:
    """Highest minus lowest score over the formats a model is asked in, and the score of each pair of formats.

    `row` is `spread` (tuned: the mean over training formats; `expected` is what sampling alone would give if
    the formats were equal and their items independent, an upper bound) or `matrix` (trained in `format`,
    asked in `probe_format`).
    """
    rows = scores(measurements).filter(IS_OWN)
    by = ["series", *POINT[1:], "dataset", "probe", "method", "shots"]
    matrix = with_interval(pooled(rows, [*by, "format", "probe_format"]), is_share=True)
    trained = pl.when(pl.col("method") == "base").then(pl.lit("base")).otherwise("format").alias("trained")
    k = pl.col("value").count()
    by_model = (
        rows.with_columns(trained)
        .group_by(*by, "trained", "seed")
        .agg(
            (pl.col("value").max() - pl.col("value").min()).alias("value"),
            # Of a difference of two formats, taken as independent: conservative, since they share the items.
            ((pl.col("se") ** 2).mean() * 2).sqrt().alias("se"),
            ((pl.col("se") ** 2).mean().sqrt() * k.replace_strict(EXPECTED_RANGE, default=None)).alias("expected"),
            k.alias("n_formats"),
            pl.col("n_items", "chance", "majority").max(),
        )
        .filter(pl.col("n_formats") > 1)
    )
    expected = by_model.group_by(by).agg(pl.col("expected").mean(), pl.col("n_formats").max())
    spread = with_interval(pooled(by_model, by), is_share=False).with_columns(pl.col("low").clip(lower_bound=0))
    spread = spread.join(expected, on=by, nulls_equal=True).with_columns(pl.lit("spread").alias("row"))
    n_asked = pl.col("probe_format").n_unique().over("probe")
    tuned = matrix.filter(pl.col("method") != "base", (n_asked > 1) | (n_asked.max() == 1))
    tuned = tuned.with_columns(pl.lit("matrix").alias("row"))
    frame = pl.concat([spread, tuned], how="diagonal")
    return tidy(with_labels(frame, "probe"), ["method", "shots", "format", "probe_format"])


def transfer(measurements: pl.DataFrame, cells: pl.DataFrame, items: Items | None = None) -> pl.DataFrame:
    """Change on every dataset after tuning on each; `is_clear` where the interval excludes no change."""
    by = ["series", *POINT[1:], "dataset", "method", "probe"]
    matched = pl.col("dataset") != pl.col("probe")
    matched = matched | (pl.col("format") == pl.col("probe_format"))
    paired = None if items is None else paired_variance((part.filter(matched) for part in items), by)
    # what a published model was tuned on has a figure of its own, whatever its name
    matched &= (pl.col("suite") != OWN_DATASET) | (pl.col("dataset") == pl.col("probe"))
    frame = changes(measurements.filter(matched), by, paired, kinds=["choice", "generation"])
    frame = frame.with_columns(
        ((pl.col("low") > 0) | (pl.col("high") < 0)).fill_null(False).alias("is_clear"), pl.lit("change").alias("row")
    )
    return tidy(with_labels(frame, "dataset"), ["method", "dataset", "probe"])
