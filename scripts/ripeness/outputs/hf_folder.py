"""Export a study as a folder that `datasets.load_dataset` reads and the hub shows: Parquet files and a card."""

from pathlib import Path
from typing import Any

import polars as pl
import yaml

from ripeness.outputs.study_tables import table_of, tables_of
from ripeness.outputs.tidy_files import DICTIONARY
from ripeness.runtime.files import read_json
from ripeness.storage.parquet import scan_files
from ripeness.tables.dictionary import dictionary

SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))


def write(results: Path, folder: Path) -> None:
    """Write data/<table>.parquet for each table, the dictionary, and README.md."""
    (folder / "data").mkdir(parents=True)
    names, sizes = list(tables_of(results)), {}
    for name in names:
        path = folder / "data" / f"{name}.parquet"
        table_of(results, name).sink_parquet(path)
        sizes[name] = scan_files([path]).select(pl.len()).collect().item()
    words = dictionary(names)
    words.write_parquet(folder / "data" / f"{DICTIONARY}.parquet")
    provenance = read_json(results / "provenance.json", dict)
    (folder / "README.md").write_text(card(provenance, sizes, words.to_dicts()), encoding="utf-8")


def card(provenance: dict[str, Any], sizes: dict[str, int], words: list[dict[str, str]]) -> str:
    """Write the card: its head for the hub, what the tables are, where the items come from, and every column."""
    study, head = provenance["study"], head_of(provenance["study"], sizes)
    lines = [
        "---",
        yaml.safe_dump(head, sort_keys=False, allow_unicode=True).rstrip(),
        "---",
        "",
        f"# {head['pretty_name']}",
        "",
        f"Results of the study `{study['study']}`, made with ripeness {provenance['software'].get('ripeness', '')}: "
        "checkpoints of a pre-training, tuned and measured.",
        "",
        "```python",
        "from datasets import load_dataset",
        "",
        f'{next(iter(sizes))} = load_dataset("THIS_FOLDER", "{next(iter(sizes))}", split="train")',
        "```",
        "",
        "| table | rows |",
        "|---|---|",
        *(f"| `{name}` | {n:,} |" for name, n in sizes.items()),
        "",
        "## Licences",
        "",
        "The table `items` holds prompts and answers of these datasets, under their licences. "
        "Whoever publishes this folder states the licence of the rest, in the head of this card.",
        "",
        "| dataset | licence |",
        "|---|---|",
        *(f"| {name} | {known['licence']} |" for name, known in provenance.get("datasets", {}).items()),
        "",
        "## Columns",
        "",
        "| table | column | type | unit | meaning |",
        "|---|---|---|---|---|",
        *(f"| {' | '.join(str(value).replace('|', chr(92) + '|') for value in row.values())} |" for row in words),
        "",
    ]
    return "\n".join(lines)


def head_of(study: dict[str, Any], sizes: dict[str, int]) -> dict[str, Any]:
    """Describe the folder in the words of the hub: its name, its size, and the file of each table."""
    largest = max(sizes.values(), default=0)
    return {
        "pretty_name": study.get("title") or study["study"],
        "license": "unknown",
        "tags": ["ripeness", "fine-tuning", "checkpoints", "evaluation"],
        "size_categories": [next((said for size, said in SIZES if largest < size), "10M<n<100M")],
        "configs": [
            {"config_name": name, "data_files": f"data/{name}.parquet"} | ({"default": True} if place == 0 else {})
            for place, name in enumerate([*sizes, DICTIONARY])
        ],
    }
