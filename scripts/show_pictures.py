"""Show some test items with their pictures, and what tuned models answer with these and with other pictures.

By hand: python scripts/show_pictures.py --cells tables/cells.parquet --scored tables/items/S/C.parquet --rows
datasets/NAME --items items/NAME --examples examples/NAME/default --settings '{"views": {...}}' --output pictures.json

The items are the first ones of the test set, whatever is answered. Models are those of the first seed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from ripeness.data.small_pictures import png_uri
from ripeness.findings.finding import Settings, settings_from
from ripeness.findings.seeing import EXCHANGED, blind_methods, judged_stages
from ripeness.runtime.command_line import argument_parser, existing, json_option, output_file, run
from ripeness.runtime.files import read_json_lines, write_json
from ripeness.storage.parquet import read_table
from ripeness.storage.pictures import read_pictures
from ripeness.tables.columns import EXAMPLES, IS_CHOSEN, ITEM_SCORES, read_cells

N_SHOWN = 6
OWN, OTHER, NONE = "its own picture", "another picture", "no picture"


def asked(scored: pl.DataFrame, dataset: str, cells: pl.DataFrame, settings: Settings) -> dict[str, pl.DataFrame]:
    """Return the answers of models tuned on a dataset by picture; kinds of picture without answers are left out."""
    stages = judged_stages(cells, settings)
    rows = scored.filter(pl.col("is_chosen"), pl.col("format") == pl.col("probe_format"), dataset=dataset, split="test")
    rows = rows.filter(pl.col("seed") == pl.col("seed").min(), pl.col("shots") == pl.col("shots").min())
    others = [name for name, view in settings.views.items() if view == EXCHANGED]
    seeing = rows.filter(pl.col("method").is_in([stages.second] if stages else []))
    blind = rows.filter(pl.col("method").is_in(blind_methods(cells)[:1]))
    found = {
        OWN: seeing.filter(probe=dataset),
        OTHER: seeing.filter(pl.col("probe").is_in(others)),
        NONE: blind.filter(probe=dataset),
    }
    return {picture: part for picture, part in found.items() if not part.is_empty()}


def answers_to(item: str, said: Mapping[str, pl.DataFrame]) -> list[dict[str, Any]]:
    """List what is answered to an item: method, picture, text, and whether that is right."""
    found = []
    for picture, rows in said.items():
        for row in rows.filter(item=item).head(1).iter_rows(named=True):
            text = row["text"] if row["prediction"] is None else row["prediction"]
            is_right = None if row["prediction"] is None else row["prediction"] == row["gold"]
            found.append({"method": row["method"], "picture": picture, "said": text, "is_right": is_right})
    return found


def main(argv: list[str] | None = None) -> None:
    """Write a JSON list: dataset, item, picture, prompt, options, target and answers, with the checkpoint."""
    parser = argument_parser(__doc__)
    parser.add_argument("--cells", required=True, type=Path, help="cells.parquet")
    parser.add_argument("--scored", required=True, type=Path, help="the items table of one checkpoint")
    for name, what in (("rows", "fetch_dataset"), ("items", "prepare_items"), ("examples", "render_examples")):
        parser.add_argument(f"--{name}", required=True, type=existing, nargs="+", help=f"folders that {what} wrote")
    parser.add_argument("--settings", type=json_option, default={}, help="settings of findings, as JSON")
    parser.add_argument("--output", required=True, type=output_file, help="JSON file to write")
    options = parser.parse_args(argv)
    cells, settings = read_cells(options.cells), settings_from(options.settings)
    scored = read_table(options.scored, schema=ITEM_SCORES | IS_CHOSEN)
    shown = []
    for rows, items, examples in zip(options.rows, options.items, options.examples, strict=True):
        names = {row["id"]: row["picture"] for row in read_json_lines(items / "test.jsonl")[:N_SHOWN]}
        pixels = read_pictures(rows, names.values())
        texts = read_table(examples / "test.parquet", schema=EXAMPLES).filter(pl.col("item").is_in(list(names)))
        said = asked(scored, rows.name, cells, settings)
        for text in texts.iter_rows(named=True):
            shown.append(
                {
                    "dataset": rows.name,
                    "checkpoint": scored["checkpoint"][0] if scored.height else None,
                    "item": text["item"],
                    "picture": png_uri(pixels[names[text["item"]]]),
                    "prompt": text["prompt"],
                    "options": text["choices"],
                    "target": text["target"],
                    "answers": answers_to(text["item"], said),
                }
            )
    write_json(options.output, shown)


if __name__ == "__main__":
    run(main)
