"""Published results of Pythia's checkpoints, in the shape of lm-eval's files flattened to rows, as a table of ours.

By hand: python tests/pythia_table.py pythia_evals_core.csv pythia_mmlu_mean.csv published.csv

Columns in: model, checkpoint (stepN, or `final` for a model without checkpoints), tokens, task, metric, n_shot, value,
stderr. Models of which no checkpoint is known have no trajectory and are left out.
"""

import csv
import sys
from pathlib import Path

# What a guess scores, from the number of options of each task.
CHANCE = {
    "arc_challenge": 0.25, "arc_easy": 0.25, "hendrycksTest_mean57": 0.25, "lambada_openai": 0.0, "logiqa": 0.25,
    "piqa": 0.5, "sciq": 0.25, "winogrande": 0.5, "wsc": 0.5,
}  # fmt: skip
COLUMNS = ["series", "checkpoint", "step", "tokens", "shots", "probe", "metric", "value", "se", "chance"]


def tidy_rows(path: Path) -> list[dict[str, str]]:
    """The rows of one file that have a checkpoint."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["tokens"]]
    found = {}
    for row in rows:
        place = {
            "series": row["model"],
            "checkpoint": row["checkpoint"],
            "step": row["checkpoint"].removeprefix("step"),
        }
        asked = {"shots": row["n_shot"], "probe": row["task"], "metric": row["metric"]}
        is_accuracy = row["metric"].startswith("acc")
        floor = {"chance": CHANCE.get(row["task"], "") if is_accuracy else ""}
        new = place | {"tokens": row["tokens"]} | asked | {"value": row["value"], "se": row["stderr"]} | floor
        # a file that was run again stands there twice; the later row is kept
        found[tuple(new[name] for name in ("series", "checkpoint", "shots", "probe", "metric"))] = new
    return list(found.values())


def convert(sources: list[Path], target: Path) -> int:
    """Write one table; the number of its rows."""
    rows = [row for source in sources for row in tidy_rows(source)]
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


if __name__ == "__main__":
    *sources, target = map(Path, sys.argv[1:])
    print(f"{convert(sources, target)} rows in {target}")
