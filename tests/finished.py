"""A finished study in a folder: the tables of the invented study at two checkpoints, with prompts and findings."""

import json
from pathlib import Path

import polars as pl
import synthetic
from synthetic_report import FINDINGS, PROVENANCE, TOLD, audited

from ripeness.tables.columns import AUDIT, EXAMPLES, conform, write_table

DATASETS, FORMATS = ["nursery-sentiment", "nursery-summary"], ["default", "io"]
CHECKPOINTS = ["step488", "step5859"]
SMALL = pl.col("checkpoint").is_in(CHECKPOINTS) & pl.col("dataset").is_in([*DATASETS, synthetic.TEXT])
SMALL &= pl.col("format").is_in([*FORMATS, "text"])
KNOWN = {"licence": "CC0", "source": {"world": "x"}, "files": ["test: 40 rows"]}
RIPE = {
    "id": "ripe", "claim": "Which checkpoint is ripe for tuning?", "verdict": "answered", "confidence": 0.95,
    "statement": "For all datasets: tune step 5859.",
    "answers": [{
        "dataset": "nursery-sentiment", "method": "full", "checkpoint": "step5859", "may_be_best": ["step5859"],
        "last": "step5859", "last_is_worse_by": 0.0, "low": 0.0, "high": 0.0, "lacks": "",
    }],
}  # fmt: skip


def finished_folder(folder: Path, tables: dict[str, pl.DataFrame]) -> Path:
    """Write the folder of a finished study."""
    asked = pl.col("probe").is_in([*DATASETS, synthetic.TEXT]) & pl.col("probe_format").is_in([*FORMATS, "text"])
    (folder / "tables").mkdir(parents=True)
    tables["measurements"].filter(SMALL, asked).write_parquet(folder / "tables/measurements.parquet")
    tables["cells"].filter(SMALL).write_parquet(folder / "tables/cells.parquet")
    write_table(folder / "tables/audit.parquet", audited(), AUDIT)
    for (series, checkpoint), rows in tables["items"].filter(SMALL, asked).group_by("series", "checkpoint"):
        path = folder / f"tables/items/{series}/{checkpoint}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows.write_parquet(path)
    for dataset in DATASETS:
        for form in FORMATS:
            write_examples(folder, dataset, form)
    (folder / "findings.json").write_text(json.dumps([RIPE, *FINDINGS, TOLD]), encoding="utf-8")
    more = {"datasets": dict.fromkeys(DATASETS, KNOWN), "study": {"title": "A <study>", "study": "nursery"}}
    (folder / "provenance.json").write_text(json.dumps(PROVENANCE | more), encoding="utf-8")
    return folder


def write_examples(folder: Path, dataset: str, form: str, *, prompt: str = "{form} {n} |\n") -> None:
    """Write the prompts of a dataset in a format; choices have two options."""
    is_choice = synthetic.DATASETS[dataset][0] == "choice"
    rows = [
        {
            "item": f"{dataset}-{n}", "cluster": f"{dataset}-{n // 2}", "prompt": prompt.format(form=form, n=n),
            "turns": [], "choices": [" no", " yes"] if is_choice else [], "gold": n % 2 if is_choice else -1,
            "target": [" no", " yes"][n % 2] if is_choice else f" text {n}", "references": [],
            "same_text": [0, 1] if is_choice else None,
        }
        for n in range(synthetic.N_ITEMS)
    ]  # fmt: skip
    place = folder / f"examples/{dataset}/{form}"
    place.mkdir(parents=True, exist_ok=True)
    for split in ("test", "shots"):
        conform(rows, EXAMPLES).write_parquet(place / f"{split}.parquet")
