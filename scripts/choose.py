"""Choose the checkpoint to tune from the results of a study.

By hand: python scripts/choose.py results/mine --dataset rte --forget-at-most 0.05

Prints, for each series and method, the checkpoint whose tuned models score best on validation items, the checkpoints
that cannot be distinguished from it on test items, and what the last checkpoint costs compared with it. Constraints
exclude checkpoints before the choice: by tokens of pre-training, or by what tuning on the dataset costs in loss on
running text (nats a token, tuned minus untouched, mean over seeds and formats). Published tables have no validation
items: the highest score is named, with a note of what that lacks. --indicators also prints which measurements of
untouched checkpoints predict it.
"""

import argparse
import re
from dataclasses import replace
from pathlib import Path

import polars as pl

from ripeness.findings.finding import settings_from
from ripeness.findings.indicators.answer import ID as INDICATORS
from ripeness.findings.ripe import Answer, named, ripe_answers
from ripeness.findings.ripe_without_items import published_answers
from ripeness.runtime.command_line import argument_parser, existing, run
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_entries, read_json
from ripeness.storage.parquet import read_table
from ripeness.study.own_claims import settings_alone
from ripeness.study.study_config import PUBLISHED
from ripeness.tables.columns import REPORTED, by_checkpoint, read_measurements
from ripeness.tables.finished_results import FINDING
from ripeness.tables.intervals import mean_or_null
from ripeness.tables.single_numbers import as_number


def forgotten(measurements: pl.DataFrame, datasets: list[str]) -> pl.DataFrame:
    """Loss on running text that tuning on `datasets` adds, by series, checkpoint and method (nats a token).

    Null where one of the tuned models has no loss, as after a training that diverged.
    """
    text = measurements.filter(pl.col("probe_kind") == "text", pl.col("metric") == "loss", "is_chosen")
    keys = ["series", "checkpoint", "probe"]
    base = text.filter(pl.col("method") == "base").group_by(keys).agg(before=pl.col("value").mean())
    tuned = text.filter(pl.col("method") != "base", pl.col("dataset").is_in(datasets))
    change = tuned.join(base, on=keys).with_columns(forgotten=pl.col("value") - pl.col("before"))
    return change.group_by("series", "checkpoint", "method").agg(mean_or_null("forgotten"))


def kept_checkpoints(measurements: pl.DataFrame, options: dict) -> pl.DataFrame:
    """Return the (series, checkpoint, method, step, tokens) that meet the constraints; UserError where none does."""
    asked = (pl.col("method") != "base") & pl.col("dataset").is_in(options["datasets"])
    tuned = measurements.filter(asked).select("series", "checkpoint", "method", "step", "tokens").unique()
    if (name := options["method"]) is not None:
        known = sorted(tuned["method"].unique())
        tuned = chosen_by(tuned, pl.col("method") == name, f"models were tuned by {', '.join(known)}")
    if (most := options["tokens_at_most"]) is not None:
        said = f"tuned checkpoints have {ends(tuned['tokens'], ',.0f')} tokens"
        tuned = chosen_by(tuned, pl.col("tokens") <= most, said)
    if (most := options["forget_at_most"]) is not None:
        losses = forgotten(measurements, options["datasets"])
        if losses.is_empty():
            raise UserError(
                "--forget-at-most needs the loss of tuned models on running text, but none was measured\n"
                "hint: a suite with `texts: [...]` measures it; see docs/study.md"
            )
        tuned = tuned.join(losses, on=["series", "checkpoint", "method"])
        said = f"tuning adds {ends(tuned['forgotten'], '.3g')} nats a token at these checkpoints"
        tuned = chosen_by(tuned, pl.col("forgotten") <= most, said)
    return tuned.drop("forgotten", strict=False)


def chosen_by(tuned: pl.DataFrame, constraint: pl.Expr, said: str) -> pl.DataFrame:
    """Keep what meets a constraint; UserError with what is there (`said`) where nothing does."""
    kept = tuned.filter(constraint)
    if kept.is_empty():
        raise UserError(f"no tuned checkpoint meets this\nhint: {said}")
    return kept


def ends(values: pl.Series, digits: str) -> str:
    """Write the least and the most of numbers: 0.1 to 0.3."""
    known = values.drop_nulls()
    if known.is_empty():
        return "an unknown number of"
    least, most = (format(as_number(end), digits) for end in (known.min(), known.max()))
    return least if least == most else f"{least} to {most}"


def wanted_datasets(measurements: pl.DataFrame, named: list[str]) -> list[str]:
    """Return the datasets to answer for: the named ones, or all that were tuned on. UserError for others."""
    known = sorted(measurements.filter(pl.col("method") != "base")["dataset"].unique())
    if unknown := sorted(set(named) - set(known)):
        raise UserError(
            f"no model was tuned on {', '.join(unknown)}\nhint: models were tuned on {', '.join(known) or 'nothing'}"
        )
    return named or known


def main(argv: list[str] | None = None) -> None:
    """Print the answers."""
    parser = argument_parser(__doc__)
    parser.add_argument("results", type=existing, help="the study's folder, such as results/mine")
    parser.add_argument("--dataset", dest="datasets", action="append", default=[], help="default: all, and each")
    parser.add_argument("--method", help="way of tuning; default: all")
    parser.add_argument("--forget-at-most", type=float, help="nats a token that tuning may add on running text")
    parser.add_argument("--tokens-at-most", type=float, help="tokens of pre-training")
    parser.add_argument("--indicators", action="store_true", help="report what predicts the score after tuning")
    options = parser.parse_args(argv)
    measurements = read_table(options.results / "tables" / "measurements.parquet")
    options.datasets = wanted_datasets(measurements, options.datasets)
    study = read_json(options.results / "provenance.json", dict, keys=("study",))["study"]
    answers = all_answers(measurements, options, study)
    if not answers:
        raise UserError("no tuned model was measured on its own dataset\nhint: run the study to its end first")
    for one in answers:
        print(line_of(one, answers))
    for text in dict.fromkeys(one.lacks for one in answers if one.lacks):
        print(text)
    if options.indicators:
        print(*told_by(options.results / "findings.json"), sep="\n")


def all_answers(measurements: pl.DataFrame, options: argparse.Namespace, study: dict) -> list[Answer]:
    """Answer for all datasets together and for each, by what tuning on these, or on this one, costs."""
    named = options.datasets
    if options.forget_at_most is None or len(named) == 1:
        return answers_for(measurements, options, study, named)
    together = [one for one in answers_for(measurements, options, study, named) if one.dataset not in named]
    return together + [one for name in named for one in answers_for(measurements, options, study, [name])]


def answers_for(
    measurements: pl.DataFrame, options: argparse.Namespace, study: dict, datasets: list[str]
) -> list[Answer]:
    """Answer for these datasets among the checkpoints that meet the constraints; UserError where none does.

    One of several datasets for which none does gets an answer that says so.
    """
    settings = vars(options) | {"datasets": datasets}
    try:
        kept = kept_checkpoints(measurements, settings)
    except UserError as error:
        if len(datasets) == len(options.datasets):
            raise
        why = str(error).replace("\nhint:", ":")
        return [Answer("", "", datasets[0], f"For {datasets[0]}: {why}.")]
    answers = found_among(kept, argparse.Namespace(**settings), study)
    answers += alone(kept, answers, argparse.Namespace(**settings))
    is_limited = options.tokens_at_most is not None or options.forget_at_most is not None
    return [within_limits(one) for one in answers] if is_limited else answers


def within_limits(one: Answer) -> Answer:
    """Say of the last checkpoint that it is the last one within the limits."""
    words = re.sub(r"\b(is the|The) last checkpoint\b", r"\1 last checkpoint within the limits", one.statement)
    return replace(one, statement=words)


def alone(kept: pl.DataFrame, answers: list[Answer], options: argparse.Namespace) -> list[Answer]:
    """Answer for each series and method of which a single checkpoint meets the constraints, if nothing else does."""
    answered = {(one.series, one.method) for one in answers}
    single = kept.filter(pl.len().over("series", "method") == 1).sort("series", "method")
    datasets = ", ".join(options.datasets)
    return [
        Answer(
            row["series"],
            row["method"],
            datasets,
            f"For {datasets}: {named(row)} is the only tuned checkpoint that meets this, and is compared with none.",
            checkpoint=row["checkpoint"],
        )
        for row in single.rows(named=True)
        if (row["series"], row["method"]) not in answered
    ]


def found_among(kept: pl.DataFrame, options: argparse.Namespace, study: dict) -> list[Answer]:
    """Answer for the tuned models that are kept, by their items; by published numbers where those are the study."""
    point, settings = ["series", "checkpoint", "method"], settings_from(settings_alone(study["findings"]))
    is_asked = pl.col("dataset").is_in(options.datasets)
    if PUBLISHED in study:
        table = read_measurements(options.results / "tables" / "measurements.parquet").filter(REPORTED, is_asked)
        return published_answers(table.join(kept, on=point, how="semi"), settings)
    tables = [
        table.filter(is_asked).join(kept.lazy(), on=point, how="semi")
        for table in by_checkpoint([options.results / "tables" / "items"]).values()
    ]
    return ripe_answers(tables, settings)


def told_by(path: Path) -> list[str]:
    """Write what findings.json says of indicators: the sentence, then a line for each; UserError for nothing."""
    entry = next((one for one in read_entries(path, FINDING) if one["id"] == INDICATORS), None)
    if entry is None:
        raise UserError(f"{path} has no entry `indicators`\nhint: the rule judge_claims writes it; run the study again")
    lines = [entry["statement"], *entry["caveats"], f"{'indicator':28} pairs, %  lost, points  cost, % of tuning"]
    for row in entry["answers"]:
        cost = "not known" if row["cost"] is None else f"{100 * row['cost']:.3g}"
        lines.append(f"{row['indicator']:28} {100 * row['accuracy']:8.0f}  {100 * row['regret']:12.1f}  {cost}")
    return lines


def line_of(one: Answer, answers: list[Answer]) -> str:
    """Return the answer in words, with series and method where there are several."""
    names = [name for name in ("series", "method") if len({getattr(other, name) for other in answers}) > 1]
    prefix = ", ".join(getattr(one, name) for name in names if getattr(one, name))
    return f"{prefix}: {one.statement}" if prefix else one.statement


if __name__ == "__main__":
    run(main)
