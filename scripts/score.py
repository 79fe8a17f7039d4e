"""Score the predictions of one cell: a row an item, and a measurement a metric."""

import math
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import polars as pl

from ripeness.command_line import argument_parser, existing, json_option, run
from ripeness.extraction import is_extracted_right
from ripeness.files import read_json
from ripeness.metrics import SCORERS, measure, score_choice
from ripeness.tables import CELLS, ITEM_SCORES, MEASUREMENTS, PROBE, write_table

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
) -> tuple[list[dict], list[dict]]:
    """Item rows and measurement rows of one cell.

    `normalisations` by dataset and format, patterns of `extracts` by dataset, where there are any.
    """
    items, measurements = [], []
    for key, group in groupby(predictions, key=lambda row: tuple(row[name] for name in PROBE)):
        rows, probe = list(group), dict(zip(PROBE, key, strict=True))
        scorer = SCORERS[probe["probe_kind"]]
        if name := normalisations.get(probe["probe"], {}).get(probe["probe_format"]):
            scorer = partial(score_choice, normalisation=name)
        scored = [{name: row[name] for name in READ} | scorer(row) for row in rows]
        if pattern := (extracts or {}).get(probe["probe"]):
            scored = [
                old | {"exact_match": is_extracted_right(row, pattern)} for old, row in zip(scored, rows, strict=True)
            ]
        items += [identity | probe | row for row in scored]
        measurements += [identity | probe | row for row in measure(probe["probe_kind"], scored, rows)]
    return items, measurements


def cell_row(identity: dict[str, Any], predictions: list[dict], record: dict[str, Any] | None) -> dict[str, Any]:
    """The cell's row of the table of cells; `record` is that of its training, if it was tuned."""
    row = {key: identity[key] for key in CELLS if key in identity} | {"status": "done", "reason": ""}
    row["n_dropped_shots"] = sum(prediction["n_dropped_shots"] for prediction in predictions)
    row["predict_precision"] = predictions[0]["precision"] if predictions else None
    if record is None:
        return row
    losses = [math.nan if loss is None else loss for loss in record["losses"]]
    if record["status"] != "done":
        row["reason"] = f"the loss went from {losses[0]:.3g} to {losses[-1]:.3g} in {len(losses)} steps"
        if losses[-1] <= losses[0]:
            row["reason"] += ", and the model can no longer learn"
    facts = {key: record[key] for key in ("status", "n_examples", "n_tokens", "n_truncated")}
    facts |= {key: record.get(key) for key in MOVED}
    return row | facts | {"final_loss": losses[-1], "train_precision": record["precision"]}


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
    parser.add_argument("--items", required=True, type=Path, help="parquet file to write: a row an item")
    parser.add_argument("--measurements", required=True, type=Path, help="parquet file to write: a row a metric")
    parser.add_argument("--status", required=True, type=Path, help="parquet file to write: the cell's row")
    options = parser.parse_args(argv)
    predictions = pl.read_parquet(options.predictions).to_dicts()
    identity = identity_of(options.cell, read_json(options.checkpoint))
    items, measurements = score_cell(predictions, identity, options.normalisations, options.extracts)
    record = read_json(options.training) if options.training else None
    write_table(options.items, items, ITEM_SCORES)
    write_table(options.measurements, measurements, MEASUREMENTS)
    write_table(options.status, [cell_row(identity, predictions, record)], CELLS)


if __name__ == "__main__":
    run(main)
