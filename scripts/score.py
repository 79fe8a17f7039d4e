"""Score the predictions of one cell: a row an item, and a measurement a metric."""

import logging
import math
from functools import partial
from itertools import groupby
from typing import Any

from ripeness.measure.extraction import is_extracted_right
from ripeness.measure.metrics import SCORERS, measure, score_choice, score_generation, whole_or_none
from ripeness.measure.scorable import check_identity, check_ways, read_predictions, read_record
from ripeness.models.checkpoint_facts import read_made_facts
from ripeness.runtime.command_line import argument_parser, existing, json_option, output_file, run
from ripeness.stats.finite import finite
from ripeness.tables.columns import CELLS, ITEM_SCORES, MEASUREMENTS, PROBE, write_table

MOVED = ("displacement", "relative_displacement", "curvature")  # of a training, how far it has moved the weights
READ = ("item", "cluster", "n_prompt_tokens", "is_truncated", "n_dropped_shots")


def identity_of(cell: dict[str, Any], checkpoint: dict[str, Any]) -> dict[str, Any]:
    """The identity columns that all rows of a cell share."""
    facts = {key: checkpoint[key] for key in ("series", "checkpoint", "step", "tokens", "lr", "phase")}
    return facts | {"pretraining_seed": checkpoint["seed"]} | cell


def score_cell(
    predictions: list[dict],
    identity: dict[str, Any],
    normalisations: dict[str, dict[str, str]],
    extracts: dict[str, str] | None = None,
    words: dict[str, str] | None = None,
) -> tuple[list[dict], list[dict]]:
    """Item rows and measurement rows of one cell.

    `normalisations` by dataset and format, patterns of `extracts` by dataset where there are any, and the `words` of
    ROUGE-L by dataset where they are not the usual ones.
    """
    items, measurements = [], []
    for key, group in groupby(predictions, key=lambda row: tuple(row[name] for name in PROBE)):
        rows, probe = list(group), dict(zip(PROBE, key, strict=True))
        scorer = SCORERS[probe["probe_kind"]]
        if name := normalisations.get(probe["probe"], {}).get(probe["probe_format"]):
            scorer = partial(score_choice, normalisation=name)
        if probe["probe_kind"] == "generation" and (name := (words or {}).get(probe["probe"])):
            scorer = partial(score_generation, words=name)
        scored = [{name: row[name] for name in READ} | scorer(row) for row in rows]
        if pattern := (extracts or {}).get(probe["probe"]):
            scored = [
                old | {"exact_match": is_extracted_right(row, pattern)} for old, row in zip(scored, rows, strict=True)
            ]
        measured = measure(probe["probe_kind"], scored, rows)
        for row in measured:
            if row["value"] is None:
                logging.warning("%s, %s: %s is null: %s", *list(probe.values())[:2], row["metric"], row["reason"])
        items += [identity | probe | row for row in whole_or_none(probe["probe_kind"], scored, measured)]
        measurements += [identity | probe | row for row in measured]
    return items, measurements


def cell_row(
    identity: dict[str, Any], predictions: list[dict], measurements: list[dict], record: dict[str, Any] | None
) -> dict[str, Any]:
    """The cell's row of the table of cells; `record` is that of its training, if it was tuned."""
    row = {key: identity[key] for key in CELLS if key in identity} | {"status": "done"}
    row["n_dropped_shots"] = sum(prediction["n_dropped_shots"] for prediction in predictions)
    row["predict_precision"] = predictions[0]["precision"] if predictions else None
    reasons = null_reasons(measurements)
    if record is not None:
        reasons = [*training_reasons(record), *reasons]
        row |= {key: record[key] for key in ("status", "n_examples", "n_tokens", "n_truncated")}
        row |= {key: finite(record.get(key)) for key in MOVED}
        row |= {"final_loss": finite(record["losses"][-1]), "train_precision": record["precision"]}
    return row | {"reason": "; ".join(reasons)}


def training_reasons(record: dict[str, Any]) -> list[str]:
    """Why a training counts as diverged, or what of one that does not is no finite number."""
    losses = [math.nan if loss is None else loss for loss in record["losses"]]
    if record["status"] == "done":
        return [f"no finite {key.replace('_', ' ')}" for key in MOVED if key in record and finite(record[key]) is None]
    reason = f"the loss went from {losses[0]:.3g} to {losses[-1]:.3g} in {len(losses)} steps"
    return [reason + (", and the model can no longer learn" if losses[-1] <= losses[0] else "")]


def null_reasons(measurements: list[dict]) -> list[str]:
    """What was measured without coming to a number, and why: a text for every probe."""
    lost = (row for row in measurements if row["value"] is None)
    return list(dict.fromkeys("{probe} ({probe_format}, {shots} shots): {reason}".format(**row) for row in lost))


def main(argv: list[str] | None = None) -> None:
    """Write the items, the measurements and the status of one cell."""
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
    parser.add_argument("--training", type=existing, nargs="?", help="record of the cell's training, if it was tuned")
    parser.add_argument("--items", required=True, type=output_file, help="parquet file to write: a row an item")
    parser.add_argument("--measurements", required=True, type=output_file, help="parquet file to write: a row a metric")
    parser.add_argument("--status", required=True, type=output_file, help="parquet file to write: the cell's row")
    parser.add_argument(
        "--words", default="{}", type=json_option, help='words that ROUGE-L compares, such as {"xlsum": "any"}'
    )
    options = parser.parse_args(argv)
    check_ways(options.normalisations, options.extracts, options.words)
    check_identity(options.cell)
    predictions = read_predictions(options.predictions)
    identity = identity_of(options.cell, read_made_facts(options.checkpoint))
    items, measurements = score_cell(predictions, identity, options.normalisations, options.extracts, options.words)
    record = read_record(options.training) if options.training else None
    write_table(options.items, items, ITEM_SCORES)
    write_table(options.measurements, measurements, MEASUREMENTS)
    write_table(options.status, [cell_row(identity, predictions, measurements, record)], CELLS)


if __name__ == "__main__":
    run(main)
