"""Score the predictions of one cell: a row an item, and a measurement a metric."""

import argparse
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any

from ripeness.measure.metrics import SCORERS, measure, primary_score, score_choice, score_generation, whole_or_none
from ripeness.measure.own_texts import columns_of_own_texts
from ripeness.measure.scorable import check_identity, check_method, check_ways, read_predictions, read_record
from ripeness.measure.training_costs import costs_of
from ripeness.models.checkpoint_facts import read_made_facts
from ripeness.runtime.command_line import argument_parser, existing, json_list_option, json_option, output_table, run
from ripeness.runtime.errors import UserError
from ripeness.stats.finite import finite
from ripeness.study.schema import hint
from ripeness.study.scoring.metrics import primary_metrics
from ripeness.tables.columns import CELLS, ITEM_SCORES, MEASUREMENTS, PROBE, write_table

MOVED = ("displacement", "relative_displacement", "curvature")  # of a training, how far it has moved the weights
READ = ("item", "cluster", "n_prompt_tokens", "is_truncated", "n_dropped_shots")


def identity_of(cell: dict[str, Any], checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Collect the identity columns that all rows of a cell share."""
    facts = {key: checkpoint[key] for key in ("series", "checkpoint", "step", "tokens", "lr", "phase")}
    return facts | {"pretraining_seed": checkpoint["seed"]} | cell


@dataclass(frozen=True)
class Scoring:
    """How probes are scored, by dataset, where this differs from the usual."""

    normalisations: dict[str, dict[str, str]] = field(default_factory=dict)  # by dataset and format
    extracts: dict[str, str] = field(default_factory=dict)  # patterns that find the answer in a generated text
    words: dict[str, str] = field(default_factory=dict)  # that ROUGE-L compares
    metrics: dict[str, str] = field(default_factory=dict)  # the primary metric

    def scorer(self, probe: dict[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
        """Choose the function that scores one prediction of a probe."""
        name = probe["probe"]
        if probe["probe_kind"] == "choice":
            normalisation = self.normalisations.get(name, {}).get(probe["probe_format"], "none")
            return partial(score_choice, normalisation=normalisation)
        if probe["probe_kind"] == "generation":
            return partial(score_generation, words=self.words.get(name, "english"), pattern=self.extracts.get(name))
        return SCORERS[probe["probe_kind"]]

    def primary(self, probe: dict[str, Any]) -> str | None:
        """Name the primary metric of a probe; none for tasks of lm-eval."""
        kind, name = probe["probe_kind"], probe["probe"]
        known = primary_metrics(kind)
        if kind not in ("choice", "preference", "generation") or name not in self.metrics:
            return known[0] if known else None
        if (metric := self.metrics[name]) not in known:
            near = hint(metric, known, otherwise="give the key `metric` of the task")
            raise UserError(f"--metrics: {metric!r} of {name} is not one of {', '.join(known)}\n{near}")
        return metric


def score_cell(
    predictions: list[dict[str, Any]], identity: dict[str, Any], scoring: Scoring
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Score the predictions of one cell: a row an item, and a row a measurement."""
    items, measurements = [], []
    for key, group in groupby(predictions, key=lambda row: tuple(row[name] for name in PROBE)):
        rows, probe = list(group), dict(zip(PROBE, key, strict=True))
        scorer, primary = scoring.scorer(probe), scoring.primary(probe)
        scored = [{name: row[name] for name in READ} | scorer(row) for row in rows]
        measured = measure(probe["probe_kind"], scored, rows)
        for row in measured:
            if row["value"] is None:
                logging.warning("%s, %s: %s is null: %s", *list(probe.values())[:2], row["metric"], row["reason"])
        for row in whole_or_none(probe["probe_kind"], scored, measured):
            items.append(identity | probe | row | {"score": primary and primary_score(row, primary)})
        measurements += [identity | probe | row | {"is_primary": row["metric"] == primary} for row in measured]
    return items, measurements


def wanted(predictions: list[dict], probes: list[dict[str, Any]]) -> list[dict]:
    """Take the predictions of `probes`, in their order and with their suites; those of a diverged model are none.

    UserError where a probe was not predicted.
    """
    found: dict[tuple, list[dict]] = {}
    for row in predictions:
        found.setdefault(tuple(row[name] for name in PROBE if name != "suite"), []).append(row)
    rows = []
    for probe in probes if predictions else []:
        key = (probe["probe"], probe["kind"], probe["format"], probe["shots"], probe["split"])
        if key not in found:
            raise UserError(
                f"no predictions of {probe['probe']} ({probe['format']}, {probe['shots']} shots, {probe['split']})\n"
                "hint: predict the model on this probe first, or leave it out of --probes"
            )
        rows += [row | {"suite": probe["suite"]} for row in found[key]]
    return rows


def cell_row(
    identity: dict[str, Any], predictions: list[dict], measurements: list[dict], record: dict[str, Any] | None
) -> dict[str, Any]:
    """Make the cell's row of the table of cells; `record` is that of its training, if it was tuned.

    What the method is and what its training cost is added by `main`.
    """
    row = {key: identity[key] for key in CELLS if key in identity} | {"status": "done"}
    row["n_dropped_shots"] = sum(prediction["n_dropped_shots"] for prediction in predictions)
    row["predict_precision"] = predictions[0]["precision"] if predictions else None
    reasons = null_reasons(measurements)
    if record is not None:
        reasons = [*training_reasons(record), *reasons]
        row |= {key: record[key] for key in ("status", "n_examples", "n_tokens", "n_truncated")}
        row |= {key: finite(record.get(key)) for key in MOVED}
        last = record["losses"][-1] if record["losses"] else record.get("loss")  # of a fit, which takes no steps
        row |= {"final_loss": finite(last), "train_precision": record["precision"]}
    return row | {"reason": "; ".join(reasons)}


def training_reasons(record: dict[str, Any]) -> list[str]:
    """List why a training counts as diverged; of another one, numbers that are not finite, and warnings."""
    losses = [math.nan if loss is None else loss for loss in record["losses"]]
    if record["status"] == "done":
        lost = [f"no finite {key.replace('_', ' ')}" for key in MOVED if key in record and finite(record[key]) is None]
        return [*lost, *record.get("warnings", [])]
    if "reason" in record:  # no step was taken
        return [record["reason"]]
    if not losses:
        return ["the states that the map would be fitted to are not finite"]
    reason = f"the loss went from {losses[0]:.3g} to {losses[-1]:.3g} in {len(losses)} steps"
    if "curves" in record:  # of a policy, whose loss says little
        return [f"{reason}; {'; '.join(record['warnings'])}"]
    return [reason + (", and the model can no longer learn" if losses[-1] <= losses[0] else "")]


def null_reasons(measurements: list[dict]) -> list[str]:
    """List why measurements have no value, one text per probe."""
    lost = (row for row in measurements if row["value"] is None)
    return list(dict.fromkeys("{probe} ({probe_format}, {shots} shots): {reason}".format(**row) for row in lost))


def main(argv: list[str] | None = None) -> None:
    """Write the items, the measurements and the status of one cell."""
    options = read_options(argv)
    check_ways(options.normalisations, options.extracts, options.words)
    check_identity(options.cell)
    check_method(options.method)
    predictions = read_predictions(options.predictions)
    if options.probes is not None:
        predictions = wanted(predictions, options.probes)
    identity = identity_of(options.cell, read_made_facts(options.checkpoint))
    scoring = Scoring(options.normalisations, options.extracts, options.words, options.metrics)
    items, measurements = score_cell(predictions, identity, scoring)
    record = read_record(options.training) if options.training else None
    write_table(options.items, items, ITEM_SCORES)
    write_table(options.measurements, measurements, MEASUREMENTS)
    row = cell_row(identity, predictions, measurements, record) | options.method
    row |= costs_of(record, options.training_usage) | columns_of_own_texts(record) if record else {}
    write_table(options.status, [row], CELLS)


def read_options(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argument_parser(__doc__)
    parser.add_argument("--predictions", required=True, type=existing, help="from predict")
    parser.add_argument("--checkpoint", required=True, type=existing, help="checkpoint.json of the pre-trained model")
    parser.add_argument("--cell", required=True, type=json_option, help="study, dataset, format, method, ... as JSON")
    parser.add_argument(
        "--normalisations",
        default="{}",
        type=json_option,
        help='such as {"arc-easy": {"io": "character"}}',
    )
    parser.add_argument("--extracts", default="{}", type=json_option, help='such as {"gsm8k": "#### (.+)"}')
    parser.add_argument("--probes", type=json_list_option, help="the probes to score, with their suites; default: all")
    parser.add_argument("--training", type=existing, nargs="?", help="record of the cell's training, if it was tuned")
    parser.add_argument("--method", default="{}", type=json_option, help='its "kind" and "learns", as JSON')
    parser.add_argument("--training-usage", nargs="?", help="log of what the training used; it may be gone")
    parser.add_argument(
        "--items", required=True, type=output_table(ITEM_SCORES), help="parquet file to write: a row an item"
    )
    parser.add_argument(
        "--measurements", required=True, type=output_table(MEASUREMENTS), help="parquet file to write: a row a metric"
    )
    parser.add_argument(
        "--status", required=True, type=output_table(CELLS), help="parquet file to write: the cell's row"
    )
    parser.add_argument(
        "--words", default="{}", type=json_option, help='words that ROUGE-L compares, such as {"xlsum": "any"}'
    )
    parser.add_argument(
        "--metrics",
        default="{}",
        type=json_option,
        help='primary metrics that are not the usual ones of their kind, such as {"gsm8k": "exact_match"}',
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    run(main)
